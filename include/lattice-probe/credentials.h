/* SPDX-License-Identifier: Apache-2.0 */
/* credentials: AWS credentials from the standard chain: environment, shared files (profile), web
 * identity, container, IMDSv2. Refreshes ahead of expiry, keeps the old ones while they are valid,
 * wipes on free. File reads are small and done at refresh. Keys in the environment go before a profile,
 * also before one that AWS_PROFILE names (as in botocore). What is configured and fails ends the chain:
 * other credentials than those asked for would be worse than none. Never logs; `why` says what happened,
 * for people, and never holds a secret. */
#ifndef LATTICE_PROBE_CREDENTIALS_H
#define LATTICE_PROBE_CREDENTIALS_H

#include <stdbool.h>

#include "lattice-probe/buf.h"
#include "lattice-probe/units.h"

struct loop;
struct imds;
struct credentials;
struct aws_transport; /* http client + resolver for AWS calls, see aws_call.h */

/* One set of keys; wiped by credentials_set_done. */
struct credentials_set {
	char *access_key_id;
	char *secret_access_key;
	char *session_token;    /* NULL: long-term keys */
	struct wall expiration; /* never: they do not expire */
	const char *source;     /* static: "environment" "shared-file" "web-identity" "container" "imds" */
};

void credentials_set_done(struct credentials_set *set);

/* Gives a copy, to be given to credentials_set_done. 0 or ERR_NOMEM. */
int credentials_set_copy(const struct credentials_set *set, struct credentials_set *ret_copy);

/* Borrows all three for its life. Starts nothing. NULL: no memory. */
struct credentials *credentials_new(struct loop *loop, struct imds *imds, struct aws_transport *transport);
void credentials_free(struct credentials *credentials);

/* The region for the STS endpoint (copied); call before the first credentials_get. Without one,
 * AWS_REGION or AWS_DEFAULT_REGION serves. 0 or ERR_LIMIT. */
int credentials_set_region(struct credentials *credentials, const char *region);

/* The set to sign with now; NULL: none usable. Set and `why` ("" when there is nothing to say) are
 * borrowed until the next turn of the loop. Starts a refresh by itself when one is due. */
const struct credentials_set *credentials_get(struct credentials *credentials, const char **ret_why);

/* Calls back once when usable credentials are there or the chain ended without any (err < 0; `why`
 * borrowed until the callback returns). At the next turn when they are there already, or when the chain
 * has failed so lately that it is not walked again yet (1 s after the first failure, up to 60 s). 0,
 * ERR_NOMEM; ERR_LIMIT beyond 64 waiters. */
int credentials_wait(struct credentials *credentials, void (*ready)(void *user, int err, const char *why),
	void *user);
void credentials_wait_cancel(struct credentials *credentials, void *user);

/* CloudWatch said ExpiredToken or UnrecognizedClient: fetch anew, now. Until that has come to its end
 * there are no usable credentials. Within a minute of the last such call: nothing. */
void credentials_refresh(struct credentials *credentials);

#endif
