/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "aggregate_bench.h"

/* ---- heartbeats ------------------------------------------------------------------------------ */

/* Calls close_due whenever it asks for it, from `from` until `to`. */
static void live(struct bench *bench, int64_t from, int64_t to)
{
	struct wall at = { 0 };

	close_at(bench, from);
	while (aggregate_next_close(bench->aggregate, &at) && at.us <= to)
		close_at(bench, at.us);
}

static void an_idle_agent_beats_once_a_minute(void **state)
{
	struct bench *bench = bench_new();

	(void)state;
	live(bench, NOON + 30 * US_PER_S, NOON + 10 * MINUTE + GRACE);
	assert_int_equal(bench->count, 10);
	for (int i = 0; i < 10; i++) {
		assert_string_equal(bench->caught[i]->metric, "Heartbeat");
		assert_int_equal(bench->caught[i]->timestamp.us, NOON + i * MINUTE);
		assert_true(bench->caught[i]->values[0] == 1);
	}
	bench_free(bench);
}

static void short_periods_still_beat_once_a_minute(void **state)
{
	struct bench *bench = bench_with(10 * US_PER_S, METRIC_SUCCESS);

	(void)state;
	close_at(bench, NOON);
	for (int64_t us = 0; us < 3 * MINUTE; us += 10 * US_PER_S) {
		add_ok(bench, NOON + us);
		live(bench, NOON + us, NOON + us + 10 * US_PER_S - 1);
	}
	close_at(bench, NOON + 3 * MINUTE + GRACE);
	assert_true(samples_of(bench, "Heartbeat", -1) == 3);
	assert_true(samples_of(bench, "Heartbeat", NOON + MINUTE) == 1);
	assert_true(samples_of(bench, "Success", -1) == 18);
	assert_true(samples_of(bench, "Success", NOON + 20 * US_PER_S) == 1);
	for (size_t i = 0; i < bench->count; i++)
		assert_int_equal(bench->caught[i]->storage_resolution_s,
			strcmp(bench->caught[i]->metric, "Heartbeat") == 0 ? 60 : 1);
	bench_free(bench);
}

static void long_periods_beat_once_each(void **state)
{
	struct bench *bench = bench_with(5 * MINUTE, METRIC_SUCCESS);
	int64_t start = NOON / (5 * MINUTE) * 5 * MINUTE;

	(void)state;
	live(bench, start + 1, start + 15 * MINUTE + GRACE);
	assert_int_equal(bench->count, 3);
	assert_int_equal(bench->caught[1]->timestamp.us, start + 5 * MINUTE);
	bench_free(bench);
}

static void a_suspended_agent_does_not_beat(void **state)
{
	struct bench *bench = bench_new();

	(void)state;
	close_at(bench, NOON);
	close_at(bench, NOON + 60 * MINUTE); /* asleep in between */
	close_at(bench, NOON + 62 * MINUTE);
	assert_true(samples_of(bench, "Heartbeat", -1) == 2);
	assert_true(samples_of(bench, "Heartbeat", NOON) == 1);
	assert_true(samples_of(bench, "Heartbeat", NOON + 60 * MINUTE) == 1);
	bench_free(bench);
}

static void a_restart_within_a_minute_beats_once(void **state)
{
	struct bench *before = bench_new();
	struct bench *after = bench_new();

	(void)state;
	live(before, NOON, NOON + 2 * MINUTE + 20 * US_PER_S);
	aggregate_close_all(before->aggregate, (struct wall){ NOON + 2 * MINUTE + 20 * US_PER_S });
	live(after, NOON + 2 * MINUTE + 25 * US_PER_S, NOON + 4 * MINUTE + GRACE);
	for (int i = 0; i < 4; i++)
		assert_true(samples_of(before, "Heartbeat", NOON + i * MINUTE) +
				    samples_of(after, "Heartbeat", NOON + i * MINUTE) == 1);
	bench_free(before);
	bench_free(after);
}

static void a_minute_in_its_grace_beats_at_the_end(void **state)
{
	struct bench *bench = bench_new();

	(void)state;
	close_at(bench, NOON);
	aggregate_close_all(bench->aggregate, (struct wall){ NOON + MINUTE + 1 });
	assert_true(samples_of(bench, "Heartbeat", NOON) == 1);
	bench_free(bench);
}

/* ---- clocks ---------------------------------------------------------------------------------- */

static void a_step_back_reopens_nothing(void **state)
{
	struct bench *bench = bench_new();

	(void)state;
	close_at(bench, NOON);
	add_ok(bench, NOON);
	close_at(bench, NOON + 2 * MINUTE);
	assert_true(samples_of(bench, "Success", NOON) == 1);
	forget(bench);
	/* Ten minutes back, and on: noon is lived again, with samples of its own. */
	for (int i = -8; i < 4; i++) {
		live(bench, NOON + i * MINUTE, NOON + (i + 1) * MINUTE - 1);
		add_ok(bench, NOON + i * MINUTE + 1);
	}
	close_at(bench, NOON + 4 * MINUTE + GRACE);
	for (int i = -8; i < 4; i++) {
		assert_true(samples_of(bench, "Success", NOON + i * MINUTE) == 1);
		assert_true(samples_of(bench, "Heartbeat", NOON + i * MINUTE) == (i != 0));
	}
	assert_int_equal(aggregate_late_samples(bench->aggregate), 0);
	bench_free(bench);
}

