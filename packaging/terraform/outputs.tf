# SPDX-License-Identifier: Apache-2.0

output "service_url" {
  description = "What the agent probes."
  value       = local.service_url
}

output "start_session" {
  description = "A shell on the agent."
  value       = "aws ssm start-session --region ${var.region} --target ${aws_instance.agent.id}"
}

output "diagnose" {
  description = "To be typed in that shell."
  value       = "sudo lattice-probe diagnose ${var.service}"
}

output "alarm_names" {
  description = "The alarms."
  value = [
    aws_cloudwatch_metric_alarm.availability.alarm_name,
    aws_cloudwatch_metric_alarm.certificate.alarm_name,
    aws_cloudwatch_metric_alarm.heartbeat.alarm_name,
    aws_cloudwatch_metric_alarm.latency.alarm_name,
  ]
}

output "dashboard_url" {
  description = "The dashboard in the console."
  value       = "https://${var.region}.console.aws.amazon.com/cloudwatch/home?region=${var.region}#dashboards/dashboard/${aws_cloudwatch_dashboard.this.dashboard_name}"
}

output "agent_policy" {
  description = "What the agent's role may do; lattice-probe needs no more."
  value       = aws_iam_role_policy.agent.policy
}
