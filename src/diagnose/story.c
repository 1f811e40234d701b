/* SPDX-License-Identifier: Apache-2.0 */
#include "lattice-probe/story.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lattice-probe/evidence.h"
#include "lattice-probe/units.h"

#include "story_internal.h"

struct story_line story_line_of(const char *step, enum diagnosis_hop hop)
{
	return (struct story_line){ .hop = hop, .step = step, .elapsed_us = STORY_NO_TIME };
}

/* A story that is longer than a story may be loses its end. */
void story_add(struct story_teller *teller, const struct story_line *line)
{
	struct story_step *step;

	if (teller->story->count >= STORY_STEPS_MAX)
		return;
	step = &teller->story->steps[teller->story->count++];
	step->hop = line->hop;
	step->mark = line->mark;
	step->elapsed_us = line->elapsed_us;
	(void)snprintf(step->step, sizeof step->step, "%s", line->step);
	(void)snprintf(step->subject, sizeof step->subject, "%s", line->subject);
	(void)snprintf(step->question, sizeof step->question, "%s", line->question);
	(void)snprintf(step->answer, sizeof step->answer, "%s", line->answer);
	story_make_presentable(step->subject, teller->verbose);
	story_make_presentable(step->question, teller->verbose);
	story_make_presentable(step->answer, teller->verbose);
}

bool story_is_answered(const struct evidence *evidence)
{
	const struct evidence_path *path = evidence_preferred_path(evidence);

	return path && path->exchanges[EXCHANGE_MAIN].is_asked &&
		path->exchanges[EXCHANGE_MAIN].outcome == OUTCOME_OK;
}

static void tell_end(struct story_teller *teller)
{
	struct story_line line = story_line_of("end", DIAGNOSIS_HOP_NONE);

	if (!teller->evidence->is_cut_short)
		return;
	line.mark = STORY_UNKNOWN;
	STORY_ASK(line, "Was every question answered?");
	STORY_ANSWER(line, "no: the time was over after %" PRId64 " s; what is missing above was not found out",
		teller->evidence->elapsed_us / US_PER_S);
	story_add(teller, &line);
}

void story_tell(const struct evidence *evidence, bool verbose, struct story *ret_story)
{
	struct story_teller teller = { evidence, verbose, ret_story };

	memset(ret_story, 0, sizeof *ret_story);
	story_where_tell(&teller);
	story_dns_tell(&teller);
	story_path_tell(&teller);
	story_http_tell(&teller);
	story_control_tell(&teller);
	story_publish_tell(&teller);
	tell_end(&teller);
}
