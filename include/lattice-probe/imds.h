/* SPDX-License-Identifier: Apache-2.0 */
/* imds: the EC2 instance metadata service, version 2 only
 * (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html). Keeps one
 * session token and renews it. Never through a proxy. When the service does not answer it is asked
 * again after a second, then after twice as long each time, up to a minute; queries until then get the
 * same answer. Honours AWS_EC2_METADATA_DISABLED, AWS_EC2_METADATA_SERVICE_ENDPOINT and
 * …_ENDPOINT_MODE; without an IPv4 route uses fd00:ec2::254. */
#ifndef LATTICE_PROBE_IMDS_H
#define LATTICE_PROBE_IMDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lattice-probe/units.h"

struct loop;
struct http_client;
struct imds;
struct imds_query;

#define IMDS_REPLY_MAX_BYTES (64 * 1024)
#define IMDS_TIMEOUT_US (1 * US_PER_S) /* of one request: what the SDKs use */

/* Reads the environment once. NULL: no memory. */
struct imds *imds_new(struct loop *loop, struct http_client *http);
void imds_free(struct imds *imds); /* running queries are cancelled */

/* Whether this host has an IPv4 route to the metadata service; without one AWS is met over IPv6. */
bool imds_has_ipv4_route(void);

/* GET /latest/`path` ("meta-data/instance-id"). The callback runs once, never from inside this call:
 * err 0 and the text (borrowed until it returns), or ERR_NOT_FOUND (404), ERR_DENIED (IMDS off, 403),
 * ERR_UNREACHABLE / ERR_TIMEOUT (`hint` names the hop limit when the token PUT alone stayed
 * unanswered), ERR_PROTOCOL, ERR_LIMIT, ERR_SYNTAX (…_ENDPOINT is not http://IP[:port]). `hint` is
 * static text, never NULL. NULL: no memory, or 64 queries are under way. */
struct imds_query *imds_get(struct imds *imds, const char *path,
	void (*answered)(void *user, int err, const char *text, const char *hint), void *user);
void imds_cancel(struct imds_query *query); /* NULL is fine */

/* The facts that become dimensions, fetched together; "" where unknown. */
struct imds_facts {
	char instance_id[64];
	char availability_zone[64];
	char availability_zone_id[64];
	char region[64];
	char vpc_id[64];
	char subnet_id[64];
};

/* Fetches all facts; `err` as above when nothing at all could be had. Gives facts by value. */
struct imds_query *imds_get_facts(struct imds *imds,
	void (*answered)(void *user, int err, const struct imds_facts *facts, const char *hint), void *user);

#endif
