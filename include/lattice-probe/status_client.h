/* SPDX-License-Identifier: Apache-2.0 */
/* status_client: asks the running agent what it sees, over its Unix socket. Blocks, with a timeout: for
 * shell commands only. The reply is one JSON object; status_socket.c says what is in it. */
#ifndef LATTICE_PROBE_STATUS_CLIENT_H
#define LATTICE_PROBE_STATUS_CLIENT_H

#include <stdint.h>

#include <jansson.h>

/* 0 with *ret_status (gives, json_decref by the caller); ERR_NOT_FOUND: nobody listens there;
 * ERR_DENIED: the socket's mode keeps us out; ERR_TIMEOUT, ERR_CANCELLED (a signal that
 * the caller handles came), ERR_IO, ERR_PROTOCOL, ERR_NOMEM. */
int status_client_ask(const char *path, int64_t timeout_us, json_t **ret_status);

#endif
