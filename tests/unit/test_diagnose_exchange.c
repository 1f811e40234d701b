/* SPDX-License-Identifier: Apache-2.0 */
/* The exchanges of a diagnosis: what is sent where, what never is, and what follows on what. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diagnose_fixture.h"

#include "lattice-probe/err.h"
#include "lattice-probe/target.h"

#define CUSTOM "checkout.example.com"

static const struct evidence *const evidence = &diagnose_fixture.evidence;

static const struct evidence_exchange *exchange_of(enum evidence_exchange_kind kind)
{
	return &evidence->paths[0].exchanges[kind];
}

static void serve(const char *server, const char *name, const char *address)
{
	diagnose_fixture_add_rule((struct fixture_rule){ .server = server, .name = name, .outcome = OUTCOME_OK,
		.address = address });
}

static void set_method(const char *method)
{
	free(diagnose_fixture.target->method);
	diagnose_fixture.target->method = strdup(method);
	assert_non_null(diagnose_fixture.target->method);
}

static void add_header(const char *name, const char *value)
{
	struct target *target = diagnose_fixture.target;

	target->headers = calloc(1, sizeof *target->headers);
	assert_non_null(target->headers);
	target->headers[0] = (struct target_header){ .name = strdup(name), .value = strdup(value), .is_secret = true };
	target->header_count = 1;
}

/* ---- exchanges ---------------------------------------------------------------------------- */

static void an_address_that_hands_out_credentials_is_never_connected_to(void **state)
{
	(void)state;
	serve(NULL, FIXTURE_NAME, "169.254.169.254");
	diagnose_fixture_run();
	assert_int_equal(diagnose_fixture.transfer_count, 0);
	assert_int_equal(evidence->paths[0].class_, ADDRESS_CLASS_CREDENTIALS);
	assert_int_equal(exchange_of(EXCHANGE_MAIN)->outcome, OUTCOME_LOCAL_DENIED);
}

static void the_targets_own_request_id_goes_out_unchanged(void **state)
{
	(void)state;
	add_header("X-Amzn-RequestId", "mine");
	diagnose_fixture_run();
	assert_string_equal(diagnose_fixture.transfers[0].headers, "X-Amzn-RequestId: mine\n");
}

static void an_unsafe_request_ends_after_the_handshake(void **state)
{
	(void)state;
	set_method("POST");
	diagnose_fixture.target->body = strdup("order=1");
	diagnose_fixture.target->body_bytes = 7;
	add_header("Authorization", "Bearer secret");
	diagnose_fixture_run();
	assert_int_equal(diagnose_fixture.transfer_count, 1);
	assert_true(diagnose_fixture.transfers[0].ends_at_tls);
	assert_string_equal(diagnose_fixture.transfers[0].headers, "");
	assert_string_equal(diagnose_fixture.transfers[0].body, "");
	assert_true(exchange_of(EXCHANGE_MAIN)->is_stand_in);
	assert_int_equal(exchange_of(EXCHANGE_MAIN)->outcome, OUTCOME_OK);
	assert_int_equal(exchange_of(EXCHANGE_MAIN)->status, 0);
	assert_false(evidence->target.is_repeatable);
}

static void the_daemons_last_run_stands_in_for_an_unsafe_request(void **state)
{
	struct result last;

	(void)state;
	set_method("DELETE");
	result_init(&last, diagnose_fixture.target);
	last.outcome = OUTCOME_HTTP_STATUS;
	last.status = 503;
	last.phase_us[PHASE_FIRST_BYTE] = 7000;
	last.phase_us[PHASE_TRANSFER] = 100;
	diagnose_fixture.options.last = &last;
	assert_true(diagnose_fixture_start());
	result_done(&last);
	diagnose_fixture_wait();
	assert_true(diagnose_fixture.transfers[0].ends_at_tls);
	assert_true(exchange_of(EXCHANGE_MAIN)->is_from_daemon);
	assert_int_equal(exchange_of(EXCHANGE_MAIN)->outcome, OUTCOME_HTTP_STATUS);
	assert_int_equal(exchange_of(EXCHANGE_MAIN)->status, 503);
	assert_int_equal(exchange_of(EXCHANGE_MAIN)->stage, HTTP_STAGE_DONE);
	assert_int_equal(exchange_of(EXCHANGE_MAIN)->phase_us[PHASE_FIRST_BYTE], 7000);
}

