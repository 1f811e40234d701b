/* SPDX-License-Identifier: Apache-2.0 */
/* CloudWatch's price list for us-east-1: a metric 0.30 a month for the first 10,000, 0.10 for the next
 * 240,000, 0.05 for the next 750,000, 0.02 beyond; PutMetricData 0.01 per 1,000 requests. Metrics are
 * billed by the hour in which they get a sample, requests each, also at high resolution
 * (https://aws.amazon.com/cloudwatch/pricing/). A month is 730 hours. */
#include "lattice-probe/conf_cost.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "lattice-probe/conf.h"
#include "lattice-probe/metric.h"
#include "lattice-probe/units.h"

#define MONTH_S (730.0 * 3600)
#define REQUEST_DOLLARS (0.01 / 1000)
#define DATUMS_PER_REQUEST 1000 /* API_PutMetricData */

static double price(size_t metrics)
{
	static const struct {
		double count;
		double dollars;
	} tiers[] = { { 10000, 0.30 }, { 240000, 0.10 }, { 750000, 0.05 }, { 1e18, 0.02 } };
	double left = (double)metrics;
	double dollars = 0;

	for (size_t i = 0; i < sizeof tiers / sizeof *tiers; i++) {
		double here = left < tiers[i].count ? left : tiers[i].count;

		dollars += here * tiers[i].dollars;
		left -= here;
	}
	return dollars;
}

static bool set_names(const struct conf_dimension_set *set, const char *name)
{
	for (size_t i = 0; i < set->count; i++)
		if (strcmp(set->names[i], name) == 0)
			return true;
	return false;
}

/* Facts in which the agents of a fleet differ. */
static bool is_of_one_agent(const struct conf_dimension_set *set)
{
	return set_names(set, "InstanceId") || set_names(set, "SubnetId") || set_names(set, "AvailabilityZone") ||
	       set_names(set, "AvailabilityZoneId");
}

struct series { /* of one dimension set */
	size_t steady;
	size_t sparse;
	double datums; /* in one period */
};

/* How many datums one period of a probe's time metric becomes. */
static double datums_of(const struct conf *conf, const struct target *target, enum metric_id id)
{
	int64_t values = (conf->period_us + target->interval_us - 1) / target->interval_us;

	if (metric_get(id)->unit != DATUM_UNIT_MILLISECONDS)
		return 1;
	return (double)((values + DATUM_VALUES_MAX - 1) / DATUM_VALUES_MAX);
}

/* A metric that is there only in periods with a failure, or with a certificate near its end. */
static bool is_sparse(const struct conf *conf, enum metric_id id)
{
	if (metric_get(id)->scope == METRIC_SCOPE_FAILURE)
		return !conf->failure_metrics_always;
	return id == METRIC_ID_FAILED_LATENCY ||
	       (id == METRIC_ID_CERTIFICATE_DAYS && !(conf->metrics & METRIC_CERTIFICATE_DAYS));
}

static bool is_published(const struct conf *conf, const struct target *target, enum metric_id id)
{
	switch (metric_get(id)->scope) {
	case METRIC_SCOPE_AGENT: return false;
	case METRIC_SCOPE_FAILURE: return true;
	case METRIC_SCOPE_CHOSEN: break;
	}
	if (id == METRIC_ID_CERTIFICATE_DAYS)
		return target->url.is_tls;
	if (!(conf->metrics & 1u << id))
		return false;
	if (id == METRIC_ID_TLS_LATENCY)
		return target->url.is_tls;
	return id != METRIC_ID_DNS_LATENCY || !target->url.is_literal;
}

static struct series count_target(const struct conf *conf, const struct target *target)
{
	struct series series = { 0 };

	for (enum metric_id id = 0; id < METRIC_COUNT; id++) {
		if (!is_published(conf, target, id))
			continue;
		if (is_sparse(conf, id)) {
			series.sparse++;
			continue;
		}
		series.steady++;
		series.datums += datums_of(conf, target, id);
	}
	return series;
}

