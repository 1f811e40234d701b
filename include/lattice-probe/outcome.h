/* SPDX-License-Identifier: Apache-2.0 */
/* outcome: the one exclusive value that every run ends with. Zero is not a success: it is no
 * outcome at all, so that a forgotten field can never look healthy. */
#ifndef LATTICE_PROBE_OUTCOME_H
#define LATTICE_PROBE_OUTCOME_H

#include <stdbool.h>

enum outcome {
	OUTCOME_NONE = 0, /* not decided yet */
#define OUTCOME(NAME, name, phase, metric, words) OUTCOME_##NAME,
#include "lattice-probe/outcome.def"
#undef OUTCOME
	OUTCOME_COUNT
};

enum outcome_phase {
	OUTCOME_PHASE_NONE,
	OUTCOME_PHASE_DNS,
	OUTCOME_PHASE_CONNECT,
	OUTCOME_PHASE_TLS,
	OUTCOME_PHASE_HEALTH,
	OUTCOME_PHASE_LOCAL
};

/* "dns_nxdomain"; "none" for OUTCOME_NONE. Static text. */
const char *outcome_name(enum outcome outcome);

/* The outcome of that exact name; OUTCOME_NONE: there is none. */
enum outcome outcome_find(const char *name);

/* A sentence fragment for people: "the name does not exist". Static text. */
const char *outcome_words(enum outcome outcome);

enum outcome_phase outcome_phase(enum outcome outcome);

/* Which failure metric counts it: "DnsFailures", "ConnectFailures", "TlsFailures",
 * "HealthFailures", "LocalFaults"; NULL for ok. */
const char *outcome_metric(enum outcome outcome);

/* Local outcomes are this host's trouble: they are never a judgement on the service. */
static inline bool outcome_is_local(enum outcome outcome)
{
	return outcome_phase(outcome) == OUTCOME_PHASE_LOCAL;
}

/* True when the run says something about the service: it gives a Success sample. */
static inline bool outcome_is_judged(enum outcome outcome)
{
	return outcome != OUTCOME_NONE && !outcome_is_local(outcome);
}

/* The worse of two attempts of one run. ok is the best, then come the local ones, then the
 * failures of the service; of two such failures the one that got less far (the earlier row of
 * outcome.def) is the worse. OUTCOME_NONE gives way to any other, so that a fold may begin with it. */
enum outcome outcome_worse(enum outcome a, enum outcome b);

#endif
