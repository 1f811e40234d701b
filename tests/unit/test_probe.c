/* SPDX-License-Identifier: Apache-2.0 */
/* One run, from the name to the addresses, and whatever may come between. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include <curl/curl.h>

#include "probe_fixture.h"

#include "lattice-probe/http.h"
#include "lattice-probe/loop.h"
#include "lattice-probe/probe.h"
#include "lattice-probe/resolver.h"
#include "lattice-probe/result.h"
#include "lattice-probe/target.h"

/* ---- one address -------------------------------------------------------------------------- */

static void a_literal_address_needs_no_resolver(void **state)
{
	(void)state;
	probe_fixture_start("http://127.0.0.1:8080/x");
	assert_int_equal(probe_fixture.question_count, 0);
	assert_string_equal(probe_fixture_last_transfer()->address, "127.0.0.1:8080");
	probe_fixture_reply(200, NULL);
	assert_int_equal(probe_fixture.result.outcome, OUTCOME_OK);
	probe_fixture_assert_phases(PHASE_NONE, PROBE_FIXTURE_STEP_US, PHASE_NONE, PROBE_FIXTURE_STEP_US, PROBE_FIXTURE_STEP_US, 3 * PROBE_FIXTURE_STEP_US);
	assert_int_equal(probe_fixture.result.question_count, 0);
	assert_int_equal(probe_fixture.result.failed_us, PHASE_NONE);
}

static void a_name_is_asked_for_in_both_families_and_the_preferred_one_suffices(void **state)
{
	(void)state;
	probe_fixture_start("https://one.test/");
	assert_int_equal(probe_fixture.question_count, 2);
	probe_fixture_answer("one.test", DNS_TYPE_A, "127.0.0.1");
	assert_int_equal(probe_fixture.transfer_count, 1);
	assert_string_equal(probe_fixture_last_transfer()->address, "127.0.0.1:443");
	probe_fixture_reply(200, NULL);
	assert_int_equal(probe_fixture.result.outcome, OUTCOME_OK);
	probe_fixture_assert_phases(PROBE_FIXTURE_DNS_US, PROBE_FIXTURE_STEP_US, PROBE_FIXTURE_STEP_US, PROBE_FIXTURE_STEP_US, PROBE_FIXTURE_STEP_US, PROBE_FIXTURE_DNS_US + 4 * PROBE_FIXTURE_STEP_US);
	assert_int_equal(probe_fixture.result.question_count, 1);
	assert_int_equal(probe_fixture.result.family, 4);
	assert_int_equal(probe_fixture.result.ttl_s, 30);
	assert_int_equal(probe_fixture.result.tcp_retransmits, 1);
	assert_int_equal(probe_fixture.finished_count, 1);
}

static void the_second_answer_is_kept_when_it_came_in_time(void **state)
{
	(void)state;
	probe_fixture_start("http://one.test/");
	probe_fixture_answer_failure("one.test", DNS_TYPE_AAAA, OUTCOME_DNS_NODATA);
	assert_int_equal(probe_fixture.transfer_count, 0);
	probe_fixture_answer("one.test", DNS_TYPE_A, "127.0.0.1");
	probe_fixture_reply(200, NULL);
	assert_int_equal(probe_fixture.result.outcome, OUTCOME_OK);
	assert_int_equal(probe_fixture.result.question_count, 2);
	assert_int_equal(probe_fixture.result.questions[0].type, DNS_TYPE_A);
	assert_int_equal(probe_fixture.result.questions[1].outcome, OUTCOME_DNS_NODATA);
}

static void a_usable_family_suffices(void **state)
{
	(void)state;
	probe_fixture_start("http://six.test/");
	probe_fixture_answer("six.test", DNS_TYPE_AAAA, "::1");
	assert_int_equal(probe_fixture.transfer_count, 0);
	probe_fixture_answer_failure("six.test", DNS_TYPE_A, OUTCOME_DNS_TIMEOUT);
	assert_string_equal(probe_fixture_last_transfer()->address, "[::1]:80");
	probe_fixture_reply(200, NULL);
	assert_int_equal(probe_fixture.result.outcome, OUTCOME_OK);
	assert_int_equal(probe_fixture.result.family, 6);
}

static void one_family_asks_one_question(void **state)
{
	static const struct {
		enum target_ip ip;
		enum dns_type type;
	} rows[] = { { TARGET_IP_V4, DNS_TYPE_A }, { TARGET_IP_V6, DNS_TYPE_AAAA } };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		probe_fixture.target->ip = rows[i].ip;
		probe_fixture.question_count = 0;
		probe_fixture_start("http://one.test/");
		assert_int_equal(probe_fixture.question_count, 1);
		assert_int_equal(probe_fixture.questions[0].type, rows[i].type);
		probe_fixture_stop();
	}
}

