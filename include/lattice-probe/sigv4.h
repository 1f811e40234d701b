/* SPDX-License-Identifier: Apache-2.0 */
/* sigv4: AWS Signature Version 4, header form, on OpenSSL EVP
 * (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html).
 * Pure: takes the instant, sends nothing, keeps nothing; keys are wiped before return. */
#ifndef LATTICE_PROBE_SIGV4_H
#define LATTICE_PROBE_SIGV4_H

#include <stdbool.h>
#include <stddef.h>

#include "lattice-probe/buf.h"
#include "lattice-probe/units.h"

struct sigv4_header {
	const char *name;
	const char *value;
};

struct sigv4_request {
	const char *method;
	const char *path;               /* as sent on the wire, "/" at least, without query */
	const char *query;              /* as sent on the wire, NULL or "": none */
	const struct sigv4_header *headers; /* to be signed, host included, any order; unsignable ones
	                                       (user-agent, expect, connection, …) are left out of the
	                                       signature by themselves */
	size_t header_count;
	const void *payload;
	size_t payload_bytes;
	const char *payload_hash;       /* literal instead of the hash: "UNSIGNED-PAYLOAD"; NULL: hash */

	const char *access_key_id;
	const char *secret_access_key;
	const char *session_token;      /* NULL: none; else X-Amz-Security-Token is added and signed */
	bool token_is_unsigned;         /* add the token after signing (some services; test vectors) */
	const char *region;
	const char *service;
	bool normalize_path;            /* true for every service but S3 */
	bool sign_body_header;          /* also add and sign X-Amz-Content-Sha256 */
	struct wall instant;
};

#define SIGV4_TEXT_MAX (256 * 1024)

/* The pieces, so that tests can see each; buffers must be initialised by the caller. */
struct sigv4_signature {
	struct buf canonical_request;
	struct buf string_to_sign;
	struct buf authorization;       /* value of the Authorization header */
	char date[WALL_TEXT_SIZE];      /* value of X-Amz-Date */
	char payload_hash[65];          /* hex, or the literal */
	char signature[65];
};

void sigv4_signature_init(struct sigv4_signature *signature);
void sigv4_signature_done(struct sigv4_signature *signature); /* wipes */

/* Signs. The caller sends X-Amz-Date (and X-Amz-Security-Token, X-Amz-Content-Sha256 where asked)
 * with exactly these values. X-Amz-Date, the token and the content hash must not be in headers: they
 * are added here. 0, ERR_NOMEM, ERR_LIMIT, ERR_CRYPTO. */
int sigv4_sign(const struct sigv4_request *request, struct sigv4_signature *signature);

#endif
