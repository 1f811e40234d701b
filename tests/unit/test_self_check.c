/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "lattice-probe/self_check.h"
#include "lattice-probe/units.h"

#define INTERVAL_US (10 * US_PER_S)
#define RUN_US (2 * US_PER_S)

/* A run to service `service` that ends at `at_s`. */
static struct self_check_run run_at(int64_t at_s, uint64_t service, enum outcome outcome, int local_errno)
{
	struct mono ended = { (1000 + at_s) * US_PER_S };

	return (struct self_check_run){ .outcome = outcome, .local_errno = local_errno, .service = service,
		.started = mono_add(ended, -RUN_US), .ended = ended };
}

static enum self_check_answer take(struct self_check *check, int64_t at_s, uint64_t service, enum outcome outcome,
	int local_errno)
{
	struct self_check_run run = run_at(at_s, service, outcome, local_errno);

	return self_check_take(check, &run);
}

static bool must_settle_at(const struct self_check *check, int64_t at_s)
{
	struct mono due;

	return self_check_must_settle(check, (struct mono){ (1000 + at_s) * US_PER_S }, &due);
}

static enum self_check_answer settle_at(struct self_check *check, int64_t at_s, uint64_t count)
{
	return self_check_settle(check, (struct mono){ (1000 + at_s) * US_PER_S }, count);
}

static struct self_check check_of(size_t services)
{
	struct self_check check = { 0 };

	self_check_configure(&check, INTERVAL_US, services);
	return check;
}

/* ---- a whole tick ------------------------------------------------------------------------- */

static void when_all_of_three_services_fail_the_same_local_way_this_host_is_sick(void **state)
{
	struct self_check check = check_of(3);

	(void)state;
	assert_int_equal(take(&check, 1, 1, OUTCOME_CONNECT_UNREACHABLE, ENETUNREACH), SELF_CHECK_HOLD);
	assert_int_equal(take(&check, 2, 2, OUTCOME_DNS_UNREACHABLE, ENETDOWN), SELF_CHECK_HOLD);
	assert_false(must_settle_at(&check, 2));
	assert_false(check.is_sick);
	assert_int_equal(take(&check, 3, 3, OUTCOME_CONNECT_UNREACHABLE, ENETUNREACH), SELF_CHECK_HOLD);
	assert_true(must_settle_at(&check, 3));
	assert_int_equal(settle_at(&check, 3, 3), SELF_CHECK_LOCAL);
	assert_true(check.is_sick);
	assert_int_equal(check.cause, SELF_CHECK_NO_ROUTE);
	assert_int_equal(check.faults[SELF_CHECK_NO_ROUTE], 3);
	/* From now on at once. */
	assert_int_equal(take(&check, 11, 1, OUTCOME_CONNECT_UNREACHABLE, ENETUNREACH), SELF_CHECK_LOCAL);
	assert_int_equal(check.faults_of_sickness, 4);
}

static void ten_services_in_a_row_are_enough_of_many(void **state)
{
	struct self_check check = check_of(500);

	(void)state;
	for (uint64_t service = 0; service < 10; service++) {
		assert_false(must_settle_at(&check, 1));
		assert_int_equal(take(&check, 1, service, OUTCOME_CONNECT_DENIED, EPERM), SELF_CHECK_HOLD);
	}
	assert_true(must_settle_at(&check, 1));
	assert_int_equal(settle_at(&check, 1, 10), SELF_CHECK_LOCAL);
	assert_int_equal(check.cause, SELF_CHECK_REFUSED_HERE);
}

static void many_probes_of_one_service_are_one_service(void **state)
{
	struct self_check check = check_of(3);

	(void)state;
	for (int i = 0; i < 50; i++)
		assert_int_equal(take(&check, 1, (uint64_t)(i % 2), OUTCOME_CONNECT_DENIED, EACCES), SELF_CHECK_HOLD);
	assert_false(must_settle_at(&check, 10));
	assert_true(must_settle_at(&check, 11));
	assert_int_equal(settle_at(&check, 11, 50), SELF_CHECK_AS_IS);
	assert_false(check.is_sick);
}

