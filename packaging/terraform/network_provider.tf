# SPDX-License-Identifier: Apache-2.0
# The provider's side: the VPC that the service runs in. It is not connected with the consumer's VPC, and
# their address ranges might as well be the same: VPC Lattice stands between them.

resource "aws_vpc" "provider" {
  cidr_block           = "10.1.0.0/16"
  enable_dns_support   = true
  enable_dns_hostnames = true

  tags = { Name = "${var.name}-provider" }
}

# A public subnet, because the task pulls its image from the internet and a NAT gateway costs more than the
# task. Its security group lets in nobody but VPC Lattice.
resource "aws_subnet" "provider" {
  vpc_id            = aws_vpc.provider.id
  availability_zone = local.zone
  cidr_block        = "10.1.1.0/24"

  tags = { Name = "${var.name}-provider" }
}

resource "aws_internet_gateway" "provider" {
  vpc_id = aws_vpc.provider.id

  tags = { Name = "${var.name}-provider" }
}

resource "aws_route_table" "provider" {
  vpc_id = aws_vpc.provider.id

  tags = { Name = "${var.name}-provider" }
}

resource "aws_route" "provider_default" {
  route_table_id         = aws_route_table.provider.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.provider.id
}

resource "aws_route_table_association" "provider" {
  subnet_id      = aws_subnet.provider.id
  route_table_id = aws_route_table.provider.id
}

# The security group of the tasks. A request comes from VPC Lattice's own addresses, whoever sent it: the
# client's security group or network cannot be named here.
resource "aws_security_group" "task" {
  name        = "${var.name}-task"
  description = "The service: in from VPC Lattice, out for its image and its log"
  vpc_id      = aws_vpc.provider.id

  tags = { Name = "${var.name}-task" }
}

resource "aws_vpc_security_group_ingress_rule" "task_lattice" {
  security_group_id = aws_security_group.task.id
  description       = "requests and health checks of VPC Lattice"
  prefix_list_id    = data.aws_ec2_managed_prefix_list.lattice.id
  ip_protocol       = "tcp"
  from_port         = local.task_port
  to_port           = local.task_port
}

resource "aws_vpc_security_group_egress_rule" "task_https" {
  security_group_id = aws_security_group.task.id
  description       = "the image and the log"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}
