/* SPDX-License-Identifier: Apache-2.0 */
/* aws_reply: what an error reply of an AWS service says, in whichever of its forms it says it. Pure. */
#ifndef LATTICE_PROBE_AWS_REPLY_H
#define LATTICE_PROBE_AWS_REPLY_H

#include <stddef.h>

#define AWS_REPLY_CODE_SIZE 96
#define AWS_REPLY_MESSAGE_SIZE 256

struct aws_reply_error {
	char code[AWS_REPLY_CODE_SIZE];       /* "ThrottlingException"; "": not said */
	char message[AWS_REPLY_MESSAGE_SIZE]; /* masked; "": not said */
};

/* `header`: the value of x-amzn-query-error or x-amzn-errortype, or NULL. */
void aws_reply_read_error(const char *header, const char *body, size_t body_bytes, struct aws_reply_error *ret_error);

/* The first line of `text` made printable, with account ids, key ids and what looks like a token
 * replaced by "***", cut at `size`. */
void aws_reply_mask(const char *text, char *ret_text, size_t size);

#endif
