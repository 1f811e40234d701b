/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <curl/curl.h>
#include <openssl/x509_vfy.h>

#include "lattice-probe/http.h"
#include "lattice-probe/result.h"
#include "lattice-probe/target.h"
#include "lattice-probe/verdict.h"

/* What one test judges; the target is freed by teardown. */
struct fixture {
	struct target *target;
	struct http_reply reply;
	char detail[RESULT_DETAIL_SIZE];
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);

	assert_non_null(fixture);
	fixture->target = target_new();
	assert_non_null(fixture->target);
	fixture->reply = (struct http_reply){ .end = HTTP_END_DONE, .stage = HTTP_STAGE_DONE, .tls_alert = -1,
		.status = 200, .http_version = 11, .body = "" };
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	target_drop(fixture->target);
	free(fixture);
	return 0;
}

static void expect(struct fixture *fixture, enum outcome wanted)
{
	enum outcome outcome;

	memset(fixture->detail, 0, sizeof fixture->detail);
	outcome = verdict_of_reply(fixture->target, &fixture->reply, fixture->detail, sizeof fixture->detail);
	assert_string_equal(outcome_name(outcome), outcome_name(wanted));
	if (wanted != OUTCOME_OK)
		assert_string_not_equal(fixture->detail, "");
}

static void set_body(struct fixture *fixture, const char *body)
{
	fixture->reply.body = body;
	fixture->reply.body_bytes = strlen(body);
	fixture->reply.received_bytes = (int64_t)strlen(body);
}

/* ---- failures ----------------------------------------------------------------------------- */

#define CONNECT HTTP_STAGE_CONNECT
#define TLS HTTP_STAGE_TLS
#define FIRST HTTP_STAGE_FIRST_BYTE
#define TRANSFER HTTP_STAGE_TRANSFER

