/* SPDX-License-Identifier: Apache-2.0 */
/* What the server sends, kept within bounds: the header lines of the final response as
 * "name NUL value NUL …", and the body. */
#include "lattice-probe/http.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http_internal.h"

#include "lattice-probe/err.h"

/* "HTTP/1.1 200 OK" or "HTTP/2 200": version as 10, 11, 20, and the three digits behind it. curl
 * passes on nothing as a status line that is none. */
static void read_status_line(struct http_response *response, const char *line, size_t length)
{
	size_t at = sizeof "HTTP/" - 1;
	int major = 0;
	int minor = 0;

	response->status = 0;
	if (at < length && isdigit((unsigned char)line[at]))
		major = line[at++] - '0';
	if (at + 1 < length && line[at] == '.' && isdigit((unsigned char)line[at + 1])) {
		minor = line[at + 1] - '0';
		at += 2;
	}
	response->http_version = major * 10 + minor;
	while (at < length && line[at] == ' ')
		at++;
	for (int i = 0; i < 3 && at < length && isdigit((unsigned char)line[at]); i++)
		response->status = response->status * 10 + (line[at++] - '0');
}

static int append_clean(struct buf *text, const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		(void)buf_append_char(text, bytes[i] ? bytes[i] : ' ');
	return text->failed;
}

static void trim(const char **bytes, size_t *length)
{
	while (*length > 0 && isspace((unsigned char)**bytes)) {
		(*bytes)++;
		(*length)--;
	}
	while (*length > 0 && isspace((unsigned char)(*bytes)[*length - 1]))
		(*length)--;
}

/* A folded line (RFC 9112 section 5.2) continues the value that ends header_text. */
static int add_folded(struct http_response *response, const char *line, size_t length)
{
	if (response->header_count == 0)
		return 0;
	trim(&line, &length);
	response->header_text.length_bytes--;
	(void)buf_append_char(&response->header_text, ' ');
	(void)append_clean(&response->header_text, line, length);
	return buf_append_char(&response->header_text, '\0');
}

static int add_header(struct http_response *response, const char *line, size_t length)
{
	const char *colon = memchr(line, ':', length);
	const char *value;
	size_t value_length;
	size_t name_length;

	if (line[0] == ' ' || line[0] == '\t')
		return add_folded(response, line, length);
	if (!colon)
		return 0;
	name_length = (size_t)(colon - line);
	value = colon + 1;
	value_length = length - name_length - 1;
	trim(&line, &name_length);
	trim(&value, &value_length);
	(void)append_clean(&response->header_text, line, name_length);
	(void)buf_append_char(&response->header_text, '\0');
	(void)append_clean(&response->header_text, value, value_length);
	response->header_count++;
	return buf_append_char(&response->header_text, '\0');
}

static bool is_within_limits(const struct http_response *response)
{
	return response->header_bytes <= HTTP_HEADERS_MAX_BYTES &&
	       response->header_count <= HTTP_HEADERS_MAX_COUNT;
}

/* One line of a header block, the status line and the empty line included. Trailers come here too,
 * after the body: counted, not kept. */
static int take_line(struct http_response *response, const char *line, size_t length)
{
	if (response->is_header_complete)
		return 0;
	if (length >= 5 && strncasecmp(line, "HTTP/", 5) == 0) {
		buf_clear(&response->header_text);
		response->header_count = 0;
		read_status_line(response, line, length);
		return 0;
	}
	if (line[0] == '\r' || line[0] == '\n') {
		response->is_header_complete = response->status >= 200;
		return 0;
	}
	return add_header(response, line, length);
}

/* What both callbacks come to. Returning another number than they were given ends the transfer;
 * http_reply then finds the reason in the transfer. */
static bool is_acceptable(struct http_transfer *transfer, int err)
{
	transfer->response.is_too_large |= err == ERR_LIMIT;
	transfer->is_out_of_memory |= err == ERR_NOMEM;
	return err == 0;
}

static void mark_first_byte(struct http_transfer *transfer)
{
	if (!mono_is_set(transfer->reply.first_byte))
		transfer->reply.first_byte = mono_now();
}

size_t http_response_header(char *bytes, size_t size, size_t count, void *user)
{
	struct http_transfer *transfer = user;
	struct http_response *response = &transfer->response;
	size_t length = size * count;
	int err = 0;

	mark_first_byte(transfer);
	response->header_bytes += length;
	if (length > 0)
		err = take_line(response, bytes, length);
	if (!err && !is_within_limits(response))
		err = ERR_LIMIT;
	return is_acceptable(transfer, err) ? length : 0;
}

/* How much of the body is worth keeping: a 403's beginning always, because only its text tells
 * Lattice's refusal from the application's. */
static size_t keep_limit(const struct http_transfer *transfer)
{
	size_t max_bytes = (size_t)transfer->request.max_body_bytes;

	if (transfer->request.keep_body)
		return max_bytes;
	if (transfer->response.status == 403)
		return max_bytes < HTTP_DENIAL_BYTES ? max_bytes : HTTP_DENIAL_BYTES;
	return 0;
}

size_t http_response_body(char *bytes, size_t size, size_t count, void *user)
{
	struct http_transfer *transfer = user;
	struct http_response *response = &transfer->response;
	size_t length = size * count;
	size_t kept = response->body.length_bytes;
	size_t limit = keep_limit(transfer);
	int err = 0;

	mark_first_byte(transfer);
	response->body_bytes += (int64_t)length;
	if (response->body_bytes > transfer->request.max_body_bytes)
		err = ERR_LIMIT;
	else if (kept < limit)
		err = buf_append(&response->body, bytes, length < limit - kept ? length : limit - kept);
	return is_acceptable(transfer, err) ? length : 0;
}

static int make_lines(struct http_transfer *transfer)
{
	const struct http_response *response = &transfer->response;
	const char *at = buf_text(&response->header_text);

	if (response->header_count == 0)
		return 0;
	transfer->lines = calloc(response->header_count, sizeof *transfer->lines);
	if (!transfer->lines)
		return ERR_NOMEM;
	for (size_t i = 0; i < response->header_count; i++) {
		transfer->lines[i].name = at;
		at += strlen(at) + 1;
		transfer->lines[i].value = at;
		at += strlen(at) + 1;
	}
	transfer->reply.headers = transfer->lines;
	transfer->reply.header_count = response->header_count;
	return 0;
}

int http_response_finish(struct http_transfer *transfer)
{
	const struct http_response *response = &transfer->response;
	struct http_reply *reply = &transfer->reply;

	reply->body = buf_text(&response->body);
	reply->body_bytes = response->body.length_bytes;
	reply->received_bytes = response->body_bytes;
	if (!response->is_header_complete)
		return 0;
	reply->status = response->status;
	reply->http_version = response->http_version;
	return make_lines(transfer);
}
