/* SPDX-License-Identifier: Apache-2.0 */
/* buf: a byte buffer born with a ceiling. It grows as needed up to max_bytes and refuses more
 * (ERR_LIMIT), so that nothing from outside can make us grow without bound. The bytes are always
 * followed by a NUL that length_bytes does not count. */
#ifndef LATTICE_PROBE_BUF_H
#define LATTICE_PROBE_BUF_H

#include <stdarg.h>
#include <stddef.h>

struct buf {
	char *data; /* NULL until the first byte arrives; see buf_text */
	size_t length_bytes;
	size_t capacity_bytes;
	size_t max_bytes;
	int failed; /* first error since init or clear: lets a writer check once, at the end */
};

/* An empty buffer that may hold max_bytes. Allocates nothing. */
void buf_init(struct buf *buf, size_t max_bytes);

/* Frees the bytes; buf_done_secret wipes them first. Both leave an empty, usable buffer. */
void buf_done(struct buf *buf);
void buf_done_secret(struct buf *buf);

/* Empties, keeps the memory and the ceiling. */
void buf_clear(struct buf *buf);

/* Appends; 0, ERR_LIMIT or ERR_NOMEM. On failure nothing was appended, and `failed` is set:
 * every later append fails with the same error until buf_clear. */
int buf_append(struct buf *buf, const void *bytes, size_t length_bytes);
int buf_append_text(struct buf *buf, const char *text);
int buf_append_char(struct buf *buf, char character);
int buf_append_format(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
int buf_append_format_v(struct buf *buf, const char *format, va_list arguments)
	__attribute__((format(printf, 2, 0)));

/* The bytes as text; "" when empty. Borrowed until the next change. */
const char *buf_text(const struct buf *buf);

/* Gives the bytes (caller frees, NUL-terminated) and leaves the buffer empty. NULL: no memory,
 * or an append had failed. */
char *buf_take(struct buf *buf);

#endif
