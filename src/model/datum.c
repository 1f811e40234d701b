/* SPDX-License-Identifier: Apache-2.0 */
#include "lattice-probe/datum.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lattice-probe/err.h"

const char *datum_unit_name(enum datum_unit unit)
{
	switch (unit) {
	case DATUM_UNIT_NONE: return "None";
	case DATUM_UNIT_COUNT: return "Count";
	case DATUM_UNIT_MILLISECONDS: return "Milliseconds";
	case DATUM_UNIT_SECONDS: return "Seconds";
	default: return "None";
	}
}

struct dimension_set *dimension_set_new(void)
{
	struct dimension_set *set = calloc(1, sizeof *set);

	if (set)
		set->references = 1;
	return set;
}

struct dimension_set *dimension_set_hold(struct dimension_set *set)
{
	assert(set->references > 0);
	set->references++;
	return set;
}

void dimension_set_drop(struct dimension_set *set)
{
	if (!set)
		return;
	assert(set->references > 0);
	if (--set->references > 0)
		return;
	for (size_t i = 0; i < set->count; i++) {
		free(set->dimensions[i].name);
		free(set->dimensions[i].value);
	}
	free(set);
}

/* What API_Dimension asks of a name and a value alike: 1 to max characters of printable ASCII, one
 * of them not a space. */
static bool is_dimension_text(const char *text, size_t max)
{
	size_t length = strnlen(text, max + 1);
	bool has_graph = false;

	if (length == 0 || length > max)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < ' ' || text[i] > '~')
			return false;
		has_graph = has_graph || text[i] != ' ';
	}
	return has_graph;
}

static bool has_dimension(const struct dimension_set *set, const char *name)
{
	for (size_t i = 0; i < set->count; i++)
		if (strcmp(set->dimensions[i].name, name) == 0)
			return true;
	return false;
}

int dimension_set_add(struct dimension_set *set, const char *name, const char *value)
{
	struct dimension dimension;

	if (!is_dimension_text(name, DATUM_DIMENSION_NAME_MAX) || name[0] == ':' ||
	    !is_dimension_text(value, DATUM_DIMENSION_VALUE_MAX) || has_dimension(set, name))
		return ERR_RANGE;
	if (set->count == DATUM_DIMENSIONS_MAX)
		return ERR_LIMIT;
	dimension.name = strdup(name);
	dimension.value = strdup(value);
	if (!dimension.name || !dimension.value) {
		free(dimension.name);
		free(dimension.value);
		return ERR_NOMEM;
	}
	set->dimensions[set->count++] = dimension;
	return 0;
}

struct datum *datum_new(const char *metric, enum datum_unit unit, struct dimension_set *dimensions,
	struct wall timestamp, int storage_resolution_s, size_t value_count)
{
	struct datum *datum;

	assert(value_count >= 1 && value_count <= DATUM_VALUES_MAX);
	datum = calloc(1, sizeof *datum);
	if (!datum)
		return NULL;
	datum->values = calloc(2 * value_count, sizeof *datum->values);
	if (!datum->values) {
		free(datum);
		return NULL;
	}
	datum->counts = datum->values + value_count;
	datum->metric = metric;
	datum->dimensions = dimension_set_hold(dimensions);
	datum->timestamp = timestamp;
	datum->storage_resolution_s = storage_resolution_s;
	datum->unit = unit;
	datum->value_count = value_count;
	return datum;
}

void datum_free(struct datum *datum)
{
	if (!datum)
		return;
	dimension_set_drop(datum->dimensions);
	free(datum->values);
	free(datum);
}

double datum_sample_count(const struct datum *datum)
{
	double samples = 0;

	for (size_t i = 0; i < datum->value_count; i++)
		samples += datum->counts[i];
	return samples;
}

size_t datum_bytes(const struct datum *datum)
{
	/* Two blocks, each with what malloc keeps beside it. */
	return sizeof *datum + 2 * datum->value_count * sizeof *datum->values + 2 * sizeof(void *);
}
