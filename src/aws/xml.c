/* SPDX-License-Identifier: Apache-2.0 */
/* The little XML that the query protocol of AWS answers with: elements, attributes (skipped), text and
 * the predefined and numeric entities. Whatever else XML has (document types, CDATA, comments,
 * processing instructions) no AWS service sends, and is refused. The whole document is checked, also
 * what lies behind the element that was asked for. */
#include "lattice-probe/xml.h"

#include <stdbool.h>
#include <string.h>

#include "lattice-probe/err.h"

#define DEPTH_MAX 16

struct name {
	const char *start;
	size_t length;
};

struct reader {
	const char *at;
	const char *end;
	struct name open[DEPTH_MAX]; /* from the root down */
	size_t depth;
	bool has_root;
	const char *path;            /* "A/B/C" */
	struct buf *found;           /* NULL: no text is wanted */
	unsigned found_count;
	const char *element;         /* where the last element at the path began */
	int (*visit)(void *user, const char *element, size_t element_bytes); /* NULL: nobody asks */
	void *user;
	int visit_err;
};

static bool starts_with(const struct reader *reader, const char *text)
{
	size_t length = strlen(text);

	return (size_t)(reader->end - reader->at) >= length && memcmp(reader->at, text, length) == 0;
}

static bool is_space(char character)
{
	return character == ' ' || character == '\t' || character == '\n' || character == '\r';
}

static void skip_space(struct reader *reader)
{
	while (reader->at < reader->end && is_space(*reader->at))
		reader->at++;
}

static bool is_name_character(char character)
{
	return (character >= 'A' && character <= 'Z') || (character >= 'a' && character <= 'z') ||
	       (character >= '0' && character <= '9') || character == '_' || character == '-' || character == '.' ||
	       character == ':';
}

static bool read_name(struct reader *reader, struct name *ret_name)
{
	struct name name = { reader->at, 0 };

	while (reader->at < reader->end && is_name_character(*reader->at))
		reader->at++;
	name.length = (size_t)(reader->at - name.start);
	*ret_name = name;
	return name.length > 0;
}

/* Whether the open elements are exactly those of the path. */
static bool is_at_path(const struct reader *reader)
{
	const char *path = reader->path;

	for (size_t i = 0; i < reader->depth; i++) {
		size_t length = strcspn(path, "/");

		if (length != reader->open[i].length || memcmp(path, reader->open[i].start, length) != 0)
			return false;
		path += length;
		if (*path == '/')
			path++;
		else if (i + 1 < reader->depth)
			return false;
	}
	return *path == '\0';
}

/* NAME="value", as often as it likes. */
static bool skip_attributes(struct reader *reader)
{
	for (;;) {
		struct name name;
		const char *close;
		bool had_space = reader->at < reader->end && is_space(*reader->at);

		skip_space(reader);
		if (reader->at == reader->end || *reader->at == '>' || *reader->at == '/')
			return true;
		if (!had_space || !read_name(reader, &name) || reader->end - reader->at < 3 || reader->at[0] != '=' ||
		    (reader->at[1] != '"' && reader->at[1] != '\''))
			return false;
		close = memchr(reader->at + 2, reader->at[1], (size_t)(reader->end - reader->at - 2));
		if (!close || memchr(reader->at, '<', (size_t)(close - reader->at)))
			return false;
		reader->at = close + 1;
	}
}

/* The element that has just been read, to its end, is the innermost open one. */
static bool tell_element(struct reader *reader)
{
	if (!reader->visit || !is_at_path(reader))
		return true;
	reader->visit_err = reader->visit(reader->user, reader->element, (size_t)(reader->at - reader->element));
	return reader->visit_err == 0;
}

static bool read_start_tag(struct reader *reader)
{
	const char *start = reader->at;
	struct name name;
	bool is_empty;

	if (reader->depth == 0 && reader->has_root)
		return false;
	reader->has_root = true;
	reader->at++;
	if (reader->depth == DEPTH_MAX || !read_name(reader, &name) || !skip_attributes(reader))
		return false;
	is_empty = starts_with(reader, "/>");
	if (!is_empty && !starts_with(reader, ">"))
		return false;
	reader->at += is_empty ? 2 : 1;
	reader->open[reader->depth++] = name;
	if (is_at_path(reader)) {
		reader->found_count++;
		reader->element = start;
	}
	if (!is_empty)
		return true;
	if (!tell_element(reader))
		return false;
	reader->depth--;
	return true;
}

