/* SPDX-License-Identifier: Apache-2.0 */
/* story_advice_internal: the tables of advice and how their rows are written.
 *
 * {NAME} in a row stands for what the evidence knows of it, and for NAME in capitals where it knows
 * nothing. Commands change nothing by themselves: the reader runs them. None deletes what it did not make. */
#ifndef LATTICE_PROBE_STORY_ADVICE_INTERNAL_H
#define LATTICE_PROBE_STORY_ADVICE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "lattice-probe/diagnosis.h"
#include "lattice-probe/evidence.h"
#include "lattice-probe/story.h"

/* When a row is worth saying; NULL: always. */
typedef bool (*story_advice_condition)(const struct evidence *evidence);

struct story_advice_row {
	const char *words;   /* NULL ends a table */
	const char *command; /* NULL: none */
	story_advice_condition holds;
};

struct story_advice {
	const struct story_advice_row *rows; /* what to do */
	struct story_advice_row tell;        /* among candidates: "It is NAME when " and this */
};

/* Filled by verdict; the tables of one stretch of the path each. NULL rows: not theirs. */
extern const struct story_advice story_advice_dns[DIAGNOSIS_COUNT];
extern const struct story_advice story_advice_path[DIAGNOSIS_COUNT];
extern const struct story_advice story_advice_http[DIAGNOSIS_COUNT];
extern const struct story_advice story_advice_publish[DIAGNOSIS_COUNT];

/* Writes a row with what is known filled in. In a command a value that a shell could take for more than
 * a word is left out, so that nothing a server said is ever run. */
void story_advice_fill_in(const char *row, const struct evidence *evidence, bool is_command,
	char ret_text[static STORY_FIX_SIZE]);

#endif
