/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "lattice-probe/result.h"
#include "resolver_setting.h"

/* ---- time ----------------------------------------------------------------------------------- */

static void a_slow_answer_counts_also_after_many_fast_ones(void **state)
{
	struct setting *setting = *state;
	struct asked asked;
	char name[32];

	for (int i = 0; i < 20; i++) {
		(void)snprintf(name, sizeof name, "fast-%d.example", i);
		ask(setting, &asked, name);
		wait_for(setting, &asked);
		assert_int_equal(asked.answer.outcome, OUTCOME_OK);
	}
	dns_fixture_rule(setting->first)->delay_us = 1500 * US_PER_MS;
	ask(setting, &asked, "slow.example");
	wait_for(setting, &asked);
	assert_int_equal(asked.answer.outcome, OUTCOME_OK);
	assert_in_range(asked.answer.elapsed_us, 1500 * US_PER_MS, 2 * US_PER_S);
	assert_int_equal(dns_fixture_datagrams(setting->first), 21);
	assert_int_equal(counters(setting).datagrams, 21);
}

static void forgeries_do_not_end_a_slow_question_after_many_fast_ones(void **state)
{
	struct setting *setting = *state;
	struct asked asked;
	char name[32];

	/* c-ares from 1.32 on would by now give up after 250 ms, when something wakes it. */
	for (int i = 0; i < 20; i++) {
		(void)snprintf(name, sizeof name, "fast-%d.example", i);
		ask(setting, &asked, name);
		wait_for(setting, &asked);
	}
	dns_fixture_rule(setting->first)->fault = DNS_FIXTURE_FORGED_FIRST;
	dns_fixture_rule(setting->first)->delay_us = 800 * US_PER_MS;
	ask(setting, &asked, "slow.example");
	wait_for(setting, &asked);
	assert_int_equal(asked.answer.outcome, OUTCOME_OK);
	assert_true(asked.answer.elapsed_us >= 800 * US_PER_MS);
	assert_int_equal(counters(setting).datagrams, 21);
}

static void a_question_is_sent_again_after_half_its_time(void **state)
{
	struct setting *setting = *state;
	struct asked asked;

	dns_fixture_rule(setting->first)->drop_first = 1;
	ask_with(setting, &asked, "checkout.example", DNS_TYPE_A, US_PER_S, 2);
	wait_for(setting, &asked);
	assert_int_equal(asked.answer.outcome, OUTCOME_OK);
	assert_int_equal(asked.answer.retransmits, 1);
	assert_in_range(asked.answer.elapsed_us, 500 * US_PER_MS, US_PER_S);
	assert_int_equal(dns_fixture_datagrams(setting->first), 2);
	assert_int_equal(asked.started, 1);
}

static void a_late_answer_to_the_first_datagram_counts(void **state)
{
	struct setting *setting = *state;
	struct asked asked;

	/* Both datagrams are answered 700 ms after they came: the first answer at 700, the second at 1200. */
	dns_fixture_rule(setting->first)->delay_us = 700 * US_PER_MS;
	ask_with(setting, &asked, "checkout.example", DNS_TYPE_A, US_PER_S, 2);
	wait_for(setting, &asked);
	assert_int_equal(asked.answer.outcome, OUTCOME_OK);
	assert_int_equal(asked.answer.retransmits, 1);
	assert_in_range(asked.answer.elapsed_us, 700 * US_PER_MS, US_PER_S);
}

static void an_answer_that_came_while_the_loop_was_busy_is_no_timeout(void **state)
{
	struct setting *setting = *state;
	struct asked asked;

	pause_for(setting, 50 * US_PER_MS); /* until the kernel stamps datagrams */
	/* The deadline passes while the answer lies in the socket. Its time there is not the server's. */
	dns_fixture_rule(setting->first)->busy_us = 300 * US_PER_MS;
	ask_with(setting, &asked, "checkout.example", DNS_TYPE_A, 200 * US_PER_MS, 1);
	wait_for(setting, &asked);
	assert_int_equal(asked.answer.outcome, OUTCOME_OK);
	assert_in_range(asked.answer.elapsed_us, 1, 200 * US_PER_MS);
}

