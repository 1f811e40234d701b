/* SPDX-License-Identifier: Apache-2.0 */
/* resolver: asks one question (name, A or AAAA) of one list of servers through c-ares and says what
 * came back, from whom, and how long it took. Names are absolute, nothing is cached, /etc/hosts is
 * not read. Each server gets its share of the time; the question ends at our own deadline. Equal
 * questions within a millisecond travel as one datagram; datagrams are counted against a budget.
 * Owns its c-ares channels; borrows the loop. Returns; never logs. */
#ifndef LATTICE_PROBE_RESOLVER_H
#define LATTICE_PROBE_RESOLVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lattice-probe/dns_message.h"
#include "lattice-probe/outcome.h"
#include "lattice-probe/parse.h"
#include "lattice-probe/target.h"
#include "lattice-probe/units.h"

struct loop;
struct resolver;
struct resolver_query;

struct resolver_options {
	int max_rate;               /* datagrams a second, token bucket of one second's depth; 0: no budget */
	const char *resolv_conf;    /* NULL: /etc/resolv.conf (tests) */
	const char *resolved_conf;  /* NULL: /run/systemd/resolve/resolv.conf */
};

/* What a query came to. `message` is only meaningful when reply is true. */
struct resolver_answer {
	enum outcome outcome;       /* ok, or one of the dns_ ones, or local_fault */
	bool has_reply;
	struct dns_message message;
	union address server;       /* who answered; when all servers failed, the first, whose outcome this is */
	struct mono sent;           /* first datagram of the question; never: none left us, or reused */
	int64_t elapsed_us;         /* first datagram sent to answer arrived (the kernel's stamp), or to giving
	                               up; 0: none left us */
	int64_t wait_us;            /* time in the budget queue before that */
	int local_errno;            /* nothing left us: what this host's kernel said to the first server's socket;
	                               0: something left, or it was not asked */
	int retransmits;            /* further datagrams to a server already asked */
	unsigned marks;             /* enum result_mark: shared, reused, fallback, local_cache */
	char detail[160];           /* for people, on failure: each server asked, and what came of it */
};

/* NULL: no memory or c-ares refused. Options' text is copied. */
struct resolver *resolver_new(struct loop *loop, const struct resolver_options *options);
void resolver_free(struct resolver *resolver); /* running queries must have been cancelled */

struct resolver_question {
	const char *name;           /* without trailing dot; copied */
	enum dns_type type;
	const struct target_resolver *servers; /* borrows until return */
	int64_t timeout_us;         /* from the first datagram to the end */
	int tries;                  /* datagrams a server, 1 or 2 */
};

/* Asks. `started` (may be NULL) runs when the first datagram has left (or an answer is reused), so
 * that the run's timeout starts there and not in the budget queue; it may run inside this call, and
 * does not run when nothing could be sent. `answered` runs once, never from inside this call, with an
 * answer borrowed until the callback returns. The handle dies with that callback. A name that cannot
 * be one (dns_message_name_is_valid) is dns_nxdomain without being sent; an IP literal is the
 * caller's mistake. NULL: no memory, no callback will run. */
struct resolver_query *resolver_ask(struct resolver *resolver, const struct resolver_question *question,
	void (*started)(void *user), void (*answered)(void *user, const struct resolver_answer *answer),
	void *user);

/* No callback runs afterwards. The datagram may still be on its way: its answer is ignored. */
void resolver_cancel(struct resolver_query *query);

/* Reads the system's resolvers again if resolv.conf changed (cheap: a stat at most once a second,
 * done by resolver_ask itself). Exposed for `diagnose`: the servers in force for `servers`. */
size_t resolver_servers(struct resolver *resolver, const struct target_resolver *servers,
	union address ret_servers[static TARGET_RESOLVERS_MAX], bool *ret_is_local);

/* At most so many datagrams a second from now on; 0: no limit. */
void resolver_set_max_rate(struct resolver *resolver, int max_rate);

struct resolver_counters {
	uint64_t datagrams;  /* sent, all servers; a question over TCP counts two more */
	uint64_t questions;
	uint64_t shared;
	uint64_t reused;
	uint64_t waited;
};
void resolver_read_counters(const struct resolver *resolver, struct resolver_counters *ret_counters);

#endif
