/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <string.h>

#include <cmocka.h>

#include "evidence_fixture.h"

static struct evidence evidence; /* large, and every test fills it anew */

static void the_name_says_what_it_is(void **state)
{
	static const struct {
		const char *host;
		enum evidence_name name;
	} rows[] = {
		{ "169.254.171.33", EVIDENCE_NAME_LITERAL },
		{ "fd00:ec2:80::1", EVIDENCE_NAME_LITERAL },
		{ "[fd00:ec2:80::1]", EVIDENCE_NAME_LITERAL },
		{ EVIDENCE_SERVICE, EVIDENCE_NAME_SERVICE },
		{ "CHECKOUT-0123456789ABCDEF0.7D67968.VPC-LATTICE-SVCS.EU-WEST-1.ON.AWS", EVIDENCE_NAME_SERVICE },
		{ EVIDENCE_SERVICE ".", EVIDENCE_NAME_SERVICE },
		{ "vpce-tools-0123456789abcdef0.7d67968.vpc-lattice-svcs.eu-west-1.on.aws", EVIDENCE_NAME_SERVICE },
		{ "vpce-0123456789abcdef0-snsa-0123456789abcdef0.7d67968.vpc-lattice-svcs.eu-west-1.on.aws",
			EVIDENCE_NAME_ENDPOINT },
		{ "snra-0123456789abcdef0.rcfg-0123456789abcdef0.4232ccc.vpc-lattice-rsc.eu-west-1.on.aws",
			EVIDENCE_NAME_RESOURCE },
		{ "vpce-0123456789abcdef0.rcfg-0123456789abcdef0.4232ccc.vpc-lattice-rsc.eu-west-1.on.aws",
			EVIDENCE_NAME_RESOURCE },
		{ EVIDENCE_CUSTOM, EVIDENCE_NAME_CUSTOM },
		{ "vpc-lattice-svcs.eu-west-1.on.aws.example.com", EVIDENCE_NAME_CUSTOM },
		{ "on.aws", EVIDENCE_NAME_CUSTOM },
		{ "x.eu-west-1.on.aws", EVIDENCE_NAME_CUSTOM },
		{ "aws", EVIDENCE_NAME_CUSTOM },
		{ ".", EVIDENCE_NAME_CUSTOM },
		{ "", EVIDENCE_NAME_CUSTOM },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (evidence_name_of(rows[i].host) != rows[i].name)
			print_message("%s\n", rows[i].host);
		assert_int_equal(evidence_name_of(rows[i].host), rows[i].name);
	}
}

static enum outcome combined(enum outcome a, enum outcome aaaa, enum target_ip ip)
{
	struct evidence_resolver resolver = { 0 };

	evidence_set_answer(&resolver.answers[EVIDENCE_A], a, EVIDENCE_LATTICE_V4);
	evidence_set_answer(&resolver.answers[EVIDENCE_AAAA], aaaa, EVIDENCE_LATTICE_V6);
	return evidence_resolver_outcome(&resolver, ip);
}

static void two_answers_come_to_what_a_run_would_take(void **state)
{
	(void)state;
	assert_int_equal(combined(OUTCOME_OK, OUTCOME_DNS_NODATA, TARGET_IP_AUTO), OUTCOME_OK);
	assert_int_equal(combined(OUTCOME_DNS_TIMEOUT, OUTCOME_OK, TARGET_IP_AUTO), OUTCOME_OK);
	assert_int_equal(combined(OUTCOME_DNS_NODATA, OUTCOME_DNS_TIMEOUT, TARGET_IP_AUTO), OUTCOME_DNS_TIMEOUT);
	assert_int_equal(combined(OUTCOME_DNS_SERVFAIL, OUTCOME_DNS_NODATA, TARGET_IP_BOTH), OUTCOME_DNS_SERVFAIL);
	assert_int_equal(combined(OUTCOME_OK, OUTCOME_DNS_NODATA, TARGET_IP_V6), OUTCOME_DNS_NODATA);
	assert_int_equal(combined(OUTCOME_DNS_NODATA, OUTCOME_OK, TARGET_IP_V4), OUTCOME_DNS_NODATA);
	assert_int_equal(combined(OUTCOME_NONE, OUTCOME_OK, TARGET_IP_AUTO), OUTCOME_OK);
	assert_int_equal(combined(OUTCOME_OK, OUTCOME_NONE, TARGET_IP_V6), OUTCOME_NONE);
	assert_int_equal(combined(OUTCOME_NONE, OUTCOME_NONE, TARGET_IP_AUTO), OUTCOME_NONE);
}

