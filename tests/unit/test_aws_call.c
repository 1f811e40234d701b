/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "../support/canned_server.h"

#include "lattice-probe/aws_call.h"
#include "lattice-probe/err.h"
#include "lattice-probe/loop.h"

#define COUNT(array) (sizeof (array) / sizeof *(array))
#define HEAD(status) "HTTP/1.1 " status "\r\nConnection: close\r\n"
#define OK_REPLY HEAD("200 OK") "\r\n{}"

struct world {
	struct loop *loop;
	struct aws_transport *transport;
	struct canned_server *server;
	char endpoint[128];
	struct credentials_set keys;
	bool is_done;
	unsigned replies;
	struct aws_reply reply;
	char body[256];
};

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof *world);

	assert_non_null(world);
	world->loop = loop_new();
	assert_non_null(world->loop);
	world->transport = aws_transport_new(world->loop, &(struct aws_transport_options){ 0 });
	assert_non_null(world->transport);
	assert_int_equal(credentials_set_copy(&(struct credentials_set){ .access_key_id = (char[]){ "AKIDEXAMPLE" },
		.secret_access_key = (char[]){ "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" },
		.session_token = (char[]){ "EXAMPLETOKEN" }, .source = "environment" }, &world->keys), 0);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	aws_transport_free(world->transport);
	loop_free(world->loop);
	if (world->server)
		canned_server_stop(world->server);
	credentials_set_done(&world->keys);
	free(world);
	return 0;
}

static void serve(struct world *world, const char *bytes)
{
	static struct canned_reply reply;

	reply = (struct canned_reply){ "POST ", bytes, 0, 0 };
	world->server = canned_server_start(&reply, 1);
	(void)snprintf(world->endpoint, sizeof world->endpoint, "%s", canned_server_url(world->server));
}

static void on_reply(void *user, const struct aws_reply *reply)
{
	struct world *world = user;

	world->reply = *reply;
	(void)snprintf(world->body, sizeof world->body, "%.*s", (int)reply->body_bytes, reply->body ? reply->body : "");
	world->replies++;
	world->is_done = true;
}

static struct aws_request request_of(const struct world *world)
{
	static const struct sigv4_header headers[] = {
		{ "Content-Type", "application/x-amz-json-1.0" },
		{ "X-Amz-Target", "GraniteServiceVersion20100801.PutMetricData" },
	};

	return (struct aws_request){ .endpoint = world->endpoint, .service = "monitoring", .region = "us-east-1",
		.credentials = &world->keys, .headers = headers, .header_count = 2, .body = "{}", .body_bytes = 2,
		.timeout_us = 2 * US_PER_S };
}

static void run_request(struct world *world, const struct aws_request *request)
{
	unsigned before = world->replies;

	world->is_done = false;
	assert_non_null(aws_call_start(world->transport, request, on_reply, world));
	assert_int_equal(world->replies, before); /* never from inside the call */
	loop_run_until(world->loop, &world->is_done);
	assert_int_equal(world->replies, before + 1);
}

static void run(struct world *world)
{
	struct aws_request request = request_of(world);

	run_request(world, &request);
}

static void assert_class(const struct world *world, enum aws_class class_)
{
	assert_string_equal(aws_class_name(world->reply.class_), aws_class_name(class_));
}

/* ---- the request -------------------------------------------------------------------------- */

static void a_call_is_posted_with_its_headers_and_a_signature(void **state)
{
	struct world *world = *state;
	const char *sent;

	serve(world, OK_REPLY);
	run(world);
	assert_class(world, AWS_CLASS_OK);
	assert_int_equal(world->reply.status, 200);
	assert_string_equal(world->body, "{}");
	sent = canned_server_last(world->server, "POST / HTTP/1.1\r\n");
	assert_non_null(strstr(sent, "\r\nContent-Type: application/x-amz-json-1.0\r\n"));
	assert_non_null(strstr(sent, "\r\nX-Amz-Target: GraniteServiceVersion20100801.PutMetricData\r\n"));
	assert_non_null(strstr(sent, "\r\nX-Amz-Security-Token: EXAMPLETOKEN\r\n"));
	assert_non_null(strstr(sent, "/us-east-1/monitoring/aws4_request, "
		"SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, Signature="));
	assert_null(strcasestr(sent, "\r\nExpect:"));
	assert_non_null(strstr(sent, "\r\n\r\n{}"));
}

