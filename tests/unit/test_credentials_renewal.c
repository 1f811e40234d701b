/* SPDX-License-Identifier: Apache-2.0 */
/* When credentials are renewed, which ones serve meanwhile, and who is told. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../support/chain.h"

#include "lattice-probe/credentials.h"
#include "lattice-probe/err.h"
#include "lattice-probe/units.h"

/* ---- renewal ------------------------------------------------------------------------------ */

/* A container reply whose keys end in so many milliseconds. */
static void serve_keys(struct world *world, const char *id, int64_t lifetime_ms)
{
	static char bytes[1024];
	static struct canned_reply reply;
	char end[WALL_TEXT_SIZE];

	wall_format_rfc3339(wall_add(wall_now(), lifetime_ms * US_PER_MS), end);
	(void)snprintf(bytes, sizeof bytes, OK_HEAD "{\"AccessKeyId\":\"%s\",\"SecretAccessKey\":\"" SECRET
		"\",\"Token\":\"T\",\"Expiration\":\"%s\"}", id, end);
	reply = (struct canned_reply){ CONTAINER, bytes, 0, 0 };
	canned_server_change(world->server, &reply, 1);
}

static void keys_are_renewed_before_they_end(void **state)
{
	struct world *world = *state;
	struct wall end;

	chain_use_container(world);
	serve_keys(world, "FIRST", 4000);
	chain_assert_source(world, "container");
	end = chain_get(world)->expiration;
	serve_keys(world, "SECOND", 3600 * 1000);
	while (strcmp(chain_get(world)->access_key_id, "FIRST") == 0) {
		assert_true(wall_since(end, wall_now()) > 0); /* never late, and never without any meanwhile */
		chain_turn(world);
	}
	assert_string_equal(chain_get(world)->access_key_id, "SECOND");
	assert_true(wall_since(end, wall_now()) < 2100 * US_PER_MS); /* not before half of their life */
	assert_int_equal(canned_server_count(world->server, ""), 2);
}

static void old_keys_serve_to_their_end_when_no_new_ones_come(void **state)
{
	static const struct canned_reply refusal = { CONTAINER, STATUS("403 Forbidden"), 0, 0 };
	struct world *world = *state;
	struct wall end;

	chain_use_container(world);
	serve_keys(world, "FIRST", 3000);
	chain_assert_source(world, "container");
	end = chain_get(world)->expiration;
	canned_server_change(world->server, &refusal, 1);
	while (chain_get(world)) {
		assert_string_equal(chain_get(world)->access_key_id, "FIRST");
		assert_true(wall_since(end, wall_now()) > -US_PER_S);
		chain_turn(world);
	}
	assert_true(wall_since(wall_now(), end) >= 0);
	assert_in_range(canned_server_count(world->server, ""), 2, 4); /* with pauses of 1 s, 2 s, … */
	assert_int_equal(chain_walk(world), ERR_DENIED);
}

static void keys_that_aws_refuses_are_not_shown_until_there_are_new_ones(void **state)
{
	struct world *world = *state;

	chain_use_container(world);
	serve_keys(world, "FIRST", 3600 * 1000);
	chain_assert_source(world, "container");
	serve_keys(world, "SECOND", 3600 * 1000);
	credentials_refresh(world->credentials);
	assert_null(chain_get(world));
	assert_int_equal(chain_walk(world), 0);
	assert_string_equal(chain_get(world)->access_key_id, "SECOND");
	/* Refused again within the minute: fetching still newer ones would not help. */
	credentials_refresh(world->credentials);
	assert_non_null(chain_get(world));
	assert_int_equal(chain_walk(world), 0);
	assert_int_equal(canned_server_count(world->server, ""), 2);
}

static void refused_keys_come_back_when_there_are_no_new_ones(void **state)
{
	static const struct canned_reply refusal = { CONTAINER, STATUS("403 Forbidden"), 0, 0 };
	struct world *world = *state;

	chain_use_container(world);
	serve_keys(world, "FIRST", 3600 * 1000);
	chain_assert_source(world, "container");
	canned_server_change(world->server, &refusal, 1);
	credentials_refresh(world->credentials);
	assert_null(chain_get(world));
	assert_int_equal(chain_walk(world), 0);
	assert_string_equal(chain_get(world)->access_key_id, "FIRST");
}

static void a_set_lives_to_the_next_turn(void **state)
{
	struct world *world = *state;
	const struct credentials_set *set;

	chain_use_container(world);
	serve_keys(world, "FIRST", 3600 * 1000);
	chain_assert_source(world, "container");
	set = chain_get(world);
	credentials_refresh(world->credentials);
	assert_null(chain_get(world));
	assert_string_equal(set->access_key_id, "FIRST"); /* freed memory, if it had been renewed at once */
}

/* ---- waiting ------------------------------------------------------------------------------ */

static void many_may_wait_and_some_may_leave(void **state)
{
	struct world *world = *state;
	struct world leaver = { .loop = NULL };
	unsigned count = 0;

	chain_use_container(world);
	serve_keys(world, "FIRST", 3600 * 1000);
	chain_begin(world);
	assert_int_equal(credentials_wait(world->credentials, chain_on_ready, &leaver), 0);
	while (credentials_wait(world->credentials, chain_on_ready, world) == 0)
		count++;
	assert_int_equal(count, 63);
	assert_int_equal(credentials_wait(world->credentials, chain_on_ready, world), ERR_LIMIT);
	credentials_wait_cancel(world->credentials, &leaver);
	loop_run_until(world->loop, &world->is_ready);
	assert_int_equal(world->ready_count, 63);
	assert_int_equal(leaver.ready_count, 0);
	assert_int_equal(canned_server_count(world->server, ""), 1);
}

static void the_first_get_starts_the_chain_by_itself(void **state)
{
	struct world *world = *state;
	const char *why;

	chain_use_container(world);
	serve_keys(world, "FIRST", 3600 * 1000);
	chain_begin(world);
	assert_null(credentials_get(world->credentials, &why));
	assert_non_null(strstr(why, "being fetched"));
	while (!chain_get(world))
		chain_turn(world);
	assert_string_equal(chain_get(world)->access_key_id, "FIRST");
}

static void leaving_in_the_middle_leaves_nothing_behind(void **state)
{
	static const struct canned_reply silent[] = { { CONTAINER, NULL, 0, 0 } };
	struct world *world = *state;

	chain_use_container(world);
	canned_server_change(world->server, silent, 1);
	chain_begin(world);
	assert_int_equal(credentials_wait(world->credentials, chain_on_ready, world), 0);
	while (canned_server_count(world->server, "") == 0)
		chain_turn(world);
	credentials_free(world->credentials); /* loop_free in tear_down sees what is left */
	world->credentials = NULL;
	assert_int_equal(world->ready_count, 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, chain_set_up, chain_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(keys_are_renewed_before_they_end),
		CASE(old_keys_serve_to_their_end_when_no_new_ones_come),
		CASE(keys_that_aws_refuses_are_not_shown_until_there_are_new_ones),
		CASE(refused_keys_come_back_when_there_are_no_new_ones),
		CASE(a_set_lives_to_the_next_turn),
		CASE(many_may_wait_and_some_may_leave),
		CASE(the_first_get_starts_the_chain_by_itself),
		CASE(leaving_in_the_middle_leaves_nothing_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
