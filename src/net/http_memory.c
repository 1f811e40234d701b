/* SPDX-License-Identifier: Apache-2.0 */
/* curl's buffers hold what was sent and received: session tokens, secret headers, the keys that the
 * metadata service hands out. curl frees them as they are; these functions wipe them first. A transfer
 * has some 50 KB of them, a matter of microseconds. */
#include "lattice-probe/http.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "http_internal.h"

static void wipe_and_free(void *memory)
{
	if (memory)
		explicit_bzero(memory, malloc_usable_size(memory));
	free(memory);
}

/* realloc() would leave the old bytes behind when it moves. */
static void *move_and_wipe(void *memory, size_t size)
{
	size_t old_bytes = memory ? malloc_usable_size(memory) : 0;
	void *moved;

	if (memory && size > 0 && size <= old_bytes)
		return memory;
	moved = malloc(size);
	if (!moved)
		return NULL;
	if (memory)
		memcpy(moved, memory, old_bytes < size ? old_bytes : size);
	wipe_and_free(memory);
	return moved;
}

CURLcode http_memory_init(void)
{
	return curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, wipe_and_free, move_and_wipe, strdup, calloc);
}