/* A set without Service is one series for all probes together; then the largest stands for all. */
static struct series count_set(const struct series *total, const struct series *largest,
	const struct conf_dimension_set *set)
{
	struct series series = set_names(set, "Service") ? *total : *largest;

	series.datums = total->datums;
	return series;
}

static size_t count_agent_metrics(const struct conf *conf, size_t agents)
{
	switch (conf->agent_metrics) {
	case CONF_AGENT_METRICS_FLEET: return 1;
	case CONF_AGENT_METRICS_AGENT: return agents;
	case CONF_AGENT_METRICS_BOTH: return 1 + agents;
	case CONF_AGENT_METRICS_NONE: return 0;
	}
	return 0;
}

static size_t count_agent_scope(void)
{
	size_t count = 0;

	for (enum metric_id id = 0; id < METRIC_COUNT; id++)
		count += metric_get(id)->scope == METRIC_SCOPE_AGENT;
	return count;
}

/* One request holds 1000 datums; a period without any makes none, and a Heartbeat comes each minute. */
static double requests_per_month(const struct conf *conf, double datums)
{
	double period_s = (double)conf->period_us / US_PER_S;
	double requests = (double)(int64_t)((datums + DATUMS_PER_REQUEST - 1) / DATUMS_PER_REQUEST);

	if (datums > 0)
		return MONTH_S / period_s * requests;
	if (conf->agent_metrics == CONF_AGENT_METRICS_NONE)
		return 0;
	return MONTH_S / (period_s > 60 ? period_s : 60);
}

/* A and AAAA, unless the probe wants one family only. */
static double questions(const struct target *target)
{
	if (target->url.is_literal)
		return 0;
	return target->ip == TARGET_IP_V4 || target->ip == TARGET_IP_V6 ? 1 : 2;
}

/* All probes in one set: their sum, and the largest. */
static void count_targets(const struct conf *conf, struct series *ret_total, struct series *ret_largest)
{
	struct series total = { 0 };
	struct series largest = { 0 };

	for (size_t i = 0; i < conf->target_count; i++) {
		struct series series = count_target(conf, conf->targets[i]);

		total.steady += series.steady;
		total.sparse += series.sparse;
		total.datums += series.datums;
		if (series.steady + series.sparse > largest.steady + largest.sparse)
			largest = series;
	}
	*ret_total = total;
	*ret_largest = largest;
}

static void count_metrics(const struct conf *conf, struct conf_cost *cost)
{
	size_t agents = (size_t)conf->expected_agents;
	struct series total;
	struct series largest;
	double datums = 0;

	count_targets(conf, &total, &largest);
	for (size_t i = 0; i < conf->dimension_set_count; i++) {
		const struct conf_dimension_set *set = &conf->dimension_sets[i];
		struct series series = count_set(&total, &largest, set);

		cost->service_metrics += series.steady;
		cost->sparse_metrics += series.sparse;
		cost->fleet_metrics += series.steady * (is_of_one_agent(set) ? agents : 1);
		datums += series.datums;
	}
	cost->agent_metrics = count_agent_metrics(conf, 1);
	cost->sparse_metrics += cost->agent_metrics * (count_agent_scope() - 1);
	cost->fleet_metrics += count_agent_metrics(conf, agents);
	cost->requests_per_month = requests_per_month(conf, datums);
}

void conf_cost_estimate(const struct conf *conf, struct conf_cost *ret_cost)
{
	struct conf_cost cost = { 0 };

	count_metrics(conf, &cost);
	cost.metric_dollars = price(cost.service_metrics + cost.agent_metrics);
	cost.request_dollars = cost.requests_per_month * REQUEST_DOLLARS;
	cost.fleet_dollars = price(cost.fleet_metrics) + conf->expected_agents * cost.request_dollars;
	for (size_t i = 0; i < conf->target_count; i++)
		cost.dns_datagrams_per_s +=
			questions(conf->targets[i]) * US_PER_S / (double)conf->targets[i]->interval_us;
	*ret_cost = cost;
}
