/* SPDX-License-Identifier: Apache-2.0 */
/* host: a text as the counters and groups of a kernel: netstat's pairs of lines, /proc/PID/cgroup,
 * cpu.stat. What is found is a number that fits, or a path within its place. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lattice-probe/host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_path(const char *text)
{
	char path[48];

	memset(path, 'x', sizeof path);
	if (!host_cgroup_find_path(text, path, sizeof path)) {
		assert(path[0] == 'x');
		return;
	}
	assert(memchr(path, '\0', sizeof path) && path[0] == '/' && !strchr(path, '\n'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	uint64_t count = 0;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	check_path(text);
	if (host_cgroup_find_throttled(text, &count))
		assert(count <= INT64_MAX);
	if (host_counter_find(text, "TcpExt", "TCPRetransFail", &count))
		assert(count <= INT64_MAX);
	free(text);
	return 0;
}
