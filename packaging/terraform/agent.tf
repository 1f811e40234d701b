# SPDX-License-Identifier: Apache-2.0
# The agent: one small instance in the consumer VPC. Its user data installs the package, writes the
# configuration and starts the service; nobody logs in for that.

locals {
  # Public parameters of AWS and of Debian: always the newest image.
  images = {
    al2023 = {
      arm64 = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64"
      amd64 = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
    }
    debian12 = {
      arm64 = "/aws/service/debian/release/12/latest/arm64"
      amd64 = "/aws/service/debian/release/12/latest/amd64"
    }
  }

  # The agent itself needs some 20 MB; the size is for dnf and apt-get.
  instance_types = { arm64 = "t4g.micro", amd64 = "t3.micro" }

  configuration = templatefile("${path.module}/templates/lattice-probe.conf.tftpl", {
    name        = var.name
    environment = var.environment
    region      = var.region
    service     = var.service
    url         = local.service_url
    auth        = var.auth
  })
}

data "aws_ssm_parameter" "image" {
  name = local.images[var.system][var.architecture]
}

resource "aws_instance" "agent" {
  ami                         = data.aws_ssm_parameter.image.insecure_value
  instance_type               = local.instance_types[var.architecture]
  subnet_id                   = aws_subnet.consumer.id
  vpc_security_group_ids      = [aws_security_group.agent.id]
  associate_public_ip_address = var.subnet == "public"
  iam_instance_profile        = aws_iam_instance_profile.agent.name
  user_data_replace_on_change = true

  user_data = templatefile("${path.module}/templates/user-data.sh.tftpl", {
    region         = var.region
    system         = var.system
    package_url    = var.package_url
    package_sha256 = var.package_sha256
    configuration  = local.configuration
  })

  # Version 2 alone, and no container behind a bridge: the agent runs on the host itself.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  root_block_device {
    encrypted   = true
    volume_type = "gp3"
  }

  tags = { Name = "${var.name}-agent" }

  # A newer image is no reason for a new instance.
  lifecycle {
    ignore_changes = [ami]
  }

  # What user data needs while it runs is there before the instance, and goes after it.
  depends_on = [
    aws_iam_role_policy.agent,
    aws_iam_role_policy.package,
    aws_iam_role_policy_attachment.session_manager,
    aws_network_acl_rule.all,
    aws_network_acl_rule.lattice_out,
    aws_route.consumer_default,
    aws_route_table_association.consumer,
    aws_vpc_endpoint.interface,
    aws_vpc_endpoint.s3,
    aws_vpc_security_group_egress_rule.https,
    aws_vpc_security_group_egress_rule.http,
    aws_vpc_security_group_egress_rule.endpoints,
    aws_vpc_security_group_egress_rule.s3,
    aws_vpclattice_service_network_vpc_association.consumer,
  ]
}

# ---- its security group: nothing comes in ----

# The VPC resolver, instance metadata and the time server cannot be filtered by security groups ("VPC User
# Guide, security group rules"), so no rule for DNS or NTP is needed.
resource "aws_security_group" "agent" {
  name        = "${var.name}-agent"
  description = "The agent: out to VPC Lattice and AWS, nothing in"
  vpc_id      = aws_vpc.consumer.id

  tags = { Name = "${var.name}-agent" }
}

resource "aws_vpc_security_group_egress_rule" "lattice" {
  for_each = var.without == "instance_egress" ? {} : {
    ipv4 = data.aws_ec2_managed_prefix_list.lattice.id
    ipv6 = data.aws_ec2_managed_prefix_list.lattice_ipv6.id
  }

  security_group_id = aws_security_group.agent.id
  description       = "VPC Lattice, ${each.key}"
  prefix_list_id    = each.value
  ip_protocol       = "tcp"
  from_port         = local.listener_port
  to_port           = local.listener_port
}

# Security groups only allow. A rule to 0.0.0.0/0 lets the agent reach 169.254.171.0/24 too, and the rules
# above would not be missed: when they are left out, this one spares 168.0.0.0/6.
locals {
  all_networks           = ["0.0.0.0/0"]
  all_but_lattice        = ["0.0.0.0/1", "128.0.0.0/3", "160.0.0.0/5", "172.0.0.0/6", "176.0.0.0/4", "192.0.0.0/2"]
  networks_over_internet = var.without == "instance_egress" ? local.all_but_lattice : local.all_networks
}

resource "aws_vpc_security_group_egress_rule" "https" {
  for_each = local.with_internet ? toset(local.networks_over_internet) : []

  security_group_id = aws_security_group.agent.id
  description       = "CloudWatch and the other APIs, the package"
  cidr_ipv4         = each.key
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

# Debian's archive speaks plain HTTP and signs its lists.
resource "aws_vpc_security_group_egress_rule" "http" {
  for_each = local.with_internet && var.system == "debian12" ? toset(local.networks_over_internet) : []

  security_group_id = aws_security_group.agent.id
  description       = "the archive of Debian"
  cidr_ipv4         = each.key
  ip_protocol       = "tcp"
  from_port         = 80
  to_port           = 80
}

resource "aws_vpc_security_group_egress_rule" "endpoints" {
  count                        = local.with_endpoints ? 1 : 0
  security_group_id            = aws_security_group.agent.id
  description                  = "CloudWatch and the other APIs, through endpoints"
  referenced_security_group_id = aws_security_group.endpoints[0].id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

resource "aws_vpc_security_group_egress_rule" "s3" {
  count             = local.with_endpoints ? 1 : 0
  security_group_id = aws_security_group.agent.id
  description       = "the packages in S3, through the gateway endpoint"
  prefix_list_id    = aws_vpc_endpoint.s3[0].prefix_list_id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}
