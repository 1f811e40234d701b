/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the resolver share. resolver.c is its face; resolver_query.c the callers and their
 * callbacks; resolver_exchange.c a question's way to the servers, and all limits of time;
 * resolver_channel.c is the only one that knows c-ares; resolver_trial.c judges replies;
 * resolver_budget.c counts datagrams;
 * resolver_memory.c keeps answers for when the budget is spent; resolver_system.c reads resolv.conf;
 * resolver_key.c says which questions are equal. */
#ifndef LATTICE_PROBE_RESOLVER_INTERNAL_H
#define LATTICE_PROBE_RESOLVER_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/stat.h>

#include "lattice-probe/buf.h"
#include "lattice-probe/dns_message.h"
#include "lattice-probe/loop.h"
#include "lattice-probe/outcome.h"
#include "lattice-probe/parse.h"
#include "lattice-probe/resolver.h"
#include "lattice-probe/target.h"
#include "lattice-probe/units.h"

/* What makes two questions equal on the wire. Zero-filled before it is set. */
struct resolver_key {
	char name[DNS_NAME_SIZE]; /* lower case */
	enum dns_type type;
	union address servers[TARGET_RESOLVERS_MAX];
	size_t server_count;
};

bool resolver_key_is_equal(const struct resolver_key *a, const struct resolver_key *b);
uint32_t resolver_key_hash(const struct resolver_key *key);

/* ---- budget: a token bucket of one second's depth; pure ----------------------------------------- */

struct resolver_budget {
	int max_rate;          /* datagrams a second; 0: no limit */
	int64_t level;         /* millionths of a datagram; below zero: in debt */
	struct mono refreshed; /* never: not used yet */
	uint64_t datagrams;    /* sent since the start */
};

void resolver_budget_init(struct resolver_budget *budget, int max_rate);

/* Another rate from now on; a debt stays. */
void resolver_budget_change(struct resolver_budget *budget, int max_rate, struct mono now);

/* Whether one more may leave now. */
bool resolver_budget_allows(struct resolver_budget *budget, struct mono now);

/* One has left. Allowed or not: what cannot wait (TCP after truncation, the next server) goes into
 * debt, which those that can wait pay. */
void resolver_budget_spend(struct resolver_budget *budget, struct mono now);

/* When the next one may leave. */
struct mono resolver_budget_next(struct resolver_budget *budget, struct mono now);

/* ---- memory: answers within their TTL, used only over the budget ------------------------------- */

#define RESOLVER_MEMORY_SETS 1024
#define RESOLVER_MEMORY_WAYS 4
#define RESOLVER_MEMORY_REPLY_MAX 2048 /* longer replies are not remembered */

struct resolver_remembered {
	struct resolver_key key;
	union address server; /* who gave it */
	struct mono expires;
	size_t length_bytes;
	uint8_t reply[];
};

struct resolver_memory {
	struct resolver_remembered *entries[RESOLVER_MEMORY_SETS][RESOLVER_MEMORY_WAYS];
};

void resolver_memory_done(struct resolver_memory *memory);

/* Keeps a copy in place of what expires first among its neighbours. Without memory for it: nothing. */
void resolver_memory_put(struct resolver_memory *memory, const struct resolver_key *key,
	const union address *server, const uint8_t *reply, size_t length_bytes, struct mono expires);

/* After a failure an older answer must not be used again, or it would hide the failure. */
void resolver_memory_forget(struct resolver_memory *memory, const struct resolver_key *key);

/* NULL: none, or expired. Borrowed until the next put. */
const struct resolver_remembered *resolver_memory_find(const struct resolver_memory *memory,
	const struct resolver_key *key, struct mono now);

/* ---- system: who the system and the VPC say is to be asked --------------------------------------- */

struct resolver_file_stamp {
	bool exists;
	dev_t device;
	ino_t inode;
	off_t size_bytes;
	struct timespec modified;
};

struct resolver_system {
	char *resolv_conf;
	char *resolved_conf;
	struct mono checked;
	struct resolver_file_stamp resolv_stamp;
	struct resolver_file_stamp resolved_stamp;
	union address servers[TARGET_RESOLVERS_MAX];
	size_t server_count;
	bool is_local;        /* nothing but stubs on this host */
	struct mono vpc_checked;
	bool vpc_is_v6;
};

