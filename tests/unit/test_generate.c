/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "lattice-probe/conf_keys.h"
#include "lattice-probe/generate.h"

static void words_begin_and_end_empty(void **state)
{
	struct generate_words words;

	(void)state;
	generate_words_init(&words);
	assert_string_equal(buf_text(&words.notes), "");
	assert_string_equal(buf_text(&words.refusal), "");
	assert_int_equal(buf_append_text(&words.notes, "x\n"), 0);
	generate_words_done(&words);
	assert_string_equal(buf_text(&words.notes), "");
}

/* The key dimension_sets names the facts for people: Service, then what instances know. */
static void each_fact_is_a_dimension_that_sets_may_name(void **state)
{
	const struct conf_key *key = conf_keys_find("dimension_sets", CONF_SECTION_CLOUDWATCH);
	char allowed[256] = "Service";
	size_t length = strlen(allowed);
	size_t count = 0;

	(void)state;
	for (; generate_fact_name(count); count++)
		length += (size_t)snprintf(allowed + length, sizeof allowed - length, ", %s", generate_fact_name(count));
	assert_int_equal(count, 5);
	assert_int_equal(strncmp(key->choices, allowed, length), 0);
	assert_int_equal(strncmp(key->choices + length, " and ", 5), 0);
	assert_null(generate_fact_name(count + 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_begin_and_end_empty),
		cmocka_unit_test(each_fact_is_a_dimension_that_sets_may_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
