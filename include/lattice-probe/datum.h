/* SPDX-License-Identifier: Apache-2.0 */
/* datum: one closed window of one metric of one dimension set, in the shape PutMetricData takes
 * (https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html). */
#ifndef LATTICE_PROBE_DATUM_H
#define LATTICE_PROBE_DATUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lattice-probe/units.h"

#define DATUM_VALUES_MAX 150    /* distinct values in one datum */
#define DATUM_DIMENSIONS_MAX 30
#define DATUM_DIMENSION_NAME_MAX 255
#define DATUM_DIMENSION_VALUE_MAX 1024

enum datum_unit { DATUM_UNIT_NONE, DATUM_UNIT_COUNT, DATUM_UNIT_MILLISECONDS, DATUM_UNIT_SECONDS };

/* "None", "Count", "Milliseconds", "Seconds". */
const char *datum_unit_name(enum datum_unit unit);

struct dimension {
	char *name;
	char *value;
};

/* One complete dimension set, shared by many datums (counted references, main thread only). */
struct dimension_set {
	unsigned references;
	size_t count;
	struct dimension dimensions[DATUM_DIMENSIONS_MAX];
};

struct dimension_set *dimension_set_new(void);
struct dimension_set *dimension_set_hold(struct dimension_set *set);
void dimension_set_drop(struct dimension_set *set); /* NULL is fine */

/* Copies both; 0, ERR_NOMEM, ERR_LIMIT beyond 30, ERR_RANGE when CloudWatch would refuse the name
 * or value (empty or blank, too long, not printable ASCII, name starting with ':') or the set has a
 * dimension of that name. */
int dimension_set_add(struct dimension_set *set, const char *name, const char *value);

struct datum {
	const char *metric;         /* static text */
	struct dimension_set *dimensions; /* a reference */
	struct wall timestamp;      /* start of the window */
	int storage_resolution_s;   /* 1 or 60 */
	enum datum_unit unit;
	size_t value_count;         /* 1..DATUM_VALUES_MAX */
	double *values;             /* distinct, ascending; owned, one block with counts */
	double *counts;
	struct datum *next;         /* for the list of whoever owns it, as are these: */
	int64_t id;                 /* its name in the store */
	bool is_stored;             /* the store's outbox holds it too */
};

/* Gives a datum with room for value_count values (zeroed). Holds dimensions. NULL: no memory. */
struct datum *datum_new(const char *metric, enum datum_unit unit, struct dimension_set *dimensions,
	struct wall timestamp, int storage_resolution_s, size_t value_count);
void datum_free(struct datum *datum); /* NULL is fine */

/* The number of samples in it: the sum of its counts. */
double datum_sample_count(const struct datum *datum);

/* The memory it takes, its dimensions apart. */
size_t datum_bytes(const struct datum *datum);

#endif
