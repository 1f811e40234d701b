/* SPDX-License-Identifier: Apache-2.0 */
/* chain: the credential chain with nothing configured but an empty metadata service (a canned server),
 * for the tests of credentials. */
#ifndef LATTICE_PROBE_TESTS_CHAIN_H
#define LATTICE_PROBE_TESTS_CHAIN_H

#include <stdbool.h>
#include <stddef.h>

#include "canned_server.h"

#include "lattice-probe/credentials.h"
#include "lattice-probe/loop.h"

#define COUNT(array) (sizeof (array) / sizeof *(array))
#define KEY_ID "AKIAIOSFODNN7EXAMPLE"
#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define OK_HEAD "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
#define STATUS(line) "HTTP/1.1 " line "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
#define ROLES "GET /latest/meta-data/iam/security-credentials/"
#define PUT_REPLY { "PUT /latest/api/token ", OK_HEAD "EXAMPLE-token", 0, 0 }
#define ROLE_REPLY { ROLES " ", OK_HEAD "probe-role\n", 0, 0 }
#define FAR "2099-01-01T00:00:00Z"
#define KEYS_JSON(id, expiration) "{\"Code\":\"Success\",\"AccessKeyId\":\"" id "\",\"SecretAccessKey\":\"" SECRET \
	"\",\"Token\":\"EXAMPLETOKEN\",\"Expiration\":\"" expiration "\"}"
#define STS_XML(fields) "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">" \
	"<AssumeRoleWithWebIdentityResult><Credentials>" fields "</Credentials></AssumeRoleWithWebIdentityResult>" \
	"<ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></AssumeRoleWithWebIdentityResponse>"
#define STS_FIELDS "<AccessKeyId>" KEY_ID "</AccessKeyId><SecretAccessKey>" SECRET "</SecretAccessKey>" \
	"<SessionToken>EXAMPLETOKEN</SessionToken><Expiration>" FAR "</Expiration>"
#define CONTAINER "GET /v2/credentials?x=1 "

/* What a test works in; state of cmocka. */
struct world {
	struct loop *loop;
	struct aws_transport *transport;
	struct imds *imds;
	struct credentials *credentials;
	struct canned_server *server;
	char folder[64];

	bool is_ready;
	unsigned ready_count;
	int err;
	char why[512];
};

/* cmocka's set-up and tear-down. The environment is cleared of everything the chain looks at. */
int chain_set_up(void **state);
int chain_tear_down(void **state);

/* In the test's own folder: "config", "credentials" and "token" are taken away again. */
const char *chain_path(const struct world *world, const char *name);
void chain_write(const struct world *world, const char *name, const char *text);

/* Makes imds and credentials, after the environment is set; chain_forget throws them away again. */
void chain_begin(struct world *world);
void chain_forget(struct world *world);

/* Waits for the chain's end: 0 or the error. Begins by itself. */
int chain_walk(struct world *world);

/* What credentials_get gives now. */
const struct credentials_set *chain_get(struct world *world);

/* The chain succeeds, by that member. */
void chain_assert_source(struct world *world, const char *source);

/* The waiter of chain_walk; also checks that no secret is in `why`. */
void chain_on_ready(void *user, int err, const char *why);

/* Lets the loop go on for a few milliseconds. */
void chain_turn(struct world *world);

/* The canned server as container endpoint, with a query in its URI. */
void chain_use_container(struct world *world);

#endif
