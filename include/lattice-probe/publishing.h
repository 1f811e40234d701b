/* SPDX-License-Identifier: Apache-2.0 */
/* publishing: would this agent's metrics reach CloudWatch from here? Walks the credential chain and makes
 * one signed PutMetricData that holds no datum: nothing can be stored by it. CloudWatch refuses it for
 * being empty when the role may publish, and for the permission when it may not (inferred: AWS documents
 * no order of the two checks). Borrows the transport and the credentials. Returns; never logs. */
#ifndef LATTICE_PROBE_PUBLISHING_H
#define LATTICE_PROBE_PUBLISHING_H

#include <stdbool.h>
#include <stdint.h>

#include "lattice-probe/aws_call.h"

struct aws_transport;
struct credentials;
struct loop;
struct publishing;

struct evidence_publishing {
	bool is_asked;
	bool has_credentials;
	char source[32];          /* "imds", "environment", …; "" none */
	char principal[32];       /* "…WXYZ": the last four characters of the access key id */
	char why[160];            /* without credentials: what the chain said */
	bool is_call_made;
	enum aws_class class_;    /* INVALID is the good end: allowed, and refused for being empty */
	int status;
	char code[96];
	char endpoint[128];
	int64_t skew_us;          /* AWS's clock minus ours, from its Date; 0 within its precision */
	int64_t elapsed_us;
};

/* `endpoint`: a URL, or "auto" for the region's. `finished` runs once, never from inside this call, at
 * the latest after timeout_us. NULL: no memory. */
struct publishing *publishing_start(struct loop *loop, struct aws_transport *transport,
	struct credentials *credentials, const char *region, const char *endpoint, const char *namespace_,
	int64_t timeout_us, void (*finished)(void *user, const struct evidence_publishing *publishing), void *user);
void publishing_cancel(struct publishing *publishing); /* NULL is fine */

#endif
