/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lattice-probe/latency_hour.h"

#define MINUTE_US (60 * US_PER_S)
#define RUNS_MAX 8000

static struct mono at(int64_t us)
{
	return (struct mono){ 1000 * US_PER_DAY + us };
}

static void add(struct latency_hour *hour, int64_t at_us, enum latency_hour_run run, int64_t total_us)
{
	assert_int_equal(latency_hour_add(hour, at(at_us), run, total_us), 0);
}

static struct latency_hour_summary read_at(struct latency_hour *hour, int64_t at_us)
{
	struct latency_hour_summary summary;

	latency_hour_read(hour, at(at_us), &summary);
	return summary;
}

static void an_hour_without_runs_has_no_percentiles(void **state)
{
	struct latency_hour hour;
	struct latency_hour_summary summary;

	(void)state;
	latency_hour_init(&hour, 10 * US_PER_S);
	summary = read_at(&hour, 0);
	assert_int_equal(summary.runs, 0);
	assert_int_equal(summary.p50_us, -1);
	assert_int_equal(summary.p99_us, -1);
	assert_null(hour.codes);
	latency_hour_done(&hour);
}

static void only_timed_successes_make_percentiles(void **state)
{
	struct latency_hour hour;
	struct latency_hour_summary summary;

	(void)state;
	latency_hour_init(&hour, 10 * US_PER_S);
	add(&hour, 0, LATENCY_HOUR_FAILED, 3000000);
	add(&hour, 1, LATENCY_HOUR_UNTIMED, 900000);
	summary = read_at(&hour, 2);
	assert_int_equal(summary.runs, 2);
	assert_int_equal(summary.failed, 1);
	assert_int_equal(summary.p99_us, -1);
	add(&hour, 3, LATENCY_HOUR_TIMED, 1234);
	summary = read_at(&hour, 4);
	assert_int_equal(summary.runs, 3);
	assert_int_equal(summary.p50_us, 1234);
	assert_int_equal(summary.p99_us, 1234);
	latency_hour_done(&hour);
}

static void every_time_is_kept_within_a_two_thousandth(void **state)
{
	(void)state;
	for (int64_t us = 1; us < 400 * US_PER_S; us += us / 97 + 1) {
		struct latency_hour hour;
		int64_t kept;

		latency_hour_init(&hour, US_PER_S);
		add(&hour, 0, LATENCY_HOUR_TIMED, us);
		kept = read_at(&hour, 0).p50_us;
		if (llabs(kept - us) * 2000 > us)
			fail_msg("%lld was kept as %lld", (long long)us, (long long)kept);
		latency_hour_done(&hour);
	}
}

static void times_beyond_all_timeouts_stay_times(void **state)
{
	static const int64_t times[] = { -5, 0, INT64_C(1) << 40, (INT64_C(1) << 41) - 1, INT64_C(1) << 50, INT64_MAX };
	struct latency_hour hour;

	(void)state;
	latency_hour_init(&hour, US_PER_S);
	for (size_t i = 0; i < sizeof times / sizeof *times; i++)
		add(&hour, 0, LATENCY_HOUR_TIMED, times[i]);
	assert_int_equal(read_at(&hour, 0).failed, 0);
	assert_true(read_at(&hour, 0).p99_us > INT64_C(1) << 40);
	latency_hour_done(&hour);
}

static void what_is_older_than_an_hour_is_forgotten(void **state)
{
	struct latency_hour hour;

	(void)state;
	latency_hour_init(&hour, 10 * US_PER_S);
	add(&hour, 0, LATENCY_HOUR_FAILED, 0);
	add(&hour, 7 * MINUTE_US, LATENCY_HOUR_TIMED, 100);
	assert_int_equal(read_at(&hour, 55 * MINUTE_US - 1).runs, 2);
	assert_int_equal(read_at(&hour, 60 * MINUTE_US).runs, 1);
	assert_int_equal(read_at(&hour, 60 * MINUTE_US).failed, 0);
	assert_int_equal(read_at(&hour, 65 * MINUTE_US).runs, 0);
	add(&hour, 900 * MINUTE_US, LATENCY_HOUR_TIMED, 7);
	assert_int_equal(read_at(&hour, 900 * MINUTE_US).p50_us, 7);
	assert_int_equal(read_at(&hour, 5000 * MINUTE_US).runs, 0);
	latency_hour_done(&hour);
}

/* Runs come at most once an interval, but a caller may be wrong. */
static void faster_runs_than_the_interval_push_the_oldest_out(void **state)
{
	struct latency_hour hour;
	struct latency_hour_summary summary;

	(void)state;
	latency_hour_init(&hour, 360 * US_PER_S);
	for (int i = 0; i < 5000; i++)
		add(&hour, i * US_PER_S, LATENCY_HOUR_TIMED, i);
	summary = read_at(&hour, 5000 * US_PER_S);
	assert_int_equal(summary.runs, 11);
	assert_int_equal(hour.capacity, 11);
	assert_int_equal(summary.p50_us / 10, 499);
	latency_hour_done(&hour);
}

