/* SPDX-License-Identifier: Apache-2.0 */
/* Every constructor and every builder once for each allocation it makes, with that one failing: no
 * crash, no leak (the leak checker's build sees to that), and the failure is reported.
 *
 * An attempt returns true when it had all it wanted. It cleans up behind itself either way. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../support/authority.h"
#include "../support/origin.h"
#include "alloc_fault.h"

#include "lattice-probe/aggregate.h"
#include "lattice-probe/buf.h"
#include "lattice-probe/cloudwatch_encode.h"
#include "lattice-probe/datum.h"
#include "lattice-probe/err.h"
#include "lattice-probe/http.h"
#include "lattice-probe/loop.h"
#include "lattice-probe/metric.h"
#include "lattice-probe/resolver.h"
#include "lattice-probe/result.h"
#include "lattice-probe/result_json.h"
#include "lattice-probe/schedule.h"
#include "lattice-probe/sigv4.h"
#include "lattice-probe/target.h"
#include "lattice-probe/url.h"

#define PATIENCE_US (30 * US_PER_S) /* of transfers: no attempt may fail because the machine is busy */

/* ---- base ---------------------------------------------------------------------------------- */

static bool a_loop(void)
{
	struct loop *loop = loop_new();

	loop_free(loop);
	return loop != NULL;
}

static void nothing(void *user)
{
	(void)user;
}

static void nothing_ready(void *user, int events)
{
	(void)user;
	(void)events;
}

static bool registrations_of_a_loop(void)
{
	struct loop *loop = loop_new();
	struct loop_timer timers[65] = { 0 };
	struct loop_poll *poll = NULL;
	int fd = eventfd(0, EFD_CLOEXEC);
	struct loop_work *work = NULL;
	int err = loop ? 0 : ERR_NOMEM;

	for (size_t i = 0; !err && i < 65; i++)
		err = loop_timer_start(loop, &timers[i], mono_add(mono_now(), US_PER_DAY), nothing, NULL);
	if (!err)
		poll = loop_poll_start(loop, fd, LOOP_READ, nothing_ready, NULL);
	if (poll)
		work = loop_work_start(loop, nothing, nothing, nothing, NULL);
	if (work)
		loop_work_cancel(work);
	loop_poll_stop(poll);
	for (size_t i = 0; loop && i < 65; i++)
		loop_timer_stop(loop, &timers[i]);
	loop_free(loop);
	assert_int_equal(close(fd), 0);
	return work != NULL;
}

static bool a_buffer(void)
{
	struct buf buf;
	char *taken;

	buf_init(&buf, 100000);
	(void)buf_append_text(&buf, "a");
	for (int i = 0; i < 1000; i++)
		(void)buf_append_format(&buf, "line %d of several\n", i);
	taken = buf_take(&buf);
	buf_done_secret(&buf);
	free(taken);
	return taken != NULL;
}

/* ---- model --------------------------------------------------------------------------------- */

static bool a_url(void)
{
	const char *why = NULL;
	struct url base;
	struct url next;
	int err = url_parse("https://service.example:8443/a/b?c=d", &base, &why);

	if (err)
		return false;
	err = url_resolve(&base, "../e f?g", &next, &why);
	if (!err)
		url_done(&next);
	url_done(&base);
	return !err;
}

static struct target *make_target(void)
{
	struct target *target = target_new();
	const char *why = NULL;

	if (!target)
		return NULL;
	target->method = strdup("GET");
	target->expect_body = calloc(1, sizeof *target->expect_body);
	if (!target->method || !target->expect_body || url_parse("https://service.example/", &target->url, &why) != 0)
		goto fail;
	target->expect_body_count = 1;
	if (target_pattern_set_text("ok", &target->expect_body[0]) != 0)
		goto fail;
	return target;
fail:
	target_drop(target);
	return NULL;
}

static bool a_target(void)
{
	struct target *target = make_target();

	target_drop(target);
	return target != NULL;
}

