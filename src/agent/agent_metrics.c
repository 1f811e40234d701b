/* SPDX-License-Identifier: Apache-2.0 */
#include "agent_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lattice-probe/aws_call.h"
#include "lattice-probe/err.h"
#include "lattice-probe/log.h"
#include "lattice-probe/schedule.h"
#include "lattice-probe/sink.h"
#include "lattice-probe/target.h"

#define SKEW_LIMIT_US (30 * US_PER_S)   /* beyond: windows are stamped by AWS's clock */
#define SPREAD_MAX_US (10 * US_PER_S)
#define QUEUE_MAX_DATUMS 200000         /* about 200 bytes each at six values: tens of MiB at worst */

/* ---- dimensions --------------------------------------------------------------------------- */

/* The static dimensions separate environments, so they belong to every set. */
static int add_static_dimensions(const struct agent *agent, struct dimension_set *set)
{
	const struct conf *conf = agent->conf;
	int err = 0;

	for (size_t i = 0; i < conf->static_dimension_count && !err; i++)
		err = dimension_set_add(set, conf->static_dimensions[i].name, conf->static_dimensions[i].value);
	return err;
}

/* One set of one service. A fact that is unknown here is left out: CloudWatch takes no empty value. */
static struct dimension_set *service_set(const struct agent *agent, const char *service,
	const struct conf_dimension_set *wanted)
{
	struct dimension_set *set = dimension_set_new();
	int err = set ? 0 : ERR_NOMEM;

	for (size_t i = 0; i < wanted->count && !err; i++) {
		const char *value = strcmp(wanted->names[i], "Service") == 0 ? service :
			agent_identity_fact(&agent->facts.imds, wanted->names[i]);

		if (value && value[0])
			err = dimension_set_add(set, wanted->names[i], value);
	}
	if (!err)
		err = add_static_dimensions(agent, set);
	if (!err)
		return set;
	dimension_set_drop(set);
	return NULL;
}

struct aggregate_series *agent_metrics_series(struct agent *agent, const char *service, bool is_tls)
{
	struct dimension_set *sets[CONF_DIMENSION_SETS_MAX] = { NULL };
	const struct conf *conf = agent->conf;
	struct aggregate_series *series = NULL;
	size_t count = 0;

	while (count < conf->dimension_set_count) {
		sets[count] = service_set(agent, service, &conf->dimension_sets[count]);
		if (!sets[count])
			goto done;
		count++;
	}
	series = aggregate_series_new(agent->aggregate, sets, count, is_tls);
done:
	for (size_t i = 0; i < count; i++)
		dimension_set_drop(sets[i]);
	return series;
}

static struct dimension_set *agent_set(const struct agent *agent, bool with_agent)
{
	struct dimension_set *set = dimension_set_new();
	int err = set ? dimension_set_add(set, "Fleet", agent->conf->fleet) : ERR_NOMEM;

	if (!err && with_agent)
		err = dimension_set_add(set, "Agent", agent->facts.agent_id);
	if (!err)
		err = add_static_dimensions(agent, set);
	if (!err)
		return set;
	dimension_set_drop(set);
	return NULL;
}

static bool make_agent_sets(struct agent *agent)
{
	enum conf_agent_metrics wanted = agent->conf->agent_metrics;
	size_t count = 0;

	if (wanted == CONF_AGENT_METRICS_FLEET || wanted == CONF_AGENT_METRICS_BOTH) {
		agent->agent_sets[count] = agent_set(agent, false);
		if (!agent->agent_sets[count++])
			return false;
	}
	if (wanted == CONF_AGENT_METRICS_AGENT || wanted == CONF_AGENT_METRICS_BOTH) {
		agent->agent_sets[count] = agent_set(agent, true);
		if (!agent->agent_sets[count++])
			return false;
	}
	return true;
}

/* ---- windows ------------------------------------------------------------------------------ */

/* AWS's clock is the one that CloudWatch judges timestamps by. Said when it changes. */
static void follow_skew(struct agent *agent)
{
	int64_t skew_us = aws_transport_skew_us(agent->transport);
	bool is_skewed = skew_us > SKEW_LIMIT_US || skew_us < -SKEW_LIMIT_US;

	agent->context.skew_us = skew_us;
	aggregate_set_skew(agent->aggregate, is_skewed ? skew_us : 0);
	if (is_skewed == agent->is_skewed)
		return;
	agent->is_skewed = is_skewed;
	if (is_skewed)
		log_warning("event=clock_skew skew_s=%" PRId64 " action=\"timestamps follow the clock of AWS; "
			    "check time synchronisation\"", skew_us / US_PER_S);
	else
		log_info("event=clock_skew_over skew_s=%" PRId64, skew_us / US_PER_S);
}

