/* SPDX-License-Identifier: Apache-2.0 */
/* Open periods stand in one list, oldest first; each holds the windows of the services that had a
 * sample in it, and the agent's own counters. A period leaves the list before it is emitted, because
 * whoever takes the datums may drop some and count that here.
 *
 * Minutes (or periods, where those are longer) in which the agent was alive wait in a second, small
 * queue until they close and give their Heartbeat. */
#include "aggregate_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lattice-probe/err.h"

#define MINUTE_US (60 * US_PER_S)
/* Minutes remembered as noted, so that none gives two heartbeats when the clock is set back. Further
 * back than two hours it may: CloudWatch refused those ahead of it (PutMetricData, Timestamp). */
#define NOTED_MAX 128

struct period {
	struct period *next;
	int64_t start_us;
	bool is_supplement;
	struct window *first;
	struct window **last;
	uint64_t counters[AGGREGATE_COUNTER_COUNT];
};

struct aggregate_series {
	struct aggregate *aggregate;
	struct aggregate_series *next;
	struct aggregate_series **link; /* what points at this one */
	struct window *windows;         /* the open ones */
	bool is_tls;
	bool is_ended;
	size_t set_count;
	struct dimension_set *sets[];
};

struct aggregate {
	struct aggregate_options options;
	struct aggregate_series *series;
	struct period *periods;
	size_t period_count;
	struct wall closed_at;       /* the latest instant that closed what was due; never: none yet */
	int64_t alive_us[AGGREGATE_PERIODS_MAX]; /* starts of the minutes still to be told of, ascending */
	size_t alive_count;
	int64_t noted_us[NOTED_MAX]; /* ring: starts of the minutes noted last, told of or not */
	size_t noted_next;
	int64_t skew_us;             /* whole seconds */
	bool has_reload_failed;
	uint64_t unplaced[AGGREGATE_COUNTER_COUNT]; /* counts that found no memory for their period */
	uint64_t late_samples;
};

/* ---- periods --------------------------------------------------------------------------------- */

static int64_t floor_to(int64_t us, int64_t period_us)
{
	int64_t into = us % period_us;

	return us - (into < 0 ? into + period_us : into);
}

static int64_t closes_us(const struct aggregate *aggregate, int64_t start_us, int64_t length_us)
{
	return start_us + length_us + aggregate->options.grace_us;
}

static int64_t alive_length_us(const struct aggregate *aggregate)
{
	return aggregate->options.period_us > MINUTE_US ? aggregate->options.period_us : MINUTE_US;
}

static void free_period(struct period *period)
{
	while (period->first) {
		struct window *window = period->first;

		period->first = window->next;
		window_free(window);
	}
	free(period);
}

static void close_period(struct aggregate *aggregate, struct period **link);

/* The link to the period of that start, or to the place where it belongs. */
static struct period **find_period(struct aggregate *aggregate, int64_t start_us)
{
	struct period **link = &aggregate->periods;

	while (*link && (*link)->start_us < start_us)
		link = &(*link)->next;
	return link;
}

static struct period *open_period(struct aggregate *aggregate, struct wall at)
{
	int64_t start_us = floor_to(at.us, aggregate->options.period_us);
	struct period **link = find_period(aggregate, start_us);
	struct period *period = *link;

	if (period && period->start_us == start_us)
		return period;
	if (aggregate->period_count == AGGREGATE_PERIODS_MAX) {
		close_period(aggregate, &aggregate->periods);
		return open_period(aggregate, at); /* emitting may have opened it */
	}
	period = calloc(1, sizeof *period);
	if (!period)
		return NULL;
	period->start_us = start_us;
	period->last = &period->first;
	period->is_supplement =
		closes_us(aggregate, start_us, aggregate->options.period_us) <= aggregate->closed_at.us;
	memcpy(period->counters, aggregate->unplaced, sizeof period->counters);
	memset(aggregate->unplaced, 0, sizeof aggregate->unplaced);
	period->next = *link;
	*link = period;
	aggregate->period_count++;
	return period;
}

