/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../support/chain.h"

#include "lattice-probe/loop.h"
#include "lattice-probe/publishing.h"

#define EMPTY_REPLY "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nx-amzn-query-error: MissingParameter;Sender\r\n\r\n{}"

struct ending {
	bool is_done;
	unsigned count;
	struct evidence_publishing evidence;
};

static void on_finished(void *user, const struct evidence_publishing *publishing)
{
	struct ending *ending = user;

	ending->evidence = *publishing;
	ending->is_done = true;
	ending->count++;
}

static struct evidence_publishing ask(struct world *world, const char *endpoint, int64_t timeout_us)
{
	struct ending ending = { .is_done = false };

	chain_begin(world);
	assert_non_null(publishing_start(world->loop, world->transport, world->credentials, "us-east-1", endpoint,
		"LatticeProbe", timeout_us, on_finished, &ending));
	assert_int_equal(ending.count, 0); /* never from inside the call */
	loop_run_until(world->loop, &ending.is_done);
	assert_int_equal(ending.count, 1);
	assert_true(ending.evidence.is_asked);
	return ending.evidence;
}

static void use_keys(void)
{
	(void)setenv("AWS_ACCESS_KEY_ID", KEY_ID, 1);
	(void)setenv("AWS_SECRET_ACCESS_KEY", SECRET, 1);
}

static void the_call_holds_no_datum(void **state)
{
	static const struct canned_reply reply = { "POST / ", EMPTY_REPLY, 0, 0 };
	struct world *world = *state;
	struct evidence_publishing seen;
	const char *sent;

	canned_server_change(world->server, &reply, 1);
	use_keys();
	seen = ask(world, canned_server_url(world->server), 2 * US_PER_S);
	assert_true(seen.has_credentials && seen.is_call_made);
	assert_int_equal(seen.class_, AWS_CLASS_INVALID);
	assert_int_equal(seen.status, 400);
	assert_string_equal(seen.code, "MissingParameter");
	assert_string_equal(seen.source, "environment");
	assert_string_equal(seen.principal, "…MPLE");
	assert_string_equal(seen.endpoint, canned_server_url(world->server));
	sent = canned_server_last(world->server, "POST / ");
	assert_non_null(strstr(sent, "\r\n\r\n{\"Namespace\":\"LatticeProbe\",\"MetricData\":[]}"));
	assert_int_equal(canned_server_count(world->server, "POST"), 1);
}

static void auto_is_the_endpoint_of_the_environment(void **state)
{
	static const struct canned_reply reply = { "POST / ", EMPTY_REPLY, 0, 0 };
	struct world *world = *state;

	canned_server_change(world->server, &reply, 1);
	use_keys();
	(void)setenv("AWS_ENDPOINT_URL_CLOUDWATCH", canned_server_url(world->server), 1);
	assert_int_equal(ask(world, "auto", 2 * US_PER_S).class_, AWS_CLASS_INVALID);
	(void)unsetenv("AWS_ENDPOINT_URL_CLOUDWATCH");
}

static void without_credentials_no_call_is_made(void **state)
{
	struct world *world = *state;
	struct evidence_publishing seen = ask(world, canned_server_url(world->server), 5 * US_PER_S);

	assert_false(seen.has_credentials || seen.is_call_made);
	assert_true(seen.why[0] != '\0');
	assert_int_equal(canned_server_count(world->server, "POST"), 0);
}

static void a_chain_that_never_ends_is_given_up(void **state)
{
	static const struct canned_reply silent = { "PUT ", NULL, 0, 0 };
	struct world *world = *state;
	struct evidence_publishing seen;

	canned_server_change(world->server, &silent, 1);
	seen = ask(world, canned_server_url(world->server), 200 * US_PER_MS);
	assert_false(seen.has_credentials || seen.is_call_made);
	assert_non_null(strstr(seen.why, "in time"));
	assert_true(seen.elapsed_us >= 200 * US_PER_MS);
}

static void what_is_cancelled_is_never_told(void **state)
{
	static const struct canned_reply silent = { "", NULL, 0, 0 };
	struct world *world = *state;
	struct ending ending = { .is_done = false };
	bool never = false;

	canned_server_change(world->server, &silent, 1);
	chain_begin(world);
	publishing_cancel(publishing_start(world->loop, world->transport, world->credentials, "us-east-1",
		canned_server_url(world->server), "LatticeProbe", US_PER_S, on_finished, &ending));
	publishing_cancel(NULL);
	chain_forget(world);
	loop_run_until(world->loop, &never);
	assert_int_equal(ending.count, 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, chain_set_up, chain_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_call_holds_no_datum),
		CASE(auto_is_the_endpoint_of_the_environment),
		CASE(without_credentials_no_call_is_made),
		CASE(a_chain_that_never_ends_is_given_up),
		CASE(what_is_cancelled_is_never_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
