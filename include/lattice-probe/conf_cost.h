/* SPDX-License-Identifier: Apache-2.0 */
/* conf_cost: what a configuration will cost in CloudWatch a month, from metric and request counts.
 * Prices are us-east-1 list prices of the first tiers (facts in conf_cost.c); pure. */
#ifndef LATTICE_PROBE_CONF_COST_H
#define LATTICE_PROBE_CONF_COST_H

#include <stddef.h>

struct conf;

struct conf_cost {
	size_t service_metrics;     /* always-sent series of one agent: sets × metrics × probes */
	size_t agent_metrics;       /* Heartbeat and its like */
	size_t sparse_metrics;      /* failure and certificate series that appear only when needed */
	double requests_per_month;
	double metric_dollars;      /* this agent */
	double request_dollars;
	double fleet_dollars;       /* expected_agents agents, series shared where the sets allow it */
	double dns_datagrams_per_s; /* what the probes ask at most in a steady second */
};

void conf_cost_estimate(const struct conf *conf, struct conf_cost *ret_cost);

#endif
