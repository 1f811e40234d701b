/* SPDX-License-Identifier: Apache-2.0 */
/* aggregate_bench: an aggregate of one service with what it emits, for the tests of that room. */
#ifndef LATTICE_PROBE_TESTS_AGGREGATE_BENCH_H
#define LATTICE_PROBE_TESTS_AGGREGATE_BENCH_H

#include <stdlib.h>
#include <string.h>

#include "lattice-probe/aggregate.h"
#include "lattice-probe/metric.h"
#include "lattice-probe/target.h"

#define MINUTE (60 * US_PER_S)
#define GRACE (4 * US_PER_S)
#define NOON (INT64_C(28333334) * MINUTE) /* a whole minute of 2023 */
#define CAUGHT_MAX 20000

/* An aggregate of one service, and all it has emitted. */
struct bench {
	struct aggregate *aggregate;
	struct aggregate_series *series;
	struct target *target;
	struct dimension_set *set;
	struct dimension_set *agent_set;
	struct datum *caught[CAUGHT_MAX];
	size_t count;
	unsigned drops_left; /* emitted datums that a full sink drops, counting each */
	struct wall now;
};

static inline void catch_datum(void *user, struct datum *datum)
{
	struct bench *bench = user;

	assert_true(bench->count < CAUGHT_MAX);
	bench->caught[bench->count++] = datum;
	if (bench->drops_left == 0)
		return;
	bench->drops_left--;
	aggregate_count(bench->aggregate, AGGREGATE_SAMPLES_DROPPED, bench->now, 1);
}

struct bench_options {
	int64_t period_us;
	unsigned metrics;
	bool with_zeros; /* failure_metrics = always */
	bool is_tls;
};

static inline struct bench *bench_make(struct bench_options options)
{
	struct bench *bench = calloc(1, sizeof *bench);

	assert_non_null(bench);
	bench->target = target_new();
	bench->set = dimension_set_new();
	bench->agent_set = dimension_set_new();
	assert_int_equal(dimension_set_add(bench->set, "Service", "checkout"), 0);
	assert_int_equal(dimension_set_add(bench->agent_set, "Fleet", "probes"), 0);
	bench->aggregate = aggregate_new(&(struct aggregate_options){ .period_us = options.period_us,
		.grace_us = GRACE, .metrics = options.metrics, .failure_metrics_always = options.with_zeros,
		.agent_sets = { bench->agent_set }, .emit = catch_datum, .user = bench });
	bench->series = aggregate_series_new(bench->aggregate, &bench->set, 1, options.is_tls);
	return bench;
}

static inline struct bench *bench_with(int64_t period_us, unsigned metrics)
{
	return bench_make((struct bench_options){ .period_us = period_us, .metrics = metrics });
}

static inline struct bench *bench_new(void)
{
	return bench_with(MINUTE, METRIC_SUCCESS | METRIC_LATENCY);
}

static inline void forget(struct bench *bench)
{
	for (size_t i = 0; i < bench->count; i++)
		datum_free(bench->caught[i]);
	bench->count = 0;
}

static inline void bench_free(struct bench *bench)
{
	forget(bench);
	aggregate_free(bench->aggregate);
	assert_int_equal(bench->set->references, 1);
	assert_int_equal(bench->agent_set->references, 1);
	dimension_set_drop(bench->set);
	dimension_set_drop(bench->agent_set);
	target_drop(bench->target);
	free(bench);
}

static inline void close_at(struct bench *bench, int64_t us)
{
	bench->now.us = us;
	aggregate_close_due(bench->aggregate, bench->now);
}

static inline void add_run(struct bench *bench, int64_t scheduled_us, enum outcome outcome, int64_t total_us)
{
	struct result result;

	result_init(&result, bench->target);
	result.outcome = outcome;
	result.scheduled.us = scheduled_us;
	result.total_us = total_us;
	assert_int_equal(aggregate_add(bench->series, &result), 0);
	result_done(&result);
}

static inline void add_ok(struct bench *bench, int64_t scheduled_us)
{
	add_run(bench, scheduled_us, OUTCOME_OK, 12345);
}

/* Samples of a metric in the datums of one timestamp; any timestamp when it is negative. */
static inline double samples_of(const struct bench *bench, const char *metric, int64_t timestamp_us)
{
	double samples = 0;

	for (size_t i = 0; i < bench->count; i++)
		if (strcmp(bench->caught[i]->metric, metric) == 0 &&
		    (timestamp_us < 0 || bench->caught[i]->timestamp.us == timestamp_us))
			samples += datum_sample_count(bench->caught[i]);
	return samples;
}

static inline double sum_of(const struct bench *bench, const char *metric, int64_t timestamp_us)
{
	double sum = 0;

	for (size_t i = 0; i < bench->count; i++)
		if (strcmp(bench->caught[i]->metric, metric) == 0 &&
		    (timestamp_us < 0 || bench->caught[i]->timestamp.us == timestamp_us))
			for (size_t k = 0; k < bench->caught[i]->value_count; k++)
				sum += bench->caught[i]->values[k] * bench->caught[i]->counts[k];
	return sum;
}

#endif
