# SPDX-License-Identifier: Apache-2.0
# VPC Lattice: service network, service, listener, target group, and the two associations. The service's
# name resolves everywhere as soon as the service exists; it is answered only where both associations are.

locals {
  listener_port = 443
  service_name  = "${var.name}-${var.service}"
  service_host  = aws_vpclattice_service.this.dns_entry[0].domain_name
  service_url   = "https://${local.service_host}/healthz"

  # Leaving out the policy means: AWS_IAM without one, which denies every request.
  with_auth   = var.auth == "sigv4" || var.without == "auth_policy"
  with_policy = var.auth == "sigv4" && var.without != "auth_policy"
}

data "aws_ec2_managed_prefix_list" "lattice" {
  name = "com.amazonaws.${var.region}.vpc-lattice"
}

data "aws_ec2_managed_prefix_list" "lattice_ipv6" {
  name = "com.amazonaws.${var.region}.ipv6.vpc-lattice"
}

resource "aws_vpclattice_service_network" "this" {
  name      = var.name
  auth_type = "NONE"
}

# ---- the service ----

resource "aws_vpclattice_service" "this" {
  name      = local.service_name
  auth_type = local.with_auth ? "AWS_IAM" : "NONE"
}

# Only the agent's role may call, and only what it probes.
resource "aws_vpclattice_auth_policy" "this" {
  count               = local.with_policy ? 1 : 0
  resource_identifier = aws_vpclattice_service.this.arn

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { AWS = aws_iam_role.agent.arn }
      Action    = "vpc-lattice-svcs:Invoke"
      Resource  = "*"
      Condition = {
        StringEquals = {
          "vpc-lattice-svcs:RequestMethod" = "GET"
          "vpc-lattice-svcs:SourceVpc"     = aws_vpc.consumer.id
        }
      }
    }]
  })
}

resource "aws_vpclattice_target_group" "this" {
  name = local.service_name
  type = "IP"

  config {
    vpc_identifier   = aws_vpc.provider.id
    ip_address_type  = "IPV4"
    protocol         = "HTTP"
    protocol_version = "HTTP1"
    port             = local.task_port

    health_check {
      enabled                       = true
      protocol                      = "HTTP"
      protocol_version              = "HTTP1"
      path                          = "/healthz"
      health_check_interval_seconds = 10
      health_check_timeout_seconds  = 5
      healthy_threshold_count       = 2
      unhealthy_threshold_count     = 2

      matcher {
        value = "200"
      }
    }
  }
}

# The certificate of the generated name is VPC Lattice's own; a custom domain would need one of yours.
resource "aws_vpclattice_listener" "this" {
  name               = "https"
  service_identifier = aws_vpclattice_service.this.id
  protocol           = "HTTPS"
  port               = local.listener_port

  default_action {
    forward {
      target_groups {
        target_group_identifier = aws_vpclattice_target_group.this.id
        weight                  = 100
      }
    }
  }
}

# ---- the two associations ----

# The listener is there before the service can be called and goes after it can no longer be.
resource "aws_vpclattice_service_network_service_association" "this" {
  count                      = var.without == "service_association" ? 0 : 1
  service_identifier         = aws_vpclattice_service.this.id
  service_network_identifier = aws_vpclattice_service_network.this.id

  depends_on = [aws_vpclattice_listener.this]
}

# The association writes routes into the VPC's route tables and holds its security group: it goes before
# them.
resource "aws_vpclattice_service_network_vpc_association" "consumer" {
  count                      = var.without == "vpc_association" ? 0 : 1
  vpc_identifier             = aws_vpc.consumer.id
  service_network_identifier = aws_vpclattice_service_network.this.id
  security_group_ids         = [aws_security_group.association.id]

  depends_on = [
    aws_subnet.consumer,
    aws_route_table.consumer,
    aws_route_table_association.consumer,
    aws_vpc_security_group_ingress_rule.association,
  ]
}

# Once an association has a security group, it cannot do without one again; so it has this one from the
# beginning.
resource "aws_security_group" "association" {
  name        = "${var.name}-association"
  description = "Who in the VPC may use the service network"
  vpc_id      = aws_vpc.consumer.id

  tags = { Name = "${var.name}-association" }
}

resource "aws_vpc_security_group_ingress_rule" "association" {
  count                        = var.without == "association_ingress" ? 0 : 1
  security_group_id            = aws_security_group.association.id
  description                  = "the agent, to the listener"
  referenced_security_group_id = aws_security_group.agent.id
  ip_protocol                  = "tcp"
  from_port                    = local.listener_port
  to_port                      = local.listener_port
}
