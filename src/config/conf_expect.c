/* SPDX-License-Identifier: Apache-2.0 */
#include "config_internal.h"

#include <stdlib.h>
#include <string.h>

#include "lattice-probe/err.h"
#include "lattice-probe/parse.h"

#define STATUS_MIN 100
#define STATUS_MAX 999
#define BODY_EXPECTATIONS_MAX 2 /* a text and a pattern */

/* "200" or "200-299" */
static bool parse_range(char *item, struct target_status_range *ret_range)
{
	char *dash = strchr(item, '-');
	int64_t first;
	int64_t last;

	if (dash)
		*dash = '\0';
	if (parse_int64(item, STATUS_MIN, STATUS_MAX, &first) != 0 ||
	    parse_int64(dash ? dash + 1 : item, STATUS_MIN, STATUS_MAX, &last) != 0 || last < first)
		return false;
	*ret_range = (struct target_status_range){ (int)first, (int)last };
	return true;
}

int conf_expect_set_status(struct conf_builder *builder, struct conf_setting *setting)
{
	struct target *target = builder->target;
	const char *cursor = setting->value;
	char item[CONF_ITEM_SIZE];
	char shown[CONF_SHOWN_SIZE];

	target->expect_status_count = 0;
	while (conf_value_next_item(&cursor, ',', item)) {
		conf_findings_show(item, shown);
		if (target->expect_status_count == TARGET_STATUS_RANGES_MAX) {
			conf_builder_report(builder, CONF_MISTAKE, setting, "there are more than %d statuses or ranges",
				TARGET_STATUS_RANGES_MAX);
			return 0;
		}
		if (!parse_range(item, &target->expect_status[target->expect_status_count])) {
			conf_builder_report(builder, CONF_MISTAKE, setting, "\"%s\" is no status; allowed: %s", shown,
				setting->key->choices);
			return 0;
		}
		target->expect_status_count++;
	}
	return 0;
}

static bool is_regex(const struct conf_setting *setting)
{
	return strstr(setting->key->name, "_regex") != NULL;
}

/* ERR_SYNTAX was reported. */
static int make_pattern(struct conf_builder *builder, struct conf_setting *setting,
	struct target_pattern *ret_pattern)
{
	char *why = NULL;
	int err = is_regex(setting) ? target_pattern_compile(setting->value, ret_pattern, &why) :
		target_pattern_set_text(setting->value, ret_pattern);

	if (err == ERR_SYNTAX)
		conf_builder_report(builder, CONF_MISTAKE, setting, "this is no PCRE2 pattern: %s", why);
	free(why);
	return err;
}

int conf_expect_set_body(struct conf_builder *builder, struct conf_setting *setting)
{
	struct target *target = builder->target;
	int err;

	if (!target->expect_body)
		target->expect_body = calloc(BODY_EXPECTATIONS_MAX, sizeof *target->expect_body);
	if (!target->expect_body)
		return ERR_NOMEM;
	err = make_pattern(builder, setting, &target->expect_body[target->expect_body_count]);
	if (!err)
		target->expect_body_count++;
	return err == ERR_NOMEM ? err : 0;
}

static const char *judge_header(const struct conf_setting *setting)
{
	if (!conf_header_is_token(conf_document_suffix(setting)))
		return "this is no header name; one is made of letters, digits and !#$%&'*+-.^_`|~";
	if (!is_regex(setting) && strchr(setting->value, '\n'))
		return "a header is one line, so a text of several is never found in it";
	return NULL;
}

int conf_expect_set_header(struct conf_builder *builder, struct conf_setting *setting)
{
	struct target *target = builder->target;
	struct target_header_expectation expectation = { 0 };
	struct target_header_expectation *grown;
	const char *why = judge_header(setting);
	int err;

	if (why) {
		conf_builder_report(builder, CONF_MISTAKE, setting, "%s", why);
		return 0;
	}
	err = make_pattern(builder, setting, &expectation.pattern);
	if (err)
		return err == ERR_NOMEM ? err : 0;
	expectation.name = strdup(conf_document_suffix(setting));
	grown = reallocarray(target->expect_headers, target->expect_header_count + 1, sizeof *grown);
	if (grown)
		target->expect_headers = grown;
	if (!grown || !expectation.name) {
		free(expectation.name);
		target_pattern_done(&expectation.pattern);
		return ERR_NOMEM;
	}
	target->expect_headers[target->expect_header_count++] = expectation;
	return 0;
}