static void end_in(struct http_reply *reply, enum http_stage stage, enum http_end end, int curl_code)
{
	reply->end = end;
	reply->stage = stage;
	reply->curl_code = curl_code;
}

static void fail_handshake(struct http_transfer *transfer, struct http_reply *reply)
{
	(void)transfer;
	end_in(reply, HTTP_STAGE_TLS, HTTP_END_ERROR, 35); /* CURLE_SSL_CONNECT_ERROR */
	reply->tls_alert = 112;
}

static void a_handshake_that_fails_now_outranks_the_daemons_last_run(void **state)
{
	struct result last;

	(void)state;
	set_method("POST");
	result_init(&last, diagnose_fixture.target);
	last.outcome = OUTCOME_OK;
	diagnose_fixture.options.last = &last;
	diagnose_fixture.reply = fail_handshake;
	diagnose_fixture_run();
	result_done(&last);
	assert_false(exchange_of(EXCHANGE_MAIN)->is_from_daemon);
	assert_int_equal(exchange_of(EXCHANGE_MAIN)->outcome, OUTCOME_TLS_HANDSHAKE);
}

static void a_custom_name_that_fails_in_tls_is_tried_by_its_lattice_name(void **state)
{
	const struct http_transfer *other;

	(void)state;
	diagnose_fixture.reply = fail_handshake;
	diagnose_fixture_set_url("https://" CUSTOM "/secret?token=1");
	add_header("Cookie", "secret");
	diagnose_fixture_add_rule((struct fixture_rule){ .name = CUSTOM, .outcome = OUTCOME_OK,
		.cname = FIXTURE_NAME, .address = FIXTURE_LATTICE });
	diagnose_fixture_run();
	assert_true(exchange_of(EXCHANGE_OTHER_NAME)->is_asked);
	/* An alert is TLS: the scheme is not in doubt. */
	assert_false(exchange_of(EXCHANGE_OTHER_SCHEME)->is_asked);
	for (size_t i = 1; i < diagnose_fixture.transfer_count; i++) {
		other = &diagnose_fixture.transfers[i];
		assert_string_equal(other->headers, "");
		assert_null(strstr(other->url, "secret"));
		assert_string_equal(other->address, FIXTURE_LATTICE ":443");
		assert_true(other->limit_us <= 2 * US_PER_S);
	}
	assert_int_equal(diagnose_fixture_count_transfers("HEAD", "https://" FIXTURE_NAME ":443/") +
		diagnose_fixture_count_transfers("HEAD", "https://" FIXTURE_NAME "/"), 1);
}

/* What the main exchange comes to, and what is tried after it. */
static struct {
	const char *url;
	enum http_stage stage;
	enum http_end end;
	int curl_code;
	int os_errno;
	int status;
	unsigned kinds; /* 1 << enum evidence_exchange_kind */
} follow_up;

static void reply_as_said(struct http_transfer *transfer, struct http_reply *reply)
{
	if (transfer != &diagnose_fixture.transfers[0])
		return;
	end_in(reply, follow_up.stage, follow_up.end, follow_up.curl_code);
	reply->os_errno = follow_up.os_errno;
	if (follow_up.status)
		reply->status = follow_up.status;
}

#define SCHEME (1u << EXCHANGE_OTHER_SCHEME)
#define SMALL (1u << EXCHANGE_SMALL_SEGMENTS)
#define PORT (1u << EXCHANGE_OTHER_PORT)
#define HTTPS "https://" FIXTURE_NAME "/"
#define HTTP "http://" FIXTURE_NAME "/"

