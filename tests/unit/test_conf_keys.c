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

#include "lattice-probe/conf.h"
#include "lattice-probe/conf_keys.h"

static void each_row_says_all_it_should(void **state)
{
	(void)state;
	for (size_t i = 0; i < conf_keys_count; i++) {
		const struct conf_key *key = &conf_keys[i];
		bool is_custom = key->type == CONF_TYPE_CUSTOM;

		if (strlen(key->help) < 10 || key->help[strlen(key->help) - 1] != '.' || !key->default_text)
			fail_msg("%s has no help or default", key->name);
		assert_true(key->sections != 0);
		assert_int_equal(is_custom, key->set != NULL);
		assert_int_equal(is_custom, key->size_bytes == 0);
		if (is_custom || key->type == CONF_TYPE_CHOICE)
			assert_non_null(key->choices);
		if (key->type == CONF_TYPE_INTEGER || key->type == CONF_TYPE_DURATION || key->type == CONF_TYPE_SIZE) {
			assert_true(key->min < key->max);
			assert_true(strlen(key->unit) > 0);
		}
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(key->name, conf_keys[j].name);
	}
}

static void keys_are_found_in_their_sections_only(void **state)
{
	(void)state;
	assert_string_equal(conf_keys_find("timeout", CONF_SECTION_AGENT)->name, "timeout");
	assert_string_equal(conf_keys_find("timeout", CONF_SECTION_PROBE)->name, "timeout");
	assert_null(conf_keys_find("timeout", CONF_SECTION_CLOUDWATCH));
	assert_null(conf_keys_find("timeouts", CONF_SECTION_AGENT));
	assert_null(conf_keys_find("Timeout", CONF_SECTION_AGENT));
	assert_null(conf_keys_find("", CONF_SECTION_AGENT));
	assert_string_equal(conf_keys_find("header.Accept", CONF_SECTION_PROBE)->name, "header.");
	assert_string_equal(conf_keys_find("expect_header_regex.A", CONF_SECTION_PROBE)->name, "expect_header_regex.");
	assert_null(conf_keys_find("header.", CONF_SECTION_PROBE));
	assert_null(conf_keys_find("header", CONF_SECTION_PROBE));
}

