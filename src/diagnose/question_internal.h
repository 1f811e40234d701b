/* SPDX-License-Identifier: Apache-2.0 */
/* question_internal: the questions of one diagnosis, a file each, and what they share. A question
 * borrows the context, the target and the place in the evidence that it fills until it has ended or was
 * stopped. `ended` runs once, never from inside the start, and never after the stop; a start that gives
 * false has nothing under way and calls nothing back. A stop is fine on a zeroed or ended question. */
#ifndef LATTICE_PROBE_QUESTION_INTERNAL_H
#define LATTICE_PROBE_QUESTION_INTERNAL_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lattice-probe/diagnose.h"
#include "lattice-probe/evidence.h"
#include "lattice-probe/http.h"
#include "lattice-probe/imds.h"
#include "lattice-probe/loop.h"
#include "lattice-probe/resolver.h"
#include "lattice-probe/result.h"
#include "lattice-probe/target.h"
#include "lattice-probe/units.h"
#include "lattice-probe/url.h"

/* ---- question_where: this host, and what the metadata service says of it ---- */

enum question_where_item {
	WHERE_OWNER, WHERE_IPV4_BLOCKS, WHERE_IPV6_BLOCKS, WHERE_GROUPS, WHERE_PUBLIC_IPV4, WHERE_ITEMS
};

struct question_where_query {
	struct question_where *where;
	struct imds_query *query;
	enum question_where_item item;
};

struct question_where {
	const struct diagnose_context *context;
	struct evidence_where *evidence;
	struct mono started;
	struct imds_query *facts;
	struct imds_query *mac;
	struct question_where_query items[WHERE_ITEMS]; /* of the first network interface */
	size_t open;
	struct loop_timer limit;
	void (*ended)(void *user);
	void *user;
};

bool question_where_start(struct question_where *where, const struct diagnose_context *context,
	struct evidence_where *evidence, void (*ended)(void *user), void *user);
void question_where_stop(struct question_where *where);

/* ---- question_ask: one name, one family, one server ---- */

struct question_ask {
	/* set before the start */
	const struct diagnose_context *context;
	const union address *server;
	const char *name;
	enum evidence_family family;
	struct evidence_answer *answer;
	void (*ended)(void *user);
	void *user;

	struct resolver_query *query; /* NULL: not asked, or ended */
	struct mono asked;
	bool has_left;                /* the first datagram is on its way */
};

bool question_ask_start(struct question_ask *ask);
void question_ask_stop(struct question_ask *ask);

/* Ends it unanswered, without a callback; fine when it has ended. */
void question_ask_give_up(struct question_ask *ask);

/* Whether a target with this setting asks for that family. */
bool question_ask_is_wanted(enum target_ip ip, enum evidence_family family);
enum dns_type question_ask_type(enum evidence_family family);

/* ---- question_dns: every resolver, side by side ---- */

struct question_dns {
	const struct diagnose_context *context;
	const struct target *target;
	struct evidence_dns *evidence;
	struct mono started;
	struct question_ask asks[EVIDENCE_RESOLVERS_MAX][EVIDENCE_FAMILIES];
	size_t open;
	struct loop_timer limit;
	char device[IF_NAMESIZE];     /* to the VPC's resolver */
	uint64_t drops_before;
	void (*ended)(void *user);
	void *user;
};

bool question_dns_start(struct question_dns *dns, const struct diagnose_context *context,
	const struct target *target, struct evidence_dns *evidence, void (*ended)(void *user), void *user);
void question_dns_stop(struct question_dns *dns);

/* By how much the device's counter of dropped packets to link-local services has risen. */
void question_dns_read_drops(const struct question_dns *dns, struct evidence_dns *evidence);

/* Which of the servers is the VPC's, once its networks are known: also the one at their base plus two. */
void question_dns_settle_vpc(struct evidence_dns *evidence, const struct address_networks *vpc_networks);

