/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lattice-probe/evidence.h"
#include "lattice-probe/story.h"
#include "lattice-probe/units.h"

#include "evidence_fixture.h"

#define SET_TEXT(field, text) (void)snprintf((field), sizeof(field), "%s", (text))

static const struct story_step *find_step(const struct story *story, const char *step, const char *subject)
{
	for (size_t i = 0; i < story->count; i++)
		if (strcmp(story->steps[i].step, step) == 0 && (!subject || strcmp(story->steps[i].subject, subject) == 0))
			return &story->steps[i];
	return NULL;
}

static void assert_tells(const struct evidence *evidence, const char *step, const char *subject,
	enum story_mark mark, const char *words)
{
	static struct story story;
	const struct story_step *found;

	story_tell(evidence, false, &story);
	found = find_step(&story, step, subject);
	assert_non_null(found);
	if (!strstr(found->answer, words))
		fail_msg("%s: \"%s\" does not say \"%s\"", step, found->answer, words);
	assert_int_equal(found->mark, mark);
}

/* ---- what each hop says ----------------------------------------------------------------------- */

static void untouched_evidence_tells_nothing(void **state)
{
	static const struct evidence nothing;
	struct story story;

	(void)state;
	story_tell(&nothing, true, &story);
	assert_int_equal(story.count, 0);
}

static void a_healthy_path_is_told_in_the_order_of_its_hops(void **state)
{
	static const char *const order[] = { "where", "where", "dns", "dns", "address", "route", "tcp", "tls", "http" };
	static struct evidence evidence;
	struct story story;

	(void)state;
	evidence_healthy(&evidence);
	story_tell(&evidence, false, &story);
	assert_int_equal(story.count, sizeof order / sizeof *order);
	for (size_t i = 0; i < story.count; i++) {
		assert_string_equal(story.steps[i].step, order[i]);
		assert_int_equal(story.steps[i].mark, STORY_GOOD);
		assert_int_not_equal(story.steps[i].question[0], '\0');
	}
	assert_tells(&evidence, "dns", "10.0.0.2 A", STORY_GOOD, "169.254.171.33, TTL 60 s");
	assert_tells(&evidence, "http", NULL, STORY_GOOD, "200 HTTP");
}

static void a_resolver_that_does_not_know_stands_beside_one_that_does(void **state)
{
	static struct evidence evidence;

	(void)state;
	evidence_resolving(&evidence, OUTCOME_DNS_NXDOMAIN, OUTCOME_OK);
	assert_tells(&evidence, "dns", "192.168.7.53 A", STORY_BAD, "NXDOMAIN");
	assert_tells(&evidence, "dns", "169.254.169.253 A", STORY_GOOD, "169.254.171.33, TTL 60 s (VPC resolver)");
	assert_tells(&evidence, "dns", "169.254.169.253 AAAA", STORY_GOOD, "no address");
	assert_tells(&evidence, "address", NULL, STORY_SKIPPED, "none to try");
}

static void a_resolver_on_another_port_says_so(void **state)
{
	static struct evidence evidence;

	(void)state;
	evidence_healthy(&evidence);
	address_set_port(&evidence.dns.resolvers[0].server, 5353);
	evidence.dns.resolvers[0].is_outside = true;
	assert_tells(&evidence, "dns", "10.0.0.2:5353 A", STORY_GOOD, "(outside this VPC)");
}

static void lost_replies_and_drops_are_counted(void **state)
{
	static struct evidence evidence;

	(void)state;
	evidence_healthy(&evidence);
	evidence.dns.resolvers[0].asked = 8;
	evidence.dns.resolvers[0].answered = 6;
	evidence.dns.counts_drops = true;
	evidence.dns.link_local_drops = 17;
	assert_tells(&evidence, "dns", "10.0.0.2", STORY_BAD, "2 of 8 questions");
	assert_tells(&evidence, "dns", "allowance", STORY_BAD, "17 packets");
}

static void an_alias_says_where_it_leads(void **state)
{
	static struct evidence evidence;
	struct evidence_answer *answer;

	(void)state;
	evidence_resolving(&evidence, OUTCOME_DNS_NXDOMAIN, OUTCOME_NONE);
	answer = &evidence.dns.resolvers[0].answers[EVIDENCE_A];
	answer->cname_count = 1;
	SET_TEXT(answer->cname, "gone.example.com");
	assert_tells(&evidence, "dns", "192.168.7.53 A", STORY_BAD, "an alias of gone.example.com");
	answer->is_cname_loop = true;
	assert_tells(&evidence, "dns", "192.168.7.53 A", STORY_BAD, "leads back to itself");
}

