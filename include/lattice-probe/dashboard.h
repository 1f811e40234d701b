/* SPDX-License-Identifier: Apache-2.0 */
/* dashboard: the body of a CloudWatch dashboard for what one configuration publishes: availability, latency
 * percentiles and failures of each service, certificates, the agents' health. Pure. */
#ifndef LATTICE_PROBE_DASHBOARD_H
#define LATTICE_PROBE_DASHBOARD_H

#include "lattice-probe/generate.h"

/* Appends the body, JSON. 0; ERR_NOT_FOUND: nothing is published; ERR_RANGE: no region is given;
 * ERR_LIMIT: more than one dashboard can hold; ERR_NOMEM. Of all but the last, words.refusal says what to
 * do. */
int dashboard_generate(const struct conf *conf, const struct generate_options *options, struct buf *ret_text,
	struct generate_words *words);

#endif
