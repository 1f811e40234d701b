/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "lattice-probe/err.h"
#include "lattice-probe/units.h"

static void rfc3339_has_six_digits_and_a_z(void **state)
{
	char text[WALL_TEXT_SIZE];

	(void)state;
	wall_format_rfc3339((struct wall){ INT64_C(1440938160) * US_PER_S + 7 }, text);
	assert_string_equal(text, "2015-08-30T12:36:00.000007Z");
	wall_format_rfc3339((struct wall){ -1 }, text);
	assert_string_equal(text, "1969-12-31T23:59:59.999999Z");
}

static void the_amz_form_is_that_of_the_signing_examples(void **state)
{
	char text[WALL_TEXT_SIZE];

	(void)state;
	wall_format_amz((struct wall){ INT64_C(1440938160) * US_PER_S }, text);
	assert_string_equal(text, "20150830T123600Z");
}

static void an_http_date_is_read_back(void **state)
{
	struct wall instant = { 0 };

	(void)state;
	/* The example of RFC 9110 section 5.6.7. */
	assert_int_equal(wall_parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT", &instant), 0);
	assert_int_equal(instant.us, INT64_C(784111777) * US_PER_S);
}

static void a_wrong_http_date_leaves_the_result_alone(void **state)
{
	static const char *const wrong[] = { "", "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 6 Nov 1994 08:49:37 GMT",
		"Sun, 06 Nox 1994 08:49:37 GMT", "Sun, 06 Nov 1994 28:49:37 GMT",
		"Sun, 32 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT" };
	struct wall instant = { 42 };

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_int_equal(wall_parse_http_date(wrong[i], &instant), ERR_SYNTAX);
	assert_int_equal(instant.us, 42);
}

static void rfc3339_is_read_with_fraction_and_offset(void **state)
{
	struct wall instant = { 0 };

	(void)state;
	assert_int_equal(wall_parse_rfc3339("2015-08-30T12:36:00Z", &instant), 0);
	assert_int_equal(instant.us, INT64_C(1440938160) * US_PER_S);
	assert_int_equal(wall_parse_rfc3339("2015-08-30T14:36:00.25+02:00", &instant), 0);
	assert_int_equal(instant.us, INT64_C(1440938160) * US_PER_S + 250000);
	assert_int_equal(wall_parse_rfc3339("2015-08-30T12:36:00", &instant), ERR_SYNTAX);
	assert_int_equal(wall_parse_rfc3339("2015-08-30T12:36:00.Z", &instant), ERR_SYNTAX);
	assert_int_equal(wall_parse_rfc3339("2015-13-30T12:36:00Z", &instant), ERR_SYNTAX);
}

static void the_monotonic_clock_never_runs_backward(void **state)
{
	struct mono first = mono_now();

	(void)state;
	assert_true(mono_is_set(first));
	assert_true(mono_since(mono_now(), first) >= 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc3339_has_six_digits_and_a_z),
		cmocka_unit_test(the_amz_form_is_that_of_the_signing_examples),
		cmocka_unit_test(an_http_date_is_read_back),
		cmocka_unit_test(a_wrong_http_date_leaves_the_result_alone),
		cmocka_unit_test(rfc3339_is_read_with_fraction_and_offset),
		cmocka_unit_test(the_monotonic_clock_never_runs_backward),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
