/* SPDX-License-Identifier: Apache-2.0 */
/* aggregate_internal: what the files of this room share. tally.c counts equal values, window.c knows
 * which sample of a result goes to which metric, aggregate.c opens and closes the periods. */
#ifndef LATTICE_PROBE_AGGREGATE_INTERNAL_H
#define LATTICE_PROBE_AGGREGATE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lattice-probe/aggregate.h"
#include "lattice-probe/metric.h"

/* ---- tally ---- */

struct tally_entry {
	int64_t value;
	uint64_t count;
};

/* Values with their counts. Between two settlings equal values may stand in it several times. */
struct tally {
	struct tally_entry *entries;
	size_t count;
	size_t capacity;
	bool is_full; /* AGGREGATE_VALUES_MAX distinct ones: settled, takes only those it knows */
};

/* Counts `value` once. ERR_NOMEM, ERR_LIMIT: not counted. */
int tally_add(struct tally *tally, int64_t value);

/* Makes the entries distinct and ascending. */
void tally_settle(struct tally *tally);
int64_t tally_sum(const struct tally *tally);
void tally_done(struct tally *tally);

/* ---- window ---- */

#define WINDOW_METRICS (METRIC_ID_CERTIFICATE_DAYS + 1) /* the chosen ones stand first in the table */
#define WINDOW_FAILURES (METRIC_ID_HEALTH_FAILURES - METRIC_ID_DNS_FAILURES + 1)

/* One service in one period. */
struct window {
	struct aggregate_series *series;
	struct window *next;           /* of the same period */
	struct window *next_of_series;
	int64_t start_us;
	uint64_t judged;
	uint64_t failures[WINDOW_FAILURES];
	struct tally tallies[WINDOW_METRICS];
};

/* Where datums go while a period closes, and what they have in common. */
struct window_emitter {
	void (*emit)(void *user, struct datum *datum);
	void *user;
	struct wall timestamp;
	int storage_resolution_s;
	uint64_t lost;         /* samples whose datum found no memory */
};

struct window *window_new(struct aggregate_series *series, int64_t start_us);
void window_free(struct window *window);

/* Adds a judged result; *ret_lost is the number of values it had to leave out (with err < 0). */
int window_add(struct window *window, const struct result *result, unsigned metrics, bool is_tls,
	uint64_t *ret_lost);

/* Emits the window for each of the sets. */
void window_emit(struct window *window, struct dimension_set *const *sets, size_t set_count,
	bool with_zero_failures, struct window_emitter *emitter);

/* Emits one value of one metric. */
void window_emit_value(struct window_emitter *emitter, enum metric_id id, struct dimension_set *set,
	int64_t value);

#endif
