/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "lattice-probe/result.h"
#include "resolver_setting.h"

/* ---- the budget ----------------------------------------------------------------------------- */

static void over_the_budget_a_question_waits_before_its_time_starts(void **state)
{
	struct setting *setting = *state;
	struct asked asked[4];
	char name[32];

	set_budget(setting, 3);
	for (int i = 0; i < 4; i++) {
		(void)snprintf(name, sizeof name, "name-%d.example", i);
		ask_with(setting, &asked[i], name, DNS_TYPE_A, US_PER_S, 1);
	}
	assert_int_equal(asked[2].started, 1);
	assert_int_equal(asked[3].started, 0);
	for (int i = 0; i < 4; i++)
		wait_for(setting, &asked[i]);
	assert_int_equal(asked[2].answer.wait_us, 0);
	assert_in_range(asked[3].answer.wait_us, 330 * US_PER_MS, 2 * US_PER_S);
	assert_int_equal(asked[3].answer.outcome, OUTCOME_OK);
	assert_int_equal(asked[3].started, 1);
	assert_true(asked[3].answer.elapsed_us < asked[3].answer.wait_us);
	assert_int_equal(counters(setting).waited, 1);
	assert_int_equal(counters(setting).datagrams, 4);
}

static void another_rate_holds_from_the_next_question_on(void **state)
{
	struct setting *setting = *state;
	struct asked asked[4];

	set_budget(setting, 1);
	ask(setting, &asked[0], "first.example");
	resolver_set_max_rate(setting->resolver, 0);
	ask(setting, &asked[1], "second.example");
	assert_int_equal(asked[1].started, 1);
	resolver_set_max_rate(setting->resolver, 1);
	resolver_set_max_rate(setting->resolver, 1000); /* what was spent is not given back */
	ask(setting, &asked[2], "third.example");
	assert_int_equal(asked[2].started, 0);
	for (int i = 0; i < 3; i++)
		wait_for(setting, &asked[i]);
	assert_int_equal(counters(setting).waited, 1);
}

static void an_equal_question_joins_one_that_waits(void **state)
{
	struct setting *setting = *state;
	struct asked asked[3];

	set_budget(setting, 5);
	for (int i = 0; i < 5; i++) {
		struct asked spent;
		char name[32];

		(void)snprintf(name, sizeof name, "name-%d.example", i);
		ask(setting, &spent, name);
		wait_for(setting, &spent);
	}
	ask(setting, &asked[0], "waits.example");
	pause_for(setting, 10 * US_PER_MS);
	ask(setting, &asked[1], "waits.example");
	wait_for(setting, &asked[0]);
	wait_for(setting, &asked[1]);
	assert_int_equal(asked[1].answer.marks, RESULT_MARK_DNS_SHARED);
	assert_true(asked[1].answer.wait_us > 0);
	assert_true(asked[1].answer.wait_us < asked[0].answer.wait_us);
	assert_int_equal(dns_fixture_datagrams(setting->first), 6);
}

static void over_the_budget_an_answer_within_its_ttl_is_used_again(void **state)
{
	struct setting *setting = *state;
	struct asked asked;

	set_budget(setting, 1);
	ask(setting, &asked, "checkout.example");
	wait_for(setting, &asked);
	pause_for(setting, 3 * US_PER_MS);
	ask(setting, &asked, "checkout.example");
	assert_int_equal(asked.started, 1);
	wait_for(setting, &asked);
	assert_int_equal(asked.answer.outcome, OUTCOME_OK);
	assert_int_equal(asked.answer.marks, RESULT_MARK_DNS_REUSED);
	assert_int_equal(asked.answer.message.address_count, 2);
	assert_in_range(asked.answer.message.ttl_s, 55, 59);
	assert_true(address_is_equal(&asked.answer.server, &setting->servers.servers[0]));
	assert_false(mono_is_set(asked.answer.sent));
	assert_int_equal(dns_fixture_datagrams(setting->first), 1);
	assert_int_equal(counters(setting).reused, 1);
}