/* ---- question_again: are replies lost? ---- */

#define AGAIN_QUESTIONS 10

struct question_again_ask {
	struct question_again_server *server;
	struct resolver_query *query;
	bool has_left;
};

struct question_again_server {
	struct question_again *again;
	struct evidence_resolver *evidence;
	struct question_again_ask asks[AGAIN_QUESTIONS];
	size_t asked;
	size_t open;
	struct loop_timer next;
};

struct question_again {
	const struct diagnose_context *context;
	const struct target *target;
	struct question_again_server servers[EVIDENCE_RESOLVERS_MAX];
	size_t open; /* servers that are still being asked */
	struct loop_timer limit;
	void (*ended)(void *user);
	void *user;
};

/* False also when no server lost anything: nothing has to be asked again. */
bool question_again_start(struct question_again *again, const struct diagnose_context *context,
	const struct target *target, struct evidence_dns *evidence, void (*ended)(void *user), void *user);
void question_again_stop(struct question_again *again);

/* ---- question_generated: the Lattice name behind a custom one, at the VPC resolver ---- */

struct question_generated {
	struct question_ask asks[EVIDENCE_FAMILIES];
	size_t open;
	void (*ended)(void *user);
	void *user;
};

/* The Lattice name that an answer's alias leads to; "" none. Pure. */
const char *question_generated_find(const struct evidence_dns *evidence);

/* Asks for evidence->dns.generated_name. */
bool question_generated_start(struct question_generated *generated, const struct diagnose_context *context,
	struct evidence *evidence, void (*ended)(void *user), void *user);
void question_generated_stop(struct question_generated *generated);

/* ---- question_paths: the addresses to try, and what the kernel would do with them ---- */

/* Chooses them from the answers, or the literal, and looks their routes up. */
void question_paths_choose(const struct target *target, struct evidence *evidence);

/* Once more, when networks have become known. */
void question_paths_classify(struct evidence *evidence);

/* After an exchange: has the next hop answered for its address? */
void question_paths_read_neighbour(struct evidence_path *path);

/* ---- question_last: the daemon's last run, where an unsafe request is not sent anew ---- */

/* What the run said of the response; what it said of the way there is seen anew. Copies. */
void question_last_read(const struct result *result, struct evidence_exchange *ret_last);

/* Puts it behind a handshake that went well. */
void question_last_apply(const struct evidence_exchange *last, struct evidence_exchange *exchange);

/* ---- question_exchange: one HTTP exchange ---- */

struct question_exchange {
	/* set before the start */
	const struct diagnose_context *context;
	const struct target *target;
	const char *region;         /* to sign for */
	const char *generated_name; /* of EXCHANGE_OTHER_NAME */
	struct evidence_path *path;
	enum evidence_exchange_kind kind;
	bool is_alternative;        /* not the preferred path: without the target's body */
	struct mono deadline;
	void (*ended)(void *user);
	void *user;

	struct http_transfer *transfer; /* NULL: not started, or ended */
	struct url url;                 /* owned when has_url; otherwise the target's is used */
	bool has_url;
	bool is_handshake;
	struct target_header *headers;  /* the target's, borrowed, and behind them our own */
	size_t header_count;
	size_t own_count;
	const char *request_id;         /* NULL: none is sent */
	char own_request_id[40];
	struct wall sent;
	bool counts_failures;
	uint64_t failures_before;
};

/* What kept it from starting stands in the evidence. */
bool question_exchange_start(struct question_exchange *exchange);
void question_exchange_stop(struct question_exchange *exchange);

/* A method that changes nothing (RFC 9110 section 9.2.1). */
bool question_exchange_is_safe(const char *method);

/* Whether this one can tell causes apart after what the main exchange came to. Pure. */
bool question_exchange_is_worth_it(const struct evidence *evidence, const struct evidence_path *path,
	enum evidence_exchange_kind kind);

#endif
