/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lattice-probe/cli_text.h"
#include "lattice-probe/diagnose_table.h"
#include "lattice-probe/diagnosis.h"
#include "lattice-probe/story.h"

#include "evidence_fixture.h"
#include "evidence_hostile.h"

#define UTF8_LOCALE "C.UTF-8"

static char *print(const struct cli_terminal *terminal, const struct evidence *evidence,
	const struct diagnosis *diagnosis, bool verbose)
{
	char *text = NULL;
	size_t length = 0;
	FILE *stream = open_memstream(&text, &length);

	assert_non_null(stream);
	diagnose_table_print(stream, terminal, evidence, diagnosis, verbose);
	assert_int_equal(fclose(stream), 0);
	assert_int_equal(strlen(text), length);
	return text;
}

static void use_locale(const char *name)
{
	assert_int_equal(setenv("LC_ALL", name, 1), 0);
}

/* The command lines of the advice; they may be of any width. */
static bool is_command(const char *line, size_t length, const struct story_fixes *fixes)
{
	for (size_t i = 0; i < fixes->count; i++) {
		size_t command = strlen(fixes->items[i].command);

		if (command > 0 && length >= command && memcmp(line + length - command, fixes->items[i].command, command) == 0)
			return true;
	}
	return false;
}

static void assert_fits(const char *text, int columns, const struct evidence *evidence,
	const struct diagnosis *diagnosis)
{
	static struct story_fixes fixes;

	story_advise(evidence, diagnosis, &fixes);
	for (const char *line = text; *line;) {
		size_t length = strcspn(line, "\n");
		char copy[2048];

		assert_true(length < sizeof copy);
		memcpy(copy, line, length);
		copy[length] = '\0';
		if (cli_text_columns(copy) > columns && !is_command(line, length, &fixes))
			fail_msg("%d columns: %s", cli_text_columns(copy), copy);
		line += length + (line[length] == '\n');
	}
}

static void assert_plain(const char *text)
{
	for (; *text; text++)
		assert_true(*text == '\n' || isprint((unsigned char)*text));
}

static void no_control_but_line_ends(const char *text)
{
	for (; *text; text++)
		assert_true(*text == '\n' || ((unsigned char)*text >= 0x20 && *text != 0x7f));
}

static struct diagnosis named(enum diagnosis_verdict verdict)
{
	struct diagnosis diagnosis = { .verdict = verdict };

	(void)snprintf(diagnosis.summary, sizeof diagnosis.summary, "%s", diagnosis_words(verdict));
	return diagnosis;
}

static void a_diagnosis_reads_from_the_verdict_to_what_to_do(void **state)
{
	static const char *const order[] = { "✗ dns-wrong-resolver (certain)\n  https://", "where   ✓ machine", "\n  │\n",
		"\ndns     ✗ 192.168.7.53 A", "✓ 169.254.169.253 A", "\naddress – none to try", "\nWhy\n  - it says so\n",
		"\nRuled out\n  - dns-nxdomain: known\n", "\nAlso seen\n  - odd\n", "\nWhat to do\n  1. ",
		"\n     aws ec2 describe-vpcs --vpc-ids vpc-0123456789abcdef0 " };
	static struct evidence evidence;
	struct cli_terminal terminal = { .columns = 80 };
	struct diagnosis diagnosis = named(DIAGNOSIS_DNS_WRONG_RESOLVER);
	const char *at;
	char *text;

	(void)state;
	use_locale(UTF8_LOCALE);
	evidence_resolving(&evidence, OUTCOME_DNS_NXDOMAIN, OUTCOME_OK);
	diagnosis.why = (struct diagnosis_lines){ 1, { "it says so" } };
	diagnosis.notes = (struct diagnosis_lines){ 1, { "odd" } };
	diagnosis.ruled_out[0] = (struct diagnosis_ruled_out){ DIAGNOSIS_DNS_NXDOMAIN, "known" };
	diagnosis.ruled_out_count = 1;
	text = print(&terminal, &evidence, &diagnosis, false);
	at = text;
	for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
		at = strstr(at, order[i]);
		if (!at)
			fail_msg("\"%s\" does not stand in its place in:\n%s", order[i], text);
	}
	assert_fits(text, 80, &evidence, &diagnosis);
	free(text);
}

static void a_healthy_one_gives_no_advice(void **state)
{
	static struct evidence evidence;
	struct cli_terminal terminal = { .columns = 80 };
	struct diagnosis diagnosis = named(DIAGNOSIS_HEALTHY);
	char *text;

	(void)state;
	use_locale(UTF8_LOCALE);
	evidence_healthy(&evidence);
	text = print(&terminal, &evidence, &diagnosis, false);
	assert_int_equal(strncmp(text, "✓ healthy", strlen("✓ healthy")), 0);
	assert_null(strstr(text, "What to do"));
	assert_null(strstr(text, "✗"));
	free(text);
}

