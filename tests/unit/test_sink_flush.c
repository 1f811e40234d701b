/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a sink, its accounts under faults at random, and the json kind. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <inttypes.h>

#include "sink_bench.h"

/* ---- flush ----------------------------------------------------------------------------------- */

static void a_flush_does_not_wait_for_the_publish_moment(void **state)
{
	struct sink_cloudwatch_options options = bench_options();
	struct bench *bench;

	(void)state;
	options.spread_us = 3600 * US_PER_S;
	bench = bench_with(options);
	put_values(bench, 0, 1500);
	sink_flush(bench->sink, mono_add(mono_now(), PATIENCE), on_flushed, bench);
	assert_false(bench->is_flushed); /* never from inside the call */
	wait_until(bench, is_flushed, 0);
	assert_int_equal(bench->request_count, 2);
	assert_true(counters_of(bench).delivered == 4500);
	assert_true(counters_of(bench).waiting == 0);
	bench_free(bench);
}

static void a_flush_of_nothing_ends_by_itself(void **state)
{
	struct bench *bench = bench_new();

	(void)state;
	sink_flush(bench->sink, mono_add(mono_now(), PATIENCE), on_flushed, bench);
	assert_false(bench->is_flushed);
	wait_until(bench, is_flushed, 0);
	assert_int_equal(bench->request_count, 0);
	bench_free(bench);
}

static void a_flush_sends_the_backlog_without_pauses(void **state)
{
	struct sink_cloudwatch_options options = bench_options();
	struct bench *bench;

	(void)state;
	options.backfill_interval_us = 3600 * US_PER_S;
	bench = bench_with(options);
	bench->class_ = AWS_CLASS_UNREACHABLE;
	for (int i = 0; i < 3; i++) {
		put_values(bench, 1000 * i, 1000);
		wait_until(bench, has_replies, (double)bench->request_count + 1);
	}
	bench->class_ = AWS_CLASS_OK;
	sink_flush(bench->sink, mono_add(mono_now(), PATIENCE), on_flushed, bench);
	wait_until(bench, is_flushed, 0);
	assert_true(counters_of(bench).delivered == 9000);
	bench_free(bench);
}

static void another_pace_holds_for_the_backlog(void **state)
{
	struct sink_cloudwatch_options options = bench_options();
	struct bench *bench;

	(void)state;
	options.backfill_interval_us = 3600 * US_PER_S;
	bench = bench_with(options);
	sink_set_backfill_interval(bench->sink, US_PER_MS);
	bench->class_ = AWS_CLASS_UNREACHABLE;
	for (int i = 0; i < 3; i++) {
		put_values(bench, 1000 * i, 1000);
		wait_until(bench, has_replies, (double)bench->request_count + 1);
	}
	bench->class_ = AWS_CLASS_OK;
	drain(bench);
	bench_free(bench);
}

static void a_flush_ends_at_its_deadline(void **state)
{
	struct bench *bench = bench_new();
	struct mono from = mono_now();

	(void)state;
	bench->is_silent = true;
	put_values(bench, 0, 1500);
	sink_flush(bench->sink, mono_add(from, 50 * US_PER_MS), on_flushed, bench);
	wait_until(bench, is_flushed, 0);
	assert_true(mono_since(mono_now(), from) >= 50 * US_PER_MS);
	assert_int_equal(bench->cancels, 1);
	assert_true(counters_of(bench).waiting == 0);
	assert_true(counters_of(bench).dropped[SINK_DROP_SHUTDOWN] == 4500);
	assert_true(counters_of(bench).in_doubt == 3000); /* the thousand that were under way */
	assert_true(bench->told_dropped[SINK_DROP_SHUTDOWN] == 0);
	assert_int_equal(logged(bench, "cause=shutdown samples=4500"), 1);
	bench_free(bench);
}

static void a_flush_that_cannot_succeed_in_time_ends_early(void **state)
{
	struct sink_cloudwatch_options options = bench_options();
	struct bench *bench;

	(void)state;
	options.retry_max_us = 3600 * US_PER_S;
	bench = bench_with(options);
	bench->class_ = AWS_CLASS_DENIED;
	put_values(bench, 0, 10);
	sink_flush(bench->sink, mono_add(mono_now(), 1800 * US_PER_S), on_flushed, bench);
	wait_until(bench, is_flushed, 0);
	assert_int_equal(bench->request_count, 1);
	assert_true(counters_of(bench).dropped[SINK_DROP_SHUTDOWN] == 30);
	bench_free(bench);
}