/* Signs once more what the server saw, Host header included, and compares. */
static void the_signature_is_right_for_what_was_sent(void **state)
{
	struct world *world = *state;
	struct sigv4_signature signature;
	char host[64];
	const char *sent;
	const char *date;
	struct wall instant;
	char rfc[WALL_TEXT_SIZE];

	serve(world, OK_REPLY);
	run(world);
	sent = canned_server_last(world->server, "POST");
	(void)snprintf(host, sizeof host, "127.0.0.1:%u", canned_server_port(world->server));
	date = strstr(sent, "\r\nX-Amz-Date: ");
	assert_non_null(date);
	date += strlen("\r\nX-Amz-Date: ");
	(void)snprintf(rfc, sizeof rfc, "%.4s-%.2s-%.2sT%.2s:%.2s:%.2sZ", date, date + 4, date + 6, date + 9, date + 11,
		date + 13);
	assert_int_equal(wall_parse_rfc3339(rfc, &instant), 0);
	sigv4_signature_init(&signature);
	assert_int_equal(sigv4_sign(&(struct sigv4_request){ .method = "POST", .path = "/",
		.headers = (struct sigv4_header[]){ { "content-type", "application/x-amz-json-1.0" }, { "host", host },
			{ "x-amz-target", "GraniteServiceVersion20100801.PutMetricData" } }, .header_count = 3,
		.payload = "{}", .payload_bytes = 2, .access_key_id = world->keys.access_key_id,
		.secret_access_key = world->keys.secret_access_key, .session_token = world->keys.session_token,
		.region = "us-east-1", .service = "monitoring", .normalize_path = true, .instant = instant },
		&signature), 0);
	assert_non_null(strstr(sent, buf_text(&signature.authorization)));
	sigv4_signature_done(&signature);
}

/* A path that is sent encoded is encoded once more in the canonical request (IAM User Guide, "Create a
 * signed request"): sigv4 is tested for it; here the path and query must arrive as they were written. */
static void a_call_by_get_has_its_path_and_no_body(void **state)
{
	static const struct canned_reply reply = { "GET ", OK_REPLY, 0, 0 };
	struct world *world = *state;
	struct aws_request request;
	const char *sent;

	world->server = canned_server_start(&reply, 1);
	(void)snprintf(world->endpoint, sizeof world->endpoint, "%s/x/arn%%3Aaws%%3Ab%%2Fc?d=e%%2F&f=g",
		canned_server_url(world->server));
	request = (struct aws_request){ .endpoint = world->endpoint, .method = "GET", .service = "vpc-lattice",
		.region = "us-east-1", .credentials = &world->keys, .timeout_us = 2 * US_PER_S };
	run_request(world, &request);
	assert_class(world, AWS_CLASS_OK);
	sent = canned_server_last(world->server, "GET /x/arn%3Aaws%3Ab%2Fc?d=e%2F&f=g HTTP/1.1\r\n");
	assert_non_null(strstr(sent, "/us-east-1/vpc-lattice/aws4_request, SignedHeaders=host;x-amz-date;"));
	assert_null(strcasestr(sent, "\r\nContent-Length:"));
}

static void without_a_service_nothing_is_signed(void **state)
{
	struct world *world = *state;
	struct aws_request request;
	const char *sent;

	serve(world, OK_REPLY);
	request = request_of(world);
	request.service = NULL;
	request.credentials = NULL;
	run_request(world, &request);
	assert_class(world, AWS_CLASS_OK);
	sent = canned_server_last(world->server, "POST");
	assert_null(strcasestr(sent, "Authorization"));
	assert_null(strcasestr(sent, "X-Amz-Date"));
	assert_null(strstr(sent, "EXAMPLETOKEN"));
}

/* ---- the reply ---------------------------------------------------------------------------- */

