/* SPDX-License-Identifier: Apache-2.0 */
#include "diagnose_fixture.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lattice-probe/resolver.h"
#include "lattice-probe/target.h"
#include "lattice-probe/url.h"

struct diagnose_fixture diagnose_fixture;

#define SOON_US US_PER_MS
#define DNS_US 1500

/* ---- the clock ---------------------------------------------------------------------------- */

struct mono __real_mono_now(void);
struct mono __wrap_mono_now(void);

struct mono __wrap_mono_now(void)
{
	return mono_add(__real_mono_now(), diagnose_fixture.clock_us);
}

/* ---- what is under way -------------------------------------------------------------------- */

static void end_call(void *user)
{
	struct fixture_call *call = user;

	call->is_open = false;
	diagnose_fixture.open_count--;
	diagnose_fixture.steps++;
	call->end(call);
	if (diagnose_fixture.steps_max && diagnose_fixture.steps == diagnose_fixture.steps_max) {
		diagnose_cancel(diagnose_fixture.diagnose);
		diagnose_fixture.diagnose = NULL;
		diagnose_fixture.has_finished = true;
	}
}

void fixture_call_open(struct fixture_call *call, bool hangs, void (*end)(struct fixture_call *call))
{
	*call = (struct fixture_call){ .is_open = true, .end = end };
	diagnose_fixture.open_count++;
	if (!hangs)
		assert_int_equal(loop_timer_start(diagnose_fixture.loop, &call->timer, mono_now(), end_call, call), 0);
}

void fixture_call_cancel(struct fixture_call *call)
{
	assert_true(call->is_open);
	call->is_open = false;
	diagnose_fixture.open_count--;
	loop_timer_stop(diagnose_fixture.loop, &call->timer);
}

union address fixture_address(const char *text)
{
	union address address;

	assert_int_equal(parse_address(text, 53, &address), 0);
	return address;
}

/* ---- the resolver ------------------------------------------------------------------------- */

size_t resolver_servers(struct resolver *resolver, const struct target_resolver *servers,
	union address ret_servers[static TARGET_RESOLVERS_MAX], bool *ret_is_local)
{
	(void)resolver;
	*ret_is_local = false;
	if (servers->mode == TARGET_RESOLVER_VPC) {
		ret_servers[0] = fixture_address(FIXTURE_VPC_RESOLVER);
		return 1;
	}
	for (size_t i = 0; i < diagnose_fixture.server_count; i++)
		ret_servers[i] = fixture_address(diagnose_fixture.servers[i]);
	return diagnose_fixture.server_count;
}

static bool rule_fits(const struct fixture_rule *rule, const struct resolver_query *query)
{
	return (!rule->server || strcmp(rule->server, query->server) == 0) &&
		(!rule->name || strcmp(rule->name, query->name) == 0) && (!rule->type || rule->type == query->type);
}

static const struct fixture_rule *find_rule(const struct resolver_query *query)
{
	static const struct fixture_rule nothing = { .outcome = OUTCOME_DNS_NXDOMAIN };

	for (size_t i = diagnose_fixture.rule_count; i-- > 0;)
		if (rule_fits(&diagnose_fixture.rules[i], query))
			return &diagnose_fixture.rules[i];
	return &nothing;
}

static int rcode_of(const struct fixture_rule *rule)
{
	switch ((int)rule->outcome) {
	case OUTCOME_DNS_NXDOMAIN: return 3;
	case OUTCOME_DNS_SERVFAIL: return 2;
	case OUTCOME_DNS_REFUSED: return 5;
	default: return 0;
	}
}

static bool is_answered(enum outcome outcome)
{
	return outcome != OUTCOME_DNS_TIMEOUT && outcome != OUTCOME_DNS_UNREACHABLE && outcome != OUTCOME_LOCAL_FAULT;
}

static void add_address(struct dns_message *message, const char *text)
{
	union address address = fixture_address(text);

	address_set_port(&address, 0);
	message->addresses[message->address_count++] = address;
	message->address_total = message->address_count;
	message->ttl_s = 60;
}