static const struct {
	enum http_stage stage;
	int curl_code;
	int os_errno;
	enum outcome outcome;
} rows[] = {
	{ HTTP_STAGE_SETUP, CURLE_COULDNT_CONNECT, EMFILE, OUTCOME_LOCAL_FAULT },
	{ HTTP_STAGE_SETUP, CURLE_COULDNT_CONNECT, ENFILE, OUTCOME_LOCAL_FAULT },
	{ HTTP_STAGE_SETUP, CURLE_COULDNT_CONNECT, EAFNOSUPPORT, OUTCOME_LOCAL_FAULT },
	{ HTTP_STAGE_SETUP, CURLE_UNSUPPORTED_PROTOCOL, 0, OUTCOME_LOCAL_FAULT },
	{ HTTP_STAGE_SETUP, CURLE_SSL_CACERT_BADFILE, 0, OUTCOME_LOCAL_FAULT },
	{ HTTP_STAGE_SETUP, CURLE_BAD_FUNCTION_ARGUMENT, 0, OUTCOME_LOCAL_FAULT },
	{ HTTP_STAGE_SETUP, CURLE_OPERATION_TIMEDOUT, 0, OUTCOME_LOCAL_FAULT },
	{ CONNECT, CURLE_COULDNT_CONNECT, EMFILE, OUTCOME_LOCAL_FAULT },
	{ CONNECT, CURLE_COULDNT_CONNECT, ENFILE, OUTCOME_LOCAL_FAULT },
	{ CONNECT, CURLE_COULDNT_CONNECT, ENOMEM, OUTCOME_LOCAL_FAULT },
	{ CONNECT, CURLE_COULDNT_CONNECT, ENOBUFS, OUTCOME_LOCAL_FAULT },
	{ CONNECT, CURLE_OUT_OF_MEMORY, 0, OUTCOME_LOCAL_FAULT },
	{ TLS, CURLE_OUT_OF_MEMORY, 0, OUTCOME_LOCAL_FAULT },
	{ TLS, CURLE_SSL_CACERT_BADFILE, 0, OUTCOME_LOCAL_FAULT },
	{ TLS, CURLE_SSL_ENGINE_INITFAILED, 0, OUTCOME_LOCAL_FAULT },
	{ TLS, CURLE_FAILED_INIT, 0, OUTCOME_LOCAL_FAULT },
	{ TLS, CURLE_BAD_FUNCTION_ARGUMENT, 0, OUTCOME_LOCAL_FAULT },
	{ FIRST, CURLE_NOT_BUILT_IN, 0, OUTCOME_LOCAL_FAULT },
	{ FIRST, CURLE_UNKNOWN_OPTION, 0, OUTCOME_LOCAL_FAULT },
	{ FIRST, CURLE_URL_MALFORMAT, 0, OUTCOME_LOCAL_FAULT },
	{ FIRST, CURLE_ABORTED_BY_CALLBACK, 0, OUTCOME_LOCAL_FAULT },
	{ FIRST, CURLE_READ_ERROR, 0, OUTCOME_LOCAL_FAULT },
	{ TRANSFER, CURLE_WRITE_ERROR, 0, OUTCOME_LOCAL_FAULT },
	{ TRANSFER, CURLE_OUT_OF_MEMORY, 0, OUTCOME_LOCAL_FAULT },

	{ CONNECT, CURLE_COULDNT_CONNECT, ECONNREFUSED, OUTCOME_CONNECT_REFUSED },
	{ CONNECT, CURLE_COULDNT_CONNECT, ENOPROTOOPT, OUTCOME_CONNECT_REFUSED },
	{ CONNECT, CURLE_COULDNT_CONNECT, EHOSTUNREACH, OUTCOME_CONNECT_UNREACHABLE },
	{ CONNECT, CURLE_COULDNT_CONNECT, ENETUNREACH, OUTCOME_CONNECT_UNREACHABLE },
	{ CONNECT, CURLE_COULDNT_CONNECT, EHOSTDOWN, OUTCOME_CONNECT_UNREACHABLE },
	{ CONNECT, CURLE_COULDNT_CONNECT, ENETDOWN, OUTCOME_CONNECT_UNREACHABLE },
	{ CONNECT, CURLE_COULDNT_CONNECT, EAFNOSUPPORT, OUTCOME_CONNECT_UNREACHABLE },
	{ CONNECT, CURLE_COULDNT_CONNECT, ETIMEDOUT, OUTCOME_CONNECT_TIMEOUT },
	{ CONNECT, CURLE_COULDNT_CONNECT, EACCES, OUTCOME_CONNECT_DENIED },
	{ CONNECT, CURLE_COULDNT_CONNECT, EPERM, OUTCOME_CONNECT_DENIED },
	{ CONNECT, CURLE_COULDNT_CONNECT, EINVAL, OUTCOME_CONNECT_DENIED },
	{ CONNECT, CURLE_COULDNT_CONNECT, EADDRNOTAVAIL, OUTCOME_LOCAL_FAULT },
	{ CONNECT, CURLE_COULDNT_CONNECT, EAGAIN, OUTCOME_LOCAL_FAULT },
	{ CONNECT, CURLE_COULDNT_CONNECT, EPROTO, OUTCOME_CONNECT_UNREACHABLE },
	{ CONNECT, CURLE_OPERATION_TIMEDOUT, 0, OUTCOME_CONNECT_TIMEOUT },

	{ TLS, CURLE_OPERATION_TIMEDOUT, 0, OUTCOME_TLS_TIMEOUT },
	{ TLS, CURLE_SSL_CONNECT_ERROR, 0, OUTCOME_TLS_HANDSHAKE },
	{ TLS, CURLE_SSL_CONNECT_ERROR, ECONNRESET, OUTCOME_TLS_HANDSHAKE },
	{ TLS, CURLE_RECV_ERROR, ECONNRESET, OUTCOME_TLS_HANDSHAKE },
	{ TLS, CURLE_SSL_CIPHER, 0, OUTCOME_TLS_HANDSHAKE },

	{ FIRST, CURLE_OPERATION_TIMEDOUT, 0, OUTCOME_HTTP_TIMEOUT },
	{ TRANSFER, CURLE_OPERATION_TIMEDOUT, 0, OUTCOME_HTTP_TIMEOUT },
	{ FIRST, CURLE_GOT_NOTHING, 0, OUTCOME_HTTP_RESET },
	{ FIRST, CURLE_RECV_ERROR, ECONNRESET, OUTCOME_HTTP_RESET },
	{ FIRST, CURLE_SEND_ERROR, EPIPE, OUTCOME_HTTP_RESET },
	{ FIRST, CURLE_SEND_FAIL_REWIND, 0, OUTCOME_HTTP_RESET },
	{ FIRST, CURLE_COULDNT_CONNECT, 0, OUTCOME_HTTP_RESET },
	{ TRANSFER, CURLE_RECV_ERROR, 0, OUTCOME_HTTP_RESET },
	{ TRANSFER, CURLE_PARTIAL_FILE, 0, OUTCOME_HTTP_RESET },
	{ TRANSFER, CURLE_HTTP2_STREAM, 0, OUTCOME_HTTP_RESET },
	{ FIRST, CURLE_UNSUPPORTED_PROTOCOL, 0, OUTCOME_HTTP_PROTOCOL },
	{ FIRST, CURLE_WEIRD_SERVER_REPLY, 0, OUTCOME_HTTP_PROTOCOL },
	{ FIRST, CURLE_HTTP2, 0, OUTCOME_HTTP_PROTOCOL },
	{ TRANSFER, CURLE_BAD_CONTENT_ENCODING, 0, OUTCOME_HTTP_PROTOCOL },
};

