# SPDX-License-Identifier: Apache-2.0
# One page: is the service up, how fast is it, why does it fail, is the agent well.

locals {
  # Dimensions as a dashboard writes them: name, value, name, value.
  service_series = flatten([for name, value in local.service_dimensions : [name, value]])
  fleet_series   = flatten([for name, value in local.fleet_dimensions : [name, value]])

  failure_metrics = ["DnsFailures", "ConnectFailures", "TlsFailures", "HealthFailures"]
  agent_metrics   = ["Heartbeat", "RunsMissed", "RunsLate", "LocalFaults", "SamplesDropped"]
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name

  dashboard_body = jsonencode({
    widgets = [
      {
        type       = "text"
        x          = 0
        y          = 0
        width      = 24
        height     = 2
        properties = { markdown = "**${var.service}** as seen from ${aws_vpc.consumer.id}. When it fails: `lattice-probe diagnose ${var.service}` on ${aws_instance.agent.id}." }
      },
      {
        type   = "metric"
        x      = 0
        y      = 2
        width  = 12
        height = 6
        properties = {
          title   = "Availability"
          region  = var.region
          view    = "timeSeries"
          period  = 60
          yAxis   = { left = { min = 0, max = 1 } }
          metrics = [concat([local.namespace, "Success"], local.service_series, [{ stat = "Average", label = var.service }])]
        }
      },
      {
        type   = "metric"
        x      = 12
        y      = 2
        width  = 12
        height = 6
        properties = {
          title  = "Latency of successes, ms"
          region = var.region
          view   = "timeSeries"
          period = 60
          yAxis  = { left = { min = 0 } }
          metrics = [
            for statistic in ["p50", "p90", "p99"] :
            concat([local.namespace, "Latency"], local.service_series, [{ stat = statistic, label = statistic }])
          ]
        }
      },
      {
        type   = "metric"
        x      = 0
        y      = 8
        width  = 12
        height = 6
        properties = {
          title   = "Failures by phase"
          region  = var.region
          view    = "timeSeries"
          stacked = true
          period  = 60
          # Sparse metrics: hidden, and drawn with zeros between.
          metrics = concat(
            [for index, metric in local.failure_metrics :
            concat([local.namespace, metric], local.service_series, [{ stat = "Sum", id = "m${index}", visible = false }])],
            [for index, metric in local.failure_metrics :
            [{ expression = "FILL(m${index}, 0)", id = "e${index}", label = metric }]],
          )
        }
      },
      {
        type   = "metric"
        x      = 12
        y      = 8
        width  = 12
        height = 6
        properties = {
          title  = "The agent"
          region = var.region
          view   = "timeSeries"
          period = 60
          metrics = [
            for metric in local.agent_metrics :
            concat([local.namespace, metric], local.fleet_series, [{ stat = "Sum", label = metric }])
          ]
        }
      },
    ]
  })
}