static void any_other_outcome_shows_that_this_host_works(void **state)
{
	static const enum outcome outcomes[] = { OUTCOME_OK, OUTCOME_DNS_NXDOMAIN, OUTCOME_CONNECT_TIMEOUT,
		OUTCOME_CONNECT_REFUSED, OUTCOME_TLS_EXPIRED, OUTCOME_HTTP_STATUS };

	(void)state;
	for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++) {
		struct self_check check = check_of(3);

		assert_int_equal(take(&check, 1, 1, OUTCOME_CONNECT_UNREACHABLE, ENETUNREACH), SELF_CHECK_HOLD);
		assert_int_equal(take(&check, 2, 2, OUTCOME_CONNECT_UNREACHABLE, ENETUNREACH), SELF_CHECK_HOLD);
		assert_int_equal(take(&check, 3, 3, outcomes[i], 0), SELF_CHECK_AS_IS);
		assert_true(must_settle_at(&check, 3));
		assert_int_equal(settle_at(&check, 3, 2), SELF_CHECK_AS_IS);
		assert_false(check.is_sick);
	}
}

static void two_local_ways_are_not_the_same(void **state)
{
	struct self_check check = check_of(3);

	(void)state;
	assert_int_equal(take(&check, 1, 1, OUTCOME_CONNECT_UNREACHABLE, ENETUNREACH), SELF_CHECK_HOLD);
	assert_int_equal(take(&check, 2, 2, OUTCOME_CONNECT_DENIED, EPERM), SELF_CHECK_AS_IS);
	assert_true(must_settle_at(&check, 2));
	assert_int_equal(settle_at(&check, 2, 1), SELF_CHECK_AS_IS);
}

/* An outage of everything looks like one: silence, ICMP, refusals and bad answers of all services. */
static void what_others_may_have_done_is_never_taken_away(void **state)
{
	struct self_check check = check_of(20);

	(void)state;
	for (int outcome = OUTCOME_OK + 1; outcome < OUTCOME_COUNT; outcome++) {
		if (outcome_is_local((enum outcome)outcome))
			continue;
		for (uint64_t service = 0; service < 20; service++)
			assert_int_equal(take(&check, 1, service, (enum outcome)outcome, 0), SELF_CHECK_AS_IS);
		assert_false(check.is_sick);
	}
	/* Nor by a number that no refusal to send has. */
	for (uint64_t service = 0; service < 20; service++)
		assert_int_equal(take(&check, 1, service, OUTCOME_CONNECT_UNREACHABLE, ECONNREFUSED), SELF_CHECK_AS_IS);
}

static void two_services_tell_nothing(void **state)
{
	struct self_check check = check_of(2);

	(void)state;
	assert_int_equal(take(&check, 1, 1, OUTCOME_CONNECT_UNREACHABLE, ENETUNREACH), SELF_CHECK_AS_IS);
	assert_int_equal(take(&check, 1, 2, OUTCOME_CONNECT_UNREACHABLE, ENETUNREACH), SELF_CHECK_AS_IS);
	assert_false(check.is_sick);
}

static void an_answer_ends_it_and_a_quiet_window_the_sickness(void **state)
{
	struct self_check check = check_of(3);

	(void)state;
	for (uint64_t service = 1; service <= 3; service++)
		(void)take(&check, 1, service, OUTCOME_CONNECT_UNREACHABLE, ENETUNREACH);
	(void)settle_at(&check, 1, 3);
	assert_int_equal(take(&check, 5, 1, OUTCOME_OK, 0), SELF_CHECK_AS_IS);
	assert_true(check.is_sick); /* one swallow */
	assert_int_equal(take(&check, 6, 2, OUTCOME_CONNECT_UNREACHABLE, ENETUNREACH), SELF_CHECK_HOLD);
	assert_int_equal(take(&check, 11, 1, OUTCOME_OK, 0), SELF_CHECK_AS_IS);
	assert_int_equal(settle_at(&check, 11, 1), SELF_CHECK_AS_IS);
	assert_false(check.is_sick);
	assert_int_equal(check.cause, SELF_CHECK_NO_ROUTE);
}

