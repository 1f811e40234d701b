/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregate_internal.h"

#include <assert.h>
#include <stdlib.h>

#include "lattice-probe/err.h"

#define CERTIFICATE_DAYS_SHOWN 30 /* from here on the days are published unasked */

struct window *window_new(struct aggregate_series *series, int64_t start_us)
{
	struct window *window = calloc(1, sizeof *window);

	if (!window)
		return NULL;
	window->series = series;
	window->start_us = start_us;
	return window;
}

void window_free(struct window *window)
{
	if (!window)
		return;
	for (size_t id = 0; id < WINDOW_METRICS; id++)
		tally_done(&window->tallies[id]);
	free(window);
}

/* ---- results come in ------------------------------------------------------------------------- */

/* Adding goes on after a loss, so that what can be kept is kept. */
struct adding {
	struct window *window;
	unsigned metrics;
	uint64_t lost;
	int err;
};

static void add_value(struct adding *adding, enum metric_id id, int64_t value)
{
	int err;

	if (!(adding->metrics & (1u << id)))
		return;
	err = tally_add(&adding->window->tallies[id], value);
	if (!err)
		return;
	adding->lost++;
	adding->err = err;
}

/* A time that was not measured is negative (PHASE_NONE). */
static void add_time(struct adding *adding, enum metric_id id, int64_t us)
{
	if (us >= 0)
		add_value(adding, id, us);
}

static void add_times(struct adding *adding, const struct result *result)
{
	if (result->marks & RESULT_MARK_LAGGED)
		return;
	add_time(adding, result->outcome == OUTCOME_OK ? METRIC_ID_LATENCY : METRIC_ID_FAILED_LATENCY,
		result->total_us);
	if (result_has_dns_latency(result))
		add_time(adding, METRIC_ID_DNS_LATENCY, result->phase_us[PHASE_DNS]);
	add_time(adding, METRIC_ID_CONNECT_LATENCY, result->phase_us[PHASE_CONNECT]);
	add_time(adding, METRIC_ID_TLS_LATENCY, result->phase_us[PHASE_TLS]);
	add_time(adding, METRIC_ID_FIRST_BYTE_LATENCY, result->phase_us[PHASE_FIRST_BYTE]);
	add_time(adding, METRIC_ID_TRANSFER_LATENCY, result->phase_us[PHASE_TRANSFER]);
}

/* A question that was shared or reused was sent, and counted, by another run. */
static void add_retransmits(struct adding *adding, const struct result *result)
{
	if (result->tcp_retransmits >= 0)
		add_value(adding, METRIC_ID_TCP_RETRANSMITS, result->tcp_retransmits);
	if (result->dns_retransmits >= 0 && !(result->marks & (RESULT_MARK_DNS_SHARED | RESULT_MARK_DNS_REUSED)))
		add_value(adding, METRIC_ID_DNS_RETRANSMITS, result->dns_retransmits);
}

static void add_certificate(struct adding *adding, const struct result *result)
{
	bool is_refused = result->outcome == OUTCOME_TLS_UNTRUSTED || result->outcome == OUTCOME_TLS_EXPIRED ||
			  result->outcome == OUTCOME_TLS_NAME;

	if (result->certificate_days == CERTIFICATE_DAYS_NONE)
		return;
	if (is_refused || result->certificate_days <= CERTIFICATE_DAYS_SHOWN)
		adding->metrics |= METRIC_CERTIFICATE_DAYS;
	add_value(adding, METRIC_ID_CERTIFICATE_DAYS, result->certificate_days);
}

static void count_failure(struct window *window, enum outcome outcome)
{
	switch (outcome_phase(outcome)) {
	case OUTCOME_PHASE_DNS: window->failures[0]++; break;
	case OUTCOME_PHASE_CONNECT: window->failures[1]++; break;
	case OUTCOME_PHASE_TLS: window->failures[2]++; break;
	case OUTCOME_PHASE_HEALTH: window->failures[3]++; break;
	case OUTCOME_PHASE_NONE: break;
	case OUTCOME_PHASE_LOCAL:
	default: assert(!"a local outcome is never judged");
	}
}

int window_add(struct window *window, const struct result *result, unsigned metrics, bool is_tls,
	uint64_t *ret_lost)
{
	struct adding adding = { .window = window, .metrics = metrics };

	assert(outcome_is_judged(result->outcome));
	window->judged++;
	count_failure(window, result->outcome);
	add_value(&adding, METRIC_ID_SUCCESS, result->outcome == OUTCOME_OK);
	add_times(&adding, result);
	add_retransmits(&adding, result);
	if (is_tls)
		add_certificate(&adding, result);
	*ret_lost = adding.lost;
	return adding.err;
}

/* ---- datums go out --------------------------------------------------------------------------- */

/* What is kept in microseconds is sent in milliseconds. */
static double to_unit(int64_t value, enum datum_unit unit)
{
	return unit == DATUM_UNIT_MILLISECONDS ? (double)value / (double)US_PER_MS : (double)value;
}

static void emit_entries(struct window_emitter *emitter, enum metric_id id, struct dimension_set *set,
	const struct tally_entry *entries, size_t count)
{
	const struct metric *metric = metric_get(id);
	struct datum *datum = datum_new(metric->name, metric->unit, set, emitter->timestamp,
		emitter->storage_resolution_s, count);

	for (size_t i = 0; i < count; i++) {
		if (!datum) {
			emitter->lost += entries[i].count;
			continue;
		}
		datum->values[i] = to_unit(entries[i].value, metric->unit);
		datum->counts[i] = (double)entries[i].count;
	}
	if (datum)
		emitter->emit(emitter->user, datum);
}

void window_emit_value(struct window_emitter *emitter, enum metric_id id, struct dimension_set *set,
	int64_t value)
{
	const struct tally_entry entry = { value, 1 };

	emit_entries(emitter, id, set, &entry, 1);
}

static void emit_tally(struct window_emitter *emitter, enum metric_id id, struct dimension_set *set,
	const struct tally *tally)
{
	for (size_t done = 0; done < tally->count; done += DATUM_VALUES_MAX) {
		size_t left = tally->count - done;

		emit_entries(emitter, id, set, tally->entries + done,
			left < DATUM_VALUES_MAX ? left : DATUM_VALUES_MAX);
	}
}

static void emit_set(const struct window *window, struct dimension_set *set, bool with_zero_failures,
	struct window_emitter *emitter)
{
	for (unsigned id = 0; id < WINDOW_METRICS; id++) {
		const struct tally *tally = &window->tallies[id];

		if (tally->count > 0 && metric_get(id)->unit == DATUM_UNIT_COUNT)
			window_emit_value(emitter, id, set, tally_sum(tally));
		else
			emit_tally(emitter, id, set, tally);
	}
	for (unsigned i = 0; i < WINDOW_FAILURES; i++)
		if (window->failures[i] > 0 || (with_zero_failures && window->judged > 0))
			window_emit_value(emitter, METRIC_ID_DNS_FAILURES + i, set, (int64_t)window->failures[i]);
}

void window_emit(struct window *window, struct dimension_set *const *sets, size_t set_count,
	bool with_zero_failures, struct window_emitter *emitter)
{
	for (size_t id = 0; id < WINDOW_METRICS; id++)
		tally_settle(&window->tallies[id]);
	for (size_t i = 0; i < set_count; i++)
		emit_set(window, sets[i], with_zero_failures, emitter);
}
