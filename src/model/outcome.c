/* SPDX-License-Identifier: Apache-2.0 */
#include "lattice-probe/outcome.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

struct row {
	const char *name;
	const char *words;
	const char *metric;
	enum outcome_phase phase;
};

/* Rows and enum come from one list, so neither can have what the other lacks. */
static const struct row rows[] = {
	[OUTCOME_NONE] = { "none", "not decided yet", NULL, OUTCOME_PHASE_NONE },
#define OUTCOME(NAME, name, phase, metric, words) \
	[OUTCOME_##NAME] = { #name, words, metric, OUTCOME_PHASE_##phase },
#include "lattice-probe/outcome.def"
#undef OUTCOME
};

static_assert(sizeof rows / sizeof *rows == OUTCOME_COUNT, "every outcome has its row");

/* The compiler refuses (-Wswitch-enum) an outcome that this does not name. */
static const struct row *row_of(enum outcome outcome)
{
	switch (outcome) {
#define OUTCOME(NAME, name, phase, metric, words) case OUTCOME_##NAME:
#include "lattice-probe/outcome.def"
#undef OUTCOME
	case OUTCOME_NONE:
		return &rows[outcome];
	case OUTCOME_COUNT:
		break;
	}
	assert(!"not an outcome");
	return &rows[OUTCOME_NONE];
}

const char *outcome_name(enum outcome outcome)
{
	return row_of(outcome)->name;
}

enum outcome outcome_find(const char *name)
{
	for (size_t i = 0; i < OUTCOME_COUNT; i++)
		if (strcmp(rows[i].name, name) == 0)
			return (enum outcome)i;
	return OUTCOME_NONE;
}

const char *outcome_words(enum outcome outcome)
{
	return row_of(outcome)->words;
}

enum outcome_phase outcome_phase(enum outcome outcome)
{
	return row_of(outcome)->phase;
}

const char *outcome_metric(enum outcome outcome)
{
	return row_of(outcome)->metric;
}

/* 0 undecided, 1 ok, 2 local, 3 a failure of the service. */
static int badness(enum outcome outcome)
{
	if (outcome == OUTCOME_NONE)
		return 0;
	if (outcome == OUTCOME_OK)
		return 1;
	return outcome_is_local(outcome) ? 2 : 3;
}

enum outcome outcome_worse(enum outcome a, enum outcome b)
{
	if (badness(a) != badness(b))
		return badness(a) > badness(b) ? a : b;
	return a < b ? a : b;
}
