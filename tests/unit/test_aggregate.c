/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <inttypes.h>

#include "aggregate_bench.h"

static void a_sample_belongs_to_the_minute_of_its_scheduled_instant(void **state)
{
	struct bench *bench = bench_new();

	(void)state;
	add_ok(bench, NOON);
	add_ok(bench, NOON + MINUTE - 1);
	add_ok(bench, NOON + MINUTE);
	close_at(bench, NOON + 10 * MINUTE);
	assert_true(samples_of(bench, "Success", NOON) == 2);
	assert_true(samples_of(bench, "Success", NOON + MINUTE) == 1);
	assert_true(samples_of(bench, "Success", -1) == 3);
	bench_free(bench);
}

static void a_period_closes_after_its_grace_and_not_before(void **state)
{
	struct bench *bench = bench_new();
	struct wall at = { 0 };

	(void)state;
	assert_false(aggregate_next_close(bench->aggregate, &at));
	close_at(bench, NOON + 1);
	add_ok(bench, NOON + 5);
	assert_true(aggregate_next_close(bench->aggregate, &at));
	assert_int_equal(at.us, NOON + MINUTE + GRACE);
	close_at(bench, at.us - 1);
	assert_int_equal(bench->count, 0);
	close_at(bench, at.us);
	assert_int_equal(bench->count, 3); /* Success, Latency, Heartbeat */
	assert_string_equal(bench->caught[0]->metric, "Success");
	assert_string_equal(bench->caught[1]->metric, "Latency");
	assert_true(bench->caught[1]->values[0] == 12.345);
	assert_int_equal(bench->caught[0]->storage_resolution_s, 60);
	assert_ptr_equal(bench->caught[0]->dimensions, bench->set);
	bench_free(bench);
}

static void periods_close_in_order(void **state)
{
	struct bench *bench = bench_new();

	(void)state;
	add_ok(bench, NOON + 2 * MINUTE);
	add_ok(bench, NOON);
	add_ok(bench, NOON + MINUTE);
	close_at(bench, NOON + 10 * MINUTE);
	for (int i = 0; i < 3; i++)
		assert_int_equal(bench->caught[2 * i]->timestamp.us, NOON + i * MINUTE);
	bench_free(bench);
}

static void each_set_gets_all_metrics(void **state)
{
	struct bench *bench = bench_new();
	struct dimension_set *sets[2] = { bench->set, bench->agent_set };
	struct aggregate_series *first = bench->series;

	(void)state;
	bench->series = aggregate_series_new(bench->aggregate, sets, 2, false);
	add_ok(bench, NOON);
	close_at(bench, NOON + 2 * MINUTE);
	assert_int_equal(bench->count, 4); /* no Heartbeat: the minute of noon saw no call */
	for (size_t i = 0; i < 4; i++)
		assert_ptr_equal(bench->caught[i]->dimensions, sets[i / 2]);
	aggregate_series_end(first);
	bench_free(bench);
}

static void a_late_sample_goes_out_with_the_next_close(void **state)
{
	struct bench *bench = bench_new();
	struct wall at = { 0 };

	(void)state;
	close_at(bench, NOON);
	add_ok(bench, NOON);
	close_at(bench, NOON + MINUTE + GRACE);
	forget(bench);
	assert_int_equal(aggregate_late_samples(bench->aggregate), 0);
	add_ok(bench, NOON + 1);
	add_ok(bench, NOON + 2);
	assert_int_equal(aggregate_late_samples(bench->aggregate), 2);
	/* It does not make a close of its own. */
	assert_true(aggregate_next_close(bench->aggregate, &at));
	assert_int_equal(at.us, NOON + 2 * MINUTE + GRACE);
	close_at(bench, at.us);
	assert_true(samples_of(bench, "Success", NOON) == 2);
	bench_free(bench);
}

static void failures_and_local_faults_are_kept_apart(void **state)
{
	struct bench *bench = bench_new();

	(void)state;
	add_run(bench, NOON, OUTCOME_CONNECT_REFUSED, 100);
	add_run(bench, NOON + 1, OUTCOME_LOCAL_FAULT, 100);
	add_run(bench, NOON + 2, OUTCOME_LOCAL_CREDENTIALS, -1);
	add_ok(bench, NOON + 3);
	close_at(bench, NOON + 2 * MINUTE);
	assert_true(samples_of(bench, "Success", NOON) == 2);
	assert_true(sum_of(bench, "Success", NOON) == 1);
	assert_true(sum_of(bench, "ConnectFailures", NOON) == 1);
	assert_true(sum_of(bench, "LocalFaults", NOON) == 2);
	assert_true(samples_of(bench, "Latency", NOON) == 1);
	bench_free(bench);
}

