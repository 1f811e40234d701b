/* SPDX-License-Identifier: Apache-2.0 */
/* metric: the one table of what is published: names, units, and who each metric speaks about. The
 * configuration chooses by bit, the aggregate fills by id, check-config counts by scope. */
#ifndef LATTICE_PROBE_METRIC_H
#define LATTICE_PROBE_METRIC_H

#include "lattice-probe/datum.h"

enum metric_id { /* places in the table */
#define METRIC(NAME, name, unit, scope) METRIC_ID_##NAME,
#include "lattice-probe/metric.def"
#undef METRIC
	METRIC_COUNT
};

enum metric_bit { /* METRIC_SUCCESS, METRIC_LATENCY, … */
#define METRIC(NAME, name, unit, scope) METRIC_##NAME = 1 << METRIC_ID_##NAME,
#include "lattice-probe/metric.def"
#undef METRIC
};

enum metric_scope {
	METRIC_SCOPE_CHOSEN,  /* of a service, where `metrics =` names it; the certificate's days also
	                         unasked when they run out */
	METRIC_SCOPE_FAILURE, /* of a service, in the periods in which it happened or always */
	METRIC_SCOPE_AGENT    /* of the agent: Heartbeat always, the others when not zero */
};

struct metric {
	const char *name; /* as CloudWatch shows it */
	enum datum_unit unit;
	enum metric_scope scope;
};

/* The table's row; static. */
const struct metric *metric_get(enum metric_id id);

/* The bit of the metric of that exact name that `metrics =` may choose; 0: there is none. */
unsigned metric_find(const char *name);

#endif
