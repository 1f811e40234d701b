/* SPDX-License-Identifier: Apache-2.0 */
/* probe_fixture: runs of a probe over a resolver, an HTTP client and credentials of the test's own.
 * They are linked in place of the real ones, note what is asked of them, and answer what the case
 * says, when it says so. Failures of its own end the test. */
#ifndef LATTICE_PROBE_TESTS_PROBE_FIXTURE_H
#define LATTICE_PROBE_TESTS_PROBE_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lattice-probe/http.h"
#include "lattice-probe/outcome.h"
#include "lattice-probe/parse.h"
#include "lattice-probe/probe.h"
#include "lattice-probe/resolver.h"
#include "lattice-probe/result.h"
#include "lattice-probe/target.h"
#include "lattice-probe/units.h"

#define PROBE_FIXTURE_CALLS_MAX 64
#define PROBE_FIXTURE_DNS_US 1500  /* what each question took */
#define PROBE_FIXTURE_STEP_US 1000 /* and each phase of an exchange */

struct resolver_query {
	char name[256];
	enum dns_type type;
	int64_t timeout_us;
	bool is_open;
	void (*started)(void *user);
	void (*answered)(void *user, const struct resolver_answer *answer);
	void *user;
};

struct http_transfer {
	char url[512];
	char method[16];
	char address[ADDRESS_TEXT_SIZE];
	char headers[512]; /* "name: value\n" of each */
	char body[64];
	struct mono deadline;
	bool is_open;
	void (*finished)(void *user, const struct http_reply *reply);
	void *user;
};

struct probe_fixture {
	struct loop *loop;
	struct probe_context context;
	struct target *target;
	struct probe *probe;
	unsigned rotation;
	int64_t work_us; /* what each complete exchange says of its own work */
	bool refuses_questions;
	bool refuses_transfers;
	bool has_credentials;

	struct resolver_query questions[PROBE_FIXTURE_CALLS_MAX];
	size_t question_count;
	struct http_transfer transfers[PROBE_FIXTURE_CALLS_MAX];
	size_t transfer_count;

	struct result result;
	bool has_result;
	unsigned finished_count;
};
extern struct probe_fixture probe_fixture;

int probe_fixture_set_up(void **state);
int probe_fixture_tear_down(void **state); /* nothing may be open then */

/* Starts a run of the target with this URL; stop cancels it. */
void probe_fixture_start(const char *url);
void probe_fixture_stop(void);

/* Lets a result that was ready inside probe_start come out. */
void probe_fixture_turn(void);

/* Answers the open question for that name: with the addresses, separated by spaces, or a failure. */
void probe_fixture_answer(const char *name, enum dns_type type, const char *addresses);
void probe_fixture_answer_failure(const char *name, enum dns_type type, enum outcome outcome);

/* A complete exchange, of one transfer or of the last; location: NULL for no redirect. */
struct http_transfer *probe_fixture_last_transfer(void);
void probe_fixture_reply_to(struct http_transfer *transfer, int status, const char *location);
void probe_fixture_reply(int status, const char *location);

/* A transfer that ended in the connect phase: by our limit, or refused. */
void probe_fixture_end_in_connect(struct http_transfer *transfer, int curl_code, enum http_end end);

/* What the result's phases must be, in their order, and the total. */
void probe_fixture_assert_phases(int64_t dns_us, int64_t connect_us, int64_t tls_us, int64_t first_byte_us,
	int64_t transfer_us, int64_t total_us);

#endif
