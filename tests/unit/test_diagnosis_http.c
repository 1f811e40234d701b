/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "diagnosis_check.h"
#include "evidence_examples.h"

#include "lattice-probe/units.h"

#define CERTAIN DIAGNOSIS_CERTAIN
#define LIKELY DIAGNOSIS_LIKELY
#define CANDIDATES DIAGNOSIS_CANDIDATES
#define DOCUMENTED DIAGNOSIS_BASIS_DOCUMENTED
#define OBSERVED DIAGNOSIS_BASIS_OBSERVED
#define INFERRED DIAGNOSIS_BASIS_INFERRED

#define COUNT(array) (sizeof(array) / sizeof *(array))

static struct evidence_exchange *main_of(struct evidence *e)
{
	return &evidence_path(e)->exchanges[EXCHANGE_MAIN];
}

/* ---- TLS -------------------------------------------------------------------------------------------- */

static void bytes_that_are_no_tls(struct evidence *e)
{
	evidence_example(DIAGNOSIS_TLS_ON_HTTP_PORT, e);
	evidence_path(e)->exchanges[EXCHANGE_OTHER_SCHEME].is_asked = false;
}

static void a_tls_port_that_tells_plain_http_so(struct evidence *e)
{
	evidence_example(DIAGNOSIS_TLS_FAILED, e);
	evidence_set_exchange(e, EXCHANGE_OTHER_SCHEME, OUTCOME_HTTP_STATUS);
	evidence_path(e)->exchanges[EXCHANGE_OTHER_SCHEME].status = 400;
}

static void an_alert_for_a_custom_name(struct evidence *e)
{
	evidence_example(DIAGNOSIS_TLS_UNKNOWN_NAME, e);
	evidence_path(e)->exchanges[EXCHANGE_OTHER_NAME].is_asked = false;
}

static void a_reset_for_a_custom_name(struct evidence *e)
{
	evidence_example(DIAGNOSIS_TLS_UNKNOWN_NAME, e);
	main_of(e)->tls_alert = -1;
}

static void another_alert_for_a_custom_name(struct evidence *e)
{
	evidence_example(DIAGNOSIS_TLS_UNKNOWN_NAME, e);
	main_of(e)->tls_alert = 70;
}

static void an_alert_for_both_names(struct evidence *e)
{
	evidence_example(DIAGNOSIS_TLS_UNKNOWN_NAME, e);
	evidence_set_exchange(e, EXCHANGE_OTHER_NAME, OUTCOME_TLS_HANDSHAKE);
}

static void an_alert_for_a_generated_name(struct evidence *e)
{
	evidence_failing(e, OUTCOME_TLS_HANDSHAKE);
	main_of(e)->tls_alert = 40;
}

static void silence_in_tls(struct evidence *e)
{
	evidence_failing(e, OUTCOME_TLS_TIMEOUT);
}

static void expired_by_a_wrong_clock(struct evidence *e)
{
	evidence_example(DIAGNOSIS_TLS_EXPIRED, e);
	evidence_add_publishing(e);
	e->publishing.skew_us = -400 * US_PER_DAY;
}

static const struct diagnosis_case handshakes[] = {
	{ "no TLS bytes", bytes_that_are_no_tls, DIAGNOSIS_TLS_ON_HTTP_PORT, LIKELY, OBSERVED, { 0 } },
	{ "a 400 to plain HTTP", a_tls_port_that_tells_plain_http_so, DIAGNOSIS_TLS_FAILED, LIKELY, OBSERVED, { 0 } },
	{ "an alert alone", an_alert_for_a_custom_name, DIAGNOSIS_TLS_UNKNOWN_NAME, LIKELY, DOCUMENTED, { 0 } },
	{ "a reset", a_reset_for_a_custom_name, DIAGNOSIS_TLS_UNKNOWN_NAME, CERTAIN, DOCUMENTED, { 0 } },
	{ "another alert", another_alert_for_a_custom_name, DIAGNOSIS_TLS_UNKNOWN_NAME, LIKELY, DOCUMENTED, { 0 } },
	{ "both names", an_alert_for_both_names, DIAGNOSIS_TLS_FAILED, LIKELY, OBSERVED, { 0 } },
	{ "a generated name", an_alert_for_a_generated_name, DIAGNOSIS_TLS_FAILED, LIKELY, OBSERVED, { 0 } },
	{ "silence", silence_in_tls, DIAGNOSIS_TLS_SILENT, LIKELY, OBSERVED, { 0 } },
	{ "a wrong clock", expired_by_a_wrong_clock, DIAGNOSIS_TLS_EXPIRED, LIKELY, DOCUMENTED, { 0 } },
};

