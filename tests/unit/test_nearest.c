/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <string.h>

#include "lattice-probe/nearest.h"

static void letters_dropped_added_changed_and_swapped_count_one_each(void **state)
{
	static const struct {
		const char *a;
		const char *b;
		unsigned distance;
	} rows[] = {
		{ "", "", 0 }, { "json", "json", 0 }, { "jsn", "json", 1 }, { "jsson", "json", 1 }, { "jsom", "json", 1 },
		{ "josn", "json", 1 }, { "", "json", 4 }, { "watch", "json", 5 }, { "verbsoe", "verbos", 2 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(nearest_distance(rows[i].a, rows[i].b, 9), rows[i].distance);
		assert_int_equal(nearest_distance(rows[i].b, rows[i].a, 9), rows[i].distance);
	}
}

static void beyond_the_limit_it_is_one_more(void **state)
{
	(void)state;
	assert_int_equal(nearest_distance("watch", "json", 2), 3);
	assert_int_equal(nearest_distance("a", "abcdef", 2), 3);
	assert_int_equal(nearest_distance("watch", "watch", 0), 0);
}

static void a_word_longer_than_any_is_near_to_nothing(void **state)
{
	char word[2 * NEAREST_WORD_SIZE];

	(void)state;
	memset(word, 'a', sizeof word - 1);
	word[sizeof word - 1] = '\0';
	assert_int_equal(nearest_distance(word, word, 3), 4);
	word[NEAREST_WORD_SIZE - 1] = '\0';
	assert_int_equal(nearest_distance(word, word, 3), 0);
}

static void a_longer_word_may_be_further_off(void **state)
{
	(void)state;
	assert_int_equal(nearest_limit(4), 1);
	assert_int_equal(nearest_limit(6), 2);
	assert_int_equal(nearest_limit(12), 3);
}

static void the_nearest_of_a_list_is_found_or_none(void **state)
{
	char word[NEAREST_WORD_SIZE] = "before";

	(void)state;
	assert_true(nearest_word("allways", "sparse|always", word));
	assert_string_equal(word, "always");
	assert_true(nearest_word("yse", "yes|no", word));
	assert_string_equal(word, "yes");
	assert_false(nearest_word("perhaps", "yes|no", word));
	assert_false(nearest_word("yes", "", word));
	assert_string_equal(word, "yes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(letters_dropped_added_changed_and_swapped_count_one_each),
		cmocka_unit_test(beyond_the_limit_it_is_one_more),
		cmocka_unit_test(a_word_longer_than_any_is_near_to_nothing),
		cmocka_unit_test(a_longer_word_may_be_further_off),
		cmocka_unit_test(the_nearest_of_a_list_is_found_or_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
