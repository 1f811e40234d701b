/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <string.h>

#include <cmocka.h>

#include "diagnosis_check.h"
#include "evidence_examples.h"

static struct evidence evidence;
static struct diagnosis diagnosis;

/* The confidence that the example of a verdict carries; all others are certain. */
static enum diagnosis_confidence best_confidence(enum diagnosis_verdict verdict)
{
	static const enum diagnosis_verdict likely[] = {
		DIAGNOSIS_UNDETERMINED, DIAGNOSIS_DNS_UNEXPECTED_ADDRESS, DIAGNOSIS_PATH_SILENT,
		DIAGNOSIS_CONNECT_REFUSED, DIAGNOSIS_TLS_FAILED, DIAGNOSIS_AUTH_SIGNATURE,
		DIAGNOSIS_LATTICE_NO_ROUTE, DIAGNOSIS_TARGET_UNAVAILABLE, DIAGNOSIS_APP_FORBIDDEN,
		DIAGNOSIS_APP_STATUS, DIAGNOSIS_METRICS_DENIED,
	};

	for (size_t i = 0; i < sizeof likely / sizeof *likely; i++)
		if (likely[i] == verdict)
			return DIAGNOSIS_LIKELY;
	return DIAGNOSIS_CERTAIN;
}

static void every_verdict_is_reached_by_its_example(void **state)
{
	(void)state;
	for (enum diagnosis_verdict verdict = 0; verdict < DIAGNOSIS_COUNT; verdict++) {
		evidence_example(verdict, &evidence);
		diagnosis_check_decide(&evidence, &diagnosis);
		assert_string_equal(diagnosis_name(diagnosis.verdict), diagnosis_name(verdict));
		if (diagnosis.confidence != best_confidence(verdict))
			print_message("%s\n", diagnosis_name(verdict));
		assert_int_equal(diagnosis.confidence, best_confidence(verdict));
	}
}

/* Only here is a decision better founded than its row. */
static void the_basis_is_the_rows_but_for_two_witnesses_of_a_missing_name(void **state)
{
	(void)state;
	for (enum diagnosis_verdict verdict = 0; verdict < DIAGNOSIS_COUNT; verdict++) {
		evidence_example(verdict, &evidence);
		diagnosis_check_decide(&evidence, &diagnosis);
		assert_int_equal(diagnosis.basis, verdict == DIAGNOSIS_DNS_NXDOMAIN ?
			DIAGNOSIS_BASIS_DOCUMENTED : diagnosis_basis(verdict));
	}
}

static void untouched_evidence_is_undetermined(void **state)
{
	(void)state;
	memset(&evidence, 0, sizeof evidence);
	diagnosis_check_decide(&evidence, &diagnosis);
	assert_int_equal(diagnosis.verdict, DIAGNOSIS_UNDETERMINED);
	assert_int_equal(diagnosis.confidence, DIAGNOSIS_LIKELY);
	assert_int_equal(diagnosis.candidate_count, 0);
}

static void every_row_has_its_own_name_and_words(void **state)
{
	(void)state;
	for (enum diagnosis_verdict a = 0; a < DIAGNOSIS_COUNT; a++) {
		assert_true(strlen(diagnosis_words(a)) > 0);
		for (enum diagnosis_verdict b = 0; b < a; b++) {
			assert_string_not_equal(diagnosis_name(a), diagnosis_name(b));
			assert_string_not_equal(diagnosis_words(a), diagnosis_words(b));
		}
	}
	assert_string_equal(diagnosis_name(DIAGNOSIS_DNS_NXDOMAIN), "dns-nxdomain");
	assert_string_equal(diagnosis_hop_name(diagnosis_hop(DIAGNOSIS_TLS_EXPIRED)), "tls");
	assert_string_equal(diagnosis_hop_name(DIAGNOSIS_HOP_NONE), "none");
	assert_string_equal(diagnosis_basis_name(DIAGNOSIS_BASIS_OBSERVED), "observed");
	assert_string_equal(diagnosis_confidence_name(DIAGNOSIS_CANDIDATES), "candidates");
}

static void rows_stand_in_the_order_of_the_path(void **state)
{
	(void)state;
	for (enum diagnosis_verdict verdict = 1; verdict < DIAGNOSIS_COUNT; verdict++)
		assert_true(diagnosis_hop(verdict - 1) <= diagnosis_hop(verdict));
}

