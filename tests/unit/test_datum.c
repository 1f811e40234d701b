/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "lattice-probe/datum.h"
#include "lattice-probe/err.h"

static void a_dimension_is_copied(void **state)
{
	struct dimension_set *set = dimension_set_new();
	char name[] = "Service";
	char value[] = "checkout";

	(void)state;
	assert_int_equal(dimension_set_add(set, name, value), 0);
	name[0] = value[0] = 'X';
	assert_int_equal(set->count, 1);
	assert_string_equal(set->dimensions[0].name, "Service");
	assert_string_equal(set->dimensions[0].value, "checkout");
	dimension_set_drop(set);
}

static void what_cloudwatch_refuses_is_refused(void **state)
{
	struct dimension_set *set = dimension_set_new();
	char long_name[DATUM_DIMENSION_NAME_MAX + 2];
	char long_value[DATUM_DIMENSION_VALUE_MAX + 2];

	(void)state;
	memset(long_name, 'n', sizeof long_name);
	memset(long_value, 'v', sizeof long_value);
	long_name[sizeof long_name - 1] = long_value[sizeof long_value - 1] = '\0';
	assert_int_equal(dimension_set_add(set, "", "v"), ERR_RANGE);
	assert_int_equal(dimension_set_add(set, "n", ""), ERR_RANGE);
	assert_int_equal(dimension_set_add(set, "n", "  "), ERR_RANGE);
	assert_int_equal(dimension_set_add(set, "  ", "v"), ERR_RANGE);
	assert_int_equal(dimension_set_add(set, ":n", "v"), ERR_RANGE);
	assert_int_equal(dimension_set_add(set, "n", "caf\xc3\xa9"), ERR_RANGE);
	assert_int_equal(dimension_set_add(set, "n", "a\tb"), ERR_RANGE);
	assert_int_equal(dimension_set_add(set, "n", "a\x7f"), ERR_RANGE);
	assert_int_equal(dimension_set_add(set, long_name, "v"), ERR_RANGE);
	assert_int_equal(dimension_set_add(set, "n", long_value), ERR_RANGE);
	assert_int_equal(set->count, 0);
	dimension_set_drop(set);
}

static void the_longest_that_cloudwatch_takes_is_taken(void **state)
{
	struct dimension_set *set = dimension_set_new();
	char name[DATUM_DIMENSION_NAME_MAX + 1];
	char value[DATUM_DIMENSION_VALUE_MAX + 1];

	(void)state;
	memset(name, 'n', sizeof name);
	memset(value, 'v', sizeof value);
	name[sizeof name - 1] = value[sizeof value - 1] = '\0';
	assert_int_equal(dimension_set_add(set, name, value), 0);
	assert_int_equal(dimension_set_add(set, "with space", ":v"), 0);
	dimension_set_drop(set);
}

static void a_name_stands_once_in_a_set(void **state)
{
	struct dimension_set *set = dimension_set_new();

	(void)state;
	assert_int_equal(dimension_set_add(set, "Service", "a"), 0);
	assert_int_equal(dimension_set_add(set, "Service", "b"), ERR_RANGE);
	assert_int_equal(dimension_set_add(set, "service", "b"), 0);
	dimension_set_drop(set);
}

static void the_thirty_first_dimension_is_refused(void **state)
{
	struct dimension_set *set = dimension_set_new();
	char name[16];

	(void)state;
	for (int i = 0; i < DATUM_DIMENSIONS_MAX; i++) {
		(void)snprintf(name, sizeof name, "D%d", i);
		assert_int_equal(dimension_set_add(set, name, "v"), 0);
	}
	assert_int_equal(dimension_set_add(set, "One", "v"), ERR_LIMIT);
	assert_int_equal(set->count, DATUM_DIMENSIONS_MAX);
	dimension_set_drop(set);
}

static void a_datum_holds_its_dimensions(void **state)
{
	struct dimension_set *set = dimension_set_new();
	struct datum *datum =
		datum_new("Latency", DATUM_UNIT_MILLISECONDS, set, (struct wall){ 60 * US_PER_S }, 60, 2);

	(void)state;
	assert_non_null(datum);
	assert_int_equal(set->references, 2);
	assert_int_equal(datum->value_count, 2);
	assert_true(datum_sample_count(datum) == 0);
	datum->counts[0] = 3;
	datum->counts[1] = 4;
	assert_true(datum->values[0] == 0 && datum->values[1] == 0);
	assert_true(datum_sample_count(datum) == 7);
	assert_true(datum_bytes(datum) >= sizeof *datum + 4 * sizeof(double));
	dimension_set_drop(set);
	assert_int_equal(datum->dimensions->references, 1);
	datum_free(datum);
	datum_free(NULL);
	dimension_set_drop(NULL);
}

static void units_are_named_as_cloudwatch_names_them(void **state)
{
	(void)state;
	assert_string_equal(datum_unit_name(DATUM_UNIT_NONE), "None");
	assert_string_equal(datum_unit_name(DATUM_UNIT_COUNT), "Count");
	assert_string_equal(datum_unit_name(DATUM_UNIT_MILLISECONDS), "Milliseconds");
	assert_string_equal(datum_unit_name(DATUM_UNIT_SECONDS), "Seconds");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dimension_is_copied),
		cmocka_unit_test(what_cloudwatch_refuses_is_refused),
		cmocka_unit_test(the_longest_that_cloudwatch_takes_is_taken),
		cmocka_unit_test(a_name_stands_once_in_a_set),
		cmocka_unit_test(the_thirty_first_dimension_is_refused),
		cmocka_unit_test(a_datum_holds_its_dimensions),
		cmocka_unit_test(units_are_named_as_cloudwatch_names_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
