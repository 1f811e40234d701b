/* SPDX-License-Identifier: Apache-2.0 */
/* exchange: one request through the real client, run to its end, with a copy of the reply that
 * outlives it. A fixture for the tests of http. */
#ifndef EXCHANGE_H
#define EXCHANGE_H

#include <stdbool.h>

#include "lattice-probe/http.h"
#include "lattice-probe/loop.h"
#include "lattice-probe/outcome.h"

#include "origin.h"

struct exchange {
	size_t descriptors;          /* open before; as many must be open after */
	struct loop *loop;
	struct http_client *client;
	struct url url;
	struct http_request request; /* filled by exchange_prepare; the test changes what it tests */
	bool is_done;
	unsigned calls;              /* of `finished` */
	struct http_reply reply;     /* headers and body are copies */
};

/* Loop, client; cmocka's setup and teardown. Teardown fails the test for a descriptor left open. */
int exchange_setup(void **state);
int exchange_teardown(void **state);

/* A GET of the URL at that address with generous limits; a URL without a port gets the address's. */
void exchange_prepare(struct exchange *exchange, const char *url, union address address);

/* Starts and runs the loop until the end. */
void exchange_run(struct exchange *exchange);

/* The same with a server that runs that script, over TLS when there is a context; `change` (may be
 * NULL) alters the request before it is sent. */
void exchange_scripted(struct exchange *exchange, SSL_CTX *context, const char *url, origin_script script,
	const void *data, void (*change)(struct http_request *request));

/* The outcome for a target that expects nothing but a 2xx. */
enum outcome exchange_judge(const struct exchange *exchange);

/* Fails the test unless the transfer ended like that, and the phases sum. */
void exchange_expect(const struct exchange *exchange, enum http_end end, enum http_stage stage,
	enum outcome outcome);

/* The `finished` callback; user is the exchange. */
void exchange_finished(void *user, const struct http_reply *reply);

#endif