static bool read_end_tag(struct reader *reader)
{
	const struct name *open;
	struct name name;

	reader->at += 2;
	if (reader->depth == 0 || !read_name(reader, &name))
		return false;
	open = &reader->open[reader->depth - 1];
	if (name.length != open->length || memcmp(name.start, open->start, name.length) != 0)
		return false;
	skip_space(reader);
	if (!starts_with(reader, ">"))
		return false;
	reader->at++;
	if (!tell_element(reader))
		return false;
	reader->depth--;
	return true;
}

/* The number in &#N; or &#xN;; -1 for anything else. */
static int character_reference(const char *text, size_t length)
{
	bool is_hex = length > 1 && text[1] == 'x';
	int value = 0;

	text += is_hex ? 2 : 1;
	length -= is_hex ? 2 : 1;
	if (length == 0 || length > 6)
		return -1;
	for (size_t i = 0; i < length; i++) {
		const char *digits = "0123456789abcdefABCDEF";
		const char *digit = text[i] ? memchr(digits, text[i], is_hex ? 22 : 10) : NULL;
		int number;

		if (!digit)
			return -1;
		number = (int)(digit - digits);
		value = value * (is_hex ? 16 : 10) + (number > 15 ? number - 6 : number);
	}
	return value;
}

/* One entity, as one ASCII character; those beyond ASCII, which no field of ours has, become '?'. */
static bool read_entity(struct reader *reader, char *ret_character)
{
	static const struct { const char *name; char character; } entities[] = {
		{ "lt", '<' }, { "gt", '>' }, { "amp", '&' }, { "quot", '"' }, { "apos", '\'' } };
	size_t room = (size_t)(reader->end - reader->at);
	const char *name = reader->at + 1;
	const char *close = memchr(reader->at, ';', room < 12 ? room : 12);
	size_t length = close ? (size_t)(close - name) : 0;
	int value = -1;

	if (length > 0 && name[0] == '#')
		value = character_reference(name, length);
	for (size_t i = 0; i < sizeof entities / sizeof *entities; i++)
		if (length == strlen(entities[i].name) && memcmp(name, entities[i].name, length) == 0)
			value = entities[i].character;
	if (value <= 0)
		return false;
	*ret_character = (char)(value < 0x80 ? value : '?');
	reader->at = close + 1;
	return true;
}

static bool read_text(struct reader *reader)
{
	bool is_wanted = reader->found && reader->depth > 0 && is_at_path(reader);

	while (reader->at < reader->end && *reader->at != '<') {
		char character = *reader->at;

		if (character == '\0' || (reader->depth == 0 && !is_space(character)))
			return false;
		if (character == '&') {
			if (!read_entity(reader, &character))
				return false;
		} else {
			reader->at++;
		}
		if (is_wanted && buf_append_char(reader->found, character) != 0)
			return false;
	}
	return true;
}

static bool read_declaration(struct reader *reader)
{
	const char *close;

	if (!starts_with(reader, "<?xml "))
		return true;
	close = memmem(reader->at, (size_t)(reader->end - reader->at), "?>", 2);
	if (!close)
		return false;
	reader->at = close + 2;
	return true;
}

/* Whether the document is well-formed to its end. */
static bool read_document(struct reader *reader)
{
	if (!read_declaration(reader))
		return false;
	while (reader->at < reader->end) {
		bool is_good;

		if (*reader->at != '<')
			is_good = read_text(reader);
		else if (starts_with(reader, "</"))
			is_good = read_end_tag(reader);
		else
			is_good = read_start_tag(reader);
		if (!is_good)
			return false;
	}
	return reader->depth == 0;
}

int xml_find(const char *text, size_t length_bytes, const char *path, struct buf *ret_text)
{
	struct reader reader = { .at = text, .end = text + length_bytes, .path = path, .found = ret_text };

	if (!read_document(&reader))
		return ret_text->failed ? ret_text->failed : ERR_PROTOCOL;
	if (reader.found_count > 1)
		return ERR_PROTOCOL;
	return reader.found_count == 0 ? ERR_NOT_FOUND : 0;
}

int xml_each(const char *text, size_t length_bytes, const char *path,
	int (*visit)(void *user, const char *element, size_t element_bytes), void *user)
{
	struct reader reader = { .at = text, .end = text + length_bytes, .path = path };

	if (!read_document(&reader))
		return ERR_PROTOCOL;
	reader = (struct reader){ .at = text, .end = text + length_bytes, .path = path, .visit = visit, .user = user };
	return read_document(&reader) ? 0 : reader.visit_err;
}