static bool says(const char *words)
{
	bool found = strstr(diagnosis.summary, words) != NULL;

	for (size_t i = 0; i < diagnosis.why.count; i++)
		found = found || strstr(diagnosis.why.items[i], words) != NULL;
	for (size_t i = 0; i < diagnosis.notes.count; i++)
		found = found || strstr(diagnosis.notes.items[i], words) != NULL;
	return found;
}

static void the_summary_holds_this_targets_names(void **state)
{
	static const struct {
		enum diagnosis_verdict verdict;
		const char *words[3];
	} rows[] = {
		{ DIAGNOSIS_HEALTHY, { EVIDENCE_SERVICE, EVIDENCE_LATTICE_V4, "200" } },
		{ DIAGNOSIS_DNS_WRONG_RESOLVER, { EVIDENCE_OTHER_RESOLVER, EVIDENCE_LATTICE_V4, EVIDENCE_SERVICE } },
		{ DIAGNOSIS_OUTSIDE_VPC, { EVIDENCE_LATTICE_V4, "public or private plays no part", "LENOVO" } },
		{ DIAGNOSIS_INSTANCE_SG_BLOCKS, { "sg-0123456789abcdef0", "443", EVIDENCE_LATTICE_V4 } },
		{ DIAGNOSIS_NACL_BLOCKS, { "acl-0123456789abcdef0", "1025-65535", "443" } },
		{ DIAGNOSIS_CONNECT_REFUSED, { "443", "port 80", EVIDENCE_LATTICE_V4 } },
		{ DIAGNOSIS_AUTH_DENIED, { "anonymous", "service's auth policy", "auth = sigv4" } },
		{ DIAGNOSIS_AUTH_SIGNATURE, { "15 min", "slow", "403" } },
		{ DIAGNOSIS_TLS_EXPIRED, { "9 days ago", EVIDENCE_SERVICE, "clock" } },
		{ DIAGNOSIS_CLOCK_SKEW, { "60 min", "fast", "-60 min" } },
		{ DIAGNOSIS_METRICS_UNREACHABLE, { "monitoring.eu-west-1", "no public IPv4", EVIDENCE_SERVICE } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		evidence_example(rows[i].verdict, &evidence);
		diagnosis_check_decide(&evidence, &diagnosis);
		for (size_t k = 0; k < 3; k++) {
			if (!says(rows[i].words[k]))
				print_message("%s lacks: %s\n%s\n", diagnosis_name(rows[i].verdict), rows[i].words[k],
					diagnosis.summary);
			assert_true(says(rows[i].words[k]));
		}
	}
}

static bool rules_out(enum diagnosis_verdict verdict)
{
	for (size_t i = 0; i < diagnosis.ruled_out_count; i++)
		if (diagnosis.ruled_out[i].verdict == verdict)
			return true;
	return false;
}

static void a_standing_connection_rules_the_blocks_out(void **state)
{
	(void)state;
	evidence_example(DIAGNOSIS_AUTH_DENIED, &evidence);
	diagnosis_check_decide(&evidence, &diagnosis);
	assert_true(rules_out(DIAGNOSIS_INSTANCE_SG_BLOCKS));
	assert_true(rules_out(DIAGNOSIS_VPC_NOT_ASSOCIATED));
	assert_true(rules_out(DIAGNOSIS_TLS_FAILED));
	assert_true(rules_out(DIAGNOSIS_DNS_WRONG_RESOLVER));
	assert_false(rules_out(DIAGNOSIS_OUTSIDE_VPC));
}

static void every_claim_that_holds_is_ruled_out_of_a_silent_path(void **state)
{
	(void)state;
	evidence_example(DIAGNOSIS_PATH_SILENT, &evidence);
	diagnosis_check_decide(&evidence, &diagnosis);
	assert_true(rules_out(DIAGNOSIS_VPC_NOT_ASSOCIATED));
	assert_true(rules_out(DIAGNOSIS_AZ_UNSUPPORTED));
	assert_true(rules_out(DIAGNOSIS_INSTANCE_SG_BLOCKS));
	assert_true(rules_out(DIAGNOSIS_NACL_BLOCKS));
	assert_true(rules_out(DIAGNOSIS_ASSOCIATION_SG_BLOCKS));
	assert_true(rules_out(DIAGNOSIS_OUTSIDE_VPC));
	assert_true(rules_out(DIAGNOSIS_DNS_WRONG_RESOLVER));
}

static void oddities_of_a_healthy_service_are_notes(void **state)
{
	struct evidence_path *path;

	(void)state;
	evidence_example(DIAGNOSIS_ROUTE_ZEROCONF, &evidence);
	evidence_set_exchange(&evidence, EXCHANGE_MAIN, OUTCOME_OK);
	path = evidence_path(&evidence);
	path->neighbour_after = ROUTE_NEIGHBOUR_REACHABLE;
	path->exchanges[EXCHANGE_MAIN].tcp_retransmits = 2;
	path->exchanges[EXCHANGE_MAIN].skew_us = 20 * US_PER_S;
	path->exchanges[EXCHANGE_MAIN].certificate_days = 3;
	evidence.paths[1] = *path;
	evidence.paths[1].is_preferred = false;
	evidence.paths[1].address = evidence_address(EVIDENCE_LATTICE_V6, 443);
	evidence.paths[1].exchanges[EXCHANGE_MAIN].outcome = OUTCOME_CONNECT_TIMEOUT;
	evidence.paths[1].exchanges[EXCHANGE_MAIN].stage = HTTP_STAGE_CONNECT;
	evidence.path_count = 2;
	evidence_add_control(&evidence);
	evidence.control.instance_sg_allows = CLAIM_NO;
	diagnosis_check_decide(&evidence, &diagnosis);
	assert_int_equal(diagnosis.verdict, DIAGNOSIS_HEALTHY);
	assert_true(says("zeroconf"));
	assert_true(says("2 segments again"));
	assert_true(says("20.0 s apart"));
	assert_true(says("expires in 3 days"));
	assert_true(says(EVIDENCE_LATTICE_V6));
	assert_true(says("seem to forbid"));
}

static void the_fallback_is_named_with_the_first_resolvers_trouble(void **state)
{
	(void)state;
	evidence_healthy(&evidence);
	evidence.dns.resolvers[1] = evidence.dns.resolvers[0];
	evidence.dns.resolver_count = 2;
	evidence.dns.resolvers[0].server = evidence_address(EVIDENCE_OTHER_RESOLVER, 53);
	evidence.dns.resolvers[0].is_vpc = false;
	evidence_set_resolver(&evidence.dns.resolvers[0], OUTCOME_DNS_REFUSED);
	diagnosis_check_decide(&evidence, &diagnosis);
	assert_int_equal(diagnosis.verdict, DIAGNOSIS_DNS_REFUSED);
	assert_true(says("only through the fallback resolver 10.0.0.2"));
	assert_true(says(EVIDENCE_OTHER_RESOLVER));
}

static void nothing_from_outside_moves_a_terminal(void **state)
{
	struct evidence_exchange *main;

	(void)state;
	evidence_example(DIAGNOSIS_TLS_NAME_MISMATCH, &evidence);
	main = &evidence_path(&evidence)->exchanges[EXCHANGE_MAIN];
	memset(main->certificate_subject, '\033', sizeof main->certificate_subject - 1);
	main->certificate_subject[sizeof main->certificate_subject - 1] = '\0';
	memset(evidence.target.host, 'a', sizeof evidence.target.host - 1);
	diagnosis_check_decide(&evidence, &diagnosis);
	assert_null(strchr(diagnosis.summary, '\033'));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_verdict_is_reached_by_its_example),
		cmocka_unit_test(the_basis_is_the_rows_but_for_two_witnesses_of_a_missing_name),
		cmocka_unit_test(untouched_evidence_is_undetermined),
		cmocka_unit_test(every_row_has_its_own_name_and_words),
		cmocka_unit_test(rows_stand_in_the_order_of_the_path),
		cmocka_unit_test(the_summary_holds_this_targets_names),
		cmocka_unit_test(a_standing_connection_rules_the_blocks_out),
		cmocka_unit_test(every_claim_that_holds_is_ruled_out_of_a_silent_path),
		cmocka_unit_test(oddities_of_a_healthy_service_are_notes),
		cmocka_unit_test(the_fallback_is_named_with_the_first_resolvers_trouble),
		cmocka_unit_test(nothing_from_outside_moves_a_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
