/* SPDX-License-Identifier: Apache-2.0 */
/* url: an absolute http or https URL taken apart once (RFC 3986, by libcurl's parser), so that no
 * one else ever splits text. Fragments are dropped; user info is refused. Plain value, immutable
 * after url_parse; url_done frees. */
#ifndef LATTICE_PROBE_URL_H
#define LATTICE_PROBE_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "lattice-probe/parse.h"

#define URL_TEXT_MAX 8000 /* what RFC 9110 section 4.1 asks every recipient to take */

struct url {
	char *text;     /* normalised, what is sent to curl */
	char *redacted; /* for logs and JSON: the query replaced by "?…" */
	char *host;     /* lower case, without brackets and trailing dot; ASCII: an IDN comes as xn--… */
	char *path;     /* "/healthz", at least "/" */
	char *query;    /* without '?', NULL when there is none */
	char *authority;/* what the Host header carries: host[:port], the port only when not default */
	uint16_t port;  /* the default of the scheme when absent */
	bool is_tls;
	bool is_literal;       /* the host is an IP address: no DNS phase */
	union address literal; /* with the port, when is_literal */
};

/* Takes text apart; on failure *ret_why is a static sentence for the user. 0, ERR_SYNTAX, ERR_NOMEM. */
int url_parse(const char *text, struct url *ret_url, const char **ret_why);

/* A redirect's Location, possibly relative, against base (RFC 9110 section 10.2.2). */
int url_resolve(const struct url *base, const char *location, struct url *ret_url, const char **ret_why);

void url_done(struct url *url);

#endif
