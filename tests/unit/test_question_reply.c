/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "lattice-probe/evidence.h"
#include "lattice-probe/http.h"
#include "lattice-probe/question_reply.h"
#include "lattice-probe/target.h"

#define NOON INT64_C(1790000000000000) /* 2026-09-21T14:13:20Z */
#define NOON_DATE "Mon, 21 Sep 2026 14:13:20 GMT"
#define DENIAL(who, because)                                                                          \
	"AccessDeniedException: User: " who " is not authorized to perform: vpc-lattice-svcs:Invoke on " \
	"resource: arn:aws:vpc-lattice:us-east-1:123456789012:service/svc-0123456789abcdef0/ " because

#define HEADERS_MAX 4

struct fixture {
	struct target *target;
	struct http_reply reply;
	struct http_header_line headers[HEADERS_MAX];
	struct question_request request;
	struct evidence_exchange exchange;
};

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);

	assert_non_null(fixture);
	fixture->target = target_new();
	assert_non_null(fixture->target);
	fixture->reply = (struct http_reply){ .end = HTTP_END_DONE, .stage = HTTP_STAGE_DONE, .tls_alert = -1,
		.status = 200, .http_version = 11, .body = "", .headers = fixture->headers, .tcp_rtt_us = 400,
		.tcp_retransmits = 1, .tcp_mss_bytes = 8460, .start = { 1000 }, .connected = { 1400 },
		.first_byte = { 3000 }, .finished = { 3500 } };
	fixture->request = (struct question_request){ .target = fixture->target, .is_judged = true,
		.request_id = "0123abcd", .sent = { NOON }, .answered = { NOON + 2500 } };
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	target_drop(fixture->target);
	free(fixture);
	return 0;
}

static const struct evidence_exchange *read_reply(struct fixture *fixture)
{
	evidence_exchange_init(&fixture->exchange);
	question_reply_read(&fixture->request, &fixture->reply, &fixture->exchange);
	return &fixture->exchange;
}

static void add_header(struct fixture *fixture, const char *name, const char *value)
{
	assert_true(fixture->reply.header_count < HEADERS_MAX);
	fixture->headers[fixture->reply.header_count++] = (struct http_header_line){ name, value };
}

static void set_refusal(struct fixture *fixture, const char *body)
{
	fixture->reply.status = 403;
	fixture->reply.body = body;
	fixture->reply.body_bytes = strlen(body);
	fixture->reply.received_bytes = (int64_t)strlen(body);
}

/* ---- the connection ----------------------------------------------------------------------- */

static void a_complete_exchange_gives_phases_and_the_connection(void **state)
{
	const struct evidence_exchange *exchange = read_reply(*state);

	assert_int_equal(exchange->outcome, OUTCOME_OK);
	assert_int_equal(exchange->stage, HTTP_STAGE_DONE);
	assert_int_equal(exchange->phase_us[PHASE_DNS], PHASE_NONE);
	assert_int_equal(exchange->phase_us[PHASE_CONNECT], 400);
	assert_int_equal(exchange->phase_us[PHASE_TLS], PHASE_NONE);
	assert_int_equal(exchange->phase_us[PHASE_FIRST_BYTE], 1600);
	assert_int_equal(exchange->phase_us[PHASE_TRANSFER], 500);
	assert_int_equal(exchange->total_us, 2500);
	assert_int_equal(exchange->tcp_rtt_us, 400);
	assert_int_equal(exchange->tcp_retransmits, 1);
	assert_int_equal(exchange->mss_bytes, 8460);
	assert_int_equal(exchange->certificate_days, CERTIFICATE_DAYS_NONE);
	assert_int_equal(exchange->status, 200);
	assert_int_equal(exchange->http_version, 11);
}

static void a_refused_connection_keeps_its_errno(void **state)
{
	struct fixture *fixture = *state;
	const struct evidence_exchange *exchange;

	fixture->reply = (struct http_reply){ .end = HTTP_END_ERROR, .stage = HTTP_STAGE_CONNECT, .body = "",
		.curl_code = CURLE_COULDNT_CONNECT, .os_errno = ECONNREFUSED, .tcp_rtt_us = -1, .tcp_retransmits = -1,
		.tls_alert = -1, .start = { 1000 }, .finished = { 1200 }, .detail = "while connecting" };
	exchange = read_reply(fixture);
	assert_int_equal(exchange->outcome, OUTCOME_CONNECT_REFUSED);
	assert_int_equal(exchange->os_errno, ECONNREFUSED);
	assert_int_equal(exchange->total_us, 200);
	assert_int_equal(exchange->status, 0);
	assert_string_equal(exchange->detail, "while connecting");
}

