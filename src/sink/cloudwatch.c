/* SPDX-License-Identifier: Apache-2.0 */
/* Where a datum can be:
 *
 *   arrived ──publish moment──▶ live ──┐
 *                                ▼     ├─▶ flight ─▶ delivered
 *                             backlog ─┤     │
 *                                      │     └─ refused for its content ─▶ parts ─▶ flight …
 *                                      └──────── failed: back to where it was ◀─┘
 *
 * cloudwatch_batch_pump starts the next request whenever none is in flight and nothing asks to wait:
 * parts of a refused batch first (they are few, and soon done), then live data, then backlog. Parts
 * are halved depth first; a failure of another kind, or too many bad datums in one batch, puts what
 * is left of them back, so that they never hold up live data for long.
 *
 * With a store the datums stand there too, and the backlog is mostly there only: cloudwatch_outbox.c.
 *
 * A batch of backlog that fails while the endpoint otherwise works goes to the end of the backlog:
 * one that can never be sent must not hold up the others. */
#include "sink_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lattice-probe/cloudwatch_encode.h"
#include "lattice-probe/err.h"
#include "lattice-probe/log.h"
#include "lattice-probe/store.h"

#define QUEUE_MAX_BYTES (64 * 1024 * 1024)
#define REQUEST_TIMEOUT_US (10 * US_PER_S)
/* Before a request goes out it may wait for credentials: each source of the chain has limits of its own,
 * which add up to less. */
#define CREDENTIALS_WAIT_US (120 * US_PER_S)

void cloudwatch_set_timer(struct cloudwatch *cloudwatch, struct loop_timer *timer, struct mono due,
	void (*callback)(void *user))
{
	/* The next datum that is put tries again. */
	if (loop_timer_start(cloudwatch->loop, timer, due, callback, cloudwatch) != 0)
		log_err("event=publish_delayed cause=\"%s\"", err_text(ERR_NOMEM));
}

static void stop_timers(struct cloudwatch *cloudwatch)
{
	loop_timer_stop(cloudwatch->loop, &cloudwatch->publish_timer);
	loop_timer_stop(cloudwatch->loop, &cloudwatch->pump_timer);
	loop_timer_stop(cloudwatch->loop, &cloudwatch->flush_timer);
}

/* ---- dropping -------------------------------------------------------------------------------- */

void cloudwatch_deliver(struct cloudwatch *cloudwatch, struct datum *datum)
{
	cloudwatch_outbox_remove(cloudwatch, datum);
	sink_deliver(&cloudwatch->sink, datum);
}

void cloudwatch_drop(struct cloudwatch *cloudwatch, enum sink_drop cause, struct datum *datum)
{
	cloudwatch_outbox_remove(cloudwatch, datum);
	sink_drop(&cloudwatch->sink, cause, datum);
}

/* To the store, where there is one. */
static void leave_all(struct cloudwatch *cloudwatch, struct cloudwatch_queue *queue)
{
	bool works = cloudwatch_outbox_works(cloudwatch);
	struct datum *datum;

	while ((datum = cloudwatch_queue_pop(queue)))
		if (works && (datum->is_stored || store_put(cloudwatch->store, datum)))
			cloudwatch_outbox_leave(cloudwatch, datum);
		else
			sink_drop(&cloudwatch->sink, SINK_DROP_SHUTDOWN, datum);
}

static void leave_everything(struct cloudwatch *cloudwatch)
{
	double dropped = cloudwatch->sink.counters.dropped[SINK_DROP_SHUTDOWN];

	leave_all(cloudwatch, &cloudwatch->flight);
	while (cloudwatch->part_count > 0)
		leave_all(cloudwatch, &cloudwatch->parts[--cloudwatch->part_count]);
	leave_all(cloudwatch, &cloudwatch->backlog);
	leave_all(cloudwatch, &cloudwatch->live);
	leave_all(cloudwatch, &cloudwatch->arrived);
	assert(cloudwatch->sink.counters.bytes_waiting == 0);
	cloudwatch_report_dropped(&cloudwatch->report, SINK_DROP_SHUTDOWN,
		cloudwatch->sink.counters.dropped[SINK_DROP_SHUTDOWN] - dropped);
}

