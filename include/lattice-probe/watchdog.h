/* SPDX-License-Identifier: Apache-2.0 */
/* watchdog: whether the daemon as a whole makes progress, from facts that others gathered. A daemon that
 * is stuck is better ended by the service manager than left alone; one that merely waits (for CloudWatch,
 * for its DNS budget) is not stuck. What is in the way must stay so for WATCHDOG_PATIENCE_US, so that a
 * moment without memory ends nothing. Pure: takes the instant. */
#ifndef LATTICE_PROBE_WATCHDOG_H
#define LATTICE_PROBE_WATCHDOG_H

#include <stdbool.h>
#include <stdint.h>

#include "lattice-probe/units.h"

#define WATCHDOG_PATIENCE_US (30 * US_PER_S)
#define WATCHDOG_LATE_US (10 * US_PER_S)        /* a timer so long overdue was lost */
#define WATCHDOG_RUN_MARGIN_US (60 * US_PER_S)  /* beyond a run's timeout and its wait for the DNS budget */

enum watchdog_obstacle {
	WATCHDOG_NONE,
	WATCHDOG_SCHEDULE,  /* nobody looks at what is due */
	WATCHDOG_RUN,       /* a run does not end */
	WATCHDOG_WINDOWS,   /* nobody closes the windows */
	WATCHDOG_PUBLISHER, /* datums wait and nothing will send them */
	WATCHDOG_SHUTDOWN   /* the end does not come */
};

struct watchdog_facts {
	bool is_stopping;
	int64_t stop_late_us;      /* since the deadline of the shutdown; the rest below counts before it */
	int64_t schedule_late_us;  /* since the schedule was to be looked at; below 0: that is still to come */
	int64_t windows_late_us;   /* the same of the windows */
	int64_t run_late_us;       /* of the run that is longest beyond its timeout */
	int64_t run_wait_us;       /* how long the DNS budget may hold a run up */
	bool is_publisher_stuck;   /* sink_is_stuck */
};

/* All zero: nothing is in the way. */
struct watchdog {
	enum watchdog_obstacle obstacle;
	struct mono since;
};

/* Takes the facts of `now`; true: the manager may be told that the daemon is alive. */
bool watchdog_is_alive(struct watchdog *watchdog, const struct watchdog_facts *facts, struct mono now);

/* "none", "schedule", "run", "windows", "publisher", "shutdown". Static text. */
const char *watchdog_obstacle_name(enum watchdog_obstacle obstacle);

#endif
