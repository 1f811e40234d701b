/* SPDX-License-Identifier: Apache-2.0 */
/* The socket is made under a name of its own, PATH.PID, gets its mode there, and is then renamed: nobody
 * ever meets it at its place with another mode, and a stale one is replaced in one step. The umask is the
 * whole process's, the thread pool's files included, so it is left alone. Two agents that start in the same
 * moment over a stale socket may both take the place; the later one keeps it, and the other, when it
 * stops, sees that the file is not its own. */
#include "status_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOCKET_MODE 0660 /* its owner and its group */
#define BACKLOG 64

bool status_file_address(const char *path, struct sockaddr_un *ret_address)
{
	size_t length = strlen(path);

	memset(ret_address, 0, sizeof *ret_address);
	ret_address->sun_family = AF_UNIX;
	if (length >= sizeof ret_address->sun_path)
		return false;
	memcpy(ret_address->sun_path, path, length + 1);
	return true;
}

/* Who listens, as the kernel noted it at listen(); 0: hidden from here (another PID namespace). */
static long listener_pid(int fd)
{
	struct ucred peer = { 0 };
	socklen_t size = sizeof peer;

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? (long)peer.pid : 0;
}

/* True when somebody listens, or when it cannot be told: then what is there stays. */
static bool is_taken(const struct sockaddr_un *address, char ret_why[static STATUS_SOCKET_WHY_SIZE])
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int failure = 0;

	if (fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) == 0) {
		(void)snprintf(ret_why, STATUS_SOCKET_WHY_SIZE, "process %ld listens there already",
			listener_pid(fd));
	} else {
		failure = errno;
		(void)snprintf(ret_why, STATUS_SOCKET_WHY_SIZE, "who listens there cannot be told: %s",
			strerror(failure));
	}
	if (fd >= 0)
		(void)close(fd);
	return failure != ECONNREFUSED && failure != ENOENT;
}

/* Whether the place is free, or holds the socket of an agent that is gone. */
static bool may_take(const char *path, const struct sockaddr_un *address,
	char ret_why[static STATUS_SOCKET_WHY_SIZE])
{
	struct stat found;

	if (lstat(path, &found) != 0) {
		(void)snprintf(ret_why, STATUS_SOCKET_WHY_SIZE, "%s", strerror(errno));
		return errno == ENOENT;
	}
	if (!S_ISSOCK(found.st_mode)) {
		(void)snprintf(ret_why, STATUS_SOCKET_WHY_SIZE, "a file that is no socket is in the way");
		return false;
	}
	return !is_taken(address, ret_why);
}

static int make(const char *name, char ret_why[static STATUS_SOCKET_WHY_SIZE])
{
	struct sockaddr_un address;
	int fd = -1;

	if (!status_file_address(name, &address)) {
		(void)snprintf(ret_why, STATUS_SOCKET_WHY_SIZE, "the path is too long");
		return -1;
	}
	(void)unlink(name); /* an earlier process of our number may have died here */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
	    chmod(name, SOCKET_MODE) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	(void)snprintf(ret_why, STATUS_SOCKET_WHY_SIZE, "%s",
		errno == ENOENT ? "its folder does not exist" : strerror(errno));
	if (fd >= 0)
		(void)close(fd);
	(void)unlink(name);
	return -1;
}

int status_file_listen(const char *path, struct stat *ret_identity, char ret_why[static STATUS_SOCKET_WHY_SIZE])
{
	char name[sizeof ((struct sockaddr_un *)0)->sun_path + 16];
	struct sockaddr_un address;
	int fd;

	if (!status_file_address(path, &address)) {
		(void)snprintf(ret_why, STATUS_SOCKET_WHY_SIZE, "the path is too long");
		return -1;
	}
	if (!may_take(path, &address, ret_why))
		return -1;
	(void)snprintf(name, sizeof name, "%s.%ld", path, (long)getpid());
	fd = make(name, ret_why);
	if (fd < 0)
		return -1;
	if (lstat(name, ret_identity) == 0 && rename(name, path) == 0)
		return fd;
	(void)snprintf(ret_why, STATUS_SOCKET_WHY_SIZE, "%s", strerror(errno));
	(void)close(fd);
	(void)unlink(name);
	return -1;
}

void status_file_remove(const char *path, const struct stat *identity)
{
	struct stat found;

	if (lstat(path, &found) == 0 && found.st_dev == identity->st_dev && found.st_ino == identity->st_ino)
		(void)unlink(path);
}