static void a_failed_neighbour_marks_the_route(void **state)
{
	static struct evidence evidence;

	(void)state;
	evidence_failing(&evidence, OUTCOME_CONNECT_TIMEOUT);
	evidence_path(&evidence)->neighbour_after = ROUTE_NEIGHBOUR_FAILED;
	assert_tells(&evidence, "route", NULL, STORY_BAD, "the gateway does not answer");
	evidence_path(&evidence)->route.gateway = (union address){ 0 };
	assert_tells(&evidence, "route", NULL, STORY_BAD, "nobody answers for it on the link");
	evidence_path(&evidence)->route = (struct route){ .kind = ROUTE_NONE, .error = ENETUNREACH };
	assert_tells(&evidence, "route", NULL, STORY_BAD, "no route");
	evidence_path(&evidence)->route = (struct route){ .kind = ROUTE_BLACKHOLE, .error = EINVAL };
	assert_tells(&evidence, "route", NULL, STORY_BAD, "blackhole");
}

static void every_failed_connection_has_words(void **state)
{
	static const struct {
		enum outcome outcome;
		const char *words;
	} rows[] = {
		{ OUTCOME_CONNECT_REFUSED, "refused" }, { OUTCOME_CONNECT_TIMEOUT, "no answer" },
		{ OUTCOME_CONNECT_UNREACHABLE, "unreachable" }, { OUTCOME_CONNECT_DENIED, "firewall" },
	};
	static struct evidence evidence;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		evidence_failing(&evidence, rows[i].outcome);
		assert_tells(&evidence, "tcp", "port 443", STORY_BAD, rows[i].words);
		assert_tells(&evidence, "http", NULL, STORY_SKIPPED, "not reached");
	}
}

static void a_handshake_names_the_alert_and_the_certificate(void **state)
{
	static struct evidence evidence;
	struct evidence_exchange *exchange;

	(void)state;
	evidence_failing(&evidence, OUTCOME_TLS_HANDSHAKE);
	exchange = &evidence_path(&evidence)->exchanges[EXCHANGE_MAIN];
	exchange->tls_alert = 112;
	assert_tells(&evidence, "tls", NULL, STORY_BAD, "unrecognized_name (112)");
	exchange->tls_alert = 200;
	assert_tells(&evidence, "tls", NULL, STORY_BAD, "alert: 200");
	exchange->certificate_days = -3;
	SET_TEXT(exchange->certificate_issuer, "CN=Amazon RSA 2048 M02");
	assert_tells(&evidence, "tls", NULL, STORY_BAD, "ended 3 days ago");
	assert_tells(&evidence, "tls", NULL, STORY_BAD, "issuer CN=Amazon RSA 2048 M02");
}

static void a_refusal_says_who_refused(void **state)
{
	static struct evidence evidence;
	struct evidence_exchange *exchange;

	(void)state;
	evidence_healthy(&evidence);
	evidence_set_status(&evidence, 404);
	assert_tells(&evidence, "http", NULL, STORY_BAD, "probably from VPC Lattice itself");
	exchange = &evidence_path(&evidence)->exchanges[EXCHANGE_MAIN];
	exchange->is_bare = false;
	SET_TEXT(exchange->server, "nginx");
	assert_tells(&evidence, "http", NULL, STORY_BAD, "probably from the application");
	assert_tells(&evidence, "http", NULL, STORY_BAD, "Server: nginx");
	exchange->has_marker = true;
	exchange->echoes_request_id = true;
	assert_tells(&evidence, "http", NULL, STORY_BAD, "the expected header is there");
	assert_tells(&evidence, "http", NULL, STORY_BAD, "through VPC Lattice");
	exchange->is_lattice_denial = true;
	exchange->denies_anonymous = true;
	exchange->is_explicit_deny = true;
	SET_TEXT(exchange->denied_by, "service-based");
	assert_tells(&evidence, "http", NULL, STORY_BAD, "denied an anonymous caller, by an explicit deny, service-based");
}

static void an_unsafe_method_is_told_as_not_sent(void **state)
{
	static struct evidence evidence;

	(void)state;
	evidence_healthy(&evidence);
	SET_TEXT(evidence.target.method, "POST");
	evidence_path(&evidence)->exchanges[EXCHANGE_MAIN].is_stand_in = true;
	assert_tells(&evidence, "http", NULL, STORY_SKIPPED, "POST is never sent");
}

