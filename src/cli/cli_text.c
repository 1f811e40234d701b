/* SPDX-License-Identifier: Apache-2.0 */
/* Text for a terminal: marks, colours, lines that fit. */
#include "lattice-probe/cli_text.h"

#include <langinfo.h>
#include <locale.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

struct cli_text cli_text_of(FILE *stream, const struct cli_terminal *terminal)
{
	(void)setlocale(LC_CTYPE, "");
	if (strcmp(nl_langinfo(CODESET), "UTF-8") == 0)
		return (struct cli_text){ stream, terminal, true, "✓", "✗", "–", "│", " · " };
	return (struct cli_text){ stream, terminal, false, "+", "x", "-", "|", ", " };
}

void cli_text_colour(const struct cli_text *text, const char *code)
{
	if (text->terminal->has_colour)
		fprintf(text->stream, "\033[%sm", code);
}

/* ---- characters ------------------------------------------------------------------------------- */

/* Bytes of the character at the start, and how many columns it takes. Broken text passes byte by byte. */
static size_t measure(const char *words, int *ret_columns)
{
	mbstate_t state = { 0 };
	wchar_t character;
	size_t length = mbrtowc(&character, words, strlen(words), &state);
	int columns;

	*ret_columns = 1;
	if (length == 0 || length > strlen(words))
		return 1;
	columns = wcwidth(character);
	*ret_columns = columns < 0 ? 1 : columns;
	return length;
}

int cli_text_columns(const char *words)
{
	int sum = 0;

	while (*words) {
		int columns;

		words += measure(words, &columns);
		sum += columns;
	}
	return sum;
}

struct stand_in {
	const char *character;
	const char *ascii; /* never longer */
};

static const struct stand_in stand_ins[] = { { "…", "..." }, { "→", "->" }, { "–", "-" } };

/* The stand-in of the character at `from`, else one '?'. */
static size_t adapt_one(const char *from, char **to)
{
	size_t length = 1;

	for (size_t i = 0; i < sizeof stand_ins / sizeof *stand_ins; i++)
		if (strncmp(from, stand_ins[i].character, strlen(stand_ins[i].character)) == 0) {
			for (const char *ascii = stand_ins[i].ascii; *ascii; ascii++)
				*(*to)++ = *ascii;
			return strlen(stand_ins[i].character);
		}
	*(*to)++ = '?';
	while (((unsigned char)from[length] & 0xc0) == 0x80)
		length++;
	return length;
}

void cli_text_adapt(const struct cli_text *text, char *words)
{
	char *to = words;

	if (text->is_utf8)
		return;
	while (*words) {
		if ((unsigned char)*words < 0x80)
			*to++ = *words++;
		else
			words += adapt_one(words, &to);
	}
	*to = '\0';
}

/* ---- lines ------------------------------------------------------------------------------------ */

/* A space is the best place to end a line; in a long name it is after a dot; ids stay whole. */
size_t cli_text_fitting(const char *words, int room)
{
	size_t at = 0;
	size_t last_space = 0;
	size_t last_joint = 0;
	int used = 0;

	while (words[at]) {
		int columns;
		size_t length = measure(words + at, &columns);

		if (words[at] == ' ')
			last_space = at;
		if (used + columns > room && at > 0)
			return words[at] == ' ' ? at : last_space > 0 ? last_space : last_joint > 0 ? last_joint : at;
		used += columns;
		at += length;
		if (strchr("./,", words[at - 1]))
			last_joint = at;
	}
	return at;
}

void cli_text_print_wrapped(const struct cli_text *text, int indent, const char *words)
{
	while (*words) {
		size_t length = cli_text_fitting(words, text->terminal->columns - indent);

		fprintf(text->stream, "%*s%.*s\n", indent, "", (int)length, words);
		words += length;
		words += strspn(words, " ");
	}
}