static void an_exchange_follows_only_where_it_tells_causes_apart(void **state)
{
	static const typeof(follow_up) rows[] = {
		{ HTTPS, HTTP_STAGE_CONNECT, HTTP_END_TIMEOUT, 28, 0, 0, 0 },
		{ HTTPS, HTTP_STAGE_CONNECT, HTTP_END_ERROR, 7, ECONNREFUSED, 0, PORT },
		{ HTTPS, HTTP_STAGE_TLS, HTTP_END_TIMEOUT, 28, 0, 0, SCHEME | SMALL },
		{ HTTPS, HTTP_STAGE_TLS, HTTP_END_ERROR, 35, 0, 0, SCHEME },
		{ HTTPS, HTTP_STAGE_FIRST_BYTE, HTTP_END_TIMEOUT, 28, 0, 0, SMALL },
		{ HTTPS, HTTP_STAGE_TRANSFER, HTTP_END_TIMEOUT, 28, 0, 0, SMALL },
		{ HTTPS, HTTP_STAGE_DONE, HTTP_END_DONE, 0, 0, 503, 0 },
		{ HTTP, HTTP_STAGE_FIRST_BYTE, HTTP_END_TIMEOUT, 28, 0, 0, SCHEME | SMALL },
		{ HTTP, HTTP_STAGE_FIRST_BYTE, HTTP_END_ERROR, 52, 0, 0, SCHEME },
		{ HTTP, HTTP_STAGE_FIRST_BYTE, HTTP_END_ERROR, 1, 0, 0, SCHEME },
		{ HTTP, HTTP_STAGE_DONE, HTTP_END_DONE, 0, 0, 400, SCHEME },
		{ HTTP, HTTP_STAGE_DONE, HTTP_END_DONE, 0, 0, 404, 0 },
		{ HTTP, HTTP_STAGE_CONNECT, HTTP_END_ERROR, 7, ECONNREFUSED, 0, PORT },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		follow_up = rows[i];
		diagnose_fixture.reply = reply_as_said;
		diagnose_fixture_set_url(rows[i].url);
		diagnose_fixture_run();
		for (unsigned kind = EXCHANGE_MAIN + 1; kind < EXCHANGE_KINDS; kind++)
			if (exchange_of(kind)->is_asked != ((rows[i].kinds >> kind & 1) != 0))
				fail_msg("row %zu, kind %u", i, kind);
		assert_int_equal(diagnose_fixture_tear_down(state), 0);
		assert_int_equal(diagnose_fixture_set_up(state), 0);
	}
}

static void small_segments_repeat_the_request(void **state)
{
	(void)state;
	follow_up = (typeof(follow_up)){ HTTPS, HTTP_STAGE_TRANSFER, HTTP_END_TIMEOUT, 28, 0, 0, SMALL };
	diagnose_fixture.reply = reply_as_said;
	add_header("X-Tenant", "a");
	diagnose_fixture_run();
	assert_int_equal(diagnose_fixture.transfer_count, 2);
	assert_int_equal(diagnose_fixture.transfers[0].max_segment_bytes, 0);
	assert_int_equal(diagnose_fixture.transfers[1].max_segment_bytes, 1200);
	assert_string_equal(diagnose_fixture.transfers[1].method, "GET");
	assert_string_equal(diagnose_fixture.transfers[1].url, diagnose_fixture.transfers[0].url);
	assert_non_null(strstr(diagnose_fixture.transfers[1].headers, "X-Tenant: a\n"));
	assert_int_equal(exchange_of(EXCHANGE_SMALL_SEGMENTS)->outcome, OUTCOME_OK);
}

static void the_other_port_is_a_handshake_there(void **state)
{
	(void)state;
	follow_up = (typeof(follow_up)){ HTTPS, HTTP_STAGE_CONNECT, HTTP_END_ERROR, 7, ECONNREFUSED, 0, PORT };
	diagnose_fixture.reply = reply_as_said;
	diagnose_fixture_run();
	assert_string_equal(diagnose_fixture.transfers[1].address, FIXTURE_LATTICE ":80");
	assert_true(diagnose_fixture.transfers[1].ends_at_tls);
	assert_int_equal(exchange_of(EXCHANGE_OTHER_PORT)->port, 80);
	assert_int_equal(exchange_of(EXCHANGE_MAIN)->port, 443);
}