static void a_flush_retries_within_its_deadline(void **state)
{
	struct bench *bench = bench_new();

	(void)state;
	bench->class_ = AWS_CLASS_SERVER;
	put_values(bench, 0, 10);
	sink_flush(bench->sink, mono_add(mono_now(), PATIENCE), on_flushed, bench);
	wait_until(bench, has_replies, 4);
	bench->class_ = AWS_CLASS_OK;
	wait_until(bench, is_flushed, 0);
	assert_true(counters_of(bench).delivered == 30);
	bench_free(bench);
}

static void a_long_delay_is_cut_short_by_a_flush(void **state)
{
	struct sink_cloudwatch_options options = bench_options();
	struct bench *bench;

	(void)state;
	options.retry_max_us = 3600 * US_PER_S;
	bench = bench_with(options);
	bench->class_ = AWS_CLASS_DENIED;
	put_values(bench, 0, 10);
	wait_until(bench, has_replies, 1);
	bench->class_ = AWS_CLASS_OK;
	sink_flush(bench->sink, mono_add(mono_now(), PATIENCE), on_flushed, bench);
	wait_until(bench, is_flushed, 0);
	assert_true(counters_of(bench).delivered == 30);
	bench_free(bench);
}

static void what_comes_after_the_flush_is_dropped(void **state)
{
	struct bench *bench = bench_new();

	(void)state;
	sink_flush(bench->sink, mono_add(mono_now(), PATIENCE), on_flushed, bench);
	put_values(bench, 0, 10); /* this still goes along */
	wait_until(bench, is_flushed, 0);
	put_values(bench, 0, 10);
	assert_true(counters_of(bench).delivered == 30);
	assert_true(counters_of(bench).dropped[SINK_DROP_SHUTDOWN] == 30);
	bench_free(bench);
}

static void on_flushed_free(void *user)
{
	struct bench *bench = user;

	sink_free(bench->sink);
	bench->sink = NULL;
}

static bool is_gone(void *user)
{
	const struct bench *bench = user;

	return !bench->sink;
}

static void the_sink_may_go_when_it_is_flushed(void **state)
{
	struct bench *bench = bench_new();

	(void)state;
	put_values(bench, 0, 10);
	sink_flush(bench->sink, mono_add(mono_now(), PATIENCE), on_flushed_free, bench);
	loop_run(bench->loop); /* until nothing is registered any more */
	assert_true(is_gone(bench));
	assert_true(bench->stored == 30);
	bench_free(bench);
}

static void a_sink_can_go_at_any_time(void **state)
{
	struct bench *bench = bench_new();

	(void)state;
	bench->is_silent = true;
	put_values(bench, 0, 10);
	wait_until(bench, has_requests, 1);
	put_values(bench, 0, 10);
	bench_free(bench); /* asserts that no datum is left */
	sink_free(NULL);
}

/* ---- at random ------------------------------------------------------------------------------- */

static uint64_t next_random(uint64_t *seed)
{
	uint64_t mixed = *seed += UINT64_C(0x9e3779b97f4a7c15);

	mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
	return mixed ^ (mixed >> 31);
}

static enum aws_class at_random(struct bench *bench, const struct bench_request *request)
{
	uint64_t dice = next_random(&bench->seed) % 40;

	if (request->has_bad)
		return AWS_CLASS_INVALID;
	if (dice > AWS_CLASS_LOCAL || dice == AWS_CLASS_INVALID)
		return AWS_CLASS_OK;
	return (enum aws_class)dice;
}

