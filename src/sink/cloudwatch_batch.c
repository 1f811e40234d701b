/* SPDX-License-Identifier: Apache-2.0 */
/* One request after another: what goes next, how it is filled, what its end asks for. */
#include "sink_internal.h"

#include <assert.h>

#include "lattice-probe/cloudwatch_encode.h"
#include "lattice-probe/err.h"
#include "lattice-probe/log.h"

#define BACKFILL_SLOWEST 64 /* how many times slower than configured at most */
#define QUARANTINE_MAX 8 /* bad datums looked for in one batch before the rest has to wait */

static void on_pump(void *user);

/* splitmix64 */
static uint64_t next_random(struct cloudwatch *cloudwatch)
{
	uint64_t mixed = cloudwatch->random += UINT64_C(0x9e3779b97f4a7c15);

	mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
	return mixed ^ (mixed >> 31);
}

/* The one bad datum of a batch. */
static void quarantine(struct cloudwatch *cloudwatch, struct datum *datum, const char *code, const char *why)
{
	cloudwatch_report_invalid(&cloudwatch->report, datum->metric, code, why);
	cloudwatch_drop(cloudwatch, SINK_DROP_INVALID, datum);
}

/* Puts the flight, and the parts if it was one, back to where their batch came from, or last of all.
 * Live data that new data has overtaken is backlog. */
static void put_back(struct cloudwatch *cloudwatch, bool is_last)
{
	struct cloudwatch_queue *flight = &cloudwatch->flight;

	while (cloudwatch->part_count > 0)
		cloudwatch_queue_append(flight, &cloudwatch->parts[--cloudwatch->part_count]);
	cloudwatch_outbox_spill_range(cloudwatch, flight);
	if (is_last)
		cloudwatch_queue_append(&cloudwatch->backlog, flight);
	else if (cloudwatch->batch_source == CLOUDWATCH_SOURCE_BACKLOG)
		cloudwatch_queue_prepend(&cloudwatch->backlog, flight);
	else if (cloudwatch->batch_generation == cloudwatch->generation)
		cloudwatch_queue_prepend(&cloudwatch->live, flight);
	else
		cloudwatch_queue_append(&cloudwatch->backlog, flight);
}

/* The account's rate belongs to everybody in it. */
static void slow_down(struct cloudwatch *cloudwatch)
{
	int64_t slowest_us = BACKFILL_SLOWEST * cloudwatch->backfill_interval_us;

	cloudwatch->backfill_pace_us *= 2;
	if (cloudwatch->backfill_pace_us > slowest_us)
		cloudwatch->backfill_pace_us = slowest_us;
}

/* An eighth at a time: as fast as before after some five batches for each time it was throttled. */
static void speed_up(struct cloudwatch *cloudwatch)
{
	cloudwatch->backfill_pace_us -= cloudwatch->backfill_pace_us / 8;
	if (cloudwatch->backfill_pace_us < cloudwatch->backfill_interval_us)
		cloudwatch->backfill_pace_us = cloudwatch->backfill_interval_us;
}

static void fail(struct cloudwatch *cloudwatch, const struct aws_reply *reply)
{
	struct mono now = mono_now();
	bool is_poison = reply->class_ == AWS_CLASS_SERVER && !cloudwatch->report.is_failing &&
			 cloudwatch->batch_source == CLOUDWATCH_SOURCE_BACKLOG;

	cloudwatch->delay_us = cloudwatch_retry_delay_us(reply->class_, &cloudwatch->pace, cloudwatch->delay_us,
		next_random(cloudwatch), reply->retry_after_us);
	cloudwatch->retry_at = mono_add(now, cloudwatch->delay_us);
	cloudwatch_report_failure(&cloudwatch->report, reply, now, cloudwatch->delay_us,
		cloudwatch->sink.counters.datums_waiting);
	if (reply->class_ == AWS_CLASS_THROTTLED)
		slow_down(cloudwatch);
	put_back(cloudwatch, is_poison);
}

/* ---- the end of a request -------------------------------------------------------------------- */

