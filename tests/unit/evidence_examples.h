/* SPDX-License-Identifier: Apache-2.0 */
/* evidence_examples: for every verdict of diagnosis.def one piece of evidence that leads to it, with as
 * much confidence as the verdict can have. */
#ifndef LATTICE_PROBE_EVIDENCE_EXAMPLES_H
#define LATTICE_PROBE_EVIDENCE_EXAMPLES_H

#include "evidence_fixture.h"

#include "lattice-probe/diagnosis.h"

void evidence_example(enum diagnosis_verdict verdict, struct evidence *ret_evidence);

#endif
