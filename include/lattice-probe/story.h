/* SPDX-License-Identifier: Apache-2.0 */
/* story: the evidence told step by step, hop after hop, in words: what was asked, what came back, how
 * long it took. The same steps make the drawn path at the shell and `evidence` in JSON. And the advice:
 * what to do about a verdict. Pure. */
#ifndef LATTICE_PROBE_STORY_H
#define LATTICE_PROBE_STORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "lattice-probe/diagnosis.h"

struct evidence;

/* Makes text fit to be shown, in place: what a terminal could obey or JSON could not hold becomes '?'
 * (control characters, broken UTF-8, marks that turn the direction of writing), query strings go, and
 * without `verbose` account ids, principals and access key ids are masked. Never longer than before. */
void story_make_presentable(char *text, bool verbose);

enum story_mark {
	STORY_GOOD,    /* ✓ */
	STORY_BAD,     /* ✗ */
	STORY_UNKNOWN, /* ? could not be found out */
	STORY_SKIPPED  /* – not asked: it can no longer matter */
};

#define STORY_TEXT_SIZE 400
#define STORY_STEPS_MAX 96

struct story_step {
	enum diagnosis_hop hop;
	enum story_mark mark;
	char step[24];                 /* "where", "dns", "address", "route", "tcp", "tls", "http", "aws", "publish", "daemon" */
	char subject[64];              /* what of it, in short: "10.0.0.2 A"; "" the step itself */
	char question[STORY_TEXT_SIZE];/* "A of checkout… at 10.0.0.2" */
	char answer[STORY_TEXT_SIZE];  /* "169.254.171.33, TTL 60 s" */
	int64_t elapsed_us;            /* -1: no time belongs to it */
};

struct story {
	size_t count;
	struct story_step steps[STORY_STEPS_MAX];
};

/* Without `verbose` account ids and names of principals are masked. */
void story_tell(const struct evidence *evidence, bool verbose, struct story *ret_story);

#define STORY_FIXES_MAX 8
#define STORY_FIX_SIZE 700

/* One thing to do: a sentence with the console's words, and, where it helps, a line for the shell. */
struct story_fix {
	char words[STORY_FIX_SIZE];
	char command[STORY_FIX_SIZE]; /* "" none; ids are filled in where they are known, NAMES in capitals
	                                 where not */
};

struct story_fixes {
	size_t count;
	struct story_fix items[STORY_FIXES_MAX];
};

/* What to do about the verdict; for candidates, how to tell them apart and mend the likeliest. */
void story_advise(const struct evidence *evidence, const struct diagnosis *diagnosis, struct story_fixes *ret_fixes);

/* The whole as JSON: {"target", "verdict", "confidence", "basis", "summary", "why", "candidates",
 * "ruled_out", "notes", "evidence": [{"step", "question", "answer", "mark", "elapsed_us"}], "fix",
 * "where"}. Gives a new object; NULL: no memory. */
json_t *story_to_json(const struct evidence *evidence, const struct diagnosis *diagnosis, bool verbose);

#endif
