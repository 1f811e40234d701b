/* SPDX-License-Identifier: Apache-2.0 */
/* status_socket: a Unix socket that tells each one who connects one JSON object and hangs up. It reads
 * nothing. The object is made in pieces, each when the piece before has been taken, so that no client
 * keeps more than one piece in memory and no piece keeps the loop for long; what one client is told may
 * therefore span a few turns of the loop. Owns the file; borrows the loop. Returns; never logs. */
#ifndef LATTICE_PROBE_STATUS_SOCKET_H
#define LATTICE_PROBE_STATUS_SOCKET_H

#include <stddef.h>

#include <jansson.h>

#include "lattice-probe/units.h"

struct loop;
struct status_socket;

#define STATUS_SOCKET_CLIENTS_MAX 16 /* further ones wait in the backlog */
#define STATUS_SOCKET_STALL_US (2 * US_PER_S)  /* a client that takes nothing for so long is left */
#define STATUS_SOCKET_CLIENT_US (10 * US_PER_S) /* and each after this, however it drips */
#define STATUS_SOCKET_WHY_SIZE 160

/* Where the object comes from. Each gives a new value; NULL: no memory, the client is left. */
struct status_source {
	json_t *(*head)(void *user);             /* an object with everything but the probes */
	size_t (*count)(void *user);             /* of probes, asked before each */
	json_t *(*probe)(void *user, size_t index);
	void *user;
};

/* Listens at `path` (copied, at most 99 bytes), with the mode 0660 whatever the umask. A socket that
 * nobody listens to is replaced; one that somebody listens to is not. NULL: `why` says what is in the
 * way. */
struct status_socket *status_socket_new(struct loop *loop, const char *path, const struct status_source *source,
	char ret_why[static STATUS_SOCKET_WHY_SIZE]);
void status_socket_free(struct status_socket *status); /* takes the file away; NULL is fine */

#endif
