/* SPDX-License-Identifier: Apache-2.0 */
#include "config_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <ini.h>

#include "lattice-probe/err.h"
#include "lattice-probe/nearest.h"

struct reader {
	struct conf_lines lines;
	struct conf_document *document;
	struct conf_findings *findings;
	unsigned seen;                /* enum conf_section bits: opened in this file */
	struct conf_block *block;     /* the section being read; NULL: none that counts */
	struct conf_setting *setting; /* whose value is being collected; NULL: none that counts */
	struct buf value;
	int err;
};

/* Reports on the line being read, or on the setting that goes on in it. */
#define MISTAKE(reader, key_name, ...) \
	do { \
		struct conf_place place_ = { 0 }; \
		if ((reader)->block) \
			place_ = conf_findings_place_of_block((reader)->block); \
		place_.source = (reader)->lines.source; \
		place_.line = (reader)->lines.line; \
		place_.key = (key_name); \
		conf_findings_add((reader)->findings, CONF_MISTAKE, &place_, __VA_ARGS__); \
	} while (0)

/* ---- values ------------------------------------------------------------------------------- */

static char *trimmed_copy(const char *text)
{
	size_t length;

	text += strspn(text, " \t\n");
	length = strlen(text);
	while (length > 0 && strchr(" \t\n", text[length - 1]))
		length--;
	return strndup(text, length);
}

/* The value is complete: what comes next is another key, a section, or the end. */
static void close_value(struct reader *reader)
{
	struct conf_setting *setting = reader->setting;

	reader->setting = NULL;
	if (!setting)
		return;
	setting->value = trimmed_copy(buf_text(&reader->value));
	buf_clear(&reader->value);
	if (!setting->value)
		reader->err = ERR_NOMEM;
	else if (!*setting->value && !setting->is_wrong) {
		struct conf_place place = conf_findings_place_of_setting(reader->block, setting);

		setting->is_wrong = true;
		conf_findings_add(reader->findings, CONF_MISTAKE, &place, "has no value; %s%s",
			*setting->key->default_text ? "leave the line out for the default " : "give one or leave "
												  "the line out",
			setting->key->default_text);
	}
}

static void append(struct reader *reader, const char *text, size_t bytes)
{
	int err;

	if (!reader->setting || reader->setting->is_wrong)
		return;
	err = buf_append(&reader->value, text, bytes);
	if (err == ERR_NOMEM)
		reader->err = ERR_NOMEM;
	else if (err) {
		MISTAKE(reader, reader->setting->name, "the value is longer than %d KiB; a long body goes into body_file",
			CONF_VALUE_MAX_BYTES / 1024);
		reader->setting->is_wrong = true;
	}
}

static void append_piece(struct reader *reader, const char *value)
{
	size_t length = strlen(value);

	assert(length >= 2 && value[0] == '|' && value[length - 1] == '|');
	append(reader, value + 1, length - 2);
}

/* " ;" where a value may well mean it: the rest of the line is gone, so say so. */
static void judge_comment(struct reader *reader)
{
	struct conf_setting *setting = reader->setting;

	if (!setting || setting->is_wrong || setting->key->join != CONF_JOIN_NEWLINE || !reader->lines.has_comment)
		return;
	MISTAKE(reader, setting->name,
		"\" ;\" would begin a comment; write [;] in a pattern, put a body into a file for body_file");
	setting->is_wrong = true;
}

/* ---- sections ----------------------------------------------------------------------------- */

static void open_single(struct reader *reader, struct conf_block *block, const char *name)
{
	if (!block->source) {
		block->source = reader->lines.source;
		block->line = reader->lines.line;
	}
	reader->block = block;
	if (*name)
		MISTAKE(reader, NULL, "this section takes no name");
	if (reader->seen & block->section)
		MISTAKE(reader, NULL, "the section stands twice in this file; put its keys together");
	reader->seen |= block->section;
}

static void open_probe(struct reader *reader, const char *name)
{
	struct conf_document *document = reader->document;

	if (document->probe_count == CONF_PROBES_MAX) {
		reader->lines.skips_keys = true;
		MISTAKE(reader, NULL, "there are more than %d probes", CONF_PROBES_MAX);
		return;
	}
	reader->block = conf_document_add_probe(document, name, reader->lines.source, reader->lines.line);
	if (!reader->block)
		reader->err = ERR_NOMEM;
}

static void refuse_section(struct reader *reader, const char *section)
{
	char nearest[NEAREST_WORD_SIZE];
	char shown[CONF_SHOWN_SIZE];

	reader->lines.skips_keys = true;
	conf_findings_show(section, shown);
	if (nearest_word(section, "agent|cloudwatch|probe", nearest))
		MISTAKE(reader, NULL, "there is no section [%s]; did you mean [%s%s]?", shown, nearest,
			strcmp(nearest, "probe") == 0 ? " NAME" : "");
	else
		MISTAKE(reader, NULL, "there is no section [%s]; allowed are [agent], [cloudwatch] and [probe NAME]",
			shown);
}

