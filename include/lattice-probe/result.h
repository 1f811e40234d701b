/* SPDX-License-Identifier: Apache-2.0 */
/* result: all that one run of one probe found out. A plain value that owns its attempts and names;
 * made by probe, read by everyone after it. Times are integer microseconds; a phase that was not
 * completed is PHASE_NONE, never 0. The phases that completed sum to total_us on a success. */
#ifndef LATTICE_PROBE_RESULT_H
#define LATTICE_PROBE_RESULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lattice-probe/outcome.h"
#include "lattice-probe/parse.h"
#include "lattice-probe/units.h"

struct target;

#define PHASE_NONE INT64_C(-1)
#define RESULT_CNAMES_MAX 16
#define RESULT_DETAIL_SIZE 160

enum phase { PHASE_DNS, PHASE_CONNECT, PHASE_TLS, PHASE_FIRST_BYTE, PHASE_TRANSFER, PHASE_COUNT };

/* "dns", "connect", "tls", "first_byte", "transfer". */
const char *phase_name(enum phase phase);

enum result_mark {
	RESULT_MARK_LAGGED = 1 << 0,      /* the loop was busy elsewhere for over a 50th of it */
	RESULT_MARK_DNS_REUSED = 1 << 1,  /* over max_dns_rate: an answer within its TTL was used again */
	RESULT_MARK_DNS_SHARED = 1 << 2,  /* joined a question another run had just sent */
	RESULT_MARK_FALLBACK = 1 << 3,    /* not the first resolver answered */
	RESULT_MARK_LOCAL_CACHE = 1 << 4  /* the resolver is a stub on this host; its time is no network time */
};

/* One address tried. A run has one, or several with ip = both, addresses = all, or redirects. */
struct attempt {
	enum outcome outcome;
	union address address;
	int status;                    /* HTTP status, 0: none */
	int64_t phase_us[PHASE_COUNT]; /* dns_us is the question that gave this address */
	int64_t total_us;
	int64_t tcp_rtt_us;            /* kernel's smoothed RTT, -1: never established */
	int32_t tcp_retransmits;       /* -1: unknown */
};

/* One DNS question of a run, A or AAAA, each with its own time. */
#define RESULT_TYPE_A 1     /* RFC 1035 section 3.2.2 */
#define RESULT_TYPE_AAAA 28 /* RFC 3596 section 2.1 */

struct result_question {
	int type;               /* RESULT_TYPE_… */
	enum outcome outcome;   /* ok: at least one address */
	int rcode;              /* RFC 1035 section 4.1.1; -1: no reply */
	int64_t elapsed_us;     /* first datagram to answer, or to giving up */
	int64_t ttl_s;          /* smallest of the chain; -1: none */
	size_t address_count;
	union address server;   /* who answered, or who was asked last */
	int retransmits;
	unsigned marks;         /* enum result_mark */
};

struct result {
	struct target *target; /* a reference; result_done drops it */
	enum outcome outcome;
	struct wall scheduled; /* the instant it was due; for `once`, the start */
	struct wall start;
	int64_t late_us;       /* start minus due, monotonic */
	int64_t wait_us;       /* time in the DNS budget queue, before the timeout starts */
	int64_t lag_us;        /* the loop's longest busy turn while it ran, less this run's own work */

	int64_t phase_us[PHASE_COUNT];
	int64_t total_us;      /* of the run: sum of the phases on success, elapsed on failure */
	int64_t failed_us;     /* time spent in the phase that failed; PHASE_NONE on success */

	int local_errno;       /* what this host's own kernel said instead of sending, or what it was short of;
	                          0: it sent */
	int status;            /* 0: no response */
	int http_version;      /* 10, 11, 20; 0: no response */
	int family;            /* 4 or 6; 0: no address */
	union address address; /* the one used */
	union address resolver;/* the server whose answer was used; AF_UNSPEC: none */
	int rcode;             /* DNS RCODE of the answer used or of the failure; -1: no reply */
	char *cnames[RESULT_CNAMES_MAX]; /* the chain in order, without the question; owned */
	size_t cname_count;
	int64_t ttl_s;         /* smallest of the chain; -1: none */
	int dns_retransmits;   /* of all questions */
	struct result_question questions[2]; /* those that ended before the run did */
	size_t question_count;
	int64_t tcp_rtt_us;
	int32_t tcp_retransmits;
	int32_t certificate_days; /* floor; INT32_MIN: no certificate seen */
	int64_t body_bytes;
	unsigned marks;        /* enum result_mark */
	char detail[RESULT_DETAIL_SIZE]; /* one line for people: why; never a secret */

	struct attempt *attempts; /* owned; NULL unless there were several */
	size_t attempt_count;
};

#define CERTIFICATE_DAYS_NONE INT32_MIN

/* Every field "none": phases PHASE_NONE, numbers -1 or 0 as said above. Holds target. */
void result_init(struct result *result, struct target *target);
void result_done(struct result *result);

/* A completed DNS phase that measures the network: answered, not shared, not reused, not local. */
bool result_has_dns_latency(const struct result *result);

/* Appends a CNAME (copied, made printable); beyond RESULT_CNAMES_MAX it is ignored. 0 or ERR_NOMEM. */
int result_add_cname(struct result *result, const char *name);

/* Sets `detail` by format, cut at its size, control characters replaced. */
void result_set_detail(struct result *result, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