static void fail_with(struct fixture *fixture, enum http_stage stage, int curl_code, int os_errno)
{
	struct http_reply *reply = &fixture->reply;

	*reply = (struct http_reply){ .stage = stage, .curl_code = curl_code, .os_errno = os_errno, .tls_alert = -1,
		.body = "" };
	reply->end = curl_code == CURLE_OPERATION_TIMEDOUT ? HTTP_END_TIMEOUT : HTTP_END_ERROR;
	memcpy(reply->detail, "words", sizeof "words");
}

static void each_row_of_the_table_decides(void **state)
{
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		fail_with(fixture, rows[i].stage, rows[i].curl_code, rows[i].os_errno);
		expect(fixture, rows[i].outcome);
		assert_string_equal(fixture->detail, "words");
	}
}

/* Whatever curl comes up with: the outcome names the phase that was running, or this host. */
static void no_failure_is_charged_to_another_phase(void **state)
{
	static const enum outcome_phase phases[] = { OUTCOME_PHASE_LOCAL, OUTCOME_PHASE_CONNECT,
		OUTCOME_PHASE_TLS, OUTCOME_PHASE_HEALTH, OUTCOME_PHASE_HEALTH };
	struct fixture *fixture = *state;

	for (int stage = HTTP_STAGE_SETUP; stage <= HTTP_STAGE_TRANSFER; stage++)
		for (int code = 1; code <= CURL_LAST; code++)
			for (int os_errno = 0; os_errno < 140; os_errno++) {
				enum outcome outcome;

				fail_with(fixture, (enum http_stage)stage, code, os_errno);
				outcome = verdict_of_reply(fixture->target, &fixture->reply, fixture->detail,
					sizeof fixture->detail);
				if (outcome_phase(outcome) != phases[stage] && outcome != OUTCOME_LOCAL_FAULT)
					fail_msg("stage %d code %d errno %d: %s", stage, code, os_errno,
						outcome_name(outcome));
			}
}

static void a_bad_certificate_is_named_by_its_worst_fault(void **state)
{
	static const struct {
		long verify_result;
		bool name_mismatch;
		enum outcome outcome;
	} faults[] = {
		{ X509_V_ERR_CERT_HAS_EXPIRED, false, OUTCOME_TLS_EXPIRED },
		{ X509_V_ERR_CERT_HAS_EXPIRED, true, OUTCOME_TLS_EXPIRED },
		{ X509_V_ERR_CERT_NOT_YET_VALID, false, OUTCOME_TLS_EXPIRED },
		{ X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, false, OUTCOME_TLS_UNTRUSTED },
		{ X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, true, OUTCOME_TLS_UNTRUSTED },
		{ X509_V_OK, true, OUTCOME_TLS_NAME },
		{ X509_V_OK, false, OUTCOME_TLS_UNTRUSTED },
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
		fail_with(fixture, TLS, CURLE_PEER_FAILED_VERIFICATION, 0);
		fixture->reply.verify_result = faults[i].verify_result;
		fixture->reply.name_mismatch = faults[i].name_mismatch;
		expect(fixture, faults[i].outcome);
	}
}

