/* SPDX-License-Identifier: Apache-2.0 */
/* The cloudwatch sink: batches, retries, the order of old and new, what is dropped, the end. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <inttypes.h>

#include "sink_bench.h"

/* ---- batches --------------------------------------------------------------------------------- */

static void datums_of_one_moment_go_in_one_request(void **state)
{
	struct bench *bench = bench_new();
	struct sink_counters counters;

	(void)state;
	put_values(bench, 0, 300);
	assert_int_equal(bench->request_count, 0); /* never from inside put */
	drain(bench);
	counters = counters_of(bench);
	assert_int_equal(bench->request_count, 1);
	assert_int_equal(counters.requests, 1);
	assert_int_equal(counters.datums_delivered, 300);
	assert_true(counters.taken == 900 && counters.delivered == 900 && counters.in_doubt == 0);
	assert_true(bench->stored == 900);
	assert_int_equal(logged(bench, ""), 0);
	bench_free(bench);
}

static void publishing_waits_for_its_moment(void **state)
{
	struct sink_cloudwatch_options options = bench_options();
	struct bench *bench;
	struct mono from;

	(void)state;
	options.spread_us = 30 * US_PER_MS;
	bench = bench_with(options);
	from = mono_now();
	put_values(bench, 0, 5);
	wait_until(bench, has_requests, 1);
	assert_true(mono_since(bench->requests[0].at, from) >= 30 * US_PER_MS);
	assert_int_equal(bench->requests[0].datums, 5);
	bench_free(bench);
}

static void a_request_holds_a_thousand_datums_at_most(void **state)
{
	struct bench *bench = bench_new();

	(void)state;
	put_values(bench, 0, 2500);
	drain(bench);
	assert_int_equal(bench->request_count, 3);
	assert_int_equal(bench->requests[0].datums, 1000);
	assert_int_equal(bench->requests[1].datums, 1000);
	assert_int_equal(bench->requests[2].datums, 500);
	assert_true(bench->requests[1].first_value == 1000);
	bench_free(bench);
}

static void a_request_holds_less_than_a_megabyte(void **state)
{
	struct bench *bench = bench_new();

	(void)state;
	for (int i = 0; i < 900; i++) {
		struct datum *datum = datum_new("Latency", DATUM_UNIT_MILLISECONDS, bench->set,
			(struct wall){ wall_now().us / US_PER_S * US_PER_S }, 60, DATUM_VALUES_MAX);

		for (size_t k = 0; k < DATUM_VALUES_MAX; k++) {
			datum->values[k] = 1234.001 + (double)k;
			datum->counts[k] = 1;
		}
		sink_put(bench->sink, datum);
	}
	drain(bench); /* the carrier asserts the size of each */
	assert_in_range(bench->request_count, 2, 3);
	assert_true(bench->stored == 900 * DATUM_VALUES_MAX);
	bench_free(bench);
}

/* ---- one failure of each class --------------------------------------------------------------- */

static enum aws_class first_fails(struct bench *bench, const struct bench_request *request)
{
	(void)request;
	return bench->request_count == 1 ? bench->class_ : AWS_CLASS_OK;
}

