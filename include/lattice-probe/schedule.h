/* SPDX-License-Identifier: Apache-2.0 */
/* schedule: when each probe is due. Pure: takes the instants, never asks a clock. The instants of a
 * probe are those of the wall clock that are ≡ hash(agent id, probe name) mod interval since the
 * epoch, so that its phase survives restarts and a fleet spreads. They are carried to the monotonic
 * clock by one anchor for all probes, set once and moved only when the clocks have drifted apart by
 * more than SCHEDULE_DRIFT_US (a step of the wall clock, a suspend).
 *
 * Each instant that passes is either handed out, once, by schedule_take, or counted in
 * schedule_skipped. Whether a run that is handed out can start (its predecessor may still be going,
 * or too many runs are in flight) is the caller's decision: one that cannot is the caller's miss.
 * Hence: instants = runs + the caller's misses + skipped. */
#ifndef LATTICE_PROBE_SCHEDULE_H
#define LATTICE_PROBE_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lattice-probe/units.h"

struct schedule;

#define SCHEDULE_LATE_US (100 * US_PER_MS) /* a start later than this counts in RunsLate */
#define SCHEDULE_STALE_US US_PER_S         /* later than this, or than half the interval: skipped */
#define SCHEDULE_DRIFT_US US_PER_S         /* the clocks may differ by this before they are aligned */
#define SCHEDULE_JUMP_US US_PER_DAY        /* a step beyond it sets the clock; nothing was missed */

/* What is due: the probe's user pointer and the instant it was scheduled for, on both clocks. */
struct schedule_due {
	void *user;
	struct wall scheduled;
	struct mono due;
};

/* agent_id is copied. NULL: no memory. */
struct schedule *schedule_new(const char *agent_id);
void schedule_free(struct schedule *schedule); /* NULL is fine */

/* Adds a probe; `name` (not kept) and interval fix its phase, its first instant is the next after
 * now. *ret_id names it for schedule_remove until then. ERR_NOMEM. */
int schedule_add(struct schedule *schedule, const char *name, int64_t interval_us, void *user,
	struct mono now, struct wall wall_now, uint32_t *ret_id);
void schedule_remove(struct schedule *schedule, uint32_t id);

/* The instant of the next due probe; false when there is none. A step of the wall clock is only
 * seen by schedule_take: a caller with few probes does well to call it every few seconds. */
bool schedule_next(const struct schedule *schedule, struct mono *ret_due);

/* Takes the next run that is due at `now`, and plans that probe's following instant. False: none is
 * due. Instants that became stale because nobody asked in time (a stalled loop) are skipped, not
 * made up for: a late burst would measure the burst. After a step of the wall clock every probe goes
 * on at its next instant of the new time: the ones that a step ahead passed over are skipped; after a
 * step back no probe runs again within half an interval, nor the same instant within a whole one,
 * and none waits for two. */
bool schedule_take(struct schedule *schedule, struct mono now, struct wall wall_now,
	struct schedule_due *ret_due);

/* All instants skipped since the start, removed probes included: missed runs, each. */
uint64_t schedule_skipped(const struct schedule *schedule);

/* The phase of a probe in microseconds: FNV-1a 64 of "agent_id\0name" mod interval. */
int64_t schedule_phase_us(const char *agent_id, const char *name, int64_t interval_us);

size_t schedule_count(const struct schedule *schedule);

#endif
