/* SPDX-License-Identifier: Apache-2.0 */
#include "probe_fixture.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lattice-probe/credentials.h"
#include "lattice-probe/http.h"
#include "lattice-probe/loop.h"
#include "lattice-probe/parse.h"
#include "lattice-probe/url.h"

struct probe_fixture probe_fixture;

/* ---- the stand-ins ------------------------------------------------------------------------ */

struct resolver_query *resolver_ask(struct resolver *resolver, const struct resolver_question *question,
	void (*started)(void *user), void (*answered)(void *user, const struct resolver_answer *answer), void *user)
{
	struct resolver_query *query = &probe_fixture.questions[probe_fixture.question_count];

	(void)resolver;
	assert_true(probe_fixture.question_count < PROBE_FIXTURE_CALLS_MAX);
	if (probe_fixture.refuses_questions)
		return NULL;
	probe_fixture.question_count++;
	*query = (struct resolver_query){ .type = question->type, .timeout_us = question->timeout_us,
		.is_open = true, .started = started, .answered = answered, .user = user };
	(void)snprintf(query->name, sizeof query->name, "%s", question->name);
	return query;
}

void resolver_cancel(struct resolver_query *query)
{
	assert_true(query->is_open);
	query->is_open = false;
}

static void note_headers(struct http_transfer *transfer, const struct http_request *request)
{
	size_t length = 0;

	for (size_t i = 0; i < request->header_count; i++)
		length += (size_t)snprintf(transfer->headers + length, sizeof transfer->headers - length,
			"%s: %s\n", request->headers[i].name, request->headers[i].value);
}

struct http_transfer *http_start(struct http_client *client, const struct http_request *request,
	void (*finished)(void *user, const struct http_reply *reply), void *user)
{
	struct http_transfer *transfer = &probe_fixture.transfers[probe_fixture.transfer_count];

	(void)client;
	assert_true(probe_fixture.transfer_count < PROBE_FIXTURE_CALLS_MAX);
	if (probe_fixture.refuses_transfers)
		return NULL;
	probe_fixture.transfer_count++;
	*transfer = (struct http_transfer){ .deadline = request->deadline, .is_open = true,
		.finished = finished, .user = user };
	(void)snprintf(transfer->url, sizeof transfer->url, "%s", request->url->text);
	(void)snprintf(transfer->method, sizeof transfer->method, "%s", request->method);
	(void)snprintf(transfer->body, sizeof transfer->body, "%s", request->body ? request->body : "");
	address_format_port(&request->address, transfer->address);
	note_headers(transfer, request);
	return transfer;
}

void http_cancel(struct http_transfer *transfer)
{
	assert_true(transfer->is_open);
	transfer->is_open = false;
}

const char *http_reply_header(const struct http_reply *reply, const char *name)
{
	for (size_t i = 0; i < reply->header_count; i++)
		if (strcasecmp(reply->headers[i].name, name) == 0)
			return reply->headers[i].value;
	return NULL;
}

const struct credentials_set *credentials_get(struct credentials *credentials, const char **ret_why)
{
	static char key[] = "AKIDEXAMPLE";
	static char secret[] = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
	static struct credentials_set set = { .access_key_id = key, .secret_access_key = secret };

	(void)credentials;
	*ret_why = "none in this test";
	return probe_fixture.has_credentials ? &set : NULL;
}

/* ---- what a case says --------------------------------------------------------------------- */

static void on_finished(void *user, struct result *result)
{
	(void)user;
	probe_fixture.finished_count++;
	probe_fixture.has_result = true;
	probe_fixture.result = *result;
	probe_fixture.probe = NULL;
}

void probe_fixture_start(const char *url)
{
	const char *why = "";

	url_done(&probe_fixture.target->url);
	assert_int_equal(url_parse(url, &probe_fixture.target->url, &why), 0);
	probe_fixture.probe = probe_start(&probe_fixture.context, probe_fixture.target, wall_now(), mono_now(),
		probe_fixture.rotation, on_finished, NULL);
}

void probe_fixture_stop(void)
{
	probe_cancel(probe_fixture.probe);
	probe_fixture.probe = NULL;
}

void probe_fixture_turn(void)
{
	loop_run_until(probe_fixture.loop, &probe_fixture.has_result);
}

static union address address(const char *text)
{
	union address parsed;

	assert_int_equal(parse_address(text, 0, &parsed), 0);
	return parsed;
}

static struct resolver_query *question(const char *name, enum dns_type type)
{
	for (size_t i = 0; i < probe_fixture.question_count; i++)
		if (probe_fixture.questions[i].is_open && probe_fixture.questions[i].type == type &&
		    strcmp(probe_fixture.questions[i].name, name) == 0)
			return &probe_fixture.questions[i];
	fail_msg("nobody asks for %s", name);
	return NULL;
}

static void end_question(struct resolver_query *query, const struct resolver_answer *answer)
{
	assert_true(query->is_open);
	if (query->started)
		query->started(query->user);
	query->is_open = false;
	query->answered(query->user, answer);
}

