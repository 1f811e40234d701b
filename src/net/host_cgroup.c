/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel's CPU controller says of the group that this process is in. Paths and texts of cgroup
 * version 2; with version 1, and in the root group, there is nothing to read. */
#include "lattice-probe/host.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lattice-probe/parse.h"

#define TEXT_SIZE 4096 /* a cpu.stat has some 300 bytes */
#define KEY "throttled_usec "

/* False: not there, or longer than its place. */
static bool read_text(const char *path, char ret_text[static TEXT_SIZE])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t length;

	if (fd < 0)
		return false;
	length = read(fd, ret_text, TEXT_SIZE);
	(void)close(fd);
	if (length < 0 || length == TEXT_SIZE)
		return false;
	ret_text[length] = '\0';
	return true;
}

static const char *next_line(const char *text)
{
	text += strcspn(text, "\n");
	return *text ? text + 1 : text;
}

bool host_cgroup_find_path(const char *text, char *ret_path, size_t size)
{
	for (; *text; text = next_line(text)) {
		size_t length = strcspn(text, "\n");

		if (strncmp(text, "0::/", 4) != 0)
			continue;
		if (length - 3 >= size)
			return false;
		memcpy(ret_path, text + 3, length - 3);
		ret_path[length - 3] = '\0';
		return true;
	}
	return false;
}

bool host_cgroup_find_throttled(const char *text, uint64_t *ret_throttled_us)
{
	for (; *text; text = next_line(text)) {
		size_t length = strcspn(text, "\n");
		char number[24];
		int64_t value;

		if (strncmp(text, KEY, strlen(KEY)) != 0)
			continue;
		length -= strlen(KEY);
		if (length >= sizeof number)
			return false;
		memcpy(number, text + strlen(KEY), length);
		number[length] = '\0';
		if (parse_int64(number, 0, INT64_MAX, &value) != 0)
			return false;
		*ret_throttled_us = (uint64_t)value;
		return true;
	}
	return false;
}

bool host_cgroup_read_throttled(const char *root, uint64_t *ret_throttled_us)
{
	char path[PATH_MAX];
	char group[PATH_MAX - 64];
	char text[TEXT_SIZE];

	if (snprintf(path, sizeof path, "%s/proc/self/cgroup", root) >= (int)sizeof path || !read_text(path, text) ||
	    !host_cgroup_find_path(text, group, sizeof group))
		return false;
	if (snprintf(path, sizeof path, "%s/sys/fs/cgroup%s/cpu.stat", root, group) >= (int)sizeof path)
		return false;
	return read_text(path, text) && host_cgroup_find_throttled(text, ret_throttled_us);
}
