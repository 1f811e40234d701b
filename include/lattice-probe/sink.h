/* SPDX-License-Identifier: Apache-2.0 */
/* sink: where datums go. Two kinds: cloudwatch (PutMetricData) and json (one line per datum on a
 * stream, for --dry-run). A sink takes ownership of every datum and accounts for each sample, at any
 * time: taken = delivered + waiting + dropped (by cause); in_doubt is counted beside. It is the room
 * that decides what to do about a failure, so it logs: when publishing fails, recovers or is denied,
 * and what it gave up.
 *
 * cloudwatch: datums wait for the publish moment, then go out in batches, one request at a time.
 * What could not be sent by the next publish moment becomes backlog: live data goes first, backlog
 * after it, oldest first and at most one request in backfill_interval, twice that after each time
 * CloudWatch throttled, and slowly back. With a store all that waits stands in its outbox too; what
 * memory need not hold stands there only, and what an earlier process left there is taken over as
 * backlog. A batch is marked there before it is sent: one that was under way when the process was
 * killed is sent again and counted as in doubt. A failure of the endpoint is
 * retried after a growing, jittered delay; a batch that CloudWatch refuses for its content is halved
 * until the one datum is found, and that one is dropped. */
#ifndef LATTICE_PROBE_SINK_H
#define LATTICE_PROBE_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lattice-probe/datum.h"
#include "lattice-probe/units.h"

struct aws_reply;
struct aws_transport;
struct credentials;
struct loop;
struct sink;
struct store;

enum sink_drop {
	SINK_DROP_QUEUE_FULL, /* the oldest, beyond queue_max_datums or queue_max_bytes */
	SINK_DROP_INVALID,    /* breaks a rule of CloudWatch, or CloudWatch said so */
	SINK_DROP_TOO_OLD,    /* older than two weeks */
	SINK_DROP_SHUTDOWN,   /* left at the deadline of a flush, or at sink_free */
	SINK_DROP_WRITE,      /* the json sink's stream refused it */
	SINK_DROP_STORE,      /* the store lost it: its file was corrupt, or a commit failed */
	SINK_DROP_COUNT
};
const char *sink_drop_name(enum sink_drop cause); /* "queue_full", … */

struct sink_counters { /* in samples: sums of Counts */
	double taken;
	double delivered;
	double waiting;   /* in memory or in the store; after a flush: left in the store */
	double restored;  /* of those taken: found in the store at the start */
	double in_doubt; /* once for each attempt whose reply was lost: CloudWatch may hold them */
	double dropped[SINK_DROP_COUNT];
	uint64_t requests;
	uint64_t datums_delivered;
	uint64_t datums_waiting;
	uint64_t datums_on_disk; /* of those: not in memory */
	uint64_t bytes_waiting;  /* of memory */
};

struct sink_cloudwatch_options {
	const char *endpoint;     /* copied */
	const char *region;       /* copied */
	const char *namespace_;   /* copied */
	size_t queue_max_datums;  /* bound of all that waits, the request in flight included */
	size_t queue_max_bytes;   /* the same in memory; 0: 64 MiB */
	struct store *store;      /* borrowed, outlives the sink; NULL: memory only */
	int64_t spread_us;        /* publish moment: this long after the first datum of a batch arrives */
	uint64_t random_seed;     /* for jitter */
	/* Told of each drop but SHUTDOWN's; may call back into aggregate, not into the sink. May be NULL. */
	void (*dropped)(void *user, enum sink_drop cause, double samples);
	void *user;
	/* For tests; 0 means the default. */
	int64_t retry_base_us;        /* 200 ms: first delay after a failure is one to three of it */
	int64_t throttle_base_us;     /* 1 s: the same when throttled */
	int64_t retry_max_us;         /* 60 s: the longest delay, and the one after AccessDenied */
	int64_t backfill_interval_us; /* 10 s: at most one request of backlog in it */
	int64_t request_timeout_us;   /* 10 s */
};

/* What carries a body to CloudWatch and the verdict back. sink_cloudwatch_new makes the real one. */
struct sink_carrier {
	/* `finished` runs once, never from inside this call. The body is borrowed until then or until
	 * cancel. One at a time. 0 or ERR_NOMEM: `finished` will not run. */
	int (*send)(void *user, const void *body, size_t body_bytes,
		void (*finished)(void *finished_user, const struct aws_reply *reply), void *finished_user);
	void (*cancel)(void *user);      /* `finished` will not run */
	void (*refresh)(void *user);     /* the credentials were refused as expired */
	int64_t (*skew_us)(void *user);  /* clock of AWS minus ours */
	void (*free)(void *user);
	void *user;
};

/* Borrow loop, transport and credentials. NULL: no memory. */
struct sink *sink_cloudwatch_new(struct loop *loop, struct aws_transport *transport,
	struct credentials *credentials, const struct sink_cloudwatch_options *options);

/* The same over another carrier (copied; its user is freed by its `free`, also when this fails).
 * endpoint and region are not looked at. */
struct sink *sink_cloudwatch_new_over(struct loop *loop, const struct sink_carrier *carrier,
	const struct sink_cloudwatch_options *options);

/* Prints each datum as one JSON line in the shape PutMetricData takes. Borrows stream. */
struct sink *sink_json_new(FILE *stream, const char *namespace_);

/* What still waits is left to the store, else dropped as SHUTDOWN; a request in flight is cancelled and in doubt. NULL is
 * fine. */
void sink_free(struct sink *sink);

/* Takes the datum. */
void sink_put(struct sink *sink, struct datum *datum);

/* Sends everything now, backlog too, and calls back when nothing waits, when the deadline has passed,
 * or when the next attempt would come after it; what is left then stays in the store, and is dropped
 * as SHUTDOWN where that does not work. Once per sink; from then on datums put are dropped likewise. The json sink calls back before it returns. */
void sink_flush(struct sink *sink, struct mono deadline, void (*flushed)(void *user), void *user);

/* At most one request of backlog in that time, from the next one on. */
void sink_set_backfill_interval(struct sink *sink, int64_t interval_us);

/* True when it does not move on: a request is in flight for longer than it may take, or datums wait and
 * nothing is planned that would send them. An outage is no such thing: the next attempt is planned. */
bool sink_is_stuck(const struct sink *sink, struct mono now);

void sink_read_counters(const struct sink *sink, struct sink_counters *ret_counters);

#endif
