/* SPDX-License-Identifier: Apache-2.0 */
/* conf_cost: what a configuration will cost in CloudWatch a month, from metric and request counts.
 * List prices of us-east-1 without the free tier (figures in conf_cost.c). Alarms and dashboards are
 * not in it. Pure. */
#ifndef LATTICE_PROBE_CONF_COST_H
#define LATTICE_PROBE_CONF_COST_H

#include <stddef.h>

struct conf;

/* A metric, as CloudWatch bills it, is a name with one set of dimensions. */
struct conf_cost {
	size_t service_metrics;     /* of one agent, published all the time: sets × metrics × probes */
	size_t agent_metrics;       /* the same of the agent itself: Heartbeat */
	size_t sparse_metrics;      /* failures, certificates, agent counters: billed by the hour, when they
	                               appear; not in the dollars */
	size_t fleet_metrics;       /* of expected_agents agents; a set is shared unless it names a zone, a
	                               subnet or an instance, which are taken to differ */
	double requests_per_month;  /* of one agent */
	double metric_dollars;      /* this agent */
	double request_dollars;
	double fleet_dollars;       /* metrics and requests of expected_agents agents */
	double dns_datagrams_per_s; /* what the probes ask at most in a steady second, without retries */
};

void conf_cost_estimate(const struct conf *conf, struct conf_cost *ret_cost);

#endif
