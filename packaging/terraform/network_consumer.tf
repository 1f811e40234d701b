# SPDX-License-Identifier: Apache-2.0
# The consumer's side: the VPC that the agent lives in, and its way to AWS. VPC Lattice needs none of the
# gateways in here: its addresses are reached from any subnet of an associated VPC. They are for CloudWatch
# and for installing the package.

locals {
  with_nat       = var.subnet == "private" && var.egress == "nat"
  with_endpoints = var.subnet == "private" && var.egress == "endpoints"
  with_internet  = var.subnet == "public" || local.with_nat

  # "VPC Lattice User Guide, quotas": the zones that it does not work in.
  zones_without_lattice = [
    "use1-az3", "usw1-az2", "apne1-az3", "apne2-az2", "euc1-az2", "euw1-az4", "cac1-az3", "ilc1-az2",
  ]
  zone = data.aws_availability_zones.lattice.names[0]
}

data "aws_availability_zones" "lattice" {
  state            = "available"
  exclude_zone_ids = local.zones_without_lattice

  # Local Zones and Wavelength Zones have no VPC Lattice either.
  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

resource "aws_vpc" "consumer" {
  cidr_block           = "10.0.0.0/16"
  enable_dns_support   = var.without != "dns_support"
  enable_dns_hostnames = local.with_endpoints # the private names of interface endpoints need both

  tags = { Name = "${var.name}-consumer" }
}

# The subnet of the instance.
resource "aws_subnet" "consumer" {
  vpc_id                  = aws_vpc.consumer.id
  availability_zone       = local.zone
  cidr_block              = "10.0.1.0/24"
  map_public_ip_on_launch = false # the instance says itself whether it has a public address

  tags = { Name = "${var.name}-consumer-${var.subnet}" }
}

resource "aws_route_table" "consumer" {
  vpc_id = aws_vpc.consumer.id

  tags = { Name = "${var.name}-consumer-${var.subnet}" }
}

resource "aws_route_table_association" "consumer" {
  subnet_id      = aws_subnet.consumer.id
  route_table_id = aws_route_table.consumer.id
}

# ---- to the internet: directly, or through a NAT gateway in a subnet of its own ----

resource "aws_internet_gateway" "consumer" {
  count  = local.with_internet ? 1 : 0
  vpc_id = aws_vpc.consumer.id

  tags = { Name = "${var.name}-consumer" }
}

resource "aws_route" "consumer_default" {
  count                  = local.with_internet ? 1 : 0
  route_table_id         = aws_route_table.consumer.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = local.with_nat ? null : aws_internet_gateway.consumer[0].id
  nat_gateway_id         = local.with_nat ? aws_nat_gateway.consumer[0].id : null
}

resource "aws_subnet" "nat" {
  count             = local.with_nat ? 1 : 0
  vpc_id            = aws_vpc.consumer.id
  availability_zone = local.zone
  cidr_block        = "10.0.2.0/24"

  tags = { Name = "${var.name}-consumer-nat" }
}

resource "aws_route_table" "nat" {
  count  = local.with_nat ? 1 : 0
  vpc_id = aws_vpc.consumer.id

  tags = { Name = "${var.name}-consumer-nat" }
}

resource "aws_route" "nat_default" {
  count                  = local.with_nat ? 1 : 0
  route_table_id         = aws_route_table.nat[0].id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.consumer[0].id
}

resource "aws_route_table_association" "nat" {
  count          = local.with_nat ? 1 : 0
  subnet_id      = aws_subnet.nat[0].id
  route_table_id = aws_route_table.nat[0].id
}

# An elastic address in use keeps an internet gateway from being detached: both go before the gateway.
resource "aws_eip" "nat" {
  count  = local.with_nat ? 1 : 0
  domain = "vpc"

  tags = { Name = "${var.name}-consumer-nat" }

  depends_on = [aws_internet_gateway.consumer]
}

resource "aws_nat_gateway" "consumer" {
  count         = local.with_nat ? 1 : 0
  subnet_id     = aws_subnet.nat[0].id
  allocation_id = aws_eip.nat[0].id

  tags = { Name = "${var.name}-consumer" }

  # Its interface leaves the subnet with it, so it goes before what gives it a way out.
  depends_on = [aws_internet_gateway.consumer, aws_route.nat_default, aws_route_table_association.nat]
}

# ---- or without the internet: endpoints ----

resource "aws_vpc_endpoint" "interface" {
  for_each = local.with_endpoints ? setsubtract(
    var.interface_endpoints, var.without == "monitoring_endpoint" ? ["monitoring"] : []
  ) : []

  vpc_id              = aws_vpc.consumer.id
  service_name        = "com.amazonaws.${var.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  subnet_ids          = [aws_subnet.consumer.id]
  security_group_ids  = [aws_security_group.endpoints[0].id]
  private_dns_enabled = true

  tags = { Name = "${var.name}-${each.key}" }
}

# Amazon Linux keeps its packages in S3; the gateway endpoint costs nothing.
resource "aws_vpc_endpoint" "s3" {
  count             = local.with_endpoints ? 1 : 0
  vpc_id            = aws_vpc.consumer.id
  service_name      = "com.amazonaws.${var.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = [aws_route_table.consumer.id]

  tags = { Name = "${var.name}-s3" }
}

resource "aws_security_group" "endpoints" {
  count       = local.with_endpoints ? 1 : 0
  name        = "${var.name}-endpoints"
  description = "HTTPS from the agent to the interface endpoints"
  vpc_id      = aws_vpc.consumer.id

  tags = { Name = "${var.name}-endpoints" }
}

resource "aws_vpc_security_group_ingress_rule" "endpoints" {
  count                        = local.with_endpoints ? 1 : 0
  security_group_id            = aws_security_group.endpoints[0].id
  description                  = "the agent"
  referenced_security_group_id = aws_security_group.agent.id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

# ---- the network ACL of the instance's subnet ----

# Network ACLs know no prefix lists, so the list's networks are written out. Entries from 100 on let requests
# to VPC Lattice out, those from 200 on refuse all else that goes there, and 1000 lets the rest pass.
resource "aws_network_acl" "consumer" {
  vpc_id     = aws_vpc.consumer.id
  subnet_ids = [aws_subnet.consumer.id]

  tags = { Name = "${var.name}-consumer" }
}

locals {
  lattice_networks = sort([for entry in data.aws_ec2_managed_prefix_list.lattice.entries : entry.cidr])
}

resource "aws_network_acl_rule" "lattice_out" {
  count          = var.without == "network_acl_entry" ? 0 : length(local.lattice_networks)
  network_acl_id = aws_network_acl.consumer.id
  rule_number    = 100 + count.index
  egress         = true
  protocol       = "tcp"
  rule_action    = "allow"
  cidr_block     = local.lattice_networks[count.index]
  from_port      = 443
  to_port        = 443
}

resource "aws_network_acl_rule" "lattice_other_out" {
  count          = length(local.lattice_networks)
  network_acl_id = aws_network_acl.consumer.id
  rule_number    = 200 + count.index
  egress         = true
  protocol       = "-1"
  rule_action    = "deny"
  cidr_block     = local.lattice_networks[count.index]
}

resource "aws_network_acl_rule" "all" {
  for_each       = { in = false, out = true }
  network_acl_id = aws_network_acl.consumer.id
  rule_number    = 1000
  egress         = each.value
  protocol       = "-1"
  rule_action    = "allow"
  cidr_block     = "0.0.0.0/0"
}
