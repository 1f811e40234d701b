/* SPDX-License-Identifier: Apache-2.0 */
/* schedule: when each probe is due. Pure: takes the instants, never asks a clock. Due instants are
 * those wall instants that are ≡ hash(agent id, probe name) mod interval since the epoch, so that
 * the phase survives restarts and a fleet spreads; they are turned into the monotonic clock once
 * and re-anchored only when the clocks drift apart by more than a second. */
#ifndef LATTICE_PROBE_SCHEDULE_H
#define LATTICE_PROBE_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lattice-probe/units.h"

struct schedule;

#define SCHEDULE_LATE_US (100 * US_PER_MS) /* a start later than this counts in RunsLate */

/* What is due: the entry's user pointer and the instant it was scheduled for, on both clocks. */
struct schedule_due {
	void *user;
	struct wall scheduled;
	struct mono due;
};

/* agent_id is copied. NULL: no memory. */
struct schedule *schedule_new(const char *agent_id);
void schedule_free(struct schedule *schedule);

/* Adds a probe; `name` and interval fix its phase. *ret_id names it for schedule_remove and
 * schedule_set_busy. ERR_NOMEM. */
int schedule_add(struct schedule *schedule, const char *name, int64_t interval_us, void *user,
	struct mono now, struct wall wall_now, uint32_t *ret_id);
void schedule_remove(struct schedule *schedule, uint32_t id);

/* The instant of the next due entry; false when there is none. */
bool schedule_next(const struct schedule *schedule, struct mono *ret_due);

/* Takes the next entry that is due at `now`, and plans its following instant. False: none is due.
 * Instants that passed entirely while nobody asked (suspend, a stalled loop) are not run: they are
 * handed out as missed, one count each, in *ret_skipped with the due one being the latest.
 * wall_now lets it re-anchor after a step of the wall clock. */
bool schedule_take(struct schedule *schedule, struct mono now, struct wall wall_now,
	struct schedule_due *ret_due, uint64_t *ret_skipped);

/* The phase of a probe in microseconds: FNV-1a 64 of "agent_id\0name" mod interval. */
int64_t schedule_phase_us(const char *agent_id, const char *name, int64_t interval_us);

size_t schedule_count(const struct schedule *schedule);

#endif