static void what_was_never_tried_says_why(void **state)
{
	static struct evidence evidence;
	struct evidence_exchange *exchange;

	(void)state;
	evidence_failing(&evidence, OUTCOME_LOCAL_CREDENTIALS);
	exchange = &evidence_path(&evidence)->exchanges[EXCHANGE_MAIN];
	SET_TEXT(exchange->detail, "the chain is empty");
	assert_tells(&evidence, "http", NULL, STORY_BAD, "not tried: no usable credentials for a signed probe, the chain");
	evidence_failing(&evidence, OUTCOME_HTTP_BODY);
	SET_TEXT(exchange->detail, "\"ready\" is not in it");
	assert_tells(&evidence, "http", NULL, STORY_BAD, "\"ready\" is not in it");
}

static void follow_ups_stand_with_the_hop_they_explain(void **state)
{
	static struct evidence evidence;

	(void)state;
	evidence_failing(&evidence, OUTCOME_CONNECT_REFUSED);
	evidence_set_exchange(&evidence, EXCHANGE_OTHER_PORT, OUTCOME_OK);
	evidence_path(&evidence)->exchanges[EXCHANGE_OTHER_PORT].port = 80;
	assert_tells(&evidence, "tcp", "other port 80", STORY_GOOD, "answers: 200");
	evidence_failing(&evidence, OUTCOME_TLS_HANDSHAKE);
	evidence_set_exchange(&evidence, EXCHANGE_OTHER_NAME, OUTCOME_TLS_NAME);
	assert_tells(&evidence, "tls", "generated name", STORY_BAD, "another name");
}

static void what_aws_says_is_told_check_by_check(void **state)
{
	static struct evidence evidence;

	(void)state;
	evidence_failing(&evidence, OUTCOME_CONNECT_TIMEOUT);
	assert_tells(&evidence, "aws", NULL, STORY_SKIPPED, "not asked");
	evidence_add_control(&evidence);
	assert_tells(&evidence, "aws", "association", STORY_GOOD, "ACTIVE");
	evidence.control.association_sg_allows = CLAIM_NO;
	SET_TEXT(evidence.control.blocked_by, "sg-0fedcba9876543210");
	assert_tells(&evidence, "aws", "association groups", STORY_BAD, "sg-0fedcba9876543210");
	evidence.control.instance_sg_allows = CLAIM_NO;
	assert_tells(&evidence, "aws", "instance groups", STORY_BAD, "sg-0fedcba9876543210");
	evidence.control.nacl_allows_out = CLAIM_UNKNOWN;
	evidence.control.ends[CONTROL_NETWORK_ACLS] = CONTROL_DENIED;
	assert_tells(&evidence, "aws", "ACL out", STORY_UNKNOWN, "ec2:DescribeNetworkAcls");
}

static void publishing_and_daemon_are_told_with_their_differences(void **state)
{
	static struct evidence evidence;

	(void)state;
	evidence_healthy(&evidence);
	evidence_add_publishing(&evidence);
	assert_tells(&evidence, "publish", NULL, STORY_GOOD, "takes metrics");
	assert_tells(&evidence, "where", "credentials", STORY_GOOD, "by imds");
	evidence.publishing.class_ = AWS_CLASS_UNREACHABLE;
	assert_tells(&evidence, "publish", NULL, STORY_BAD, "cannot be reached");
	evidence.daemon = (struct evidence_daemon){ .is_running = true, .knows_probe = true,
		.last_outcome = OUTCOME_CONNECT_TIMEOUT, .age_us = 12 * US_PER_S, .streak = 5,
		.credentials = "environment" };
	assert_tells(&evidence, "daemon", NULL, STORY_UNKNOWN, "connect_timeout 12 s ago, 5 in a row, which differs");
	assert_tells(&evidence, "daemon", NULL, STORY_UNKNOWN, "not those used here (imds)");
}

static void a_diagnosis_cut_short_says_so(void **state)
{
	static struct evidence evidence;

	(void)state;
	evidence_healthy(&evidence);
	evidence.is_cut_short = true;
	assert_tells(&evidence, "end", NULL, STORY_UNKNOWN, "the time was over");
}

/* ---- what is nobody's business ----------------------------------------------------------------- */

static void names_of_accounts_and_principals_are_masked(void **state)
{
	static const struct {
		const char *text;
		const char *masked;
	} rows[] = {
		{ "arn:aws:sts::123456789012:assumed-role/checkout/i-0123 may not",
			"arn:aws:sts::************:assumed-role/*** may not" },
		{ "role arn:aws:iam::123456789012:role/path/name.", "role arn:aws:iam::************:role/***" },
		{ "\"arn:aws:iam::123456789012:user/a\"", "\"arn:aws:iam::************:user/*\"" },
		{ "bucket-123456789012", "bucket-************" },
		{ "key AKIAIOSFODNN7EXAMPLE.", "key ***MPLE." },
		{ "1234567890123 vpc-0123456789abcdef0 0x123456789012", "1234567890123 vpc-0123456789abcdef0 0x123456789012" },
		{ "https://h/p?token=secret and more", "https://h/p?… and more" },
		{ "what? https://h/p", "what? https://h/p" },
	};
	char text[128];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		SET_TEXT(text, rows[i].text);
		story_make_presentable(text, false);
		assert_string_equal(text, rows[i].masked);
	}
	SET_TEXT(text, "https://h/p?token=secret of 123456789012");
	story_make_presentable(text, true);
	assert_string_equal(text, "https://h/p?… of 123456789012");
}

