# SPDX-License-Identifier: Apache-2.0
# One page with the series that `lattice-probe dashboard` draws: is the service up, how fast is it, why does it
# fail, is the agent well.

locals {
  # Dimensions as a dashboard writes them: name, value, name, value. Service and Fleet come first, as the agent
  # sends them.
  service_series = ["Service", var.service, "Environment", var.environment]
  fleet_series   = ["Fleet", var.name, "Environment", var.environment]

  graph = { region = var.region, view = "timeSeries", period = 60 }

  # Sparse metrics are hidden, and drawn with zeros between.
  failures = ["DnsFailures", "ConnectFailures", "TlsFailures", "HealthFailures"]
  failure_rows = concat(
    [for index, metric in local.failures : [{ expression = "FILL(m${index}, 0)", id = "e${index}", label = metric }]],
    [for index, metric in local.failures :
    concat([local.namespace, metric], local.service_series, [{ stat = "Sum", id = "m${index}", visible = false }])],
  )
  troubles = ["RunsMissed", "RunsLate", "LocalFaults", "SamplesDropped", "ConfigReloadFailed"]
  trouble_rows = concat(
    [for index, metric in local.troubles : [{ expression = "FILL(m${index}, 0)", id = "e${index}", label = metric }]],
    [for index, metric in local.troubles :
    concat([local.namespace, metric], local.fleet_series, [{ stat = "Sum", id = "m${index}", visible = false }])],
  )
  latency_rows = [
    for statistic in ["p50", "p90", "p99"] :
    concat([local.namespace, "Latency"], local.service_series, [{ stat = statistic, label = statistic }])
  ]

  graphs = [
    merge(local.graph, {
      title   = "${var.service}: availability"
      yAxis   = { left = { min = 0, max = 1, showUnits = false } }
      metrics = [concat([local.namespace, "Success"], local.service_series, [{ stat = "Average" }])]
    }),
    merge(local.graph, {
      title   = "${var.service}: latency of successes"
      yAxis   = { left = { min = 0, label = "ms", showUnits = false } }
      metrics = local.latency_rows
    }),
    merge(local.graph, {
      title   = "${var.service}: average by phase"
      stacked = true
      yAxis   = { left = { min = 0, label = "ms", showUnits = false } }
      metrics = [concat([local.namespace, "DnsLatency"], local.service_series, [{ stat = "Average", label = "DnsLatency" }])]
    }),
    merge(local.graph, {
      title   = "${var.service}: failures by phase"
      stacked = true
      yAxis   = { left = { min = 0, label = "runs", showUnits = false } }
      metrics = local.failure_rows
    }),
    merge(local.graph, {
      title   = "Agents alive"
      yAxis   = { left = { min = 0, label = "agents", showUnits = false } }
      metrics = [concat([local.namespace, "Heartbeat"], local.fleet_series, [{ stat = "Sum" }])]
    }),
    merge(local.graph, {
      title   = "Agents: misses, faults, losses"
      stacked = true
      yAxis   = { left = { min = 0, label = "count", showUnits = false } }
      metrics = local.trouble_rows
    }),
    merge(local.graph, {
      title   = "Agents: clock off by"
      yAxis   = { left = { label = "s", showUnits = false } }
      metrics = [concat([local.namespace, "ClockSkewSeconds"], local.fleet_series, [{ stat = "Average" }])]
    }),
    merge(local.graph, {
      title   = "Certificates: days left"
      yAxis   = { left = { label = "days", showUnits = false } }
      metrics = [concat([local.namespace, "CertificateDaysRemaining"], local.service_series, [{ stat = "Minimum" }])]
    }),
  ]
  dashboard_text = "**${var.service}** as seen from ${aws_vpc.consumer.id}. When it fails: `lattice-probe diagnose ${var.service}` on ${aws_instance.agent.id}."
}

# Three graphs in a row of 24 columns, below the text.
resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name

  dashboard_body = jsonencode({
    start = "-PT3H"
    widgets = concat(
      [{ type = "text", x = 0, y = 0, width = 24, height = 2, properties = { markdown = local.dashboard_text } }],
      [for index, graph in local.graphs : {
        type = "metric", x = index % 3 * 8, y = 2 + floor(index / 3) * 6, width = 8, height = 6, properties = graph
      }],
    )
  })
}
