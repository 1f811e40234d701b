/* SPDX-License-Identifier: Apache-2.0 */
/* phases: turns marks into disjoint phases of integer microseconds that sum to the total. Pure. */
#ifndef LATTICE_PROBE_PHASES_H
#define LATTICE_PROBE_PHASES_H

#include <stdint.h>

#include "lattice-probe/result.h"

struct http_reply;

/* Fills connect, tls, first_byte and transfer from the marks of one exchange (dns is the caller's).
 * A phase that did not complete is PHASE_NONE. Asserts that the marks are in order. *ret_failed_us
 * is the time spent in the phase that was running at the end, PHASE_NONE for a complete response. */
void phases_of_reply(const struct http_reply *reply, int64_t ret_phase_us[static PHASE_COUNT],
	int64_t *ret_failed_us);

/* Sum of the completed phases, dns included. */
int64_t phases_sum(const int64_t phase_us[static PHASE_COUNT]);

#endif
