/* SPDX-License-Identifier: Apache-2.0 */
/* The outbox: what waits stands in the store as well, so that a kill loses nothing, and once much waits it
 * stands there only.
 *
 * `spilled` is the range of ids that memory does not hold: all that an earlier process left, and, while
 * CloudWatch is away, what new data has overtaken. It is read back page by page behind the backlog in memory.
 * Rules that keep a datum from being in both places:
 *   - the backlog in memory is older than the range: once there is one, what is overtaken joins it;
 *   - a batch that comes back and lies inside the range joins it too;
 *   - a page is asked for only while nothing is in flight, and up to the end of the range at that moment;
 *     when older ones have joined the range by the time it comes, it is let go and asked for anew.
 * When the store was in trouble it may hold what was delivered meanwhile: all but the range is removed from
 * it, and what is in memory stays there only. */
#include "sink_internal.h"

#include "lattice-probe/cloudwatch_encode.h"
#include "lattice-probe/store.h"

/* The batch that is next, and one more. */
#define BACKLOG_IN_MEMORY (2 * CLOUDWATCH_DATUMS_MAX)

static bool works(const struct cloudwatch *cloudwatch)
{
	return cloudwatch->store && store_takes(cloudwatch->store);
}

bool cloudwatch_outbox_works(const struct cloudwatch *cloudwatch)
{
	return works(cloudwatch);
}

void cloudwatch_outbox_put(struct cloudwatch *cloudwatch, struct datum *datum)
{
	datum->id = ++cloudwatch->last_id;
	datum->is_stored = works(cloudwatch) && store_put(cloudwatch->store, datum);
}

void cloudwatch_outbox_remove(struct cloudwatch *cloudwatch, const struct datum *datum)
{
	if (datum->is_stored && works(cloudwatch))
		store_remove(cloudwatch->store, datum);
}

/* ---- out of memory --------------------------------------------------------------------------- */

void cloudwatch_outbox_leave(struct cloudwatch *cloudwatch, struct datum *datum)
{
	cloudwatch->sink.counters.bytes_waiting -= datum_bytes(datum);
	datum_free(datum);
}

static void spill(struct cloudwatch *cloudwatch, struct datum *datum)
{
	struct cloudwatch_spilled *spilled = &cloudwatch->spilled;
	bool is_empty = cloudwatch->sink.counters.datums_on_disk == 0;

	if (is_empty || datum->id < spilled->first_id)
		spilled->first_id = datum->id;
	if (is_empty || datum->id > spilled->last_id)
		spilled->last_id = datum->id;
	cloudwatch->sink.counters.datums_on_disk++;
	spilled->samples += datum_sample_count(datum);
	cloudwatch_outbox_leave(cloudwatch, datum);
}

static bool belongs_to_range(const struct cloudwatch *cloudwatch, const struct datum *datum)
{
	return works(cloudwatch) && datum->is_stored && cloudwatch->sink.counters.datums_on_disk > 0 &&
	       datum->id > cloudwatch->spilled.first_id;
}

void cloudwatch_outbox_spill_range(struct cloudwatch *cloudwatch, struct cloudwatch_queue *queue)
{
	struct cloudwatch_queue rest = { 0 };
	struct datum *datum;

	while ((datum = cloudwatch_queue_pop(queue)))
		if (belongs_to_range(cloudwatch, datum))
			spill(cloudwatch, datum);
		else
			cloudwatch_queue_push(&rest, datum);
	*queue = rest;
}

static void spill_stored(struct cloudwatch *cloudwatch, struct cloudwatch_queue *queue)
{
	struct cloudwatch_queue rest = { 0 };
	struct datum *datum;

	while ((datum = cloudwatch_queue_pop(queue)))
		if (datum->is_stored)
			spill(cloudwatch, datum);
		else
			cloudwatch_queue_push(&rest, datum);
	*queue = rest;
}

void cloudwatch_outbox_overtaken(struct cloudwatch *cloudwatch, struct cloudwatch_queue *live)
{
	if (works(cloudwatch) && (cloudwatch->sink.counters.datums_on_disk > 0 || cloudwatch->backlog.count >= BACKLOG_IN_MEMORY))
		spill_stored(cloudwatch, live);
	cloudwatch_queue_append(&cloudwatch->backlog, live);
}