void aggregate_count(struct aggregate *aggregate, enum aggregate_counter counter, struct wall at,
	uint64_t amount)
{
	struct period *period;

	assert(counter < AGGREGATE_COUNTER_COUNT);
	if (amount == 0)
		return;
	period = open_period(aggregate, at);
	if (period)
		period->counters[counter] += amount;
	else
		aggregate->unplaced[counter] += amount;
}

/* ---- series ---------------------------------------------------------------------------------- */

static void free_series(struct aggregate_series *series)
{
	*series->link = series->next;
	if (series->next)
		series->next->link = series->link;
	for (size_t i = 0; i < series->set_count; i++)
		dimension_set_drop(series->sets[i]);
	free(series);
}

struct aggregate_series *aggregate_series_new(struct aggregate *aggregate,
	struct dimension_set *const *sets, size_t set_count, bool is_tls)
{
	struct aggregate_series *series;

	assert(set_count <= AGGREGATE_SETS_MAX);
	series = calloc(1, sizeof *series + set_count * sizeof *series->sets);
	if (!series)
		return NULL;
	series->aggregate = aggregate;
	series->is_tls = is_tls;
	series->set_count = set_count;
	for (size_t i = 0; i < set_count; i++)
		series->sets[i] = dimension_set_hold(sets[i]);
	series->next = aggregate->series;
	if (series->next)
		series->next->link = &series->next;
	series->link = &aggregate->series;
	aggregate->series = series;
	return series;
}

void aggregate_series_end(struct aggregate_series *series)
{
	series->is_ended = true;
	if (!series->windows)
		free_series(series);
}

/* The series' window in the period; NULL: no memory. */
static struct window *open_window(struct aggregate_series *series, struct period *period)
{
	struct window *window = series->windows;

	while (window && window->start_us != period->start_us)
		window = window->next_of_series;
	if (window)
		return window;
	window = window_new(series, period->start_us);
	if (!window)
		return NULL;
	*period->last = window;
	period->last = &window->next;
	window->next_of_series = series->windows;
	series->windows = window;
	return window;
}

/* Takes the window off its series, which goes with the last one when it has ended. */
static void leave_series(struct window *window)
{
	struct aggregate_series *series = window->series;
	struct window **link = &series->windows;

	while (*link != window)
		link = &(*link)->next_of_series;
	*link = window->next_of_series;
	if (series->is_ended && !series->windows)
		free_series(series);
}

int aggregate_add(struct aggregate_series *series, const struct result *result)
{
	struct aggregate *aggregate = series->aggregate;
	struct period *period;
	struct window *window;
	uint64_t lost;
	int err;

	assert(result->outcome != OUTCOME_NONE);
	if (outcome_is_local(result->outcome)) {
		aggregate_count(aggregate, AGGREGATE_LOCAL_FAULTS, result->scheduled, 1);
		return 0;
	}
	period = open_period(aggregate, result->scheduled);
	window = period ? open_window(series, period) : NULL;
	if (!window) {
		aggregate_count(aggregate, AGGREGATE_SAMPLES_DROPPED, result->scheduled, 1);
		return ERR_NOMEM;
	}
	aggregate->late_samples += period->is_supplement;
	err = window_add(window, result, aggregate->options.metrics, series->is_tls, &lost);
	period->counters[AGGREGATE_SAMPLES_DROPPED] += lost;
	return err;
}

/* ---- closing --------------------------------------------------------------------------------- */

static struct window_emitter emitter_at(const struct aggregate *aggregate, int64_t start_us, int64_t length_us)
{
	return (struct window_emitter){ .emit = aggregate->options.emit,
		.user = aggregate->options.user,
		.timestamp = { start_us + aggregate->skew_us },
		.storage_resolution_s = length_us < MINUTE_US ? 1 : 60 };
}

static void emit_for_agent(const struct aggregate *aggregate, struct window_emitter *emitter,
	enum metric_id id, int64_t value)
{
	for (size_t i = 0; i < 2; i++)
		if (aggregate->options.agent_sets[i])
			window_emit_value(emitter, id, aggregate->options.agent_sets[i], value);
}