static void the_failure_of_a_lookup_is_the_one_that_says_more(void **state)
{
	static const struct {
		enum outcome a;
		enum outcome aaaa;
		enum outcome wanted;
	} rows[] = {
		{ OUTCOME_DNS_NODATA, OUTCOME_DNS_NODATA, OUTCOME_DNS_NODATA },
		{ OUTCOME_DNS_NODATA, OUTCOME_DNS_SERVFAIL, OUTCOME_DNS_SERVFAIL },
		{ OUTCOME_DNS_TIMEOUT, OUTCOME_DNS_NODATA, OUTCOME_DNS_TIMEOUT },
		{ OUTCOME_DNS_NXDOMAIN, OUTCOME_DNS_NXDOMAIN, OUTCOME_DNS_NXDOMAIN },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		probe_fixture.has_result = false;
		probe_fixture_start("http://gone.test/");
		probe_fixture_answer_failure("gone.test", DNS_TYPE_A, rows[i].a);
		probe_fixture_answer_failure("gone.test", DNS_TYPE_AAAA, rows[i].aaaa);
		assert_true(probe_fixture.has_result);
		assert_int_equal(probe_fixture.result.outcome, rows[i].wanted);
		probe_fixture_assert_phases(PHASE_NONE, PHASE_NONE, PHASE_NONE, PHASE_NONE, PHASE_NONE, PROBE_FIXTURE_DNS_US);
		assert_int_equal(probe_fixture.result.failed_us, PROBE_FIXTURE_DNS_US);
		assert_int_equal(probe_fixture.result.question_count, 2);
		assert_int_equal(probe_fixture.result.family, 0);
		assert_string_equal(probe_fixture.result.detail, "as the case says");
		if (i + 1 < sizeof rows / sizeof *rows)
			result_done(&probe_fixture.result);
	}
	assert_int_equal(probe_fixture.transfer_count, 0);
}

static void a_failed_connection_has_no_phase_but_a_time(void **state)
{
	(void)state;
	probe_fixture_start("http://one.test/");
	probe_fixture_answer("one.test", DNS_TYPE_A, "127.0.0.1");
	probe_fixture_end_in_connect(probe_fixture_last_transfer(), CURLE_COULDNT_CONNECT, HTTP_END_ERROR);
	assert_int_equal(probe_fixture.result.outcome, OUTCOME_CONNECT_REFUSED);
	probe_fixture_assert_phases(PROBE_FIXTURE_DNS_US, PHASE_NONE, PHASE_NONE, PHASE_NONE, PHASE_NONE, PROBE_FIXTURE_DNS_US + PROBE_FIXTURE_STEP_US);
	assert_int_equal(probe_fixture.result.failed_us, PROBE_FIXTURE_STEP_US);
	assert_int_equal(probe_fixture.result.family, 4);
}

static void the_deadline_is_the_timeout_from_the_first_datagram(void **state)
{
	struct mono before = mono_now();
	int64_t left_us;

	(void)state;
	probe_fixture_start("http://one.test/");
	probe_fixture_answer("one.test", DNS_TYPE_A, "127.0.0.1");
	left_us = mono_since(probe_fixture_last_transfer()->deadline, before);
	assert_true(left_us >= 3 * US_PER_S && left_us < 3 * US_PER_S + 500 * US_PER_MS);
}

static void the_dns_limit_is_never_above_the_timeout(void **state)
{
	(void)state;
	probe_fixture.target->timeout_us = US_PER_S;
	probe_fixture_start("http://one.test/");
	assert_int_equal(probe_fixture.questions[0].timeout_us, US_PER_S);
}

/* ---- what is never probed, and our own trouble -------------------------------------------- */

static void a_denied_address_is_never_connected_to(void **state)
{
	static const char *const rows[] = { "http://169.254.169.254/", "http://[fd00:ec2::254]/",
		"http://[::ffff:169.254.169.254]/", "http://[64:ff9b::169.254.169.254]/" };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		probe_fixture.has_result = false;
		probe_fixture_start(rows[i]);
		assert_non_null(probe_fixture.probe);
		assert_int_equal(probe_fixture.finished_count, i); /* never from inside probe_start */
		probe_fixture_turn();
		assert_int_equal(probe_fixture.result.outcome, OUTCOME_LOCAL_DENIED);
		assert_int_equal(probe_fixture.transfer_count, 0);
		if (i + 1 < sizeof rows / sizeof *rows)
			result_done(&probe_fixture.result);
	}
}

static void a_name_that_leads_to_a_denied_address_is_not_followed(void **state)
{
	(void)state;
	probe_fixture_start("http://metadata.test/");
	probe_fixture_answer("metadata.test", DNS_TYPE_A, "169.254.170.2");
	assert_int_equal(probe_fixture.result.outcome, OUTCOME_LOCAL_DENIED);
	assert_int_equal(probe_fixture.transfer_count, 0);
}