static void an_answer_without_ttl_is_never_used_again(void **state)
{
	struct setting *setting = *state;
	struct asked asked;

	dns_fixture_rule(setting->first)->ttl_s = 0;
	set_budget(setting, 1);
	ask(setting, &asked, "checkout.example");
	wait_for(setting, &asked);
	pause_for(setting, 3 * US_PER_MS);
	ask(setting, &asked, "checkout.example");
	assert_int_equal(asked.started, 0);
	wait_for(setting, &asked);
	assert_int_equal(asked.answer.marks, 0);
	assert_int_equal(dns_fixture_datagrams(setting->first), 2);
}

static void a_failure_since_then_forbids_using_an_answer_again(void **state)
{
	static const int rcodes[] = { 2, 3 }; /* no answer, and an answer */
	struct setting *setting = *state;
	struct asked asked;

	for (size_t i = 0; i < 2; i++) {
		set_budget(setting, 2);
		dns_fixture_rule(setting->first)->rcode = 0;
		ask(setting, &asked, "checkout.example");
		wait_for(setting, &asked);
		assert_int_equal(asked.answer.outcome, OUTCOME_OK);
		pause_for(setting, 3 * US_PER_MS);
		dns_fixture_rule(setting->first)->rcode = rcodes[i];
		ask(setting, &asked, "checkout.example");
		wait_for(setting, &asked);
		pause_for(setting, 3 * US_PER_MS);
		ask(setting, &asked, "checkout.example");
		assert_int_equal(asked.started, 0);
		wait_for(setting, &asked);
		assert_int_equal(asked.answer.marks, 0);
		assert_int_equal(asked.answer.message.rcode, rcodes[i]);
	}
}

static void without_budget_nothing_is_sent_again(void **state)
{
	struct setting *setting = *state;
	struct asked asked;

	set_budget(setting, 1);
	dns_fixture_rule(setting->first)->fault = DNS_FIXTURE_DROP;
	ask_with(setting, &asked, "checkout.example", DNS_TYPE_A, 200 * US_PER_MS, 2);
	wait_for(setting, &asked);
	assert_int_equal(asked.answer.outcome, OUTCOME_DNS_TIMEOUT);
	assert_int_equal(asked.answer.retransmits, 0);
	assert_int_equal(dns_fixture_datagrams(setting->first), 1);
}

/* ---- many at once --------------------------------------------------------------------------- */

#define OPEN_MAX 1024 /* questions under way at a time; further ones wait */
#define MANY (OPEN_MAX + 6)

static void more_questions_than_may_be_open_wait_for_the_others(void **state)
{
	static struct asked asked[MANY];
	struct setting *setting = *state;
	struct rlimit saved, wide;
	char name[32];

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &saved), 0);
	wide = (struct rlimit){ saved.rlim_cur > 2000 ? saved.rlim_cur : 2000, saved.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &wide), 0);
	dns_fixture_rule(setting->first)->fault = DNS_FIXTURE_DROP;
	for (int i = 0; i < MANY; i++) {
		(void)snprintf(name, sizeof name, "name-%d.example", i);
		ask_with(setting, &asked[i], name, DNS_TYPE_A, US_PER_S, 1);
		assert_int_equal(asked[i].started, i < OPEN_MAX);
	}
	for (int i = 0; i < MANY; i++) {
		wait_for(setting, &asked[i]);
		assert_int_equal(asked[i].answer.outcome, OUTCOME_DNS_TIMEOUT);
		assert_int_equal(asked[i].started, 1);
		assert_int_equal(asked[i].answer.wait_us > 0, i >= OPEN_MAX);
	}
	assert_int_equal(counters(setting).datagrams, MANY);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &saved), 0);
}