static void the_nearest_key_is_the_one_that_was_meant(void **state)
{
	static const struct {
		const char *name;
		enum conf_section section;
		const char *meant;
	} rows[] = {
		{ "timout", CONF_SECTION_PROBE, "timeout" },
		{ "time_out", CONF_SECTION_PROBE, "timeout" },
		{ "intreval", CONF_SECTION_AGENT, "interval" },
		{ "uri", CONF_SECTION_PROBE, "url" },
		{ "header", CONF_SECTION_PROBE, "header." },
		{ "Header.Accept", CONF_SECTION_PROBE, "header." },
		{ "expect_headers.X", CONF_SECTION_PROBE, "expect_header." },
		{ "expect_staus", CONF_SECTION_PROBE, "expect_status" },
		{ "fleet", CONF_SECTION_CLOUDWATCH, "fleet" },
		{ "dimensions_set", CONF_SECTION_CLOUDWATCH, "dimension_sets" },
		{ "colour", CONF_SECTION_AGENT, NULL },
		{ "", CONF_SECTION_AGENT, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct conf_key *key = conf_keys_nearest(rows[i].name, rows[i].section);

		if (!rows[i].meant)
			assert_null(key);
		else if (!key || strcmp(key->name, rows[i].meant) != 0)
			fail_msg("%s: %s", rows[i].name, key ? key->name : "nothing");
	}
}

/* ---- the shipped file ---------------------------------------------------------------------- */

static char *shipped_path(void)
{
	const char *source = getenv("srcdir");
	char *path = NULL;

	assert_true(asprintf(&path, "%s/conf/lattice-probe.conf", source ? source : ".") > 0);
	return path;
}

/* The key and value of a line "key = value" or "#key = value"; prose begins with "# ". */
static bool take_key(char *line, char **ret_name, char **ret_value)
{
	char *equals;

	line[strcspn(line, "\n")] = '\0';
	if (*line == '#')
		line++;
	equals = strstr(line, " = ");
	if (!islower((unsigned char)*line) || !equals)
		return false;
	*equals = '\0';
	*ret_name = line;
	*ret_value = equals + 3;
	return strlen(line) == strcspn(line, " ");
}

static enum conf_section section_of(const char *line, enum conf_section before)
{
	if (strstr(line, "[agent]") == line)
		return CONF_SECTION_AGENT;
	if (strstr(line, "[cloudwatch]") == line)
		return CONF_SECTION_CLOUDWATCH;
	return strstr(line, "#[probe ") == line ? CONF_SECTION_PROBE : before;
}

static void the_shipped_file_shows_each_key_with_its_default(void **state)
{
	enum conf_section section = CONF_SECTION_AGENT;
	bool shown[100] = { false };
	char *path = shipped_path();
	FILE *file = fopen(path, "r");
	char line[500];

	(void)state;
	assert_non_null(file);
	assert_true(conf_keys_count < sizeof shown / sizeof *shown);
	while (fgets(line, sizeof line, file)) {
		const struct conf_key *key;
		char *name;
		char *value;

		section = section_of(line, section);
		if (!take_key(line, &name, &value))
			continue;
		key = conf_keys_find(name, section);
		if (!key)
			fail_msg("%s is no key", name);
		shown[key - conf_keys] = true;
		if (*key->default_text && strcmp(key->default_text, value) != 0)
			fail_msg("%s = %s, but the default is %s", name, value, key->default_text);
	}
	for (size_t i = 0; i < conf_keys_count; i++)
		if (!shown[i])
			fail_msg("%s is not shown", conf_keys[i].name);
	assert_int_equal(fclose(file), 0);
	free(path);
}

static void the_shipped_file_has_no_mistake_and_no_probe(void **state)
{
	struct conf_findings findings;
	struct conf *conf = NULL;
	char *path = shipped_path();

	(void)state;
	conf_findings_init(&findings);
	assert_int_equal(conf_load(path, &conf, &findings), 0);
	assert_int_equal(findings.count, 0);
	assert_int_equal(conf->target_count + conf->disabled_count, 0);
	assert_int_equal(conf->static_dimension_count, 1);
	assert_string_equal(conf->static_dimensions[0].name, "Environment");
	conf_free(conf);
	conf_findings_done(&findings);
	free(path);
}

/* A user takes the '#' away and expects the line to do as it says. */
static void the_shipped_file_stays_right_when_every_line_counts(void **state)
{
	static char text[64 * 1024];
	size_t length = 0;
	struct conf_findings findings;
	struct conf *conf = NULL;
	char *path = shipped_path();
	FILE *file = fopen(path, "r");
	char line[500];

	(void)state;
	assert_non_null(file);
	while (fgets(line, sizeof line, file)) {
		bool is_file = strstr(line, "_file") || strstr(line, "tls_ca");
		bool is_key = *line == '#' && (islower((unsigned char)line[1]) || line[1] == '[');

		assert_true(length + strlen(line) < sizeof text);
		memcpy(text + length, line + is_key, strlen(line + is_key) + 1);
		if (is_key && is_file)
			text[length] = '#';
		length += strlen(text + length);
	}
	conf_findings_init(&findings);
	(void)conf_load_text("all.conf", text, length, &conf, &findings);
	for (size_t i = 0; i < findings.count; i++)
		if (findings.items[i].severity == CONF_MISTAKE)
			print_message("%u: %s\n", findings.items[i].line, findings.items[i].text);
	assert_int_equal(findings.mistakes, 0);
	assert_int_equal(conf->target_count, 1);
	conf_free(conf);
	conf_findings_done(&findings);
	assert_int_equal(fclose(file), 0);
	free(path);
}

static void the_sample_is_ready_to_use(void **state)
{
	const char *source = getenv("srcdir");
	struct conf_findings findings;
	struct conf *conf = NULL;
	char path[1000];

	(void)state;
	(void)snprintf(path, sizeof path, "%s/conf/conf.d/example.conf.sample", source ? source : ".");
	conf_findings_init(&findings);
	assert_int_equal(conf_load(path, &conf, &findings), 0);
	assert_int_equal(conf->target_count, 1);
	conf_free(conf);
	conf_findings_done(&findings);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_row_says_all_it_should),
		cmocka_unit_test(keys_are_found_in_their_sections_only),
		cmocka_unit_test(the_nearest_key_is_the_one_that_was_meant),
		cmocka_unit_test(the_shipped_file_shows_each_key_with_its_default),
		cmocka_unit_test(the_shipped_file_has_no_mistake_and_no_probe),
		cmocka_unit_test(the_shipped_file_stays_right_when_every_line_counts),
		cmocka_unit_test(the_sample_is_ready_to_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
