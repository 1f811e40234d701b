/* SPDX-License-Identifier: Apache-2.0 */
/* verdict: decides the outcome of one HTTP exchange. Pure: one table from stage × end × curl code ×
 * errno × certificate result to an outcome, then the expectations of the target on a complete
 * response, in the order status, headers, body. */
#ifndef LATTICE_PROBE_VERDICT_H
#define LATTICE_PROBE_VERDICT_H

#include <stddef.h>

#include "lattice-probe/outcome.h"

struct http_reply;
struct target;

/* *ret_detail is filled with a line for people on a failure. */
enum outcome verdict_of_reply(const struct target *target, const struct http_reply *reply,
	char *ret_detail, size_t detail_size);

#endif
