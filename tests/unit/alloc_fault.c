/* SPDX-License-Identifier: Apache-2.0 */
#include "alloc_fault.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <ares.h>
#include <curl/curl.h>
#include <jansson.h>
#include <openssl/crypto.h>

/* Of this thread only: a server that a test runs beside itself keeps its memory. */
static _Thread_local struct {
	uint64_t countdown; /* 0: nothing will fail */
	unsigned whose;
	enum alloc_fault fault;
} armed;

static bool must_fail(enum alloc_fault whose)
{
	if (armed.countdown == 0 || !(armed.whose & whose) || --armed.countdown > 0)
		return false;
	armed.fault = whose;
	errno = ENOMEM;
	return true;
}

void alloc_fault_arm(uint64_t nth, unsigned whose)
{
	armed.whose = whose;
	armed.countdown = nth;
	armed.fault = ALLOC_FAULT_NONE;
}

enum alloc_fault alloc_fault_disarm(void)
{
	armed.countdown = 0;
	return armed.fault;
}

/* ---- ours: the linker sends every call of these here --------------------------------------- */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void *__real_reallocarray(void *block, size_t count, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t length);
int __real_vasprintf(char **ret_text, const char *format, va_list arguments) __attribute__((format(printf, 2, 0)));

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
void *__wrap_reallocarray(void *block, size_t count, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t length);
int __wrap_asprintf(char **ret_text, const char *format, ...) __attribute__((format(printf, 2, 3)));
int __wrap_vasprintf(char **ret_text, const char *format, va_list arguments) __attribute__((format(printf, 2, 0)));
int __wrap___asprintf_chk(char **ret_text, int flag, const char *format, ...) __attribute__((format(printf, 3, 4)));
int __wrap___vasprintf_chk(char **ret_text, int flag, const char *format, va_list arguments)
	__attribute__((format(printf, 3, 0)));

void *__wrap_malloc(size_t size)
{
	return must_fail(ALLOC_FAULT_OURS) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return must_fail(ALLOC_FAULT_OURS) ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *block, size_t size)
{
	return must_fail(ALLOC_FAULT_OURS) ? NULL : __real_realloc(block, size);
}

void *__wrap_reallocarray(void *block, size_t count, size_t size)
{
	return must_fail(ALLOC_FAULT_OURS) ? NULL : __real_reallocarray(block, count, size);
}

char *__wrap_strdup(const char *text)
{
	return must_fail(ALLOC_FAULT_OURS) ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t length)
{
	return must_fail(ALLOC_FAULT_OURS) ? NULL : __real_strndup(text, length);
}

int __wrap_vasprintf(char **ret_text, const char *format, va_list arguments)
{
	return must_fail(ALLOC_FAULT_OURS) ? -1 : __real_vasprintf(ret_text, format, arguments);
}

int __wrap_asprintf(char **ret_text, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = __wrap_vasprintf(ret_text, format, arguments);
	va_end(arguments);
	return length;
}

/* What _FORTIFY_SOURCE makes of the two above. */
int __wrap___vasprintf_chk(char **ret_text, int flag, const char *format, va_list arguments)
{
	(void)flag;
	return __wrap_vasprintf(ret_text, format, arguments);
}

int __wrap___asprintf_chk(char **ret_text, int flag, const char *format, ...)
{
	va_list arguments;
	int length;

	(void)flag;
	va_start(arguments, format);
	length = __wrap_vasprintf(ret_text, format, arguments);
	va_end(arguments);
	return length;
}

/* ---- the libraries' ------------------------------------------------------------------------ */

#define DEFINE_HOOKS(name, whose)                                                   \
	static void *name##_malloc(size_t size)                                     \
	{                                                                           \
		return must_fail(whose) ? NULL : __real_malloc(size);               \
	}                                                                           \
                                                                                    \
	static void *name##_realloc(void *block, size_t size)                       \
	{                                                                           \
		return must_fail(whose) ? NULL : __real_realloc(block, size);       \
	}

DEFINE_HOOKS(curl, ALLOC_FAULT_CURL)
DEFINE_HOOKS(library, ALLOC_FAULT_LIBRARY)

static void *curl_calloc(size_t count, size_t size)
{
	return must_fail(ALLOC_FAULT_CURL) ? NULL : __real_calloc(count, size);
}

static char *curl_strdup(const char *text)
{
	return must_fail(ALLOC_FAULT_CURL) ? NULL : __real_strdup(text);
}

static void *crypto_malloc(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return size ? library_malloc(size) : NULL;
}

static void *crypto_realloc(void *block, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return library_realloc(block, size);
}

static void crypto_free(void *block, const char *file, int line)
{
	(void)file;
	(void)line;
	free(block);
}

void alloc_fault_start(void)
{
	/* OpenSSL takes hooks only before its first allocation, which curl's start makes. */
	if (CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free) != 1)
		abort();
	if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, curl_malloc, free, curl_realloc, curl_strdup, curl_calloc) != CURLE_OK)
		abort();
	if (ares_library_init_mem(ARES_LIB_INIT_ALL, library_malloc, free, library_realloc) != ARES_SUCCESS)
		abort();
	json_set_alloc_funcs(library_malloc, free);
}

/* ---- the sweep ----------------------------------------------------------------------------- */

#define ALLOCATIONS_MAX 20000

void alloc_fault_sweep(bool (*attempt)(void), unsigned whose, enum alloc_fault_report report, unsigned stride)
{
	uint64_t nth = 1;
	enum alloc_fault fault;
	bool had_all;

	assert_true(attempt());
	do {
		assert_true(nth < ALLOCATIONS_MAX);
		alloc_fault_arm(nth, whose);
		had_all = attempt();
		fault = alloc_fault_disarm();
		if (had_all && fault == ALLOC_FAULT_OURS && report == ALLOC_FAULT_REPORTED)
			fail_msg("allocation %u failed and nobody said so", (unsigned)nth);
		if (!had_all && fault == ALLOC_FAULT_NONE)
			fail_msg("attempt %u failed without a cause", (unsigned)nth);
		nth += stride;
	} while (fault != ALLOC_FAULT_NONE);
	assert_true(had_all);
	assert_true(nth > 1 + stride); /* else none of its allocations was seen, and nothing shown */
}