static void end_question(struct fixture_call *call)
{
	struct resolver_query *query = (struct resolver_query *)call;
	const struct fixture_rule *rule = query->rule;
	struct resolver_answer answer = { .outcome = query->is_lost ? OUTCOME_DNS_TIMEOUT : rule->outcome,
		.server = fixture_address(query->server), .sent = mono_now(), .elapsed_us = DNS_US,
		.retransmits = query->is_lost ? query->tries - 1 : rule->retransmits, .message = { .ttl_s = -1 } };

	answer.has_reply = is_answered(answer.outcome);
	if (rule->is_reused) {
		answer.marks = RESULT_MARK_DNS_REUSED;
		answer.elapsed_us = 0;
	}
	if (answer.has_reply) {
		answer.message.rcode = rcode_of(rule);
		answer.message.is_cname_loop = rule->is_loop;
		if (rule->cname)
			(void)snprintf(answer.message.cnames[answer.message.cname_count++], DNS_NAME_SIZE, "%s", rule->cname);
		if (rule->address)
			add_address(&answer.message, rule->address);
	}
	query->answered(query->user, &answer);
}

static bool is_of_the_family(const struct fixture_rule *rule, enum dns_type type)
{
	return !rule->address || (strchr(rule->address, '.') != NULL) == (type == DNS_TYPE_A);
}

/* A name that has addresses of the other family alone. */
static const struct fixture_rule *rule_for(const struct resolver_query *query)
{
	static const struct fixture_rule empty = { .outcome = OUTCOME_DNS_NODATA };
	const struct fixture_rule *rule = find_rule(query);

	return is_of_the_family(rule, query->type) ? rule : &empty;
}

struct resolver_query *resolver_ask(struct resolver *resolver, const struct resolver_question *question,
	void (*started)(void *user), void (*answered)(void *user, const struct resolver_answer *answer), void *user)
{
	struct resolver_query *query = &diagnose_fixture.questions[diagnose_fixture.question_count];

	(void)resolver;
	assert_true(diagnose_fixture.question_count < DIAGNOSE_FIXTURE_CALLS_MAX);
	assert_int_equal(question->servers->mode, TARGET_RESOLVER_LIST);
	assert_int_equal(question->servers->server_count, 1);
	if (diagnose_fixture.refuses_questions)
		return NULL;
	diagnose_fixture.question_count++;
	*query = (struct resolver_query){ .type = question->type, .timeout_us = question->timeout_us,
		.tries = question->tries, .started = started, .answered = answered, .user = user };
	(void)snprintf(query->name, sizeof query->name, "%s", question->name);
	address_format_port(&question->servers->servers[0], query->server);
	query->rule = rule_for(query);
	query->is_lost = query->rule->lost_of && diagnose_fixture.question_count % (size_t)query->rule->lost_of == 0;
	fixture_call_open(&query->call, query->rule->hangs, end_question);
	started(user);
	return query;
}

void resolver_cancel(struct resolver_query *query)
{
	fixture_call_cancel(&query->call);
}

/* ---- HTTP --------------------------------------------------------------------------------- */

void http_client_load_trust(struct http_client *client, const char *tls_ca)
{
	(void)client;
	(void)tls_ca;
}

const char *http_reply_header(const struct http_reply *reply, const char *name)
{
	for (size_t i = 0; i < reply->header_count; i++)
		if (strcasecmp(reply->headers[i].name, name) == 0)
			return reply->headers[i].value;
	return NULL;
}

static struct http_reply reply_to(const struct http_transfer *transfer)
{
	struct mono start = mono_now();
	struct http_reply reply = { .end = HTTP_END_DONE, .stage = HTTP_STAGE_DONE, .status = 200, .http_version = 11,
		.start = start, .connected = mono_add(start, 100), .body = "", .tcp_rtt_us = 90, .tls_alert = -1 };

	if (strncmp(transfer->url, "https", 5) == 0)
		reply.secured = mono_add(start, 200);
	if (transfer->ends_at_tls)
		reply.status = reply.http_version = 0;
	else
		reply.first_byte = mono_add(start, 300);
	reply.finished = mono_add(start, 400);
	return reply;
}

