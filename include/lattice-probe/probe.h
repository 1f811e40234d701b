/* SPDX-License-Identifier: Apache-2.0 */
/* probe: one run of one target, from name to outcome: dns → address → http → verdict, with several
 * addresses and redirect hops where the target asks for them. Every run ends through one function
 * and gives exactly one result. */
#ifndef LATTICE_PROBE_PROBE_H
#define LATTICE_PROBE_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "lattice-probe/parse.h"
#include "lattice-probe/result.h"
#include "lattice-probe/units.h"

struct credentials;
struct http_client;
struct loop;
struct probe;
struct resolver;
struct target;

/* What all probes share; borrowed for as long as any probe lives. */
struct probe_context {
	struct loop *loop;
	struct resolver *resolver;
	struct http_client *http;
	struct credentials *credentials; /* NULL: signed probes end as local_credentials */
	const char *region;              /* for signing hosts that do not name one; "" unknown */
	int64_t lag_limit_us;            /* a timeout while the loop was stuck for longer than this is
	                                    local_fault: nobody was there to see the answer */
	int64_t skew_us;                 /* AWS clock minus ours, for signatures */
};

/* Starts a run. `scheduled`/`due` are when it should have started; rotation picks the address for
 * addresses = rotate. `finished` gets a result it must take over or result_done(); it runs once,
 * never from inside this call. NULL: no memory (the caller counts a miss). */
struct probe *probe_start(const struct probe_context *context, struct target *target, struct wall scheduled,
	struct mono due, unsigned rotation, void (*finished)(void *user, struct result *result), void *user);

/* Stops it; no callback. */
void probe_cancel(struct probe *probe);

#endif
