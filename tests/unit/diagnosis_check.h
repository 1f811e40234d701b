/* SPDX-License-Identifier: Apache-2.0 */
/* diagnosis_check: what every diagnosis must keep, whatever the evidence. Written from the words of the
 * verdicts, not from the rules that decide them. */
#ifndef LATTICE_PROBE_DIAGNOSIS_CHECK_H
#define LATTICE_PROBE_DIAGNOSIS_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "lattice-probe/diagnosis.h"
#include "lattice-probe/evidence.h"

/* One piece of evidence and what must come out. */
struct diagnosis_case {
	const char *what;
	void (*build)(struct evidence *ret_evidence);
	enum diagnosis_verdict verdict;
	enum diagnosis_confidence confidence;
	enum diagnosis_basis basis;
	/* Candidates that must be in the list, in this order, when the confidence is "candidates"; unused ones
	 * are 0. */
	enum diagnosis_verdict candidates[7];
};

void diagnosis_check_cases(const struct diagnosis_case *cases, size_t count);

/* Decides, and holds the result against all invariants; says what was broken and fails the test. */
void diagnosis_check_decide(const struct evidence *evidence, struct diagnosis *ret_diagnosis);

/* The evidence shows that this is not so. */
bool diagnosis_check_contradicts(enum diagnosis_verdict verdict, const struct evidence *evidence);

#endif
