/* SPDX-License-Identifier: Apache-2.0 */
/* To be preloaded: lets one allocation of the main thread fail. The number in the file that
 * $FAIL_ALLOCATION names is counted down to 0 by allocations, and the one that reaches 0 fails; the test
 * writes it while the program runs. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *old, size_t bytes);

static volatile int *left;

__attribute__((constructor)) static void start(void)
{
	const char *path = getenv("FAIL_ALLOCATION");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *shared;

	if (fd < 0)
		return;
	shared = mmap(NULL, sizeof *left, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	(void)close(fd);
	if (shared != MAP_FAILED)
		left = shared;
}

static int fails(void)
{
	if (!left || *left <= 0 || syscall(SYS_gettid) != getpid())
		return 0;
	return --*left == 0;
}

void *malloc(size_t bytes)
{
	return fails() ? NULL : __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
	return fails() ? NULL : __libc_calloc(count, bytes);
}

void *realloc(void *old, size_t bytes)
{
	return fails() ? NULL : __libc_realloc(old, bytes);
}
