/* SPDX-License-Identifier: Apache-2.0 */
/* Prints every command that a diagnosis may advise, one a line, for evidence of several kinds. */
#include <stddef.h>
#include <stdio.h>

#include "lattice-probe/story.h"

#include "../unit/evidence_fixture.h"

#define WORLDS 6

static void build_worlds(struct evidence worlds[static WORLDS])
{
	evidence_failing(&worlds[1], OUTCOME_CONNECT_TIMEOUT);
	evidence_add_control(&worlds[1]);
	evidence_failing(&worlds[2], OUTCOME_CONNECT_TIMEOUT);
	evidence_set_path_address(&worlds[2], EVIDENCE_LATTICE_V6);
	evidence_failing(&worlds[3], OUTCOME_TLS_HANDSHAKE);
	evidence_set_custom_name(&worlds[3]);
	worlds[3].target.is_signed = true;
	evidence_failing(&worlds[4], OUTCOME_HTTP_TIMEOUT);
	evidence_set_path_address(&worlds[4], "10.0.7.7");
	evidence_path(&worlds[4])->exchanges[EXCHANGE_MAIN].mss_bytes = 8961;
	evidence_healthy(&worlds[5]);
	evidence_set_outside(&worlds[5]);
}

static void print_commands(const struct evidence *evidence, enum diagnosis_verdict verdict, size_t candidate_count)
{
	const struct diagnosis diagnosis = { .verdict = verdict, .candidates = { verdict },
		.candidate_count = candidate_count,
		.confidence = candidate_count > 0 ? DIAGNOSIS_CANDIDATES : DIAGNOSIS_CERTAIN };
	struct story_fixes fixes;

	story_advise(evidence, &diagnosis, &fixes);
	for (size_t i = 0; i < fixes.count; i++)
		if (fixes.items[i].command[0])
			puts(fixes.items[i].command);
}

int main(void)
{
	static struct evidence worlds[WORLDS]; /* of the first nothing is known */

	build_worlds(worlds);
	for (size_t i = 0; i < WORLDS; i++)
		for (int verdict = 0; verdict < DIAGNOSIS_COUNT; verdict++) {
			print_commands(&worlds[i], (enum diagnosis_verdict)verdict, 0);
			print_commands(&worlds[i], (enum diagnosis_verdict)verdict, 1);
		}
	return 0;
}