static bool a_pattern(void)
{
	struct target_pattern pattern = { 0 };
	char *why = NULL;
	int err = target_pattern_compile("\"status\" *: *\"(ok|up)\"", &pattern, &why);

	free(why);
	if (!err)
		target_pattern_done(&pattern);
	return !err;
}

static bool an_explanation_of_a_pattern(void)
{
	struct target_pattern pattern = { 0 };
	char *why = NULL;
	int err = target_pattern_compile("(", &pattern, &why);

	free(why);
	return err == ERR_SYNTAX && why;
}

static bool a_result_as_json(void)
{
	struct target *target = make_target();
	struct result result;
	json_t *json = NULL;
	char *text = NULL;

	if (!target)
		return false;
	result_init(&result, target);
	result.outcome = OUTCOME_OK;
	result.attempts = calloc(2, sizeof *result.attempts);
	result.attempt_count = result.attempts ? 2 : 0;
	if (result.attempts && result_add_cname(&result, "alias.example") == 0)
		json = result_to_json(&result);
	if (json)
		text = json_dumps(json, JSON_COMPACT);
	free(text);
	json_decref(json);
	result_done(&result);
	target_drop(target);
	return text != NULL;
}

static struct dimension_set *make_set(const char *value)
{
	struct dimension_set *set = dimension_set_new();

	if (set && dimension_set_add(set, "Service", value) == 0 && dimension_set_add(set, "Environment", "prod") == 0)
		return set;
	dimension_set_drop(set);
	return NULL;
}

static bool a_datum(void)
{
	struct dimension_set *set = make_set("checkout");
	struct datum *datum = set ? datum_new("Latency", DATUM_UNIT_MILLISECONDS, set, (struct wall){ US_PER_DAY }, 60, 2)
				  : NULL;

	datum_free(datum);
	dimension_set_drop(set);
	return datum != NULL;
}

/* ---- schedule, aggregate, sink ------------------------------------------------------------- */

static bool a_schedule(void)
{
	struct schedule *schedule = schedule_new("i-0123456789abcdef0");
	int err = schedule ? 0 : ERR_NOMEM;
	uint32_t id;

	for (int i = 0; !err && i < 100; i++)
		err = schedule_add(schedule, "checkout", 10 * US_PER_S, NULL, (struct mono){ US_PER_S },
			(struct wall){ US_PER_DAY }, &id);
	schedule_free(schedule);
	return !err;
}

static void free_datum(void *user, struct datum *datum)
{
	unsigned *emitted = user;

	++*emitted;
	datum_free(datum);
}

static int add_results(struct aggregate_series *series)
{
	struct target *target = make_target();
	struct result result;
	int err = target ? 0 : ERR_NOMEM;

	for (int i = 0; !err && i < 200; i++) {
		result_init(&result, target);
		result.outcome = OUTCOME_OK;
		result.scheduled = (struct wall){ US_PER_DAY + i * US_PER_S };
		result.total_us = 1000 * i;
		err = aggregate_add(series, &result);
		result_done(&result);
	}
	target_drop(target);
	return err;
}

/* A datum that cannot be made is counted as dropped samples, not returned as an error. */
static bool an_aggregate(void)
{
	struct dimension_set *service = make_set("checkout");
	struct dimension_set *fleet = make_set("probes");
	unsigned emitted = 0;
	struct aggregate_options options = { .period_us = 60 * US_PER_S, .grace_us = 4 * US_PER_S,
		.metrics = METRIC_SUCCESS | METRIC_LATENCY, .agent_sets = { fleet }, .emit = free_datum,
		.user = &emitted };
	struct aggregate *aggregate = service && fleet ? aggregate_new(&options) : NULL;
	struct aggregate_series *series = aggregate ? aggregate_series_new(aggregate, &service, 1, true) : NULL;
	int err = series ? add_results(series) : ERR_NOMEM;

	if (aggregate)
		aggregate_close_all(aggregate, (struct wall){ 2 * US_PER_DAY });
	aggregate_free(aggregate);
	dimension_set_drop(service);
	dimension_set_drop(fleet);
	return !err && emitted > 0;
}

