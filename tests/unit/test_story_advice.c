/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "lattice-probe/story.h"

#include "evidence_fixture.h"

#define SET_TEXT(field, text) (void)snprintf((field), sizeof(field), "%s", (text))

static struct story_fixes advise(const struct evidence *evidence, enum diagnosis_verdict verdict)
{
	struct diagnosis diagnosis = { .verdict = verdict, .confidence = DIAGNOSIS_CERTAIN };
	struct story_fixes fixes;

	story_advise(evidence, &diagnosis, &fixes);
	return fixes;
}

static bool is_advised(const struct story_fixes *fixes, const char *text)
{
	for (size_t i = 0; i < fixes->count; i++)
		if (strstr(fixes->items[i].words, text) || strstr(fixes->items[i].command, text))
			return true;
	return false;
}

static void assert_advised(const struct evidence *evidence, enum diagnosis_verdict verdict, const char *text)
{
	struct story_fixes fixes = advise(evidence, verdict);

	if (!is_advised(&fixes, text))
		fail_msg("%s does not advise \"%s\"", diagnosis_name(verdict), text);
}

/* A whole sentence, no name left open, room to spare, and nothing that takes away what is there. */
static void assert_sound(const struct story_fix *fix)
{
	static const char *const never[] = { "delete", "revoke", "terminate", "disassociate", "put-auth-policy", " rm ",
		"flush", "replace-" };
	size_t words = strlen(fix->words);

	assert_true(words > 10 && words < STORY_FIX_SIZE - 1);
	assert_true(isupper((unsigned char)fix->words[0]) || strstr(fix->words, ": ") != NULL);
	assert_non_null(strchr(".?})", fix->words[words - 1]));
	assert_true(strlen(fix->command) < STORY_FIX_SIZE - 1);
	for (size_t i = 0; i < sizeof never / sizeof *never; i++)
		assert_null(strstr(fix->command, never[i]));
	assert_null(strchr(fix->command, '\n'));
	for (const char *brace = strchr(fix->command, '{'); brace; brace = strchr(brace + 1, '{'))
		assert_false(isupper((unsigned char)brace[1]) && isupper((unsigned char)brace[2]));
}

static void every_verdict_has_sound_advice_whatever_is_known(void **state)
{
	static struct evidence nothing, much;

	(void)state;
	evidence_failing(&much, OUTCOME_CONNECT_TIMEOUT);
	evidence_add_control(&much);
	evidence_add_publishing(&much);
	for (int verdict = 0; verdict < DIAGNOSIS_COUNT; verdict++) {
		struct story_fixes poor = advise(&nothing, (enum diagnosis_verdict)verdict);
		struct story_fixes rich = advise(&much, (enum diagnosis_verdict)verdict);

		assert_true(poor.count > 0 && rich.count > 0);
		for (size_t i = 0; i < poor.count; i++)
			assert_sound(&poor.items[i]);
		for (size_t i = 0; i < rich.count; i++)
			assert_sound(&rich.items[i]);
	}
}

static void every_verdict_can_be_told_from_the_other_candidates(void **state)
{
	static struct evidence evidence;

	(void)state;
	evidence_failing(&evidence, OUTCOME_CONNECT_TIMEOUT);
	for (int verdict = 0; verdict < DIAGNOSIS_COUNT; verdict++) {
		struct diagnosis diagnosis = { .verdict = DIAGNOSIS_PATH_SILENT, .confidence = DIAGNOSIS_CANDIDATES,
			.candidates = { (enum diagnosis_verdict)verdict }, .candidate_count = 1 };
		struct story_fixes fixes;
		char lead[64];

		story_advise(&evidence, &diagnosis, &fixes);
		(void)snprintf(lead, sizeof lead, "It is %s when ", diagnosis_name((enum diagnosis_verdict)verdict));
		assert_int_equal(fixes.count, 2);
		assert_int_equal(strncmp(fixes.items[0].words, lead, strlen(lead)), 0);
		assert_false(isupper((unsigned char)fixes.items[0].words[strlen(lead)]) &&
			!isupper((unsigned char)fixes.items[0].words[strlen(lead) + 1]) &&
			!strstr(fixes.items[0].words, "Lattice"));
		assert_sound(&fixes.items[0]);
	}
}

