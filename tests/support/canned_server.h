/* SPDX-License-Identifier: Apache-2.0 */
/* canned_server: an HTTP server on loopback for unit tests, in a thread of its own. It answers each
 * request with the first canned reply whose beginning of the request line fits and that still has
 * turns, byte for byte, and closes. It remembers what it was asked. Fails by abort(). */
#ifndef LATTICE_PROBE_TESTS_CANNED_SERVER_H
#define LATTICE_PROBE_TESTS_CANNED_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct canned_reply {
	const char *request;  /* "GET /path": what the request line begins with */
	const char *bytes;    /* the whole reply; NULL: never answers, keeps the connection open */
	size_t byte_count;    /* 0: strlen(bytes); "" closes without a byte */
	unsigned turns;       /* 0: any number */
};

struct canned_server;

/* The replies are borrowed until canned_server_stop. A request that fits none is answered with 404. */
struct canned_server *canned_server_start(const struct canned_reply *replies, size_t count);
void canned_server_stop(struct canned_server *server);

/* Other replies from now on. */
void canned_server_change(struct canned_server *server, const struct canned_reply *replies, size_t count);

uint16_t canned_server_port(const struct canned_server *server);

/* "http://127.0.0.1:PORT" */
const char *canned_server_url(const struct canned_server *server);

/* How many requests began so; "": all. */
size_t canned_server_count(struct canned_server *server, const char *request);

/* The text, head and body, of the last request that began so; "" for none. Valid until the next call. */
const char *canned_server_last(struct canned_server *server, const char *request);

/* A port of 127.0.0.1 on which nothing listens. */
uint16_t canned_server_closed_port(void);

#endif