static void more_than_allowed_is_too_large(void **state)
{
	struct fixture *fixture = *state;

	fail_with(fixture, TRANSFER, CURLE_WRITE_ERROR, 0);
	fixture->reply.end = HTTP_END_TOO_LARGE;
	expect(fixture, OUTCOME_HTTP_TOO_LARGE);
}

/* A timeout is never a success, whatever arrived before it. */
static void a_timeout_with_a_200_is_still_a_timeout(void **state)
{
	struct fixture *fixture = *state;

	fail_with(fixture, TRANSFER, CURLE_OPERATION_TIMEDOUT, 0);
	fixture->reply.status = 200;
	expect(fixture, OUTCOME_HTTP_TIMEOUT);
}

/* ---- expectations ------------------------------------------------------------------------- */

static void any_2xx_is_expected_by_default(void **state)
{
	struct fixture *fixture = *state;

	for (int status = 100; status <= 999; status++) {
		fixture->reply.status = status;
		expect(fixture, status / 100 == 2 ? OUTCOME_OK : OUTCOME_HTTP_STATUS);
	}
	assert_string_equal(fixture->detail, "status 999");
}

static void listed_ranges_replace_the_default(void **state)
{
	struct fixture *fixture = *state;

	fixture->target->expect_status[0] = (struct target_status_range){ 301, 302 };
	fixture->target->expect_status[1] = (struct target_status_range){ 404, 404 };
	fixture->target->expect_status_count = 2;
	fixture->reply.status = 404;
	expect(fixture, OUTCOME_OK);
	fixture->reply.status = 302;
	expect(fixture, OUTCOME_OK);
	fixture->reply.status = 303;
	expect(fixture, OUTCOME_HTTP_STATUS);
	fixture->reply.status = 200;
	expect(fixture, OUTCOME_HTTP_STATUS);
}

static void http_2_must_be_http_2(void **state)
{
	struct fixture *fixture = *state;

	fixture->target->http = TARGET_HTTP_2;
	expect(fixture, OUTCOME_HTTP_PROTOCOL);
	fixture->reply.http_version = 20;
	expect(fixture, OUTCOME_OK);
	fixture->target->http = TARGET_HTTP_AUTO;
	fixture->reply.http_version = 10;
	expect(fixture, OUTCOME_OK);
}

/* The target owns what is added. */
static void expect_text_in_header(struct fixture *fixture, const char *name, const char *text)
{
	struct target_header_expectation *expectation = calloc(1, sizeof *expectation);

	assert_non_null(expectation);
	expectation->name = strdup(name);
	assert_int_equal(target_pattern_set_text(text, &expectation->pattern), 0);
	fixture->target->expect_headers = expectation;
	fixture->target->expect_header_count = 1;
}

static void a_header_must_be_there_and_hold(void **state)
{
	static const struct http_header_line lines[] = { { "X-Other", "yes" }, { "x-app", "secret no" },
		{ "X-APP", "secret yes" } };
	struct fixture *fixture = *state;

	expect_text_in_header(fixture, "X-App", "yes");
	fixture->reply.headers = lines;
	fixture->reply.header_count = 1;
	expect(fixture, OUTCOME_HTTP_HEADER);
	assert_string_equal(fixture->detail, "header X-App is missing");
	fixture->reply.header_count = 2;
	expect(fixture, OUTCOME_HTTP_HEADER);
	assert_string_equal(fixture->detail, "header X-App is not as expected");
	fixture->reply.header_count = 3; /* one of several suffices */
	expect(fixture, OUTCOME_OK);
}

