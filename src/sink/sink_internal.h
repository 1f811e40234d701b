/* SPDX-License-Identifier: Apache-2.0 */
/* sink_internal: what the files of this room share. sink.c dispatches and keeps the accounts, json.c
 * and cloudwatch.c are the two kinds; the cloudwatch_*.c beside it are parts of the latter. */
#ifndef LATTICE_PROBE_SINK_INTERNAL_H
#define LATTICE_PROBE_SINK_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lattice-probe/aws_call.h"
#include "lattice-probe/buf.h"
#include "lattice-probe/loop.h"
#include "lattice-probe/sink.h"

/* ---- sink ---- */

struct sink_kind {
	void (*put)(struct sink *sink, struct datum *datum); /* already accounted as taken and waiting */
	void (*flush)(struct sink *sink, struct mono deadline, void (*flushed)(void *user), void *user);
	void (*set_backfill_interval)(struct sink *sink, int64_t interval_us); /* NULL: nothing ever waits */
	bool (*is_stuck)(const struct sink *sink, struct mono now);
	void (*free)(struct sink *sink);
};

/* First member of each kind. */
struct sink {
	const struct sink_kind *kind;
	struct sink_counters counters;
	void (*dropped)(void *user, enum sink_drop cause, double samples); /* may be NULL */
	void *user;
};

/* Take the datum out of what waits, and free it. */
void sink_deliver(struct sink *sink, struct datum *datum);
void sink_drop(struct sink *sink, enum sink_drop cause, struct datum *datum);

/* The same for datums that are not in memory. */
void sink_lose(struct sink *sink, enum sink_drop cause, uint64_t datums, double samples);

/* ---- cloudwatch_queue: datums in a row, linked through themselves ---- */

struct cloudwatch_queue {
	struct datum *first;
	struct datum *last;
	size_t count;
};

void cloudwatch_queue_push(struct cloudwatch_queue *queue, struct datum *datum);
void cloudwatch_queue_push_front(struct cloudwatch_queue *queue, struct datum *datum);
struct datum *cloudwatch_queue_pop(struct cloudwatch_queue *queue); /* NULL: empty */

/* Moves all of `from` before the first, or behind the last, of queue. */
void cloudwatch_queue_prepend(struct cloudwatch_queue *queue, struct cloudwatch_queue *from);
void cloudwatch_queue_append(struct cloudwatch_queue *queue, struct cloudwatch_queue *from);

/* Moves the second half into the empty *ret_half; the first keeps the odd one. */
void cloudwatch_queue_split(struct cloudwatch_queue *queue, struct cloudwatch_queue *ret_half);

double cloudwatch_queue_samples(const struct cloudwatch_queue *queue);

/* ---- cloudwatch_retry: what an end of a request asks for; pure ---- */

enum cloudwatch_action {
	CLOUDWATCH_DELIVERED,
	CLOUDWATCH_LATER,   /* after a delay */
	CLOUDWATCH_AT_ONCE, /* once; from the second time on after a delay */
	CLOUDWATCH_SPLIT    /* the content is refused */
};

struct cloudwatch_pace {
	int64_t retry_base_us;
	int64_t throttle_base_us;
	int64_t retry_max_us;
};

enum cloudwatch_action cloudwatch_retry_action(enum aws_class class_);

/* The delay after a failure of that class. previous_us is the last one, 0 after a success; random
 * any 64 bits; retry_after_us what the server asked for, or 0. */
int64_t cloudwatch_retry_delay_us(enum aws_class class_, const struct cloudwatch_pace *pace,
	int64_t previous_us, uint64_t random, int64_t retry_after_us);

/* ---- cloudwatch_carrier: requests over aws_call ---- */

/* Fills *ret_carrier, whose user it gives (see sink_carrier). 0 or ERR_NOMEM. */
int cloudwatch_carrier_new(struct aws_transport *transport, struct credentials *credentials,
	const struct sink_cloudwatch_options *options, struct sink_carrier *ret_carrier);

/* ---- cloudwatch_report: what is said about it, once ---- */

struct cloudwatch_report {
	bool is_failing;
	enum aws_class class_;
	struct mono since;
	struct mono said;
	uint64_t failures;
	bool is_full;   /* that the queue is full was said */
	unsigned dropped; /* bits of enum sink_drop: that something went for it was said */
	uint64_t named; /* bits of enum metric_id: a bad datum of it was said */
};

void cloudwatch_report_failure(struct cloudwatch_report *report, const struct aws_reply *reply, struct mono now,
	int64_t retry_in_us, uint64_t waiting_datums);
void cloudwatch_report_success(struct cloudwatch_report *report, struct mono now, uint64_t waiting_datums);
void cloudwatch_report_full(struct cloudwatch_report *report, uint64_t waiting_datums);
void cloudwatch_report_invalid(struct cloudwatch_report *report, const char *metric, const char *code,
	const char *why);
void cloudwatch_report_dropped(struct cloudwatch_report *report, enum sink_drop cause, double samples);

/* ---- cloudwatch: the sink itself; cloudwatch.c takes datums in, cloudwatch_batch.c sends them ---- */

#define CLOUDWATCH_PARTS_MAX 16 /* halving 1000 leaves at most 10 halves to be done */

/* What stands in the store only: sink.counters.datums_on_disk of them. */
struct cloudwatch_spilled {
	int64_t first_id; /* meaningless without datums */
	int64_t last_id;
	double samples;
};

