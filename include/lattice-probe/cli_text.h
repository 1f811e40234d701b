/* SPDX-License-Identifier: Apache-2.0 */
/* cli_text: text for people at a shell: marks, colours, lines that fit. UTF-8 where the locale has it, else
 * ASCII. Borrows the stream. */
#ifndef LATTICE_PROBE_CLI_TEXT_H
#define LATTICE_PROBE_CLI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* How wide and how colourful the output may be: a terminal's width (80 when unknown), colour only on
 * a terminal without NO_COLOR (https://no-color.org). */
struct cli_terminal {
	bool is_terminal;
	bool has_colour;
	int columns;
};

struct cli_text {
	FILE *stream;
	const struct cli_terminal *terminal;
	bool is_utf8;
	const char *good;
	const char *bad;
	const char *skipped;
	const char *bar;  /* from one hop of a path to the next */
	const char *dot;  /* between facts on a line */
};

/* Takes the locale of the environment. */
struct cli_text cli_text_of(FILE *stream, const struct cli_terminal *terminal);
void cli_text_colour(const struct cli_text *text, const char *code); /* ANSI, "0" ends it */

/* Makes UTF-8 fit a terminal that has none, in place. */
void cli_text_adapt(const struct cli_text *text, char *words);
int cli_text_columns(const char *words);

/* As many bytes as fit into the room, up to a space where there is one; at least one character. */
size_t cli_text_fitting(const char *words, int room);
void cli_text_print_wrapped(const struct cli_text *text, int indent, const char *words);

#endif