static bool a_body_for_cloudwatch(void)
{
	struct dimension_set *set = make_set("checkout");
	struct datum *datum = set ? datum_new("Latency", DATUM_UNIT_MILLISECONDS, set, (struct wall){ US_PER_DAY }, 60, 150)
				  : NULL;
	struct buf compressed;
	struct buf body;
	int err = datum ? 0 : ERR_NOMEM;

	buf_init(&body, CLOUDWATCH_BODY_MAX);
	buf_init(&compressed, CLOUDWATCH_BODY_MAX);
	if (!err)
		err = cloudwatch_encode_begin(&body, "LatticeProbe");
	for (int i = 0; !err && i < 5; i++)
		err = cloudwatch_encode_add(&body, datum, i == 0);
	if (!err)
		err = cloudwatch_encode_end(&body);
	if (!err)
		err = cloudwatch_gzip(&body, &compressed);
	buf_done(&compressed);
	buf_done(&body);
	datum_free(datum);
	dimension_set_drop(set);
	return !err;
}

/* ---- aws ----------------------------------------------------------------------------------- */

static bool a_signature(void)
{
	const struct sigv4_header headers[] = { { "Host", "monitoring.us-east-1.amazonaws.com" },
		{ "Content-Type", "application/x-amz-json-1.0" } };
	struct sigv4_request request = { .method = "POST", .path = "/a b/../c", .query = "b=2&a=1", .headers = headers,
		.header_count = 2, .payload = "{}", .payload_bytes = 2, .access_key_id = "AKIDEXAMPLE",
		.secret_access_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", .session_token = "token",
		.region = "us-east-1", .service = "monitoring", .normalize_path = true,
		.instant = { INT64_C(1440938160) * US_PER_S } };
	struct sigv4_signature signature;
	int err;

	sigv4_signature_init(&signature);
	err = sigv4_sign(&request, &signature);
	sigv4_signature_done(&signature);
	return !err;
}

/* ---- net: whatever fails, each question and each transfer comes to an end ------------------- */

/* A port of this host where nobody listens; the descriptor keeps it ours. */
static int closed_port(int type, union address *ret_address)
{
	socklen_t length = sizeof *ret_address;
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(parse_address("127.0.0.1", 0, ret_address), 0);
	assert_int_equal(bind(fd, &ret_address->sa, address_length(ret_address)), 0);
	assert_int_equal(getsockname(fd, &ret_address->sa, &length), 0);
	return fd;
}

struct ending {
	bool is_over;
	bool is_as_expected;
};

static void on_answered(void *user, const struct resolver_answer *answer)
{
	struct ending *ending = user;

	ending->is_over = true;
	ending->is_as_expected = answer->outcome == OUTCOME_DNS_UNREACHABLE;
}

static void ask(struct loop *loop, struct resolver *resolver, const struct target_resolver *servers,
	struct ending *ending)
{
	struct resolver_question question = { .name = "service.example", .type = DNS_TYPE_A, .servers = servers,
		.timeout_us = 200 * US_PER_MS, .tries = 1 };

	if (resolver_ask(resolver, &question, NULL, on_answered, ending))
		loop_run_until(loop, &ending->is_over);
}

static bool a_question(void)
{
	struct target_resolver servers = { .mode = TARGET_RESOLVER_LIST, .server_count = 1 };
	struct resolver_options options = { .resolv_conf = "/dev/null", .resolved_conf = "/dev/null" };
	struct ending ending = { 0 };
	struct loop *loop = loop_new();
	struct resolver *resolver = loop ? resolver_new(loop, &options) : NULL;
	int port = closed_port(SOCK_DGRAM, &servers.servers[0]);

	assert_int_equal(close(port), 0);
	if (resolver)
		ask(loop, resolver, &servers, &ending);
	resolver_free(resolver);
	loop_free(loop);
	return ending.is_as_expected;
}