bool cloudwatch_is_full(const struct cloudwatch *cloudwatch)
{
	return cloudwatch->sink.counters.datums_waiting - cloudwatch->sink.counters.datums_on_disk > cloudwatch->queue_max_datums ||
	       cloudwatch->sink.counters.bytes_waiting > cloudwatch->queue_max_bytes;
}

/* Makes room by dropping the oldest. What is in flight, or in parts, is spared; false:
 * there is nothing else. */
static bool drop_oldest(struct cloudwatch *cloudwatch)
{
	struct cloudwatch_queue *queues[] = { &cloudwatch->backlog, &cloudwatch->live, &cloudwatch->arrived };

	cloudwatch_report_full(&cloudwatch->report, cloudwatch->sink.counters.datums_waiting);
	for (size_t i = 0; i < sizeof queues / sizeof *queues; i++) {
		struct datum *datum = cloudwatch_queue_pop(queues[i]);

		if (!datum)
			continue;
		cloudwatch_drop(cloudwatch, SINK_DROP_QUEUE_FULL, datum);
		return true;
	}
	return false;
}

/* While the oldest are on disk they are fetched first, so it may be larger for a moment. */
void cloudwatch_drop_beyond_outbox(struct cloudwatch *cloudwatch)
{
	while (cloudwatch->store && store_outbox_is_full(cloudwatch->store)) {
		if (cloudwatch->backlog.count == 0 && cloudwatch->sink.counters.datums_on_disk > 0) {
			cloudwatch_outbox_read_more(cloudwatch);
			return;
		}
		if (!drop_oldest(cloudwatch))
			return;
	}
}

/* ---- taking in ------------------------------------------------------------------------------- */

static void on_publish(void *user)
{
	struct cloudwatch *cloudwatch = user;

	cloudwatch_outbox_overtaken(cloudwatch, &cloudwatch->live);
	cloudwatch_queue_append(&cloudwatch->live, &cloudwatch->arrived);
	cloudwatch->generation++;
	cloudwatch_batch_pump(cloudwatch);
}

static void put(struct sink *sink, struct datum *datum)
{
	struct cloudwatch *cloudwatch = (struct cloudwatch *)sink;

	if (cloudwatch->is_over) {
		sink_drop(sink, SINK_DROP_SHUTDOWN, datum);
		return;
	}
	if (cloudwatch_is_full(cloudwatch))
		cloudwatch_outbox_make_room(cloudwatch);
	while (cloudwatch_is_full(cloudwatch))
		if (!drop_oldest(cloudwatch)) {
			sink_drop(sink, SINK_DROP_QUEUE_FULL, datum);
			return;
		}
	cloudwatch_outbox_put(cloudwatch, datum);
	cloudwatch_queue_push(&cloudwatch->arrived, datum);
	cloudwatch_drop_beyond_outbox(cloudwatch);
	if (!loop_timer_is_running(&cloudwatch->publish_timer))
		cloudwatch_set_timer(cloudwatch, &cloudwatch->publish_timer,
			mono_add(mono_now(), cloudwatch->is_flushing ? 0 : cloudwatch->spread_us), on_publish);
}

/* ---- flush and free -------------------------------------------------------------------------- */

void cloudwatch_end_flush(struct cloudwatch *cloudwatch)
{
	cloudwatch->is_over = true;
	stop_timers(cloudwatch);
	leave_everything(cloudwatch);
	cloudwatch->flushed(cloudwatch->flush_user);
}

static void on_flush_deadline(void *user)
{
	struct cloudwatch *cloudwatch = user;

	cloudwatch_batch_cancel(cloudwatch);
	cloudwatch_end_flush(cloudwatch);
}

static void flush(struct sink *sink, struct mono deadline, void (*flushed)(void *user), void *user)
{
	struct cloudwatch *cloudwatch = (struct cloudwatch *)sink;

	assert(!cloudwatch->is_flushing);
	cloudwatch->is_flushing = true;
	cloudwatch->flush_deadline = deadline;
	cloudwatch->flushed = flushed;
	cloudwatch->flush_user = user;
	cloudwatch->retry_at = (struct mono){ 0 };
	cloudwatch_set_timer(cloudwatch, &cloudwatch->flush_timer, deadline, on_flush_deadline);
	cloudwatch_set_timer(cloudwatch, &cloudwatch->publish_timer, mono_now(), on_publish);
}

