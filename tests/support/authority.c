/* SPDX-License-Identifier: Apache-2.0 */
#include "authority.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

static void must(bool is_fine)
{
	if (!is_fine)
		abort();
}

static void add_extension(X509 *certificate, X509 *issuer, int kind, const char *text)
{
	X509V3_CTX context;
	X509_EXTENSION *extension;

	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, kind, text);
	must(extension && X509_add_ext(certificate, extension, -1) == 1);
	X509_EXTENSION_free(extension);
}

static X509 *make_certificate(const char *common_name, EVP_PKEY *key, X509 *issuer, long from_s, long to_s)
{
	static long serial = 1;
	X509 *certificate = X509_new();
	X509_NAME *name;

	must(certificate && X509_set_version(certificate, X509_VERSION_3) == 1);
	must(ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++) == 1);
	must(X509_gmtime_adj(X509_getm_notBefore(certificate), from_s) != NULL);
	must(X509_gmtime_adj(X509_getm_notAfter(certificate), to_s) != NULL);
	must(X509_set_pubkey(certificate, key) == 1);
	name = X509_get_subject_name(certificate);
	must(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)common_name, -1, -1,
		0) == 1);
	must(X509_set_issuer_name(certificate, issuer ? X509_get_subject_name(issuer) : name) == 1);
	return certificate;
}

void authority_write(const struct authority *authority, const char *path)
{
	FILE *file = fopen(path, "w");

	must(file && PEM_write_X509(file, authority->certificate) == 1 && fclose(file) == 0);
}

void authority_init(struct authority *authority)
{
	int fd;

	(void)snprintf(authority->path, sizeof authority->path, "/tmp/lattice-probe-ca-XXXXXX");
	fd = mkstemp(authority->path);
	must(fd >= 0 && close(fd) == 0);
	authority->key = EVP_EC_gen("P-256");
	must(authority->key != NULL);
	authority->certificate = make_certificate("Test CA", authority->key, NULL, -365 * AUTHORITY_DAY_S,
		365 * AUTHORITY_DAY_S);
	add_extension(authority->certificate, authority->certificate, NID_basic_constraints, "critical,CA:TRUE");
	must(X509_sign(authority->certificate, authority->key, EVP_sha256()) > 0);
	authority_write(authority, authority->path);
}

void authority_done(struct authority *authority)
{
	(void)unlink(authority->path);
	X509_free(authority->certificate);
	EVP_PKEY_free(authority->key);
}

SSL_CTX *authority_server(const struct authority *authority, const struct authority_leaf *leaf)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *issuer = leaf->is_self_signed ? NULL : authority->certificate;
	X509 *certificate;

	must(context && key);
	certificate = make_certificate("Test Leaf", key, issuer, leaf->from_s, leaf->to_s);
	add_extension(certificate, issuer ? issuer : certificate, NID_subject_alt_name, leaf->names);
	must(X509_sign(certificate, issuer ? authority->key : key, EVP_sha256()) > 0);
	must(SSL_CTX_use_certificate(context, certificate) == 1 && SSL_CTX_use_PrivateKey(context, key) == 1);
	X509_free(certificate);
	EVP_PKEY_free(key);
	return context;
}