static void a_period_ahead_of_the_clock_does_not_wait_for_it(void **state)
{
	struct bench *bench = bench_new();
	int64_t year = 365 * US_PER_DAY;

	(void)state;
	close_at(bench, NOON + year); /* the clock was a year ahead */
	add_ok(bench, NOON + year);
	close_at(bench, NOON);
	assert_true(samples_of(bench, "Success", NOON + year) == 1);
	/* And the heartbeat goes on. */
	close_at(bench, NOON + MINUTE + GRACE);
	assert_true(samples_of(bench, "Heartbeat", NOON) == 1);
	assert_true(samples_of(bench, "Heartbeat", NOON + year) == 1);
	assert_true(samples_of(bench, "Heartbeat", -1) == 2);
	bench_free(bench);
}

static void skew_moves_timestamps_and_is_published(void **state)
{
	struct bench *bench = bench_new();

	(void)state;
	aggregate_set_skew(bench->aggregate, -90 * US_PER_S - 600 * US_PER_MS);
	close_at(bench, NOON);
	add_ok(bench, NOON);
	close_at(bench, NOON + 2 * MINUTE);
	assert_true(samples_of(bench, "Success", NOON - 91 * US_PER_S) == 1);
	assert_true(sum_of(bench, "ClockSkewSeconds", NOON - 91 * US_PER_S) == -91);
	aggregate_set_skew(bench->aggregate, 0);
	forget(bench);
	close_at(bench, NOON + 4 * MINUTE);
	assert_true(samples_of(bench, "Heartbeat", NOON + 2 * MINUTE) == 1);
	assert_true(samples_of(bench, "ClockSkewSeconds", -1) == 0);
	bench_free(bench);
}

static void a_refused_configuration_is_told_beside_each_heartbeat(void **state)
{
	struct bench *bench = bench_new();

	(void)state;
	close_at(bench, NOON);
	close_at(bench, NOON + 2 * MINUTE);
	assert_true(samples_of(bench, "ConfigReloadFailed", -1) == 0);
	aggregate_set_reload_failed(bench->aggregate, true);
	forget(bench);
	live(bench, NOON + 3 * MINUTE, NOON + 6 * MINUTE + GRACE);
	for (int i = 3; i < 6; i++) {
		assert_true(samples_of(bench, "ConfigReloadFailed", NOON + i * MINUTE) == 1);
		assert_true(sum_of(bench, "ConfigReloadFailed", NOON + i * MINUTE) == 1);
	}
	aggregate_set_reload_failed(bench->aggregate, false);
	forget(bench);
	close_at(bench, NOON + 9 * MINUTE);
	assert_true(samples_of(bench, "Heartbeat", -1) > 0);
	assert_true(samples_of(bench, "ConfigReloadFailed", -1) == 0);
	bench_free(bench);
}

/* Killed within the grace of a minute's end, started again in the next. */
static void a_minute_that_a_kill_kept_from_closing_beats_once(void **state)
{
	struct bench *bench = bench_new();

	(void)state;
	close_at(bench, NOON + MINUTE + 5 * US_PER_S);
	for (int i = 0; i < 3; i++) { /* as often as there are samples of it */
		aggregate_note_alive(bench->aggregate, (struct wall){ NOON + 50 * US_PER_S + i });
		add_ok(bench, NOON + 50 * US_PER_S + i);
	}
	live(bench, NOON + MINUTE + 6 * US_PER_S, NOON + 3 * MINUTE + GRACE);
	for (int minute = 0; minute < 3; minute++)
		assert_true(samples_of(bench, "Heartbeat", NOON + minute * MINUTE) == 1);
	assert_true(samples_of(bench, "Success", NOON) == 3);
	bench_free(bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_idle_agent_beats_once_a_minute),
		cmocka_unit_test(short_periods_still_beat_once_a_minute),
		cmocka_unit_test(long_periods_beat_once_each),
		cmocka_unit_test(a_suspended_agent_does_not_beat),
		cmocka_unit_test(a_restart_within_a_minute_beats_once),
		cmocka_unit_test(a_minute_that_a_kill_kept_from_closing_beats_once),
		cmocka_unit_test(a_minute_in_its_grace_beats_at_the_end),
		cmocka_unit_test(a_step_back_reopens_nothing),
		cmocka_unit_test(a_period_ahead_of_the_clock_does_not_wait_for_it),
		cmocka_unit_test(skew_moves_timestamps_and_is_published),
		cmocka_unit_test(a_refused_configuration_is_told_beside_each_heartbeat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
