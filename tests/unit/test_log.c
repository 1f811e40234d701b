/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lattice-probe/log.h"
#include "lattice-probe/units.h"

#define WRITTEN_SIZE 65536

/* The log of one test: a file without a name, read back from its start. */
static int log_fd = -1;
static char written[WRITTEN_SIZE];

static const char *read_back(void)
{
	ssize_t length = pread(log_fd, written, sizeof written - 1, 0);

	assert_true(length >= 0);
	written[length] = '\0';
	return written;
}

static unsigned lines(void)
{
	unsigned count = 0;

	for (const char *c = read_back(); *c; c++)
		count += *c == '\n';
	return count;
}

static int start(void **state)
{
	char path[] = "/tmp/lattice-probe-log-XXXXXX";

	(void)state;
	unsetenv("JOURNAL_STREAM");
	log_fd = mkstemp(path);
	assert_true(log_fd >= 0);
	assert_int_equal(unlink(path), 0);
	log_start(log_fd, LOG_LEVEL_INFO);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	log_flush_repeats(); /* forgets the lines, so that the next test starts with none */
	log_start(STDERR_FILENO, LOG_LEVEL_INFO);
	return close(log_fd);
}

static void a_line_has_time_level_and_pairs(void **state)
{
	struct wall instant = { 0 };
	char when[WALL_TEXT_SIZE] = "";

	(void)state;
	log_info("target=%s outcome=%s elapsed_us=%d", "checkout", "tls_expired", 48211);
	assert_int_equal(sscanf(read_back(), "%31s", when), 1);
	assert_int_equal(wall_parse_rfc3339(when, &instant), 0);
	assert_true(wall_since(wall_now(), instant) >= 0);
	assert_true(wall_since(wall_now(), instant) < 60 * US_PER_S);
	assert_string_equal(written + strlen(when), " level=info target=checkout outcome=tls_expired elapsed_us=48211\n");
}

static void each_function_says_its_level(void **state)
{
	(void)state;
	log_set_level(LOG_LEVEL_DEBUG);
	log_err("a=1");
	log_warning("a=2");
	log_info("a=3");
	log_debug("a=4");
	assert_non_null(strstr(read_back(), " level=error a=1\n"));
	assert_non_null(strstr(written, " level=warning a=2\n"));
	assert_non_null(strstr(written, " level=info a=3\n"));
	assert_non_null(strstr(written, " level=debug a=4\n"));
}

static void lines_above_the_level_are_dropped(void **state)
{
	(void)state;
	log_debug("a=1");
	assert_int_equal(lines(), 0);
	log_set_level(LOG_LEVEL_ERR);
	log_warning("a=2");
	assert_int_equal(lines(), 0);
	log_err("a=3");
	assert_int_equal(lines(), 1);
}

/* sd-daemon(3): "<N>" in front, and the journal adds the time itself. */
static void the_journal_gets_priorities_instead_of_time(void **state)
{
	char stream[64];
	struct stat status;

	(void)state;
	assert_int_equal(fstat(log_fd, &status), 0);
	snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)status.st_dev, (unsigned long long)status.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_start(log_fd, LOG_LEVEL_DEBUG);
	log_err("a=1");
	log_warning("a=2");
	log_info("a=3");
	log_debug("a=4");
	unsetenv("JOURNAL_STREAM");
	assert_string_equal(read_back(), "<3>a=1\n<4>a=2\n<6>a=3\n<7>a=4\n");
}

static void another_stream_is_not_the_journal(void **state)
{
	(void)state;
	setenv("JOURNAL_STREAM", "1:1", 1);
	log_start(log_fd, LOG_LEVEL_INFO);
	unsetenv("JOURNAL_STREAM");
	log_err("a=1");
	assert_non_null(strstr(read_back(), " level=error a=1\n"));
}

static void equal_lines_are_counted_not_printed(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++)
		log_warning("target=a outcome=connect_timeout");
	assert_int_equal(lines(), 1);
	log_flush_repeats();
	assert_int_equal(lines(), 2);
	assert_non_null(strstr(read_back(), " level=warning target=a outcome=connect_timeout repeated=4\n"));
	log_flush_repeats();
	assert_int_equal(lines(), 2);
}