/* NULL paths: the system's own. 0 or ERR_NOMEM. */
int resolver_system_init(struct resolver_system *system, const char *resolv_conf, const char *resolved_conf);
void resolver_system_done(struct resolver_system *system);

/* Looks at the files again, at most once a second. */
void resolver_system_refresh(struct resolver_system *system, struct mono now);

/* The VPC's resolver: 169.254.169.253, or fd00:ec2::253 where no IPv4 route leads to it. */
void resolver_system_vpc(struct resolver_system *system, struct mono now, union address *ret_server);

/* The `nameserver` lines of a resolv.conf(5), at most TARGET_RESOLVERS_MAX; others are ignored. Takes
 * an IPv4 address with :port too. Pure but for interface names after '%'. */
size_t resolver_system_parse(const char *text, union address ret_servers[static TARGET_RESOLVERS_MAX]);

/* ---- trials: what one question to one server came to ---------------------------------------------- */

#define RESOLVER_WHY_SIZE 96
#define RESOLVER_DATAGRAM_MAX 65535

/* Room for the reply being judged, shared by all. */
struct resolver_scratch {
	struct dns_message message;
	uint8_t datagram[RESOLVER_DATAGRAM_MAX];
};

struct resolver_end {
	enum outcome outcome;              /* none: not yet */
	bool has_reply;
	const struct dns_message *message; /* with has_reply; borrowed until the callback returns, like reply */
	const uint8_t *reply;
	size_t reply_bytes;
	struct mono received;
	int local_errno;                   /* of a socket call other than receiving; 0: none failed */
	char why[RESOLVER_WHY_SIZE];       /* on failure, without the server's name */
};

struct resolver_trial {
	struct resolver_scratch *scratch;
	char name[DNS_NAME_SIZE];
	enum dns_type type;
	uint8_t id[2];     /* of the datagram that left */
	unsigned forged;   /* replies that were ignored: wrong id, or another question */
	bool is_tcp;       /* truncated: over UDP nothing more is expected */
	struct buf stream; /* what has arrived over TCP */
	struct resolver_end end;
};

void resolver_trial_init(struct resolver_trial *trial, struct resolver_scratch *scratch, const char *name,
	enum dns_type type);
void resolver_trial_done(struct resolver_trial *trial);