void cloudwatch_outbox_make_room(struct cloudwatch *cloudwatch)
{
	struct cloudwatch_queue *queues[] = { &cloudwatch->backlog, &cloudwatch->live, &cloudwatch->arrived };

	for (size_t i = 0; i < sizeof queues / sizeof *queues && works(cloudwatch); i++)
		if (cloudwatch_is_full(cloudwatch))
			spill_stored(cloudwatch, queues[i]);
}

/* ---- back into memory ------------------------------------------------------------------------ */

/* More than was counted can only come from a file that was changed by others; it is taken all the same. */
static void unspill(struct cloudwatch *cloudwatch, struct datum *datum)
{
	struct sink_counters *counters = &cloudwatch->sink.counters;
	double samples = datum_sample_count(datum);

	counters->bytes_waiting += datum_bytes(datum);
	datum->next = NULL;
	cloudwatch_queue_push(&cloudwatch->backlog, datum);
	if (cloudwatch->sink.counters.datums_on_disk > 0) {
		cloudwatch->sink.counters.datums_on_disk--;
		cloudwatch->spilled.samples -= samples;
		return;
	}
	counters->taken += samples;
	counters->waiting += samples;
	counters->datums_waiting++;
}

static void lose(struct cloudwatch *cloudwatch, enum sink_drop cause, uint64_t datums, double samples)
{
	uint64_t on_disk = cloudwatch->sink.counters.datums_on_disk;

	datums = datums < on_disk ? datums : on_disk;
	cloudwatch->sink.counters.datums_on_disk -= datums;
	cloudwatch->spilled.samples -= samples;
	cloudwatch_report_dropped(&cloudwatch->report, cause, samples);
	sink_lose(&cloudwatch->sink, cause, datums, samples);
}

/* The range begins behind what was read; what was spilled after the page had been asked for is left. */
static void advance(struct cloudwatch *cloudwatch, const struct store_page *page)
{
	struct cloudwatch_spilled *spilled = &cloudwatch->spilled;
	uint64_t on_disk = cloudwatch->sink.counters.datums_on_disk;

	if (!page->is_end) {
		spilled->first_id = page->last_id + 1;
		return;
	}
	spilled->first_id = cloudwatch->reading_to + 1;
	if (spilled->last_id <= cloudwatch->reading_to && (on_disk > 0 || spilled->samples > 0))
		lose(cloudwatch, SINK_DROP_STORE, on_disk, spilled->samples);
}

/* A page is stale when older ones have joined the range since: they come first. */
static void on_page(void *user, const struct store_page *page)
{
	struct cloudwatch *cloudwatch = user;
	bool is_stale;

	cloudwatch->is_reading = false;
	if (!page) { /* trouble; asked for again once it is over */
		cloudwatch_batch_pump(cloudwatch);
		return;
	}
	is_stale = cloudwatch->spilled.first_id < cloudwatch->reading_from;
	for (struct datum *datum = page->first; datum;) {
		struct datum *next = datum->next;

		if (is_stale)
			datum_free(datum);
		else
			unspill(cloudwatch, datum);
		datum = next;
	}
	if (page->unreadable > 0)
		lose(cloudwatch, SINK_DROP_INVALID, page->unreadable, page->unreadable_samples);
	if (!is_stale)
		advance(cloudwatch, page);
	cloudwatch_drop_beyond_outbox(cloudwatch);
	cloudwatch_batch_pump(cloudwatch);
}

void cloudwatch_outbox_read_more(struct cloudwatch *cloudwatch)
{
	struct cloudwatch_spilled *spilled = &cloudwatch->spilled;

	if (cloudwatch->sink.counters.datums_on_disk == 0 || cloudwatch->is_reading || cloudwatch->is_sending || cloudwatch->part_count > 0 ||
	    cloudwatch->backlog.count >= CLOUDWATCH_DATUMS_MAX || !works(cloudwatch))
		return;
	cloudwatch->reading_from = spilled->first_id;
	cloudwatch->reading_to = spilled->last_id;
	cloudwatch->is_reading = store_read(cloudwatch->store, spilled->first_id, spilled->last_id, on_page, cloudwatch);
}

/* ---- the store works (again) ----------------------------------------------------------------- */

static void forget_stored(struct cloudwatch_queue *queue)
{
	for (struct datum *datum = queue->first; datum; datum = datum->next)
		datum->is_stored = false;
}

static void forget_all_stored(struct cloudwatch *cloudwatch)
{
	forget_stored(&cloudwatch->arrived);
	forget_stored(&cloudwatch->live);
	forget_stored(&cloudwatch->backlog);
	forget_stored(&cloudwatch->flight);
	for (size_t i = 0; i < cloudwatch->part_count; i++)
		forget_stored(&cloudwatch->parts[i]);
}

