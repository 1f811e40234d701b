/* SPDX-License-Identifier: Apache-2.0 */
/* One attempt: redirect hops, whose headers go where, and signatures. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "probe_fixture.h"

#include "lattice-probe/loop.h"
#include "lattice-probe/probe.h"
#include "lattice-probe/result.h"
#include "lattice-probe/target.h"

static void add_header(const char *name, const char *value)
{
	probe_fixture.target->headers = realloc(probe_fixture.target->headers,
		(probe_fixture.target->header_count + 1) * sizeof *probe_fixture.target->headers);
	assert_non_null(probe_fixture.target->headers);
	probe_fixture.target->headers[probe_fixture.target->header_count++] =
		(struct target_header){ strdup(name), strdup(value), false };
}

/* ---- redirects ---------------------------------------------------------------------------- */

static void a_redirect_is_an_answer_unless_it_is_to_be_followed(void **state)
{
	(void)state;
	probe_fixture_start("http://127.0.0.1/");
	probe_fixture_reply(302, "/next");
	assert_int_equal(probe_fixture.result.outcome, OUTCOME_HTTP_STATUS);
	assert_int_equal(probe_fixture.transfer_count, 1);
}

static void hops_are_resolved_anew_and_their_phases_add_up(void **state)
{
	(void)state;
	probe_fixture.target->follow_redirects = true;
	probe_fixture_start("http://one.test/");
	probe_fixture_answer("one.test", DNS_TYPE_A, "127.0.0.1");
	probe_fixture_reply(302, "http://two.test:81/next");
	probe_fixture_answer("two.test", DNS_TYPE_A, "127.0.0.2");
	assert_string_equal(probe_fixture_last_transfer()->url, "http://two.test:81/next");
	assert_string_equal(probe_fixture_last_transfer()->address, "127.0.0.2:81");
	probe_fixture_reply(200, NULL);
	assert_int_equal(probe_fixture.result.outcome, OUTCOME_OK);
	probe_fixture_assert_phases(2 * PROBE_FIXTURE_DNS_US, 2 * PROBE_FIXTURE_STEP_US, PHASE_NONE, 2 * PROBE_FIXTURE_STEP_US, 2 * PROBE_FIXTURE_STEP_US, 2 * PROBE_FIXTURE_DNS_US + 6 * PROBE_FIXTURE_STEP_US);
}

static void a_sixth_hop_is_not_made(void **state)
{
	(void)state;
	probe_fixture.target->follow_redirects = true;
	probe_fixture_start("http://127.0.0.1/");
	for (int i = 0; i < 6; i++)
		probe_fixture_reply(302, "/again");
	assert_int_equal(probe_fixture.transfer_count, 6);
	assert_int_equal(probe_fixture.result.outcome, OUTCOME_HTTP_STATUS);
	assert_int_equal(probe_fixture.result.status, 302);
}

static void a_hop_to_a_denied_address_is_not_made(void **state)
{
	(void)state;
	probe_fixture.target->follow_redirects = true;
	probe_fixture_start("http://127.0.0.1/");
	probe_fixture_reply(302, "http://169.254.169.254/latest/meta-data/");
	assert_int_equal(probe_fixture.transfer_count, 1);
	assert_int_equal(probe_fixture.result.outcome, OUTCOME_LOCAL_DENIED);
}

static void a_hop_from_https_to_http_is_not_made(void **state)
{
	(void)state;
	probe_fixture.target->follow_redirects = true;
	probe_fixture_start("https://127.0.0.1/");
	probe_fixture_reply(302, "http://127.0.0.1/");
	assert_int_equal(probe_fixture.transfer_count, 1);
	assert_int_equal(probe_fixture.result.outcome, OUTCOME_HTTP_STATUS);
}

/* Until the deadline; whether its question has left decides whose fault that is. */
static void run_out_of_time_in_a_hop(bool has_left)
{
	struct mono begin;

	probe_fixture.target->follow_redirects = true;
	probe_fixture.target->timeout_us = 40 * US_PER_MS;
	probe_fixture_start("http://127.0.0.1/");
	begin = mono_now();
	probe_fixture_reply(302, "http://silent.test/");
	for (size_t i = 0; i < probe_fixture.question_count && has_left; i++)
		probe_fixture.questions[i].started(probe_fixture.questions[i].user);
	probe_fixture_turn();
	assert_true(probe_fixture.result.failed_us >= 30 * US_PER_MS);
	assert_true(probe_fixture.result.failed_us <= mono_since(mono_now(), begin));
	assert_int_equal(probe_fixture.result.total_us,
		3 * PROBE_FIXTURE_STEP_US + probe_fixture.result.failed_us);
}

