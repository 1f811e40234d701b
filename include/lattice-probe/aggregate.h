/* SPDX-License-Identifier: Apache-2.0 */
/* aggregate: turns results into datums. A sample belongs to the period (a multiple since the epoch)
 * that holds its scheduled instant; a window closes at its end plus a grace (the longest effective
 * timeout + 1 s) and then becomes datums, Values/Counts with exact values; more than 150 distinct
 * values become several datums with the same timestamp. Pure: takes the instants. Hands datums on
 * through a callback. Bounded: at most AGGREGATE_WINDOWS_MAX windows are open; a sample for a window
 * already closed is counted as late_samples and goes into the oldest open one… never lost. */
#ifndef LATTICE_PROBE_AGGREGATE_H
#define LATTICE_PROBE_AGGREGATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lattice-probe/datum.h"
#include "lattice-probe/result.h"
#include "lattice-probe/units.h"

struct aggregate;
struct aggregate_series; /* the windows of one service: a probe's dimension sets */

/* Counters of the agent itself; each becomes a metric of the Fleet (see design: Metrics). */
enum aggregate_counter {
	AGGREGATE_RUNS_MISSED,
	AGGREGATE_RUNS_LATE,
	AGGREGATE_LOCAL_FAULTS,
	AGGREGATE_SAMPLES_DROPPED,
	AGGREGATE_COUNTER_COUNT
};

struct aggregate_options {
	int64_t period_us;
	int64_t grace_us;            /* longest effective timeout + 1 s */
	unsigned metrics;            /* enum metric_bit, those of METRIC_SCOPE_CHOSEN */
	bool failure_metrics_always; /* zeros for failure counts */
	struct dimension_set *agent_sets[2]; /* Fleet and/or Fleet+agent; NULL: none. Held. */
	void (*emit)(void *user, struct datum *datum); /* gives the datum */
	void *user;
};

/* NULL: no memory. */
struct aggregate *aggregate_new(const struct aggregate_options *options);
void aggregate_free(struct aggregate *aggregate); /* open windows are dropped: close them first */

/* A service with its dimension sets (held). Series live until aggregate_series_end, which lets the
 * open windows finish first. NULL: no memory. */
struct aggregate_series *aggregate_series_new(struct aggregate *aggregate,
	struct dimension_set *const *sets, size_t set_count, bool is_tls);
void aggregate_series_end(struct aggregate_series *series);

/* Puts one result into the window of its scheduled instant. ERR_NOMEM: the sample is lost and
 * counted in SAMPLES_DROPPED. */
int aggregate_add(struct aggregate_series *series, const struct result *result);

/* Adds to an agent counter in the window of `at`. */
void aggregate_count(struct aggregate *aggregate, enum aggregate_counter counter, struct wall at,
	uint64_t amount);

/* Closes every window whose end + grace has passed at `now` and emits it. A backward step of the
 * clock reopens nothing. Heartbeat is emitted once per closed period since the first call. */
void aggregate_close_due(struct aggregate *aggregate, struct wall now);

/* When the next window closes; false: none is open. */
bool aggregate_next_close(const struct aggregate *aggregate, struct wall *ret_at);

/* Emits everything still open, as partial windows (SIGTERM). */
void aggregate_close_all(struct aggregate *aggregate, struct wall now);

/* Clock of the timestamps: added to each emitted timestamp (skew against CloudWatch), and the
 * ClockSkewSeconds metric emitted with each period while it is not zero. */
void aggregate_set_skew(struct aggregate *aggregate, int64_t skew_us);

#endif