/* ---- HTTP ------------------------------------------------------------------------------------------- */

static void answered(struct evidence *e, int status, bool is_bare, bool echoes)
{
	evidence_healthy(e);
	evidence_set_status(e, status);
	main_of(e)->is_bare = is_bare;
	main_of(e)->echoes_request_id = echoes;
}

static void a_bare_403(struct evidence *e)
{
	answered(e, 403, true, true);
}

static void an_unmarked_403_where_a_marker_is_due(struct evidence *e)
{
	answered(e, 403, false, true);
	e->target.has_marker = true;
}

static void a_marked_403(struct evidence *e)
{
	answered(e, 403, true, true);
	e->target.has_marker = true;
	main_of(e)->has_marker = true;
}

static void a_bare_404_without_the_echo(struct evidence *e)
{
	answered(e, 404, true, false);
}

static void a_404_the_probe_took_for_lattices(struct evidence *e)
{
	answered(e, 404, true, true);
	main_of(e)->outcome = OUTCOME_LATTICE_NO_ROUTE;
}

static void a_marked_404(struct evidence *e)
{
	answered(e, 404, false, true);
	main_of(e)->has_marker = true;
}

static void a_bare_503_without_the_echo(struct evidence *e)
{
	answered(e, 503, true, false);
}

static void a_503_with_a_body(struct evidence *e)
{
	answered(e, 503, false, true);
}

static void a_504(struct evidence *e)
{
	answered(e, 504, true, true);
}

static void a_bare_400(struct evidence *e)
{
	answered(e, 400, true, true);
}

static void a_bare_400_to_a_signed_request(struct evidence *e)
{
	answered(e, 400, true, true);
	e->target.is_signed = true;
}

static void a_body_that_is_not_expected(struct evidence *e)
{
	evidence_failing(e, OUTCOME_HTTP_BODY);
}

static void another_version_of_http(struct evidence *e)
{
	evidence_failing(e, OUTCOME_HTTP_PROTOCOL);
	main_of(e)->stage = HTTP_STAGE_DONE;
	main_of(e)->status = 200;
	main_of(e)->http_version = 11;
}

static void plain(struct evidence *e, enum outcome outcome)
{
	evidence_failing(e, outcome);
	evidence_set_plain_http(e);
}

static void plain_bytes_that_are_no_http(struct evidence *e)
{
	plain(e, OUTCOME_HTTP_PROTOCOL);
}

static void plain_reset(struct evidence *e)
{
	plain(e, OUTCOME_HTTP_RESET);
}

static void plain_reset_and_no_tls_there(struct evidence *e)
{
	plain(e, OUTCOME_HTTP_RESET);
	evidence_set_exchange(e, EXCHANGE_OTHER_SCHEME, OUTCOME_TLS_HANDSHAKE);
}

static void plain_400_of_a_tls_port(struct evidence *e)
{
	plain(e, OUTCOME_HTTP_STATUS);
	main_of(e)->status = 400;
	evidence_set_exchange(e, EXCHANGE_OTHER_SCHEME, OUTCOME_OK);
}

static void plain_503_beside_tls(struct evidence *e)
{
	plain(e, OUTCOME_HTTP_STATUS);
	main_of(e)->status = 503;
	main_of(e)->is_bare = true;
	main_of(e)->echoes_request_id = true;
	evidence_set_exchange(e, EXCHANGE_OTHER_SCHEME, OUTCOME_OK);
}

