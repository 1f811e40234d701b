/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "lattice-probe/result.h"
#include "lattice-probe/target.h"

struct fixture {
	struct target *target;
	struct result result;
};

static int set_up(void **state)
{
	static struct fixture fixture;

	fixture.target = target_new();
	assert_non_null(fixture.target);
	result_init(&fixture.result, fixture.target);
	*state = &fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	result_done(&fixture->result);
	target_drop(fixture->target);
	return 0;
}

static void a_new_result_has_nothing_in_it(void **state)
{
	struct result *result = &((struct fixture *)*state)->result;

	assert_int_equal(result->outcome, OUTCOME_NONE);
	for (size_t i = 0; i < PHASE_COUNT; i++)
		assert_int_equal(result->phase_us[i], PHASE_NONE);
	assert_int_equal(result->total_us, PHASE_NONE);
	assert_int_equal(result->failed_us, PHASE_NONE);
	assert_int_equal(result->ttl_s, -1);
	assert_int_equal(result->rcode, -1);
	assert_int_equal(result->tcp_rtt_us, -1);
	assert_int_equal(result->tcp_retransmits, -1);
	assert_int_equal(result->certificate_days, CERTIFICATE_DAYS_NONE);
	assert_int_equal(result->address.sa.sa_family, AF_UNSPEC);
	assert_int_equal(result->target->references, 2);
}

static void a_dns_time_counts_only_when_it_measures_the_network(void **state)
{
	static const struct {
		unsigned marks;
		bool counts;
	} rows[] = { { 0, true }, { RESULT_MARK_LAGGED, true }, { RESULT_MARK_FALLBACK, true },
		{ RESULT_MARK_DNS_REUSED, false }, { RESULT_MARK_DNS_SHARED, false },
		{ RESULT_MARK_LOCAL_CACHE, false } };
	struct result *result = &((struct fixture *)*state)->result;

	assert_false(result_has_dns_latency(result));
	result->phase_us[PHASE_DNS] = 0;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		result->marks = rows[i].marks;
		assert_int_equal(result_has_dns_latency(result), rows[i].counts);
	}
}

static void cnames_are_printable_and_bounded(void **state)
{
	struct result *result = &((struct fixture *)*state)->result;

	assert_int_equal(result_add_cname(result, "a b\x1b\xff.example"), 0);
	assert_string_equal(result->cnames[0], "a?b??.example");
	for (int i = 0; i < 3 * RESULT_CNAMES_MAX; i++)
		assert_int_equal(result_add_cname(result, "x"), 0);
	assert_int_equal(result->cname_count, RESULT_CNAMES_MAX);
}

static void the_detail_is_one_printable_line(void **state)
{
	struct result *result = &((struct fixture *)*state)->result;

	result_set_detail(result, "status %d\n\x1b[31m\x7f \xff caf\xc3\xa9 \xc2\x9b \xed\xa0\x80", 503);
	assert_string_equal(result->detail, "status 503??[31m? ? caf\xc3\xa9 ?? ???");
}

static void the_detail_is_cut_between_characters(void **state)
{
	struct result *result = &((struct fixture *)*state)->result;

	result_set_detail(result, "%0158d\xc3\xa9", 0);
	assert_int_equal(strlen(result->detail), 158);
	result_set_detail(result, "%0157d\xc3\xa9", 0);
	assert_int_equal(strlen(result->detail), 159);
	result_set_detail(result, "%0200d", 0);
	assert_int_equal(strlen(result->detail), RESULT_DETAIL_SIZE - 1);
}

static void phases_have_names(void **state)
{
	static const char *const names[PHASE_COUNT] = { "dns", "connect", "tls", "first_byte", "transfer" };

	(void)state;
	for (int i = 0; i < PHASE_COUNT; i++)
		assert_string_equal(phase_name((enum phase)i), names[i]);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_new_result_has_nothing_in_it),
		CASE(a_dns_time_counts_only_when_it_measures_the_network),
		CASE(cnames_are_printable_and_bounded),
		CASE(the_detail_is_one_printable_line),
		CASE(the_detail_is_cut_between_characters),
		CASE(phases_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