static void only_verbose_tells_the_account(void **state)
{
	static struct evidence evidence;
	struct story story;

	(void)state;
	evidence_healthy(&evidence);
	for (int verbose = 0; verbose <= 1; verbose++) {
		bool is_told = false;

		story_tell(&evidence, verbose != 0, &story);
		for (size_t i = 0; i < story.count; i++)
			is_told |= strstr(story.steps[i].answer, "123456789012") != NULL;
		assert_int_equal(is_told, verbose);
	}
}

static void what_cannot_be_shown_is_replaced(void **state)
{
	static const struct {
		const char *text;
		const char *shown;
	} rows[] = {
		{ "a\033[31mb\r\n\tc\177", "a?[31mb???c?" },
		{ "M\303\274ller … ✓", "M\303\274ller … ✓" },
		{ "\303", "?" }, { "\303(", "?(" }, { "\300\257", "??" }, { "\355\240\200", "???" },
		{ "\364\220\200\200", "????" }, { "\342\200\256gpj", "?gpj" }, { "\302\205", "?" }, { "\357\273\277", "?" },
	};
	char text[64];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		SET_TEXT(text, rows[i].text);
		story_make_presentable(text, true);
		assert_string_equal(text, rows[i].shown);
	}
}

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u; /* a linear congruential generator; quality does not matter */
	return *state >> 8;
}

/* Bytes, pieces of what is looked for, and both cut anywhere. */
static void any_text_becomes_presentable_once_and_for_all(void **state)
{
	static const char *const pieces[] = { "arn:aws:iam::123456789012:role/", ":user/", "AKIAIOSFODNN7EXAMPLE", "://",
		"?", "123456789012", "…", "\342\200", " " };
	uint32_t seed = (uint32_t)mono_now().us;
	uint32_t random = seed;

	(void)state;
	print_message("seed %u\n", (unsigned)seed);
	for (int round = 0; round < 20000; round++) {
		char text[97] = "";
		char again[97];
		size_t length;

		while (next_random(&random) % 12 != 0 && strlen(text) < 64) {
			const char byte[2] = { (char)(1 + next_random(&random) % 255), '\0' };
			bool is_piece = next_random(&random) % 2 == 0;

			length = strlen(text);
			(void)snprintf(text + length, sizeof text - length, "%s",
				is_piece ? pieces[next_random(&random) % (sizeof pieces / sizeof *pieces)] : byte);
		}
		length = strlen(text);
		story_make_presentable(text, false);
		assert_true(strlen(text) <= length);
		memcpy(again, text, sizeof again);
		story_make_presentable(again, round % 2 == 0);
		assert_string_equal(again, text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(untouched_evidence_tells_nothing),
		cmocka_unit_test(a_healthy_path_is_told_in_the_order_of_its_hops),
		cmocka_unit_test(a_resolver_that_does_not_know_stands_beside_one_that_does),
		cmocka_unit_test(a_resolver_on_another_port_says_so),
		cmocka_unit_test(lost_replies_and_drops_are_counted),
		cmocka_unit_test(an_alias_says_where_it_leads),
		cmocka_unit_test(a_failed_neighbour_marks_the_route),
		cmocka_unit_test(every_failed_connection_has_words),
		cmocka_unit_test(a_handshake_names_the_alert_and_the_certificate),
		cmocka_unit_test(a_refusal_says_who_refused),
		cmocka_unit_test(an_unsafe_method_is_told_as_not_sent),
		cmocka_unit_test(what_was_never_tried_says_why),
		cmocka_unit_test(follow_ups_stand_with_the_hop_they_explain),
		cmocka_unit_test(what_aws_says_is_told_check_by_check),
		cmocka_unit_test(publishing_and_daemon_are_told_with_their_differences),
		cmocka_unit_test(a_diagnosis_cut_short_says_so),
		cmocka_unit_test(names_of_accounts_and_principals_are_masked),
		cmocka_unit_test(only_verbose_tells_the_account),
		cmocka_unit_test(what_cannot_be_shown_is_replaced),
		cmocka_unit_test(any_text_becomes_presentable_once_and_for_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