static void the_window_is_the_longest_interval_within_limits(void **state)
{
	struct self_check check = { 0 };

	(void)state;
	self_check_configure(&check, 100 * US_PER_MS, 3);
	assert_int_equal(check.window_us, SELF_CHECK_WINDOW_MIN_US);
	self_check_configure(&check, 7 * US_PER_S, 3);
	assert_int_equal(check.window_us, 7 * US_PER_S);
	self_check_configure(&check, 3600 * US_PER_S, 3);
	assert_int_equal(check.window_us, SELF_CHECK_WINDOW_MAX_US);
}

/* ---- single runs ------------------------------------------------------------------------- */

static void a_local_fault_has_its_cause(void **state)
{
	static const struct {
		int local_errno;
		int64_t lag_us;
		enum self_check_cause cause;
	} rows[] = {
		{ EMFILE, 0, SELF_CHECK_DESCRIPTORS }, { ENFILE, 0, SELF_CHECK_DESCRIPTORS },
		{ ENOMEM, 0, SELF_CHECK_MEMORY }, { ENOBUFS, 0, SELF_CHECK_MEMORY },
		{ EADDRNOTAVAIL, 0, SELF_CHECK_PORTS }, { 0, 200 * US_PER_MS, SELF_CHECK_LOOP_LAG },
		{ 0, 0, SELF_CHECK_OTHER }, { ENOENT, 200 * US_PER_MS, SELF_CHECK_OTHER },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct self_check check = check_of(1);
		struct self_check_run run = run_at(1, 1, OUTCOME_LOCAL_FAULT, rows[i].local_errno);

		run.lag_us = rows[i].lag_us;
		assert_int_equal(self_check_take(&check, &run), SELF_CHECK_LOCAL);
		assert_int_equal(check.cause, rows[i].cause);
		assert_int_equal(check.faults[rows[i].cause], 1);
		assert_true(check.is_sick);
	}
}

static void what_is_configured_is_no_sickness(void **state)
{
	struct self_check check = check_of(3);

	(void)state;
	assert_int_equal(take(&check, 1, 1, OUTCOME_LOCAL_DENIED, 0), SELF_CHECK_AS_IS);
	assert_int_equal(take(&check, 1, 2, OUTCOME_LOCAL_CREDENTIALS, 0), SELF_CHECK_AS_IS);
	assert_false(check.is_sick);
}

static void sample_at(struct self_check *check, int64_t at_ms, uint64_t throttled_us, uint64_t drops)
{
	self_check_take_sample(check, &(struct self_check_sample){
		.at = { 1000 * US_PER_S + at_ms * US_PER_MS }, .throttled_us = throttled_us, .drops = drops });
}

/* The run lasted from 1000 to 1002 s. */
static void a_timeout_without_cpu_is_this_hosts_fault(void **state)
{
	struct self_check check = check_of(3);

	(void)state;
	sample_at(&check, -500, 0, 0); /* before the run: does not count */
	sample_at(&check, 100, 900000, 0);
	sample_at(&check, 1100, 1200000, 0);
	assert_int_equal(take(&check, 2, 1, OUTCOME_HTTP_TIMEOUT, 0), SELF_CHECK_AS_IS); /* 0.3 s of 2 s */
	sample_at(&check, 1900, 1600000, 0);
	assert_int_equal(take(&check, 2, 1, OUTCOME_HTTP_STATUS, 0), SELF_CHECK_AS_IS); /* an answer is an answer */
	assert_int_equal(take(&check, 2, 1, OUTCOME_OK, 0), SELF_CHECK_AS_IS);
	assert_int_equal(take(&check, 2, 1, OUTCOME_HTTP_TIMEOUT, 0), SELF_CHECK_LOCAL); /* 0.7 s of 2 s */
	assert_int_equal(check.cause, SELF_CHECK_CPU_THROTTLED);
}

