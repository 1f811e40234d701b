/* SPDX-License-Identifier: Apache-2.0 */
#include "lattice-probe/metric.h"

#include <assert.h>
#include <string.h>

static const struct metric table[METRIC_COUNT] = {
#define METRIC(NAME, name, unit, scope) { name, DATUM_UNIT_##unit, METRIC_SCOPE_##scope },
#include "lattice-probe/metric.def"
#undef METRIC
};

const struct metric *metric_get(enum metric_id id)
{
	assert(id < METRIC_COUNT);
	return &table[id];
}

unsigned metric_find(const char *name)
{
	for (unsigned id = 0; id < METRIC_COUNT; id++)
		if (table[id].scope == METRIC_SCOPE_CHOSEN && strcmp(table[id].name, name) == 0)
			return 1u << id;
	return 0;
}