static void deliver(struct cloudwatch *cloudwatch)
{
	struct datum *datum;

	while ((datum = cloudwatch_queue_pop(&cloudwatch->flight)))
		cloudwatch_deliver(cloudwatch, datum);
	cloudwatch_outbox_hurry(cloudwatch);
	if (cloudwatch->batch_source == CLOUDWATCH_SOURCE_BACKLOG)
		speed_up(cloudwatch);
	cloudwatch->has_good_part = true;
	cloudwatch->delay_us = 0;
	cloudwatch->tried_at_once = 0;
	cloudwatch_report_success(&cloudwatch->report, mono_now(), cloudwatch->sink.counters.datums_waiting);
}

/* Credentials that expired, a clock that was off: the next try has better ones. */
static void try_at_once(struct cloudwatch *cloudwatch, const struct aws_reply *reply)
{
	unsigned bit = 1u << reply->class_;

	if (reply->class_ == AWS_CLASS_EXPIRED)
		cloudwatch->carrier.refresh(cloudwatch->carrier.user);
	if (cloudwatch->tried_at_once & bit) {
		fail(cloudwatch, reply);
		return;
	}
	cloudwatch->tried_at_once |= bit;
	cloudwatch->backfill_at = (struct mono){ 0 };
	log_debug("event=publish_again class=%s code=%s", aws_class_name(reply->class_), reply->code);
	put_back(cloudwatch, false);
}

/* So many bad ones that the rest has to wait. When no part of the batch was taken at all, it is the
 * request that is refused, and no better for another one. */
static void give_up_splitting(struct cloudwatch *cloudwatch, const struct aws_reply *reply)
{
	struct aws_reply refused = *reply;

	if (cloudwatch->part_count == 0)
		return;
	if (cloudwatch->has_good_part) {
		put_back(cloudwatch, true);
		return;
	}
	refused.retry_after_us = cloudwatch->pace.retry_max_us;
	fail(cloudwatch, &refused);
}

static void split(struct cloudwatch *cloudwatch, const struct aws_reply *reply)
{
	struct cloudwatch_queue half;

	if (cloudwatch->source != CLOUDWATCH_SOURCE_PARTS) {
		cloudwatch->quarantined = 0;
		cloudwatch->has_good_part = false;
	}
	if (cloudwatch->flight.count > 1) {
		assert(cloudwatch->part_count + 2 <= CLOUDWATCH_PARTS_MAX);
		cloudwatch_queue_split(&cloudwatch->flight, &half);
		cloudwatch->parts[cloudwatch->part_count++] = half;
		cloudwatch->parts[cloudwatch->part_count++] = cloudwatch->flight;
		cloudwatch->flight = (struct cloudwatch_queue){ 0 };
		return;
	}
	quarantine(cloudwatch, cloudwatch_queue_pop(&cloudwatch->flight), reply->code, reply->message);
	if (++cloudwatch->quarantined >= QUARANTINE_MAX)
		give_up_splitting(cloudwatch, reply);
}

static void on_reply(void *user, const struct aws_reply *reply)
{
	struct cloudwatch *cloudwatch = user;

	cloudwatch->is_sending = false;
	buf_done(&cloudwatch->body);
	if (reply->class_ == AWS_CLASS_IN_DOUBT)
		cloudwatch->sink.counters.in_doubt += cloudwatch_queue_samples(&cloudwatch->flight);
	/* What is in doubt stays marked: a kill would take the count of it along. */
	if (reply->class_ != AWS_CLASS_OK && reply->class_ != AWS_CLASS_IN_DOUBT) {
		cloudwatch_outbox_unmark(cloudwatch);
		cloudwatch_outbox_hurry(cloudwatch);
	}
	switch (cloudwatch_retry_action(reply->class_)) {
	case CLOUDWATCH_DELIVERED: deliver(cloudwatch); break;
	case CLOUDWATCH_AT_ONCE: try_at_once(cloudwatch, reply); break;
	case CLOUDWATCH_SPLIT: split(cloudwatch, reply); break;
	case CLOUDWATCH_LATER:
	default: fail(cloudwatch, reply);
	}
	cloudwatch_batch_pump(cloudwatch);
}

