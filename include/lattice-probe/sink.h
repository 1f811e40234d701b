/* SPDX-License-Identifier: Apache-2.0 */
/* sink: where datums go. Two kinds: cloudwatch (PutMetricData) and json (one line per datum on a
 * stream, for --dry-run). A sink takes ownership of every datum and accounts for each sample:
 * taken = delivered + waiting + dropped (by cause), in_doubt counted beside. */
#ifndef LATTICE_PROBE_SINK_H
#define LATTICE_PROBE_SINK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "lattice-probe/datum.h"
#include "lattice-probe/units.h"

struct aws_transport;
struct credentials;
struct loop;
struct sink;

enum sink_drop { SINK_DROP_QUEUE_FULL, SINK_DROP_INVALID, SINK_DROP_TOO_OLD, SINK_DROP_SHUTDOWN,
	SINK_DROP_COUNT };
const char *sink_drop_name(enum sink_drop cause); /* "queue_full", … */

struct sink_counters { /* in samples: sums of Counts */
	double taken;
	double delivered;
	double waiting;
	double in_doubt;
	double dropped[SINK_DROP_COUNT];
	uint64_t requests;
	uint64_t datums_delivered;
};

struct sink_cloudwatch_options {
	const char *endpoint;     /* copied */
	const char *region;       /* copied */
	const char *namespace_;   /* copied */
	size_t queue_max_datums;  /* bound; the oldest is dropped beyond it */
	int64_t spread_us;        /* publish moment after a batch of datums arrives: hash × spread */
	uint64_t random_seed;     /* for jitter */
	void (*dropped)(void *user, enum sink_drop cause, double samples); /* may be NULL */
	void *user;
};

/* Borrow loop, transport and credentials. NULL: no memory. */
struct sink *sink_cloudwatch_new(struct loop *loop, struct aws_transport *transport,
	struct credentials *credentials, const struct sink_cloudwatch_options *options);

/* Prints each datum as one JSON line in the shape PutMetricData takes. */
struct sink *sink_json_new(FILE *stream, const char *namespace_);

void sink_free(struct sink *sink); /* what still waits is dropped as SHUTDOWN */

/* Takes the datum. */
void sink_put(struct sink *sink, struct datum *datum);

/* Sends everything now, calls back when nothing waits or the deadline has passed. */
void sink_flush(struct sink *sink, struct mono deadline, void (*flushed)(void *user), void *user);

void sink_read_counters(const struct sink *sink, struct sink_counters *ret_counters);

#endif