static void end_transfer(struct fixture_call *call)
{
	struct http_transfer *transfer = (struct http_transfer *)call;
	struct http_reply reply = reply_to(transfer);

	if (diagnose_fixture.reply)
		diagnose_fixture.reply(transfer, &reply);
	if (reply.end != HTTP_END_DONE) {
		reply.status = reply.stage == HTTP_STAGE_TRANSFER ? reply.status : 0;
		if (reply.stage <= HTTP_STAGE_FIRST_BYTE)
			reply.first_byte = (struct mono){ 0 };
		if (reply.stage <= HTTP_STAGE_TLS)
			reply.secured = (struct mono){ 0 };
		if (reply.stage <= HTTP_STAGE_CONNECT)
			reply.connected = (struct mono){ 0 };
	}
	transfer->finished(transfer->user, &reply);
}

static void note_headers(struct http_transfer *transfer, const struct http_request *request)
{
	size_t length = 0;

	for (size_t i = 0; i < request->header_count; i++)
		length += (size_t)snprintf(transfer->headers + length, sizeof transfer->headers - length, "%s: %s\n",
			request->headers[i].name, request->headers[i].value);
}

struct http_transfer *http_start(struct http_client *client, const struct http_request *request,
	void (*finished)(void *user, const struct http_reply *reply), void *user)
{
	struct http_transfer *transfer = &diagnose_fixture.transfers[diagnose_fixture.transfer_count];
	struct http_reply ignored = { .end = HTTP_END_DONE };

	(void)client;
	assert_true(diagnose_fixture.transfer_count < DIAGNOSE_FIXTURE_CALLS_MAX);
	if (diagnose_fixture.refuses_transfers)
		return NULL;
	diagnose_fixture.transfer_count++;
	*transfer = (struct http_transfer){ .max_segment_bytes = request->max_segment_bytes,
		.ends_at_tls = request->ends_at_tls, .tls_verify = request->tls_verify,
		.limit_us = mono_since(request->deadline, mono_now()), .finished = finished, .user = user };
	(void)snprintf(transfer->url, sizeof transfer->url, "%s", request->url->text);
	(void)snprintf(transfer->method, sizeof transfer->method, "%s", request->method);
	(void)snprintf(transfer->body, sizeof transfer->body, "%s", request->body ? request->body : "");
	address_format_port(&request->address, transfer->address);
	note_headers(transfer, request);
	if (diagnose_fixture.reply)
		diagnose_fixture.reply(transfer, &ignored);
	fixture_call_open(&transfer->call, transfer->hangs, end_transfer);
	return transfer;
}

void http_cancel(struct http_transfer *transfer)
{
	fixture_call_cancel(&transfer->call);
}

/* ---- what a case says --------------------------------------------------------------------- */

void diagnose_fixture_set_url(const char *url)
{
	const char *why = "";

	url_done(&diagnose_fixture.target->url);
	assert_int_equal(url_parse(url, &diagnose_fixture.target->url, &why), 0);
}

void diagnose_fixture_add_rule(struct fixture_rule rule)
{
	assert_true(diagnose_fixture.rule_count < DIAGNOSE_FIXTURE_RULES_MAX);
	diagnose_fixture.rules[diagnose_fixture.rule_count++] = rule;
}

static void on_finished(void *user, const struct evidence *evidence, const struct diagnosis *diagnosis)
{
	assert_ptr_equal(user, &diagnose_fixture);
	diagnose_fixture.finished_count++;
	diagnose_fixture.has_finished = true;
	diagnose_fixture.evidence = *evidence;
	diagnose_fixture.diagnosis = *diagnosis;
	diagnose_fixture.diagnose = NULL;
}

bool diagnose_fixture_start(void)
{
	diagnose_fixture.diagnose = diagnose_start(&diagnose_fixture.context, diagnose_fixture.target,
		&diagnose_fixture.options, on_finished, &diagnose_fixture);
	assert_int_equal(diagnose_fixture.finished_count, 0);
	return diagnose_fixture.diagnose != NULL;
}

