/* SPDX-License-Identifier: Apache-2.0 */
/* verdict: decides the outcome of one HTTP exchange. Pure: one table from stage × end × curl code ×
 * errno × certificate result to an outcome, then the expectations of the target on a complete
 * response, in the order HTTP version, status, headers, body. Of a certificate's faults expiry wins
 * over trust, trust over the name.
 *
 * lattice_auth_denied and lattice_no_route take the place of http_status only when the answer shows
 * that VPC Lattice wrote it (verdict_lattice.h says by what); a status that is expected is never
 * either. */
#ifndef LATTICE_PROBE_VERDICT_H
#define LATTICE_PROBE_VERDICT_H

#include <stddef.h>

#include "lattice-probe/outcome.h"

struct http_reply;
struct target;

/* *ret_detail is filled with a line for people on a failure, without account ids, names of roles, or
 * anything that a header or the body said. */
enum outcome verdict_of_reply(const struct target *target, const struct http_reply *reply,
	char *ret_detail, size_t detail_size);

#endif
