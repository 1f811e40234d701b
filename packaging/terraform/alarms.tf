# SPDX-License-Identifier: Apache-2.0
# The alarms that `lattice-probe alarms` makes of the agent's configuration, under the same names: of the service
# and of the fleet. A failed service is a low Success: alarms on the sparse metrics of failures would have no
# data most of the time.

locals {
  namespace          = "LatticeProbe"
  service_dimensions = { Service = var.service, Environment = var.environment }
  fleet_dimensions   = { Fleet = var.name, Environment = var.environment }
  service_words      = "Service=${var.service}, Environment=${var.environment}"
  fleet_words        = "Fleet=${var.name}, Environment=${var.environment}"
  alarm_actions      = var.alarm_email == "" ? [] : [aws_sns_topic.alarms[0].arn]
}

resource "aws_sns_topic" "alarms" {
  count = var.alarm_email == "" ? 0 : 1
  name  = "${var.name}-alarms"
}

resource "aws_sns_topic_subscription" "alarms" {
  count     = var.alarm_email == "" ? 0 : 1
  topic_arn = aws_sns_topic.alarms[0].arn
  protocol  = "email"
  endpoint  = var.alarm_email
}

# The average of 0 and 1 is the availability. Missing data is the heartbeat's business.
resource "aws_cloudwatch_metric_alarm" "availability" {
  alarm_name          = "${local.namespace} availability ${local.service_words}"
  alarm_description   = "${local.service_url} fails as seen from ${aws_vpc.consumer.id}: run lattice-probe diagnose ${var.service} on the agent."
  namespace           = local.namespace
  metric_name         = "Success"
  dimensions          = local.service_dimensions
  statistic           = "Average"
  period              = 60
  evaluation_periods  = 5
  datapoints_to_alarm = 3
  comparison_operator = "LessThanThreshold"
  threshold           = 0.99
  treat_missing_data  = "missing"
  alarm_actions       = local.alarm_actions
  ok_actions          = local.alarm_actions
}

# Half of what the agent waits for a whole run.
resource "aws_cloudwatch_metric_alarm" "latency" {
  alarm_name          = "${local.namespace} latency ${local.service_words}"
  alarm_description   = "One in ten answers of ${var.service} takes longer than 1500 ms: lattice-probe once ${var.service} shows the phases."
  namespace           = local.namespace
  metric_name         = "Latency"
  dimensions          = local.service_dimensions
  extended_statistic  = "p90"
  period              = 300
  evaluation_periods  = 1
  datapoints_to_alarm = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 1500
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.alarm_actions
  ok_actions          = local.alarm_actions
}

# Published only when 30 days or fewer are left, or verification fails.
resource "aws_cloudwatch_metric_alarm" "certificate" {
  alarm_name          = "${local.namespace} certificate ${local.service_words}"
  alarm_description   = "The certificate of ${var.service} ends within 14 days."
  namespace           = local.namespace
  metric_name         = "CertificateDaysRemaining"
  dimensions          = local.service_dimensions
  statistic           = "Minimum"
  period              = 300
  evaluation_periods  = 1
  datapoints_to_alarm = 1
  comparison_operator = "LessThanThreshold"
  threshold           = 14
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.alarm_actions
  ok_actions          = local.alarm_actions
}

# Each agent sends 1 a minute; silence is what this alarm is for.
resource "aws_cloudwatch_metric_alarm" "heartbeat" {
  alarm_name          = "${local.namespace} heartbeat ${local.fleet_words}"
  alarm_description   = "No agent of ${var.name} publishes: the services are not being watched."
  namespace           = local.namespace
  metric_name         = "Heartbeat"
  dimensions          = local.fleet_dimensions
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 5
  datapoints_to_alarm = 3
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "breaching"
  alarm_actions       = local.alarm_actions
  ok_actions          = local.alarm_actions
}
