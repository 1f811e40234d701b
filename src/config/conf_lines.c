/* SPDX-License-Identifier: Apache-2.0 */
/* What inih, as distributions package it (49 to 58, tried on 55), does with a file by itself: it cuts
 * lines at 200 bytes and parses the rest as a line of its own, tells the handler no line number, cuts
 * section names at 49 bytes, takes an indented "# text" inside a value for a comment, keeps the number
 * of the first bad line only, and lets the keys after a broken header land in the section before.
 *
 * So each line is judged here first and then fed in a form that survives:
 *
 *   [probe NAME]        "[probe]", then "=|NAME|"
 *   key = value         as it is, when it fits
 *   key = long value    "key = long", then "=| val|", "=|ue|" as often as needed
 *     indented          "=|indented|"
 *
 * A nameless "=|...|" is more of what came before; its bars keep the white space at its ends and hide
 * a "#" or ";" that it may begin with. inih asks for a line only when it has handled the last one, so
 * `line` and `event` say at each call of the handler where its text came from; a key line that never
 * reached the handler had no "=". */
#include "config_internal.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Longer than any name may be, short enough for one line of inih. */
#define NAME_FED_MAX 100
#define KIND_FED_MAX 40

static void refuse(struct conf_lines *lines, const char *text)
{
	const struct conf_place place = { .source = lines->source, .line = lines->line };

	conf_findings_add(lines->findings, CONF_MISTAKE, &place, "%s", text);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* What no line may hold, whatever it means. */
static const char *judge_bytes(const char *text, size_t bytes)
{
	if (bytes > CONF_LINE_MAX_BYTES)
		return "the line is longer than 8192 bytes; continue a url or a body on an indented line, or use body_file";
	for (size_t i = 0; i < bytes; i++)
		if (((unsigned char)text[i] < ' ' && text[i] != '\t') || text[i] == 0x7f)
			return "the line holds a control character; a file is plain text";
	return NULL;
}

/* inih's rule for a comment behind a value: a semicolon after white space. */
static size_t cut_comment(const char *text, size_t bytes)
{
	for (size_t i = 1; i < bytes; i++)
		if (text[i] == ';' && is_blank(text[i - 1]))
			return i;
	return bytes;
}

static size_t trim_end(const char *text, size_t bytes)
{
	while (bytes > 0 && is_blank(text[bytes - 1]))
		bytes--;
	return bytes;
}

static void break_section(struct conf_lines *lines, const char *why)
{
	refuse(lines, why);
	lines->skips_keys = true;
	lines->has_section = true;
	lines->indent = CONF_INDENT_DROPPED;
}

/* "[kind name]" */
static void take_header(struct conf_lines *lines, const char *text, size_t bytes)
{
	const char *close = memchr(text, ']', bytes);
	size_t kind_bytes = 0;

	if (!close || close != text + bytes - 1) {
		break_section(lines, "a section is written [agent], [cloudwatch] or [probe NAME], alone in its "
				     "line; its keys are skipped");
		return;
	}
	text++;
	bytes = trim_end(text, bytes - 2);
	while (bytes > 0 && is_blank(*text)) {
		text++;
		bytes--;
	}
	while (kind_bytes < bytes && !is_blank(text[kind_bytes]))
		kind_bytes++;
	lines->kind = text;
	lines->kind_bytes = kind_bytes < KIND_FED_MAX ? kind_bytes : KIND_FED_MAX;
	lines->has_kind = true;
	while (kind_bytes < bytes && is_blank(text[kind_bytes]))
		kind_bytes++;
	lines->rest = text + kind_bytes;
	lines->rest_bytes = bytes - kind_bytes < NAME_FED_MAX ? bytes - kind_bytes : NAME_FED_MAX;
	lines->rest_event = CONF_EVENT_NAME;
	lines->has_section = true;
	lines->skips_keys = false;
	lines->indent = CONF_INDENT_REFUSED;
}

static void take_key(struct conf_lines *lines, const char *text, size_t bytes)
{
	lines->indent = CONF_INDENT_DROPPED; /* until the handler knows better */
	if (!lines->has_section) {
		break_section(lines, "a key stands before the first section; write [agent], [cloudwatch] or "
				     "[probe NAME] above it");
		return;
	}
	if (lines->skips_keys)
		return;
	lines->rest = text;
	lines->rest_bytes = bytes;
	lines->rest_event = CONF_EVENT_KEY;
}

static void take_indented(struct conf_lines *lines, const char *text, size_t bytes)
{
	if (lines->skips_keys)
		return;
	switch (lines->indent) {
	case CONF_INDENT_REFUSED:
		refuse(lines, "an indented line continues the value above it, and there is none that may "
			      "continue; a key begins its line");
		lines->indent = CONF_INDENT_DROPPED;
		return;
	case CONF_INDENT_DROPPED:
		return;
	case CONF_INDENT_TAKEN:
	case CONF_INDENT_TAKEN_AS_TEXT:
		lines->rest = text;
		lines->rest_bytes = bytes;
		lines->rest_event = CONF_EVENT_CONTINUED;
	}
}

static void take_comment(struct conf_lines *lines, bool is_indented)
{
	if (!is_indented || lines->indent != CONF_INDENT_TAKEN_AS_TEXT)
		return;
	refuse(lines, "an indented line that begins with # or ; is a comment even inside a value; a pattern may "
		      "write it as [#] or [;], a body go into body_file");
}

/* A line that is more than white space. */
static void take_text(struct conf_lines *lines, const char *text, size_t bytes, bool is_indented)
{
	size_t kept = cut_comment(text, bytes);

	if (*text == ';' || *text == '#') {
		take_comment(lines, is_indented);
		return;
	}
	lines->has_comment = kept < bytes;
	kept = trim_end(text, kept);
	if (is_indented)
		take_indented(lines, text, kept);
	else if (*text == '[')
		take_header(lines, text, kept);
	else
		take_key(lines, text, kept);
}

/* Takes the next line; lines->rest is set when there is something to feed. False at the end. */
static bool take_line(struct conf_lines *lines)
{
	const char *text = lines->next;
	const char *newline = memchr(text, '\n', (size_t)(lines->end - text));
	size_t bytes = (size_t)((newline ? newline : lines->end) - text);
	size_t indent = 0;
	const char *why;

	if (text == lines->end)
		return false;
	lines->next = newline ? newline + 1 : lines->end;
	lines->line++;
	if (bytes > 0 && text[bytes - 1] == '\r')
		bytes--;
	why = judge_bytes(text, bytes);
	if (why) {
		refuse(lines, why);
		lines->indent = CONF_INDENT_DROPPED;
		lines->skips_keys = lines->skips_keys || *text == '[';
		return true;
	}
	while (indent < bytes && is_blank(text[indent]))
		indent++;
	if (indent == bytes)
		lines->indent = CONF_INDENT_REFUSED;
	else
		take_text(lines, text + indent, bytes - indent, indent > 0);
	return true;
}

static void feed_kind(struct conf_lines *lines, char *buffer, size_t size)
{
	(void)snprintf(buffer, size, "[%.*s]\n", (int)lines->kind_bytes, lines->kind);
	lines->has_kind = false;
	lines->was_handled = true; /* inih keeps it to itself */
}

static void feed_rest(struct conf_lines *lines, char *buffer, size_t size)
{
	bool is_key = lines->rest_event == CONF_EVENT_KEY;
	size_t room = size - sizeof "=||\n";
	size_t bytes = lines->rest_bytes < room ? lines->rest_bytes : room;

	/* inih trims what has no bars; white space at the cut goes with the next piece. */
	if (is_key)
		bytes = trim_end(lines->rest, bytes);
	(void)snprintf(buffer, size, is_key ? "%.*s\n" : "=|%.*s|\n", (int)bytes, lines->rest);
	lines->event = lines->rest_event;
	lines->rest_event = CONF_EVENT_MORE;
	lines->rest += bytes;
	lines->rest_bytes -= bytes;
	if (lines->rest_bytes == 0)
		lines->rest = NULL;
	lines->was_handled = false;
}

char *conf_lines_feed(char *buffer, int size, void *stream)
{
	struct conf_lines *lines = stream;

	assert(size > NAME_FED_MAX + 8);
	if (lines->line > 0 && !lines->was_handled) {
		refuse(lines, "this is neither [section], nor key = value, nor a comment (# or ; at its beginning)");
		lines->rest = NULL;
	}
	lines->was_handled = true;
	while (!lines->rest && !lines->has_kind)
		if (!take_line(lines))
			return NULL;
	if (lines->has_kind)
		feed_kind(lines, buffer, (size_t)size);
	else
		feed_rest(lines, buffer, (size_t)size);
	return buffer;
}