/* Whoever read the datums of a dry run has gone (head, a full disk). */
static bool output_is_broken(const struct agent *agent)
{
	struct sink_counters counters;

	sink_read_counters(agent->sink, &counters);
	return counters.dropped[SINK_DROP_WRITE] > 0;
}

static void on_close(void *user)
{
	struct agent *agent = user;

	follow_skew(agent);
	aggregate_close_due(agent->aggregate, wall_now());
	if (agent->options.dry_run && output_is_broken(agent))
		agent_output_broken(agent);
	agent_metrics_plan(agent);
}

/* The close timer runs on the monotonic clock for an instant of the wall clock; it looks again at
 * least each minute, so that a step of the wall clock costs no more than that. */
void agent_metrics_plan(struct agent *agent)
{
	struct wall at;
	struct mono now = mono_now();
	struct mono due;
	int64_t left_us;

	if (agent->is_flushing || !aggregate_next_close(agent->aggregate, &at))
		return;
	left_us = wall_since(at, wall_now());
	if (left_us > 60 * US_PER_S)
		left_us = 60 * US_PER_S;
	due = mono_add(now, left_us > 0 ? left_us : 0);
	if (loop_timer_is_running(&agent->close_timer) && agent->close_timer.due.us <= due.us + US_PER_MS)
		return;
	if (loop_timer_start(agent->loop, &agent->close_timer, due, on_close, agent) != 0)
		log_err("event=close_delayed cause=\"%s\"", err_text(ERR_NOMEM));
}

static void on_datum(void *user, struct datum *datum)
{
	struct agent *agent = user;

	sink_put(agent->sink, datum);
}

static void on_period_closed(void *user, struct wall start, int64_t length_us)
{
	agent_store_cover(user, start, length_us);
}

static void on_dropped(void *user, enum sink_drop cause, double samples)
{
	struct agent *agent = user;

	(void)cause; /* the sink has said it */
	if (!agent->is_flushing)
		aggregate_count(agent->aggregate, AGGREGATE_SAMPLES_DROPPED, wall_now(), (uint64_t)samples);
}

int64_t agent_metrics_grace_us(const struct conf *conf)
{
	int64_t longest_us = conf->defaults.timeout_us;

	for (size_t i = 0; i < conf->target_count; i++)
		if (conf->targets[i]->timeout_us > longest_us)
			longest_us = conf->targets[i]->timeout_us;
	return longest_us + US_PER_S;
}

/* ---- the sink ----------------------------------------------------------------------------- */

/* The configured endpoint, else what the environment and the region make of it. */
static int find_endpoint(const struct agent *agent, char ret_url[static ENDPOINT_SIZE])
{
	const char *configured = agent->conf->endpoint;

	if (strcmp(configured, "auto") == 0)
		return endpoint_find("monitoring", agent->facts.region, ret_url);
	return snprintf(ret_url, ENDPOINT_SIZE, "%s", configured) < ENDPOINT_SIZE ? 0 : ERR_LIMIT;
}

/* At most ten seconds, at most a sixth of the period; each agent has its own moment. */
static int64_t spread_us(const struct agent *agent)
{
	int64_t range_us = agent->conf->period_us / 6;

	if (range_us > SPREAD_MAX_US)
		range_us = SPREAD_MAX_US;
	return schedule_phase_us(agent->facts.agent_id, "publish", range_us);
}

static struct sink *make_sink(struct agent *agent)
{
	char endpoint[ENDPOINT_SIZE];

	if (agent->options.dry_run)
		return sink_json_new(agent->options.output, agent->conf->namespace_);
	if (find_endpoint(agent, endpoint) != 0) {
		log_err("event=no_endpoint region=%s why=\"not a region name\"", agent->facts.region);
		return NULL;
	}
	log_info("event=publishing endpoint=%s namespace=%s period_s=%" PRId64 " after_close_us=%" PRId64, endpoint,
		agent->conf->namespace_, agent->conf->period_us / US_PER_S, spread_us(agent));
	return sink_cloudwatch_new(agent->loop, agent->transport, agent->credentials,
		&(struct sink_cloudwatch_options){ .endpoint = endpoint, .region = agent->facts.region,
			.namespace_ = agent->conf->namespace_, .queue_max_datums = QUEUE_MAX_DATUMS,
			.store = agent->store, .spread_us = spread_us(agent),
			.backfill_interval_us = agent->conf->backfill_interval_us, .random_seed = (uint64_t)mono_now().us,
			.dropped = on_dropped, .user = agent });
}

