/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "resolver_setting.h"

/* ---- answers -------------------------------------------------------------------------------- */

static void an_a_question_gets_its_addresses(void **state)
{
	struct setting *setting = *state;
	struct asked asked;
	struct mono before = mono_now();
	char text[ADDRESS_TEXT_SIZE];

	ask(setting, &asked, "Checkout.example");
	assert_int_equal(asked.started, 1);
	wait_for(setting, &asked);
	assert_int_equal(asked.answer.outcome, OUTCOME_OK);
	assert_true(asked.answer.has_reply);
	assert_int_equal(asked.answer.message.address_count, 2);
	address_format(&asked.answer.message.addresses[1], text);
	assert_string_equal(text, "192.0.2.2");
	assert_int_equal(asked.answer.message.ttl_s, 60);
	assert_true(address_is_equal(&asked.answer.server, &setting->servers.servers[0]));
	assert_true(asked.answer.sent.us >= before.us);
	assert_in_range(asked.answer.elapsed_us, 1, mono_since(mono_now(), asked.answer.sent));
	assert_int_equal(asked.answer.wait_us, 0);
	assert_int_equal(asked.answer.retransmits, 0);
	assert_int_equal(asked.answer.marks, 0);
	assert_string_equal(asked.answer.detail, "");
	assert_int_equal(counters(setting).datagrams, 1);
}

static void an_aaaa_question_gets_its_addresses(void **state)
{
	struct setting *setting = *state;
	struct asked asked;
	char text[ADDRESS_TEXT_SIZE];

	ask_with(setting, &asked, "checkout.example", DNS_TYPE_AAAA, US_PER_S, 1);
	wait_for(setting, &asked);
	assert_int_equal(asked.answer.outcome, OUTCOME_OK);
	address_format(&asked.answer.message.addresses[0], text);
	assert_string_equal(text, "2001:db8::1");
}

static void a_server_with_an_ipv6_address_is_asked(void **state)
{
	struct setting *setting = *state;
	struct asked asked;

	setting->servers.server_count = 0;
	setting->second = dns_fixture_new(setting->loop, "[::1]");
	*dns_fixture_rule(setting->second) = (struct dns_fixture_rule){ .addresses = 1, .is_truncated = true };
	use_server(setting, setting->second);
	ask(setting, &asked, "checkout.example");
	wait_for(setting, &asked);
	assert_int_equal(asked.answer.outcome, OUTCOME_OK);
	assert_int_equal(dns_fixture_streams(setting->second), 1);
}

static void a_chain_of_aliases_is_kept(void **state)
{
	struct setting *setting = *state;
	struct asked asked;

	dns_fixture_rule(setting->first)->aliases = 2;
	ask(setting, &asked, "checkout.example");
	wait_for(setting, &asked);
	assert_int_equal(asked.answer.outcome, OUTCOME_OK);
	assert_int_equal(asked.answer.message.cname_count, 2);
	assert_string_equal(asked.answer.message.cnames[0], "alias-1.example");
	assert_string_equal(asked.answer.message.cnames[1], "alias-2.example");
	assert_int_equal(asked.answer.message.address_count, 2);
}

static void a_ttl_with_the_top_bit_set_is_zero(void **state)
{
	struct setting *setting = *state;
	struct asked asked;

	dns_fixture_rule(setting->first)->ttl_s = 0xffffffff;
	ask(setting, &asked, "checkout.example");
	wait_for(setting, &asked);
	assert_int_equal(asked.answer.outcome, OUTCOME_OK);
	assert_int_equal(asked.answer.message.ttl_s, 0);
}

static void every_rcode_has_its_outcome(void **state)
{
	static const struct {
		int rcode;
		enum outcome outcome;
		const char *why;
	} cases[] = {
		{ 1, OUTCOME_DNS_BAD_REPLY, "FORMERR" }, { 2, OUTCOME_DNS_SERVFAIL, "SERVFAIL" },
		{ 3, OUTCOME_DNS_NXDOMAIN, "NXDOMAIN" }, { 4, OUTCOME_DNS_BAD_REPLY, "NOTIMP" },
		{ 5, OUTCOME_DNS_REFUSED, "REFUSED" }, { 9, OUTCOME_DNS_BAD_REPLY, "NOTAUTH" },
		{ 15, OUTCOME_DNS_BAD_REPLY, "unknown RCODE" },
	};
	struct setting *setting = *state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		dns_fixture_rule(setting->first)->rcode = cases[i].rcode;
		expect(setting, cases[i].outcome, true, cases[i].why);
	}
	dns_fixture_rule(setting->first)->fault = DNS_FIXTURE_BARE_ERROR;
	dns_fixture_rule(setting->first)->rcode = 1;
	expect(setting, OUTCOME_DNS_BAD_REPLY, true, "FORMERR");
}

