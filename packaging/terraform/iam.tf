# SPDX-License-Identifier: Apache-2.0
# Three roles: the agent's, the task's to start (image, log), and the one by which ECS enters tasks into the
# target group.

data "aws_partition" "current" {}

locals {
  managed_policies = "arn:${data.aws_partition.current.partition}:iam::aws:policy"
}

# ---- the agent ----

resource "aws_iam_role" "agent" {
  name = "${var.name}-agent"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ec2.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_instance_profile" "agent" {
  name = "${var.name}-agent"
  role = aws_iam_role.agent.name
}

# The statements that `lattice-probe iam-policy` prints for the agent's configuration: to publish; to sign, if it
# has to; and to look for the cause when a service does not answer. The last may be left away: diagnose then
# names candidates where it now names the cause. The configuration does not know the account, which the ARN of
# the service does: that is the one difference.
resource "aws_iam_role_policy" "agent" {
  name = "lattice-probe"
  role = aws_iam_role.agent.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      var.without == "put_metric_data" ? [] : [{
        Sid       = "PublishMetrics"
        Effect    = "Allow"
        Action    = "cloudwatch:PutMetricData"
        Resource  = "*"
        Condition = { StringEquals = { "cloudwatch:namespace" = local.namespace } }
      }],
      var.auth != "sigv4" ? [] : [{
        Sid      = "InvokeSignedProbes"
        Effect   = "Allow"
        Action   = "vpc-lattice-svcs:Invoke"
        Resource = ["${aws_vpclattice_service.this.arn}/healthz"]
      }],
      [{
        Sid    = "DiagnoseReads"
        Effect = "Allow"
        Action = [
          "vpc-lattice:ListServiceNetworkVpcAssociations",
          "vpc-lattice:GetServiceNetworkVpcAssociation",
          "vpc-lattice:ListServiceNetworkServiceAssociations",
          "ec2:DescribeVpcs",
          "ec2:DescribeVpcAttribute",
          "ec2:DescribeSecurityGroups",
          "ec2:DescribeRouteTables",
          "ec2:DescribeNetworkAcls",
          "ec2:DescribeManagedPrefixLists",
          "ec2:GetManagedPrefixListEntries",
        ]
        Resource = "*"
      }],
    )
  })
}

# The package, where it lies in a bucket.
resource "aws_iam_role_policy" "package" {
  count = startswith(var.package_url, "s3://") ? 1 : 0
  name  = "package"
  role  = aws_iam_role.agent.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = "s3:GetObject"
      Resource = "arn:${data.aws_partition.current.partition}:s3:::${trimprefix(var.package_url, "s3://")}"
    }]
  })
}

# A shell without an open port and without a key.
resource "aws_iam_role_policy_attachment" "session_manager" {
  role       = aws_iam_role.agent.name
  policy_arn = "${local.managed_policies}/AmazonSSMManagedInstanceCore"
}

# ---- ECS ----

resource "aws_iam_role" "execution" {
  name = "${var.name}-execution"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy_attachment" "execution" {
  role       = aws_iam_role.execution.name
  policy_arn = "${local.managed_policies}/service-role/AmazonECSTaskExecutionRolePolicy"
}

resource "aws_iam_role" "ecs_infrastructure" {
  name = "${var.name}-ecs-infrastructure"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ecs.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy_attachment" "ecs_infrastructure" {
  role       = aws_iam_role.ecs_infrastructure.name
  policy_arn = "${local.managed_policies}/AmazonECSInfrastructureRolePolicyForVpcLattice"
}