/* By the agent's configuration; the first look notes that the agent is alive. */
static bool make_windows(struct agent *agent)
{
	if (!make_agent_sets(agent))
		return false;
	agent->aggregate = aggregate_new(&(struct aggregate_options){
		.period_us = agent->conf->period_us, .grace_us = agent_metrics_grace_us(agent->conf),
		.metrics = agent->conf->metrics, .failure_metrics_always = agent->conf->failure_metrics_always,
		.agent_sets = { agent->agent_sets[0], agent->agent_sets[1] }, .emit = on_datum, .closed = on_period_closed,
		.user = agent });
	if (!agent->aggregate)
		return false;
	aggregate_set_skew(agent->aggregate, agent->is_skewed ? agent->context.skew_us : 0);
	aggregate_set_reload_failed(agent->aggregate, agent->reload.has_failed);
	aggregate_close_due(agent->aggregate, wall_now());
	return true;
}

bool agent_metrics_start(struct agent *agent)
{
	if (!make_windows(agent))
		return false;
	agent->sink = make_sink(agent);
	if (!agent->sink)
		return false;
	agent_metrics_plan(agent);
	return true;
}

/* ---- new windows ------------------------------------------------------------------------------ */

static struct agent_windows windows_of(const struct agent *agent)
{
	return (struct agent_windows){ agent->aggregate, { agent->agent_sets[0], agent->agent_sets[1] } };
}

static void set_windows(struct agent *agent, const struct agent_windows *windows)
{
	agent->aggregate = windows->aggregate;
	agent->agent_sets[0] = windows->agent_sets[0];
	agent->agent_sets[1] = windows->agent_sets[1];
}

static void free_windows(struct agent_windows *windows)
{
	aggregate_free(windows->aggregate);
	for (size_t i = 0; i < 2; i++)
		dimension_set_drop(windows->agent_sets[i]);
	*windows = (struct agent_windows){ 0 };
}

static bool make_series(struct agent_probe *probe)
{
	probe->next_series = agent_metrics_series(probe->agent, probe->target->name, probe->target->url.is_tls);
	return probe->next_series != NULL;
}

static bool make_all_series(struct agent *agent)
{
	for (size_t i = 0; i < agent->probe_count; i++)
		if (!make_series(agent->probes[i]))
			return false;
	for (struct agent_probe *probe = agent->retired; probe; probe = probe->next_retired)
		if (!make_series(probe))
			return false;
	return true;
}

bool agent_metrics_renew(struct agent *agent, struct agent_windows *ret_before)
{
	*ret_before = windows_of(agent);
	set_windows(agent, &(struct agent_windows){ 0 });
	if (make_windows(agent) && make_all_series(agent))
		return true;
	agent_metrics_put_back(agent, ret_before);
	return false;
}

void agent_metrics_put_back(struct agent *agent, struct agent_windows *before)
{
	struct agent_windows new = windows_of(agent);

	free_windows(&new);
	set_windows(agent, before);
}

/* A run that has begun ends in a series of the new windows. Samples of one minute in two datums are no
 * harm: CloudWatch adds datums of one timestamp up. */
void agent_metrics_end_before(struct agent *agent, struct agent_windows *before)
{
	for (size_t i = 0; i < agent->probe_count; i++)
		agent->probes[i]->series = agent->probes[i]->next_series;
	for (struct agent_probe *probe = agent->retired; probe; probe = probe->next_retired)
		probe->series = probe->next_series;
	aggregate_close_all(before->aggregate, wall_now());
	free_windows(before);
}

/* ---- the end ---------------------------------------------------------------------------------- */

void agent_metrics_free(struct agent *agent)
{
	struct agent_windows windows = windows_of(agent);

	loop_timer_stop(agent->loop, &agent->close_timer);
	free_windows(&windows);
	set_windows(agent, &windows);
	sink_free(agent->sink);
	agent->sink = NULL;
}
