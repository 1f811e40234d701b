/* SPDX-License-Identifier: Apache-2.0 */
/* aws_internal: what the files of this room share and nobody else sees: sending a request to an AWS
 * endpoint, and the members of the credential chain. */
#ifndef LATTICE_PROBE_AWS_INTERNAL_H
#define LATTICE_PROBE_AWS_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lattice-probe/aws_call.h"
#include "lattice-probe/buf.h"
#include "lattice-probe/credentials.h"
#include "lattice-probe/outcome.h"
#include "lattice-probe/sigv4.h"
#include "lattice-probe/target.h"
#include "lattice-probe/units.h"

struct http_client;
struct http_reply;
struct imds;
struct loop;
struct resolver;

/* ---- aws_file: small files ---------------------------------------------------------------- */

/* Appends a regular file's content. 0; ERR_NOT_FOUND, ERR_DENIED, ERR_IO, ERR_LIMIT, ERR_NOMEM. */
int aws_file_read(const char *path, struct buf *ret_text);

/* ---- fetch: one request to one URL, resolved by us and pinned ----------------------------- */

/* What fetches share; borrowed by each for its life. */
struct fetch_context {
	struct loop *loop;
	struct http_client *http;
	struct resolver *resolver;             /* NULL: only literal addresses and localhost */
	const struct target_resolver *servers;
	const char *proxy;                     /* NULL: none */
	unsigned rotation;                     /* which of several addresses comes next */
};

struct fetch_request {
	const char *url;
	const char *method;                    /* static */
	const struct sigv4_header *headers;    /* copied */
	size_t header_count;
	const void *body;                      /* borrows until the callback */
	size_t body_bytes;
	int64_t timeout_us;                    /* of the whole, DNS included */
	int64_t max_body_bytes;
	bool may_use_proxy;
};

enum fetch_end {
	FETCH_HTTP,    /* a transfer was made: see http */
	FETCH_DNS,     /* no address; dns says why */
	FETCH_REFUSED, /* by a rule of ours; why says which */
	FETCH_NOMEM
};

struct fetch_reply {
	enum fetch_end end;
	enum outcome dns;
	const char *why;               /* for people; borrowed until the callback returns */
	const struct http_reply *http; /* FETCH_HTTP only; borrowed until the callback returns */
};

struct fetch;

/* Plain http goes to loopback and link-local addresses only, and never through a proxy. `finished`
 * runs once, never from inside this call. NULL: no memory. */
struct fetch *fetch_start(struct fetch_context *context, const struct fetch_request *request,
	void (*finished)(void *user, const struct fetch_reply *reply), void *user);
void fetch_cancel(struct fetch *fetch); /* NULL is fine */

/* Whether this host has a route to the address (asks the kernel; nothing is sent). */
bool fetch_has_route(const union address *address);

/* Loopback, 169.254.0.0/16, fe80::/10 or fd00:ec2::/32: never leaves the host's own link. */
bool fetch_is_link_local(const union address *address);

/* ---- aws_transport ------------------------------------------------------------------------ */

struct loop *aws_transport_loop(struct aws_transport *transport);
struct fetch_context *aws_transport_fetch(struct aws_transport *transport);

/* Remembers what the Date of a reply says. */
void aws_transport_note_date(struct aws_transport *transport, const struct http_reply *reply);

/* ---- the chain ---------------------------------------------------------------------------- */

/* What a member of the chain found. err 0: `set` is the callback's to keep. ERR_NOT_FOUND: this member
 * is not configured, ask the next. Anything else ends the chain. `why` is static text. */
typedef void credentials_found(void *user, int err, struct credentials_set *set, const char *why);

/* Whether the fields can go into headers: printable ASCII of sensible lengths, ids of word letters. */
bool credentials_set_check(const struct credentials_set *set);

/* AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN; errors as for credentials_found. */
int credentials_env_read(struct credentials_set *ret_set, const char **ret_why);

/* A role to assume with a token from a file. */
struct credentials_role {
	char *role_arn;
	char *token_file;
	char *session_name; /* NULL: "lattice-probe" */
};

void credentials_web_identity_role_done(struct credentials_role *role);

/* The shared files. When the profile names a role with a web identity, 0 with *ret_role filled and
 * *ret_set untouched. */
int credentials_file_read(struct credentials_set *ret_set, struct credentials_role *ret_role, const char **ret_why);

/* AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN. 0, ERR_NOT_FOUND, ERR_SYNTAX, ERR_NOMEM. */
int credentials_web_identity_read(struct credentials_role *ret_role, const char **ret_why);

struct credentials_web_identity;
struct credentials_web_identity *credentials_web_identity_start(struct aws_transport *transport, const char *region,
	const struct credentials_role *role, credentials_found *found, void *user);
void credentials_web_identity_cancel(struct credentials_web_identity *identity);

struct credentials_container;
bool credentials_container_is_configured(void);
struct credentials_container *credentials_container_start(struct aws_transport *transport, credentials_found *found,
	void *user);
void credentials_container_cancel(struct credentials_container *container);

struct credentials_imds;
struct credentials_imds *credentials_imds_start(struct imds *imds, credentials_found *found, void *user);
void credentials_imds_cancel(struct credentials_imds *query);

#endif
