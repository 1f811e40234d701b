/* SPDX-License-Identifier: Apache-2.0 */
/* health: whether a probe's service is healthy, from the outcomes of its runs. A probe turns unhealthy
 * after some failures in a row and healthy again after some successes in a row. What this host did wrong
 * (outcomes of the local kind) and missed runs are no judgement: they neither break nor lengthen a streak.
 * Pure, plain values. */
#ifndef LATTICE_PROBE_HEALTH_H
#define LATTICE_PROBE_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "lattice-probe/outcome.h"

enum health_state {
	HEALTH_UNKNOWN, /* never judged, or failing since the start for too short a time */
	HEALTH_HEALTHY,
	HEALTH_UNHEALTHY
};

/* All zero: nothing is known. */
struct health {
	enum health_state state;
	bool is_ok_streak;  /* what the streak is made of: successes, else failures */
	uint32_t streak;    /* judged runs in a row that ended alike; 0: none yet */
};

struct health_limits {
	int unhealthy_after; /* 1 or more, both */
	int healthy_after;
};

enum health_change { HEALTH_SAME, HEALTH_BECAME_HEALTHY, HEALTH_BECAME_UNHEALTHY };

/* Takes the outcome of one run into account. From unknown a first success is enough for healthy: that
 * probe was never seen to be ill. */
enum health_change health_judge(struct health *health, const struct health_limits *limits, enum outcome outcome);

/* "unknown", "healthy", "unhealthy". Static text. */
const char *health_state_name(enum health_state state);

#endif