void probe_fixture_answer(const char *name, enum dns_type type, const char *addresses)
{
	struct resolver_answer reply = { .outcome = OUTCOME_OK, .has_reply = true, .elapsed_us = PROBE_FIXTURE_DNS_US,
		.server = address("192.0.2.53"), .message = { .ttl_s = 30 } };
	char text[512];
	char *rest = text;
	char *word;

	(void)snprintf(text, sizeof text, "%s", addresses);
	while ((word = strsep(&rest, " ")))
		reply.message.addresses[reply.message.address_count++] = address(word);
	reply.message.address_total = reply.message.address_count;
	end_question(question(name, type), &reply);
}

void probe_fixture_answer_failure(const char *name, enum dns_type type, enum outcome outcome)
{
	struct resolver_answer reply = { .outcome = outcome, .has_reply = outcome == OUTCOME_DNS_NODATA,
		.elapsed_us = PROBE_FIXTURE_DNS_US, .detail = "as the case says", .message = { .ttl_s = -1 } };

	end_question(question(name, type), &reply);
}

struct http_transfer *probe_fixture_last_transfer(void)
{
	assert_true(probe_fixture.transfer_count > 0);
	return &probe_fixture.transfers[probe_fixture.transfer_count - 1];
}

static struct mono step(struct mono *at)
{
	*at = mono_add(*at, PROBE_FIXTURE_STEP_US);
	return *at;
}

void probe_fixture_reply_to(struct http_transfer *transfer, int status, const char *location)
{
	struct mono at = mono_now();
	const struct http_header_line header = { "Location", location };
	struct http_reply reply = { .end = HTTP_END_DONE, .stage = HTTP_STAGE_DONE, .status = status,
		.tls_alert = -1,
		.http_version = 11, .start = at, .body = "", .work_us = probe_fixture.work_us, .tcp_rtt_us = 20, .tcp_retransmits = 1,
		.headers = &header, .header_count = location ? 1 : 0 };

	assert_true(transfer->is_open);
	transfer->is_open = false;
	reply.connected = step(&at);
	if (strncmp(transfer->url, "https", 5) == 0)
		reply.secured = step(&at);
	reply.first_byte = step(&at);
	reply.finished = step(&at);
	transfer->finished(transfer->user, &reply);
}

void probe_fixture_reply(int status, const char *location)
{
	probe_fixture_reply_to(probe_fixture_last_transfer(), status, location);
}

void probe_fixture_end_in_connect(struct http_transfer *transfer, int curl_code, enum http_end end)
{
	struct mono at = mono_now();
	struct http_reply refused = { .end = end, .stage = HTTP_STAGE_CONNECT, .curl_code = curl_code,
		.os_errno = end == HTTP_END_ERROR ? ECONNREFUSED : 0, .start = at, .body = "", .tcp_rtt_us = -1,
		.tcp_retransmits = -1, .tls_alert = -1 };

	transfer->is_open = false;
	refused.finished = step(&at);
	transfer->finished(transfer->user, &refused);
}

void probe_fixture_assert_phases(int64_t dns_us, int64_t connect_us, int64_t tls_us, int64_t first_byte_us,
	int64_t transfer_us, int64_t total_us)
{
	const int64_t wanted_us[PHASE_COUNT] = { dns_us, connect_us, tls_us, first_byte_us, transfer_us };

	for (size_t i = 0; i < PHASE_COUNT; i++)
		assert_int_equal(probe_fixture.result.phase_us[i], wanted_us[i]);
	assert_int_equal(probe_fixture.result.total_us, total_us);
}

static void assert_nothing_is_open(void)
{
	for (size_t i = 0; i < probe_fixture.question_count; i++)
		assert_false(probe_fixture.questions[i].is_open);
	for (size_t i = 0; i < probe_fixture.transfer_count; i++)
		assert_false(probe_fixture.transfers[i].is_open);
}

int probe_fixture_set_up(void **state)
{
	(void)state;
	memset(&probe_fixture, 0, sizeof probe_fixture);
	probe_fixture.loop = loop_new();
	probe_fixture.target = target_new();
	assert_non_null(probe_fixture.loop);
	assert_non_null(probe_fixture.target);
	probe_fixture.context = (struct probe_context){ .loop = probe_fixture.loop, .region = "us-east-1",
		.lag_limit_us = 100 * US_PER_MS };
	probe_fixture.target->method = strdup("GET");
	probe_fixture.target->timeout_us = 3 * US_PER_S;
	probe_fixture.target->dns_timeout_us = 2 * US_PER_S;
	probe_fixture.target->connect_timeout_us = 2 * US_PER_S;
	probe_fixture.target->tls_timeout_us = 2 * US_PER_S;
	probe_fixture.target->dns_tries = 1;
	probe_fixture.target->max_body_bytes = 1024;
	probe_fixture.target->ip = TARGET_IP_AUTO;
	return 0;
}

int probe_fixture_tear_down(void **state)
{
	(void)state;
	if (probe_fixture.probe)
		probe_cancel(probe_fixture.probe);
	assert_nothing_is_open();
	if (probe_fixture.has_result)
		result_done(&probe_fixture.result);
	assert_int_equal(probe_fixture.target->references, 1);
	target_drop(probe_fixture.target);
	loop_free(probe_fixture.loop);
	return 0;
}