static void an_answer_that_came_too_late_is_none_also_when_the_loop_was_busy(void **state)
{
	struct setting *setting = *state;
	struct asked asked;

	/* The server itself is busy between the question and its answer. */
	dns_fixture_rule(setting->first)->think_us = 150 * US_PER_MS;
	ask_with(setting, &asked, "checkout.example", DNS_TYPE_A, 100 * US_PER_MS, 1);
	wait_for(setting, &asked);
	assert_int_equal(asked.answer.outcome, OUTCOME_DNS_TIMEOUT);
	assert_false(asked.answer.has_reply);
	assert_non_null(strstr(asked.answer.detail, "no answer in 100 ms"));
}

/* ---- several servers ------------------------------------------------------------------------ */

static void a_silent_server_is_left_after_its_share_of_the_time(void **state)
{
	struct setting *setting = *state;
	struct asked asked;

	use_second(setting);
	dns_fixture_rule(setting->first)->fault = DNS_FIXTURE_DROP;
	ask_with(setting, &asked, "checkout.example", DNS_TYPE_A, US_PER_S, 1);
	wait_for(setting, &asked);
	assert_int_equal(asked.answer.outcome, OUTCOME_OK);
	assert_int_equal(asked.answer.marks, RESULT_MARK_FALLBACK);
	assert_true(address_is_equal(&asked.answer.server, &setting->servers.servers[1]));
	assert_in_range(asked.answer.elapsed_us, 500 * US_PER_MS, US_PER_S);
	assert_string_equal(asked.answer.detail, "");
}

static void a_server_that_fails_is_left_at_once(void **state)
{
	struct setting *setting = *state;
	struct asked asked;

	use_second(setting);
	dns_fixture_rule(setting->first)->rcode = 5;
	ask_with(setting, &asked, "checkout.example", DNS_TYPE_A, 60 * US_PER_S, 1);
	wait_for(setting, &asked);
	assert_int_equal(asked.answer.outcome, OUTCOME_OK);
	assert_int_equal(asked.answer.marks, RESULT_MARK_FALLBACK);
	assert_int_equal(asked.answer.message.rcode, 0);
	assert_int_equal(asked.answer.retransmits, 0);
}

static void a_name_that_does_not_exist_is_not_asked_for_elsewhere(void **state)
{
	struct setting *setting = *state;

	use_second(setting);
	dns_fixture_rule(setting->first)->rcode = 3;
	expect(setting, OUTCOME_DNS_NXDOMAIN, true, "NXDOMAIN");
	dns_fixture_rule(setting->first)->rcode = 0;
	dns_fixture_rule(setting->first)->addresses = 0;
	expect(setting, OUTCOME_DNS_NODATA, true, "");
	assert_int_equal(dns_fixture_datagrams(setting->second), 0);
}

static void when_all_servers_fail_the_first_one_names_the_outcome(void **state)
{
	struct setting *setting = *state;
	struct asked asked;

	use_second(setting);
	dns_fixture_rule(setting->first)->rcode = 2;
	dns_fixture_rule(setting->second)->fault = DNS_FIXTURE_DROP;
	ask_with(setting, &asked, "checkout.example", DNS_TYPE_A, 200 * US_PER_MS, 1);
	wait_for(setting, &asked);
	assert_int_equal(asked.answer.outcome, OUTCOME_DNS_SERVFAIL);
	assert_true(asked.answer.has_reply);
	assert_int_equal(asked.answer.message.rcode, 2);
	assert_true(address_is_equal(&asked.answer.server, &setting->servers.servers[0]));
	assert_int_equal(asked.answer.marks, 0);
	assert_non_null(strstr(asked.answer.detail, "SERVFAIL; 127.0.0.1:"));
	assert_non_null(strstr(asked.answer.detail, "no answer in "));
	assert_true(asked.answer.elapsed_us >= 190 * US_PER_MS);
}

