/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lattice-probe/health.h"
#include "lattice-probe/units.h"

static const struct health_limits usual = { .unhealthy_after = 3, .healthy_after = 2 };

/* '+' ok, '-' a failure, 'l' a local fault, 'n' no outcome at all. */
static enum outcome outcome_of(char letter)
{
	switch (letter) {
	case '+': return OUTCOME_OK;
	case '-': return OUTCOME_HTTP_STATUS;
	case 'l': return OUTCOME_LOCAL_FAULT;
	default: return OUTCOME_NONE;
	}
}

/* What each run changed: 'H' became healthy, 'U' unhealthy, '.' nothing. */
static void expect(const struct health_limits *limits, const char *runs, const char *changes, enum health_state end,
	uint32_t streak)
{
	static const char letters[] = { [HEALTH_SAME] = '.', [HEALTH_BECAME_HEALTHY] = 'H',
		[HEALTH_BECAME_UNHEALTHY] = 'U' };
	struct health health = { 0 };
	char seen[64] = "";

	assert_true(strlen(runs) < sizeof seen && strlen(runs) == strlen(changes));
	for (size_t i = 0; runs[i]; i++)
		seen[i] = letters[health_judge(&health, limits, outcome_of(runs[i]))];
	assert_string_equal(seen, changes);
	assert_int_equal(health.state, end);
	assert_int_equal(health.streak, streak);
}

static void the_third_failure_in_a_row_makes_unhealthy(void **state)
{
	(void)state;
	expect(&usual, "+--", "H..", HEALTH_HEALTHY, 2);
	expect(&usual, "+---", "H..U", HEALTH_UNHEALTHY, 3);
	expect(&usual, "+-----", "H..U..", HEALTH_UNHEALTHY, 5);
	expect(&usual, "+--+--+--", "H........", HEALTH_HEALTHY, 2);
}

static void the_second_success_in_a_row_makes_healthy_again(void **state)
{
	(void)state;
	expect(&usual, "---+", "..U.", HEALTH_UNHEALTHY, 1);
	expect(&usual, "---++", "..U.H", HEALTH_HEALTHY, 2);
	expect(&usual, "---+-+-+", "..U.....", HEALTH_UNHEALTHY, 1);
	expect(&usual, "---++---", "..U.H..U", HEALTH_UNHEALTHY, 3);
}

static void what_was_never_ill_is_healthy_at_its_first_success(void **state)
{
	(void)state;
	expect(&usual, "", "", HEALTH_UNKNOWN, 0);
	expect(&usual, "+", "H", HEALTH_HEALTHY, 1);
	expect(&usual, "--", "..", HEALTH_UNKNOWN, 2);
	expect(&usual, "--+", "..H", HEALTH_HEALTHY, 1);
	expect(&usual, "---", "..U", HEALTH_UNHEALTHY, 3);
}

static void local_outcomes_neither_break_nor_lengthen_a_streak(void **state)
{
	(void)state;
	expect(&usual, "+-l-l", "H....", HEALTH_HEALTHY, 2);
	expect(&usual, "+-l-n-", "H....U", HEALTH_UNHEALTHY, 3);
	expect(&usual, "---+l+", "..U..H", HEALTH_HEALTHY, 2);
	expect(&usual, "llllll", "......", HEALTH_UNKNOWN, 0);
	expect(&usual, "+llll", "H....", HEALTH_HEALTHY, 1);
}

static void limits_of_one_follow_each_run(void **state)
{
	static const struct health_limits once = { 1, 1 };

	(void)state;
	expect(&once, "+-+-", "HUHU", HEALTH_UNHEALTHY, 1);
}

static void a_streak_does_not_wrap(void **state)
{
	struct health health = { .state = HEALTH_UNHEALTHY, .streak = UINT32_MAX };

	(void)state;
	assert_int_equal(health_judge(&health, &usual, OUTCOME_HTTP_STATUS), HEALTH_SAME);
	assert_int_equal(health.streak, UINT32_MAX);
}

/* Against the rule itself, read backwards over the judged runs each time. */
static size_t run_back(const char *runs, size_t count, char letter)
{
	size_t length = 0;

	while (count > 0 && (runs[count - 1] == letter || runs[count - 1] == 'l')) {
		length += runs[count - 1] == letter;
		count--;
	}
	return length;
}

static void any_history_is_judged_by_its_last_runs(void **state)
{
	unsigned seed = (unsigned)mono_now().us;
	char runs[400];

	(void)state;
	print_message("seed %u\n", seed);
	for (int round = 0; round < 500; round++) {
		struct health_limits limits = { 1 + rand_r(&seed) % 5, 1 + rand_r(&seed) % 4 };
		struct health health = { 0 };
		enum health_state model = HEALTH_UNKNOWN;

		for (size_t i = 0; i < sizeof runs; i++) {
			runs[i] = "+++--l"[rand_r(&seed) % 6];
			(void)health_judge(&health, &limits, outcome_of(runs[i]));
			if (runs[i] == '-' && run_back(runs, i + 1, '-') >= (size_t)limits.unhealthy_after)
				model = HEALTH_UNHEALTHY;
			if (runs[i] == '+' && (model == HEALTH_UNKNOWN ||
					       run_back(runs, i + 1, '+') >= (size_t)limits.healthy_after))
				model = HEALTH_HEALTHY;
			assert_int_equal(health.state, model);
		}
	}
}

static void states_have_names(void **state)
{
	(void)state;
	assert_string_equal(health_state_name(HEALTH_UNKNOWN), "unknown");
	assert_string_equal(health_state_name(HEALTH_HEALTHY), "healthy");
	assert_string_equal(health_state_name(HEALTH_UNHEALTHY), "unhealthy");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_third_failure_in_a_row_makes_unhealthy),
		cmocka_unit_test(the_second_success_in_a_row_makes_healthy_again),
		cmocka_unit_test(what_was_never_ill_is_healthy_at_its_first_success),
		cmocka_unit_test(local_outcomes_neither_break_nor_lengthen_a_streak),
		cmocka_unit_test(limits_of_one_follow_each_run),
		cmocka_unit_test(a_streak_does_not_wrap),
		cmocka_unit_test(any_history_is_judged_by_its_last_runs),
		cmocka_unit_test(states_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