static void expect_body(struct fixture *fixture, const char *text, const char *regex)
{
	struct target_pattern *patterns = calloc(2, sizeof *patterns);
	char *why = NULL;

	assert_non_null(patterns);
	assert_int_equal(target_pattern_set_text(text, &patterns[0]), 0);
	assert_int_equal(target_pattern_compile(regex, &patterns[1], &why), 0);
	fixture->target->expect_body = patterns;
	fixture->target->expect_body_count = 2;
}

static void all_body_patterns_must_hold(void **state)
{
	struct fixture *fixture = *state;

	expect_body(fixture, "\"status\":\"ok\"", "version: [0-9]+");
	set_body(fixture, "\"status\":\"ok\" version: 7");
	expect(fixture, OUTCOME_OK);
	set_body(fixture, "\"status\":\"ok\" version: x");
	expect(fixture, OUTCOME_HTTP_BODY);
	assert_string_equal(fixture->detail, "expected pattern number 2 is not in the body of 24 bytes");
	set_body(fixture, "version: 7");
	expect(fixture, OUTCOME_HTTP_BODY);
	set_body(fixture, "");
	expect(fixture, OUTCOME_HTTP_BODY);
}

static void a_pattern_that_costs_too_much_does_not_hold(void **state)
{
	static char body[16 * 1024 + 1];
	struct fixture *fixture = *state;

	memset(body, 'x', sizeof body - 1);
	expect_body(fixture, "x", "^(x+x+)+[yz]");
	set_body(fixture, body);
	expect(fixture, OUTCOME_HTTP_BODY);
	assert_non_null(strstr(fixture->detail, "match limit"));
}

static void status_is_judged_before_headers_and_body(void **state)
{
	struct fixture *fixture = *state;

	expect_text_in_header(fixture, "X-App", "yes");
	expect_body(fixture, "a", "b");
	fixture->reply.status = 500;
	expect(fixture, OUTCOME_HTTP_STATUS);
	fixture->reply.status = 200;
	expect(fixture, OUTCOME_HTTP_HEADER);
}

/* ---- VPC Lattice -------------------------------------------------------------------------- */

#define DENIED(who, kind) "AccessDeniedException: User: " who " is not authorized to perform: " \
	"vpc-lattice-svcs:Invoke on resource: arn:aws:vpc-lattice:us-west-2:123456789012:service/" \
	"svc-0123456789abcdef0/x because no " kind " policy allows the vpc-lattice-svcs:Invoke action"

static void lattice_s_own_words_are_an_auth_denial(void **state)
{
	struct fixture *fixture = *state;

	fixture->reply.status = 403;
	set_body(fixture, DENIED("anonymous", "network-based"));
	expect(fixture, OUTCOME_LATTICE_AUTH_DENIED);
	assert_string_equal(fixture->detail, "anonymous: because no network-based policy allows the "
		"vpc-lattice-svcs:Invoke action");
}

static void a_denial_names_no_account_and_no_role(void **state)
{
	struct fixture *fixture = *state;

	fixture->reply.status = 403;
	set_body(fixture, DENIED("arn:aws:sts::123456789012:assumed-role/payroll-admin/i-0abc", "service-based"));
	expect(fixture, OUTCOME_LATTICE_AUTH_DENIED);
	assert_string_equal(fixture->detail, "arn:aws:sts::************:assumed-role/***: because no "
		"service-based policy allows the vpc-lattice-svcs:Invoke action");
	set_body(fixture, DENIED("arn:aws:iam::123456789012:user/team/alice", "identity-based"));
	expect(fixture, OUTCOME_LATTICE_AUTH_DENIED);
	assert_null(strstr(fixture->detail, "alice"));
	assert_null(strstr(fixture->detail, "123456789012"));
}

static void other_403s_are_a_status(void **state)
{
	struct fixture *fixture = *state;

	fixture->reply.status = 403;
	set_body(fixture, "<h1>Forbidden</h1>");
	expect(fixture, OUTCOME_HTTP_STATUS);
	set_body(fixture, "AccessDeniedException: User: anonymous is not authorized to perform: s3:GetObject");
	expect(fixture, OUTCOME_HTTP_STATUS);
	set_body(fixture, "User: anonymous is not authorized to perform: vpc-lattice-svcs:Invoke");
	expect(fixture, OUTCOME_HTTP_STATUS);
	set_body(fixture, "");
	expect(fixture, OUTCOME_HTTP_STATUS);
	fixture->reply.status = 401;
	set_body(fixture, DENIED("anonymous", "network-based"));
	expect(fixture, OUTCOME_HTTP_STATUS);
}