static void lines_that_take_turns_are_both_counted(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		log_info("target=a");
		log_info("target=b");
	}
	assert_int_equal(lines(), 2);
	log_flush_repeats();
	assert_non_null(strstr(read_back(), "target=a repeated=2\n"));
	assert_non_null(strstr(written, "target=b repeated=2\n"));
}

/* More lines than are remembered: none is lost, and what was counted for one that is forgotten
 * goes out with it. */
static void a_line_that_is_forgotten_takes_its_count_along(void **state)
{
	(void)state;
	log_info("first=1");
	log_info("first=1");
	for (int i = 0; i < 200; i++)
		log_info("i=%d", i);
	assert_non_null(strstr(read_back(), " level=info first=1 repeated=1\n"));
	assert_int_equal(lines(), 202);
	log_info("first=1");
	assert_int_equal(lines(), 203);
}

static void control_characters_never_reach_the_stream(void **state)
{
	(void)state;
	log_err("a=%s", "x\nlevel=error forged=1\r\x1b[31m\x7f");
	assert_int_equal(lines(), 1);
	assert_non_null(strstr(read_back(), "a=x?level=error forged=1??[31m?\n"));
}

static void a_long_line_is_cut_and_stays_one_line(void **state)
{
	char text[8000];

	(void)state;
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	log_err("a=%s", text);
	assert_int_equal(lines(), 1);
	assert_in_range(strlen(read_back()), 2000, 2048 + 128);
	assert_int_equal(written[strlen(written) - 1], '\n');
}

static void a_log_that_cannot_be_written_is_borne(void **state)
{
	int closed = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)state;
	assert_true(closed >= 0);
	log_start(closed, LOG_LEVEL_INFO);
	log_err("a=1");
	assert_int_equal(close(closed), 0);
	log_start(log_fd, LOG_LEVEL_INFO);
	assert_int_equal(lines(), 0);
}

static void values_are_quoted_where_they_must_be(void **state)
{
	static const struct {
		const char *text;
		const char *value;
	} rows[] = {
		{ "plain", "plain" },
		{ "", "\"\"" },
		{ "two words", "\"two words\"" },
		{ "a=b", "\"a=b\"" },
		{ "say \"hi\"", "\"say \\\"hi\\\"\"" },
		{ "back\\slash", "\"back\\\\slash\"" },
		{ "line\nbreak", "\"line?break\"" },
		{ "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f" },
		{ "\x01", "?" },
	};
	char value[LOG_VALUE_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_ptr_equal(log_value(rows[i].text, value), value);
		assert_string_equal(value, rows[i].value);
	}
}

static void a_long_value_is_cut_and_still_closed(void **state)
{
	char text[1000];
	char value[LOG_VALUE_SIZE + 1];

	(void)state;
	for (size_t i = 0; i < sizeof text - 1; i++)
		text[i] = '"';
	text[sizeof text - 1] = '\0';
	for (size_t skip = 0; skip < 4; skip++) {
		value[LOG_VALUE_SIZE] = '#';
		log_value(text + skip, value);
		assert_int_equal(value[LOG_VALUE_SIZE], '#');
		assert_in_range(strlen(value), LOG_VALUE_SIZE - 8, LOG_VALUE_SIZE - 1);
		assert_int_equal(value[strlen(value) - 1], '"');
		text[skip] = 'x';
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_line_has_time_level_and_pairs),
		TEST(each_function_says_its_level),
		TEST(lines_above_the_level_are_dropped),
		TEST(the_journal_gets_priorities_instead_of_time),
		TEST(another_stream_is_not_the_journal),
		TEST(equal_lines_are_counted_not_printed),
		TEST(lines_that_take_turns_are_both_counted),
		TEST(a_line_that_is_forgotten_takes_its_count_along),
		TEST(control_characters_never_reach_the_stream),
		TEST(a_long_line_is_cut_and_stays_one_line),
		TEST(a_log_that_cannot_be_written_is_borne),
		TEST(values_are_quoted_where_they_must_be),
		TEST(a_long_value_is_cut_and_still_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
