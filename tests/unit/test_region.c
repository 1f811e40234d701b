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

#include "lattice-probe/err.h"
#include "lattice-probe/region.h"

struct answer {
	bool is_done;
	int err;
	char region[64];
	char source[128];
};

static const struct canned_reply instance[] = { PUT_REPLY,
	{ "GET /latest/meta-data/placement/region ", OK_HEAD "us-gov-west-1", 0, 0 } };

static void on_found(void *user, int err, const char *region, const char *source)
{
	struct answer *answer = user;

	answer->err = err;
	(void)snprintf(answer->region, sizeof answer->region, "%s", region);
	(void)snprintf(answer->source, sizeof answer->source, "%s", source);
	answer->is_done = true;
}

static struct answer find(struct world *world, const char *configured)
{
	struct answer answer = { .is_done = false };

	if (!world->imds)
		chain_begin(world);
	assert_non_null(region_find(world->loop, world->imds, configured, on_found, &answer));
	assert_false(answer.is_done);
	loop_run_until(world->loop, &answer.is_done);
	return answer;
}

static void assert_found(struct world *world, const char *configured, const char *region, const char *source)
{
	struct answer answer = find(world, configured);

	assert_int_equal(answer.err, 0);
	assert_string_equal(answer.region, region);
	assert_string_equal(answer.source, source);
}

static void each_place_is_asked_after_the_one_before(void **state)
{
	struct world *world = *state;

	canned_server_change(world->server, instance, COUNT(instance));
	assert_found(world, NULL, "us-gov-west-1", "imds");
	assert_found(world, "auto", "us-gov-west-1", "imds");
	chain_write(world, "config", "[default]\nregion = eu-west-1\n");
	assert_found(world, "", "eu-west-1", "profile");
	(void)setenv("AWS_DEFAULT_REGION", "eu-west-2", 1);
	assert_found(world, NULL, "eu-west-2", "AWS_DEFAULT_REGION");
	(void)setenv("AWS_REGION", "eu-west-3", 1);
	assert_found(world, NULL, "eu-west-3", "AWS_REGION");
	assert_found(world, "us-east-1", "us-east-1", "configuration");
	assert_int_equal(canned_server_count(world->server, "GET"), 2);
}

static void what_is_no_region_is_an_error_and_not_passed_over(void **state)
{
	struct world *world = *state;
	struct answer answer;

	canned_server_change(world->server, instance, COUNT(instance));
	(void)setenv("AWS_REGION", "us-east-1.evil.example", 1);
	answer = find(world, NULL);
	assert_int_equal(answer.err, ERR_SYNTAX);
	assert_string_equal(answer.region, "");
	assert_int_equal(canned_server_count(world->server, ""), 0);
}

static void without_any_place_it_says_what_to_set(void **state)
{
	struct world *world = *state;
	struct answer answer = find(world, NULL);

	assert_true(answer.err < 0);
	assert_string_equal(answer.region, "");
	assert_non_null(strstr(answer.source, "AWS_REGION"));
}

static void a_cancelled_search_is_never_answered(void **state)
{
	struct world *world = *state;
	struct answer answer = { .is_done = false };
	struct region_search *search;

	canned_server_change(world->server, (struct canned_reply[]){ { "PUT ", NULL, 0, 0 } }, 1);
	chain_begin(world);
	search = region_find(world->loop, world->imds, NULL, on_found, &answer);
	region_cancel(search);
	search = region_find(world->loop, world->imds, NULL, on_found, &answer);
	while (canned_server_count(world->server, "PUT") == 0)
		chain_turn(world);
	region_cancel(search);
	region_cancel(NULL);
	chain_turn(world);
	assert_false(answer.is_done);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, chain_set_up, chain_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(each_place_is_asked_after_the_one_before),
		CASE(what_is_no_region_is_an_error_and_not_passed_over),
		CASE(without_any_place_it_says_what_to_set),
		CASE(a_cancelled_search_is_never_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
