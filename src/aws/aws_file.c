/* SPDX-License-Identifier: Apache-2.0 */
#include "aws_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lattice-probe/err.h"

static int error_of_errno(void)
{
	switch (errno) {
	case ENOENT:
	case ENOTDIR: return ERR_NOT_FOUND;
	case EACCES:
	case EPERM: return ERR_DENIED;
	case EMFILE:
	case ENFILE: return ERR_NOFD;
	default: return ERR_IO;
	}
}

static int read_all(int fd, struct buf *text)
{
	char block[4096];
	int err = 0;

	for (;;) {
		ssize_t got = read(fd, block, sizeof block);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			err = ERR_IO;
		if (got <= 0 || err)
			break;
		err = buf_append(text, block, (size_t)got);
		if (err)
			break;
	}
	explicit_bzero(block, sizeof block);
	return err;
}

/* Without O_NONBLOCK a FIFO in the file's place would stop the loop. */
int aws_file_read(const char *path, struct buf *ret_text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat status;
	int err;

	if (fd < 0)
		return error_of_errno();
	if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
		err = ERR_IO;
	else
		err = read_all(fd, ret_text);
	(void)close(fd);
	return err;
}
