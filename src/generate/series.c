/* SPDX-License-Identifier: Apache-2.0 */
/* Sets are made the way the agent makes them (agent_metrics.c): Service and facts in the order of the
 * file, then the static dimensions. A set that does not name Service is one series for all probes. */
#include "generate_internal.h"

#include <stdlib.h>
#include <string.h>

#include "lattice-probe/err.h"
#include "lattice-probe/target.h"

static void add_dimension(struct series *series, const char *name, const char *value)
{
	series->dimensions[series->dimension_count++] = (struct series_dimension){ name, value };
}

static void add_static_dimensions(struct series *series, const struct conf *conf)
{
	for (size_t i = 0; i < conf->static_dimension_count; i++)
		add_dimension(series, conf->static_dimensions[i].name, conf->static_dimensions[i].value);
}

static const char *find_fact(const struct generate_options *options, const char *name)
{
	for (size_t i = 0; i < options->fact_count; i++)
		if (strcmp(options->facts[i].name, name) == 0)
			return options->facts[i].value;
	return NULL;
}

static bool names_service(const struct conf_dimension_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		if (strcmp(set->names[i], "Service") == 0)
			return true;
	return false;
}

/* What a probe may publish; without TLS there is neither its latency nor a certificate, without a name no
 * DNS latency. Failures come only when they happen, but have a series of their own. */
static unsigned metrics_of(const struct conf *conf, const struct target *target)
{
	unsigned metrics = conf->metrics;

	for (unsigned id = 0; id < METRIC_COUNT; id++)
		if (metric_get((enum metric_id)id)->scope == METRIC_SCOPE_FAILURE)
			metrics |= 1u << id;
	metrics |= METRIC_CERTIFICATE_DAYS; /* unasked, when few are left */
	if (!target->url.is_tls)
		metrics &= ~(unsigned)(METRIC_CERTIFICATE_DAYS | METRIC_TLS_LATENCY);
	if (target->url.is_literal)
		metrics &= ~(unsigned)METRIC_DNS_LATENCY;
	if (target->follow_redirects) /* to wherever it leads */
		return metrics;
	if (!target->url.is_tls)
		metrics &= ~(unsigned)METRIC_TLS_FAILURES;
	if (target->url.is_literal)
		metrics &= ~(unsigned)METRIC_DNS_FAILURES;
	return metrics;
}

static void add_target(struct series *series, const struct conf *conf, const struct target *target)
{
	series->metrics |= metrics_of(conf, target);
	if (series->interval_us == 0 || target->interval_us < series->interval_us)
		series->interval_us = target->interval_us;
	if (target->timeout_us > series->timeout_us)
		series->timeout_us = target->timeout_us;
}

static void begin_series(struct series *series, const struct conf *conf, const struct conf_dimension_set *set,
	const struct generate_options *options, const char *service)
{
	*series = (struct series){ .service = service };
	for (size_t i = 0; i < set->count; i++)
		add_dimension(series, set->names[i],
			strcmp(set->names[i], "Service") == 0 ? service : find_fact(options, set->names[i]));
	add_static_dimensions(series, conf);
}

static void add_set(struct series_list *list, const struct conf *conf, const struct conf_dimension_set *set,
	const struct generate_options *options)
{
	bool is_of_each = names_service(set);

	for (size_t i = 0; i < conf->target_count; i++) {
		const struct target *target = conf->targets[i];

		if (is_of_each || i == 0)
			begin_series(&list->items[list->count++], conf, set, options, is_of_each ? target->name : NULL);
		add_target(&list->items[list->count - 1], conf, target);
	}
}

int series_of_services(const struct conf *conf, const struct generate_options *options,
	struct series_list *ret_list)
{
	size_t most = conf->target_count * conf->dimension_set_count;

	*ret_list = (struct series_list){ .items = calloc(most ? most : 1, sizeof *ret_list->items) };
	if (!ret_list->items)
		return ERR_NOMEM;
	for (size_t i = 0; i < conf->dimension_set_count; i++)
		add_set(ret_list, conf, &conf->dimension_sets[i], options);
	return 0;
}

static unsigned agent_metrics(void)
{
	unsigned metrics = 0;

	for (unsigned id = 0; id < METRIC_COUNT; id++)
		if (metric_get((enum metric_id)id)->scope == METRIC_SCOPE_AGENT)
			metrics |= 1u << id;
	return metrics;
}

static void add_agent_set(struct series_list *list, const struct conf *conf, bool with_agent)
{
	struct series *series = &list->items[list->count++];

	series->metrics = agent_metrics();
	series->is_of_fleet = !with_agent;
	add_dimension(series, "Fleet", conf->fleet);
	if (with_agent)
		add_dimension(series, "Agent", conf->agent_id[0] ? conf->agent_id : NULL);
	add_static_dimensions(series, conf);
}

int series_of_agents(const struct conf *conf, struct series_list *ret_list)
{
	enum conf_agent_metrics wanted = conf->agent_metrics;

	*ret_list = (struct series_list){ .items = calloc(2, sizeof *ret_list->items) };
	if (!ret_list->items)
		return ERR_NOMEM;
	if (wanted == CONF_AGENT_METRICS_FLEET || wanted == CONF_AGENT_METRICS_BOTH)
		add_agent_set(ret_list, conf, false);
	if (wanted == CONF_AGENT_METRICS_AGENT || wanted == CONF_AGENT_METRICS_BOTH)
		add_agent_set(ret_list, conf, true);
	return 0;
}

void series_done(struct series_list *list)
{
	free(list->items);
	*list = (struct series_list){ 0 };
}

const char *series_unknown(const struct series *series)
{
	for (size_t i = 0; i < series->dimension_count; i++)
		if (!series->dimensions[i].value)
			return series->dimensions[i].name;
	return NULL;
}

/* The dimensions' own hashes are added up: a sum knows no order. */
uint64_t series_hash(const struct conf *conf, const struct series *series)
{
	uint64_t hash = generate_hash(GENERATE_HASH_START, conf->namespace_);

	for (size_t i = 0; i < series->dimension_count; i++) {
		const struct series_dimension *dimension = &series->dimensions[i];

		hash += generate_hash(generate_hash(GENERATE_HASH_START, dimension->name),
			dimension->value ? dimension->value : "");
	}
	return hash;
}
