/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lattice-probe/loop.h"

#define ENDS 100 /* more than one turn serves */

/* One end of a pair; what is written into the other makes it ready. */
struct end {
	struct loop *loop;
	int fd;
	int other;
	struct loop_poll *poll;
	unsigned calls;
	int events;            /* of the last call */
	struct end *stops;     /* on a call, this one's watch */
	bool reads;            /* on a call, one byte */
};

static int set_up(void **state)
{
	*state = loop_new();
	return *state ? 0 : -1;
}

static int tear_down(void **state)
{
	loop_free(*state);
	return 0;
}

static void on_end(void *user, int events)
{
	struct end *end = user;
	char byte;

	end->calls++;
	end->events = events;
	if (end->reads)
		assert_int_equal(read(end->fd, &byte, 1), 1);
	if (end->stops) {
		loop_poll_stop(end->stops->poll);
		end->stops->poll = NULL;
		end->stops = NULL;
	}
}

static void open_end(struct loop *loop, struct end *end, int events)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	*end = (struct end){ .loop = loop, .fd = fds[0], .other = fds[1] };
	end->poll = loop_poll_start(loop, end->fd, events, on_end, end);
	assert_non_null(end->poll);
}

static void close_end(struct end *end)
{
	loop_poll_stop(end->poll);
	close(end->fd);
	if (end->other >= 0)
		close(end->other);
}

static void make_ready(const struct end *end)
{
	assert_int_equal(write(end->other, "x", 1), 1);
}

static void set_done(void *user)
{
	*(bool *)user = true;
}

static void run_for(struct loop *loop, int64_t duration_us)
{
	struct loop_timer timer = { 0 };
	bool done = false;

	assert_int_equal(loop_timer_start(loop, &timer, mono_add(mono_now(), duration_us), set_done, &done), 0);
	loop_run_until(loop, &done);
}

static void what_is_ready_is_told_and_what_is_not_is_not(void **state)
{
	struct end input, both;

	open_end(*state, &input, LOOP_READ);
	open_end(*state, &both, LOOP_READ | LOOP_WRITE);
	run_for(*state, 3000);
	assert_int_equal(input.calls, 0);
	assert_true(both.calls > 0);
	assert_int_equal(both.events, LOOP_WRITE);
	make_ready(&input);
	run_for(*state, 3000);
	assert_int_equal(input.events, LOOP_READ);
	close_end(&input);
	close_end(&both);
}

static void an_end_that_hangs_up_is_told_as_both(void **state)
{
	struct end end;

	open_end(*state, &end, LOOP_READ);
	close(end.other);
	end.other = -1;
	run_for(*state, 3000);
	assert_int_equal(end.events, LOOP_READ | LOOP_WRITE);
	close_end(&end);
}

/* CPU time would tell of a spin; so does the number of turns, which waiting keeps small. */
static void a_sleeper_is_not_called_and_does_not_keep_the_loop_busy(void **state)
{
	struct end end;
	clock_t before;

	open_end(*state, &end, LOOP_READ);
	make_ready(&end);
	assert_int_equal(loop_poll_change(end.poll, 0), 0);
	before = clock();
	run_for(*state, 100000);
	assert_int_equal(end.calls, 0);
	assert_true(clock() - before < CLOCKS_PER_SEC / 20);
	close_end(&end);
}

static void a_sleeper_that_wakes_hears_what_waited(void **state)
{
	struct end end;

	open_end(*state, &end, LOOP_READ);
	end.reads = true;
	make_ready(&end);
	assert_int_equal(loop_poll_change(end.poll, 0), 0);
	run_for(*state, 3000);
	assert_int_equal(loop_poll_change(end.poll, LOOP_READ), 0);
	run_for(*state, 3000);
	assert_int_equal(end.calls, 1);
	close_end(&end);
}

static void a_watch_for_nothing_can_become_one_for_something(void **state)
{
	struct end end;

	open_end(*state, &end, 0);
	assert_int_equal(loop_poll_change(end.poll, LOOP_WRITE), 0);
	run_for(*state, 3000);
	assert_int_equal(end.events, LOOP_WRITE);
	close_end(&end);
}

static void a_closed_descriptor_takes_its_watch_along(void **state)
{
	struct end old, next;

	open_end(*state, &old, LOOP_READ);
	make_ready(&old);
	close(old.fd);
	loop_poll_closed(old.poll);
	old.poll = NULL;
	/* The kernel gives the same number again. */
	open_end(*state, &next, LOOP_READ);
	assert_int_equal(next.fd, old.fd);
	run_for(*state, 3000);
	assert_int_equal(old.calls + next.calls, 0);
	make_ready(&next);
	run_for(*state, 3000);
	assert_int_equal(old.calls, 0);
	assert_true(next.calls > 0);
	close(old.other);
	close_end(&next);
}

static void more_than_one_turn_serves_are_all_served(void **state)
{
	static struct end ends[ENDS];

	for (size_t i = 0; i < ENDS; i++) {
		open_end(*state, &ends[i], LOOP_READ);
		ends[i].reads = true;
		make_ready(&ends[i]);
	}
	run_for(*state, 20000);
	for (size_t i = 0; i < ENDS; i++) {
		assert_int_equal(ends[i].calls, 1);
		close_end(&ends[i]);
	}
}

static void what_cannot_be_watched_is_refused(void **state)
{
	FILE *file = tmpfile();

	assert_non_null(file);
	assert_null(loop_poll_start(*state, fileno(file), LOOP_READ, on_end, NULL));
	fclose(file);
	assert_null(loop_poll_start(*state, -1, LOOP_READ, on_end, NULL));
}

static void only_a_watch_for_something_keeps_the_loop_alive(void **state)
{
	struct end end;
	bool never = false;

	open_end(*state, &end, 0);
	loop_run_until(*state, &never);
	assert_int_equal(loop_poll_change(end.poll, LOOP_READ), 0);
	end.stops = &end;
	make_ready(&end);
	loop_run_until(*state, &never);
	assert_int_equal(end.calls, 1);
	close_end(&end);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(what_is_ready_is_told_and_what_is_not_is_not),
		CASE(an_end_that_hangs_up_is_told_as_both),
		CASE(a_sleeper_is_not_called_and_does_not_keep_the_loop_busy),
		CASE(a_sleeper_that_wakes_hears_what_waited),
		CASE(a_watch_for_nothing_can_become_one_for_something),
		CASE(a_closed_descriptor_takes_its_watch_along),
		CASE(more_than_one_turn_serves_are_all_served),
		CASE(what_cannot_be_watched_is_refused),
		CASE(only_a_watch_for_something_keeps_the_loop_alive),
	};

	return cmocka_run_group_tests_name("loop: descriptors", tests, NULL, NULL);
}