static void agent_counters_are_sent_when_not_zero(void **state)
{
	struct bench *bench = bench_new();

	(void)state;
	aggregate_count(bench->aggregate, AGGREGATE_RUNS_MISSED, (struct wall){ NOON }, 5);
	aggregate_count(bench->aggregate, AGGREGATE_RUNS_MISSED, (struct wall){ NOON + 9 }, 2);
	aggregate_count(bench->aggregate, AGGREGATE_RUNS_LATE, (struct wall){ NOON + MINUTE }, 1);
	aggregate_count(bench->aggregate, AGGREGATE_SAMPLES_DROPPED, (struct wall){ NOON }, 0);
	close_at(bench, NOON + 5 * MINUTE);
	assert_int_equal(bench->count, 2);
	assert_true(sum_of(bench, "RunsMissed", NOON) == 7);
	assert_true(sum_of(bench, "RunsLate", NOON + MINUTE) == 1);
	assert_ptr_equal(bench->caught[0]->dimensions, bench->agent_set);
	bench_free(bench);
}

/* ---- the end --------------------------------------------------------------------------------- */

static void at_the_end_partial_windows_go_out(void **state)
{
	struct bench *bench = bench_new();
	struct wall at;

	(void)state;
	close_at(bench, NOON);
	add_ok(bench, NOON + 1);
	add_ok(bench, NOON + 59 * US_PER_S);
	aggregate_count(bench->aggregate, AGGREGATE_RUNS_LATE, (struct wall){ NOON }, 3);
	aggregate_close_all(bench->aggregate, (struct wall){ NOON + MINUTE - 1 });
	assert_true(samples_of(bench, "Success", NOON) == 2);
	assert_true(sum_of(bench, "RunsLate", NOON) == 3);
	assert_false(aggregate_next_close(bench->aggregate, &at));
	bench_free(bench);
}

static void a_series_that_ended_finishes_its_windows(void **state)
{
	struct bench *bench = bench_new();

	(void)state;
	add_ok(bench, NOON);
	add_ok(bench, NOON + MINUTE);
	aggregate_series_end(bench->series);
	assert_int_equal(bench->set->references, 2);
	close_at(bench, NOON + 3 * MINUTE);
	assert_true(samples_of(bench, "Success", -1) == 2);
	forget(bench);
	assert_int_equal(bench->set->references, 1); /* the series is gone */
	bench_free(bench);
}

static void open_windows_can_be_dropped(void **state)
{
	struct bench *bench = bench_new();

	(void)state;
	add_ok(bench, NOON);
	add_ok(bench, NOON + MINUTE);
	bench_free(bench); /* asserts that no reference is left */
	aggregate_free(NULL);
}

static void a_sink_that_drops_does_not_make_it_go_on_for_ever(void **state)
{
	struct bench *bench = bench_new();

	(void)state;
	close_at(bench, NOON);
	add_ok(bench, NOON);
	bench->drops_left = 1000;
	aggregate_close_all(bench->aggregate, (struct wall){ NOON + 5 });
	assert_in_range(bench->count, 2, 10);
	close_at(bench, NOON + 10 * MINUTE);
	assert_in_range(bench->count, 3, 20);
	bench_free(bench);
}

static void too_many_periods_close_early_and_lose_nothing(void **state)
{
	struct bench *bench = bench_with(US_PER_S, METRIC_SUCCESS);
	enum { PERIODS = 3 * AGGREGATE_PERIODS_MAX };

	(void)state;
	for (int i = 0; i < PERIODS; i++)
		add_ok(bench, NOON + i * US_PER_S);
	assert_int_equal(bench->count, PERIODS - AGGREGATE_PERIODS_MAX);
	assert_int_equal(bench->caught[0]->timestamp.us, NOON);
	close_at(bench, NOON + 10 * MINUTE);
	assert_true(samples_of(bench, "Success", -1) == PERIODS);
	bench_free(bench);
}

/* ---- at random ------------------------------------------------------------------------------- */

