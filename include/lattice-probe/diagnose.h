/* SPDX-License-Identifier: Apache-2.0 */
/* diagnose: asks about one target, in the order of the path, on the same resolver and HTTP code as the
 * probes, and stops asking what can no longer matter: where am I → each resolver → what kind of address →
 * route → TCP → TLS → HTTP → control plane → own publishing. Changes nothing, needs no root, ends within
 * DIAGNOSE_TIME_MAX_US however broken the network is. Returns; never logs. */
#ifndef LATTICE_PROBE_DIAGNOSE_H
#define LATTICE_PROBE_DIAGNOSE_H

#include <stdbool.h>
#include <stdint.h>

#include "lattice-probe/units.h"

struct aws_transport;
struct credentials;
struct diagnose;
struct diagnosis;
struct evidence;
struct evidence_daemon;
struct http_client;
struct imds;
struct loop;
struct resolver;
struct result;
struct target;

#define DIAGNOSE_TIME_MAX_US (14 * US_PER_S)

/* Borrowed for as long as any diagnosis lives. */
struct diagnose_context {
	struct loop *loop;
	struct resolver *resolver;       /* the daemon's own: its questions count against max_dns_rate */
	struct http_client *http;
	struct aws_transport *transport; /* control plane and CloudWatch */
	struct imds *imds;
	struct credentials *credentials;
	const char *region;              /* configured, or "" to find out */
	const char *endpoint;            /* of CloudWatch: a URL, or "auto" */
	const char *namespace_;
};

struct diagnose_options {
	bool asks_aws;                   /* the control plane, when credentials and instance facts are there */
	bool asks_publishing;            /* credentials, and whether CloudWatch would take a datum */
	const struct result *last;       /* borrows until return: the daemon's last run; may be NULL */
	const struct evidence_daemon *daemon; /* copied; what the running daemon says; may be NULL */
};

/* Starts. An unsafe method (RFC 9110 section 9.2.1) is never sent: `last` stands in for it, else the
 * exchange ends after the handshake and tells only of the way there. `finished` runs once, never from inside this call; evidence and
 * diagnosis are borrowed until it returns. NULL: no memory. */
struct diagnose *diagnose_start(const struct diagnose_context *context, struct target *target,
	const struct diagnose_options *options,
	void (*finished)(void *user, const struct evidence *evidence, const struct diagnosis *diagnosis), void *user);
void diagnose_cancel(struct diagnose *diagnose); /* no callback; NULL is fine */

#endif