/* ---- the start of a request ------------------------------------------------------------------ */

/* False: it was dropped. */
static bool check(struct cloudwatch *cloudwatch, struct datum *datum, struct wall now)
{
	const char *broken;

	if (wall_since(now, datum->timestamp) > CLOUDWATCH_PAST_US) {
		cloudwatch_report_dropped(&cloudwatch->report, SINK_DROP_TOO_OLD, datum_sample_count(datum));
		cloudwatch_drop(cloudwatch, SINK_DROP_TOO_OLD, datum);
		return false;
	}
	broken = cloudwatch_check(datum, now);
	if (broken)
		quarantine(cloudwatch, datum, "none", broken);
	return !broken;
}

/* Moves what fits from queue to the flight, encoded; ERR_NOMEM: only some of it, or nothing. */
static int fill(struct cloudwatch *cloudwatch, struct cloudwatch_queue *queue, struct buf *body)
{
	struct wall now = wall_add(wall_now(), cloudwatch->carrier.skew_us(cloudwatch->carrier.user));
	int err = cloudwatch_encode_begin(body, cloudwatch->namespace_);

	while (!err && queue->first && cloudwatch->flight.count < CLOUDWATCH_DATUMS_MAX) {
		struct datum *datum = cloudwatch_queue_pop(queue);

		if (!check(cloudwatch, datum, now))
			continue;
		err = cloudwatch_encode_add(body, datum, cloudwatch->flight.count == 0);
		if (err)
			cloudwatch_queue_push_front(queue, datum);
		else
			cloudwatch_queue_push(&cloudwatch->flight, datum);
	}
	if (err && err != ERR_LIMIT)
		return err;
	assert(!err || cloudwatch->flight.count > 0); /* the largest datum is a tenth of a body */
	return cloudwatch_encode_end(body);
}

static int carry(struct cloudwatch *cloudwatch)
{
	int err;

	cloudwatch->is_sending = false;
	err = cloudwatch->carrier.send(cloudwatch->carrier.user, cloudwatch->body.data,
		cloudwatch->body.length_bytes, on_reply, cloudwatch);
	if (err)
		return err;
	cloudwatch->is_sending = true;
	cloudwatch->sending_since = mono_now();
	cloudwatch->sink.counters.requests++;
	if (cloudwatch->batch_source == CLOUDWATCH_SOURCE_BACKLOG)
		cloudwatch->backfill_at = mono_add(mono_now(), cloudwatch->backfill_pace_us);
	return 0;
}

static void fail_for_memory(struct cloudwatch *cloudwatch)
{
	static const struct aws_reply no_memory = { .class_ = AWS_CLASS_LOCAL, .code = "NoMemory" };

	buf_done(&cloudwatch->body);
	fail(cloudwatch, &no_memory);
}

/* Marked or not: where the store is in trouble the batch goes all the same. */
static void on_marked(void *user, bool is_written)
{
	struct cloudwatch *cloudwatch = user;

	(void)is_written;
	if (!cloudwatch->is_marking)
		return; /* cancelled meanwhile */
	cloudwatch->is_marking = false;
	if (carry(cloudwatch) == 0)
		return;
	fail_for_memory(cloudwatch);
	cloudwatch_batch_pump(cloudwatch);
}

static int send_flight(struct cloudwatch *cloudwatch, const struct buf *plain)
{
	int err = cloudwatch_gzip(plain, &cloudwatch->body);

	if (err)
		return err;
	cloudwatch->is_marking = cloudwatch_outbox_mark(cloudwatch, on_marked);
	if (!cloudwatch->is_marking)
		return carry(cloudwatch);
	cloudwatch->is_sending = true;
	cloudwatch->sending_since = mono_now();
	return 0;
}

/* Starts a request from queue. Nothing is in flight afterwards when every datum of it was dropped,
 * or when memory ran out. */
