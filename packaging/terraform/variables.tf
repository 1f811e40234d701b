# SPDX-License-Identifier: Apache-2.0

# ---- where the package comes from: the only variables without a default ----

variable "package_url" {
  description = "The lattice-probe package for the instance's system and architecture: https://… or s3://BUCKET/KEY. With an s3:// address the instance's role may read that one object."
  type        = string

  validation {
    condition     = can(regex("^(https|s3)://[A-Za-z0-9._~/%+-]+\\.(deb|rpm)$", var.package_url))
    error_message = "package_url is https://… or s3://BUCKET/KEY and ends with .deb or .rpm, without a query."
  }

  validation {
    condition     = endswith(var.package_url, var.system == "debian12" ? ".deb" : ".rpm")
    error_message = "package_url must end with .deb for debian12 and with .rpm for al2023."
  }

  validation {
    condition     = var.egress != "endpoints" || var.subnet == "public" || startswith(var.package_url, "s3://")
    error_message = "With egress = \"endpoints\" the instance reaches nothing but S3 and the endpoints: package_url must be s3://…"
  }
}

variable "package_sha256" {
  description = "SHA-256 of the package, as sha256sum prints it. What does not match is not installed."
  type        = string

  validation {
    condition     = can(regex("^[0-9a-f]{64}$", var.package_sha256))
    error_message = "package_sha256 is 64 hexadecimal digits in lower case."
  }
}

# ---- names ----

variable "region" {
  description = "Region of everything; VPC Lattice works inside one region."
  type        = string
  default     = "us-east-1"

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region is a name like us-east-1."
  }
}

variable "name" {
  description = "What the names of all resources begin with; also the fleet of the agent."
  type        = string
  default     = "lattice-probe"

  # A service of VPC Lattice has 3 to 40 characters; it is called by this name, a hyphen and that of the service.
  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.name)) && length(var.name) >= 3 && length(var.name) <= 24
    error_message = "name has 3 to 24 lower-case letters, digits and single hyphens, and begins with a letter."
  }

  # What the ids of security groups, service networks, services and target groups begin with.
  validation {
    condition     = !can(regex("^(sg|sn|svc|tg)-", var.name))
    error_message = "AWS refuses names that begin with sg-, sn-, svc- or tg-."
  }
}

variable "service" {
  description = "Name of the probed service: of the probe in the configuration, and its dimension Service in CloudWatch."
  type        = string
  default     = "checkout"

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.service)) && length(var.service) <= 15
    error_message = "service has at most 15 lower-case letters, digits and single hyphens, and begins with a letter."
  }
}

variable "environment" {
  description = "The dimension Environment of every metric. It keeps the metrics of two environments in one account apart."
  type        = string
  default     = "example"

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$", var.environment))
    error_message = "environment has at most 63 letters, digits, dots, hyphens and underscores."
  }
}

# ---- the instance ----

variable "subnet" {
  description = "private: the instance has no public address, and egress says how it reaches CloudWatch. public: it has one, behind an internet gateway. For VPC Lattice itself there is no difference."
  type        = string
  default     = "private"

  validation {
    condition     = contains(["private", "public"], var.subnet)
    error_message = "subnet is private or public."
  }
}

variable "egress" {
  description = "How an instance in a private subnet reaches AWS. nat: a NAT gateway. endpoints: interface endpoints and the S3 gateway endpoint, without any way to the internet."
  type        = string
  default     = "nat"

  validation {
    condition     = contains(["nat", "endpoints"], var.egress)
    error_message = "egress is nat or endpoints."
  }
}

variable "interface_endpoints" {
  description = "Interface endpoints for egress = endpoints. monitoring alone is enough to publish metrics; ssm, ssmmessages and ec2messages let Session Manager in; ec2 and vpc-lattice let diagnose ask the control plane."
  type        = set(string)
  default     = ["monitoring", "ssm", "ssmmessages", "ec2messages", "ec2"]

  validation {
    condition     = length(setsubtract(var.interface_endpoints, ["monitoring", "ssm", "ssmmessages", "ec2messages", "ec2", "vpc-lattice", "sts"])) == 0
    error_message = "interface_endpoints are some of monitoring, ssm, ssmmessages, ec2messages, ec2, vpc-lattice, sts."
  }
}

variable "system" {
  description = "al2023 (Amazon Linux 2023, .rpm) or debian12 (Debian 12, .deb)."
  type        = string
  default     = "al2023"

  validation {
    condition     = contains(["al2023", "debian12"], var.system)
    error_message = "system is al2023 or debian12."
  }

  # The packages that ours depends on: Amazon Linux keeps its own in S3, Debian's come over the internet.
  validation {
    condition     = var.system == "al2023" || var.subnet == "public" || var.egress == "nat"
    error_message = "Debian's archive is on the internet: debian12 needs subnet = \"public\" or egress = \"nat\"."
  }
}

variable "architecture" {
  description = "arm64 (Graviton) or amd64."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "amd64"], var.architecture)
    error_message = "architecture is arm64 or amd64."
  }
}

# ---- what is probed, and who is told ----

variable "auth" {
  description = "none: the service takes any request from its service network. sigv4: it has an auth policy for the agent's role, and the agent signs its probes."
  type        = string
  default     = "none"

  validation {
    condition     = contains(["none", "sigv4"], var.auth)
    error_message = "auth is none or sigv4."
  }
}

variable "alarm_email" {
  description = "Address that alarms are mailed to; AWS asks it to confirm once. Empty: the alarms change colour and tell nobody."
  type        = string
  default     = ""

  validation {
    condition     = var.alarm_email == "" || can(regex("^[^@[:space:]]+@[^@[:space:]]+$", var.alarm_email))
    error_message = "alarm_email is an address, or empty."
  }
}

# ---- leave out one piece, and see what diagnose says; the table is in README.md ----

variable "without" {
  description = "The one piece to leave out, to see how its absence looks from the instance. Empty: nothing is left out."
  type        = string
  default     = ""

  validation {
    condition = contains([
      "",
      "vpc_association",
      "service_association",
      "instance_egress",
      "network_acl_entry",
      "association_ingress",
      "targets",
      "auth_policy",
      "put_metric_data",
      "monitoring_endpoint",
      "dns_support",
    ], var.without)
    error_message = "without is empty or one of the pieces in README.md: vpc_association, service_association, instance_egress, network_acl_entry, association_ingress, targets, auth_policy, put_metric_data, monitoring_endpoint, dns_support."
  }

  validation {
    condition     = var.without != "monitoring_endpoint" || (var.subnet == "private" && var.egress == "endpoints")
    error_message = "There is a monitoring endpoint to leave out only with subnet = \"private\" and egress = \"endpoints\"."
  }

  validation {
    condition     = var.without != "dns_support" || var.subnet == "public" || var.egress == "nat"
    error_message = "The names of interface endpoints need the VPC's DNS: dns_support can be left out only with subnet = \"public\" or egress = \"nat\"."
  }
}
