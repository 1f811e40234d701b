/* SPDX-License-Identifier: Apache-2.0 */
/* evidence_hostile: evidence whose every text field holds what an attacker would send. */
#ifndef LATTICE_PROBE_EVIDENCE_HOSTILE_H
#define LATTICE_PROBE_EVIDENCE_HOSTILE_H

struct diagnosis;
struct evidence;

/* Fills every text field of evidence and of the diagnosis with `text`, repeated and cut at the field's
 * end, wherever that falls; flags are set so that each is told. */
void evidence_make_hostile(struct evidence *ret_evidence, struct diagnosis *ret_diagnosis, const char *text);

/* Control characters, escape sequences, broken and overlong UTF-8, marks that turn the direction of
 * writing, formats, placeholders, quotes; NULL ends it. */
extern const char *const evidence_hostile_texts[];

#endif
