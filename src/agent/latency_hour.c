/* SPDX-License-Identifier: Apache-2.0 */
/* A code is a small floating-point number: values below 2048 stand for themselves; above, the upper five
 * bits hold the power of two and the lower eleven what follows the leading one. Codes are in the order of
 * their values, so percentiles are found among the codes. A histogram would cost more: most probes have
 * fewer runs in an hour than a histogram of this precision has places. */
#include "lattice-probe/latency_hour.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lattice-probe/err.h"

#define SLICE_US (300 * US_PER_S)
#define HOUR_US (LATENCY_HOUR_SLICES * SLICE_US)
#define FRACTION_BITS 11
#define FRACTION_MASK ((1 << FRACTION_BITS) - 1)
#define TIME_MAX_US ((INT64_C(1) << 41) - 1) /* far beyond the longest timeout; below the codes that follow */
#define CODE_UNTIMED UINT16_C(0xfffe)
#define CODE_FAILED UINT16_C(0xffff)
#define CAPACITY_FIRST 16

/* ---- codes -------------------------------------------------------------------------------- */

static uint16_t encode(int64_t us)
{
	int power = 0;

	if (us < 0)
		us = 0;
	if (us > TIME_MAX_US)
		us = TIME_MAX_US;
	while (us >> power > 2 * FRACTION_MASK + 1)
		power++;
	if (us <= FRACTION_MASK)
		return (uint16_t)us;
	return (uint16_t)(((power + 1) << FRACTION_BITS) | ((us >> power) & FRACTION_MASK));
}

/* The middle of the values that share the code. */
static int64_t decode(uint16_t code)
{
	int power = (code >> FRACTION_BITS) - 1;

	if (power < 0)
		return code;
	return ((int64_t)((1 << FRACTION_BITS) | (code & FRACTION_MASK)) << power) + ((INT64_C(1) << power) / 2);
}

/* ---- the ring ----------------------------------------------------------------------------- */

void latency_hour_init(struct latency_hour *hour, int64_t interval_us)
{
	int64_t runs = HOUR_US / interval_us + 1;

	memset(hour, 0, sizeof *hour);
	hour->capacity_max = (uint16_t)(runs < LATENCY_HOUR_RUNS_MAX ? runs : LATENCY_HOUR_RUNS_MAX);
}

void latency_hour_done(struct latency_hour *hour)
{
	free(hour->codes);
	hour->codes = NULL;
	hour->first = hour->count = hour->capacity = 0;
	memset(hour->slice_counts, 0, sizeof hour->slice_counts);
}

static uint16_t code_at(const struct latency_hour *hour, size_t index)
{
	return hour->codes[(hour->first + index) % hour->capacity];
}

static int grow(struct latency_hour *hour)
{
	size_t capacity = hour->capacity ? 2 * (size_t)hour->capacity : CAPACITY_FIRST;
	uint16_t *codes;

	if (capacity > hour->capacity_max)
		capacity = hour->capacity_max;
	codes = malloc(capacity * sizeof *codes);
	if (!codes)
		return ERR_NOMEM;
	for (size_t i = 0; i < hour->count; i++)
		codes[i] = code_at(hour, i);
	free(hour->codes);
	hour->codes = codes;
	hour->capacity = (uint16_t)capacity;
	hour->first = 0;
	return 0;
}

static void drop_oldest(struct latency_hour *hour, uint16_t count)
{
	assert(count <= hour->count);
	if (count == 0)
		return;
	hour->first = (uint16_t)((hour->first + count) % hour->capacity);
	hour->count = (uint16_t)(hour->count - count);
}

/* The slices between the last run's and now's begin empty; the ones that stood in their places go. */
static void advance(struct latency_hour *hour, struct mono now)
{
	int64_t slice = now.us / SLICE_US;
	int64_t from = slice - hour->slice > LATENCY_HOUR_SLICES ? slice - LATENCY_HOUR_SLICES : hour->slice;

	for (int64_t i = from + 1; i <= slice; i++) {
		uint16_t *slice_count = &hour->slice_counts[i % LATENCY_HOUR_SLICES];

		drop_oldest(hour, *slice_count);
		*slice_count = 0;
	}
	if (slice > hour->slice)
		hour->slice = slice;
}

/* Full, and it may not grow: the oldest run goes, out of the oldest slice that has any. */
static void make_room(struct latency_hour *hour)
{
	for (int64_t i = hour->slice + 1; i <= hour->slice + LATENCY_HOUR_SLICES; i++) {
		uint16_t *slice_count = &hour->slice_counts[i % LATENCY_HOUR_SLICES];

		if (*slice_count == 0)
			continue;
		(*slice_count)--;
		drop_oldest(hour, 1);
		return;
	}
}

int latency_hour_add(struct latency_hour *hour, struct mono now, enum latency_hour_run run, int64_t total_us)
{
	advance(hour, now);
	if (hour->count == hour->capacity_max)
		make_room(hour);
	if (hour->count == hour->capacity && grow(hour) != 0)
		return ERR_NOMEM;
	hour->codes[(hour->first + hour->count) % hour->capacity] =
		run == LATENCY_HOUR_TIMED ? encode(total_us) :
		run == LATENCY_HOUR_UNTIMED ? CODE_UNTIMED : CODE_FAILED;
	hour->count++;
	hour->slice_counts[hour->slice % LATENCY_HOUR_SLICES]++;
	return 0;
}

/* ---- percentiles -------------------------------------------------------------------------- */

static int by_code(const void *a, const void *b)
{
	return *(const uint16_t *)a - *(const uint16_t *)b;
}

/* The smallest value that `percent` of all are not above. */
static int64_t percentile(const uint16_t *sorted, size_t count, size_t percent)
{
	size_t rank = (count * percent + 99) / 100;

	return count > 0 ? decode(sorted[rank - 1]) : -1;
}

void latency_hour_read(struct latency_hour *hour, struct mono now, struct latency_hour_summary *ret_summary)
{
	struct latency_hour_summary summary = { 0 };
	uint16_t timed[LATENCY_HOUR_RUNS_MAX];
	size_t count = 0;

	advance(hour, now);
	for (size_t i = 0; i < hour->count; i++) {
		uint16_t code = code_at(hour, i);

		if (code < CODE_UNTIMED)
			timed[count++] = code;
		summary.failed += code == CODE_FAILED;
	}
	qsort(timed, count, sizeof *timed, by_code);
	summary.runs = hour->count;
	summary.p50_us = percentile(timed, count, 50);
	summary.p99_us = percentile(timed, count, 99);
	*ret_summary = summary;
}