static void code_message_and_delay_come_out_of_the_reply(void **state)
{
	struct world *world = *state;

	serve(world, HEAD("400 Bad Request") "x-amzn-query-error: Throttling;Sender\r\nx-amz-retry-after: 1500\r\n"
		"Retry-After: 7\r\n\r\n{\"__type\":\"x#ThrottlingException\",\"message\":\"Rate exceeded for 123456789012\"}");
	run(world);
	assert_class(world, AWS_CLASS_THROTTLED);
	assert_int_equal(world->reply.status, 400);
	assert_string_equal(world->reply.code, "Throttling");
	assert_string_equal(world->reply.message, "Rate exceeded for ***");
	assert_int_equal(world->reply.retry_after_us, 1500 * US_PER_MS);
}

static void retry_after_is_in_seconds_and_has_a_ceiling(void **state)
{
	struct world *world = *state;
	static const struct canned_reply absurd[] = {
		{ "POST ", HEAD("503 Service Unavailable") "Retry-After: 99999999999\r\n\r\n", 0, 0 } };

	serve(world, HEAD("503 Service Unavailable") "x-amz-retry-after: -5\r\nRetry-After: 7\r\n\r\n");
	run(world);
	assert_class(world, AWS_CLASS_SERVER);
	assert_int_equal(world->reply.retry_after_us, 7 * US_PER_S);
	canned_server_change(world->server, absurd, 1);
	run(world);
	assert_int_equal(world->reply.retry_after_us, 0);
}

static void the_clock_of_aws_is_taken_from_date_and_used(void **state)
{
	struct world *world = *state;
	char bytes[256];
	char date[WALL_TEXT_SIZE];
	int64_t skew_us;

	/* 2015 is long ago; no weekday is checked. */
	serve(world, HEAD("400 Bad Request") "Date: Sun, 30 Aug 2015 12:36:00 GMT\r\n\r\n");
	run(world);
	skew_us = aws_transport_skew_us(world->transport);
	assert_in_range(wall_add(wall_now(), skew_us).us - INT64_C(1440938160) * US_PER_S, 0, 5 * US_PER_S);
	run(world);
	assert_non_null(strstr(canned_server_last(world->server, "POST"), "\r\nX-Amz-Date: 20150830T1236"));
	/* A reply without a Date, or with a wrong one, says nothing about the clock. */
	canned_server_change(world->server, &(struct canned_reply){ "POST ", HEAD("200 OK") "Date: soon\r\n\r\n", 0, 0 }, 1);
	run(world);
	assert_int_not_equal(aws_transport_skew_us(world->transport), 0);
	/* And one that agrees ends it. */
	wall_format_rfc3339(wall_now(), date);
	(void)snprintf(bytes, sizeof bytes, HEAD("200 OK") "Date: Mon, %.2s Nov 2026 %.8s GMT\r\n\r\n", date + 8, date + 11);
	(void)memcpy(strstr(bytes, "2026"), date, 4);
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	(void)memcpy(strstr(bytes, "Nov"), months + 3 * ((date[5] - '0') * 10 + date[6] - '0' - 1), 3);
	canned_server_change(world->server, &(struct canned_reply){ "POST ", bytes, 0, 0 }, 1);
	run(world);
	assert_int_equal(aws_transport_skew_us(world->transport), 0);
}

static void a_signature_refused_with_a_date_far_off_is_skewed(void **state)
{
	struct world *world = *state;

	serve(world, HEAD("403 Forbidden") "Date: Sun, 30 Aug 2015 12:36:00 GMT\r\n\r\n"
		"{\"__type\":\"SignatureDoesNotMatch\"}");
	run(world);
	assert_class(world, AWS_CLASS_SKEWED);
	/* Signed for the corrected clock and refused again: it is not the clock. */
	run(world);
	assert_class(world, AWS_CLASS_DENIED);
}

/* ---- what never arrives ------------------------------------------------------------------- */

static void a_reply_that_never_comes_leaves_the_request_in_doubt(void **state)
{
	struct world *world = *state;
	struct aws_request request;

	serve(world, NULL);
	request = request_of(world);
	request.timeout_us = 300 * US_PER_MS;
	run_request(world, &request);
	assert_class(world, AWS_CLASS_IN_DOUBT);
	assert_int_equal(world->reply.status, 0);
	assert_true(world->reply.message[0] != '\0');
}

