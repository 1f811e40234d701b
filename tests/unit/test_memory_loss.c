/* SPDX-License-Identifier: Apache-2.0 */
/* A sample may be lost for want of memory, but never silently: each allocation on the way from a
 * result to CloudWatch fails once, and the accounts still balance. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "alloc_fault.h"
#include "sink_bench.h"

#include "lattice-probe/aggregate.h"
#include "lattice-probe/metric.h"
#include "lattice-probe/target.h"

#define NOON (INT64_C(28333334) * 60 * US_PER_S)
#define RUNS 40

/* ---- aggregate ------------------------------------------------------------------------------- */

struct sums {
	double success;
	double dropped;
	double missed;
};

static void sum_up(void *user, struct datum *datum)
{
	struct sums *sums = user;

	for (size_t i = 0; i < datum->value_count; i++) {
		if (strcmp(datum->metric, "Success") == 0)
			sums->success += datum->counts[i];
		if (strcmp(datum->metric, "SamplesDropped") == 0)
			sums->dropped += datum->values[i] * datum->counts[i];
		if (strcmp(datum->metric, "RunsMissed") == 0)
			sums->missed += datum->values[i] * datum->counts[i];
	}
	datum_free(datum);
}

/* RUNS runs over several minutes, closed as they go, while the nth allocation fails. */
static enum alloc_fault aggregate_with_fault(uint64_t nth, struct sums *sums)
{
	struct dimension_set *set = dimension_set_new();
	struct target *target = target_new();
	struct aggregate *aggregate = aggregate_new(&(struct aggregate_options){ .period_us = 60 * US_PER_S,
		.metrics = METRIC_SUCCESS, .agent_sets = { set }, .emit = sum_up, .user = sums });
	struct aggregate_series *series = aggregate_series_new(aggregate, &set, 1, false);
	enum alloc_fault fault;
	struct result result;

	result_init(&result, target);
	alloc_fault_arm(nth, ALLOC_FAULT_OURS);
	for (int i = 0; i < RUNS; i++) {
		result.outcome = i % 3 ? OUTCOME_OK : OUTCOME_HTTP_STATUS;
		result.scheduled.us = NOON + i * 7 * US_PER_S;
		(void)aggregate_add(series, &result);
		aggregate_close_due(aggregate, result.scheduled);
	}
	aggregate_close_all(aggregate, result.scheduled);
	fault = alloc_fault_disarm();
	/* What could not be told yet is told with the next period. */
	aggregate_count(aggregate, AGGREGATE_RUNS_LATE, result.scheduled, 1);
	aggregate_close_all(aggregate, result.scheduled);
	result_done(&result);
	aggregate_free(aggregate);
	target_drop(target);
	dimension_set_drop(set);
	return fault;
}

/* The one sample too many is a Heartbeat's. */
static void the_aggregate_counts_what_it_lost(void **state)
{
	enum alloc_fault fault;
	uint64_t nth = 0;

	(void)state;
	do {
		struct sums sums = { 0 };

		fault = aggregate_with_fault(++nth, &sums);
		assert_true(sums.success + sums.dropped >= RUNS);
		assert_true(sums.success + sums.dropped <= RUNS + 1);
		assert_true(fault == ALLOC_FAULT_NONE || sums.dropped > 0 || sums.success == RUNS);
	} while (fault != ALLOC_FAULT_NONE);
	assert_true(nth > 20);
}

static void a_count_that_found_no_memory_is_told_later(void **state)
{
	enum alloc_fault fault;
	uint64_t nth = 0;

	(void)state;
	do {
		struct sums sums = { 0 };
		struct dimension_set *set = dimension_set_new();
		struct aggregate *aggregate = aggregate_new(&(struct aggregate_options){
			.period_us = 60 * US_PER_S, .agent_sets = { set }, .emit = sum_up, .user = &sums });

		alloc_fault_arm(++nth, ALLOC_FAULT_OURS);
		aggregate_count(aggregate, AGGREGATE_RUNS_MISSED, (struct wall){ NOON }, 7);
		aggregate_close_all(aggregate, (struct wall){ NOON });
		fault = alloc_fault_disarm();
		aggregate_count(aggregate, AGGREGATE_RUNS_MISSED, (struct wall){ NOON }, 1);
		aggregate_close_all(aggregate, (struct wall){ NOON });
		assert_true(sums.missed == 8 && sums.dropped == 0);
		aggregate_free(aggregate);
		dimension_set_drop(set);
	} while (fault != ALLOC_FAULT_NONE);
	assert_int_equal(nth, 4); /* the period, the datum, its values */
}

/* ---- sink ------------------------------------------------------------------------------------ */

static void the_sink_delivers_in_the_end(void **state)
{
	enum alloc_fault fault;
	uint64_t nth = 0;

	(void)state;
	do {
		struct bench *bench = bench_new();

		bench->refuses_bad = true;
		put_values(bench, 1000, 20);
		put_values(bench, BAD_VALUE, 1);
		put_values(bench, 3000, 20);
		alloc_fault_arm(++nth, ALLOC_FAULT_OURS);
		drain(bench);
		fault = alloc_fault_disarm();
		assert_true(counters_of(bench).delivered == 120);
		assert_true(counters_of(bench).dropped[SINK_DROP_INVALID] == 3);
		bench_free(bench);
	} while (fault != ALLOC_FAULT_NONE);
	assert_true(nth > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_aggregate_counts_what_it_lost),
		cmocka_unit_test(a_count_that_found_no_memory_is_told_later),
		cmocka_unit_test(the_sink_delivers_in_the_end),
	};

	alloc_fault_start();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
