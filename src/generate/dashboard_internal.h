/* SPDX-License-Identifier: Apache-2.0 */
/* dashboard_internal: how a widget names the series it shows. */
#ifndef LATTICE_PROBE_DASHBOARD_INTERNAL_H
#define LATTICE_PROBE_DASHBOARD_INTERNAL_H

#include "lattice-probe/dashboard.h"

#include "generate_internal.h"

/* NULL when a dashboard can name the series; else what stands in the way, static text. */
const char *dashboard_metric_obstacle(const struct conf *conf, const struct series *series);

struct dashboard_look {
	const char *statistic;
	const char *label;  /* NULL: CloudWatch's own, which tells the series of a search apart */
	const char *id;     /* NULL: none */
	bool is_hidden;
	int64_t period_s;
};

/* One row of "metrics": namespace, name, dimensions and look; or, where a dimension's value is known to
 * instances only, a search for all of them. NULL: no memory. */
json_t *dashboard_metric_row(const struct conf *conf, const struct series *series, enum metric_id id,
	const struct dashboard_look *look);

#endif