static void an_expected_403_is_ok(void **state)
{
	struct fixture *fixture = *state;

	fixture->target->expect_status[0] = (struct target_status_range){ 403, 403 };
	fixture->target->expect_status_count = 1;
	fixture->reply.status = 403;
	set_body(fixture, DENIED("anonymous", "network-based"));
	expect(fixture, OUTCOME_OK);
}

static void send_request_id(struct fixture *fixture, const char *id)
{
	struct target_header *header = calloc(1, sizeof *header);

	assert_non_null(header);
	header->name = strdup("X-Amzn-RequestId");
	header->value = strdup(id);
	fixture->target->headers = header;
	fixture->target->header_count = 1;
}

static void a_404_without_proof_is_a_status(void **state)
{
	static const struct http_header_line echoed[] = { { "x-amzn-requestid", "probe-7" } };
	struct fixture *fixture = *state;

	fixture->reply.status = 404;
	expect(fixture, OUTCOME_HTTP_STATUS);
	fixture->reply.headers = echoed; /* not ours: we sent none */
	fixture->reply.header_count = 1;
	expect(fixture, OUTCOME_HTTP_STATUS);
	send_request_id(fixture, "probe-7"); /* ours, but any application may answer a bare 404 */
	expect(fixture, OUTCOME_HTTP_STATUS);
}

static void a_404_that_the_application_cannot_have_written_is_no_route(void **state)
{
	static const struct http_header_line lines[] = { { "x-amzn-requestid", "probe-7" },
		{ "Date", "Sun, 06 Nov 1994 08:49:37 GMT" }, { "Content-Length", "0" }, { "Server", "app" } };
	static const struct http_header_line foreign[] = { { "x-amzn-requestid", "another" } };
	static const struct http_header_line marked[] = { { "x-amzn-requestid", "probe-7" }, { "x-app", "1" } };
	struct fixture *fixture = *state;

	send_request_id(fixture, "probe-7");
	expect_text_in_header(fixture, "X-App", "1");
	fixture->reply.status = 404;
	fixture->reply.headers = lines;
	fixture->reply.header_count = 3;
	expect(fixture, OUTCOME_LATTICE_NO_ROUTE);
	fixture->reply.header_count = 4; /* somebody signed it */
	expect(fixture, OUTCOME_HTTP_STATUS);
	fixture->reply.header_count = 3;
	set_body(fixture, "not found");
	expect(fixture, OUTCOME_HTTP_STATUS);
	set_body(fixture, "");
	fixture->reply.headers = foreign;
	fixture->reply.header_count = 1;
	expect(fixture, OUTCOME_HTTP_STATUS);
	fixture->reply.headers = marked;
	fixture->reply.header_count = 2;
	expect(fixture, OUTCOME_HTTP_STATUS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_row_of_the_table_decides),
		TEST(no_failure_is_charged_to_another_phase),
		TEST(a_bad_certificate_is_named_by_its_worst_fault),
		TEST(more_than_allowed_is_too_large),
		TEST(a_timeout_with_a_200_is_still_a_timeout),
		TEST(any_2xx_is_expected_by_default),
		TEST(listed_ranges_replace_the_default),
		TEST(http_2_must_be_http_2),
		TEST(a_header_must_be_there_and_hold),
		TEST(all_body_patterns_must_hold),
		TEST(a_pattern_that_costs_too_much_does_not_hold),
		TEST(status_is_judged_before_headers_and_body),
		TEST(lattice_s_own_words_are_an_auth_denial),
		TEST(a_denial_names_no_account_and_no_role),
		TEST(other_403s_are_a_status),
		TEST(an_expected_403_is_ok),
		TEST(a_404_without_proof_is_a_status),
		TEST(a_404_that_the_application_cannot_have_written_is_no_route),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
