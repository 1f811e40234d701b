/* SPDX-License-Identifier: Apache-2.0 */
/* diagnosis_queue: which unhealthy probe the agent diagnoses next, and when. Bounded in every way: in the
 * probes that wait, in diagnoses an hour, and in how often one probe has its turn, so that neither a
 * flapping service nor an outage of all makes the agent a load of its own. Pure: takes the instants. */
#ifndef LATTICE_PROBE_DIAGNOSIS_QUEUE_H
#define LATTICE_PROBE_DIAGNOSIS_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lattice-probe/units.h"

/* When many probes fail together the cause is mostly one: the first few diagnoses say it. */
#define DIAGNOSIS_QUEUE_MAX 64
/* Some 30 DNS questions and 5 connections each, 14 s at most: a minute and a half in the hour. */
#define DIAGNOSIS_QUEUE_PER_HOUR 6
/* A probe that flaps, or whose repair takes a while: the same verdict every few runs tells nothing new. */
#define DIAGNOSIS_QUEUE_SPACING_US (600 * US_PER_S)
/* Agents of a fleet see a service fail at the same moment and must not all ask at once. */
#define DIAGNOSIS_QUEUE_JITTER_US (5 * US_PER_S)

struct diagnosis_queue_entry {
	void *user;
	struct mono due;
};

/* All zero: empty. */
struct diagnosis_queue {
	struct diagnosis_queue_entry entries[DIAGNOSIS_QUEUE_MAX]; /* in the order of their coming */
	size_t count;
	struct mono starts[DIAGNOSIS_QUEUE_PER_HOUR]; /* the latest ones, a ring */
	size_t next_start;
};

/* Lets `user` wait for its turn: `jitter_us` from now, and not within DIAGNOSIS_QUEUE_SPACING_US of
 * `last`, its latest diagnosis (never: none). False: too many wait. Who waits already keeps its place. */
bool diagnosis_queue_add(struct diagnosis_queue *queue, void *user, struct mono now, int64_t jitter_us,
	struct mono last);

/* Gives its place up; fine when it has none. */
void diagnosis_queue_remove(struct diagnosis_queue *queue, const void *user);

/* When the next may start; false: nobody waits. */
bool diagnosis_queue_next(const struct diagnosis_queue *queue, struct mono *ret_due);

/* Takes the one whose turn it is at `now`, and counts that start; NULL: nobody's. */
void *diagnosis_queue_take(struct diagnosis_queue *queue, struct mono now);

#endif
