/* SPDX-License-Identifier: Apache-2.0 */
#include "config_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lattice-probe/err.h"
#include "lattice-probe/nearest.h"
#include "lattice-probe/parse.h"
#include "lattice-probe/units.h"

const char *conf_value_format_duration(int64_t us, char ret_text[static CONF_DURATION_SIZE])
{
	static const struct {
		int64_t us;
		const char *word;
	} units[] = { { US_PER_DAY, "d" }, { 3600 * US_PER_S, "h" }, { 60 * US_PER_S, "m" }, { US_PER_S, "s" },
		{ US_PER_MS, "ms" } };
	size_t i = 0;

	/* A minute is mostly said in seconds: 60s, 90s; 0s and not 0d. */
	while (i < 4 && (us == 0 ? i < 3 : us % units[i].us != 0 || (us <= 60 * US_PER_S && i < 3)))
		i++;
	(void)snprintf(ret_text, CONF_DURATION_SIZE, "%" PRId64 "%s", us / units[i].us, units[i].word);
	return ret_text;
}

static const char *format_size(int64_t bytes, char ret_text[static CONF_DURATION_SIZE])
{
	if (bytes > 0 && bytes % (1024 * 1024) == 0)
		(void)snprintf(ret_text, CONF_DURATION_SIZE, "%" PRId64 "MiB", bytes / (1024 * 1024));
	else if (bytes > 0 && bytes % 1024 == 0)
		(void)snprintf(ret_text, CONF_DURATION_SIZE, "%" PRId64 "KiB", bytes / 1024);
	else
		(void)snprintf(ret_text, CONF_DURATION_SIZE, "%" PRId64 "B", bytes);
	return ret_text;
}

static void *field_of(struct conf_builder *builder, const struct conf_key *key)
{
	char *base = key->sections & CONF_SECTION_PROBE ? (char *)builder->target : (char *)builder->conf;

	return base + key->offset;
}

static void mistake(struct conf_builder *builder, struct conf_setting *setting, const char *what,
	const char *allowed)
{
	char shown[CONF_SHOWN_SIZE];

	conf_builder_report(builder, CONF_MISTAKE, setting, "\"%s\" %s; %s",
		conf_findings_show(setting->value, shown), what, allowed);
}

static void set_integer(struct conf_builder *builder, struct conf_setting *setting)
{
	const struct conf_key *key = setting->key;
	int64_t value;
	char allowed[128];
	int err = parse_int64(setting->value, key->min, key->max, &value);

	(void)snprintf(allowed, sizeof allowed, "write a whole number from %" PRId64 " to %" PRId64 " (%s)", key->min,
		key->max, key->unit);
	if (err == ERR_SYNTAX)
		mistake(builder, setting, "is no whole number", allowed);
	else if (err)
		mistake(builder, setting, "is out of range", allowed);
	else
		*(int *)field_of(builder, key) = (int)value;
}

static bool is_all_digits(const char *text)
{
	return *text && strspn(text, "0123456789") == strlen(text);
}

static void set_duration(struct conf_builder *builder, struct conf_setting *setting)
{
	const struct conf_key *key = setting->key;
	char min[CONF_DURATION_SIZE];
	char max[CONF_DURATION_SIZE];
	char allowed[160];
	int64_t us = 0;
	int err = parse_duration(setting->value, &us);

	if (!err && (us < key->min || us > key->max))
		err = ERR_RANGE;
	if (!err) {
		*(int64_t *)field_of(builder, key) = us;
		return;
	}
	conf_value_format_duration(key->min, min);
	conf_value_format_duration(key->max, max);
	(void)snprintf(allowed, sizeof allowed, "write %s to %s, with ms, s, m, h or d", min, max);
	if (err == ERR_RANGE)
		mistake(builder, setting, "is out of range", allowed);
	else if (is_all_digits(setting->value))
		conf_builder_report(builder, CONF_MISTAKE, setting, "\"%.20s\" has no unit; write %.20ss (ms, s, m, h, d)",
			setting->value, setting->value);
	else
		mistake(builder, setting, "is no duration", allowed);
}