static void a_late_response(struct evidence *e)
{
	evidence_failing(e, OUTCOME_HTTP_TIMEOUT);
}

static void a_reset_after_an_alert(struct evidence *e)
{
	evidence_failing(e, OUTCOME_HTTP_RESET);
	main_of(e)->tls_alert = 116;
}

static const struct diagnosis_case answers[] = {
	{ "a bare 403", a_bare_403, DIAGNOSIS_AUTH_DENIED, CANDIDATES, OBSERVED,
		{ DIAGNOSIS_AUTH_DENIED, DIAGNOSIS_APP_FORBIDDEN } },
	{ "an unmarked 403", an_unmarked_403_where_a_marker_is_due, DIAGNOSIS_AUTH_DENIED, CANDIDATES, OBSERVED,
		{ DIAGNOSIS_AUTH_DENIED, DIAGNOSIS_APP_FORBIDDEN } },
	{ "a marked 403", a_marked_403, DIAGNOSIS_APP_FORBIDDEN, LIKELY, INFERRED, { 0 } },
	{ "a bare 404", a_bare_404_without_the_echo, DIAGNOSIS_LATTICE_NO_ROUTE, CANDIDATES, INFERRED,
		{ DIAGNOSIS_LATTICE_NO_ROUTE, DIAGNOSIS_APP_STATUS } },
	{ "a 404 of Lattice", a_404_the_probe_took_for_lattices, DIAGNOSIS_LATTICE_NO_ROUTE, LIKELY, INFERRED, { 0 } },
	{ "a marked 404", a_marked_404, DIAGNOSIS_APP_STATUS, LIKELY, INFERRED, { 0 } },
	{ "a bare 503", a_bare_503_without_the_echo, DIAGNOSIS_TARGET_UNAVAILABLE, CANDIDATES, INFERRED,
		{ DIAGNOSIS_TARGET_UNAVAILABLE, DIAGNOSIS_APP_STATUS } },
	{ "a 503 with a body", a_503_with_a_body, DIAGNOSIS_APP_STATUS, LIKELY, INFERRED, { 0 } },
	{ "a 504", a_504, DIAGNOSIS_TARGET_UNAVAILABLE, LIKELY, INFERRED, { 0 } },
	{ "a bare 400", a_bare_400, DIAGNOSIS_APP_STATUS, CANDIDATES, INFERRED, { DIAGNOSIS_APP_STATUS } },
	{ "a bare 400, signed", a_bare_400_to_a_signed_request, DIAGNOSIS_APP_STATUS, CANDIDATES, INFERRED,
		{ DIAGNOSIS_APP_STATUS, DIAGNOSIS_AUTH_SIGNATURE } },
	{ "the body", a_body_that_is_not_expected, DIAGNOSIS_APP_STATUS, LIKELY, INFERRED, { 0 } },
	{ "another version", another_version_of_http, DIAGNOSIS_APP_STATUS, LIKELY, INFERRED, { 0 } },
	{ "plain, no HTTP", plain_bytes_that_are_no_http, DIAGNOSIS_RESPONSE_NOT_HTTP, LIKELY, OBSERVED, { 0 } },
	{ "plain, reset", plain_reset, DIAGNOSIS_RESPONSE_RESET, LIKELY, OBSERVED, { 0 } },
	{ "plain, reset, no TLS", plain_reset_and_no_tls_there, DIAGNOSIS_RESPONSE_RESET, CERTAIN, OBSERVED, { 0 } },
	{ "plain, 400", plain_400_of_a_tls_port, DIAGNOSIS_HTTP_ON_TLS_PORT, CERTAIN, OBSERVED, { 0 } },
	{ "plain, 503", plain_503_beside_tls, DIAGNOSIS_TARGET_UNAVAILABLE, LIKELY, INFERRED, { 0 } },
	{ "a late response", a_late_response, DIAGNOSIS_RESPONSE_TIMEOUT, LIKELY, OBSERVED, { 0 } },
	{ "a reset after an alert", a_reset_after_an_alert, DIAGNOSIS_RESPONSE_RESET, LIKELY, OBSERVED, { 0 } },
};