static void no_memory_for_a_transfer_is_a_local_fault(void **state)
{
	(void)state;
	probe_fixture.refuses_transfers = true;
	probe_fixture_start("http://127.0.0.1/");
	probe_fixture_turn();
	assert_int_equal(probe_fixture.result.outcome, OUTCOME_LOCAL_FAULT);
}

static void no_memory_for_a_question_starts_nothing(void **state)
{
	(void)state;
	probe_fixture.refuses_questions = true;
	probe_fixture_start("http://one.test/");
	assert_null(probe_fixture.probe);
	assert_int_equal(probe_fixture.finished_count, 0);
}

static void work_for(int64_t duration_us)
{
	struct mono until = mono_add(mono_now(), duration_us);

	while (mono_since(mono_now(), until) < 0)
		;
}

static void busy_then_time_out(void *user)
{
	(void)user;
	work_for(30 * US_PER_MS);
	probe_fixture_end_in_connect(probe_fixture_last_transfer(), CURLE_OPERATION_TIMEDOUT, HTTP_END_TIMEOUT);
}

static void a_timeout_while_the_loop_was_away_is_our_own_fault(void **state)
{
	struct loop_timer timer = { 0 };

	(void)state;
	probe_fixture.context.lag_limit_us = 20 * US_PER_MS;
	probe_fixture_start("http://127.0.0.1/");
	assert_int_equal(loop_timer_start(probe_fixture.loop, &timer, mono_now(), busy_then_time_out, NULL), 0);
	probe_fixture_turn();
	assert_int_equal(probe_fixture.result.outcome, OUTCOME_LOCAL_FAULT);
	assert_true(probe_fixture.result.lag_us >= 30 * US_PER_MS);
	assert_true(probe_fixture.result.marks & RESULT_MARK_LAGGED);
}

static void busy_then_reply(void *user)
{
	(void)user;
	work_for(20 * US_PER_MS);
	probe_fixture_reply(200, NULL);
}

static void a_run_is_lagged_by_the_work_of_others_only(void **state)
{
	struct loop_timer timer = { 0 };

	(void)state;
	for (int is_own = 0; is_own < 2; is_own++) {
		probe_fixture.has_result = false;
		probe_fixture.work_us = is_own ? 10 * US_PER_S : 0;
		probe_fixture_start("http://127.0.0.1/");
		assert_int_equal(loop_timer_start(probe_fixture.loop, &timer, mono_now(), busy_then_reply, NULL), 0);
		probe_fixture_turn();
		assert_int_equal(probe_fixture.result.outcome, OUTCOME_OK);
		assert_int_equal(probe_fixture.result.marks, is_own ? 0 : RESULT_MARK_LAGGED);
		if (!is_own)
			result_done(&probe_fixture.result);
	}
}

static void a_run_can_be_cancelled_at_every_stage(void **state)
{
	(void)state;
	probe_fixture_start("http://one.test/"); /* both questions open */
	probe_fixture_stop();
	probe_fixture_start("http://one.test/"); /* a transfer and the second question open */
	probe_fixture_answer("one.test", DNS_TYPE_A, "127.0.0.1");
	probe_fixture_stop();
	probe_fixture_start("http://169.254.169.254/"); /* a result that waits to be delivered */
	probe_fixture_stop();
	probe_fixture.target->follow_redirects = true;
	probe_fixture_start("http://127.0.0.1/"); /* the lookup of a hop open */
	probe_fixture_reply(302, "http://other.test/");
	probe_fixture_stop();
	assert_int_equal(probe_fixture.finished_count, 0);
}

/* ---- several addresses -------------------------------------------------------------------- */

static void all_addresses_make_one_result_the_worst(void **state)
{
	(void)state;
	probe_fixture.target->addresses = TARGET_ADDRESSES_ALL;
	probe_fixture_start("http://many.test/");
	probe_fixture_answer("many.test", DNS_TYPE_A, "127.0.0.1 127.0.0.2 127.0.0.3");
	assert_int_equal(probe_fixture.transfer_count, 3);
	probe_fixture_reply_to(&probe_fixture.transfers[0], 200, NULL);
	probe_fixture_end_in_connect(&probe_fixture.transfers[2], CURLE_COULDNT_CONNECT, HTTP_END_ERROR);
	assert_false(probe_fixture.has_result);
	probe_fixture_reply_to(&probe_fixture.transfers[1], 503, NULL);
	assert_int_equal(probe_fixture.finished_count, 1);
	assert_int_equal(probe_fixture.result.outcome, outcome_worse(OUTCOME_CONNECT_REFUSED, OUTCOME_HTTP_STATUS));
	assert_int_equal(probe_fixture.result.attempt_count, 3);
	assert_int_equal(probe_fixture.result.attempts[0].outcome, OUTCOME_OK);
	assert_int_equal(probe_fixture.result.attempts[1].outcome, OUTCOME_HTTP_STATUS);
	assert_int_equal(probe_fixture.result.attempts[2].outcome, OUTCOME_CONNECT_REFUSED);
}