/* A count whose datum finds no memory is told with the next period instead. */
static void emit_counters(struct aggregate *aggregate, const struct period *period,
	struct window_emitter *emitter)
{
	static const enum metric_id ids[AGGREGATE_COUNTER_COUNT] = {
		[AGGREGATE_RUNS_MISSED] = METRIC_ID_RUNS_MISSED,
		[AGGREGATE_RUNS_LATE] = METRIC_ID_RUNS_LATE,
		[AGGREGATE_LOCAL_FAULTS] = METRIC_ID_LOCAL_FAULTS,
		[AGGREGATE_SAMPLES_DROPPED] = METRIC_ID_SAMPLES_DROPPED,
	};

	for (size_t i = 0; i < AGGREGATE_COUNTER_COUNT; i++) {
		uint64_t lost = emitter->lost;

		if (period->counters[i] > 0)
			emit_for_agent(aggregate, emitter, ids[i], (int64_t)period->counters[i]);
		if (emitter->lost > lost)
			aggregate->unplaced[i] += period->counters[i];
		emitter->lost = lost;
	}
}

static void close_period(struct aggregate *aggregate, struct period **link)
{
	struct period *period = *link;
	struct window_emitter emitter =
		emitter_at(aggregate, period->start_us, aggregate->options.period_us);

	*link = period->next;
	aggregate->period_count--;
	for (struct window *window = period->first; window; window = window->next) {
		window_emit(window, window->series->sets, window->series->set_count,
			aggregate->options.failure_metrics_always, &emitter);
		leave_series(window);
	}
	emit_counters(aggregate, period, &emitter);
	/* What found no memory now is told with the next period that is opened. */
	aggregate->unplaced[AGGREGATE_SAMPLES_DROPPED] += emitter.lost;
	if (aggregate->options.closed)
		aggregate->options.closed(aggregate->options.user, (struct wall){ period->start_us },
			aggregate->options.period_us);
	free_period(period);
}

/* What lies ahead of the clock was opened before the clock was set back: nothing more will come for
 * it, and waiting for it could take forever. */
static bool is_due(const struct aggregate *aggregate, int64_t start_us, int64_t length_us, struct wall now)
{
	return closes_us(aggregate, start_us, length_us) <= now.us || start_us > now.us + length_us;
}

/* The first due one is looked for anew each time: emitting may have opened another. */
static struct period **find_due(struct aggregate *aggregate, struct wall now)
{
	struct period **link = &aggregate->periods;

	while (*link && !is_due(aggregate, (*link)->start_us, aggregate->options.period_us, now))
		link = &(*link)->next;
	return link;
}

/* ---- heartbeats ------------------------------------------------------------------------------ */

static void emit_alive(struct aggregate *aggregate, size_t index)
{
	struct window_emitter emitter =
		emitter_at(aggregate, aggregate->alive_us[index], alive_length_us(aggregate));

	aggregate->alive_count--;
	memmove(aggregate->alive_us + index, aggregate->alive_us + index + 1,
		(aggregate->alive_count - index) * sizeof *aggregate->alive_us);
	emit_for_agent(aggregate, &emitter, METRIC_ID_HEARTBEAT, 1);
	if (aggregate->skew_us != 0)
		emit_for_agent(aggregate, &emitter, METRIC_ID_CLOCK_SKEW_SECONDS, aggregate->skew_us / US_PER_S);
	if (aggregate->has_reload_failed)
		emit_for_agent(aggregate, &emitter, METRIC_ID_CONFIG_RELOAD_FAILED, 1);
	aggregate->unplaced[AGGREGATE_SAMPLES_DROPPED] += emitter.lost;
}

static bool is_noted(const struct aggregate *aggregate, int64_t start_us)
{
	for (size_t i = 0; i < NOTED_MAX; i++)
		if (aggregate->noted_us[i] == start_us)
			return true;
	return false;
}