static void many_candidates_leave_room_for_the_likeliest_ones_remedy(void **state)
{
	static struct evidence evidence;
	struct diagnosis diagnosis = { .verdict = DIAGNOSIS_PATH_SILENT, .confidence = DIAGNOSIS_CANDIDATES,
		.candidate_count = DIAGNOSIS_CANDIDATES_MAX };
	struct story_fixes fixes;

	(void)state;
	evidence_failing(&evidence, OUTCOME_CONNECT_TIMEOUT);
	for (size_t i = 0; i < DIAGNOSIS_CANDIDATES_MAX; i++)
		diagnosis.candidates[i] = DIAGNOSIS_VPC_NOT_ASSOCIATED;
	story_advise(&evidence, &diagnosis, &fixes);
	assert_int_equal(fixes.count, STORY_FIXES_MAX);
	assert_non_null(strstr(fixes.items[STORY_FIXES_MAX - 1].words, "If it is vpc-not-associated: Associate this VPC"));
}

static void what_the_control_plane_shows_is_not_looked_up_again(void **state)
{
	static struct evidence evidence;
	struct diagnosis diagnosis = { .verdict = DIAGNOSIS_PATH_SILENT, .confidence = DIAGNOSIS_LIKELY };
	struct story_fixes fixes;

	(void)state;
	evidence_failing(&evidence, OUTCOME_CONNECT_TIMEOUT);
	evidence_add_control(&evidence);
	story_advise(&evidence, &diagnosis, &fixes);
	for (size_t i = 0; i < fixes.count; i++) {
		assert_null(strstr(fixes.items[i].command, "aws "));
		assert_null(strstr(fixes.items[i].words, "credentials"));
	}
	assert_non_null(strstr(fixes.items[0].command, "sudo tcpdump -ni "));
	evidence.control.nacl_allows_back = CLAIM_UNKNOWN;
	story_advise(&evidence, &diagnosis, &fixes);
	assert_non_null(strstr(fixes.items[0].command, "aws ec2 describe-network-acls "));
	assert_non_null(strstr(fixes.items[fixes.count - 1].words, "With credentials that may read these"));
}

static void known_ids_are_filled_in_and_unknown_ones_stand_in_capitals(void **state)
{
	static struct evidence evidence, nothing;

	(void)state;
	evidence_failing(&evidence, OUTCOME_CONNECT_TIMEOUT);
	evidence_add_control(&evidence);
	evidence.control.association_sg_allows = CLAIM_NO;
	SET_TEXT(evidence.control.blocked_by, "sg-0fedcba9876543210,sg-1");
	assert_advised(&evidence, DIAGNOSIS_ASSOCIATION_SG_BLOCKS, "aws ec2 authorize-security-group-ingress --group-id "
		"sg-0fedcba9876543210 --protocol tcp --port 443 --cidr 10.0.1.17/32");
	assert_advised(&nothing, DIAGNOSIS_ASSOCIATION_SG_BLOCKS, "--group-id ASSOCIATION_GROUP_ID --protocol tcp --port "
		"PORT --cidr SOURCE_CIDR");
	assert_advised(&evidence, DIAGNOSIS_IMDS_HOP_LIMIT, "--instance-id i-0123456789abcdef0 "
		"--http-put-response-hop-limit 2");
	assert_advised(&evidence, DIAGNOSIS_METRICS_UNREACHABLE, "com.amazonaws.eu-west-1.monitoring");
	assert_advised(&nothing, DIAGNOSIS_METRICS_UNREACHABLE, "com.amazonaws.REGION.monitoring");
}

static void a_region_is_read_from_the_name_when_imds_is_silent(void **state)
{
	static struct evidence evidence;

	(void)state;
	evidence_healthy(&evidence);
	evidence_set_outside(&evidence);
	assert_advised(&evidence, DIAGNOSIS_METRICS_UNREACHABLE, "com.amazonaws.eu-west-1.monitoring");
}