static void an_answer_without_an_address_is_nodata(void **state)
{
	struct setting *setting = *state;

	dns_fixture_rule(setting->first)->addresses = 0;
	expect(setting, OUTCOME_DNS_NODATA, true, "without an address");
	dns_fixture_rule(setting->first)->aliases = 1;
	expect(setting, OUTCOME_DNS_NODATA, true, "without an address");
}

static void an_impossible_name_is_not_asked_for(void **state)
{
	struct setting *setting = *state;
	struct asked asked;

	ask(setting, &asked, "a..example");
	wait_for(setting, &asked);
	assert_int_equal(asked.answer.outcome, OUTCOME_DNS_NXDOMAIN);
	assert_false(asked.answer.has_reply);
	assert_int_equal(asked.started, 0);
	assert_int_equal(dns_fixture_datagrams(setting->first), 0);
}

/* ---- broken replies ------------------------------------------------------------------------- */

static void a_reply_that_makes_no_sense_is_a_bad_reply_at_once(void **state)
{
	static const enum dns_fixture_fault faults[] = { DNS_FIXTURE_ECHO, DNS_FIXTURE_GARBAGE,
		DNS_FIXTURE_SHORT, DNS_FIXTURE_POINTER_LOOP, DNS_FIXTURE_BAD_RDLENGTH };
	struct setting *setting = *state;

	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
		struct asked asked;

		dns_fixture_rule(setting->first)->fault = faults[i];
		ask_with(setting, &asked, "checkout.example", DNS_TYPE_A, 60 * US_PER_S, 1);
		wait_for(setting, &asked);
		assert_int_equal(asked.answer.outcome, OUTCOME_DNS_BAD_REPLY);
		assert_false(asked.answer.has_reply);
		assert_non_null(strstr(asked.answer.detail, "malformed reply"));
	}
}

static void nothing_but_forgeries_is_a_bad_reply_at_the_deadline(void **state)
{
	static const enum dns_fixture_fault faults[] = { DNS_FIXTURE_WRONG_ID, DNS_FIXTURE_WRONG_QUESTION };
	struct setting *setting = *state;

	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
		struct mono before = mono_now();

		dns_fixture_rule(setting->first)->fault = faults[i];
		expect(setting, OUTCOME_DNS_BAD_REPLY, false, "1 replies with a wrong id or question in 400 ms");
		assert_true(mono_since(mono_now(), before) >= 400 * US_PER_MS);
	}
}

static void forgeries_before_the_answer_are_ignored(void **state)
{
	struct setting *setting = *state;

	dns_fixture_rule(setting->first)->fault = DNS_FIXTURE_FORGED_FIRST;
	expect(setting, OUTCOME_OK, true, "");
}

/* ---- no reply ------------------------------------------------------------------------------- */

static void silence_is_a_timeout_at_the_deadline(void **state)
{
	struct setting *setting = *state;
	struct asked asked;

	dns_fixture_rule(setting->first)->fault = DNS_FIXTURE_DROP;
	ask_with(setting, &asked, "checkout.example", DNS_TYPE_A, 200 * US_PER_MS, 1);
	wait_for(setting, &asked);
	assert_int_equal(asked.answer.outcome, OUTCOME_DNS_TIMEOUT);
	assert_false(asked.answer.has_reply);
	assert_in_range(asked.answer.elapsed_us, 200 * US_PER_MS, 2 * US_PER_S);
	assert_true(address_is_equal(&asked.answer.server, &setting->servers.servers[0]));
	assert_non_null(strstr(asked.answer.detail, "no answer in 200 ms"));
	assert_int_equal(asked.answer.retransmits, 0);
	assert_int_equal(dns_fixture_datagrams(setting->first), 1);
}

static void a_closed_port_is_unreachable_at_once(void **state)
{
	struct setting *setting = *state;
	struct asked asked;

	dns_fixture_free(setting->first);
	ask_with(setting, &asked, "checkout.example", DNS_TYPE_A, 60 * US_PER_S, 1);
	wait_for(setting, &asked);
	setting->first = dns_fixture_new(setting->loop, "127.0.0.1");
	assert_int_equal(asked.answer.outcome, OUTCOME_DNS_UNREACHABLE);
	assert_int_equal(asked.started, 1);
	assert_non_null(strstr(asked.answer.detail, "Connection refused"));
}

static void a_server_that_cannot_be_sent_to_is_unreachable(void **state)
{
	struct setting *setting = *state;
	struct asked asked;

	/* Broadcast is refused with EACCES before anything leaves. */
	assert_int_equal(parse_address("255.255.255.255:53", 53, &setting->servers.servers[0]), 0);
	ask(setting, &asked, "checkout.example");
	wait_for(setting, &asked);
	assert_int_equal(asked.answer.outcome, OUTCOME_DNS_UNREACHABLE);
	assert_int_equal(asked.started, 0);
	assert_false(mono_is_set(asked.answer.sent));
	assert_int_equal(asked.answer.elapsed_us, 0);
	assert_int_equal(counters(setting).datagrams, 0);
}

