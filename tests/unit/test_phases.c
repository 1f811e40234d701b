/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lattice-probe/http.h"
#include "lattice-probe/phases.h"

static struct http_reply make_reply(enum http_end end, int64_t connected, int64_t secured,
	int64_t first_byte, int64_t finished)
{
	return (struct http_reply){ .end = end, .start = { 1000 }, .connected = { connected },
		.secured = { secured }, .first_byte = { first_byte }, .finished = { finished } };
}

static void expect(const struct http_reply *reply, int64_t connect, int64_t tls, int64_t first_byte,
	int64_t transfer, int64_t failed)
{
	int64_t phase_us[PHASE_COUNT] = { 77, 0, 0, 0, 0 };
	int64_t failed_us = 0;

	phases_of_reply(reply, phase_us, &failed_us);
	assert_int_equal(phase_us[PHASE_DNS], 77); /* the caller's */
	assert_int_equal(phase_us[PHASE_CONNECT], connect);
	assert_int_equal(phase_us[PHASE_TLS], tls);
	assert_int_equal(phase_us[PHASE_FIRST_BYTE], first_byte);
	assert_int_equal(phase_us[PHASE_TRANSFER], transfer);
	assert_int_equal(failed_us, failed);
	assert_int_equal(phases_sum(phase_us) - 77 + (failed == PHASE_NONE ? 0 : failed),
		mono_since(reply->finished, reply->start));
}

static void a_complete_https_response_has_four_phases(void **state)
{
	struct http_reply reply = make_reply(HTTP_END_DONE, 1010, 1110, 2110, 2113);

	(void)state;
	expect(&reply, 10, 100, 1000, 3, PHASE_NONE);
}

static void plain_http_has_no_tls_phase(void **state)
{
	struct http_reply reply = make_reply(HTTP_END_DONE, 1010, 0, 1015, 1015);

	(void)state;
	expect(&reply, 10, PHASE_NONE, 5, 0, PHASE_NONE);
}

static void the_phase_that_failed_has_its_time_apart(void **state)
{
	struct http_reply reply = make_reply(HTTP_END_TIMEOUT, 0, 0, 0, 3000);

	(void)state;
	expect(&reply, PHASE_NONE, PHASE_NONE, PHASE_NONE, PHASE_NONE, 2000);
	reply = make_reply(HTTP_END_ERROR, 1010, 0, 0, 3000);
	expect(&reply, 10, PHASE_NONE, PHASE_NONE, PHASE_NONE, 1990);
	reply = make_reply(HTTP_END_TIMEOUT, 1010, 1110, 0, 3000);
	expect(&reply, 10, 100, PHASE_NONE, PHASE_NONE, 1890);
	reply = make_reply(HTTP_END_TOO_LARGE, 1010, 1110, 2110, 3000);
	expect(&reply, 10, 100, 1000, PHASE_NONE, 890);
}

static void a_phase_of_no_time_is_zero_not_none(void **state)
{
	struct http_reply reply = make_reply(HTTP_END_DONE, 1000, 1000, 1000, 1000);

	(void)state;
	expect(&reply, 0, 0, 0, 0, PHASE_NONE);
}

static void the_sum_skips_phases_that_were_not_completed(void **state)
{
	int64_t phase_us[PHASE_COUNT] = { 1, 2, PHASE_NONE, 4, PHASE_NONE };

	(void)state;
	assert_int_equal(phases_sum(phase_us), 7);
}

/* Whether phases_of_reply refuses it, seen from outside. */
static bool is_asserted_against(const struct http_reply *reply)
{
	int64_t phase_us[PHASE_COUNT] = { 0 };
	int64_t failed_us;
	int status = 0;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		(void)signal(SIGABRT, SIG_DFL);
		(void)close(STDERR_FILENO);
		phases_of_reply(reply, phase_us, &failed_us);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void marks_out_of_order_are_a_bug(void **state)
{
	struct http_reply sound = make_reply(HTTP_END_DONE, 1010, 1110, 2110, 2113);
	struct http_reply backward = make_reply(HTTP_END_DONE, 1010, 1009, 2110, 2113);
	struct http_reply gap = make_reply(HTTP_END_DONE, 0, 1110, 2110, 2113);
	struct http_reply nothing = make_reply(HTTP_END_DONE, 1010, 1110, 0, 2113);

	(void)state;
	assert_false(is_asserted_against(&sound));
	assert_true(is_asserted_against(&backward));
	assert_true(is_asserted_against(&gap));
	assert_true(is_asserted_against(&nothing));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_complete_https_response_has_four_phases),
		cmocka_unit_test(plain_http_has_no_tls_phase),
		cmocka_unit_test(the_phase_that_failed_has_its_time_apart),
		cmocka_unit_test(a_phase_of_no_time_is_zero_not_none),
		cmocka_unit_test(the_sum_skips_phases_that_were_not_completed),
		cmocka_unit_test(marks_out_of_order_are_a_bug),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
