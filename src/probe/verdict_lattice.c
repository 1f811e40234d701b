/* SPDX-License-Identifier: Apache-2.0 */
#include "lattice-probe/verdict_lattice.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lattice-probe/http.h"
#include "lattice-probe/target.h"

#define REQUEST_ID "x-amzn-requestid"
#define ACCOUNT_DIGITS 12

/* ---- redaction ---------------------------------------------------------------------------- */

/* Room-checked output; what does not fit is dropped. */
struct sink {
	char *text;
	size_t size;
	size_t length;
};

static void put(struct sink *sink, char character)
{
	if (sink->length + 1 < sink->size)
		sink->text[sink->length++] = character;
}

static void put_mask(struct sink *sink, size_t count)
{
	for (size_t i = 0; i < count; i++)
		put(sink, '*');
}

static size_t count_digits(const char *text, size_t length)
{
	size_t count = 0;

	while (count < length && isdigit((unsigned char)text[count]))
		count++;
	return count;
}

/* Length of "user/", "role/" or "assumed-role/" at text, 0 for none. */
static size_t principal_prefix(const char *text, size_t length)
{
	static const char *const prefixes[] = { "assumed-role/", "federated-user/", "role/", "user/" };

	for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
		size_t prefix = strlen(prefixes[i]);

		if (prefix <= length && memcmp(text, prefixes[i], prefix) == 0)
			return prefix;
	}
	return 0;
}

static bool ends_name(char character)
{
	return isspace((unsigned char)character) || character == '"' || character == ',';
}

/* "role/NAME/SESSION" up to the next space: the kind stays, the names go. Moves *at behind it. */
static void mask_principal(struct sink *sink, const char *text, size_t length, size_t prefix, size_t *at)
{
	for (size_t i = 0; i < prefix; i++)
		put(sink, text[*at + i]);
	*at += prefix;
	put_mask(sink, 3);
	while (*at < length && !ends_name(text[*at]))
		(*at)++;
}

void verdict_lattice_redact(const char *text, size_t length, char *ret_text, size_t size)
{
	struct sink sink = { ret_text, size, 0 };
	size_t at = 0;

	while (at < length) {
		size_t prefix = principal_prefix(text + at, length - at);
		size_t digits = count_digits(text + at, length - at);

		if (prefix) {
			mask_principal(&sink, text, length, prefix, &at);
		} else if (digits >= ACCOUNT_DIGITS) {
			put_mask(&sink, ACCOUNT_DIGITS);
			at += digits;
		} else {
			for (size_t i = 0; i < (digits ? digits : 1); i++)
				put(&sink, isprint((unsigned char)text[at + i]) ? text[at + i] : ' ');
			at += digits ? digits : 1;
		}
	}
	if (size)
		ret_text[sink.length] = '\0';
}

/* ---- 403 ---------------------------------------------------------------------------------- */

static const char *find(const struct http_reply *reply, const char *words)
{
	size_t length = strlen(words);

	for (size_t i = 0; i + length <= reply->body_bytes; i++)
		if (memcmp(reply->body + i, words, length) == 0)
			return reply->body + i;
	return NULL;
}

bool verdict_lattice_is_auth_denied(const struct http_reply *reply)
{
	return reply->status == 403 && find(reply, "AccessDenied") != NULL &&
	       find(reply, "not authorized to perform: vpc-lattice-svcs:Invoke") != NULL;
}

/* From words to the end of the line, or to `stop`. */
static size_t extent(const struct http_reply *reply, const char *from, const char *stop)
{
	const char *end = reply->body + reply->body_bytes;
	size_t stop_length = strlen(stop);
	const char *at = from;

	while (at < end && *at != '\n' && *at != '\r' &&
	       !((size_t)(end - at) >= stop_length && memcmp(at, stop, stop_length) == 0))
		at++;
	return (size_t)(at - from);
}

void verdict_lattice_describe_denial(const struct http_reply *reply, char *ret_detail, size_t detail_size)
{
	const char *user = find(reply, "User: ");
	const char *because = find(reply, "because ");
	char who[80] = "the caller";
	char why[96] = "not authorized to perform vpc-lattice-svcs:Invoke";

	if (user)
		verdict_lattice_redact(user + 6, extent(reply, user + 6, " is not authorized"), who, sizeof who);
	if (because)
		verdict_lattice_redact(because, extent(reply, because, "}"), why, sizeof why);
	(void)snprintf(ret_detail, detail_size, "%s: %s", who, why);
}

/* ---- 404 ---------------------------------------------------------------------------------- */

static const char *sent_request_id(const struct target *target)
{
	for (size_t i = 0; i < target->header_count; i++)
		if (strcasecmp(target->headers[i].name, REQUEST_ID) == 0)
			return target->headers[i].value;
	return NULL;
}

bool verdict_lattice_is_bare(const struct http_reply *reply)
{
	static const char *const bare[] = { "date", "content-length", "connection", REQUEST_ID };

	for (size_t i = 0; i < reply->header_count; i++) {
		size_t known = 0;

		while (known < sizeof bare / sizeof *bare &&
		       strcasecmp(reply->headers[i].name, bare[known]) != 0)
			known++;
		if (known == sizeof bare / sizeof *bare)
			return false;
	}
	return true;
}

bool verdict_lattice_is_no_route(const struct target *target, const struct http_reply *reply)
{
	const char *sent = sent_request_id(target);
	const char *echoed = http_reply_header(reply, REQUEST_ID);

	if (reply->status != 404 || reply->received_bytes != 0 || target->expect_header_count == 0)
		return false;
	if (!sent || !*sent || !echoed || strcmp(sent, echoed) != 0 || !verdict_lattice_is_bare(reply))
		return false;
	for (size_t i = 0; i < target->expect_header_count; i++)
		if (http_reply_header(reply, target->expect_headers[i].name))
			return false;
	return true;
}
