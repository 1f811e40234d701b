/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "lattice-probe/watchdog.h"

static struct mono at(int64_t us)
{
	return (struct mono){ US_PER_DAY + us };
}

/* Asked twice, WATCHDOG_PATIENCE_US apart: what is found, and whether it is borne at first and then no
 * more. */
static void expect(const struct watchdog_facts *facts, enum watchdog_obstacle obstacle)
{
	struct watchdog watchdog = { 0 };

	assert_true(watchdog_is_alive(&watchdog, facts, at(0)));
	assert_int_equal(watchdog.obstacle, obstacle);
	assert_true(watchdog_is_alive(&watchdog, facts, at(WATCHDOG_PATIENCE_US - 1)));
	assert_int_equal(watchdog_is_alive(&watchdog, facts, at(WATCHDOG_PATIENCE_US)), obstacle == WATCHDOG_NONE);
}

static void a_daemon_that_moves_on_is_alive(void **state)
{
	(void)state;
	expect(&(struct watchdog_facts){ 0 }, WATCHDOG_NONE);
	expect(&(struct watchdog_facts){ .schedule_late_us = -4 * US_PER_S, .windows_late_us = -50 * US_PER_S,
		       .run_late_us = -US_PER_S }, WATCHDOG_NONE);
}

static void a_timer_that_was_lost_is_an_obstacle(void **state)
{
	(void)state;
	expect(&(struct watchdog_facts){ .schedule_late_us = WATCHDOG_LATE_US }, WATCHDOG_NONE);
	expect(&(struct watchdog_facts){ .schedule_late_us = WATCHDOG_LATE_US + 1 }, WATCHDOG_SCHEDULE);
	expect(&(struct watchdog_facts){ .schedule_late_us = INT64_MAX }, WATCHDOG_SCHEDULE);
	expect(&(struct watchdog_facts){ .windows_late_us = WATCHDOG_LATE_US }, WATCHDOG_NONE);
	expect(&(struct watchdog_facts){ .windows_late_us = INT64_MAX }, WATCHDOG_WINDOWS);
}

static void a_run_may_wait_for_its_budget_but_must_end(void **state)
{
	struct watchdog_facts facts = { .run_late_us = WATCHDOG_RUN_MARGIN_US };

	(void)state;
	expect(&facts, WATCHDOG_NONE);
	facts.run_late_us++;
	expect(&facts, WATCHDOG_RUN);
	facts.run_wait_us = 1;
	expect(&facts, WATCHDOG_NONE);
}

static void a_publisher_that_is_stuck_is_an_obstacle(void **state)
{
	(void)state;
	expect(&(struct watchdog_facts){ .is_publisher_stuck = true }, WATCHDOG_PUBLISHER);
}

static void a_shutdown_has_only_its_own_deadline(void **state)
{
	struct watchdog_facts facts = { .is_stopping = true, .schedule_late_us = INT64_MAX,
		.windows_late_us = INT64_MAX, .run_late_us = INT64_MAX / 2, .is_publisher_stuck = true };

	(void)state;
	expect(&facts, WATCHDOG_NONE);
	facts.stop_late_us = WATCHDOG_LATE_US + 1;
	expect(&facts, WATCHDOG_SHUTDOWN);
}

static void what_has_passed_is_forgiven(void **state)
{
	const struct watchdog_facts stuck = { .is_publisher_stuck = true };
	const struct watchdog_facts well = { 0 };
	struct watchdog watchdog = { 0 };

	(void)state;
	assert_true(watchdog_is_alive(&watchdog, &stuck, at(0)));
	assert_true(watchdog_is_alive(&watchdog, &well, at(20 * US_PER_S)));
	assert_true(watchdog_is_alive(&watchdog, &stuck, at(40 * US_PER_S)));
	assert_true(watchdog_is_alive(&watchdog, &stuck, at(69 * US_PER_S)));
	assert_false(watchdog_is_alive(&watchdog, &stuck, at(70 * US_PER_S)));
	assert_true(watchdog_is_alive(&watchdog, &well, at(71 * US_PER_S)));
}

static void obstacles_have_names(void **state)
{
	(void)state;
	assert_string_equal(watchdog_obstacle_name(WATCHDOG_NONE), "none");
	assert_string_equal(watchdog_obstacle_name(WATCHDOG_PUBLISHER), "publisher");
	assert_string_equal(watchdog_obstacle_name(WATCHDOG_SHUTDOWN), "shutdown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_daemon_that_moves_on_is_alive),
		cmocka_unit_test(a_timer_that_was_lost_is_an_obstacle),
		cmocka_unit_test(a_run_may_wait_for_its_budget_but_must_end),
		cmocka_unit_test(a_publisher_that_is_stuck_is_an_obstacle),
		cmocka_unit_test(a_shutdown_has_only_its_own_deadline),
		cmocka_unit_test(what_has_passed_is_forgiven),
		cmocka_unit_test(obstacles_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
