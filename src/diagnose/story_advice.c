/* SPDX-License-Identifier: Apache-2.0 */
/* From a verdict to things to do. A cause that is named gets its own rows; of several candidates each gets
 * the way to recognise it, and the likeliest its first remedy. */
#include "lattice-probe/story.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "story_advice_internal.h"
#include "story_internal.h"

static const struct story_advice *advice_of(enum diagnosis_verdict verdict)
{
	static const struct story_advice *const tables[] = { story_advice_dns, story_advice_path, story_advice_http,
		story_advice_publish };

	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		if (tables[i][verdict].rows)
			return &tables[i][verdict];
	assert(false); /* every verdict has a row; the test asks each */
	return NULL;
}

static struct story_fix *next_fix(struct story_fixes *fixes)
{
	return fixes->count < STORY_FIXES_MAX ? &fixes->items[fixes->count++] : NULL;
}

static void add_row(struct story_fixes *fixes, const struct story_advice_row *row, const char *lead,
	const struct evidence *evidence)
{
	struct story_fix *fix = next_fix(fixes);
	char words[STORY_FIX_SIZE];

	if (!fix)
		return;
	story_advice_fill_in(row->words, evidence, false, words);
	story_append(fix->words, sizeof fix->words, "%s", lead);
	story_append(fix->words, sizeof fix->words, "%s", words);
	story_advice_fill_in(row->command ? row->command : "", evidence, true, fix->command);
	story_make_presentable(fix->words, true);
	story_make_presentable(fix->command, true);
}

static void add_remedies(struct story_fixes *fixes, enum diagnosis_verdict verdict, const struct evidence *evidence)
{
	for (const struct story_advice_row *row = advice_of(verdict)->rows; row->words; row++)
		if (!row->holds || row->holds(evidence))
			add_row(fixes, row, "", evidence);
}


/* The command that shows whether it is this one is not repeated. */
static void add_likeliest(struct story_fixes *fixes, enum diagnosis_verdict verdict, const struct evidence *evidence)
{
	const struct story_advice_row *row = advice_of(verdict)->rows;
	char lead[64];

	(void)snprintf(lead, sizeof lead, "If it is %s: ", diagnosis_name(verdict));
	while (row->words && row->holds && !row->holds(evidence))
		row++;
	if (!row->words)
		return;
	add_row(fixes, row, lead, evidence);
	if (strcmp(fixes->items[fixes->count - 1].command, fixes->items[0].command) == 0)
		fixes->items[fixes->count - 1].command[0] = '\0';
}

/* One place is kept for the likeliest one's remedy. */
static void add_candidates(struct story_fixes *fixes, const struct diagnosis *diagnosis,
	const struct evidence *evidence)
{
	char lead[64];

	for (size_t i = 0; i < diagnosis->candidate_count && i + 1 < STORY_FIXES_MAX; i++) {
		(void)snprintf(lead, sizeof lead, "It is %s when ", diagnosis_name(diagnosis->candidates[i]));
		add_row(fixes, &advice_of(diagnosis->candidates[i])->tell, lead, evidence);
	}
	add_likeliest(fixes, diagnosis->candidates[0], evidence);
}

void story_advise(const struct evidence *evidence, const struct diagnosis *diagnosis, struct story_fixes *ret_fixes)
{
	memset(ret_fixes, 0, sizeof *ret_fixes);
	if (diagnosis->confidence == DIAGNOSIS_CANDIDATES && diagnosis->candidate_count > 0)
		add_candidates(ret_fixes, diagnosis, evidence);
	else
		add_remedies(ret_fixes, diagnosis->verdict, evidence);
}
