/* SPDX-License-Identifier: Apache-2.0 */
/* diagnose_fixture: whole diagnoses over a world of the test's own. Resolver, HTTP client, metadata
 * service, credentials, kernel, control plane and publishing are linked in place of the real ones, note
 * what is asked of them, and answer at the loop's next turn what the case has said; what hangs never
 * answers. The clock can be moved on. Failures of its own end the test. */
#ifndef LATTICE_PROBE_TESTS_DIAGNOSE_FIXTURE_H
#define LATTICE_PROBE_TESTS_DIAGNOSE_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lattice-probe/diagnose.h"
#include "lattice-probe/diagnosis.h"
#include "lattice-probe/dns_message.h"
#include "lattice-probe/evidence.h"
#include "lattice-probe/http.h"
#include "lattice-probe/loop.h"
#include "lattice-probe/parse.h"
#include "lattice-probe/resolver.h"
#include "lattice-probe/result.h"

#define DIAGNOSE_FIXTURE_CALLS_MAX 256
#define DIAGNOSE_FIXTURE_RULES_MAX 16

#define FIXTURE_VPC_RESOLVER "169.254.169.253:53"
#define FIXTURE_RESOLVER "10.0.0.53:53"
#define FIXTURE_NAME "checkout-0123456789abcdef0.7d67968.vpc-lattice-svcs.us-east-1.on.aws"
#define FIXTURE_LATTICE "169.254.171.33"

/* How a server answers a name: of several rules that fit, the last holds. No rule: NXDOMAIN. */
struct fixture_rule {
	const char *server;  /* NULL: any */
	const char *name;    /* NULL: any */
	enum dns_type type;  /* 0: any */
	enum outcome outcome;
	const char *address; /* with OUTCOME_OK */
	const char *cname;   /* NULL: none */
	bool is_loop;
	bool is_reused;      /* over the budget, from memory */
	int retransmits;
	bool hangs;
	int lost_of;         /* every lost_of-th question times out; 0: none */
};

/* Anything under way: a question, a transfer, a query. */
struct fixture_call {
	struct loop_timer timer;
	bool is_open;
	void (*end)(struct fixture_call *call);
};

/* Opens one: it ends at the loop's next turn unless it hangs. */
void fixture_call_open(struct fixture_call *call, bool hangs, void (*end)(struct fixture_call *call));
void fixture_call_cancel(struct fixture_call *call);

struct resolver_query {
	struct fixture_call call;
	char server[ADDRESS_TEXT_SIZE];
	char name[DNS_NAME_SIZE];
	enum dns_type type;
	int64_t timeout_us;
	int tries;
	const struct fixture_rule *rule;
	bool is_lost;
	void (*started)(void *user);
	void (*answered)(void *user, const struct resolver_answer *answer);
	void *user;
};

struct http_transfer {
	struct fixture_call call;
	char url[256];
	char method[16];
	char address[ADDRESS_TEXT_SIZE];
	char headers[1024]; /* "name: value\n" of each */
	char body[64];
	int max_segment_bytes;
	bool ends_at_tls;
	bool tls_verify;
	int64_t limit_us;   /* from its start to its deadline */
	bool hangs;         /* set by the case's reply */
	void (*finished)(void *user, const struct http_reply *reply);
	void *user;
};

struct diagnose_fixture {
	struct loop *loop;
	int64_t clock_us;    /* by which the clock has been moved on */
	struct diagnose_context context;
	struct diagnose_options options;
	struct target *target;
	struct diagnose *diagnose;

	const char *servers[TARGET_RESOLVERS_MAX];
	size_t server_count;
	struct fixture_rule rules[DIAGNOSE_FIXTURE_RULES_MAX];
	size_t rule_count;
	struct resolver_query questions[DIAGNOSE_FIXTURE_CALLS_MAX];
	size_t question_count;
	bool refuses_questions;

	/* Changes a reply of 200 into what the case wants. */
	void (*reply)(struct http_transfer *transfer, struct http_reply *reply);
	struct http_transfer transfers[DIAGNOSE_FIXTURE_CALLS_MAX];
	size_t transfer_count;
	bool refuses_transfers;

	size_t imds_count;
	const char *imds_item; /* what every item of the network interface says; NULL: what is right */
	int imds_err;
	const char *imds_hint;
	bool imds_hangs;
	bool has_credentials;
	bool credentials_hang;
	const char *region_found;

	bool has_control;    /* otherwise it hangs */
	struct evidence_control control;
	struct control_question control_question;
	char control_region[64];
	unsigned control_count;
	bool has_publishing;
	struct evidence_publishing publishing;
	unsigned publishing_count;
	struct result *run;  /* what a whole run gives; NULL: it hangs */
	unsigned run_count;

	bool is_without_ipv4;
	unsigned open_count; /* calls under way */
	int64_t steps;       /* answers given so far */
	int64_t steps_max;   /* cancelled then; 0: never */

	bool has_finished;
	unsigned finished_count;
	struct evidence evidence;
	struct diagnosis diagnosis;
};
extern struct diagnose_fixture diagnose_fixture;

/* A healthy service behind its generated name, in a VPC that is associated. */
int diagnose_fixture_set_up(void **state);
int diagnose_fixture_tear_down(void **state); /* nothing may be open then */

void diagnose_fixture_set_url(const char *url);
void diagnose_fixture_add_rule(struct fixture_rule rule);

union address fixture_address(const char *text); /* port 53 unless it has one */

/* Starts; false: no memory. wait: to the end, which must come; the clock goes faster meanwhile. */
bool diagnose_fixture_start(void);
void diagnose_fixture_wait(void);
void diagnose_fixture_run(void); /* both */

/* Lets the loop turn until nothing of what is open has an answer; then moves the clock on. */
void diagnose_fixture_settle(void);
void diagnose_fixture_pass(int64_t duration_us);

/* The transfers of that method to that URL. */
size_t diagnose_fixture_count_transfers(const char *method, const char *url);
size_t diagnose_fixture_count_questions(const char *server, const char *name);

#endif