/* ---- sharing -------------------------------------------------------------------------------- */

static void equal_questions_within_a_millisecond_share_one_datagram(void **state)
{
	struct setting *setting = *state;
	struct asked asked[3];

	ask(setting, &asked[0], "checkout.example");
	ask(setting, &asked[1], "CHECKOUT.example");
	ask_with(setting, &asked[2], "checkout.example", DNS_TYPE_AAAA, 2 * US_PER_S, 1);
	for (size_t i = 0; i < 3; i++)
		wait_for(setting, &asked[i]);
	assert_int_equal(dns_fixture_datagrams(setting->first), 2);
	assert_int_equal(asked[0].answer.marks, 0);
	assert_int_equal(asked[1].answer.marks, RESULT_MARK_DNS_SHARED);
	assert_int_equal(asked[2].answer.marks, 0);
	assert_int_equal(asked[1].started, 1);
	assert_int_equal(asked[1].answer.outcome, OUTCOME_OK);
	assert_int_equal(asked[1].answer.sent.us, asked[0].answer.sent.us);
	assert_int_equal(counters(setting).shared, 1);
	assert_int_equal(counters(setting).questions, 3);
}

static void later_or_different_questions_do_not_share(void **state)
{
	struct setting *setting = *state;
	struct asked asked[4];

	ask(setting, &asked[0], "checkout.example");
	ask_with(setting, &asked[1], "checkout.example", DNS_TYPE_A, 3 * US_PER_S, 1);
	ask(setting, &asked[2], "other.example");
	pause_for(setting, 3 * US_PER_MS);
	ask(setting, &asked[3], "checkout.example");
	for (size_t i = 0; i < 4; i++)
		wait_for(setting, &asked[i]);
	assert_int_equal(dns_fixture_datagrams(setting->first), 4);
	assert_int_equal(counters(setting).shared, 0);
}

static void cancelling_one_that_shares_leaves_the_others(void **state)
{
	struct setting *setting = *state;
	struct asked asked[3];

	for (size_t i = 0; i < 3; i++)
		ask(setting, &asked[i], "checkout.example");
	resolver_cancel(asked[0].query);
	asked[1].victim = asked[2].query;
	wait_for(setting, &asked[1]);
	pause_for(setting, 3 * US_PER_MS);
	assert_int_equal(asked[0].answered, 0);
	assert_int_equal(asked[2].answered, 0);
	/* One datagram has left, so one answer counts as measured. */
	assert_int_equal(asked[1].answer.marks, 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, resolver_setting_up, resolver_setting_down)
	const struct CMUnitTest tests[] = {
		CASE(a_slow_answer_counts_also_after_many_fast_ones),
		CASE(forgeries_do_not_end_a_slow_question_after_many_fast_ones),
		CASE(a_question_is_sent_again_after_half_its_time),
		CASE(a_late_answer_to_the_first_datagram_counts),
		CASE(an_answer_that_came_while_the_loop_was_busy_is_no_timeout),
		CASE(an_answer_that_came_too_late_is_none_also_when_the_loop_was_busy),
		CASE(a_silent_server_is_left_after_its_share_of_the_time),
		CASE(a_server_that_fails_is_left_at_once),
		CASE(a_name_that_does_not_exist_is_not_asked_for_elsewhere),
		CASE(when_all_servers_fail_the_first_one_names_the_outcome),
		CASE(equal_questions_within_a_millisecond_share_one_datagram),
		CASE(later_or_different_questions_do_not_share),
		CASE(cancelling_one_that_shares_leaves_the_others),
	};

	return cmocka_run_group_tests_name("resolver: time, servers, sharing", tests, NULL, NULL);
}