static void advice_follows_the_family_and_kind_of_the_address(void **state)
{
	static struct evidence evidence;

	(void)state;
	evidence_failing(&evidence, OUTCOME_CONNECT_TIMEOUT);
	assert_advised(&evidence, DIAGNOSIS_NACL_BLOCKS, "--cidr-block 169.254.171.0/24");
	assert_advised(&evidence, DIAGNOSIS_INSTANCE_SG_BLOCKS, "com.amazonaws.eu-west-1.vpc-lattice");
	evidence_set_path_address(&evidence, EVIDENCE_LATTICE_V6);
	assert_advised(&evidence, DIAGNOSIS_NACL_BLOCKS, "--ipv6-cidr-block fd00:ec2:80::/64");
	assert_advised(&evidence, DIAGNOSIS_INSTANCE_SG_BLOCKS, "com.amazonaws.eu-west-1.ipv6.vpc-lattice");
	assert_advised(&evidence, DIAGNOSIS_ASSOCIATION_SG_BLOCKS, "Ipv6Ranges=[{CidrIpv6=");
	evidence_set_path_address(&evidence, "10.0.7.7");
	assert_advised(&evidence, DIAGNOSIS_INSTANCE_SG_BLOCKS, "ENDPOINT_GROUP_ID");
	assert_advised(&evidence, DIAGNOSIS_NACL_BLOCKS, "--cidr-block 10.0.7.7/32");
}

static void an_address_that_is_not_lattices_has_no_listeners_there(void **state)
{
	static struct evidence evidence;
	struct story_fixes fixes;

	(void)state;
	evidence_failing(&evidence, OUTCOME_CONNECT_REFUSED);
	fixes = advise(&evidence, DIAGNOSIS_CONNECT_REFUSED);
	assert_true(is_advised(&fixes, "list-listeners"));
	evidence_set_path_address(&evidence, "127.0.0.1");
	fixes = advise(&evidence, DIAGNOSIS_CONNECT_REFUSED);
	assert_false(is_advised(&fixes, "list-listeners"));
	assert_true(is_advised(&fixes, "127.0.0.1 is not VPC Lattice's"));
}

static void an_mtu_is_lowered_never_raised(void **state)
{
	static struct evidence evidence;
	struct story_fixes fixes;

	(void)state;
	evidence_failing(&evidence, OUTCOME_HTTP_TIMEOUT);
	evidence_path(&evidence)->exchanges[EXCHANGE_MAIN].mss_bytes = 1460;
	fixes = advise(&evidence, DIAGNOSIS_PMTU_BLACKHOLE);
	assert_true(is_advised(&fixes, "mtu MTU"));
	assert_false(is_advised(&fixes, "mtu 8500"));
	evidence_path(&evidence)->exchanges[EXCHANGE_MAIN].mss_bytes = 8961;
	fixes = advise(&evidence, DIAGNOSIS_PMTU_BLACKHOLE);
	assert_true(is_advised(&fixes, "dev ens5 mtu 8500"));
}

static void a_denial_is_mended_where_it_was_said(void **state)
{
	static struct evidence evidence;
	struct evidence_exchange *exchange;
	struct story_fixes fixes;

	(void)state;
	evidence_healthy(&evidence);
	exchange = &evidence_path(&evidence)->exchanges[EXCHANGE_MAIN];
	SET_TEXT(exchange->denied_by, "service-based");
	fixes = advise(&evidence, DIAGNOSIS_AUTH_DENIED);
	assert_true(is_advised(&fixes, "auth = sigv4"));
	assert_true(is_advised(&fixes, "the service's auth policy"));
	assert_false(is_advised(&fixes, "the service network's auth policy"));
	assert_false(is_advised(&fixes, "put-role-policy"));
	evidence.target.is_signed = true;
	SET_TEXT(exchange->denied_by, "identity-based");
	fixes = advise(&evidence, DIAGNOSIS_AUTH_DENIED);
	assert_false(is_advised(&fixes, "auth = sigv4"));
	assert_true(is_advised(&fixes, "put-role-policy"));
	assert_false(is_advised(&fixes, "explicit Deny"));
	exchange->denied_by[0] = '\0';
	exchange->is_explicit_deny = true;
	fixes = advise(&evidence, DIAGNOSIS_AUTH_DENIED);
	assert_true(is_advised(&fixes, "explicit Deny"));
	assert_true(is_advised(&fixes, "the service network's auth policy"));
}