static void redirect(struct http_transfer *transfer, struct http_reply *reply)
{
	(void)transfer;
	reply->status = 302;
}

static void a_redirect_that_is_followed_takes_a_whole_run(void **state)
{
	struct result result;

	(void)state;
	result_init(&result, diagnose_fixture.target);
	result.outcome = OUTCOME_OK;
	result.status = 200;
	diagnose_fixture.run = &result;
	diagnose_fixture.reply = redirect;
	diagnose_fixture.target->follow_redirects = true;
	diagnose_fixture_run();
	assert_int_equal(diagnose_fixture.run_count, 1);
	assert_int_equal(exchange_of(EXCHANGE_MAIN)->outcome, OUTCOME_OK);
	assert_int_equal(exchange_of(EXCHANGE_MAIN)->status, 200);
}

static void a_redirect_that_is_not_followed_is_the_answer(void **state)
{
	(void)state;
	diagnose_fixture.reply = redirect;
	diagnose_fixture_run();
	assert_int_equal(diagnose_fixture.run_count, 0);
	assert_int_equal(exchange_of(EXCHANGE_MAIN)->outcome, OUTCOME_HTTP_STATUS);
}

static void time_out_at_the_limit(struct http_transfer *transfer, struct http_reply *reply)
{
	end_in(reply, HTTP_STAGE_FIRST_BYTE, HTTP_END_TIMEOUT, 28);
	reply->finished = mono_add(reply->start, transfer->limit_us);
}

static void a_patient_probe_is_not_waited_for(void **state)
{
	(void)state;
	diagnose_fixture.target->timeout_us = 30 * US_PER_S;
	diagnose_fixture.reply = time_out_at_the_limit;
	diagnose_fixture_run();
	assert_in_range(diagnose_fixture.transfers[0].limit_us, 5900 * US_PER_MS, 6000 * US_PER_MS);
	assert_true(evidence->is_cut_short);
	assert_non_null(strstr(exchange_of(EXCHANGE_MAIN)->detail, "the probe's own timeout is longer"));
}

static void a_timeout_of_the_probes_own_is_not_cut_short(void **state)
{
	(void)state;
	diagnose_fixture.reply = time_out_at_the_limit;
	diagnose_fixture_run();
	assert_false(evidence->is_cut_short);
	assert_int_equal(exchange_of(EXCHANGE_MAIN)->outcome, OUTCOME_HTTP_TIMEOUT);
}

/* ---- AWS ---------------------------------------------------------------------------------- */

static void a_signed_request_carries_its_signature(void **state)
{
	(void)state;
	diagnose_fixture.target->auth = TARGET_AUTH_SIGV4;
	diagnose_fixture_run();
	assert_non_null(strstr(diagnose_fixture.transfers[0].headers, "Authorization: AWS4-HMAC-SHA256 "));
	assert_true(evidence->target.is_signed);
}

static void without_credentials_a_signed_request_is_not_sent(void **state)
{
	(void)state;
	diagnose_fixture.target->auth = TARGET_AUTH_SIGV4;
	diagnose_fixture.has_credentials = false;
	diagnose_fixture_run();
	assert_int_equal(diagnose_fixture.transfer_count, 0);
	assert_int_equal(exchange_of(EXCHANGE_MAIN)->outcome, OUTCOME_LOCAL_CREDENTIALS);
}

static void credentials_that_do_not_come_are_not_waited_for_long(void **state)
{
	(void)state;
	diagnose_fixture.target->auth = TARGET_AUTH_SIGV4;
	diagnose_fixture.has_credentials = false;
	diagnose_fixture.credentials_hang = true;
	assert_true(diagnose_fixture_start());
	diagnose_fixture_pass(4 * US_PER_S);
	assert_true(diagnose_fixture.has_finished);
	assert_int_equal(exchange_of(EXCHANGE_MAIN)->outcome, OUTCOME_LOCAL_CREDENTIALS);
}