/* Ends it; the first end stands. */
void resolver_trial_fail(struct resolver_trial *trial, enum outcome outcome, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* A socket call failed: by this host's shortage, or by the network's word. Leaves errno as it was. */
void resolver_trial_fail_by_errno(struct resolver_trial *trial, const char *call);

/* Judges the datagram in the scratch room, which arrived then. True: c-ares should see it too, to go to TCP or to end its
 * question and be free for the next. */
bool resolver_trial_datagram(struct resolver_trial *trial, size_t length_bytes, struct mono arrived);

/* Judges what has arrived over TCP so far, these bytes included. */
void resolver_trial_stream(struct resolver_trial *trial, const void *bytes, size_t length_bytes);

/* ---- channels: one c-ares channel for one open question to one server --------------------------- */

struct resolver_channel;

#define RESOLVER_CHANNELS_MAX 1024 /* open at once: each is a socket and, with c-ares 1.18, 75 KB */
#define RESOLVER_IDLE_MAX 16

struct resolver_pool {
	struct loop *loop;
	struct resolver_budget *budget;
	struct resolver_channel *idle;
	size_t idle_count;
	size_t open_count;
	unsigned uses_max; /* of one channel */
	int stamper;       /* keeps the kernel stamping arrivals; -1: none */
	struct resolver_scratch scratch;
};

typedef void resolver_channel_ended(void *user, const struct resolver_end *end);

/* Takes up c-ares. 0 or ERR_NOMEM. */
int resolver_channel_pool_init(struct resolver_pool *pool, struct loop *loop, struct resolver_budget *budget);
void resolver_channel_pool_done(struct resolver_pool *pool); /* open channels must have been dropped */

/* Sends the question. The channel: under way, `ended` will run once, never from inside this call, and
 * the handle dies with it. NULL: nothing could be sent, *ret_end says why; `ended` will not run. */
struct resolver_channel *resolver_channel_ask(struct resolver_pool *pool, const union address *server,
	const char *name, enum dns_type type, resolver_channel_ended *ended, void *user,
	struct resolver_end *ret_end);

/* Looks for an answer that already waits in the socket. True: `ended` has run. */
bool resolver_channel_look(struct resolver_channel *channel);

/* Gives the question up. NULL is fine. */
void resolver_channel_drop(struct resolver_channel *channel);

struct mono resolver_channel_sent(const struct resolver_channel *channel);

/* Replies with a wrong id or to another question that were ignored so far. */
unsigned resolver_channel_forged(const struct resolver_channel *channel);

/* The server said TC and is being asked again over TCP. */
bool resolver_channel_is_tcp(const struct resolver_channel *channel);

/* ---- exchanges: one question to the servers, for every caller who asks the same ----------------- */

enum resolver_state { RESOLVER_WAITING, RESOLVER_ASKING, RESOLVER_DONE };

TAILQ_HEAD(resolver_queries, resolver_query);

struct resolver_exchange {
	LIST_ENTRY(resolver_exchange) bucket_link;
	TAILQ_ENTRY(resolver_exchange) waiting_link;
	struct resolver *resolver;
	struct resolver_key key;
	enum target_resolver_mode mode;
	int64_t timeout_us;
	int tries;

	enum resolver_state state;
	struct resolver_queries queries;
	unsigned holds;          /* callbacks are running over it: not to be freed */
	bool has_waited;
	bool is_new;             /* perhaps still inside resolver_ask: no answer may be handed out */
	struct mono share_until; /* equal queries may join until then; never: nothing has left yet */
	struct loop_timer timer;

	size_t server;           /* the one being asked */
	struct mono server_start;
	struct mono server_end;  /* an answer that arrives later is none */
	bool may_retransmit;
	struct resolver_channel *channels[2]; /* the question, and the same again */
	struct resolver_answer answer;
};

LIST_HEAD(resolver_bucket, resolver_exchange);
TAILQ_HEAD(resolver_waiting, resolver_exchange);

#define RESOLVER_BUCKETS 1024
#define RESOLVER_WAITING_MAX 4096

struct resolver {
	struct loop *loop;
	struct resolver_budget budget;
	struct resolver_memory memory;
	struct resolver_system system;
	struct resolver_pool pool;
	bool has_pool;
	struct resolver_counters counters;
	struct resolver_bucket buckets[RESOLVER_BUCKETS];
	struct resolver_waiting waiting;
	size_t waiting_count;
	struct loop_timer drain; /* sends what waits */
};

/* One that an equal question can join: not sent yet, or sent within the last millisecond. NULL: none. */
struct resolver_exchange *resolver_exchange_find(struct resolver *resolver,
	const struct resolver_question *question, const struct resolver_key *key);

/* Makes one, without any query yet. NULL: no memory. */
struct resolver_exchange *resolver_exchange_new(struct resolver *resolver,
	const struct resolver_question *question, const struct resolver_key *key);
void resolver_exchange_free(struct resolver_exchange *exchange);

/* Sends it, answers it from memory, or lets it wait. 0 or ERR_NOMEM: nothing has happened. */
int resolver_exchange_begin(struct resolver_exchange *exchange);

/* Frees it when nobody needs it any more; else sees to it that what is still owed is handed out. */
void resolver_exchange_tidy(struct resolver_exchange *exchange);

/* ---- queries: the callers of an exchange --------------------------------------------------------- */

struct resolver_query {
	TAILQ_ENTRY(resolver_query) link;
	struct resolver_exchange *exchange;
	struct mono asked;
	bool is_shared;   /* joined someone else's exchange */
	bool is_started;
	bool is_ready;    /* to be handed its answer now; those that join meanwhile come next time */
	void (*started)(void *user);
	void (*answered)(void *user, const struct resolver_answer *answer);
	void *user;
};

/* Adds it to the exchange; the first is the exchange's own, further ones share it. */
void resolver_query_join(struct resolver_query *query, struct resolver_exchange *exchange);

/* Takes it out and frees it. */
void resolver_query_leave(struct resolver_query *query);

/* Tells everyone who has not been told that the datagram has left. */
void resolver_query_tell_started(struct resolver_exchange *exchange);

/* Hands exchange->answer to everyone, then tidies the exchange. */
void resolver_query_hand_out(struct resolver_exchange *exchange);

#endif