static void the_first_configured_resolver_leads(void **state)
{
	struct evidence_resolver *second;

	(void)state;
	evidence_resolving(&evidence, OUTCOME_DNS_TIMEOUT, OUTCOME_OK);
	assert_ptr_equal(evidence_first_resolver(&evidence), &evidence.dns.resolvers[0]);
	assert_null(evidence_answering_resolver(&evidence)); /* the VPC's own is not configured */
	assert_ptr_equal(evidence_vpc_resolver(&evidence), &evidence.dns.resolvers[1]);

	second = evidence_add_resolver(&evidence, "10.0.0.2", OUTCOME_OK);
	second->is_configured = true;
	assert_ptr_equal(evidence_answering_resolver(&evidence), second);
}

static void of_the_vpc_resolvers_addresses_the_one_that_said_most_speaks(void **state)
{
	struct evidence_resolver *other;

	(void)state;
	evidence_resolving(&evidence, OUTCOME_DNS_TIMEOUT, OUTCOME_DNS_TIMEOUT);
	other = evidence_add_resolver(&evidence, "10.0.0.2", OUTCOME_DNS_NXDOMAIN);
	other->is_vpc = true;
	assert_ptr_equal(evidence_vpc_resolver(&evidence), other);
	evidence_set_resolver(&evidence.dns.resolvers[1], OUTCOME_OK);
	assert_ptr_equal(evidence_vpc_resolver(&evidence), &evidence.dns.resolvers[1]);
}

static void untouched_evidence_has_no_path_and_no_resolver(void **state)
{
	(void)state;
	memset(&evidence, 0, sizeof evidence);
	assert_null(evidence_preferred_path(&evidence));
	assert_null(evidence_first_resolver(&evidence));
	assert_null(evidence_answering_resolver(&evidence));
	assert_null(evidence_vpc_resolver(&evidence));
}

static void the_preferred_path_is_the_marked_one(void **state)
{
	(void)state;
	evidence_healthy(&evidence);
	evidence.paths[1] = evidence.paths[0];
	evidence.paths[0].is_preferred = false;
	evidence.path_count = 2;
	assert_ptr_equal(evidence_preferred_path(&evidence), &evidence.paths[1]);
	evidence.path_count = 1;
	assert_null(evidence_preferred_path(&evidence));
}

static void an_exchange_begins_with_nothing_measured(void **state)
{
	struct evidence_exchange exchange;

	(void)state;
	memset(&exchange, 0x55, sizeof exchange);
	evidence_exchange_init(&exchange);
	assert_false(exchange.is_asked);
	assert_int_equal(exchange.outcome, OUTCOME_NONE);
	for (size_t i = 0; i < PHASE_COUNT; i++)
		assert_int_equal(exchange.phase_us[i], PHASE_NONE);
	assert_int_equal(exchange.tcp_rtt_us, -1);
	assert_int_equal(exchange.tcp_retransmits, -1);
	assert_int_equal(exchange.tls_alert, -1);
	assert_int_equal(exchange.certificate_days, CERTIFICATE_DAYS_NONE);
	assert_string_equal(exchange.detail, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_name_says_what_it_is),
		cmocka_unit_test(two_answers_come_to_what_a_run_would_take),
		cmocka_unit_test(the_first_configured_resolver_leads),
		cmocka_unit_test(of_the_vpc_resolvers_addresses_the_one_that_said_most_speaks),
		cmocka_unit_test(untouched_evidence_has_no_path_and_no_resolver),
		cmocka_unit_test(the_preferred_path_is_the_marked_one),
		cmocka_unit_test(an_exchange_begins_with_nothing_measured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
