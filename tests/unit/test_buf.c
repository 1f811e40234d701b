/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "lattice-probe/buf.h"
#include "lattice-probe/err.h"

static void bytes_are_appended_and_closed_by_a_nul(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 1000);
	assert_string_equal(buf_text(&buf), "");
	assert_int_equal(buf_append(&buf, "a\0b", 3), 0);
	assert_int_equal(buf_append_text(&buf, "cd"), 0);
	assert_int_equal(buf_append_char(&buf, 'e'), 0);
	assert_int_equal(buf_append_format(&buf, "%03d", 7), 0);
	assert_int_equal(buf.length_bytes, 9);
	assert_memory_equal(buf.data, "a\0bcde007", 10);
	buf_done(&buf);
	assert_null(buf.data);
}

static void the_ceiling_holds_and_nothing_is_half_appended(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 10);
	assert_int_equal(buf_append_text(&buf, "12345678"), 0);
	assert_int_equal(buf_append_text(&buf, "abc"), ERR_LIMIT);
	assert_string_equal(buf_text(&buf), "12345678");
	assert_int_equal(buf.failed, ERR_LIMIT);
	assert_int_equal(buf_append_char(&buf, 'x'), ERR_LIMIT);
	assert_null(buf_take(&buf));
	buf_clear(&buf);
	assert_int_equal(buf_append_format(&buf, "%s", "1234567890"), 0);
	assert_int_equal(buf_append(&buf, "", 0), 0);
	assert_int_equal(buf_append_format(&buf, "%c", 'x'), ERR_LIMIT);
	assert_string_equal(buf_text(&buf), "1234567890");
	buf_done_secret(&buf);
}

static void growth_keeps_what_was_there(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 100000);
	for (int i = 0; i < 10000; i++)
		assert_int_equal(buf_append_format(&buf, "%04d", i), 0);
	assert_int_equal(buf.length_bytes, 40000);
	assert_memory_equal(buf.data + 4 * 1234, "1234", 4);
	assert_memory_equal(buf.data + 4 * 9999, "9999", 5);
	assert_true(buf.capacity_bytes <= 2 * 40001);
	buf_done(&buf);
}

static void taking_leaves_an_empty_buffer(void **state)
{
	struct buf buf;
	char *text;

	(void)state;
	buf_init(&buf, 10);
	text = buf_take(&buf);
	assert_string_equal(text, "");
	free(text);
	assert_int_equal(buf_append_text(&buf, "abc"), 0);
	text = buf_take(&buf);
	assert_string_equal(text, "abc");
	free(text);
	assert_int_equal(buf.length_bytes, 0);
	assert_int_equal(buf.max_bytes, 10);
	assert_string_equal(buf_text(&buf), "");
	buf_done(&buf);
}

static void clearing_keeps_memory_and_forgets_the_error(void **state)
{
	struct buf buf;
	char *data;

	(void)state;
	buf_init(&buf, 4);
	assert_int_equal(buf_append_text(&buf, "abcd"), 0);
	data = buf.data;
	assert_int_equal(buf_append_char(&buf, 'e'), ERR_LIMIT);
	buf_clear(&buf);
	assert_string_equal(buf_text(&buf), "");
	assert_int_equal(buf_append_text(&buf, "efgh"), 0);
	assert_ptr_equal(buf.data, data);
	buf_done(&buf);
	buf_done(&buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_are_appended_and_closed_by_a_nul),
		cmocka_unit_test(the_ceiling_holds_and_nothing_is_half_appended),
		cmocka_unit_test(growth_keeps_what_was_there),
		cmocka_unit_test(taking_leaves_an_empty_buffer),
		cmocka_unit_test(clearing_keeps_memory_and_forgets_the_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