static void the_time_a_hop_waited_for_its_name_is_the_runs(void **state)
{
	(void)state;
	probe_fixture.context.lag_limit_us = US_PER_S;
	run_out_of_time_in_a_hop(true);
	assert_int_equal(probe_fixture.result.outcome, OUTCOME_DNS_TIMEOUT);
}

static void a_hop_held_back_by_our_own_budget_is_our_own_fault(void **state)
{
	(void)state;
	run_out_of_time_in_a_hop(false);
	assert_int_equal(probe_fixture.result.outcome, OUTCOME_LOCAL_FAULT);
}

static void wait_away_from_the_loop(int64_t duration_us)
{
	for (struct mono begin = mono_now(); mono_since(mono_now(), begin) < duration_us;)
		;
}

static void time_the_name_of_a_hop_out(void *user)
{
	(void)user;
	wait_away_from_the_loop(20 * US_PER_MS);
	probe_fixture_answer_failure("silent.test", DNS_TYPE_A, OUTCOME_DNS_TIMEOUT);
	probe_fixture_answer_failure("silent.test", DNS_TYPE_AAAA, OUTCOME_DNS_TIMEOUT);
}

static void a_hops_timeout_while_the_loop_was_away_is_our_own_fault(void **state)
{
	struct loop_timer timer = { 0 };

	(void)state;
	probe_fixture.context.lag_limit_us = 10 * US_PER_MS;
	probe_fixture.target->follow_redirects = true;
	probe_fixture_start("http://127.0.0.1/");
	probe_fixture_reply(302, "http://silent.test/");
	assert_int_equal(loop_timer_start(probe_fixture.loop, &timer, mono_now(), time_the_name_of_a_hop_out, NULL), 0);
	probe_fixture_turn();
	assert_int_equal(probe_fixture.result.outcome, OUTCOME_LOCAL_FAULT);
}

static void a_hop_whose_name_fails_is_a_failure_of_dns(void **state)
{
	(void)state;
	probe_fixture.target->follow_redirects = true;
	probe_fixture_start("http://127.0.0.1/");
	probe_fixture_reply(302, "http://gone.test/");
	probe_fixture_answer_failure("gone.test", DNS_TYPE_A, OUTCOME_DNS_NXDOMAIN);
	probe_fixture_answer_failure("gone.test", DNS_TYPE_AAAA, OUTCOME_DNS_NXDOMAIN);
	assert_int_equal(probe_fixture.result.outcome, OUTCOME_DNS_NXDOMAIN);
	assert_int_equal(probe_fixture.result.failed_us, PROBE_FIXTURE_DNS_US);
	assert_int_equal(probe_fixture.result.phase_us[PHASE_CONNECT], PHASE_NONE);
	assert_int_equal(probe_fixture.result.total_us, 3 * PROBE_FIXTURE_STEP_US + PROBE_FIXTURE_DNS_US);
}

static void a_hop_that_is_refused_has_no_connect_time(void **state)
{
	(void)state;
	probe_fixture.target->follow_redirects = true;
	probe_fixture_start("http://one.test/");
	probe_fixture_answer("one.test", DNS_TYPE_A, "127.0.0.1");
	probe_fixture_reply(302, "http://127.0.0.2/");
	probe_fixture_end_in_connect(probe_fixture_last_transfer(), CURLE_COULDNT_CONNECT, HTTP_END_ERROR);
	assert_int_equal(probe_fixture.result.outcome, OUTCOME_CONNECT_REFUSED);
	probe_fixture_assert_phases(PROBE_FIXTURE_DNS_US, PHASE_NONE, PHASE_NONE, PHASE_NONE, PHASE_NONE,
		PROBE_FIXTURE_DNS_US + 4 * PROBE_FIXTURE_STEP_US);
}

static void headers_stay_with_their_own_origin(void **state)
{
	static const struct {
		const char *location;
		bool keeps;
	} rows[] = { { "/next", true }, { "http://127.0.0.1:80/next", true }, { "http://127.0.0.1:81/next", false },
		{ "http://127.0.0.2/next", false }, { "https://127.0.0.1:80/next", false } };

	(void)state;
	probe_fixture.target->follow_redirects = true;
	add_header("X-Secret", "hush");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		probe_fixture_start("http://127.0.0.1/");
		assert_string_equal(probe_fixture_last_transfer()->headers, "X-Secret: hush\n");
		probe_fixture_reply(302, rows[i].location);
		assert_string_equal(probe_fixture_last_transfer()->headers, rows[i].keeps ? "X-Secret: hush\n" : "");
		probe_fixture_stop();
	}
}

