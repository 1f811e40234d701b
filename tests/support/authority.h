/* SPDX-License-Identifier: Apache-2.0 */
/* authority: a certificate authority for one test: its PEM file to trust, and server contexts with
 * any kind of certificate. P-256 keys, made anew each time. Fails the test on any trouble. */
#ifndef AUTHORITY_H
#define AUTHORITY_H

#include <stdbool.h>

#include <openssl/ssl.h>

#define AUTHORITY_DAY_S (24L * 60 * 60)

struct authority {
	X509 *certificate;
	EVP_PKEY *key;
	char path[64]; /* of the PEM file; removed by authority_done */
};

struct authority_leaf {
	const char *names;   /* as in openssl.cnf: "DNS:service.example,IP:127.0.0.1" */
	long from_s;         /* validity, relative to now */
	long to_s;
	bool is_self_signed;
};

void authority_init(struct authority *authority);
void authority_done(struct authority *authority);

/* Writes the PEM file anew at the same path, as a package update would. */
void authority_write(const struct authority *authority, const char *path);

/* Gives a context for a server with such a certificate. */
SSL_CTX *authority_server(const struct authority *authority, const struct authority_leaf *leaf);

#endif