static void note_turn(void *user)
{
	*(bool *)user = true;
}

static void turn(int64_t wait_us)
{
	struct loop_timer timer = { .slot = 0 };
	bool has_turned = false;

	assert_int_equal(loop_timer_start(diagnose_fixture.loop, &timer, mono_add(mono_now(), wait_us), note_turn,
		&has_turned), 0);
	loop_run_until(diagnose_fixture.loop, &has_turned);
	loop_timer_stop(diagnose_fixture.loop, &timer);
}

void diagnose_fixture_wait(void)
{
	while (!diagnose_fixture.has_finished) {
		turn(SOON_US);
		diagnose_fixture.clock_us += 10 * SOON_US;
	}
}

void diagnose_fixture_run(void)
{
	assert_true(diagnose_fixture_start());
	diagnose_fixture_wait();
}

void diagnose_fixture_settle(void)
{
	int64_t before;

	do {
		before = diagnose_fixture.steps;
		for (int i = 0; i < 5; i++)
			turn(SOON_US);
	} while (diagnose_fixture.steps != before);
}

void diagnose_fixture_pass(int64_t duration_us)
{
	diagnose_fixture_settle();
	diagnose_fixture.clock_us += duration_us;
	diagnose_fixture_settle();
}

size_t diagnose_fixture_count_transfers(const char *method, const char *url)
{
	size_t count = 0;

	for (size_t i = 0; i < diagnose_fixture.transfer_count; i++)
		count += strcmp(diagnose_fixture.transfers[i].method, method) == 0 &&
			strcmp(diagnose_fixture.transfers[i].url, url) == 0;
	return count;
}

size_t diagnose_fixture_count_questions(const char *server, const char *name)
{
	size_t count = 0;

	for (size_t i = 0; i < diagnose_fixture.question_count; i++)
		count += strcmp(diagnose_fixture.questions[i].server, server) == 0 &&
			strcmp(diagnose_fixture.questions[i].name, name) == 0;
	return count;
}

static void make_target(void)
{
	struct target *target = target_new();

	assert_non_null(target);
	target->method = strdup("GET");
	target->timeout_us = 3 * US_PER_S;
	target->dns_timeout_us = target->connect_timeout_us = target->tls_timeout_us = 2 * US_PER_S;
	target->dns_tries = 1;
	target->tls_verify = true;
	target->max_body_bytes = 1024;
	diagnose_fixture.target = target;
	diagnose_fixture_set_url("https://" FIXTURE_NAME "/healthz");
}

int diagnose_fixture_set_up(void **state)
{
	(void)state;
	memset(&diagnose_fixture, 0, sizeof diagnose_fixture);
	diagnose_fixture.loop = loop_new();
	assert_non_null(diagnose_fixture.loop);
	make_target();
	/* Never looked into: everybody who would is a stand-in. */
	diagnose_fixture.context = (struct diagnose_context){ .loop = diagnose_fixture.loop,
		.transport = (struct aws_transport *)&diagnose_fixture, .imds = (struct imds *)&diagnose_fixture,
		.credentials = (struct credentials *)&diagnose_fixture, .region = "us-east-1", .endpoint = "auto",
		.namespace_ = "LatticeProbe" };
	diagnose_fixture.servers[0] = FIXTURE_RESOLVER;
	diagnose_fixture.server_count = 1;
	diagnose_fixture.imds_hint = "";
	diagnose_fixture.has_credentials = diagnose_fixture.has_control = diagnose_fixture.has_publishing = true;
	diagnose_fixture_add_rule((struct fixture_rule){ .name = FIXTURE_NAME, .outcome = OUTCOME_OK,
		.address = FIXTURE_LATTICE });
	return 0;
}

int diagnose_fixture_tear_down(void **state)
{
	(void)state;
	diagnose_cancel(diagnose_fixture.diagnose);
	assert_int_equal(diagnose_fixture.open_count, 0);
	assert_int_equal(diagnose_fixture.target->references, 1);
	target_drop(diagnose_fixture.target);
	loop_free(diagnose_fixture.loop);
	return 0;
}