static void a_dns_timeout_while_the_allowance_drops_is_this_hosts_fault(void **state)
{
	struct self_check check = check_of(3);

	(void)state;
	sample_at(&check, -500, 0, 0);
	sample_at(&check, 100, 0, 7);
	sample_at(&check, 1100, 0, 7);
	assert_int_equal(take(&check, 2, 1, OUTCOME_DNS_TIMEOUT, 0), SELF_CHECK_AS_IS);
	sample_at(&check, 1900, 0, 8);
	assert_int_equal(take(&check, 2, 1, OUTCOME_CONNECT_TIMEOUT, 0), SELF_CHECK_AS_IS); /* Lattice has no allowance */
	assert_int_equal(take(&check, 2, 1, OUTCOME_DNS_TIMEOUT, 0), SELF_CHECK_LOCAL);
	assert_int_equal(check.cause, SELF_CHECK_LINK_LOCAL);
}

static void a_counter_that_goes_back_proves_nothing(void **state)
{
	struct self_check check = check_of(3);

	(void)state;
	sample_at(&check, 100, 5000000, 50);
	sample_at(&check, 1900, 10, 3);
	assert_int_equal(take(&check, 2, 1, OUTCOME_DNS_TIMEOUT, 0), SELF_CHECK_AS_IS);
}

static void old_samples_give_way_to_new_ones(void **state)
{
	struct self_check check = check_of(3);

	(void)state;
	for (int i = 0; i < 3 * SELF_CHECK_SAMPLES; i++)
		sample_at(&check, -100000, 0, 0);
	sample_at(&check, 100, 0, 0);
	sample_at(&check, 1900, 2000000, 0);
	assert_int_equal(take(&check, 2, 1, OUTCOME_TLS_TIMEOUT, 0), SELF_CHECK_LOCAL);
}

static void every_cause_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (int a = 0; a < SELF_CHECK_CAUSE_COUNT; a++) {
		assert_true(strlen(self_check_cause_words((enum self_check_cause)a)) > 5);
		for (int b = 0; b < a; b++)
			assert_string_not_equal(self_check_cause_name((enum self_check_cause)a),
				self_check_cause_name((enum self_check_cause)b));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(when_all_of_three_services_fail_the_same_local_way_this_host_is_sick),
		cmocka_unit_test(ten_services_in_a_row_are_enough_of_many),
		cmocka_unit_test(many_probes_of_one_service_are_one_service),
		cmocka_unit_test(any_other_outcome_shows_that_this_host_works),
		cmocka_unit_test(two_local_ways_are_not_the_same),
		cmocka_unit_test(what_others_may_have_done_is_never_taken_away),
		cmocka_unit_test(two_services_tell_nothing),
		cmocka_unit_test(an_answer_ends_it_and_a_quiet_window_the_sickness),
		cmocka_unit_test(the_window_is_the_longest_interval_within_limits),
		cmocka_unit_test(a_local_fault_has_its_cause),
		cmocka_unit_test(what_is_configured_is_no_sickness),
		cmocka_unit_test(a_timeout_without_cpu_is_this_hosts_fault),
		cmocka_unit_test(a_dns_timeout_while_the_allowance_drops_is_this_hosts_fault),
		cmocka_unit_test(a_counter_that_goes_back_proves_nothing),
		cmocka_unit_test(old_samples_give_way_to_new_ones),
		cmocka_unit_test(every_cause_has_a_name_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