static void set_size(struct conf_builder *builder, struct conf_setting *setting)
{
	const struct conf_key *key = setting->key;
	char min[CONF_DURATION_SIZE];
	char max[CONF_DURATION_SIZE];
	char allowed[160];
	int64_t bytes = 0;
	int err = parse_size(setting->value, &bytes);

	if (!err && (bytes < key->min || bytes > key->max))
		err = ERR_RANGE;
	if (!err) {
		*(int64_t *)field_of(builder, key) = bytes;
		return;
	}
	(void)snprintf(allowed, sizeof allowed, "write %s to %s, with B, KiB or MiB", format_size(key->min, min),
		format_size(key->max, max));
	if (err == ERR_RANGE)
		mistake(builder, setting, "is out of range", allowed);
	else
		mistake(builder, setting, is_all_digits(setting->value) ? "has no unit" : "is no size", allowed);
}

static void set_bool(struct conf_builder *builder, struct conf_setting *setting)
{
	if (parse_bool(setting->value, field_of(builder, setting->key)) != 0)
		mistake(builder, setting, "is neither yes nor no", "write yes or no");
}

bool conf_value_is_printable(const char *text)
{
	bool has_graph = false;

	for (; *text; text++) {
		if (*text < ' ' || *text > '~')
			return false;
		has_graph = has_graph || *text != ' ';
	}
	return has_graph;
}

static void set_text(struct conf_builder *builder, struct conf_setting *setting)
{
	const struct conf_key *key = setting->key;
	size_t length = strlen(setting->value);
	char allowed[64];

	(void)snprintf(allowed, sizeof allowed, "write 1 to %zu printable ASCII characters", key->size_bytes - 1);
	if (length >= key->size_bytes)
		mistake(builder, setting, "is too long", allowed);
	else if (!conf_value_is_printable(setting->value))
		mistake(builder, setting, "holds other than ASCII", allowed);
	else
		memcpy(field_of(builder, key), setting->value, length + 1);
}

/* The place of `word` in "a|b|c"; -1: none. */
static int place_of(const char *word, const char *choices)
{
	size_t length = strlen(word);

	for (int place = 0;; place++) {
		size_t choice_length = strcspn(choices, "|");

		if (choice_length == length && memcmp(choices, word, length) == 0)
			return place;
		if (!choices[choice_length])
			return -1;
		choices += choice_length + 1;
	}
}

static void set_choice(struct conf_builder *builder, struct conf_setting *setting)
{
	const struct conf_key *key = setting->key;
	int place = place_of(setting->value, key->choices);
	unsigned value = (unsigned)place;
	char nearest[NEAREST_WORD_SIZE];
	char shown[CONF_SHOWN_SIZE];

	if (place < 0) {
		bool is_near = nearest_word(setting->value, key->choices, nearest);

		conf_builder_report(builder, CONF_MISTAKE, setting, "\"%s\" is none of %s%s%s%s",
			conf_findings_show(setting->value, shown), key->choices, is_near ? "; did you mean " : "",
			is_near ? nearest : "", is_near ? "?" : "");
	} else if (key->size_bytes == sizeof(bool)) {
		*(bool *)field_of(builder, key) = place == 1;
	} else {
		assert(key->size_bytes == sizeof value);
		memcpy(field_of(builder, key), &value, sizeof value);
	}
}

void conf_value_set(struct conf_builder *builder, struct conf_setting *setting)
{
	switch (setting->key->type) {
	case CONF_TYPE_INTEGER: set_integer(builder, setting); break;
	case CONF_TYPE_DURATION: set_duration(builder, setting); break;
	case CONF_TYPE_SIZE: set_size(builder, setting); break;
	case CONF_TYPE_BOOL: set_bool(builder, setting); break;
	case CONF_TYPE_TEXT: set_text(builder, setting); break;
	case CONF_TYPE_CHOICE: set_choice(builder, setting); break;
	case CONF_TYPE_CUSTOM: assert(!"has a setter of its own"); break;
	}
}

bool conf_value_next_item(const char **cursor, char separator, char ret_item[static CONF_ITEM_SIZE])
{
	const char *text = *cursor;
	const char *end;
	size_t length;

	if (!text)
		return false;
	end = strchr(text, separator);
	*cursor = end ? end + 1 : NULL;
	length = end ? (size_t)(end - text) : strlen(text);
	while (length > 0 && strchr(" \t\n", *text)) {
		text++;
		length--;
	}
	while (length > 0 && strchr(" \t\n", text[length - 1]))
		length--;
	if (length >= CONF_ITEM_SIZE)
		length = CONF_ITEM_SIZE - 1;
	memcpy(ret_item, text, length);
	ret_item[length] = '\0';
	return true;
}
