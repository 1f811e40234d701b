/* SPDX-License-Identifier: Apache-2.0 */
/* aggregate: turns results into datums. A sample belongs to the period (a multiple since the epoch)
 * that holds its scheduled instant; the period's windows close at its end plus a grace (the longest
 * effective timeout + 1 s) and then become datums, Values/Counts with exact values: times are kept
 * in whole microseconds and leave as milliseconds, equal ones merged; more than 150 distinct values
 * become several datums with the same timestamp. Pure: takes the instants. Hands datums on through a
 * callback.
 *
 * What gives a sample:
 *   Success            1 or 0 for each judged run; a local outcome counts in LocalFaults instead
 *   Latency            total of a success
 *   the phase ones     each phase that was completed, also of a failure; DnsLatency as
 *                      result_has_dns_latency says
 *   FailedLatency      total of a failure
 *   …Failures, …Retransmits   one value per window, the sum
 *   CertificateDaysRemaining  over TLS, with 30 days or fewer, or when verification failed, or when
 *                      its bit is set
 * A lagged run (RESULT_MARK_LAGGED) is judged like any other, but adds to no latency: its times tell
 * of this host, not of the service.
 *
 * Late: a sample for a period already closed makes a supplementary window with the same timestamp,
 * which goes out with the next close; CloudWatch adds datums of one timestamp up. It is counted and
 * never lost. A step of the clock backward reopens nothing: a period lived a second time makes new
 * windows of the same timestamp, and no second Heartbeat. At most AGGREGATE_PERIODS_MAX periods are open; beyond, the oldest closes early.
 *
 * Heartbeat: 1 per agent and minute (per period where that is longer), for each minute in which
 * aggregate_close_due was called, emitted when that minute closes. A minute that was not finished at
 * aggregate_close_all gives none: the next process, started within it, gives it. After a kill the next
 * process gives those that aggregate_note_alive names. */
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

#define AGGREGATE_PERIODS_MAX 128
#define AGGREGATE_VALUES_MAX 100000 /* distinct values of one metric in one window; beyond: dropped */
#define AGGREGATE_SETS_MAX 16

/* Counters of the agent itself; each becomes a metric of the agent's sets when it is not zero. */
enum aggregate_counter {
	AGGREGATE_RUNS_MISSED,
	AGGREGATE_RUNS_LATE,
	AGGREGATE_LOCAL_FAULTS,    /* counted by aggregate_add itself */
	AGGREGATE_SAMPLES_DROPPED, /* aggregate_add counts its own, the caller the sink's */
	AGGREGATE_COUNTER_COUNT
};

struct aggregate_options {
	int64_t period_us;           /* 1, 5, 10, 30 s or a multiple of 60 s */
	int64_t grace_us;            /* longest effective timeout + 1 s */
	unsigned metrics;            /* enum metric_bit, those of METRIC_SCOPE_CHOSEN */
	bool failure_metrics_always; /* zeros in windows with runs but without a failure */
	struct dimension_set *agent_sets[2]; /* Fleet and/or Fleet+agent; NULL: none. Held. */
	void (*emit)(void *user, struct datum *datum); /* gives the datum; may call aggregate_count */
	/* After the last datum of a period that has closed: its samples until now are in them, those before
	 * skew. May be NULL. */
	void (*closed)(void *user, struct wall start, int64_t length_us);
	void *user;
};

/* NULL: no memory. */
struct aggregate *aggregate_new(const struct aggregate_options *options);

/* Frees the series too. Open windows are dropped: close them first. NULL is fine. */
void aggregate_free(struct aggregate *aggregate);

/* A service with its dimension sets (held, at most AGGREGATE_SETS_MAX). Series live until
 * aggregate_series_end, which lets the open windows finish first. NULL: no memory. */
struct aggregate_series *aggregate_series_new(struct aggregate *aggregate,
	struct dimension_set *const *sets, size_t set_count, bool is_tls);
void aggregate_series_end(struct aggregate_series *series);

/* Puts one result into the window of its scheduled instant. ERR_NOMEM: the sample, or a part of it,
 * is lost and counted in SAMPLES_DROPPED; ERR_LIMIT: the same, beyond AGGREGATE_VALUES_MAX. */
int aggregate_add(struct aggregate_series *series, const struct result *result);

/* Adds to an agent counter in the window of `at`. */
void aggregate_count(struct aggregate *aggregate, enum aggregate_counter counter, struct wall at,
	uint64_t amount);

/* Closes every period whose end + grace has passed at `now`, oldest first, and emits it. Called once
 * at the start, whenever aggregate_next_close has come, and at least once a minute. */
void aggregate_close_due(struct aggregate *aggregate, struct wall now);

/* The process before this one was alive in the minute of `at` and was killed before that minute closed. */
void aggregate_note_alive(struct aggregate *aggregate, struct wall at);

/* When the next period closes; false: none is open. */
bool aggregate_next_close(const struct aggregate *aggregate, struct wall *ret_at);

/* Emits everything still open, as partial windows (SIGTERM). */
void aggregate_close_all(struct aggregate *aggregate, struct wall now);

/* Clock of AWS minus ours when it is far off, else 0: added, in whole seconds, to each timestamp
 * emitted, and published as ClockSkewSeconds beside each Heartbeat while it is not zero. */
void aggregate_set_skew(struct aggregate *aggregate, int64_t skew_us);

/* Whether the configuration on disk was refused: 1 in ConfigReloadFailed beside each Heartbeat while it
 * is so. */
void aggregate_set_reload_failed(struct aggregate *aggregate, bool has_failed);

/* Samples that came after their period had closed. */
uint64_t aggregate_late_samples(const struct aggregate *aggregate);

#endif
