/* SPDX-License-Identifier: Apache-2.0 */
/* origin: a server inside the test program, on a thread of its own and a free loopback port. It
 * accepts connections one after the other and hands each to a script, which reads and writes what
 * it likes. Owns its sockets; borrows the script's data and the TLS context until origin_free. */
#ifndef ORIGIN_H
#define ORIGIN_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/ssl.h>

#include "lattice-probe/parse.h"

#define ORIGIN_REQUEST_MAX (2 * 1024 * 1024)

struct origin;

struct origin_connection {
	struct origin *origin;
	int fd;
	SSL *tls; /* NULL: plain */
	const void *data;
};

typedef void (*origin_script)(struct origin_connection *connection);

/* Listens on 127.0.0.1 (AF_INET) or ::1 (AF_INET6). A TLS context makes it shake hands before the
 * script runs; when that fails the script does not. Fails the test on any trouble of its own. */
struct origin *origin_start(int family, SSL_CTX *context, origin_script script, const void *data);

/* Ends running scripts by shutting their connection down, and waits for the thread. */
void origin_stop(struct origin *origin);
void origin_free(struct origin *origin); /* stops first; NULL is fine */

union address origin_address(const struct origin *origin);

/* For the test, after origin_stop: what origin_read_request read last, and how many connections. */
const char *origin_request(const struct origin *origin, size_t *ret_length);
unsigned origin_accepted(const struct origin *origin);

/* For scripts. origin_read_request reads to the empty line and as much body as Content-Length says. */
bool origin_read_request(struct origin_connection *connection);
/* What it read, for the script itself. */
const char *origin_peek(const struct origin_connection *connection);
void origin_write(struct origin_connection *connection, const void *bytes, size_t length);
void origin_write_text(struct origin_connection *connection, const char *text);
void origin_wait_for_close(struct origin_connection *connection);
void origin_pause(struct origin_connection *connection, int milliseconds); /* or until the peer closes */
void origin_reset(struct origin_connection *connection); /* RST instead of FIN */

/* Ready-made: data is the text of the whole answer, written after the request was read. */
void origin_answer(struct origin_connection *connection);
/* Reads for ever, says nothing. */
void origin_silence(struct origin_connection *connection);

/* A port on 127.0.0.1 that is bound, so that nobody else gets it, but where nobody listens. Gives the
 * descriptor to close. */
int origin_closed_port(union address *ret_address);

/* A port whose full accept queue drops every SYN: silence on loopback. */
struct origin_silent_port {
	union address address;
	int listener;
	int filler;
};
void origin_open_silent_port(struct origin_silent_port *ret_port);
void origin_close_silent_port(struct origin_silent_port *port);

#endif