static void time_out_in_connect(struct http_transfer *transfer, struct http_reply *reply)
{
	(void)transfer;
	end_in(reply, HTTP_STAGE_CONNECT, HTTP_END_TIMEOUT, 28);
}

static void the_control_plane_gets_what_is_known_of_the_path(void **state)
{
	char text[ADDRESS_TEXT_SIZE];

	(void)state;
	diagnose_fixture.options.asks_aws = true;
	diagnose_fixture.context.region = "";
	diagnose_fixture.region_found = "eu-west-1";
	diagnose_fixture.reply = time_out_in_connect;
	assert_int_equal(address_networks_add(&diagnose_fixture.control.lattice_networks, "203.0.113.0/24"), 0);
	serve(NULL, FIXTURE_NAME, "203.0.113.9");
	diagnose_fixture_run();
	assert_int_equal(diagnose_fixture.control_count, 1);
	assert_string_equal(diagnose_fixture.control_region, "eu-west-1");
	address_format_port(&diagnose_fixture.control_question.destination, text);
	assert_string_equal(text, "203.0.113.9:443");
	address_format(&diagnose_fixture.control_question.source, text);
	assert_string_equal(text, "10.0.1.10");
	/* Networks that came later count. */
	assert_int_equal(evidence->paths[0].class_, ADDRESS_CLASS_LATTICE);
}

static void a_healthy_service_does_not_wait_for_the_control_plane(void **state)
{
	(void)state;
	diagnose_fixture.options.asks_aws = true;
	diagnose_fixture.has_control = false;
	diagnose_fixture_run();
	assert_false(evidence->control.is_asked);
	assert_false(evidence->is_cut_short);
}

static void aws_is_asked_only_when_it_may_be(void **state)
{
	(void)state;
	diagnose_fixture.reply = time_out_in_connect;
	diagnose_fixture_run();
	assert_int_equal(diagnose_fixture.control_count + diagnose_fixture.publishing_count, 0);
}

static void publishing_is_asked_beside(void **state)
{
	(void)state;
	diagnose_fixture.options.asks_publishing = true;
	diagnose_fixture.publishing.is_asked = true;
	diagnose_fixture_run();
	assert_int_equal(diagnose_fixture.publishing_count, 1);
	assert_true(evidence->publishing.is_asked);
}

static void the_daemons_view_is_taken_along(void **state)
{
	const struct evidence_daemon daemon = { .is_running = true, .streak = 7 };

	(void)state;
	diagnose_fixture.options.daemon = &daemon;
	diagnose_fixture_run();
	assert_true(evidence->daemon.is_running);
	assert_int_equal(evidence->daemon.streak, 7);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, diagnose_fixture_set_up, diagnose_fixture_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(an_address_that_hands_out_credentials_is_never_connected_to),
		CASE(the_targets_own_request_id_goes_out_unchanged),
		CASE(an_unsafe_request_ends_after_the_handshake),
		CASE(the_daemons_last_run_stands_in_for_an_unsafe_request),
		CASE(a_handshake_that_fails_now_outranks_the_daemons_last_run),
		CASE(a_custom_name_that_fails_in_tls_is_tried_by_its_lattice_name),
		CASE(an_exchange_follows_only_where_it_tells_causes_apart),
		CASE(small_segments_repeat_the_request),
		CASE(the_other_port_is_a_handshake_there),
		CASE(a_redirect_that_is_followed_takes_a_whole_run),
		CASE(a_redirect_that_is_not_followed_is_the_answer),
		CASE(a_patient_probe_is_not_waited_for),
		CASE(a_timeout_of_the_probes_own_is_not_cut_short),
		CASE(a_signed_request_carries_its_signature),
		CASE(without_credentials_a_signed_request_is_not_sent),
		CASE(credentials_that_do_not_come_are_not_waited_for_long),
		CASE(the_control_plane_gets_what_is_known_of_the_path),
		CASE(a_healthy_service_does_not_wait_for_the_control_plane),
		CASE(aws_is_asked_only_when_it_may_be),
		CASE(publishing_is_asked_beside),
		CASE(the_daemons_view_is_taken_along),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