static void a_full_queue_fails_at_once_as_our_own_fault(void **state)
{
	static struct asked asked[4096 + 2];
	struct setting *setting = *state;
	char name[32];

	set_budget(setting, 1);
	for (int i = 0; i < 4096 + 2; i++) {
		(void)snprintf(name, sizeof name, "name-%d.example", i);
		ask(setting, &asked[i], name);
	}
	wait_for(setting, &asked[4096 + 1]);
	assert_int_equal(asked[4096 + 1].answer.outcome, OUTCOME_LOCAL_FAULT);
	assert_non_null(strstr(asked[4096 + 1].answer.detail, "too many questions wait"));
	for (int i = 0; i < 4096 + 1; i++)
		if (!asked[i].done)
			resolver_cancel(asked[i].query);
}

/* ---- cancelling ----------------------------------------------------------------------------- */

static void a_question_can_be_cancelled_at_every_stage(void **state)
{
	struct setting *setting = *state;
	struct asked asked, other;

	set_budget(setting, 1);
	ask(setting, &asked, "checkout.example");
	ask(setting, &other, "waits.example");
	resolver_cancel(other.query); /* waiting */
	resolver_cancel(asked.query); /* asking */
	ask(setting, &asked, "a..example");
	resolver_cancel(asked.query); /* done, not handed out */

	set_budget(setting, 0);
	dns_fixture_rule(setting->first)->fault = DNS_FIXTURE_DROP;
	ask_with(setting, &asked, "again.example", DNS_TYPE_A, 20 * US_PER_MS, 2);
	pause_for(setting, 13 * US_PER_MS);
	resolver_cancel(asked.query); /* sent twice */
	dns_fixture_rule(setting->first)->fault = DNS_FIXTURE_TCP_SILENT;
	dns_fixture_rule(setting->first)->is_truncated = true;
	ask(setting, &asked, "tcp.example");
	while (dns_fixture_streams(setting->first) == 0)
		pause_for(setting, US_PER_MS);
	resolver_cancel(asked.query); /* over TCP */
	pause_for(setting, 30 * US_PER_MS);
	assert_int_equal(asked.answered, 0);
	assert_int_equal(other.answered, 0);
}

static void on_started_cancel(void *user)
{
	struct asked *asked = user;

	asked->started++;
	resolver_cancel(asked->query);
}

static void a_question_can_be_cancelled_when_it_is_told_to_start(void **state)
{
	struct setting *setting = *state;
	struct resolver_question question = { "waits.example", DNS_TYPE_A, &setting->servers, US_PER_S, 1 };
	struct asked first, asked = { .setting = setting };

	set_budget(setting, 20);
	for (int i = 0; i < 20; i++) {
		char name[32];

		(void)snprintf(name, sizeof name, "name-%d.example", i);
		ask(setting, &first, name);
		wait_for(setting, &first);
	}
	asked.query = resolver_ask(setting->resolver, &question, on_started_cancel, on_answered, &asked);
	assert_int_equal(asked.started, 0);
	while (asked.started == 0)
		pause_for(setting, 5 * US_PER_MS);
	pause_for(setting, 5 * US_PER_MS);
	assert_int_equal(asked.answered, 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, resolver_setting_up, resolver_setting_down)
	const struct CMUnitTest tests[] = {
		CASE(over_the_budget_a_question_waits_before_its_time_starts),
		CASE(another_rate_holds_from_the_next_question_on),
		CASE(an_equal_question_joins_one_that_waits),
		CASE(over_the_budget_an_answer_within_its_ttl_is_used_again),
		CASE(an_answer_without_ttl_is_never_used_again),
		CASE(a_failure_since_then_forbids_using_an_answer_again),
		CASE(without_budget_nothing_is_sent_again),
		CASE(more_questions_than_may_be_open_wait_for_the_others),
		CASE(a_full_queue_fails_at_once_as_our_own_fault),
		CASE(a_question_can_be_cancelled_at_every_stage),
		CASE(a_question_can_be_cancelled_when_it_is_told_to_start),
	};

	return cmocka_run_group_tests_name("resolver: budget, cancelling", tests, NULL, NULL);
}