static void set_backfill_interval(struct sink *sink, int64_t interval_us)
{
	struct cloudwatch *cloudwatch = (struct cloudwatch *)sink;

	cloudwatch->backfill_interval_us = cloudwatch->backfill_pace_us = interval_us;
}

/* A flush ends at its deadline whatever happens. */
static bool is_stuck(const struct sink *sink, struct mono now)
{
	const struct cloudwatch *cloudwatch = (const struct cloudwatch *)sink;

	if (cloudwatch->is_flushing)
		return false;
	if (cloudwatch->is_sending)
		return mono_since(now, cloudwatch->sending_since) > cloudwatch->send_limit_us;
	/* What stands on disk only waits for the store, which watches its own disk. */
	return sink->counters.datums_waiting > sink->counters.datums_on_disk && !cloudwatch->is_reading &&
	       !loop_timer_is_running(&cloudwatch->publish_timer) && !loop_timer_is_running(&cloudwatch->pump_timer);
}

static void cloudwatch_free(struct sink *sink)
{
	struct cloudwatch *cloudwatch = (struct cloudwatch *)sink;

	cloudwatch_batch_cancel(cloudwatch);
	stop_timers(cloudwatch);
	leave_everything(cloudwatch);
	cloudwatch_outbox_stop(cloudwatch);
	cloudwatch->carrier.free(cloudwatch->carrier.user);
	buf_done(&cloudwatch->body);
	free(cloudwatch->namespace_);
	free(cloudwatch);
}

/* ---- making one ------------------------------------------------------------------------------ */

static int64_t or_default(int64_t value, int64_t default_)
{
	return value ? value : default_;
}

struct sink *sink_cloudwatch_new_over(struct loop *loop, const struct sink_carrier *carrier,
	const struct sink_cloudwatch_options *options)
{
	static const struct sink_kind kind = { .put = put, .flush = flush,
		.set_backfill_interval = set_backfill_interval, .is_stuck = is_stuck, .free = cloudwatch_free };
	struct cloudwatch *cloudwatch = calloc(1, sizeof *cloudwatch);

	if (!cloudwatch) {
		carrier->free(carrier->user);
		return NULL;
	}
	cloudwatch->sink = (struct sink){ .kind = &kind, .dropped = options->dropped, .user = options->user };
	cloudwatch->loop = loop;
	cloudwatch->carrier = *carrier;
	cloudwatch->queue_max_datums = options->queue_max_datums;
	cloudwatch->queue_max_bytes = options->queue_max_bytes ? options->queue_max_bytes : QUEUE_MAX_BYTES;
	cloudwatch->spread_us = options->spread_us;
	cloudwatch->random = options->random_seed;
	cloudwatch->backfill_interval_us = or_default(options->backfill_interval_us, 10 * US_PER_S);
	cloudwatch->backfill_pace_us = cloudwatch->backfill_interval_us;
	cloudwatch->send_limit_us = or_default(options->request_timeout_us, REQUEST_TIMEOUT_US) + CREDENTIALS_WAIT_US;
	cloudwatch->pace = (struct cloudwatch_pace){
		.retry_base_us = or_default(options->retry_base_us, 200 * US_PER_MS),
		.throttle_base_us = or_default(options->throttle_base_us, US_PER_S),
		.retry_max_us = or_default(options->retry_max_us, 60 * US_PER_S) };
	buf_init(&cloudwatch->body, CLOUDWATCH_BODY_MAX);
	cloudwatch->namespace_ = strdup(options->namespace_);
	if (!cloudwatch->namespace_)
		goto fail;
	cloudwatch_outbox_start(cloudwatch, options->store);
	return &cloudwatch->sink;
fail:
	cloudwatch_free(&cloudwatch->sink);
	return NULL;
}

struct sink *sink_cloudwatch_new(struct loop *loop, struct aws_transport *transport,
	struct credentials *credentials, const struct sink_cloudwatch_options *options)
{
	struct sink_carrier carrier;

	if (cloudwatch_carrier_new(transport, credentials, options, &carrier) != 0)
		return NULL;
	return sink_cloudwatch_new_over(loop, &carrier, options);
}