static void open_section(struct reader *reader, const char *section, const char *name)
{
	close_value(reader);
	reader->block = NULL;
	if (strcmp(section, "agent") == 0)
		open_single(reader, &reader->document->agent, name);
	else if (strcmp(section, "cloudwatch") == 0)
		open_single(reader, &reader->document->cloudwatch, name);
	else if (strcmp(section, "probe") == 0)
		open_probe(reader, name);
	else
		refuse_section(reader, section);
}

/* ---- keys --------------------------------------------------------------------------------- */

static void refuse_key(struct reader *reader, const char *name)
{
	const struct conf_key *key;
	char shown[CONF_SHOWN_SIZE];

	conf_findings_show(name, shown);
	/* Nobody reads the thousand-and-first, so what was meant is not looked for. */
	key = reader->findings->count < CONF_FINDINGS_MAX ? conf_keys_nearest(name, reader->block->section) : NULL;
	if (!key)
		MISTAKE(reader, shown, "there is no such key");
	else if (key->sections & reader->block->section)
		MISTAKE(reader, shown, "there is no such key; did you mean %s%s?", key->name,
			strchr(key->name, '.') ? "NAME" : "");
	else
		MISTAKE(reader, shown, "this key stands in [%s]",
			key->sections & CONF_SECTION_AGENT ? "agent" :
			key->sections & CONF_SECTION_CLOUDWATCH ? "cloudwatch" : "probe NAME");
}

static bool is_duplicate(struct reader *reader, const char *name)
{
	const struct conf_setting *first = conf_document_find(reader->block, name);

	if (first && first->source == reader->lines.source)
		MISTAKE(reader, name, "is set twice, first in line %u", first->line);
	else if (first)
		MISTAKE(reader, name, "is set twice, first in %s:%u", first->source->path, first->line);
	return first != NULL;
}

static enum conf_indent indent_of(enum conf_join join)
{
	switch (join) {
	case CONF_JOIN_NEVER: return CONF_INDENT_REFUSED;
	case CONF_JOIN_NOTHING: return CONF_INDENT_TAKEN;
	case CONF_JOIN_NEWLINE: return CONF_INDENT_TAKEN_AS_TEXT;
	}
	return CONF_INDENT_REFUSED;
}

static void open_key(struct reader *reader, const char *name)
{
	const struct conf_key *key = conf_keys_find(name, reader->block->section);

	close_value(reader);
	if (!key) {
		refuse_key(reader, name);
		return;
	}
	if (is_duplicate(reader, name))
		return;
	if (reader->block->setting_count == CONF_BLOCK_SETTINGS_MAX) {
		MISTAKE(reader, name, "the section has more than %d keys", CONF_BLOCK_SETTINGS_MAX);
		return;
	}
	reader->setting = conf_document_add_setting(reader->block, key, name, reader->lines.source,
		reader->lines.line);
	if (!reader->setting)
		reader->err = ERR_NOMEM;
	reader->lines.indent = indent_of(key->join);
}

/* ---- inih --------------------------------------------------------------------------------- */

/* ini_handler. `section` is the one that inih knows to be open. */
static int on_text(void *user, const char *section, const char *name, const char *value)
{
	struct reader *reader = user;
	char piece_name[NEAREST_WORD_SIZE * 2];

	reader->lines.was_handled = true;
	if (reader->err)
		return 1;
	switch (reader->lines.event) {
	case CONF_EVENT_NAME:
		assert(strlen(value) >= 2 && strlen(value) < sizeof piece_name);
		memcpy(piece_name, value + 1, strlen(value) - 2);
		piece_name[strlen(value) - 2] = '\0';
		open_section(reader, section, piece_name);
		break;
	case CONF_EVENT_KEY:
		open_key(reader, name);
		append(reader, value, strlen(value));
		judge_comment(reader);
		break;
	case CONF_EVENT_CONTINUED:
		if (reader->setting && reader->setting->key->join == CONF_JOIN_NEWLINE)
			append(reader, "\n", 1);
		append_piece(reader, value);
		judge_comment(reader);
		break;
	case CONF_EVENT_MORE:
		append_piece(reader, value);
		break;
	}
	return 1;
}

static const char *skip_bom(const char *text, size_t length_bytes)
{
	return length_bytes >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? text + 3 : text;
}

int conf_reader_read(struct conf_document *document, const struct conf_source *source, const char *text,
	size_t length_bytes, struct conf_findings *findings)
{
	struct reader reader = { .document = document, .findings = findings, .lines = { .findings = findings,
		.source = source, .next = skip_bom(text, length_bytes), .end = text + length_bytes } };

	buf_init(&reader.value, CONF_VALUE_MAX_BYTES);
	/* Its own count of bad lines says less than the findings; out of memory it can be on a heap. */
	if (ini_parse_stream(conf_lines_feed, &reader.lines, on_text, &reader) == -2)
		reader.err = ERR_NOMEM;
	close_value(&reader);
	buf_done_secret(&reader.value);
	return reader.err;
}
