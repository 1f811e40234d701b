# SPDX-License-Identifier: Apache-2.0
# The service behind the target group: one small Fargate task that answers /healthz. ECS itself registers
# the task's address with VPC Lattice, by the infrastructure role, and takes it out again.

locals {
  task_port = 8080
}

resource "aws_ecs_cluster" "this" {
  name = var.name
}

# Made here, because a log group that ECS made would stay behind.
resource "aws_cloudwatch_log_group" "task" {
  name              = "/ecs/${local.service_name}"
  retention_in_days = 7
}

resource "aws_ecs_task_definition" "this" {
  family                   = local.service_name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 256
  memory                   = 512
  execution_role_arn       = aws_iam_role.execution.arn

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = "ARM64"
  }

  container_definitions = jsonencode([{
    name      = var.service
    image     = "public.ecr.aws/docker/library/busybox:1.37"
    essential = true
    user      = "65534"
    command = ["/bin/sh", "-c", join(" && ", [
      "mkdir -p /tmp/www",
      "echo '{\"status\":\"ok\"}' >/tmp/www/healthz",
      "exec httpd -f -p ${local.task_port} -h /tmp/www",
    ])]
    portMappings = [{
      name          = "http"
      containerPort = local.task_port
      protocol      = "tcp"
    }]
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.task.name
        awslogs-region        = var.region
        awslogs-stream-prefix = var.service
      }
    }
  }])
}

resource "aws_ecs_service" "this" {
  name                  = local.service_name
  cluster               = aws_ecs_cluster.this.arn
  task_definition       = aws_ecs_task_definition.this.arn
  launch_type           = "FARGATE"
  desired_count         = var.without == "targets" ? 0 : 1
  wait_for_steady_state = true
  propagate_tags        = "SERVICE"

  network_configuration {
    subnets          = [aws_subnet.provider.id]
    security_groups  = [aws_security_group.task.id]
    assign_public_ip = true
  }

  vpc_lattice_configurations {
    role_arn         = aws_iam_role.ecs_infrastructure.arn
    target_group_arn = aws_vpclattice_target_group.this.arn
    port_name        = "http"
  }

  # When the service goes, ECS still has to take the task out of the target group: the right to do so, the
  # listener that makes the target group one in use, the task's way out and its security group's rules stay
  # until it is gone, and with it the task's network interface.
  depends_on = [
    aws_iam_role_policy_attachment.ecs_infrastructure,
    aws_iam_role_policy_attachment.execution,
    aws_vpclattice_listener.this,
    aws_route.provider_default,
    aws_route_table_association.provider,
    aws_vpc_security_group_ingress_rule.task_lattice,
    aws_vpc_security_group_egress_rule.task_https,
  ]
}
