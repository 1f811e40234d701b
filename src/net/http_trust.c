/* SPDX-License-Identifier: Apache-2.0 */
/* CA stores, loaded once and shared by all connections: Debian's bundle costs 28 ms of CPU each time
 * it is read, which would be measured as TLS time. One stat per request notices a new bundle, so
 * that a daemon that runs for months follows the distribution's updates. */
#include "lattice-probe/http.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509.h>

#include "http_internal.h"

#include "lattice-probe/err.h"

/* The file whose change is noticed: of the default places the bundle, by OpenSSL's own rule. */
static const char *watched_path(const char *path)
{
	const char *variable;

	if (path)
		return path;
	variable = getenv(X509_get_default_cert_file_env());
	return variable ? variable : X509_get_default_cert_file();
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* An intermediate in the file suffices as an anchor (PARTIAL_CHAIN), as curl has it. */
static int load(const char *path, X509_STORE **ret_store)
{
	X509_STORE *store = X509_STORE_new();
	int is_loaded;

	if (!store)
		return ERR_NOMEM;
	(void)X509_STORE_set_flags(store, X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN);
	is_loaded = path ? X509_STORE_load_file(store, path) : X509_STORE_set_default_paths(store);
	ERR_clear_error(); /* curl reads the same queue */
	if (!is_loaded) {
		X509_STORE_free(store);
		return ERR_IO;
	}
	*ret_store = store;
	return 0;
}

static void clear_entry(struct http_trust_entry *entry)
{
	X509_STORE_free(entry->store);
	free(entry->path);
	*entry = (struct http_trust_entry){ 0 };
}

static bool is_path(const struct http_trust_entry *entry, const char *path)
{
	if (!path || !entry->path)
		return !path && !entry->path;
	return strcmp(entry->path, path) == 0;
}

/* The entry of that path, else a free one, else the one unused for longest, emptied. */
static struct http_trust_entry *find_entry(struct http_trust *trust, const char *path)
{
	struct http_trust_entry *oldest = &trust->entries[0];

	for (size_t i = 0; i < HTTP_TRUST_MAX; i++) {
		struct http_trust_entry *entry = &trust->entries[i];

		if (entry->store && is_path(entry, path))
			return entry;
		if (entry->used < oldest->used)
			oldest = entry;
	}
	clear_entry(oldest);
	return oldest;
}

static int fill_entry(struct http_trust_entry *entry, const char *path, const struct stat *stamp)
{
	X509_STORE *store;
	int err;

	/* A pipe or a device could block the loop for ever. */
	if (path && !S_ISREG(stamp->st_mode))
		return ERR_IO;
	err = load(path, &store);
	if (err)
		return err;
	if (!entry->store && path) {
		entry->path = strdup(path);
		if (!entry->path) {
			X509_STORE_free(store);
			return ERR_NOMEM;
		}
	}
	X509_STORE_free(entry->store);
	entry->store = store;
	entry->stamp = *stamp;
	return 0;
}

int http_trust_get(struct http_trust *trust, const char *path, X509_STORE **ret_store)
{
	struct http_trust_entry *entry = find_entry(trust, path);
	struct stat stamp = { 0 };
	int err = 0;

	if (stat(watched_path(path), &stamp) != 0)
		stamp = (struct stat){ 0 };
	if (!entry->store || !is_same_file(&entry->stamp, &stamp))
		err = fill_entry(entry, path, &stamp);
	if (!entry->store)
		return err;
	entry->used = ++trust->calls;
	if (!X509_STORE_up_ref(entry->store))
		return ERR_NOMEM;
	*ret_store = entry->store;
	return 0;
}

void http_trust_done(struct http_trust *trust)
{
	for (size_t i = 0; i < HTTP_TRUST_MAX; i++)
		clear_entry(&trust->entries[i]);
}
