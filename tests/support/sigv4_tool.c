/* SPDX-License-Identifier: Apache-2.0 */
/* sigv4_tool: signs what it is told, so that another signer can be held against it. Reads one JSON
 * request per line on stdin and prints one JSON line with the pieces. Bytes travel as Latin-1: each
 * character U+0001..U+00FF is one byte; the payload is hex. The keys are AWS's documented examples.
 *
 * {"method","path","query","headers":[[name,value],…],"payload_hex","payload_hash","access_key_id",
 *  "secret_access_key","session_token","token_is_unsigned","region","service","normalize_path",
 *  "sign_body_header","instant_s"}; query, payload_hash and session_token may be null. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "lattice-probe/err.h"
#include "lattice-probe/sigv4.h"

#define HEADERS_MAX 64

static void fail(const char *why)
{
	(void)fprintf(stderr, "sigv4_tool: %s\n", why);
	exit(2);
}

/* What one line allocated; freed when it is answered. */
static void *kept[2 * HEADERS_MAX + 8];
static size_t kept_count;

static void *keep(size_t bytes)
{
	void *memory = malloc(bytes);

	if (!memory || kept_count == sizeof kept / sizeof *kept)
		fail("no memory");
	kept[kept_count++] = memory;
	return memory;
}

static void let_go(void)
{
	while (kept_count > 0)
		free(kept[--kept_count]);
}

/* UTF-8 of U+0001..U+00FF to bytes, NULL stays NULL. */
static char *latin1(const json_t *value)
{
	const char *text = json_string_value(value);
	char *copy;
	size_t length = 0;

	if (!text)
		return NULL;
	copy = keep(strlen(text) + 1);
	while (*text) {
		unsigned char byte = (unsigned char)*text++;

		if (byte >= 0x80) {
			if (byte > 0xc3)
				fail("a character above U+00FF");
			byte = (unsigned char)((byte & 3) << 6 | (*text++ & 0x3f));
		}
		copy[length++] = (char)byte;
	}
	copy[length] = '\0';
	return copy;
}

static unsigned char hex_pair(const char *text)
{
	const char pair[3] = { text[0], text[1], '\0' };

	return (unsigned char)strtoul(pair, NULL, 16);
}

static size_t read_payload(const json_t *value, unsigned char **ret_bytes)
{
	const char *hex = json_string_value(value);
	size_t length = hex ? strlen(hex) / 2 : 0;
	unsigned char *bytes = keep(length + 1);

	for (size_t i = 0; i < length; i++)
		bytes[i] = hex_pair(hex + 2 * i);
	*ret_bytes = bytes;
	return length;
}

static json_t *bytes_value(const char *bytes)
{
	struct buf text;
	json_t *value;

	buf_init(&text, 4 * SIGV4_TEXT_MAX);
	for (; *bytes; bytes++) {
		unsigned char byte = (unsigned char)*bytes;

		if (byte >= 0x80)
			(void)buf_append_char(&text, (char)(0xc0 | byte >> 6));
		(void)buf_append_char(&text, (char)(byte >= 0x80 ? 0x80 | (byte & 0x3f) : byte));
	}
	value = json_string(buf_text(&text));
	buf_done(&text);
	return value;
}

static json_t *answer(int err, const struct sigv4_signature *signature)
{
	return json_pack("{s:i,s:o,s:o,s:o,s:s,s:s,s:s}", "err", err,
		"canonical_request", bytes_value(buf_text(&signature->canonical_request)),
		"string_to_sign", bytes_value(buf_text(&signature->string_to_sign)),
		"authorization", bytes_value(buf_text(&signature->authorization)),
		"date", signature->date, "payload_hash", signature->payload_hash, "signature", signature->signature);
}

static size_t read_headers(const json_t *list, struct sigv4_header headers[HEADERS_MAX])
{
	size_t count = json_array_size(list);

	if (count > HEADERS_MAX)
		fail("too many headers");
	for (size_t i = 0; i < count; i++) {
		const json_t *pair = json_array_get(list, i);

		headers[i].name = latin1(json_array_get(pair, 0));
		headers[i].value = latin1(json_array_get(pair, 1));
	}
	return count;
}

static void sign_line(const json_t *line)
{
	struct sigv4_header headers[HEADERS_MAX];
	struct sigv4_signature signature;
	unsigned char *payload;
	struct sigv4_request request = {
		.method = json_string_value(json_object_get(line, "method")),
		.path = latin1(json_object_get(line, "path")),
		.query = latin1(json_object_get(line, "query")),
		.headers = headers,
		.header_count = read_headers(json_object_get(line, "headers"), headers),
		.payload_bytes = read_payload(json_object_get(line, "payload_hex"), &payload),
		.payload_hash = json_string_value(json_object_get(line, "payload_hash")),
		.access_key_id = json_string_value(json_object_get(line, "access_key_id")),
		.secret_access_key = json_string_value(json_object_get(line, "secret_access_key")),
		.session_token = json_string_value(json_object_get(line, "session_token")),
		.token_is_unsigned = json_is_true(json_object_get(line, "token_is_unsigned")),
		.region = json_string_value(json_object_get(line, "region")),
		.service = json_string_value(json_object_get(line, "service")),
		.normalize_path = json_is_true(json_object_get(line, "normalize_path")),
		.sign_body_header = json_is_true(json_object_get(line, "sign_body_header")),
		.instant = { json_integer_value(json_object_get(line, "instant_s")) * US_PER_S },
	};
	json_t *pieces;
	char *text;

	if (!request.method || !request.path || !request.access_key_id || !request.secret_access_key ||
	    !request.region || !request.service)
		fail("a field is missing");
	request.payload = payload;
	sigv4_signature_init(&signature);
	pieces = answer(sigv4_sign(&request, &signature), &signature);
	text = json_dumps(pieces, JSON_COMPACT);
	if (!text)
		fail("the answer is no JSON");
	(void)puts(text);
	free(text);
	json_decref(pieces);
	sigv4_signature_done(&signature);
}

int main(void)
{
	char *line = NULL;
	size_t capacity = 0;

	while (getline(&line, &capacity, stdin) > 0) {
		json_error_t error;
		json_t *value = json_loads(line, JSON_ALLOW_NUL, &error);

		if (!value)
			fail(error.text);
		sign_line(value);
		let_go();
		json_decref(value);
	}
	free(line);
	return fflush(stdout) == 0 ? 0 : 1;
}