static uint64_t next_random(uint64_t *seed)
{
	uint64_t mixed = *seed += UINT64_C(0x9e3779b97f4a7c15);

	mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
	return mixed ^ (mixed >> 31);
}

/* What the datums of one random life must add up to. */
struct sums {
	double runs;
	double ok;
	double ok_us;
	double failed;
	double local;
	double missed;
};

static void random_step(struct bench *bench, int64_t *now, uint64_t *seed, struct sums *sums)
{
	static const enum outcome outcomes[] = { OUTCOME_OK, OUTCOME_OK, OUTCOME_DNS_TIMEOUT,
		OUTCOME_TLS_NAME, OUTCOME_HTTP_STATUS, OUTCOME_LOCAL_FAULT };
	uint64_t dice = next_random(seed) % 1000;
	enum outcome outcome = outcomes[next_random(seed) % 6];
	int64_t total_us = (int64_t)(next_random(seed) % 3000000);
	int64_t late_us = (int64_t)(next_random(seed) % (uint64_t)(dice < 20 ? 300 * US_PER_S : 4 * US_PER_S));

	*now += (int64_t)(next_random(seed) % 200000);
	if (dice < 3)
		*now -= (int64_t)(next_random(seed) % (uint64_t)(600 * US_PER_S));
	else if (dice < 6)
		*now += (int64_t)(next_random(seed) % (uint64_t)(600 * US_PER_S));
	if (dice >= 900)
		close_at(bench, *now);
	if (dice >= 990) {
		aggregate_count(bench->aggregate, AGGREGATE_RUNS_MISSED, (struct wall){ *now }, dice);
		sums->missed += (double)dice;
	}
	add_run(bench, *now - late_us, outcome, total_us);
	sums->runs += outcome_is_judged(outcome);
	sums->local += outcome_is_local(outcome);
	sums->ok += outcome == OUTCOME_OK;
	sums->ok_us += outcome == OUTCOME_OK ? (double)total_us : 0;
	sums->failed += outcome_is_judged(outcome) && outcome != OUTCOME_OK;
}

static void nothing_is_lost_and_nothing_added(void **state)
{
	struct bench *bench = bench_new();
	const char *given = getenv("TEST_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)wall_now().us;
	struct sums sums = { 0 };
	int64_t now = NOON;
	double off;

	(void)state;
	print_message("TEST_SEED=%" PRIu64 "\n", seed);
	for (int i = 0; i < 20000; i++)
		random_step(bench, &now, &seed, &sums);
	aggregate_close_all(bench->aggregate, (struct wall){ now });
	assert_true(samples_of(bench, "Success", -1) == sums.runs);
	assert_true(sum_of(bench, "Success", -1) == sums.ok);
	assert_true(samples_of(bench, "Latency", -1) == sums.ok);
	off = sum_of(bench, "Latency", -1) * 1000 - sums.ok_us;
	assert_true(off < 1 && off > -1);
	assert_true(sum_of(bench, "DnsFailures", -1) + sum_of(bench, "TlsFailures", -1) +
			    sum_of(bench, "HealthFailures", -1) == sums.failed);
	assert_true(sum_of(bench, "LocalFaults", -1) == sums.local);
	assert_true(sum_of(bench, "RunsMissed", -1) == sums.missed);
	assert_true(samples_of(bench, "SamplesDropped", -1) == 0);
	bench_free(bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sample_belongs_to_the_minute_of_its_scheduled_instant),
		cmocka_unit_test(a_period_closes_after_its_grace_and_not_before),
		cmocka_unit_test(periods_close_in_order),
		cmocka_unit_test(each_set_gets_all_metrics),
		cmocka_unit_test(a_late_sample_goes_out_with_the_next_close),
		cmocka_unit_test(failures_and_local_faults_are_kept_apart),
		cmocka_unit_test(agent_counters_are_sent_when_not_zero),
		cmocka_unit_test(at_the_end_partial_windows_go_out),
		cmocka_unit_test(a_series_that_ended_finishes_its_windows),
		cmocka_unit_test(open_windows_can_be_dropped),
		cmocka_unit_test(a_sink_that_drops_does_not_make_it_go_on_for_ever),
		cmocka_unit_test(too_many_periods_close_early_and_lose_nothing),
		cmocka_unit_test(nothing_is_lost_and_nothing_added),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
