/* SPDX-License-Identifier: Apache-2.0 */
/* probe_sign: the SigV4 headers of a request to a target that wants to be signed to. Only over https,
 * only for hosts of the Lattice data plane or named in sign_host. Borrows the context's credentials. */
#ifndef LATTICE_PROBE_PROBE_SIGN_H
#define LATTICE_PROBE_PROBE_SIGN_H

#include <stddef.h>

#include "lattice-probe/target.h"

struct probe_context;

#define PROBE_SIGN_HEADERS 4

/* Gives PROBE_SIGN_HEADERS (or one fewer: no token) headers for the target's request to this URL, names
 * and values owned by the caller, who wipes the values. 0; ERR_DENIED: no usable credentials or a host
 * that must not get a signature, *ret_why (static) says; ERR_NOMEM, ERR_CRYPTO. *ret_count is right
 * also on failure. */
int probe_sign(const struct probe_context *context, const struct target *target, const struct url *url,
	struct target_header ret_headers[static PROBE_SIGN_HEADERS], size_t *ret_count, const char **ret_why);

#endif
