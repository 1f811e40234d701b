/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes come from a file that may hold anything, so they are checked as if a stranger had sent them. */
#include "store_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lattice-probe/err.h"

#define ROW_BYTES 48 /* the numbers of a row and what SQLite keeps beside it, roughly */

static size_t dimensions_bytes(const struct dimension_set *set)
{
	size_t bytes = 0;

	for (size_t i = 0; i < set->count; i++)
		bytes += strlen(set->dimensions[i].name) + strlen(set->dimensions[i].value) + 2;
	return bytes;
}

static unsigned char *write_text(unsigned char *to, const char *text)
{
	size_t bytes = strlen(text) + 1;

	memcpy(to, text, bytes);
	return to + bytes;
}

struct store_record *store_record_new(const struct datum *datum)
{
	size_t set_bytes = dimensions_bytes(datum->dimensions);
	size_t half_bytes = datum->value_count * sizeof *datum->values;
	struct store_record *record = calloc(1, sizeof *record + set_bytes + 2 * half_bytes);
	unsigned char *to;

	if (!record)
		return NULL;
	record->id = datum->id;
	record->metric = datum->metric;
	record->unit = datum->unit;
	record->storage_resolution_s = datum->storage_resolution_s;
	record->timestamp_us = datum->timestamp.us;
	record->samples = datum_sample_count(datum);
	record->dimensions_bytes = set_bytes;
	record->numbers_bytes = 2 * half_bytes;
	to = record->bytes;
	for (size_t i = 0; i < datum->dimensions->count; i++) {
		to = write_text(to, datum->dimensions->dimensions[i].name);
		to = write_text(to, datum->dimensions->dimensions[i].value);
	}
	memcpy(to, datum->values, half_bytes);
	memcpy(to + half_bytes, datum->counts, half_bytes);
	return record;
}

int64_t store_record_cost_bytes(const struct datum *datum)
{
	return (int64_t)(ROW_BYTES + strlen(datum->metric) + dimensions_bytes(datum->dimensions) +
			 2 * datum->value_count * sizeof *datum->values);
}

/* The text that starts at *cursor and ends before `end`; NULL: none does. */
static const char *next_text(const unsigned char **cursor, const unsigned char *end)
{
	const unsigned char *from = *cursor;
	const unsigned char *zero = from < end ? memchr(from, '\0', (size_t)(end - from)) : NULL;

	if (!zero)
		return NULL;
	*cursor = zero + 1;
	return (const char *)from;
}

static int read_dimensions(const struct store_record *record, struct dimension_set *set)
{
	const unsigned char *cursor = record->bytes;
	const unsigned char *end = cursor + record->dimensions_bytes;

	while (cursor < end) {
		const char *name = next_text(&cursor, end);
		const char *value = name ? next_text(&cursor, end) : NULL;
		int err = value ? dimension_set_add(set, name, value) : ERR_SYNTAX;

		if (err)
			return err;
	}
	return 0;
}

static bool has_sound_numbers(const struct datum *datum)
{
	for (size_t i = 0; i < datum->value_count; i++)
		if (!isfinite(datum->values[i]) || !isfinite(datum->counts[i]) || datum->counts[i] <= 0)
			return false;
	return true;
}

static bool has_sound_shape(const struct store_record *record)
{
	size_t values = record->numbers_bytes / (2 * sizeof(double));

	return record->metric && record->unit <= DATUM_UNIT_SECONDS &&
	       record->numbers_bytes % (2 * sizeof(double)) == 0 && values >= 1 && values <= DATUM_VALUES_MAX &&
	       (record->storage_resolution_s == 1 || record->storage_resolution_s == 60);
}

/* With a set that holds the record's dimensions. */
static int make_datum(const struct store_record *record, struct dimension_set *set, struct datum **ret_datum)
{
	size_t half_bytes = record->numbers_bytes / 2;
	struct datum *datum = datum_new(record->metric, record->unit, set, (struct wall){ record->timestamp_us },
		record->storage_resolution_s, half_bytes / sizeof(double));

	if (!datum)
		return ERR_NOMEM;
	memcpy(datum->values, record->bytes + record->dimensions_bytes, half_bytes);
	memcpy(datum->counts, record->bytes + record->dimensions_bytes + half_bytes, half_bytes);
	datum->id = record->id;
	datum->is_stored = true;
	if (!has_sound_numbers(datum)) {
		datum_free(datum);
		return ERR_SYNTAX;
	}
	*ret_datum = datum;
	return 0;
}

int store_record_read(const struct store_record *record, struct datum **ret_datum)
{
	struct dimension_set *set;
	int err;

	if (!has_sound_shape(record))
		return ERR_SYNTAX;
	set = dimension_set_new();
	if (!set)
		return ERR_NOMEM;
	err = read_dimensions(record, set);
	if (!err)
		err = make_datum(record, set, ret_datum);
	dimension_set_drop(set);
	return err;
}