static void each_class_is_retried_in_its_way(void **state)
{
	static const struct {
		enum aws_class class_;
		int64_t delay_us; /* at least */
		unsigned refreshes;
		double in_doubt;
		unsigned said;
	} rows[] = {
		{ AWS_CLASS_THROTTLED, 5 * US_PER_MS, 0, 0, 1 },
		{ AWS_CLASS_SERVER, US_PER_MS, 0, 0, 1 },
		{ AWS_CLASS_TIMEOUT, US_PER_MS, 0, 0, 1 },
		{ AWS_CLASS_IN_DOUBT, US_PER_MS, 0, 30, 1 },
		{ AWS_CLASS_DENIED, 40 * US_PER_MS, 0, 0, 1 },
		{ AWS_CLASS_EXPIRED, 0, 1, 0, 0 },
		{ AWS_CLASS_SKEWED, 0, 0, 0, 0 },
		{ AWS_CLASS_TLS, US_PER_MS, 0, 0, 1 },
		{ AWS_CLASS_UNREACHABLE, US_PER_MS, 0, 0, 1 },
		{ AWS_CLASS_LOCAL, US_PER_MS, 0, 0, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct bench *bench = bench_new();

		bench->class_ = rows[i].class_;
		bench->with_class = first_fails;
		put_values(bench, 0, 10);
		drain(bench);
		assert_int_equal(bench->request_count, 2);
		assert_true(mono_since(bench->requests[1].at, bench->requests[0].at) >= rows[i].delay_us);
		assert_int_equal(bench->requests[1].datums, 10);
		assert_int_equal(bench->refreshes, rows[i].refreshes);
		assert_true(counters_of(bench).in_doubt == rows[i].in_doubt);
		assert_true(counters_of(bench).delivered == 30);
		assert_int_equal(logged(bench, "event=publish_failed"), rows[i].said);
		assert_int_equal(logged(bench, "event=publish_recovered"), rows[i].said);
		bench_free(bench);
	}
}

static enum aws_class first_two_fail(struct bench *bench, const struct bench_request *request)
{
	(void)request;
	return bench->request_count <= 2 ? bench->class_ : AWS_CLASS_OK;
}

static void at_once_is_only_once(void **state)
{
	static const enum aws_class classes[] = { AWS_CLASS_EXPIRED, AWS_CLASS_SKEWED };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct sink_cloudwatch_options options = bench_options();
		struct bench *bench;

		options.retry_base_us = 20 * US_PER_MS;
		bench = bench_with(options);
		bench->class_ = classes[i];
		bench->with_class = first_two_fail;
		put_values(bench, 0, 1);
		drain(bench);
		assert_int_equal(bench->request_count, 3);
		assert_true(mono_since(bench->requests[2].at, bench->requests[1].at) >= 20 * US_PER_MS);
		assert_int_equal(bench->refreshes, classes[i] == AWS_CLASS_EXPIRED ? 2 : 0);
		bench_free(bench);
	}
}

static void retry_after_is_honoured(void **state)
{
	struct bench *bench = bench_new();

	(void)state;
	bench->class_ = AWS_CLASS_THROTTLED;
	bench->with_class = first_fails;
	bench->retry_after_us = 80 * US_PER_MS; /* twice the longest delay of its own */
	put_values(bench, 0, 1);
	drain(bench);
	assert_true(mono_since(bench->requests[1].at, bench->requests[0].at) >= 80 * US_PER_MS);
	bench_free(bench);
}

static void delays_differ_and_stay_within_their_bounds(void **state)
{
	struct sink_cloudwatch_options options = bench_options();
	struct bench *bench;
	int64_t least = INT64_MAX;
	int64_t most = 0;

	(void)state;
	options.retry_base_us = 2 * US_PER_MS;
	options.retry_max_us = 20 * US_PER_MS;
	bench = bench_with(options);
	bench->class_ = AWS_CLASS_SERVER;
	put_values(bench, 0, 1);
	wait_until(bench, has_requests, 30);
	for (size_t i = 1; i < 30; i++) {
		int64_t gap = mono_since(bench->requests[i].at, bench->requests[i - 1].at);

		assert_true(gap >= 2 * US_PER_MS);
		least = gap < least ? gap : least;
		most = gap > most ? gap : most;
	}
	assert_true(most - least > 3 * US_PER_MS);
	assert_int_equal(logged(bench, "event=publish_failed"), 1); /* said once, not thirty times */
	bench_free(bench);
}

static enum aws_class first_and_third_fail(struct bench *bench, const struct bench_request *request)
{
	(void)request;
	if (bench->request_count > 1)
		bench->retry_after_us = 0;
	return bench->request_count % 2 == 1 && bench->request_count < 4 ? AWS_CLASS_SERVER : AWS_CLASS_OK;
}

static void a_success_makes_delays_short_again(void **state)
{
	struct sink_cloudwatch_options options = bench_options();
	struct bench *bench;

	(void)state;
	options.retry_max_us = 10 * US_PER_S;
	bench = bench_with(options);
	bench->with_class = first_and_third_fail;
	bench->retry_after_us = 200 * US_PER_MS;
	put_values(bench, 0, 1);
	drain(bench);
	assert_int_equal(logged(bench, "retry_in_s=0.2"), 1);
	put_values(bench, 0, 1);
	drain(bench);
	assert_int_equal(bench->request_count, 4);
	assert_int_equal(logged(bench, "retry_in_s=0.0"), 1); /* not up to three times 0.2 */
	bench_free(bench);
}

static void the_missing_permission_is_named_once(void **state)
{
	struct bench *bench = bench_new();

	(void)state;
	bench->class_ = AWS_CLASS_DENIED;
	put_values(bench, 0, 1);
	wait_until(bench, has_requests, 3);
	assert_int_equal(logged(bench, "permission=cloudwatch:PutMetricData"), 1);
	assert_int_equal(logged(bench, "class=denied"), 1);
	bench_free(bench);
}

