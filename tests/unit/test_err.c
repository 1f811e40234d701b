/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <string.h>

#include "lattice-probe/err.h"

#define LAST ERR_UNSUPPORTED

static void success_and_the_unknown_have_words(void **state)
{
	(void)state;
	assert_string_equal(err_text(0), "success");
	assert_string_equal(err_text(1), "unknown error");
	assert_string_equal(err_text(LAST - 1), "unknown error");
}

static void every_error_has_words_of_its_own(void **state)
{
	(void)state;
	for (int err = -1; err >= LAST; err--) {
		assert_string_not_equal(err_text(err), "unknown error");
		for (int other = 0; other > err; other--)
			assert_string_not_equal(err_text(err), err_text(other));
	}
}

static void the_words_fit_into_a_sentence(void **state)
{
	(void)state;
	for (int err = 0; err >= LAST; err--) {
		const char *text = err_text(err);

		assert_true(text[0] >= 'a' && text[0] <= 'z');
		assert_null(strpbrk(text, ".\n"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(success_and_the_unknown_have_words),
		cmocka_unit_test(every_error_has_words_of_its_own),
		cmocka_unit_test(the_words_fit_into_a_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
