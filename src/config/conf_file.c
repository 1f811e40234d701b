/* SPDX-License-Identifier: Apache-2.0 */
#include "config_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lattice-probe/err.h"

#define CHUNK_BYTES 16384

/* Always an error; %m in the format is that of the last call. */
static int explain(char **ret_why, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int explain(char **ret_why, const char *format, ...)
{
	va_list arguments;
	char *why;
	int length;

	va_start(arguments, format);
	length = vasprintf(&why, format, arguments);
	va_end(arguments);
	if (length < 0)
		return ERR_NOMEM;
	*ret_why = why;
	return ERR_IO;
}

static int judge_kind(const struct stat *status, bool may_be_pipe, char **ret_why)
{
	if (S_ISDIR(status->st_mode))
		return explain(ret_why, "is a directory");
	if (!S_ISREG(status->st_mode) && !may_be_pipe)
		return explain(ret_why, "is no regular file");
	return 0;
}

static int explain_append(int err, size_t max_bytes, char **ret_why)
{
	if (err != ERR_LIMIT)
		return err;
	if (max_bytes >= 1024 * 1024)
		return explain(ret_why, "is larger than %zu MiB", max_bytes / (1024 * 1024));
	return explain(ret_why, "is larger than %zu KiB", max_bytes / 1024);
}

static int read_all(int fd, size_t max_bytes, struct buf *content, char **ret_why)
{
	char chunk[CHUNK_BYTES];
	int err = 0;

	while (!err) {
		ssize_t got = read(fd, chunk, sizeof chunk);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			err = explain(ret_why, "cannot be read: %m");
		if (got <= 0)
			break;
		err = explain_append(buf_append(content, chunk, (size_t)got), max_bytes, ret_why);
	}
	explicit_bzero(chunk, sizeof chunk);
	return err;
}

/* Looked at before it is opened, because opening is enough to set off some devices; and without
 * waiting, because a FIFO would hold us until somebody writes to it. */
static int open_file(const char *path, bool may_be_pipe, int *ret_fd, char **ret_why)
{
	struct stat status;
	int err;
	int fd;

	if (stat(path, &status) != 0)
		return explain(ret_why, "cannot be opened: %m");
	err = judge_kind(&status, may_be_pipe, ret_why);
	if (err)
		return err;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | (may_be_pipe ? 0 : O_NONBLOCK));
	if (fd < 0)
		return explain(ret_why, "cannot be opened: %m");
	*ret_fd = fd;
	return 0;
}

int conf_file_read(const char *path, size_t max_bytes, bool may_be_pipe, struct conf_file *ret_file,
	char **ret_why)
{
	struct conf_file file = { 0 };
	struct stat status;
	int fd = -1;
	int err = open_file(path, may_be_pipe, &fd, ret_why);

	if (err)
		return err;
	buf_init(&file.content, max_bytes);
	if (fstat(fd, &status) != 0)
		err = explain(ret_why, "cannot be read: %m");
	if (!err)
		err = judge_kind(&status, may_be_pipe, ret_why);
	if (!err)
		err = read_all(fd, max_bytes, &file.content, ret_why);
	(void)close(fd);
	if (err) {
		buf_done_secret(&file.content);
		return err;
	}
	file.is_world_readable = S_ISREG(status.st_mode) && (status.st_mode & S_IROTH);
	*ret_file = file;
	return 0;
}

static bool is_conf_name(const char *name)
{
	size_t length = strlen(name);

	return name[0] != '.' && length > 5 && strcmp(name + length - 5, ".conf") == 0;
}

static int compare_paths(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Appends "directory/name" to the list. */
static int add_path(const char *directory, const char *name, char ***paths, size_t *count)
{
	char **grown = reallocarray(*paths, *count + 1, sizeof **paths);

	if (!grown)
		return ERR_NOMEM;
	*paths = grown;
	if (asprintf(&grown[*count], "%s/%s", directory, name) < 0)
		return ERR_NOMEM;
	(*count)++;
	return 0;
}

static int list(DIR *stream, const char *directory, char ***paths, size_t *count, char **ret_why)
{
	const struct dirent *entry;
	int err = 0;

	while (!err && (entry = readdir(stream))) {
		if (!is_conf_name(entry->d_name))
			continue;
		err = *count == CONF_FILES_MAX ? explain(ret_why, "holds more than %d files", CONF_FILES_MAX) :
			add_path(directory, entry->d_name, paths, count);
	}
	return err;
}

int conf_file_list(const char *directory, char ***ret_paths, size_t *ret_count, char **ret_why)
{
	DIR *stream = opendir(directory);
	char **paths = NULL;
	size_t count = 0;
	int err;

	if (!stream && errno != ENOENT)
		return explain(ret_why, "cannot be opened: %m");
	err = stream ? list(stream, directory, &paths, &count, ret_why) : 0;
	if (stream)
		(void)closedir(stream);
	if (err) {
		while (count > 0)
			free(paths[--count]);
		free(paths);
		return err;
	}
	if (count > 1)
		qsort(paths, count, sizeof *paths, compare_paths);
	*ret_paths = paths;
	*ret_count = count;
	return 0;
}

char *conf_file_beside(const char *from, const char *name)
{
	const char *slash = strrchr(from, '/');
	char *path = NULL;

	if (name[0] == '/' || !slash)
		return strdup(name);
	if (asprintf(&path, "%.*s/%s", (int)(slash - from), from, name) < 0)
		return NULL;
	return path;
}