static void a_handshake_alone_is_good_and_has_no_response(void **state)
{
	struct fixture *fixture = *state;
	const struct evidence_exchange *exchange;

	fixture->request.is_handshake = true;
	fixture->reply = (struct http_reply){ .end = HTTP_END_DONE, .stage = HTTP_STAGE_DONE, .body = "",
		.tls_alert = -1, .has_certificate = true, .certificate_days = 12, .certificate_subject = "CN=it",
		.tls_version = "TLSv1.3", .alpn = "h2", .start = { 1000 }, .connected = { 1100 }, .secured = { 1900 },
		.finished = { 1950 } };
	exchange = read_reply(fixture);
	assert_int_equal(exchange->outcome, OUTCOME_OK);
	assert_int_equal(exchange->phase_us[PHASE_TLS], 800);
	assert_int_equal(exchange->phase_us[PHASE_FIRST_BYTE], PHASE_NONE);
	assert_int_equal(exchange->phase_us[PHASE_TRANSFER], PHASE_NONE);
	assert_int_equal(exchange->certificate_days, 12);
	assert_string_equal(exchange->certificate_subject, "CN=it");
	assert_string_equal(exchange->tls_version, "TLSv1.3");
	assert_string_equal(exchange->alpn, "h2");
}

static void an_alert_and_a_peer_without_tls_are_told(void **state)
{
	struct fixture *fixture = *state;

	fixture->reply = (struct http_reply){ .end = HTTP_END_ERROR, .stage = HTTP_STAGE_TLS, .body = "",
		.curl_code = CURLE_SSL_CONNECT_ERROR, .tls_alert = 112, .start = { 1000 }, .connected = { 1100 },
		.finished = { 1200 } };
	assert_int_equal(read_reply(fixture)->tls_alert, 112);
	assert_int_equal(fixture->exchange.outcome, OUTCOME_TLS_HANDSHAKE);
	fixture->reply.tls_alert = -1;
	fixture->reply.is_not_tls = true;
	assert_true(read_reply(fixture)->is_not_tls);
}

/* ---- the response ------------------------------------------------------------------------- */

static void a_status_is_judged_only_where_it_is_the_targets(void **state)
{
	struct fixture *fixture = *state;

	fixture->reply.status = 503;
	assert_int_equal(read_reply(fixture)->outcome, OUTCOME_HTTP_STATUS);
	fixture->request.is_judged = false;
	assert_int_equal(read_reply(fixture)->outcome, OUTCOME_OK);
	assert_int_equal(fixture->exchange.status, 503);
}

static void an_echo_is_our_own_request_id(void **state)
{
	struct fixture *fixture = *state;

	assert_false(read_reply(fixture)->has_request_id);
	add_header(fixture, "X-Amzn-RequestId", "ffff");
	assert_true(read_reply(fixture)->has_request_id);
	assert_false(fixture->exchange.echoes_request_id);
	fixture->headers[0].value = "0123abcd";
	assert_true(read_reply(fixture)->echoes_request_id);
	fixture->request.request_id = "";
	fixture->headers[0].value = "";
	assert_false(read_reply(fixture)->echoes_request_id);
}

static void a_bare_answer_has_neither_body_nor_headers_of_its_own(void **state)
{
	struct fixture *fixture = *state;

	add_header(fixture, "Date", NOON_DATE);
	add_header(fixture, "content-length", "0");
	assert_true(read_reply(fixture)->is_bare);
	fixture->reply.received_bytes = 1;
	assert_false(read_reply(fixture)->is_bare);
	fixture->reply.received_bytes = 0;
	add_header(fixture, "Server", "app\r\x01 1");
	assert_false(read_reply(fixture)->is_bare);
	assert_string_equal(fixture->exchange.server, "app?? 1");
}

static void the_marker_is_there_when_every_expected_header_is(void **state)
{
	struct fixture *fixture = *state;

	assert_false(read_reply(fixture)->has_marker);
	fixture->target->expect_headers = calloc(2, sizeof *fixture->target->expect_headers);
	assert_non_null(fixture->target->expect_headers);
	fixture->target->expect_header_count = 2;
	for (size_t i = 0; i < 2; i++) {
		fixture->target->expect_headers[i].name = strdup(i ? "x-version" : "x-app");
		assert_int_equal(target_pattern_set_text("", &fixture->target->expect_headers[i].pattern), 0);
	}
	add_header(fixture, "X-App", "checkout");
	assert_false(read_reply(fixture)->has_marker);
	add_header(fixture, "X-Version", "7");
	assert_true(read_reply(fixture)->has_marker);
}

