/* SPDX-License-Identifier: Apache-2.0 */
/* A sample is appended; only when the array is full are equal values merged, and the array grows
 * when that frees less than half of it. Adding is therefore O(log n) on average, and a metric with
 * two values (Success) stays at the smallest size however many samples it gets. */
#include "aggregate_internal.h"

#include <assert.h>
#include <stdlib.h>

#include "lattice-probe/err.h"

#define CAPACITY_MIN 8
#define CAPACITY_MAX (2 * (size_t)AGGREGATE_VALUES_MAX)

static int by_value(const void *a, const void *b)
{
	const struct tally_entry *left = a;
	const struct tally_entry *right = b;

	return (left->value > right->value) - (left->value < right->value);
}

void tally_settle(struct tally *tally)
{
	size_t last = 0;

	if (tally->count < 2)
		return;
	qsort(tally->entries, tally->count, sizeof *tally->entries, by_value);
	for (size_t i = 1; i < tally->count; i++)
		if (tally->entries[i].value == tally->entries[last].value)
			tally->entries[last].count += tally->entries[i].count;
		else
			tally->entries[++last] = tally->entries[i];
	tally->count = last + 1;
}

/* Merges, then grows if need be. */
static int make_room(struct tally *tally)
{
	size_t capacity = tally->capacity ? tally->capacity * 2 : CAPACITY_MIN;
	struct tally_entry *entries;

	tally_settle(tally);
	tally->is_full = tally->count >= AGGREGATE_VALUES_MAX;
	if (tally->capacity && tally->count <= tally->capacity / 2)
		return 0;
	if (tally->capacity == CAPACITY_MAX)
		return 0;
	if (capacity > CAPACITY_MAX)
		capacity = CAPACITY_MAX;
	entries = realloc(tally->entries, capacity * sizeof *entries);
	if (!entries)
		return tally->count < tally->capacity ? 0 : ERR_NOMEM;
	tally->entries = entries;
	tally->capacity = capacity;
	return 0;
}

static int add_known(struct tally *tally, int64_t value)
{
	const struct tally_entry key = { .value = value };
	struct tally_entry *entry =
		bsearch(&key, tally->entries, tally->count, sizeof *tally->entries, by_value);

	if (!entry)
		return ERR_LIMIT;
	entry->count++;
	return 0;
}

int tally_add(struct tally *tally, int64_t value)
{
	if (!tally->is_full && tally->count == tally->capacity) {
		int err = make_room(tally);

		if (err)
			return err;
	}
	if (tally->is_full)
		return add_known(tally, value);
	assert(tally->count < tally->capacity);
	tally->entries[tally->count++] = (struct tally_entry){ value, 1 };
	return 0;
}

int64_t tally_sum(const struct tally *tally)
{
	int64_t sum = 0;

	for (size_t i = 0; i < tally->count; i++)
		sum += tally->entries[i].value * (int64_t)tally->entries[i].count;
	return sum;
}

void tally_done(struct tally *tally)
{
	free(tally->entries);
	*tally = (struct tally){ 0 };
}