static void no_memory_to_send_is_tried_again(void **state)
{
	struct bench *bench = bench_new();

	(void)state;
	bench->has_no_memory = true;
	put_values(bench, 0, 10);
	for (int turns = 0; turns < 20; turns++)
		wait_until(bench, waits_for_at_most, 30);
	assert_true(counters_of(bench).waiting == 30);
	bench->has_no_memory = false;
	drain(bench);
	assert_int_equal(bench->request_count, 1);
	bench_free(bench);
}

/* ---- refused content ------------------------------------------------------------------------- */

static void one_bad_datum_among_a_thousand_is_found(void **state)
{
	static const size_t places[] = { 0, 1, 499, 500, 998, 999 };

	(void)state;
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		struct bench *bench = bench_new();

		bench->refuses_bad = true;
		put_values(bench, 1000, places[i]);
		put_values(bench, BAD_VALUE, 1);
		put_values(bench, 3000, 999 - places[i]);
		drain(bench);
		assert_true(counters_of(bench).dropped[SINK_DROP_INVALID] == 3);
		assert_true(counters_of(bench).delivered == 999 * 3);
		assert_true(bench->told_dropped[SINK_DROP_INVALID] == 3);
		assert_in_range(bench->request_count, 11, 21); /* 1 + 2 log2(1000) */
		assert_int_equal(logged(bench, "cause=invalid metric=Latency code=SomeCode why=\"some words\""), 1);
		bench_free(bench);
	}
}

static enum aws_class too_large_above_100(struct bench *bench, const struct bench_request *request)
{
	(void)bench;
	return request->datums > 100 ? AWS_CLASS_TOO_LARGE : AWS_CLASS_OK;
}

static void what_is_too_large_is_halved(void **state)
{
	struct bench *bench = bench_new();

	(void)state;
	bench->with_class = too_large_above_100;
	put_values(bench, 0, 1000);
	drain(bench);
	assert_true(counters_of(bench).delivered == 3000);
	assert_int_equal(bench->request_count, 1 + 2 + 4 + 8 + 16);
	bench_free(bench);
}

static void bad_datums_of_one_metric_are_said_once(void **state)
{
	struct bench *bench = bench_new();

	(void)state;
	bench->refuses_bad = true;
	for (int i = 0; i < 5; i++) {
		put_values(bench, 1000, 100);
		put_values(bench, BAD_VALUE, 1);
	}
	drain(bench);
	assert_true(counters_of(bench).dropped[SINK_DROP_INVALID] == 15);
	assert_true(counters_of(bench).delivered == 1500);
	assert_int_equal(logged(bench, "cause=invalid"), 1);
	bench_free(bench);
}

static void a_request_refused_as_a_whole_does_not_burn_all(void **state)
{
	struct sink_cloudwatch_options options = bench_options();
	struct bench *bench;
	size_t requests;

	(void)state;
	options.retry_max_us = 10 * US_PER_S;
	bench = bench_with(options);
	bench->class_ = AWS_CLASS_INVALID;
	put_values(bench, 0, 1000);
	wait_until(bench, waits_for_at_most, 3000 - 24);
	requests = bench->request_count;
	assert_in_range(requests, 10, 40);
	assert_true(counters_of(bench).waiting == 3000 - 24); /* eight were tried one by one */
	assert_int_equal(logged(bench, "class=invalid"), 1);
	bench_free(bench);
}

static void many_bad_ones_do_not_hold_up_new_data(void **state)
{
	struct sink_cloudwatch_options options = bench_options();
	struct bench *bench;

	(void)state;
	options.backfill_interval_us = 5 * US_PER_S;
	bench = bench_with(options);
	bench->refuses_bad = true;
	for (int i = 0; i < 100; i++) {
		put_values(bench, BAD_VALUE, 1);
		put_values(bench, 1000, 1);
	}
	wait_until(bench, waits_for_at_most, 600 - 24);
	put_values(bench, 7000, 10);
	wait_until(bench, waits_for_at_most, 600 - 24 - 24); /* of bad ones, or delivered */
	assert_true(counters_of(bench).delivered >= 30);
	bench_free(bench);
}