static void on_finished(void *user, const struct http_reply *reply)
{
	struct ending *ending = user;

	ending->is_over = true;
	ending->is_as_expected = reply->end == HTTP_END_DONE && reply->status == 200 && reply->body_bytes == 2;
}

static void transfer(struct loop *loop, struct http_client *client, const char *text, union address address,
	struct ending *ending)
{
	char name[] = "x-one";
	char value[] = "1";
	const struct target_header headers[] = { { name, value, false } };
	const char *why = NULL;
	struct url url;
	struct http_request request = { .url = &url, .address = address, .method = "POST", .headers = headers,
		.header_count = 1, .body = "body", .body_bytes = 4, .tls_verify = true, .connect_timeout_us = PATIENCE_US,
		.tls_timeout_us = PATIENCE_US, .deadline = mono_add(mono_now(), PATIENCE_US), .max_body_bytes = 1000,
		.keep_body = true };

	if (url_parse(text, &url, &why) != 0)
		return;
	if (http_start(client, &request, on_finished, ending))
		loop_run_until(loop, &ending->is_over);
	url_done(&url);
}

static struct {
	struct origin *plain;
	struct origin *secure;
	struct authority authority;
	SSL_CTX *context;
} servers;

static bool exchange(const char *text, const struct origin *origin)
{
	struct ending ending = { 0 };
	struct loop *loop = loop_new();
	struct http_client *client = loop ? http_client_new(loop, servers.authority.path) : NULL;

	if (client)
		transfer(loop, client, text, origin_address(origin), &ending);
	http_client_free(client);
	loop_free(loop);
	return ending.is_as_expected;
}

/* curl 7.88 divides by zero in its own socket table when memory fails it in the middle of a transfer
 * (SIGFPE in curl_multi_socket_action), so there its allocations succeed. */
#define NOT_CURL (ALLOC_FAULT_ANY & ~ALLOC_FAULT_CURL)

/* A transfer that is made, and unmade before it has run. */
static bool a_transfer_cancelled_at_once(void)
{
	const char *why = NULL;
	struct ending ending = { 0 };
	struct url url = { 0 };
	struct http_request request = { .url = &url, .address = origin_address(servers.secure), .method = "GET",
		.tls_verify = true, .connect_timeout_us = US_PER_S, .tls_timeout_us = US_PER_S,
		.deadline = mono_add(mono_now(), US_PER_S), .max_body_bytes = 1000 };
	struct loop *loop = loop_new();
	struct http_client *client = loop ? http_client_new(loop, servers.authority.path) : NULL;
	struct http_transfer *transfer = NULL;

	if (client && url_parse("https://service.example/", &url, &why) == 0)
		transfer = http_start(client, &request, on_finished, &ending);
	http_cancel(transfer);
	http_client_free(client);
	loop_free(loop);
	url_done(&url);
	assert_false(ending.is_over);
	return transfer != NULL;
}

static bool a_plain_transfer(void)
{
	return exchange("http://service.example/", servers.plain);
}

static bool a_secure_transfer(void)
{
	return exchange("https://service.example/", servers.secure);
}

#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Name: value\r\n\r\nok"

static int start_servers(void **state)
{
	const struct authority_leaf leaf = { "DNS:service.example", -AUTHORITY_DAY_S, AUTHORITY_DAY_S, false };

	(void)state;
	authority_init(&servers.authority);
	servers.context = authority_server(&servers.authority, &leaf);
	servers.plain = origin_start(AF_INET, NULL, origin_answer, ANSWER);
	servers.secure = origin_start(AF_INET, servers.context, origin_answer, ANSWER);
	return 0;
}

static int stop_servers(void **state)
{
	(void)state;
	origin_free(servers.secure);
	origin_free(servers.plain);
	SSL_CTX_free(servers.context);
	authority_done(&servers.authority);
	return 0;
}

