/* SPDX-License-Identifier: Apache-2.0 */
/* probe_internal: what the files of this room share. A run (struct probe) has one lookup, then one
 * attempt for each address; an attempt that follows a redirect makes a lookup of its own. */
#ifndef LATTICE_PROBE_PROBE_INTERNAL_H
#define LATTICE_PROBE_PROBE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lattice-probe/http.h"
#include "lattice-probe/loop.h"
#include "lattice-probe/probe.h"
#include "lattice-probe/resolver.h"
#include "lattice-probe/result.h"
#include "lattice-probe/target.h"

/* ---- probe_lookup: the addresses of one host ---- */

enum lookup_family { LOOKUP_A, LOOKUP_AAAA, LOOKUP_FAMILIES };

struct lookup_question {
	struct probe_lookup *lookup;
	struct resolver_query *query; /* NULL: not asked, or ended */
	bool is_wanted;
	bool is_started;              /* its first datagram has left */
	bool is_ended;
	struct resolver_answer answer; /* meaningful when ended */
};

struct probe_lookup {
	const struct probe_context *context;
	enum target_ip ip;
	struct lookup_question questions[LOOKUP_FAMILIES];
	struct mono asked;
	struct loop_timer limit; /* runs only when a deadline was given */
	bool is_done;
	void (*started)(void *user); /* first datagram left; may be NULL */
	void (*done)(void *user);
	void *user;
};

/* Asks for the addresses of `host` as the target's ip setting wants. `done` runs once, when enough
 * is known: the preferred family with ip = auto, everything asked for otherwise. deadline: never, or
 * when to give up even in the budget queue. False: no memory, nothing will run. */
bool probe_lookup_start(struct probe_lookup *lookup, const struct probe_context *context,
	const struct target *target, const char *host, int64_t timeout_us, struct mono deadline,
	void (*started)(void *user), void (*done)(void *user), void *user);

/* The question whose addresses are to be used first, or whose failure is the lookup's. */
const struct lookup_question *probe_lookup_best(const struct probe_lookup *lookup);

/* Cancels what is still open. Fine on a zeroed or finished lookup. */
void probe_lookup_stop(struct probe_lookup *lookup);

/* ---- probe_attempt: one address, redirect hops included ---- */

#define ATTEMPT_HOPS_MAX 5

struct probe_attempt {
	struct probe *probe;
	struct attempt record;
	int64_t spent_us;             /* in completed phases, of all hops */
	int64_t failed_us;            /* PHASE_NONE: nothing failed */
	int local_errno;              /* as in struct result */
	bool is_ended;
	bool has_reply;
	int http_version;
	int32_t certificate_days;
	int64_t body_bytes;
	int64_t work_us;              /* longest stretch of our own computing in one of its exchanges */
	char detail[RESULT_DETAIL_SIZE];

	struct http_transfer *transfer; /* NULL: none running */
	struct target_header *headers;  /* what this hop sends; names and values belong to the target,
	                                   but for the last signature_count */
	size_t header_count;
	size_t signature_count;
	unsigned hops;
	struct url hop_url;             /* owned when hops > 0 */
	const char *method;             /* of this hop */
	bool sends_body;
	struct probe_lookup lookup;     /* of a hop's host */
};

struct probe {
	const struct probe_context *context;
	struct target *target;          /* held by result */
	struct result *result;
	struct mono started;            /* when `timeout` began; never: still waiting */
	struct mono deadline;
	unsigned rotation;
	struct probe_lookup lookup;
	struct probe_attempt *attempts;
	size_t attempt_count;
	size_t attempts_open;
	struct loop_timer ending;       /* delivers a result that was ready inside probe_start */
	bool is_starting;               /* inside probe_start, or while attempts are being started */
	bool is_finished;
	void (*finished)(void *user, struct result *result);
	void *user;
};

/* Starts the attempt against record.address; record.phase_us[PHASE_DNS] is already filled. */
void probe_attempt_start(struct probe_attempt *attempt);

/* Ends without a callback and frees what the attempt owns. */
void probe_attempt_done(struct probe_attempt *attempt);

/* ---- probe.c, for the attempts ---- */

/* One attempt has come to its end; the last one ends the run. */
void probe_attempt_ended(struct probe *probe, struct probe_attempt *attempt);

/* Starts the clock of the run, once: `timeout` counts from here. */
void probe_start_clock(struct probe *probe);

/* A timeout says nothing about the service when the loop was not there to see the answer: then it is
 * local_fault. Any other outcome comes back as it is. */
enum outcome probe_doubt_timeout(const struct probe *probe, enum outcome outcome);

#endif