/* What is there beyond the range's own came back from memory, and may have been delivered from there. */
static void take_surplus(struct cloudwatch *cloudwatch, uint64_t datums, double samples)
{
	struct sink_counters *counters = &cloudwatch->sink.counters;

	counters->datums_on_disk += datums;
	cloudwatch->spilled.samples += samples;
	counters->taken += samples;
	counters->waiting += samples;
	counters->in_doubt += samples;
	counters->datums_waiting += datums;
}

static void on_kept(void *user, bool is_kept, uint64_t datums, double samples)
{
	struct cloudwatch *cloudwatch = user;
	uint64_t expected_datums = cloudwatch->kept_datums;
	double expected_samples = cloudwatch->kept_samples;

	cloudwatch->is_reading = false;
	if (is_kept && datums < expected_datums)
		lose(cloudwatch, SINK_DROP_STORE, expected_datums - datums, expected_samples - samples);
	else if (is_kept && datums > expected_datums)
		take_surplus(cloudwatch, datums - expected_datums, samples - expected_samples);
	cloudwatch_batch_pump(cloudwatch);
}

static void take_over(struct cloudwatch *cloudwatch, const struct store_ready *ready)
{
	struct sink_counters *counters = &cloudwatch->sink.counters;
	struct cloudwatch_spilled *spilled = &cloudwatch->spilled;

	if (counters->datums_on_disk == 0)
		spilled->last_id = ready->last_id;
	spilled->first_id = ready->first_id;
	counters->datums_on_disk += ready->outbox_datums;
	spilled->samples += ready->outbox_samples;
	counters->taken += ready->outbox_samples;
	counters->waiting += ready->outbox_samples;
	counters->restored += ready->outbox_samples;
	counters->in_doubt += ready->in_doubt_samples;
	counters->datums_waiting += ready->outbox_datums;
}

static void on_ready(void *user, const struct store_ready *ready)
{
	struct cloudwatch *cloudwatch = user;
	const struct cloudwatch_spilled *spilled = &cloudwatch->spilled;

	if (ready->is_after_trouble)
		forget_all_stored(cloudwatch);
	if (ready->is_first && ready->outbox_datums > 0)
		take_over(cloudwatch, ready);
	if (!ready->is_first) {
		bool is_any = cloudwatch->sink.counters.datums_on_disk > 0;

		cloudwatch->kept_datums = cloudwatch->sink.counters.datums_on_disk;
		cloudwatch->kept_samples = spilled->samples;
		cloudwatch->is_reading = store_keep(cloudwatch->store, is_any ? spilled->first_id : 1,
			is_any ? spilled->last_id : 0, on_kept, cloudwatch);
	}
	cloudwatch_batch_pump(cloudwatch);
}

void cloudwatch_outbox_start(struct cloudwatch *cloudwatch, struct store *store)
{
	cloudwatch->store = store;
	if (store)
		store_listen(store, on_ready, cloudwatch);
}

void cloudwatch_outbox_stop(struct cloudwatch *cloudwatch)
{
	if (cloudwatch->store)
		store_cancel(cloudwatch->store, cloudwatch);
	cloudwatch->store = NULL;
}

/* ---- a batch --------------------------------------------------------------------------------- */

static void mark_flight(struct cloudwatch *cloudwatch, bool is_in_flight)
{
	for (const struct datum *datum = cloudwatch->flight.first; datum; datum = datum->next)
		if (datum->is_stored)
			store_mark(cloudwatch->store, datum, is_in_flight);
}

bool cloudwatch_outbox_mark(struct cloudwatch *cloudwatch, void (*marked)(void *user, bool is_written))
{
	if (!works(cloudwatch))
		return false;
	mark_flight(cloudwatch, true);
	return store_sync(cloudwatch->store, marked, cloudwatch);
}

void cloudwatch_outbox_unmark(struct cloudwatch *cloudwatch)
{
	if (works(cloudwatch))
		mark_flight(cloudwatch, false);
}

static void on_removed(void *user, bool is_written)
{
	(void)user;
	(void)is_written;
}

void cloudwatch_outbox_hurry(struct cloudwatch *cloudwatch)
{
	if (works(cloudwatch))
		(void)store_sync(cloudwatch->store, on_removed, cloudwatch);
}