/* The carrier and the wait check the accounts after every step. */
static void faults_at_random_lose_nothing_silently(void **state)
{
	const char *given = getenv("TEST_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)wall_now().us;
	struct sink_cloudwatch_options options = bench_options();
	struct bench *bench;
	struct sink_counters counters;

	(void)state;
	print_message("TEST_SEED=%" PRIu64 "\n", seed);
	options.random_seed = seed;
	options.queue_max_datums = 3000;
	options.retry_max_us = 3 * US_PER_MS;
	options.backfill_interval_us = US_PER_MS;
	bench = bench_with(options);
	bench->seed = seed;
	bench->with_class = at_random;
	for (int step = 0; step < 60; step++) {
		uint64_t dice = next_random(&seed);

		put_values(bench, 1000, dice % 1500);
		if (dice % 3 == 0)
			put_values(bench, BAD_VALUE, 1);
		if (dice % 50 == 0)
			put_values(bench, BAD_VALUE, 20);
		if (dice % 11 == 0)
			sink_put(bench->sink, make_datum(bench, wall_now().us - 20 * US_PER_DAY, 1));
		wait_until(bench, waits_for_at_most, (double)(dice >> 32) / 0x1p32 * 9000);
	}
	sink_flush(bench->sink, mono_add(mono_now(), PATIENCE), on_flushed, bench);
	wait_until(bench, is_flushed, 0);
	counters = counters_of(bench);
	assert_true(counters.waiting == 0);
	assert_true(counters.delivered > 0 && counters.dropped[SINK_DROP_INVALID] > 0);
	for (int cause = 0; cause < SINK_DROP_COUNT; cause++)
		assert_true(cause == SINK_DROP_SHUTDOWN || bench->told_dropped[cause] == counters.dropped[cause]);
	bench_free(bench);
}

/* ---- json ------------------------------------------------------------------------------------ */

static void on_json_flushed(void *user)
{
	*(bool *)user = true;
}

static void json_prints_a_line_for_each_datum(void **state)
{
	FILE *stream = tmpfile();
	struct sink *sink = sink_json_new(stream, "LatticeProbe");
	struct bench bench = { .set = dimension_set_new() };
	struct sink_counters counters;
	bool is_done = false;
	char line[4096];
	int lines = 0;

	(void)state;
	for (int i = 0; i < 3; i++)
		sink_put(sink, make_datum(&bench, 60 * US_PER_S, i));
	sink_flush(sink, mono_now(), on_json_flushed, &is_done);
	assert_true(is_done);
	sink_read_counters(sink, &counters);
	assert_true(counters.taken == 9 && counters.delivered == 9 && counters.waiting == 0);
	sink_free(sink);
	rewind(stream);
	while (fgets(line, sizeof line, stream)) {
		json_t *root = json_loads(line, 0, NULL);

		assert_string_equal(json_string_value(json_object_get(root, "Namespace")), "LatticeProbe");
		assert_int_equal(json_array_size(json_object_get(root, "MetricData")), 1);
		json_decref(root);
		lines++;
	}
	assert_int_equal(lines, 3);
	(void)fclose(stream);
	dimension_set_drop(bench.set);
}

static void json_counts_what_the_stream_refuses(void **state)
{
	FILE *stream = fopen("/dev/full", "w");
	struct sink *sink = sink_json_new(stream, "LatticeProbe");
	struct bench bench = { .set = dimension_set_new(), .log = tmpfile() };
	struct sink_counters counters;

	(void)state;
	log_start(fileno(bench.log), LOG_LEVEL_INFO);
	sink_put(sink, make_datum(&bench, 60 * US_PER_S, 1));
	sink_put(sink, make_datum(&bench, 60 * US_PER_S, 2));
	sink_read_counters(sink, &counters);
	assert_true(counters.taken == 6 && counters.delivered == 0 && counters.dropped[SINK_DROP_WRITE] == 6);
	assert_int_equal(logged(&bench, "cause=write"), 1);
	sink_free(sink);
	(void)fclose(stream);
	(void)fclose(bench.log);
	log_start(2, LOG_LEVEL_INFO);
	dimension_set_drop(bench.set);
}

static void causes_have_names(void **state)
{
	static const char *const names[] = { "queue_full", "invalid", "too_old", "shutdown", "write", "store" };

	(void)state;
	for (int cause = 0; cause < SINK_DROP_COUNT; cause++)
		assert_string_equal(sink_drop_name((enum sink_drop)cause), names[cause]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flush_does_not_wait_for_the_publish_moment),
		cmocka_unit_test(a_flush_of_nothing_ends_by_itself),
		cmocka_unit_test(a_flush_sends_the_backlog_without_pauses),
		cmocka_unit_test(another_pace_holds_for_the_backlog),
		cmocka_unit_test(a_flush_ends_at_its_deadline),
		cmocka_unit_test(a_flush_that_cannot_succeed_in_time_ends_early),
		cmocka_unit_test(a_flush_retries_within_its_deadline),
		cmocka_unit_test(a_long_delay_is_cut_short_by_a_flush),
		cmocka_unit_test(what_comes_after_the_flush_is_dropped),
		cmocka_unit_test(the_sink_may_go_when_it_is_flushed),
		cmocka_unit_test(a_sink_can_go_at_any_time),
		cmocka_unit_test(faults_at_random_lose_nothing_silently),
		cmocka_unit_test(json_prints_a_line_for_each_datum),
		cmocka_unit_test(json_counts_what_the_stream_refuses),
		cmocka_unit_test(causes_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
