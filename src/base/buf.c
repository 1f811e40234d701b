/* SPDX-License-Identifier: Apache-2.0 */
#include "lattice-probe/buf.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lattice-probe/err.h"

void buf_init(struct buf *buf, size_t max_bytes)
{
	assert(max_bytes < SIZE_MAX / 4);
	*buf = (struct buf){ .max_bytes = max_bytes };
}

void buf_done(struct buf *buf)
{
	free(buf->data);
	buf_init(buf, buf->max_bytes);
}

void buf_done_secret(struct buf *buf)
{
	if (buf->data)
		explicit_bzero(buf->data, buf->capacity_bytes);
	buf_done(buf);
}

void buf_clear(struct buf *buf)
{
	buf->length_bytes = 0;
	buf->failed = 0;
	if (buf->data)
		buf->data[0] = '\0';
}

/* Makes room for `more` bytes and a NUL. Old memory is wiped before it is left behind: nobody
 * knows here whether it held a secret. */
static int reserve(struct buf *buf, size_t more)
{
	size_t needed = buf->length_bytes + more + 1;
	size_t capacity = buf->capacity_bytes ? buf->capacity_bytes : 64;
	char *data;

	if (buf->failed)
		return buf->failed;
	if (more > buf->max_bytes - buf->length_bytes)
		return buf->failed = ERR_LIMIT;
	if (needed <= buf->capacity_bytes)
		return 0;
	while (capacity < needed)
		capacity *= 2;
	data = malloc(capacity);
	if (!data)
		return buf->failed = ERR_NOMEM;
	if (buf->data) {
		memcpy(data, buf->data, buf->length_bytes);
		explicit_bzero(buf->data, buf->length_bytes);
		free(buf->data);
	}
	buf->data = data;
	buf->capacity_bytes = capacity;
	return 0;
}

int buf_append(struct buf *buf, const void *bytes, size_t length_bytes)
{
	int err = reserve(buf, length_bytes);

	if (err)
		return err;
	if (length_bytes)
		memcpy(buf->data + buf->length_bytes, bytes, length_bytes);
	buf->length_bytes += length_bytes;
	buf->data[buf->length_bytes] = '\0';
	return 0;
}

int buf_append_text(struct buf *buf, const char *text)
{
	return buf_append(buf, text, strlen(text));
}

int buf_append_char(struct buf *buf, char character)
{
	return buf_append(buf, &character, 1);
}

int buf_append_format_v(struct buf *buf, const char *format, va_list arguments)
{
	va_list again;
	int length;
	int err;

	va_copy(again, arguments);
	length = vsnprintf(NULL, 0, format, arguments);
	assert(length >= 0);
	err = reserve(buf, (size_t)length);
	if (!err) {
		(void)vsnprintf(buf->data + buf->length_bytes, (size_t)length + 1, format, again);
		buf->length_bytes += (size_t)length;
	}
	va_end(again);
	return err;
}

int buf_append_format(struct buf *buf, const char *format, ...)
{
	va_list arguments;
	int err;

	va_start(arguments, format);
	err = buf_append_format_v(buf, format, arguments);
	va_end(arguments);
	return err;
}

const char *buf_text(const struct buf *buf)
{
	return buf->data ? buf->data : "";
}

char *buf_take(struct buf *buf)
{
	char *data;

	if (buf->failed || (!buf->data && reserve(buf, 0) != 0))
		return NULL;
	data = buf->data;
	data[buf->length_bytes] = '\0';
	buf_init(buf, buf->max_bytes);
	return data;
}