static void start(struct cloudwatch *cloudwatch, enum cloudwatch_source source, struct cloudwatch_queue *queue)
{
	struct buf plain;
	int err;

	cloudwatch->source = source;
	if (source != CLOUDWATCH_SOURCE_PARTS) {
		cloudwatch->batch_source = source;
		cloudwatch->batch_generation = cloudwatch->generation;
	}
	buf_init(&plain, CLOUDWATCH_BODY_MAX);
	err = fill(cloudwatch, queue, &plain);
	if (!err && cloudwatch->flight.count > 0)
		err = send_flight(cloudwatch, &plain);
	buf_done(&plain);
	if (err)
		fail_for_memory(cloudwatch);
}

static void start_part(struct cloudwatch *cloudwatch)
{
	struct cloudwatch_queue part = cloudwatch->parts[--cloudwatch->part_count];

	start(cloudwatch, CLOUDWATCH_SOURCE_PARTS, &part);
	/* Left only when memory ran out. */
	cloudwatch_queue_prepend(&cloudwatch->backlog, &part);
}

/* ---- what next ------------------------------------------------------------------------------- */

static enum cloudwatch_source choose(struct cloudwatch *cloudwatch, struct mono now)
{
	if (cloudwatch->part_count > 0)
		return CLOUDWATCH_SOURCE_PARTS;
	if (cloudwatch->live.count > 0)
		return CLOUDWATCH_SOURCE_LIVE;
	/* A page on its way will fill the batch. */
	if (cloudwatch->backlog.count == 0 ||
	    (cloudwatch->is_reading && cloudwatch->backlog.count < CLOUDWATCH_DATUMS_MAX))
		return CLOUDWATCH_SOURCE_NONE;
	if (cloudwatch->is_flushing || cloudwatch->backfill_at.us <= now.us)
		return CLOUDWATCH_SOURCE_BACKLOG;
	cloudwatch_set_timer(cloudwatch, &cloudwatch->pump_timer, cloudwatch->backfill_at, on_pump);
	return CLOUDWATCH_SOURCE_NONE;
}

/* What a store in trouble holds cannot be had. */
static bool is_done(const struct cloudwatch *cloudwatch)
{
	uint64_t waiting = cloudwatch->sink.counters.datums_waiting;

	return waiting == 0 || (waiting == cloudwatch->sink.counters.datums_on_disk && !cloudwatch_outbox_works(cloudwatch));
}

void cloudwatch_batch_pump(struct cloudwatch *cloudwatch)
{
	while (!cloudwatch->is_sending && !cloudwatch->is_over) {
		struct mono now = mono_now();

		if (cloudwatch->is_flushing && (is_done(cloudwatch) ||
				cloudwatch->retry_at.us >= cloudwatch->flush_deadline.us)) {
			cloudwatch_end_flush(cloudwatch);
			return;
		}
		cloudwatch_outbox_read_more(cloudwatch);
		if (cloudwatch->retry_at.us > now.us) {
			cloudwatch_set_timer(cloudwatch, &cloudwatch->pump_timer, cloudwatch->retry_at, on_pump);
			return;
		}
		switch (choose(cloudwatch, now)) {
		case CLOUDWATCH_SOURCE_PARTS: start_part(cloudwatch); break;
		case CLOUDWATCH_SOURCE_LIVE: start(cloudwatch, CLOUDWATCH_SOURCE_LIVE, &cloudwatch->live); break;
		case CLOUDWATCH_SOURCE_BACKLOG: start(cloudwatch, CLOUDWATCH_SOURCE_BACKLOG, &cloudwatch->backlog); break;
		case CLOUDWATCH_SOURCE_NONE:
		default: return;
		}
	}
}

static void on_pump(void *user)
{
	cloudwatch_batch_pump(user);
}

void cloudwatch_batch_cancel(struct cloudwatch *cloudwatch)
{
	if (!cloudwatch->is_sending)
		return;
	if (!cloudwatch->is_marking) {
		cloudwatch->carrier.cancel(cloudwatch->carrier.user);
		cloudwatch->sink.counters.in_doubt += cloudwatch_queue_samples(&cloudwatch->flight);
	}
	cloudwatch->is_sending = cloudwatch->is_marking = false;
	cloudwatch_outbox_unmark(cloudwatch);
	buf_done(&cloudwatch->body);
}
