/* SPDX-License-Identifier: Apache-2.0 */
/* diagnosis: from evidence to one verdict. Pure: asks nothing, takes no clock, allocates nothing. It
 * names one cause only when the evidence carries it; evidence that contradicts itself or is missing
 * makes a ranked list of candidates, or "undetermined". A cause whose basis is inferred is never more
 * than likely. A target that answers as expected is healthy whatever was odd on the way, except where
 * only a fallback resolver made it answer: then the first resolver's trouble is the verdict. */
#ifndef LATTICE_PROBE_DIAGNOSIS_H
#define LATTICE_PROBE_DIAGNOSIS_H

#include <stdbool.h>
#include <stddef.h>

struct evidence;

enum diagnosis_verdict {
#define DIAGNOSIS(NAME, name, hop, basis, words) DIAGNOSIS_##NAME,
#include "lattice-probe/diagnosis.def"
#undef DIAGNOSIS
	DIAGNOSIS_COUNT
};

enum diagnosis_hop {
	DIAGNOSIS_HOP_NONE, DIAGNOSIS_HOP_DNS, DIAGNOSIS_HOP_ROUTE, DIAGNOSIS_HOP_CONNECT, DIAGNOSIS_HOP_TLS,
	DIAGNOSIS_HOP_HTTP, DIAGNOSIS_HOP_PUBLISH
};

enum diagnosis_basis { DIAGNOSIS_BASIS_DOCUMENTED, DIAGNOSIS_BASIS_OBSERVED, DIAGNOSIS_BASIS_INFERRED };

enum diagnosis_confidence {
	DIAGNOSIS_CERTAIN,    /* the evidence admits no other cause */
	DIAGNOSIS_LIKELY,
	DIAGNOSIS_CANDIDATES  /* see the ranked list */
};

#define DIAGNOSIS_CANDIDATES_MAX 12
#define DIAGNOSIS_LINES_MAX 12
#define DIAGNOSIS_LINE_SIZE 240

struct diagnosis_lines {
	size_t count;
	char items[DIAGNOSIS_LINES_MAX][DIAGNOSIS_LINE_SIZE]; /* further ones are dropped */
};

struct diagnosis_ruled_out {
	enum diagnosis_verdict verdict;
	char because[DIAGNOSIS_LINE_SIZE];
};

struct diagnosis {
	enum diagnosis_verdict verdict;
	enum diagnosis_confidence confidence;
	enum diagnosis_basis basis;
	char summary[2 * DIAGNOSIS_LINE_SIZE]; /* the verdict in one sentence, with this target's names */
	enum diagnosis_verdict candidates[DIAGNOSIS_CANDIDATES_MAX]; /* likeliest first; the verdict's own row
	                                                              is not among them unless it is a cause */
	size_t candidate_count;
	struct diagnosis_lines why;   /* the evidence that carries the verdict */
	struct diagnosis_lines notes; /* oddities on the way that are not the cause */
	struct diagnosis_ruled_out ruled_out[DIAGNOSIS_CANDIDATES_MAX];
	size_t ruled_out_count;
};

/* Decides. Untouched evidence (all zero) gives undetermined. */
void diagnosis_decide(const struct evidence *evidence, struct diagnosis *ret_diagnosis);

/* "dns-nxdomain"; "documented"; "certain"; "dns". Static text. */
const char *diagnosis_name(enum diagnosis_verdict verdict);
const char *diagnosis_words(enum diagnosis_verdict verdict);
enum diagnosis_hop diagnosis_hop(enum diagnosis_verdict verdict);
enum diagnosis_basis diagnosis_basis(enum diagnosis_verdict verdict);
const char *diagnosis_hop_name(enum diagnosis_hop hop);
const char *diagnosis_basis_name(enum diagnosis_basis basis);
const char *diagnosis_confidence_name(enum diagnosis_confidence confidence);

#endif
