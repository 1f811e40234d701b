/* SPDX-License-Identifier: Apache-2.0 */
#include "lattice-probe/sink.h"

#include "sink_internal.h"

const char *sink_drop_name(enum sink_drop cause)
{
	switch (cause) {
	case SINK_DROP_QUEUE_FULL: return "queue_full";
	case SINK_DROP_INVALID: return "invalid";
	case SINK_DROP_TOO_OLD: return "too_old";
	case SINK_DROP_SHUTDOWN: return "shutdown";
	case SINK_DROP_WRITE: return "write";
	case SINK_DROP_STORE: return "store";
	case SINK_DROP_COUNT:
	default: return "?";
	}
}

void sink_free(struct sink *sink)
{
	if (sink)
		sink->kind->free(sink);
}

void sink_put(struct sink *sink, struct datum *datum)
{
	double samples = datum_sample_count(datum);

	datum->next = NULL;
	sink->counters.taken += samples;
	sink->counters.waiting += samples;
	sink->counters.datums_waiting++;
	sink->counters.bytes_waiting += datum_bytes(datum);
	sink->kind->put(sink, datum);
}

void sink_flush(struct sink *sink, struct mono deadline, void (*flushed)(void *user), void *user)
{
	sink->kind->flush(sink, deadline, flushed, user);
}

void sink_set_backfill_interval(struct sink *sink, int64_t interval_us)
{
	if (sink->kind->set_backfill_interval)
		sink->kind->set_backfill_interval(sink, interval_us);
}

bool sink_is_stuck(const struct sink *sink, struct mono now)
{
	return sink->kind->is_stuck(sink, now);
}

void sink_read_counters(const struct sink *sink, struct sink_counters *ret_counters)
{
	*ret_counters = sink->counters;
}

/* Takes the datum out of what waits; its samples. */
static double leave(struct sink *sink, const struct datum *datum)
{
	double samples = datum_sample_count(datum);

	sink->counters.waiting -= samples;
	sink->counters.datums_waiting--;
	sink->counters.bytes_waiting -= datum_bytes(datum);
	return samples;
}

void sink_deliver(struct sink *sink, struct datum *datum)
{
	double samples = leave(sink, datum);

	sink->counters.delivered += samples;
	sink->counters.datums_delivered++;
	datum_free(datum);
}

void sink_lose(struct sink *sink, enum sink_drop cause, uint64_t datums, double samples)
{
	sink->counters.waiting -= samples;
	sink->counters.datums_waiting -= datums;
	sink->counters.dropped[cause] += samples;
	if (sink->dropped)
		sink->dropped(sink->user, cause, samples);
}

/* SHUTDOWN is not told: nobody is left who could publish it. */
void sink_drop(struct sink *sink, enum sink_drop cause, struct datum *datum)
{
	double samples = leave(sink, datum);

	sink->counters.dropped[cause] += samples;
	datum_free(datum);
	if (sink->dropped && cause != SINK_DROP_SHUTDOWN)
		sink->dropped(sink->user, cause, samples);
}
