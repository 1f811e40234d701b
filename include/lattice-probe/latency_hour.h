/* SPDX-License-Identifier: Apache-2.0 */
/* latency_hour: what the judged runs of one probe came to in the last hour: how many, how many failed,
 * and percentiles of the successes' total time. Each run is kept as one 16-bit code, its time within
 * 0.05 %, so that a probe every ten seconds costs 720 bytes; nothing is allocated before the first run.
 * The hour goes by in twelve slices: what is read covers the last 55 to 60 minutes. Takes instants,
 * never asks a clock. */
#ifndef LATTICE_PROBE_LATENCY_HOUR_H
#define LATTICE_PROBE_LATENCY_HOUR_H

#include <stdint.h>

#include "lattice-probe/units.h"

#define LATENCY_HOUR_SLICES 12
#define LATENCY_HOUR_RUNS_MAX 3601 /* one a second */

struct latency_hour {
	uint16_t *codes;   /* a ring, oldest first; NULL: nothing kept yet */
	uint16_t first;
	uint16_t count;
	uint16_t capacity;
	uint16_t capacity_max;
	int64_t slice;     /* number of the newest one */
	uint16_t slice_counts[LATENCY_HOUR_SLICES]; /* runs in each */
};

enum latency_hour_run {
	LATENCY_HOUR_FAILED,
	LATENCY_HOUR_TIMED,  /* a success whose time counts */
	LATENCY_HOUR_UNTIMED /* a success that this host was too busy to measure */
};

struct latency_hour_summary {
	int runs;
	int failed;
	int64_t p50_us; /* nearest rank; -1: no timed run */
	int64_t p99_us;
};

/* For runs `interval_us` apart, which bounds the memory. */
void latency_hour_init(struct latency_hour *hour, int64_t interval_us);
void latency_hour_done(struct latency_hour *hour);

/* Adds a run that ended at `now`, never earlier than the one before. When runs come faster than the
 * interval the oldest make room. 0 or ERR_NOMEM: this run is left out. */
int latency_hour_add(struct latency_hour *hour, struct mono now, enum latency_hour_run run, int64_t total_us);

/* Drops what is older than the hour, and sums up the rest. */
void latency_hour_read(struct latency_hour *hour, struct mono now, struct latency_hour_summary *ret_summary);

#endif