static void the_date_tells_how_far_the_clock_is_off(void **state)
{
	struct fixture *fixture = *state;

	assert_false(read_reply(fixture)->has_date);
	add_header(fixture, "Date", NOON_DATE);
	assert_true(read_reply(fixture)->has_date);
	assert_int_equal(fixture->exchange.skew_us, 0);
	fixture->request.sent.us -= 600 * US_PER_S;
	fixture->request.answered.us -= 600 * US_PER_S;
	assert_in_range(read_reply(fixture)->skew_us, 599 * US_PER_S, 601 * US_PER_S);
	fixture->headers[0].value = "yesterday";
	assert_false(read_reply(fixture)->has_date);
}

/* ---- 403 ---------------------------------------------------------------------------------- */

static void the_kind_of_policy_that_denied_is_read(void **state)
{
	static const char *const kinds[] = { "identity-based", "service-based", "network-based" };
	struct fixture *fixture = *state;
	char body[512];

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		(void)snprintf(body, sizeof body, DENIAL("anonymous", "because no %s policy allows the action"), kinds[i]);
		set_refusal(fixture, body);
		assert_int_equal(read_reply(fixture)->outcome, OUTCOME_LATTICE_AUTH_DENIED);
		assert_true(fixture->exchange.is_lattice_denial);
		assert_true(fixture->exchange.denies_anonymous);
		assert_false(fixture->exchange.is_explicit_deny);
		assert_false(fixture->exchange.denies_signature);
		assert_string_equal(fixture->exchange.denied_by, kinds[i]);
	}
}

static void an_explicit_deny_of_a_role_names_neither_role_nor_account(void **state)
{
	struct fixture *fixture = *state;
	const struct evidence_exchange *exchange;

	set_refusal(fixture, DENIAL("arn:aws:sts::123456789012:assumed-role/secret-role/i-0",
		"with an explicit deny in a service-based policy"));
	exchange = read_reply(fixture);
	assert_true(exchange->is_explicit_deny);
	assert_false(exchange->denies_anonymous);
	assert_string_equal(exchange->denied_by, "service-based");
	assert_null(memmem(exchange, sizeof *exchange, "secret-role", 11));
	assert_null(memmem(exchange, sizeof *exchange, "123456789012", 12));
}

static void a_refused_signature_is_no_refusal_of_a_policy(void **state)
{
	struct fixture *fixture = *state;

	set_refusal(fixture, "{\"message\":\"The request signature we calculated does not match\"}");
	assert_true(read_reply(fixture)->denies_signature);
	assert_false(fixture->exchange.is_lattice_denial);
	set_refusal(fixture, "ExpiredToken: The security token is expired");
	assert_true(read_reply(fixture)->denies_signature);
}

static void the_applications_own_403_is_neither(void **state)
{
	struct fixture *fixture = *state;

	set_refusal(fixture, "<h1>Forbidden</h1> no identity-based policy allows it");
	assert_false(read_reply(fixture)->is_lattice_denial);
	assert_false(fixture->exchange.denies_signature);
	assert_string_equal(fixture->exchange.denied_by, "");
	set_refusal(fixture, "");
	assert_false(read_reply(fixture)->is_lattice_denial);
}

static void words_of_a_refusal_in_another_status_say_nothing(void **state)
{
	struct fixture *fixture = *state;

	set_refusal(fixture, DENIAL("anonymous", "because no service-based policy allows the action"));
	fixture->reply.status = 200;
	assert_false(read_reply(fixture)->is_lattice_denial);
	assert_false(fixture->exchange.denies_anonymous);
	set_refusal(fixture, "ExpiredToken");
	fixture->reply.status = 500;
	assert_false(read_reply(fixture)->denies_signature);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_complete_exchange_gives_phases_and_the_connection),
		CASE(a_refused_connection_keeps_its_errno),
		CASE(a_handshake_alone_is_good_and_has_no_response),
		CASE(an_alert_and_a_peer_without_tls_are_told),
		CASE(a_status_is_judged_only_where_it_is_the_targets),
		CASE(an_echo_is_our_own_request_id),
		CASE(a_bare_answer_has_neither_body_nor_headers_of_its_own),
		CASE(the_marker_is_there_when_every_expected_header_is),
		CASE(the_date_tells_how_far_the_clock_is_off),
		CASE(the_kind_of_policy_that_denied_is_read),
		CASE(an_explicit_deny_of_a_role_names_neither_role_nor_account),
		CASE(a_refused_signature_is_no_refusal_of_a_policy),
		CASE(the_applications_own_403_is_neither),
		CASE(words_of_a_refusal_in_another_status_say_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
