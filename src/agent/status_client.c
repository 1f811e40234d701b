/* SPDX-License-Identifier: Apache-2.0 */
#include "lattice-probe/status_client.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "status_internal.h"

#include "lattice-probe/buf.h"
#include "lattice-probe/err.h"
#include "lattice-probe/units.h"

#define REPLY_MAX_BYTES (256 * 1024 * 1024) /* a hundred thousand probes at 2 KiB */

/* Lets the next blocking call on the socket last until the deadline; ERR_TIMEOUT when that has passed. */
static int set_limit(int fd, int option, struct mono deadline)
{
	int64_t left_us = mono_since(deadline, mono_now());
	struct timeval limit = { .tv_sec = left_us / US_PER_S, .tv_usec = left_us % US_PER_S };

	if (left_us <= 0)
		return ERR_TIMEOUT;
	return setsockopt(fd, SOL_SOCKET, option, &limit, sizeof limit) == 0 ? 0 : ERR_IO;
}

static int err_of(int failure)
{
	switch (failure) {
	case ENOENT:
	case ENOTDIR:
	case ECONNREFUSED: return ERR_NOT_FOUND;
	case EACCES:
	case EPERM: return ERR_DENIED;
	case EINTR: return ERR_CANCELLED;
	case EAGAIN:
	case EINPROGRESS: return ERR_TIMEOUT;
	default: return ERR_IO;
	}
}

/* connect() waits while the backlog is full, within SO_SNDTIMEO. */
static int open_connection(int fd, const char *path, struct mono deadline)
{
	struct sockaddr_un address;
	int err = status_file_address(path, &address) ? set_limit(fd, SO_SNDTIMEO, deadline) : ERR_NOT_FOUND;

	if (err)
		return err;
	return connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 ? 0 : err_of(errno);
}

static int read_all(int fd, struct mono deadline, struct buf *reply)
{
	char bytes[16 * 1024];

	for (;;) {
		int err = set_limit(fd, SO_RCVTIMEO, deadline);
		ssize_t count = err ? 0 : recv(fd, bytes, sizeof bytes, 0);

		if (err)
			return err;
		if (count == 0)
			return 0;
		/* The agent ended in the middle. */
		if (count < 0)
			return errno == ECONNRESET ? ERR_PROTOCOL : err_of(errno);
		err = buf_append(reply, bytes, (size_t)count);
		if (err)
			return err == ERR_LIMIT ? ERR_PROTOCOL : err;
	}
}

int status_client_ask(const char *path, int64_t timeout_us, json_t **ret_status)
{
	struct mono deadline = mono_add(mono_now(), timeout_us);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct buf reply;
	json_t *status;
	int err;

	if (fd < 0)
		return ERR_IO;
	buf_init(&reply, REPLY_MAX_BYTES);
	err = open_connection(fd, path, deadline);
	if (!err)
		err = read_all(fd, deadline, &reply);
	(void)close(fd);
	status = err ? NULL : json_loadb(buf_text(&reply), reply.length_bytes, 0, NULL);
	buf_done(&reply);
	if (!err && !json_is_object(status)) {
		json_decref(status);
		err = ERR_PROTOCOL;
	}
	if (!err)
		*ret_status = status;
	return err;
}
