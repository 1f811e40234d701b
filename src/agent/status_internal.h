/* SPDX-License-Identifier: Apache-2.0 */
/* status_internal: the file of the status socket, for status_socket.c and status_client.c. */
#ifndef LATTICE_PROBE_STATUS_INTERNAL_H
#define LATTICE_PROBE_STATUS_INTERNAL_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "lattice-probe/status_socket.h"

/* False: the path is too long. */
bool status_file_address(const char *path, struct sockaddr_un *ret_address);

/* Makes and listens; the descriptor, or -1 and `why`. *ret_identity tells the file from a later one of
 * the same name. */
int status_file_listen(const char *path, struct stat *ret_identity, char ret_why[static STATUS_SOCKET_WHY_SIZE]);

/* Takes the file away, if it is still the one we made. */
void status_file_remove(const char *path, const struct stat *identity);

#endif
