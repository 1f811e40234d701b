/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <string.h>

#include "lattice-probe/outcome.h"

static void zero_is_no_outcome_and_no_success(void **state)
{
	(void)state;
	assert_int_equal(OUTCOME_NONE, 0);
	assert_string_equal(outcome_name(OUTCOME_NONE), "none");
	assert_false(outcome_is_judged(OUTCOME_NONE));
	assert_false(outcome_is_local(OUTCOME_NONE));
	assert_null(outcome_metric(OUTCOME_NONE));
}

static void each_outcome_has_its_row(void **state)
{
	static const struct {
		enum outcome outcome;
		const char *name;
		enum outcome_phase phase;
		const char *metric;
	} rows[] = {
		{ OUTCOME_DNS_NXDOMAIN, "dns_nxdomain", OUTCOME_PHASE_DNS, "DnsFailures" },
		{ OUTCOME_DNS_UNREACHABLE, "dns_unreachable", OUTCOME_PHASE_DNS, "DnsFailures" },
		{ OUTCOME_CONNECT_DENIED, "connect_denied", OUTCOME_PHASE_CONNECT, "ConnectFailures" },
		{ OUTCOME_TLS_EXPIRED, "tls_expired", OUTCOME_PHASE_TLS, "TlsFailures" },
		{ OUTCOME_LATTICE_AUTH_DENIED, "lattice_auth_denied", OUTCOME_PHASE_HEALTH, "HealthFailures" },
		{ OUTCOME_LOCAL_DENIED, "local_denied", OUTCOME_PHASE_LOCAL, "LocalFaults" },
	};

	(void)state;
	assert_string_equal(outcome_name(OUTCOME_OK), "ok");
	assert_null(outcome_metric(OUTCOME_OK));
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_string_equal(outcome_name(rows[i].outcome), rows[i].name);
		assert_int_equal(outcome_phase(rows[i].outcome), rows[i].phase);
		assert_string_equal(outcome_metric(rows[i].outcome), rows[i].metric);
	}
}

static void names_and_words_are_all_there_and_names_differ(void **state)
{
	(void)state;
	for (int a = 0; a < OUTCOME_COUNT; a++) {
		assert_true(strlen(outcome_words((enum outcome)a)) > 5);
		for (int b = 0; b < a; b++)
			assert_string_not_equal(outcome_name((enum outcome)a), outcome_name((enum outcome)b));
	}
}

static void only_local_outcomes_judge_nothing(void **state)
{
	int local = 0;

	(void)state;
	for (int i = OUTCOME_OK; i < OUTCOME_COUNT; i++) {
		local += outcome_is_local((enum outcome)i);
		assert_int_equal(outcome_is_judged((enum outcome)i), !outcome_is_local((enum outcome)i));
	}
	assert_int_equal(local, 3);
}

static void the_worse_outcome_is_the_one_that_got_less_far(void **state)
{
	static const enum outcome from_best[] = { OUTCOME_NONE, OUTCOME_OK, OUTCOME_LOCAL_DENIED,
		OUTCOME_LOCAL_FAULT, OUTCOME_LATTICE_NO_ROUTE, OUTCOME_HTTP_STATUS, OUTCOME_TLS_NAME,
		OUTCOME_CONNECT_TIMEOUT, OUTCOME_DNS_NODATA, OUTCOME_DNS_NXDOMAIN };

	(void)state;
	for (size_t a = 0; a < sizeof from_best / sizeof *from_best; a++)
		for (size_t b = a; b < sizeof from_best / sizeof *from_best; b++) {
			assert_int_equal(outcome_worse(from_best[a], from_best[b]), from_best[b]);
			assert_int_equal(outcome_worse(from_best[b], from_best[a]), from_best[b]);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(zero_is_no_outcome_and_no_success),
		cmocka_unit_test(each_outcome_has_its_row),
		cmocka_unit_test(names_and_words_are_all_there_and_names_differ),
		cmocka_unit_test(only_local_outcomes_judge_nothing),
		cmocka_unit_test(the_worse_outcome_is_the_one_that_got_less_far),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