static void a_connection_closed_instead_of_an_answer_is_in_doubt(void **state)
{
	struct world *world = *state;

	serve(world, "");
	run(world);
	assert_class(world, AWS_CLASS_IN_DOUBT);
}

static void what_is_no_http_is_in_doubt(void **state)
{
	struct world *world = *state;

	serve(world, "SSH-2.0-OpenSSH\r\n");
	run(world);
	assert_class(world, AWS_CLASS_IN_DOUBT);
}

/* CloudWatch has taken the data when it says 200, whatever becomes of the body. */
static void a_success_cut_short_is_a_success(void **state)
{
	struct world *world = *state;

	serve(world, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{");
	run(world);
	assert_class(world, AWS_CLASS_OK);
}

static void an_error_larger_than_any_real_one_is_cut(void **state)
{
	struct world *world = *state;
	struct buf bytes;

	buf_init(&bytes, 1024 * 1024);
	(void)buf_append_text(&bytes, HEAD("500 Oops") "\r\n");
	for (int i = 0; i < 20000; i++)
		(void)buf_append_text(&bytes, "0123456789abcdef");
	assert_int_equal(bytes.failed, 0);
	serve(world, bytes.data);
	run(world);
	assert_class(world, AWS_CLASS_SERVER);
	assert_int_equal(world->reply.status, 500);
	assert_true(world->reply.body_bytes <= 64 * 1024);
	buf_done(&bytes);
}

static void a_larger_reply_is_taken_where_it_is_asked_for(void **state)
{
	static const struct { int64_t max_bytes; size_t kept_bytes; } limits[] = {
		{ 200 * 1024, 200 * 1024 }, { INT64_MAX, AWS_REPLY_MAX_BYTES }, { 0, AWS_REPLY_DEFAULT_BYTES } };
	struct world *world = *state;
	struct aws_request request;
	struct buf bytes;

	buf_init(&bytes, 2 * 1024 * 1024);
	(void)buf_append_text(&bytes, HEAD("200 OK") "\r\n");
	for (int i = 0; i < 70000; i++)
		(void)buf_append_text(&bytes, "0123456789abcdef");
	assert_int_equal(bytes.failed, 0);
	serve(world, bytes.data);
	request = request_of(world);
	for (size_t i = 0; i < COUNT(limits); i++) {
		request.max_reply_bytes = limits[i].max_bytes;
		run_request(world, &request);
		assert_in_range(world->reply.body_bytes, limits[i].kept_bytes / 2, limits[i].kept_bytes);
	}
	buf_done(&bytes);
}

static void a_closed_port_is_unreachable(void **state)
{
	struct world *world = *state;

	(void)snprintf(world->endpoint, sizeof world->endpoint, "http://localhost:%u", canned_server_closed_port());
	run(world);
	assert_class(world, AWS_CLASS_UNREACHABLE);
}

static void a_server_without_tls_is_told_as_that(void **state)
{
	struct world *world = *state;

	serve(world, OK_REPLY);
	(void)snprintf(world->endpoint, sizeof world->endpoint, "https://127.0.0.1:%u", canned_server_port(world->server));
	/* It waits for a request line that a ClientHello never ends: a timeout of the handshake. */
	struct aws_request request = request_of(world);
	request.timeout_us = 300 * US_PER_MS;
	run_request(world, &request);
	assert_class(world, AWS_CLASS_TIMEOUT);
}

static void no_descriptor_is_our_own_trouble(void **state)
{
	struct world *world = *state;
	struct rlimit before;
	struct rlimit none;

	serve(world, OK_REPLY);
	run(world);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){ 3, before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	run(world);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_class(world, AWS_CLASS_LOCAL);
}

/* ---- where it may go ---------------------------------------------------------------------- */

static void an_endpoint_that_may_not_be_used_is_refused(void **state)
{
	static const char *const endpoints[] = { "http://192.0.2.1", "http://10.0.0.1:8080", "http://[2001:db8::1]",
		"ftp://127.0.0.1", "monitoring.us-east-1.amazonaws.com", "", "https://user:word@127.0.0.1/" };
	struct world *world = *state;

	for (size_t i = 0; i < COUNT(endpoints); i++) {
		(void)snprintf(world->endpoint, sizeof world->endpoint, "%s", endpoints[i]);
		run(world);
		assert_class(world, AWS_CLASS_LOCAL);
		assert_true(world->reply.message[0] != '\0');
	}
}

static void use_proxy(struct world *world)
{
	char proxy[128];

	(void)snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u", canned_server_port(world->server));
	aws_transport_free(world->transport);
	world->transport = aws_transport_new(world->loop, &(struct aws_transport_options){ .proxy = proxy });
	assert_non_null(world->transport);
}

static void a_proxy_gets_the_name_to_connect_to(void **state)
{
	struct world *world = *state;
	static const struct canned_reply refusal[] = { { "CONNECT ", "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", 0, 0 } };

	serve(world, OK_REPLY);
	canned_server_change(world->server, refusal, 1);
	use_proxy(world);
	(void)snprintf(world->endpoint, sizeof world->endpoint, "https://monitoring.us-east-1.amazonaws.com");
	run(world);
	assert_int_equal(canned_server_count(world->server, "CONNECT monitoring.us-east-1.amazonaws.com:443 "), 1);
	assert_int_equal(canned_server_count(world->server, ""), 1);
	assert_class(world, AWS_CLASS_TLS); /* not in doubt: the request never went out */
	assert_non_null(strstr(world->reply.message, "502"));
	assert_null(strcasestr(canned_server_last(world->server, "CONNECT"), "X-Amz-Security-Token"));
}

static void a_proxy_is_not_used_for_this_host_or_its_link(void **state)
{
	struct world *world = *state;
	struct canned_server *proxy = canned_server_start(NULL, 0);

	world->server = proxy;
	use_proxy(world);
	serve(world, OK_REPLY);
	run(world);
	assert_class(world, AWS_CLASS_OK);
	assert_int_equal(canned_server_count(proxy, ""), 0);
	canned_server_stop(proxy);
}

static void a_cancelled_call_is_never_answered(void **state)
{
	struct world *world = *state;
	struct aws_request request;

	serve(world, OK_REPLY);
	request = request_of(world);
	aws_call_cancel(aws_call_start(world->transport, &request, on_reply, world));
	aws_call_cancel(NULL);
	(void)snprintf(world->endpoint, sizeof world->endpoint, "nothing");
	aws_call_cancel(aws_call_start(world->transport, &request, on_reply, world));
	(void)snprintf(world->endpoint, sizeof world->endpoint, "%s", canned_server_url(world->server));
	run(world);
	assert_int_equal(world->replies, 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_call_is_posted_with_its_headers_and_a_signature),
		CASE(the_signature_is_right_for_what_was_sent),
		CASE(without_a_service_nothing_is_signed),
		CASE(code_message_and_delay_come_out_of_the_reply),
		CASE(retry_after_is_in_seconds_and_has_a_ceiling),
		CASE(the_clock_of_aws_is_taken_from_date_and_used),
		CASE(a_signature_refused_with_a_date_far_off_is_skewed),
		CASE(a_reply_that_never_comes_leaves_the_request_in_doubt),
		CASE(a_connection_closed_instead_of_an_answer_is_in_doubt),
		CASE(what_is_no_http_is_in_doubt),
		CASE(a_success_cut_short_is_a_success),
		CASE(an_error_larger_than_any_real_one_is_cut),
		CASE(a_call_by_get_has_its_path_and_no_body),
		CASE(a_larger_reply_is_taken_where_it_is_asked_for),
		CASE(a_closed_port_is_unreachable),
		CASE(a_server_without_tls_is_told_as_that),
		CASE(no_descriptor_is_our_own_trouble),
		CASE(an_endpoint_that_may_not_be_used_is_refused),
		CASE(a_proxy_gets_the_name_to_connect_to),
		CASE(a_proxy_is_not_used_for_this_host_or_its_link),
		CASE(a_cancelled_call_is_never_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