/* ---- healthy, and publishing -------------------------------------------------------------------------- */

static void an_unsafe_method(struct evidence *e)
{
	evidence_healthy(e);
	main_of(e)->is_stand_in = true;
	main_of(e)->status = 0;
	main_of(e)->stage = HTTP_STAGE_FIRST_BYTE;
}

static void the_daemons_last_run(struct evidence *e)
{
	evidence_healthy(e);
	main_of(e)->is_from_daemon = true;
}

static void published(struct evidence *e, enum aws_class class_)
{
	evidence_healthy(e);
	evidence_add_publishing(e);
	e->publishing.class_ = class_;
}

static void publishing_works(struct evidence *e)
{
	published(e, AWS_CLASS_INVALID);
}

static void publishing_is_throttled(struct evidence *e)
{
	published(e, AWS_CLASS_THROTTLED);
}

static void stale_credentials(struct evidence *e)
{
	published(e, AWS_CLASS_EXPIRED);
}

static void a_slow_way_to_cloudwatch(struct evidence *e)
{
	published(e, AWS_CLASS_TIMEOUT);
}

static void a_refused_time_without_a_date(struct evidence *e)
{
	published(e, AWS_CLASS_SKEWED);
}

static void no_credentials_and_a_call_that_was_never_made(struct evidence *e)
{
	evidence_example(DIAGNOSIS_NO_CREDENTIALS, e);
	e->publishing.class_ = AWS_CLASS_DENIED;
}

static void a_signed_probe_without_credentials(struct evidence *e)
{
	evidence_failing(e, OUTCOME_LOCAL_CREDENTIALS);
	evidence_add_control(e);
	e->control.instance_sg_allows = CLAIM_NO;
}

static void out_of_time(struct evidence *e)
{
	evidence_healthy(e);
	evidence_path(e)->exchanges[EXCHANGE_MAIN].is_asked = false;
	e->is_cut_short = true;
}

static const struct diagnosis_case ends[] = {
	{ "an unsafe method", an_unsafe_method, DIAGNOSIS_HEALTHY, LIKELY, OBSERVED, { 0 } },
	{ "the daemon's last run", the_daemons_last_run, DIAGNOSIS_HEALTHY, LIKELY, OBSERVED, { 0 } },
	{ "publishing works", publishing_works, DIAGNOSIS_HEALTHY, CERTAIN, OBSERVED, { 0 } },
	{ "throttled", publishing_is_throttled, DIAGNOSIS_HEALTHY, CERTAIN, OBSERVED, { 0 } },
	{ "stale credentials", stale_credentials, DIAGNOSIS_NO_CREDENTIALS, LIKELY, DOCUMENTED, { 0 } },
	{ "a slow way", a_slow_way_to_cloudwatch, DIAGNOSIS_METRICS_UNREACHABLE, LIKELY, DOCUMENTED, { 0 } },
	{ "a refused time", a_refused_time_without_a_date, DIAGNOSIS_CLOCK_SKEW, LIKELY, DOCUMENTED, { 0 } },
	{ "a call never made", no_credentials_and_a_call_that_was_never_made, DIAGNOSIS_NO_CREDENTIALS, CERTAIN,
		DOCUMENTED, { 0 } },
	{ "a signed probe without credentials", a_signed_probe_without_credentials, DIAGNOSIS_UNDETERMINED, LIKELY,
		INFERRED, { 0 } },
	{ "out of time", out_of_time, DIAGNOSIS_UNDETERMINED, LIKELY, INFERRED, { 0 } },
};

static void handshakes_are_told_apart(void **state)
{
	(void)state;
	diagnosis_check_cases(handshakes, COUNT(handshakes));
}

static void answers_are_told_apart(void **state)
{
	(void)state;
	diagnosis_check_cases(answers, COUNT(answers));
}

static void ends_are_told_apart(void **state)
{
	(void)state;
	diagnosis_check_cases(ends, COUNT(ends));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handshakes_are_told_apart),
		cmocka_unit_test(answers_are_told_apart),
		cmocka_unit_test(ends_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
