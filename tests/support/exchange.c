/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lattice-probe/phases.h"
#include "lattice-probe/result.h"
#include "lattice-probe/target.h"
#include "lattice-probe/units.h"
#include "lattice-probe/verdict.h"

#define LIMIT_US (20 * US_PER_S) /* far beyond what a sound test takes */

static void forget_reply(struct exchange *exchange)
{
	struct http_header_line *headers = exchange->reply.headers ?
		(struct http_header_line *)(uintptr_t)exchange->reply.headers : NULL;

	for (size_t i = 0; i < exchange->reply.header_count; i++) {
		free((void *)(uintptr_t)headers[i].name);
		free((void *)(uintptr_t)headers[i].value);
	}
	free(headers);
	free((void *)(uintptr_t)exchange->reply.body);
	exchange->reply = (struct http_reply){ 0 };
}

static size_t count_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	size_t count = 0;

	assert_non_null(directory);
	while (readdir(directory))
		count++;
	(void)closedir(directory);
	return count;
}

int exchange_setup(void **state)
{
	struct exchange *exchange = calloc(1, sizeof *exchange);

	(void)alarm(120);
	assert_non_null(exchange);
	loop_free(loop_new()); /* the first of a process opens what libuv keeps for ever */
	exchange->descriptors = count_descriptors();
	exchange->loop = loop_new();
	assert_non_null(exchange->loop);
	exchange->client = http_client_new(exchange->loop, NULL);
	assert_non_null(exchange->client);
	*state = exchange;
	return 0;
}

int exchange_teardown(void **state)
{
	struct exchange *exchange = *state;

	http_client_free(exchange->client);
	loop_free(exchange->loop);
	assert_int_equal(count_descriptors(), exchange->descriptors);
	forget_reply(exchange);
	url_done(&exchange->url);
	free(exchange);
	return 0;
}

void exchange_prepare(struct exchange *exchange, const char *url, union address address)
{
	const char *why = "";

	url_done(&exchange->url);
	if (url_parse(url, &exchange->url, &why) != 0)
		fail_msg("%s: %s", url, why);
	exchange->request = (struct http_request){
		.url = &exchange->url,
		.address = address,
		.method = "GET",
		.version = TARGET_HTTP_AUTO,
		.tls_verify = true,
		.connect_timeout_us = LIMIT_US,
		.tls_timeout_us = LIMIT_US,
		.deadline = mono_add(mono_now(), LIMIT_US),
		.max_body_bytes = 1024 * 1024,
		.keep_body = true,
	};
}

static void copy_headers(struct exchange *exchange, const struct http_reply *reply)
{
	struct http_header_line *headers = calloc(reply->header_count + 1, sizeof *headers);

	assert_non_null(headers);
	for (size_t i = 0; i < reply->header_count; i++) {
		headers[i].name = strdup(reply->headers[i].name);
		headers[i].value = strdup(reply->headers[i].value);
	}
	exchange->reply.headers = headers;
}

void exchange_finished(void *user, const struct http_reply *reply)
{
	struct exchange *exchange = user;
	char *body = malloc(reply->body_bytes + 1);

	assert_non_null(body);
	assert_int_equal(reply->body[reply->body_bytes], '\0');
	memcpy(body, reply->body, reply->body_bytes + 1);
	forget_reply(exchange);
	exchange->reply = *reply;
	exchange->reply.body = body;
	copy_headers(exchange, reply);
	exchange->is_done = true;
	exchange->calls++;
}

void exchange_run(struct exchange *exchange)
{
	exchange->is_done = false;
	exchange->calls = 0;
	assert_non_null(http_start(exchange->client, &exchange->request, exchange_finished, exchange));
	assert_false(exchange->is_done);
	loop_run_until(exchange->loop, &exchange->is_done);
	assert_int_equal(exchange->calls, 1);
}

void exchange_scripted(struct exchange *exchange, SSL_CTX *context, const char *url, origin_script script,
	const void *data, void (*change)(struct http_request *request))
{
	struct origin *origin = origin_start(AF_INET, context, script, data);

	exchange_prepare(exchange, url, origin_address(origin));
	if (change)
		change(&exchange->request);
	exchange_run(exchange);
	origin_free(origin);
}

enum outcome exchange_judge(const struct exchange *exchange)
{
	struct target *target = target_new();
	char detail[RESULT_DETAIL_SIZE] = "";
	enum outcome outcome;

	assert_non_null(target);
	outcome = verdict_of_reply(target, &exchange->reply, detail, sizeof detail);
	if (outcome != OUTCOME_OK)
		assert_string_not_equal(detail, "");
	target_drop(target);
	return outcome;
}

void exchange_expect(const struct exchange *exchange, enum http_end end, enum http_stage stage,
	enum outcome outcome)
{
	const struct http_reply *reply = &exchange->reply;
	int64_t phase_us[PHASE_COUNT] = { 0 };
	int64_t failed_us;

	if (reply->end != end || reply->stage != stage)
		fail_msg("end %d stage %d code %d errno %d: %s", (int)reply->end, (int)reply->stage,
			reply->curl_code, reply->os_errno, reply->detail);
	if (exchange_judge(exchange) != outcome)
		fail_msg("%s, not %s: code %d errno %d: %s", outcome_name(exchange_judge(exchange)),
			outcome_name(outcome), reply->curl_code, reply->os_errno, reply->detail);
	phases_of_reply(reply, phase_us, &failed_us);
	if (end != HTTP_END_DONE)
		assert_int_equal(phases_sum(phase_us) + failed_us, mono_since(reply->finished, reply->start));
}
