/* SPDX-License-Identifier: Apache-2.0 */
/* What the watchdog asks of a sink: an outage is borne, a publisher that no longer moves is not. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "sink_bench.h"

#define HOUR_US (3600 * US_PER_S)

static bool is_stuck_in(const struct bench *bench, int64_t us)
{
	return sink_is_stuck(bench->sink, mono_add(mono_now(), us));
}

static void a_request_that_never_ends_is_stuck(void **state)
{
	struct bench *bench = bench_new();

	(void)state;
	bench->is_silent = true;
	put_values(bench, 0, 3);
	wait_until(bench, has_requests, 1);
	assert_false(is_stuck_in(bench, 0));
	assert_false(is_stuck_in(bench, 100 * US_PER_S));
	assert_true(is_stuck_in(bench, HOUR_US));
	bench_free(bench);
}

static void nothing_to_send_is_not_stuck(void **state)
{
	struct bench *bench = bench_new();

	(void)state;
	assert_false(is_stuck_in(bench, HOUR_US));
	put_values(bench, 0, 3);
	assert_false(is_stuck_in(bench, HOUR_US)); /* the publish moment is planned */
	drain(bench);
	assert_false(is_stuck_in(bench, HOUR_US));
	bench_free(bench);
}

/* Each kind of outage, looked at after each of its replies: whatever waits has its next attempt. */
static void an_outage_is_not_stuck(void **state)
{
	static const enum aws_class classes[] = { AWS_CLASS_UNREACHABLE, AWS_CLASS_THROTTLED, AWS_CLASS_SERVER,
		AWS_CLASS_DENIED, AWS_CLASS_EXPIRED, AWS_CLASS_IN_DOUBT, AWS_CLASS_INVALID };

	(void)state;
	for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
		struct bench *bench = bench_new();

		bench->class_ = classes[i];
		for (int round = 1; round <= 20; round++) {
			put_values(bench, 0, 5);
			wait_until(bench, has_replies, round);
			assert_false(is_stuck_in(bench, bench->reply_count == bench->request_count ? HOUR_US : 0));
		}
		bench_free(bench);
	}
}

static void no_memory_for_a_request_is_tried_again(void **state)
{
	struct bench *bench = bench_new();

	(void)state;
	bench->has_no_memory = true;
	put_values(bench, 0, 3);
	while (logged(bench, "NoMemory") == 0)
		wait_until(bench, has_requests, 0);
	assert_false(is_stuck_in(bench, HOUR_US));
	bench->has_no_memory = false;
	drain(bench);
	bench_free(bench);
}

static void a_flush_has_its_own_deadline(void **state)
{
	struct bench *bench = bench_new();

	(void)state;
	bench->is_silent = true;
	put_values(bench, 0, 3);
	wait_until(bench, has_requests, 1);
	sink_flush(bench->sink, mono_add(mono_now(), 10 * US_PER_MS), on_flushed, bench);
	assert_false(is_stuck_in(bench, HOUR_US));
	wait_until(bench, is_flushed, 0);
	assert_false(is_stuck_in(bench, HOUR_US));
	bench_free(bench);
}

static void the_json_kind_is_never_stuck(void **state)
{
	struct sink *sink = sink_json_new(stderr, "LatticeProbe");

	(void)state;
	assert_false(sink_is_stuck(sink, mono_add(mono_now(), HOUR_US)));
	sink_free(sink);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_that_never_ends_is_stuck),
		cmocka_unit_test(nothing_to_send_is_not_stuck),
		cmocka_unit_test(an_outage_is_not_stuck),
		cmocka_unit_test(no_memory_for_a_request_is_tried_again),
		cmocka_unit_test(a_flush_has_its_own_deadline),
		cmocka_unit_test(the_json_kind_is_never_stuck),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