static void all_addresses_may_be_denied_at_once(void **state)
{
	(void)state;
	probe_fixture.target->addresses = TARGET_ADDRESSES_ALL;
	probe_fixture_start("http://many.test/");
	probe_fixture_answer("many.test", DNS_TYPE_A, "169.254.169.254 169.254.170.2");
	assert_int_equal(probe_fixture.finished_count, 1);
	assert_int_equal(probe_fixture.result.outcome, OUTCOME_LOCAL_DENIED);
	assert_int_equal(probe_fixture.result.attempt_count, 2);
}

static void the_first_address_is_one_attempt(void **state)
{
	(void)state;
	probe_fixture_start("http://many.test/");
	probe_fixture_answer("many.test", DNS_TYPE_A, "127.0.0.3 127.0.0.1");
	assert_int_equal(probe_fixture.transfer_count, 1);
	assert_string_equal(probe_fixture_last_transfer()->address, "127.0.0.3:80");
	probe_fixture_reply(200, NULL);
	assert_int_equal(probe_fixture.result.attempt_count, 0);
}

static void rotation_gives_each_address_its_turn_however_they_are_shuffled(void **state)
{
	static const char *const shuffled[] = { "127.0.0.3 127.0.0.1 127.0.0.2",
		"127.0.0.2 127.0.0.3 127.0.0.1", "127.0.0.1 127.0.0.2 127.0.0.3" };
	static const char *const wanted[] = { "127.0.0.1:80", "127.0.0.2:80", "127.0.0.3:80" };

	(void)state;
	probe_fixture.target->addresses = TARGET_ADDRESSES_ROTATE;
	probe_fixture.target->ip = TARGET_IP_V4;
	for (unsigned i = 0; i < 6; i++) {
		probe_fixture.rotation = i;
		probe_fixture_start("http://many.test/");
		probe_fixture_answer("many.test", DNS_TYPE_A, shuffled[i % 3]);
		assert_string_equal(probe_fixture_last_transfer()->address, wanted[i % 3]);
		probe_fixture_stop();
	}
}

static void both_families_are_tried_and_a_missing_one_counts(void **state)
{
	(void)state;
	probe_fixture.target->ip = TARGET_IP_BOTH;
	probe_fixture_start("http://dual.test/");
	probe_fixture_answer("dual.test", DNS_TYPE_A, "127.0.0.1");
	assert_int_equal(probe_fixture.transfer_count, 0);
	probe_fixture_answer_failure("dual.test", DNS_TYPE_AAAA, OUTCOME_DNS_NODATA);
	assert_int_equal(probe_fixture.transfer_count, 1);
	probe_fixture_reply(200, NULL);
	assert_int_equal(probe_fixture.result.outcome, OUTCOME_DNS_NODATA);
	assert_int_equal(probe_fixture.result.attempt_count, 2);
	assert_int_equal(probe_fixture.result.attempts[0].outcome, OUTCOME_OK);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, probe_fixture_set_up, probe_fixture_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_literal_address_needs_no_resolver),
		CASE(a_name_is_asked_for_in_both_families_and_the_preferred_one_suffices),
		CASE(the_second_answer_is_kept_when_it_came_in_time),
		CASE(a_usable_family_suffices),
		CASE(one_family_asks_one_question),
		CASE(the_failure_of_a_lookup_is_the_one_that_says_more),
		CASE(a_failed_connection_has_no_phase_but_a_time),
		CASE(the_deadline_is_the_timeout_from_the_first_datagram),
		CASE(the_dns_limit_is_never_above_the_timeout),
		CASE(a_denied_address_is_never_connected_to),
		CASE(a_name_that_leads_to_a_denied_address_is_not_followed),
		CASE(no_memory_for_a_transfer_is_a_local_fault),
		CASE(no_memory_for_a_question_starts_nothing),
		CASE(a_timeout_while_the_loop_was_away_is_our_own_fault),
		CASE(a_run_is_lagged_by_the_work_of_others_only),
		CASE(a_run_can_be_cancelled_at_every_stage),
		CASE(all_addresses_make_one_result_the_worst),
		CASE(all_addresses_may_be_denied_at_once),
		CASE(the_first_address_is_one_attempt),
		CASE(rotation_gives_each_address_its_turn_however_they_are_shuffled),
		CASE(both_families_are_tried_and_a_missing_one_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