enum cloudwatch_source { CLOUDWATCH_SOURCE_PARTS, CLOUDWATCH_SOURCE_LIVE, CLOUDWATCH_SOURCE_BACKLOG,
	CLOUDWATCH_SOURCE_NONE };

struct cloudwatch {
	struct sink sink;
	struct loop *loop;
	struct sink_carrier carrier;
	char *namespace_;
	size_t queue_max_datums;
	size_t queue_max_bytes;
	int64_t spread_us;
	int64_t backfill_interval_us;  /* as configured */
	int64_t backfill_pace_us;      /* as throttling has made it */
	int64_t send_limit_us;         /* the longest that a request may be in flight */
	struct cloudwatch_pace pace;
	uint64_t random;

	struct cloudwatch_queue arrived;
	struct cloudwatch_queue live;
	struct cloudwatch_queue backlog;
	struct store *store;           /* NULL: memory only */
	int64_t last_id;               /* that a datum was given */
	struct cloudwatch_spilled spilled;
	uint64_t kept_datums;          /* what was on disk when the store was told to keep it */
	double kept_samples;
	bool is_reading;               /* a page, or what is kept, is asked for */
	int64_t reading_from;          /* the range as it was then */
	int64_t reading_to;
	uint64_t generation;           /* of live: the number of publish moments */

	struct cloudwatch_queue flight;
	enum cloudwatch_source source; /* of the flight */
	enum cloudwatch_source batch_source; /* of the flight, or of the batch that the parts were */
	uint64_t batch_generation;
	struct buf body;               /* compressed; borrowed by the carrier while sending */
	bool is_sending;
	bool is_marking;               /* and its datums are still being marked as in flight */
	struct mono sending_since;

	struct cloudwatch_queue parts[CLOUDWATCH_PARTS_MAX];
	size_t part_count;
	unsigned quarantined;          /* of the batch that the parts were */
	bool has_good_part;

	struct loop_timer publish_timer;
	struct loop_timer pump_timer;
	struct mono retry_at;          /* never: no delay */
	struct mono backfill_at;
	int64_t delay_us;              /* the last one, 0 after a success */
	unsigned tried_at_once;        /* bits of enum aws_class */

	struct cloudwatch_report report;

	bool is_flushing;
	bool is_over;                  /* flushed: nothing is taken any more */
	struct mono flush_deadline;
	struct loop_timer flush_timer;
	void (*flushed)(void *user);
	void *flush_user;
};

/* Starts the next request, if there is something to send and nothing asks to wait. */
void cloudwatch_batch_pump(struct cloudwatch *cloudwatch);

/* Stops the request in flight; its datums stay in `flight`, in doubt. */
void cloudwatch_batch_cancel(struct cloudwatch *cloudwatch);

/* Ends a flush: what is left is dropped, `flushed` is called. */
void cloudwatch_end_flush(struct cloudwatch *cloudwatch);

bool cloudwatch_is_full(const struct cloudwatch *cloudwatch);

/* Drops the oldest while the outbox is larger than it may be. */
void cloudwatch_drop_beyond_outbox(struct cloudwatch *cloudwatch);

/* Take a datum out of what waits and out of the store. */
void cloudwatch_deliver(struct cloudwatch *cloudwatch, struct datum *datum);
void cloudwatch_drop(struct cloudwatch *cloudwatch, enum sink_drop cause, struct datum *datum);

/* ---- cloudwatch_outbox: what waits, on disk ---- */

void cloudwatch_outbox_start(struct cloudwatch *cloudwatch, struct store *store); /* NULL: memory only */
void cloudwatch_outbox_stop(struct cloudwatch *cloudwatch);
bool cloudwatch_outbox_works(const struct cloudwatch *cloudwatch);

/* Gives the datum its id, and notes it. */
void cloudwatch_outbox_put(struct cloudwatch *cloudwatch, struct datum *datum);
void cloudwatch_outbox_remove(struct cloudwatch *cloudwatch, const struct datum *datum);

/* Frees a datum that goes on waiting in the store. */
void cloudwatch_outbox_leave(struct cloudwatch *cloudwatch, struct datum *datum);

/* Live data that new data has overtaken: to the backlog, in memory or on disk. */
void cloudwatch_outbox_overtaken(struct cloudwatch *cloudwatch, struct cloudwatch_queue *live);

/* Leaves to the disk what lies in the range that is there already. */
void cloudwatch_outbox_spill_range(struct cloudwatch *cloudwatch, struct cloudwatch_queue *queue);

/* Leaves to the disk what memory has no room for, the oldest first. */
void cloudwatch_outbox_make_room(struct cloudwatch *cloudwatch);

/* Asks for the next page when the backlog in memory runs low. */
void cloudwatch_outbox_read_more(struct cloudwatch *cloudwatch);

/* Marks the flight; `marked` runs when that is written, or cannot be. False: it will not run. */
bool cloudwatch_outbox_mark(struct cloudwatch *cloudwatch, void (*marked)(void *user, bool is_written));
void cloudwatch_outbox_unmark(struct cloudwatch *cloudwatch);

/* Has removals and marks written now: the less a kill finds undone, the less is sent twice or in doubt. */
void cloudwatch_outbox_hurry(struct cloudwatch *cloudwatch);

void cloudwatch_set_timer(struct cloudwatch *cloudwatch, struct loop_timer *timer, struct mono due,
	void (*callback)(void *user));

#endif
