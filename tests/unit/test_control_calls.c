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

#include "lattice-probe/control.h"
#include "lattice-probe/loop.h"

struct ending {
	bool is_done;
	unsigned count;
	struct evidence_control evidence;
};

static void on_finished(void *user, const struct evidence_control *control)
{
	struct ending *ending = user;

	ending->evidence = *control;
	ending->is_done = true;
	ending->count++;
}

static struct control *start(struct world *world, const char *vpc_id, int64_t timeout_us, struct ending *ending)
{
	const struct control_question question = { .region = "us-east-1", .account_id = "123456789012", .vpc_id = vpc_id,
		.subnet_id = "subnet-1", .security_groups = "sg-1", .host = "shop.example.com", .timeout_us = timeout_us };
	struct control *control;

	(void)setenv("AWS_ACCESS_KEY_ID", KEY_ID, 1);
	(void)setenv("AWS_SECRET_ACCESS_KEY", SECRET, 1);
	(void)setenv("AWS_ENDPOINT_URL", canned_server_url(world->server), 1);
	chain_begin(world);
	control = control_start(world->loop, world->transport, world->credentials, &question, on_finished, ending);
	(void)unsetenv("AWS_ENDPOINT_URL");
	assert_non_null(control);
	assert_int_equal(ending->count, 0); /* never from inside the call */
	return control;
}

static struct evidence_control ask(struct world *world, const char *vpc_id, int64_t timeout_us)
{
	struct ending ending = { .is_done = false };

	(void)start(world, vpc_id, timeout_us, &ending);
	loop_run_until(world->loop, &ending.is_done);
	assert_int_equal(ending.count, 1);
	return ending.evidence;
}

static void without_a_vpc_nothing_is_asked(void **state)
{
	struct world *world = *state;

	assert_false(ask(world, "", 2 * US_PER_S).is_asked);
	assert_int_equal(canned_server_count(world->server, ""), 0);
}

static void a_reply_that_makes_no_sense_fails_its_call(void **state)
{
	static const struct canned_reply nonsense = { "", OK_HEAD "<html>", 0, 0 };
	struct world *world = *state;
	struct evidence_control seen;

	canned_server_change(world->server, &nonsense, 1);
	seen = ask(world, "vpc-1", 5 * US_PER_S);
	assert_true(seen.is_asked);
	assert_int_equal(seen.ends[CONTROL_VPC_ASSOCIATIONS], CONTROL_FAILED);
	assert_int_equal(seen.ends[CONTROL_VPC_ASSOCIATION], CONTROL_NOT_ASKED);
	assert_int_equal(seen.ends[CONTROL_SERVICE_ASSOCIATIONS], CONTROL_NOT_ASKED);
	assert_int_equal(seen.ends[CONTROL_VPC], CONTROL_FAILED);
	assert_int_equal(seen.is_associated, CLAIM_UNKNOWN);
	assert_int_equal(seen.has_route, CLAIM_UNKNOWN);
}

static void silence_ends_with_the_time_and_holds_four_calls_at_most(void **state)
{
	static const struct canned_reply silent = { "", NULL, 0, 0 };
	struct world *world = *state;
	struct evidence_control seen;

	canned_server_change(world->server, &silent, 1);
	seen = ask(world, "vpc-1", 300 * US_PER_MS);
	assert_int_equal(seen.ends[CONTROL_VPC_ASSOCIATIONS], CONTROL_UNREACHABLE);
	assert_int_equal(seen.ends[CONTROL_PREFIX_LISTS], CONTROL_UNREACHABLE);
	assert_int_equal(canned_server_count(world->server, ""), 4);
	assert_in_range(seen.elapsed_us, 290 * US_PER_MS, 2 * US_PER_S);
}

static void what_is_cancelled_is_never_told(void **state)
{
	static const struct canned_reply silent = { "", NULL, 0, 0 };
	struct world *world = *state;
	struct ending ending = { .is_done = false };
	bool never = false;

	canned_server_change(world->server, &silent, 1);
	control_cancel(start(world, "vpc-1", 5 * US_PER_S, &ending));
	control_cancel(NULL);
	chain_forget(world);
	loop_run_until(world->loop, &never);
	assert_int_equal(ending.count, 0);
}

static void each_call_has_its_action(void **state)
{
	(void)state;
	for (int call = 0; call < CONTROL_CALLS; call++)
		assert_non_null(strchr(control_call_action((enum control_call)call), ':'));
	assert_string_equal(control_call_action(CONTROL_CALLS), "");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, chain_set_up, chain_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(without_a_vpc_nothing_is_asked),
		CASE(a_reply_that_makes_no_sense_fails_its_call),
		CASE(silence_ends_with_the_time_and_holds_four_calls_at_most),
		CASE(what_is_cancelled_is_never_told),
		cmocka_unit_test(each_call_has_its_action),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
