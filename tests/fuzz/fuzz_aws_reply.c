/* SPDX-License-Identifier: Apache-2.0 */
/* aws_reply: the first line as the error header, the rest as the body of an AWS reply. Code and message
 * stay in their places, are printable, and show nothing that could be a token. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lattice-probe/aws_call.h"
#include "lattice-probe/aws_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TOKEN_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="

static void check(const struct aws_reply_error *error)
{
	assert(memchr(error->code, '\0', sizeof error->code));
	assert(strspn(error->code, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") ==
		strlen(error->code));
	assert(memchr(error->message, '\0', sizeof error->message));
	for (const char *c = error->message; *c; c++) {
		assert(*c >= ' ' && *c <= '~');
		assert(strspn(c, TOKEN_LETTERS) < 40);
	}
}

static void classify(const struct aws_reply_error *error)
{
	static const int statuses[] = { 0, 200, 302, 400, 403, 404, 413, 429, 500, 503 };

	for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
		enum aws_class class_ = aws_class_of(statuses[i], error->code);

		assert((class_ == AWS_CLASS_OK) == (statuses[i] == 200));
		assert(aws_class_name(aws_class_refine(class_, error->code, error->message, 0)));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct aws_reply_error error;
	char *body;

	if (!text)
		return 0;
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	body = memchr(text, '\n', size);
	if (body)
		*body++ = '\0';
	aws_reply_read_error(text, body ? body : "", body ? size - (size_t)(body - text) : 0, &error);
	check(&error);
	classify(&error);
	aws_reply_read_error(NULL, text, strlen(text), &error);
	check(&error);
	free(text);
	return 0;
}