static void what_breaks_a_rule_is_never_sent(void **state)
{
	struct bench *bench = bench_new();
	int64_t now_us = wall_now().us;
	struct datum *datum = make_datum(bench, now_us, 1);

	(void)state;
	datum->values[0] = 1.0 / 0.0;
	sink_put(bench->sink, datum);
	sink_put(bench->sink, make_datum(bench, now_us - 15 * US_PER_DAY, 2));
	sink_put(bench->sink, make_datum(bench, now_us + 3 * 3600 * US_PER_S, 3));
	sink_put(bench->sink, make_datum(bench, now_us - 13 * US_PER_DAY, 4));
	drain(bench);
	assert_int_equal(bench->request_count, 1);
	assert_true(bench->requests[0].first_value == 4);
	assert_true(counters_of(bench).dropped[SINK_DROP_INVALID] == 6);
	assert_true(counters_of(bench).dropped[SINK_DROP_TOO_OLD] == 3);
	assert_true(bench->told_dropped[SINK_DROP_TOO_OLD] == 3);
	bench_free(bench);
}

static void age_is_judged_by_the_clock_of_aws(void **state)
{
	struct bench *bench = bench_new();
	int64_t now_us = wall_now().us;

	(void)state;
	bench->skew_us = 4 * US_PER_DAY;
	sink_put(bench->sink, make_datum(bench, now_us - 13 * US_PER_DAY, 1));
	sink_put(bench->sink, make_datum(bench, now_us + 4 * US_PER_DAY, 2));
	drain(bench);
	assert_true(counters_of(bench).dropped[SINK_DROP_TOO_OLD] == 3);
	assert_true(counters_of(bench).delivered == 3);
	bench_free(bench);
}

/* ---- old and new ----------------------------------------------------------------------------- */

static enum aws_class fails_below_5000(struct bench *bench, const struct bench_request *request)
{
	(void)bench;
	return request->first_value < 5000 ? AWS_CLASS_SERVER : AWS_CLASS_OK;
}

/* A batch that can never be sent becomes backlog, and everything else gets through. */
static void nothing_old_blocks_the_new(void **state)
{
	struct bench *bench = bench_new();

	(void)state;
	bench->with_class = fails_below_5000;
	put_values(bench, 1, 1);
	wait_until(bench, has_requests, 3);
	for (int i = 0; i < 20; i++) {
		double delivered = counters_of(bench).delivered;

		put_values(bench, 5000 + i, 1);
		wait_until(bench, has_delivered, delivered + 3);
	}
	assert_true(counters_of(bench).waiting == 3);
	bench_free(bench);
}

static void a_batch_that_never_goes_lets_the_backlog_pass(void **state)
{
	struct bench *bench = bench_new();

	(void)state;
	bench->class_ = AWS_CLASS_UNREACHABLE;
	put_values(bench, 1, 1000); /* one batch that will never go */
	wait_until(bench, has_replies, 1);
	put_values(bench, 6000, 1000); /* one that waits behind it */
	wait_until(bench, has_replies, (double)bench->request_count + 1);
	put_values(bench, 9000, 1);
	wait_until(bench, has_replies, (double)bench->request_count + 1);
	bench->with_class = fails_below_5000;
	wait_until(bench, waits_for_at_most, 3000);
	assert_true(counters_of(bench).delivered == 3003);
	bench_free(bench);
}

static void after_an_outage_new_data_goes_first_then_the_oldest(void **state)
{
	struct sink_cloudwatch_options options = bench_options();
	struct bench *bench;
	size_t first;

	(void)state;
	options.backfill_interval_us = 60 * US_PER_MS;
	bench = bench_with(options);
	bench->class_ = AWS_CLASS_UNREACHABLE;
	for (int minute = 0; minute < 4; minute++) {
		put_values(bench, 10000 * minute, 1000);
		wait_until(bench, has_replies, (double)bench->request_count + 1);
	}
	bench->class_ = AWS_CLASS_OK;
	first = bench->reply_count;
	drain(bench);
	/* What was live when it came back, then minute by minute from the oldest on, spread out. */
	assert_int_equal(bench->request_count, first + 4);
	assert_true(bench->requests[first].first_value == 30000);
	for (size_t i = 1; i < 4; i++)
		assert_true(bench->requests[first + i].first_value == 10000 * ((double)i - 1));
	for (size_t i = 2; i < 4; i++)
		assert_true(mono_since(bench->requests[first + i].at, bench->requests[first + i - 1].at) >=
			    60 * US_PER_MS);
	assert_int_equal(logged(bench, "event=publish_recovered"), 1);
	bench_free(bench);
}