ALLOC_FAULT_TEST(a_loop, ALLOC_FAULT_ANY, ALLOC_FAULT_REPORTED)
ALLOC_FAULT_TEST(registrations_of_a_loop, ALLOC_FAULT_ANY, ALLOC_FAULT_REPORTED)
ALLOC_FAULT_TEST(a_buffer, ALLOC_FAULT_ANY, ALLOC_FAULT_REPORTED)
ALLOC_FAULT_TEST(a_url, ALLOC_FAULT_ANY, ALLOC_FAULT_REPORTED)
ALLOC_FAULT_TEST(a_target, ALLOC_FAULT_ANY, ALLOC_FAULT_REPORTED)
ALLOC_FAULT_TEST(a_pattern, ALLOC_FAULT_ANY, ALLOC_FAULT_REPORTED)
ALLOC_FAULT_TEST(an_explanation_of_a_pattern, ALLOC_FAULT_ANY, ALLOC_FAULT_REPORTED)
ALLOC_FAULT_TEST(a_result_as_json, ALLOC_FAULT_ANY, ALLOC_FAULT_REPORTED)
ALLOC_FAULT_TEST(a_datum, ALLOC_FAULT_ANY, ALLOC_FAULT_REPORTED)
ALLOC_FAULT_TEST(a_schedule, ALLOC_FAULT_ANY, ALLOC_FAULT_REPORTED)
ALLOC_FAULT_TEST(an_aggregate, ALLOC_FAULT_ANY, ALLOC_FAULT_SURVIVED)
ALLOC_FAULT_TEST(a_body_for_cloudwatch, ALLOC_FAULT_ANY, ALLOC_FAULT_REPORTED)
ALLOC_FAULT_TEST(a_signature, ALLOC_FAULT_ANY, ALLOC_FAULT_REPORTED)
ALLOC_FAULT_TEST(a_question, ALLOC_FAULT_ANY, ALLOC_FAULT_SURVIVED)
ALLOC_FAULT_TEST(a_transfer_cancelled_at_once, ALLOC_FAULT_ANY, ALLOC_FAULT_SURVIVED)
ALLOC_FAULT_TEST(a_plain_transfer, NOT_CURL, ALLOC_FAULT_SURVIVED)
ALLOC_FAULT_TEST(a_secure_transfer, ALLOC_FAULT_OURS, ALLOC_FAULT_SURVIVED)

/* A handshake makes some two thousand allocations, so only every thirteenth of OpenSSL's is tried. */
static void a_secure_transfer_survives_without_openssl_s_memory(void **state)
{
	(void)state;
	alloc_fault_sweep(a_secure_transfer, ALLOC_FAULT_LIBRARY, ALLOC_FAULT_SURVIVED, 13);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_loop_survives),
		cmocka_unit_test(registrations_of_a_loop_survives),
		cmocka_unit_test(a_buffer_survives),
		cmocka_unit_test(a_url_survives),
		cmocka_unit_test(a_target_survives),
		cmocka_unit_test(a_pattern_survives),
		cmocka_unit_test(an_explanation_of_a_pattern_survives),
		cmocka_unit_test(a_result_as_json_survives),
		cmocka_unit_test(a_datum_survives),
		cmocka_unit_test(a_schedule_survives),
		cmocka_unit_test(an_aggregate_survives),
		cmocka_unit_test(a_body_for_cloudwatch_survives),
		cmocka_unit_test(a_signature_survives),
		cmocka_unit_test(a_question_survives),
		cmocka_unit_test(a_transfer_cancelled_at_once_survives),
		cmocka_unit_test(a_plain_transfer_survives),
		cmocka_unit_test(a_secure_transfer_survives),
		cmocka_unit_test(a_secure_transfer_survives_without_openssl_s_memory),
	};

	alloc_fault_start();
	return cmocka_run_group_tests(tests, start_servers, stop_servers);
}