static void a_post_becomes_a_get_where_rfc_9110_lets_it(void **state)
{
	static const struct {
		int status;
		const char *method;
		const char *body;
	} rows[] = { { 301, "GET", "" }, { 302, "GET", "" }, { 303, "GET", "" }, { 307, "POST", "payload" },
		{ 308, "POST", "payload" } };

	(void)state;
	probe_fixture.target->follow_redirects = true;
	free(probe_fixture.target->method);
	probe_fixture.target->method = strdup("POST");
	probe_fixture.target->body = strdup("payload");
	probe_fixture.target->body_bytes = strlen("payload");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		probe_fixture_start("http://127.0.0.1/");
		probe_fixture_reply(rows[i].status, "/next");
		assert_string_equal(probe_fixture_last_transfer()->method, rows[i].method);
		assert_string_equal(probe_fixture_last_transfer()->body, rows[i].body);
		probe_fixture_stop();
	}
}

/* ---- signing ------------------------------------------------------------------------------ */

static void sign_for(const char *host)
{
	probe_fixture.target->auth = TARGET_AUTH_SIGV4;
	probe_fixture.context.credentials = (struct credentials *)&probe_fixture; /* never looked into */
	probe_fixture.has_credentials = true;
	if (!host)
		return;
	probe_fixture.target->sign_hosts = calloc(1, sizeof *probe_fixture.target->sign_hosts);
	assert_non_null(probe_fixture.target->sign_hosts);
	probe_fixture.target->sign_hosts[0] = strdup(host);
	probe_fixture.target->sign_host_count = 1;
}

static void a_named_host_gets_a_signature_and_a_hop_gets_none(void **state)
{
	(void)state;
	sign_for("127.0.0.1");
	probe_fixture.target->follow_redirects = true;
	probe_fixture_start("https://127.0.0.1/");
	assert_non_null(strstr(probe_fixture_last_transfer()->headers, "Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"));
	assert_non_null(strstr(probe_fixture_last_transfer()->headers, "X-Amz-Content-Sha256: UNSIGNED-PAYLOAD"));
	probe_fixture_reply(302, "/next");
	assert_string_equal(probe_fixture_last_transfer()->headers, "");
}

static void a_signature_is_for_lattice_or_a_named_host_over_https_only(void **state)
{
	static const struct {
		const char *url;
		bool is_signed;
	} rows[] = { { "https://127.0.0.2/", false }, { "http://127.0.0.1/", false }, { "https://127.0.0.1/", true } };

	(void)state;
	sign_for("127.0.0.1");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		probe_fixture.has_result = false;
		probe_fixture.transfer_count = 0;
		probe_fixture_start(rows[i].url);
		assert_int_equal(probe_fixture.transfer_count, rows[i].is_signed);
		if (rows[i].is_signed) {
			probe_fixture_stop();
			continue;
		}
		probe_fixture_turn();
		assert_int_equal(probe_fixture.result.outcome, OUTCOME_LOCAL_CREDENTIALS);
		result_done(&probe_fixture.result);
	}
	probe_fixture.has_result = false;
}

static void without_credentials_a_signed_run_is_local(void **state)
{
	(void)state;
	sign_for("127.0.0.1");
	probe_fixture.has_credentials = false;
	probe_fixture_start("https://127.0.0.1/");
	probe_fixture_turn();
	assert_int_equal(probe_fixture.result.outcome, OUTCOME_LOCAL_CREDENTIALS);
	assert_string_equal(probe_fixture.result.detail, "none in this test");
	assert_int_equal(probe_fixture.transfer_count, 0);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, probe_fixture_set_up, probe_fixture_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_redirect_is_an_answer_unless_it_is_to_be_followed),
		CASE(hops_are_resolved_anew_and_their_phases_add_up),
		CASE(a_sixth_hop_is_not_made),
		CASE(a_hop_to_a_denied_address_is_not_made),
		CASE(a_hop_from_https_to_http_is_not_made),
		CASE(the_time_a_hop_waited_for_its_name_is_the_runs),
		CASE(a_hop_held_back_by_our_own_budget_is_our_own_fault),
		CASE(a_hops_timeout_while_the_loop_was_away_is_our_own_fault),
		CASE(a_hop_whose_name_fails_is_a_failure_of_dns),
		CASE(a_hop_that_is_refused_has_no_connect_time),
		CASE(headers_stay_with_their_own_origin),
		CASE(a_post_becomes_a_get_where_rfc_9110_lets_it),
		CASE(a_named_host_gets_a_signature_and_a_hop_gets_none),
		CASE(a_signature_is_for_lattice_or_a_named_host_over_https_only),
		CASE(without_credentials_a_signed_run_is_local),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