static void a_probe_each_ten_seconds_costs_less_than_a_kibibyte(void **state)
{
	struct latency_hour hour;

	(void)state;
	latency_hour_init(&hour, 10 * US_PER_S);
	for (int i = 0; i < 3600; i++)
		add(&hour, i * 10 * US_PER_S, LATENCY_HOUR_TIMED, i);
	assert_true(sizeof hour + hour.capacity * sizeof *hour.codes < 1024);
	print_message("%zu bytes\n", sizeof hour + hour.capacity * sizeof *hour.codes);
	latency_hour_done(&hour);
}

/* ---- against exact percentiles ------------------------------------------------------------- */

struct run {
	int64_t at_us;
	enum latency_hour_run kind;
	int64_t total_us;
};

static int by_time(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a;
	int64_t right = *(const int64_t *)b;

	return (left > right) - (left < right);
}

static void expect_near(int64_t found, const int64_t *sorted, size_t count, size_t percent)
{
	int64_t exact = count ? sorted[(count * percent + 99) / 100 - 1] : -1;

	if (count ? llabs(found - exact) * 2000 > exact : found != -1)
		fail_msg("p%zu of %zu is %lld, not %lld", percent, count, (long long)exact, (long long)found);
}

/* The window begins with the oldest of twelve slices of five minutes. */
static void expect_exact(struct latency_hour *hour, const struct run *runs, size_t count, int64_t now_us)
{
	struct latency_hour_summary summary = read_at(hour, now_us);
	int64_t slice_us = 5 * MINUTE_US;
	int64_t from_us = (at(now_us).us / slice_us - 11) * slice_us - at(0).us;
	static int64_t timed[RUNS_MAX];
	size_t timed_count = 0;
	int seen = 0;
	int failed = 0;

	for (size_t i = 0; i < count; i++) {
		if (runs[i].at_us < from_us)
			continue;
		seen++;
		failed += runs[i].kind == LATENCY_HOUR_FAILED;
		if (runs[i].kind == LATENCY_HOUR_TIMED)
			timed[timed_count++] = runs[i].total_us;
	}
	qsort(timed, timed_count, sizeof *timed, by_time);
	assert_int_equal(summary.runs, seen);
	assert_int_equal(summary.failed, failed);
	expect_near(summary.p50_us, timed, timed_count, 50);
	expect_near(summary.p99_us, timed, timed_count, 99);
}

static struct run random_run(unsigned *seed, int64_t at_us)
{
	int kind = rand_r(seed) % 10;
	int64_t scale = INT64_C(1) << (rand_r(seed) % 28);

	return (struct run){ at_us, kind == 0 ? LATENCY_HOUR_FAILED : kind == 1 ? LATENCY_HOUR_UNTIMED : LATENCY_HOUR_TIMED,
		1 + rand_r(seed) % scale };
}

static void percentiles_are_those_of_the_data(void **state)
{
	static struct run runs[RUNS_MAX];
	unsigned seed = (unsigned)mono_now().us;

	(void)state;
	print_message("seed %u\n", seed);
	for (int round = 0; round < 20; round++) {
		int64_t interval_us = (1 + rand_r(&seed) % 60) * US_PER_S;
		int64_t now_us = rand_r(&seed) % US_PER_DAY;
		struct latency_hour hour;

		latency_hour_init(&hour, interval_us);
		for (size_t i = 0; i < RUNS_MAX; i++) {
			/* Now and then some runs are missed, sometimes for hours. */
			now_us += interval_us * (rand_r(&seed) % 50 ? 1 : 1 + rand_r(&seed) % (i % 7 ? 5 : 2000));
			runs[i] = random_run(&seed, now_us);
			add(&hour, now_us, runs[i].kind, runs[i].total_us);
			if (i % 199 == 0)
				expect_exact(&hour, runs, i + 1, now_us + rand_r(&seed) % (int)interval_us);
		}
		latency_hour_done(&hour);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_hour_without_runs_has_no_percentiles),
		cmocka_unit_test(only_timed_successes_make_percentiles),
		cmocka_unit_test(every_time_is_kept_within_a_two_thousandth),
		cmocka_unit_test(times_beyond_all_timeouts_stay_times),
		cmocka_unit_test(what_is_older_than_an_hour_is_forgotten),
		cmocka_unit_test(faster_runs_than_the_interval_push_the_oldest_out),
		cmocka_unit_test(a_probe_each_ten_seconds_costs_less_than_a_kibibyte),
		cmocka_unit_test(percentiles_are_those_of_the_data),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