static void the_oldest_is_dropped_when_the_queue_is_full(void **state)
{
	struct sink_cloudwatch_options options = bench_options();
	struct bench *bench;

	(void)state;
	options.queue_max_datums = 1500;
	options.retry_base_us = options.retry_max_us = 3600 * US_PER_S;
	bench = bench_with(options);
	bench->class_ = AWS_CLASS_UNREACHABLE;
	put_values(bench, 1000, 1000);
	wait_until(bench, has_replies, 1);
	put_values(bench, 2000, 1000);
	put_values(bench, 3000, 1000);
	assert_int_equal(counters_of(bench).datums_waiting, 1500);
	assert_true(counters_of(bench).dropped[SINK_DROP_QUEUE_FULL] == 1500 * 3);
	assert_true(bench->told_dropped[SINK_DROP_QUEUE_FULL] == 1500 * 3);
	assert_int_equal(logged(bench, "cause=queue_full"), 1);
	bench->class_ = AWS_CLASS_OK;
	sink_flush(bench->sink, mono_add(mono_now(), PATIENCE), on_flushed, bench);
	wait_until(bench, is_flushed, 0);
	assert_true(bench->stored == 1500 * 3);
	assert_int_equal(bench->request_count, 3);
	assert_true(bench->requests[1].first_value == 2500); /* the youngest half of it */
	bench_free(bench);
}

static void memory_is_bounded_too(void **state)
{
	struct sink_cloudwatch_options options = bench_options();
	struct bench *bench;

	(void)state;
	options.queue_max_bytes = 100000;
	bench = bench_with(options);
	bench->is_silent = true;
	for (int i = 0; i < 1000; i++)
		sink_put(bench->sink, datum_new("Latency", DATUM_UNIT_MILLISECONDS, bench->set,
					      (struct wall){ wall_now().us }, 60, DATUM_VALUES_MAX));
	assert_in_range(counters_of(bench).bytes_waiting, 90000, 100000);
	assert_in_range(counters_of(bench).datums_waiting, 35, 41);
	bench_free(bench);
}

static void with_all_in_flight_the_newest_is_dropped(void **state)
{
	struct sink_cloudwatch_options options = bench_options();
	struct bench *bench;

	(void)state;
	options.queue_max_datums = 10;
	bench = bench_with(options);
	bench->is_silent = true;
	put_values(bench, 0, 10);
	wait_until(bench, has_requests, 1);
	put_values(bench, 100, 5);
	assert_int_equal(counters_of(bench).datums_waiting, 10);
	assert_true(counters_of(bench).dropped[SINK_DROP_QUEUE_FULL] == 15);
	bench_free(bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(datums_of_one_moment_go_in_one_request),
		cmocka_unit_test(publishing_waits_for_its_moment),
		cmocka_unit_test(a_request_holds_a_thousand_datums_at_most),
		cmocka_unit_test(a_request_holds_less_than_a_megabyte),
		cmocka_unit_test(each_class_is_retried_in_its_way),
		cmocka_unit_test(at_once_is_only_once),
		cmocka_unit_test(retry_after_is_honoured),
		cmocka_unit_test(delays_differ_and_stay_within_their_bounds),
		cmocka_unit_test(a_success_makes_delays_short_again),
		cmocka_unit_test(the_missing_permission_is_named_once),
		cmocka_unit_test(no_memory_to_send_is_tried_again),
		cmocka_unit_test(one_bad_datum_among_a_thousand_is_found),
		cmocka_unit_test(what_is_too_large_is_halved),
		cmocka_unit_test(bad_datums_of_one_metric_are_said_once),
		cmocka_unit_test(a_request_refused_as_a_whole_does_not_burn_all),
		cmocka_unit_test(many_bad_ones_do_not_hold_up_new_data),
		cmocka_unit_test(what_breaks_a_rule_is_never_sent),
		cmocka_unit_test(age_is_judged_by_the_clock_of_aws),
		cmocka_unit_test(nothing_old_blocks_the_new),
		cmocka_unit_test(a_batch_that_never_goes_lets_the_backlog_pass),
		cmocka_unit_test(after_an_outage_new_data_goes_first_then_the_oldest),
		cmocka_unit_test(the_oldest_is_dropped_when_the_queue_is_full),
		cmocka_unit_test(memory_is_bounded_too),
		cmocka_unit_test(with_all_in_flight_the_newest_is_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