static void nothing_a_server_said_is_run_by_a_shell(void **state)
{
	static const char *const bad[] = { "x;reboot", "$(reboot)", "`reboot`", "a b", "a'b", "a\"b", "-rf", "a|b", "a&b",
		"a>b", "a\nb", "a*", "~", "a\\b", "{A}" };
	static struct evidence evidence;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		evidence_failing(&evidence, OUTCOME_CONNECT_TIMEOUT);
		SET_TEXT(evidence.target.host, bad[i]);
		SET_TEXT(evidence.target.url, bad[i]);
		SET_TEXT(evidence.control.service_id, bad[i]);
		SET_TEXT(evidence.where.facts.vpc_id, bad[i]);
		SET_TEXT(evidence.where.facts.region, bad[i]);
		assert_advised(&evidence, DIAGNOSIS_DNS_NODATA, "dig HOST A HOST AAAA");
		assert_advised(&evidence, DIAGNOSIS_APP_STATUS, "curl -v URL");
		assert_advised(&evidence, DIAGNOSIS_CONNECT_REFUSED, "--service-identifier SERVICE_ID");
		assert_advised(&evidence, DIAGNOSIS_DNS_NXDOMAIN, "--vpc-id VPC_ID --vpc-region REGION");
	}
}

static void the_advice_that_the_documents_promise_is_given(void **state)
{
	static const struct {
		enum diagnosis_verdict verdict;
		const char *text;
	} rows[] = {
		{ DIAGNOSIS_DNS_WRONG_RESOLVER, "DHCP option set" },
		{ DIAGNOSIS_DNS_WRONG_RESOLVER, "forward on.aws to the VPC resolver" },
		{ DIAGNOSIS_DNS_REBIND_FILTERED, "private-domain: \"on.aws\"" },
		{ DIAGNOSIS_DNS_REBIND_FILTERED, "rebind-domain-ok=/on.aws/" },
		{ DIAGNOSIS_ROUTE_ZEROCONF, "NOZEROCONF=yes" },
		{ DIAGNOSIS_OUTSIDE_VPC, "a public subnet or a public address plays no part" },
		{ DIAGNOSIS_OUTSIDE_VPC, "--vpc-endpoint-type ServiceNetwork" },
		{ DIAGNOSIS_VPC_NOT_ASSOCIATED, "Service networks → the network → VPC associations → Create" },
		{ DIAGNOSIS_PMTU_BLACKHOLE, "8500" },
		{ DIAGNOSIS_PMTU_BLACKHOLE, "fragmentation needed" },
		{ DIAGNOSIS_METRICS_UNREACHABLE, "NAT" },
		{ DIAGNOSIS_METRICS_DENIED, "cloudwatch:PutMetricData" },
		{ DIAGNOSIS_CLOCK_SKEW, "169.254.169.123" },
	};
	static struct evidence evidence;

	(void)state;
	evidence_healthy(&evidence);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_advised(&evidence, rows[i].verdict, rows[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_verdict_has_sound_advice_whatever_is_known),
		cmocka_unit_test(every_verdict_can_be_told_from_the_other_candidates),
		cmocka_unit_test(many_candidates_leave_room_for_the_likeliest_ones_remedy),
		cmocka_unit_test(what_the_control_plane_shows_is_not_looked_up_again),
		cmocka_unit_test(known_ids_are_filled_in_and_unknown_ones_stand_in_capitals),
		cmocka_unit_test(a_region_is_read_from_the_name_when_imds_is_silent),
		cmocka_unit_test(advice_follows_the_family_and_kind_of_the_address),
		cmocka_unit_test(an_address_that_is_not_lattices_has_no_listeners_there),
		cmocka_unit_test(an_mtu_is_lowered_never_raised),
		cmocka_unit_test(a_denial_is_mended_where_it_was_said),
		cmocka_unit_test(nothing_a_server_said_is_run_by_a_shell),
		cmocka_unit_test(the_advice_that_the_documents_promise_is_given),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