static void without_utf8_everything_is_ascii(void **state)
{
	static struct evidence evidence;
	struct cli_terminal terminal = { .columns = 80 };
	struct diagnosis diagnosis = named(DIAGNOSIS_VPC_NOT_ASSOCIATED);
	char *text;

	(void)state;
	use_locale("C");
	evidence_failing(&evidence, OUTCOME_CONNECT_TIMEOUT);
	evidence_add_publishing(&evidence);
	text = print(&terminal, &evidence, &diagnosis, true);
	assert_plain(text);
	assert_non_null(strstr(text, "x vpc-not-associated"));
	assert_non_null(strstr(text, "\n  |\n"));
	assert_non_null(strstr(text, "access key ...MPLE"));
	assert_non_null(strstr(text, "VPC console -> PrivateLink and Lattice -> "));
	assert_fits(text, 80, &evidence, &diagnosis);
	free(text);
}

static void colour_comes_only_where_it_is_wanted(void **state)
{
	static struct evidence evidence;
	struct cli_terminal terminal = { .columns = 80, .is_terminal = true };
	struct diagnosis diagnosis = named(DIAGNOSIS_HEALTHY);

	(void)state;
	use_locale(UTF8_LOCALE);
	evidence_healthy(&evidence);
	for (int colour = 0; colour <= 1; colour++) {
		char *text;

		terminal.has_colour = colour != 0;
		text = print(&terminal, &evidence, &diagnosis, false);
		assert_int_equal(strchr(text, '\033') != NULL, colour);
		free(text);
	}
}

static void every_verdict_fits_every_width(void **state)
{
	static const int widths[] = { 50, 61, 80, 132 };
	static struct evidence evidence;

	(void)state;
	use_locale(UTF8_LOCALE);
	for (size_t i = 0; i < sizeof widths / sizeof *widths; i++)
		for (int verdict = 0; verdict < DIAGNOSIS_COUNT; verdict++) {
			struct cli_terminal terminal = { .columns = widths[i] };
			struct diagnosis diagnosis = named((enum diagnosis_verdict)verdict);
			char *text;

			evidence_failing(&evidence, OUTCOME_CONNECT_TIMEOUT);
			evidence_set_path_address(&evidence, EVIDENCE_LATTICE_V6);
			evidence_add_control(&evidence);
			evidence_add_publishing(&evidence);
			text = print(&terminal, &evidence, &diagnosis, verdict % 2 == 0);
			assert_fits(text, widths[i], &evidence, &diagnosis);
			free(text);
		}
}

static void verbose_adds_basis_and_questions_and_unmasks(void **state)
{
	static struct evidence evidence;
	struct cli_terminal terminal = { .columns = 80 };
	struct diagnosis diagnosis = named(DIAGNOSIS_OUTSIDE_VPC);

	(void)state;
	use_locale(UTF8_LOCALE);
	evidence_failing(&evidence, OUTCOME_CONNECT_TIMEOUT);
	(void)snprintf(diagnosis.summary, sizeof diagnosis.summary, "arn:aws:iam::123456789012:role/x");
	for (int verbose = 0; verbose <= 1; verbose++) {
		char *text = print(&terminal, &evidence, &diagnosis, verbose != 0);

		assert_int_equal(strstr(text, "(certain, inferred)") || strstr(text, "(certain, documented)"), verbose);
		assert_int_equal(strstr(text, "(What kind of address is 169.254.171.33?)") != NULL, verbose);
		assert_int_equal(strstr(text, "123456789012") != NULL, verbose);
		free(text);
	}
}

static void hostile_text_moves_no_cursor_and_no_margin(void **state)
{
	static const char *const locales[] = { UTF8_LOCALE, "C" };
	static struct evidence evidence;
	static struct diagnosis diagnosis;
	struct cli_terminal terminal = { .columns = 80 };

	(void)state;
	for (size_t locale = 0; locale < 2; locale++)
		for (size_t i = 0; evidence_hostile_texts[i]; i++) {
			char *text;

			use_locale(locales[locale]);
			evidence_make_hostile(&evidence, &diagnosis, evidence_hostile_texts[i]);
			text = print(&terminal, &evidence, &diagnosis, i % 2 == 0);
			no_control_but_line_ends(text);
			if (locale == 1)
				assert_plain(text);
			assert_fits(text, 80, &evidence, &diagnosis);
			free(text);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_diagnosis_reads_from_the_verdict_to_what_to_do),
		cmocka_unit_test(a_healthy_one_gives_no_advice),
		cmocka_unit_test(without_utf8_everything_is_ascii),
		cmocka_unit_test(colour_comes_only_where_it_is_wanted),
		cmocka_unit_test(every_verdict_fits_every_width),
		cmocka_unit_test(verbose_adds_basis_and_questions_and_unmasks),
		cmocka_unit_test(hostile_text_moves_no_cursor_and_no_margin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