static void without_a_descriptor_it_is_our_own_fault(void **state)
{
	struct setting *setting = *state;
	struct asked asked;
	struct rlimit saved, tight;
	int lowest = dup(0);

	assert_true(lowest >= 0);
	(void)close(lowest);
	use_second(setting);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &saved), 0);
	lowest = dup(0);
	(void)close(lowest);
	tight = (struct rlimit){ (rlim_t)lowest, saved.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	ask(setting, &asked, "checkout.example");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &saved), 0);
	wait_for(setting, &asked);
	assert_int_equal(asked.answer.outcome, OUTCOME_LOCAL_FAULT);
	assert_non_null(strstr(asked.answer.detail, "Too many open files"));
	assert_int_equal(asked.started, 0);
	assert_int_equal(dns_fixture_datagrams(setting->second), 0);
}

/* ---- TCP ------------------------------------------------------------------------------------ */

static void a_truncated_reply_is_followed_to_tcp(void **state)
{
	struct setting *setting = *state;
	struct asked asked;

	dns_fixture_rule(setting->first)->is_truncated = true;
	ask(setting, &asked, "checkout.example");
	wait_for(setting, &asked);
	assert_int_equal(asked.answer.outcome, OUTCOME_OK);
	assert_int_equal(asked.answer.message.address_count, 2);
	assert_int_equal(dns_fixture_streams(setting->first), 1);
	/* One datagram, a connection and a question on it. */
	assert_int_equal(counters(setting).datagrams, 3);
}

static void four_thousand_addresses_are_counted_and_few_kept(void **state)
{
	struct setting *setting = *state;
	struct asked asked;

	dns_fixture_rule(setting->first)->is_truncated = true;
	dns_fixture_rule(setting->first)->addresses = 4000;
	ask(setting, &asked, "checkout.example");
	wait_for(setting, &asked);
	assert_int_equal(asked.answer.outcome, OUTCOME_OK);
	assert_int_equal(asked.answer.message.address_total, 4000);
	assert_int_equal(asked.answer.message.address_count, DNS_ADDRESSES_MAX);
}

static void a_long_datagram_is_an_answer_without_tcp(void **state)
{
	struct setting *setting = *state;
	struct asked asked;

	dns_fixture_rule(setting->first)->addresses = 100;
	ask(setting, &asked, "checkout.example");
	wait_for(setting, &asked);
	assert_int_equal(asked.answer.outcome, OUTCOME_OK);
	assert_int_equal(asked.answer.message.address_total, 100);
	assert_int_equal(counters(setting).datagrams, 1);
}

static void trouble_over_tcp_has_its_outcome(void **state)
{
	struct setting *setting = *state;
	struct dns_fixture_rule *rule = dns_fixture_rule(setting->first);

	rule->is_truncated = true;
	rule->fault = DNS_FIXTURE_TCP_CLOSE;
	expect(setting, OUTCOME_DNS_BAD_REPLY, false, "TCP connection closed before the reply");
	rule->fault = DNS_FIXTURE_TCP_SILENT;
	expect(setting, OUTCOME_DNS_TIMEOUT, false, "no answer over TCP after a truncated one in 400 ms");
	rule->fault = DNS_FIXTURE_TCP_HALF;
	expect(setting, OUTCOME_DNS_TIMEOUT, false, "no answer over TCP");
	dns_fixture_stop_tcp(setting->first);
	expect(setting, OUTCOME_DNS_UNREACHABLE, false, "Connection refused");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, resolver_setting_up, resolver_setting_down)
	const struct CMUnitTest tests[] = {
		CASE(an_a_question_gets_its_addresses),
		CASE(an_aaaa_question_gets_its_addresses),
		CASE(a_server_with_an_ipv6_address_is_asked),
		CASE(a_chain_of_aliases_is_kept),
		CASE(a_ttl_with_the_top_bit_set_is_zero),
		CASE(every_rcode_has_its_outcome),
		CASE(an_answer_without_an_address_is_nodata),
		CASE(an_impossible_name_is_not_asked_for),
		CASE(a_reply_that_makes_no_sense_is_a_bad_reply_at_once),
		CASE(nothing_but_forgeries_is_a_bad_reply_at_the_deadline),
		CASE(forgeries_before_the_answer_are_ignored),
		CASE(silence_is_a_timeout_at_the_deadline),
		CASE(a_closed_port_is_unreachable_at_once),
		CASE(a_server_that_cannot_be_sent_to_is_unreachable),
		CASE(without_a_descriptor_it_is_our_own_fault),
		CASE(a_truncated_reply_is_followed_to_tcp),
		CASE(four_thousand_addresses_are_counted_and_few_kept),
		CASE(a_long_datagram_is_an_answer_without_tcp),
		CASE(trouble_over_tcp_has_its_outcome),
	};

	return cmocka_run_group_tests_name("resolver", tests, NULL, NULL);
}