/* Notes that the agent is alive in the minute of now. */
static void note_alive(struct aggregate *aggregate, struct wall now)
{
	int64_t start_us = floor_to(now.us, alive_length_us(aggregate));
	size_t place;

	if (is_noted(aggregate, start_us))
		return;
	aggregate->noted_us[aggregate->noted_next] = start_us;
	aggregate->noted_next = (aggregate->noted_next + 1) % NOTED_MAX;
	if (aggregate->alive_count == AGGREGATE_PERIODS_MAX)
		emit_alive(aggregate, 0);
	for (place = aggregate->alive_count; place > 0 && aggregate->alive_us[place - 1] > start_us; place--)
		aggregate->alive_us[place] = aggregate->alive_us[place - 1];
	aggregate->alive_us[place] = start_us;
	aggregate->alive_count++;
}

/* ---- the whole ------------------------------------------------------------------------------- */

struct aggregate *aggregate_new(const struct aggregate_options *options)
{
	struct aggregate *aggregate = calloc(1, sizeof *aggregate);

	if (!aggregate)
		return NULL;
	assert(options->period_us > 0 && options->grace_us >= 0);
	aggregate->options = *options;
	for (size_t i = 0; i < NOTED_MAX; i++)
		aggregate->noted_us[i] = -1;
	for (size_t i = 0; i < 2; i++)
		if (options->agent_sets[i])
			(void)dimension_set_hold(options->agent_sets[i]);
	return aggregate;
}

void aggregate_free(struct aggregate *aggregate)
{
	if (!aggregate)
		return;
	while (aggregate->periods) {
		struct period *period = aggregate->periods;

		aggregate->periods = period->next;
		free_period(period);
	}
	while (aggregate->series)
		free_series(aggregate->series);
	for (size_t i = 0; i < 2; i++)
		dimension_set_drop(aggregate->options.agent_sets[i]);
	free(aggregate);
}

void aggregate_close_due(struct aggregate *aggregate, struct wall now)
{
	struct period **link;

	note_alive(aggregate, now);
	for (size_t left = aggregate->period_count; left > 0; left--) {
		link = find_due(aggregate, now);
		if (!*link)
			break;
		close_period(aggregate, link);
	}
	for (size_t i = 0; i < aggregate->alive_count;)
		if (is_due(aggregate, aggregate->alive_us[i], alive_length_us(aggregate), now))
			emit_alive(aggregate, i);
		else
			i++;
	aggregate->closed_at = now;
}

bool aggregate_next_close(const struct aggregate *aggregate, struct wall *ret_at)
{
	const struct period *period = aggregate->periods;
	int64_t alive_length = alive_length_us(aggregate);
	bool has_one = false;

	while (period && period->is_supplement)
		period = period->next;
	if (period) {
		ret_at->us = closes_us(aggregate, period->start_us, aggregate->options.period_us);
		has_one = true;
	}
	if (aggregate->alive_count > 0) {
		int64_t closes = closes_us(aggregate, aggregate->alive_us[0], alive_length);

		if (!has_one || closes < ret_at->us)
			ret_at->us = closes;
		has_one = true;
	}
	return has_one;
}

void aggregate_note_alive(struct aggregate *aggregate, struct wall at)
{
	note_alive(aggregate, at);
}

void aggregate_close_all(struct aggregate *aggregate, struct wall now)
{
	/* Not until none is left: a sink that drops opens a new one for each that is closed. */
	for (size_t left = aggregate->period_count; left > 0; left--)
		close_period(aggregate, &aggregate->periods);
	while (aggregate->alive_count > 0 && aggregate->alive_us[0] + alive_length_us(aggregate) <= now.us)
		emit_alive(aggregate, 0);
	aggregate->alive_count = 0;
	aggregate->closed_at = now;
}

void aggregate_set_skew(struct aggregate *aggregate, int64_t skew_us)
{
	int64_t half = skew_us < 0 ? -US_PER_S / 2 : US_PER_S / 2;

	aggregate->skew_us = (skew_us + half) / US_PER_S * US_PER_S;
}

void aggregate_set_reload_failed(struct aggregate *aggregate, bool has_failed)
{
	aggregate->has_reload_failed = has_failed;
}

uint64_t aggregate_late_samples(const struct aggregate *aggregate)
{
	return aggregate->late_samples;
}
