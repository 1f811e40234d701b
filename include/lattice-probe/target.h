/* SPDX-License-Identifier: Apache-2.0 */
/* target: one service to probe, as configured. Made by config, immutable and shared from then on
 * (counted references, main thread only), so that a reload can drop it while runs are going. */
#ifndef LATTICE_PROBE_TARGET_H
#define LATTICE_PROBE_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lattice-probe/parse.h"
#include "lattice-probe/url.h"

#define TARGET_NAME_MAX 64       /* probe names: letters, digits, '-', '_', '.' */
#define TARGET_RESOLVERS_MAX 8
#define TARGET_STATUS_RANGES_MAX 16
#define TARGET_ATTEMPTS_MAX 16   /* addresses tried in one run with addresses = all */

enum target_ip { TARGET_IP_AUTO, TARGET_IP_V4, TARGET_IP_V6, TARGET_IP_BOTH };
enum target_addresses { TARGET_ADDRESSES_FIRST, TARGET_ADDRESSES_ALL, TARGET_ADDRESSES_ROTATE };
enum target_auth { TARGET_AUTH_NONE, TARGET_AUTH_SIGV4 };
enum target_http { TARGET_HTTP_AUTO, TARGET_HTTP_1_1, TARGET_HTTP_2 };

/* resolver = system | vpc | IP[:port], … */
enum target_resolver_mode { TARGET_RESOLVER_SYSTEM, TARGET_RESOLVER_VPC, TARGET_RESOLVER_LIST };

struct target_resolver {
	enum target_resolver_mode mode;
	union address servers[TARGET_RESOLVERS_MAX]; /* when mode is LIST; in order */
	size_t server_count;
};

struct target_status_range {
	int first; /* 100–999, both ends included */
	int last;
};

/* One request header to send, or one response header expected. */
struct target_header {
	char *name;
	char *value;
	bool is_secret; /* from header_file, or Authorization and its like: never printed */
};

/* A compiled expectation on text: a substring, or a PCRE2 pattern run with a match limit. */
struct target_pattern {
	char *text;
	void *code; /* pcre2_code, NULL for a substring; owned */
};

struct target_header_expectation {
	char *name;
	struct target_pattern pattern;
};

struct target {
	unsigned references; /* target_hold, target_drop */

	char name[TARGET_NAME_MAX + 1];
	struct url url;

	int64_t interval_us;
	int64_t timeout_us;
	int64_t dns_timeout_us;
	int64_t connect_timeout_us;
	int64_t tls_timeout_us;
	int dns_tries; /* 1 or 2 datagrams a server */

	int unhealthy_after; /* failures in a row that make it unhealthy */
	int healthy_after;   /* successes in a row that make it healthy again */
	bool is_diagnosed;   /* the daemon diagnoses it when it turns unhealthy */

	struct target_resolver resolver;
	enum target_ip ip;
	enum target_addresses addresses;
	enum target_auth auth;
	char **sign_hosts; /* further hosts that may get a signature; lower case */
	size_t sign_host_count;

	enum target_http http;
	char *method;
	struct target_header *headers;
	size_t header_count;
	char *body; /* NULL: none */
	size_t body_bytes;
	char *tls_ca; /* PEM file; NULL: the system's store */
	bool tls_verify;
	bool follow_redirects;
	int64_t max_body_bytes;

	struct target_status_range expect_status[TARGET_STATUS_RANGES_MAX];
	size_t expect_status_count;
	struct target_pattern *expect_body; /* all must hold */
	size_t expect_body_count;
	struct target_header_expectation *expect_headers;
	size_t expect_header_count;
};

/* One reference, owned by the caller; everything zero except references. NULL: no memory. */
struct target *target_new(void);
struct target *target_hold(struct target *target);

/* Gives a reference back; the last one frees. NULL is fine. Header values and body are wiped. */
void target_drop(struct target *target);

/* True for an address that is never probed, compiled in: where EC2, ECS and EKS hand out credentials,
 * also v4-mapped or behind the NAT64 prefix 64:ff9b::/96 (RFC 6052). The configuration asks it of
 * literals, a run of every resolved address and of every hop. Pure. */
bool target_address_is_denied(const union address *address);

/* True when both would probe alike in every respect (reload keeps such a probe's state). */
bool target_is_equal(const struct target *a, const struct target *b);

/* The same of who is asked for names. */
bool target_resolver_is_equal(const struct target_resolver *a, const struct target_resolver *b);

/* Compiles a PCRE2 pattern into *ret_pattern (text copied); on ERR_SYNTAX *ret_why (gives, caller
 * frees) says what and where. target_pattern_set_text makes a substring pattern. */
int target_pattern_compile(const char *text, struct target_pattern *ret_pattern, char **ret_why);
int target_pattern_set_text(const char *text, struct target_pattern *ret_pattern);
void target_pattern_done(struct target_pattern *pattern);

/* Whether the pattern holds on `length` bytes. A pattern that runs into PCRE2's match limit does
 * not hold; *ret_limited (may be NULL) then says so. */
bool target_pattern_matches(const struct target_pattern *pattern, const char *bytes, size_t length,
	bool *ret_limited);

#endif
