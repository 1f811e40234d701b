/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lattice-probe/loop.h"

#define MANY 1000

/* What a callback is told: write its letter into the story, then do one thing. */
struct step {
	struct loop *loop;
	struct loop_timer timer;
	char letter;
	char *story;
	struct mono ran;
	unsigned turn;         /* how many ran up to this one, itself included */
	struct step *starts;   /* at once */
	struct step *stops;
	int64_t busy_us;
	int64_t lag_us;        /* what the loop says of it while it still runs */
	bool *done;
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

static void keep_busy(int64_t duration_us)
{
	for (struct mono start = mono_now(); mono_since(mono_now(), start) < duration_us;)
		;
}

static void tell(char *story, char letter)
{
	size_t length = strlen(story);

	story[length] = letter;
	story[length + 1] = '\0';
}

static void on_timer(void *user);

static void start(struct step *step, int64_t after_us)
{
	assert_int_equal(loop_timer_start(step->loop, &step->timer, mono_add(mono_now(), after_us), on_timer, step), 0);
}

static void on_timer(void *user)
{
	struct step *step = user;

	step->ran = mono_now();
	step->turn = (unsigned)strlen(step->story) + 1;
	assert_false(loop_timer_is_running(&step->timer));
	tell(step->story, step->letter);
	keep_busy(step->busy_us);
	step->lag_us = loop_lag_since(step->loop, step->ran);
	if (step->stops)
		loop_timer_stop(step->loop, &step->stops->timer);
	if (step->starts)
		start(step->starts, -US_PER_S); /* long due */
	if (step->done)
		*step->done = true;
}

static struct step make(struct loop *loop, char letter, char *story)
{
	return (struct step){ .loop = loop, .letter = letter, .story = story };
}

static void set_done(void *user)
{
	*(bool *)user = true;
}

/* Lets the loop run for so long. */
static void run_for(struct loop *loop, int64_t duration_us)
{
	struct loop_timer timer = { 0 };
	bool done = false;

	assert_int_equal(loop_timer_start(loop, &timer, mono_add(mono_now(), duration_us), set_done, &done), 0);
	loop_run_until(loop, &done);
}

/* ---- timers --------------------------------------------------------------------------------- */

static void timers_run_in_the_order_they_are_due(void **state)
{
	char story[16] = "";
	struct step a = make(*state, 'a', story), b = make(*state, 'b', story), c = make(*state, 'c', story);
	bool done = false;

	c.done = &done;
	start(&b, 6000);
	start(&c, 9000);
	start(&a, 3000);
	loop_run_until(*state, &done);
	assert_string_equal(story, "abc");
}

static void a_timer_never_runs_before_it_is_due(void **state)
{
	char story[16];

	for (int64_t after_us = 0; after_us < 4000; after_us += 130) {
		struct step step = make(*state, 'x', story);
		struct mono begin = mono_now();
		bool done = false;

		story[0] = '\0';
		step.done = &done;
		start(&step, after_us);
		loop_run_until(*state, &done);
		assert_true(mono_since(step.ran, begin) >= after_us);
	}
}

static void a_thousand_timers_in_any_order_come_out_sorted(void **state)
{
	static struct step steps[MANY];
	static char story[MANY + 1];
	static struct step *in_order[MANY];
	uint32_t random = 20260101;
	struct mono base = mono_add(mono_now(), 20000);
	unsigned stopped = 0;

	print_message("seed %u\n", random);
	for (int i = 0; i < MANY; i++) {
		random = random * 1664525 + 1013904223;
		steps[i] = make(*state, 'x', story);
		assert_int_equal(loop_timer_start(*state, &steps[i].timer, mono_add(base, random >> 19), on_timer,
			&steps[i]), 0);
	}
	for (int i = 0; i < MANY; i += 3, stopped++)
		loop_timer_stop(*state, &steps[i].timer);
	run_for(*state, 40000);
	assert_int_equal(strlen(story), MANY - stopped);
	for (int i = 0; i < MANY; i++)
		if (steps[i].turn > 0)
			in_order[steps[i].turn - 1] = &steps[i];
	for (unsigned i = 1; i < MANY - stopped; i++)
		assert_true(in_order[i]->timer.due.us >= in_order[i - 1]->timer.due.us);
}

static void a_timer_stopped_by_another_of_the_same_turn_does_not_run(void **state)
{
	char story[16] = "";
	struct step a = make(*state, 'a', story), b = make(*state, 'b', story);

	a.stops = &b;
	start(&a, 1000);
	start(&b, 1000);
	keep_busy(3000);
	run_for(*state, 5000);
	assert_string_equal(story, "a");
	assert_false(loop_timer_is_running(&b.timer));
}

static void starting_a_running_timer_moves_it(void **state)
{
	char story[16] = "";
	struct step a = make(*state, 'a', story), b = make(*state, 'b', story);

	start(&a, 2000);
	start(&b, 4000);
	start(&a, 6000);
	run_for(*state, 10000);
	assert_string_equal(story, "ba");
	start(&a, 60 * US_PER_S);
	start(&a, 0);
	run_for(*state, 3000);
	assert_string_equal(story, "baa");
}

/* Writes one byte to itself in turn; counts how often the socket was served. */
struct echo {
	struct loop_poll *poll;
	int fds[2];
	int served;
	char *story;
	int64_t busy_us;
};

static void on_readable(void *user, int events)
{
	struct echo *echo = user;
	char byte;

	(void)events;
	echo->served++;
	assert_int_equal(read(echo->fds[0], &byte, 1), 1);
	if (echo->story)
		tell(echo->story, 'i');
	keep_busy(echo->busy_us);
}

static void open_echo(struct loop *loop, struct echo *echo)
{
	*echo = (struct echo){ .served = 0 };
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, echo->fds), 0);
	echo->poll = loop_poll_start(loop, echo->fds[0], LOOP_READ, on_readable, echo);
	assert_non_null(echo->poll);
}

static void close_echo(struct echo *echo)
{
	loop_poll_stop(echo->poll);
	(void)close(echo->fds[0]);
	(void)close(echo->fds[1]);
}

static void a_timer_that_starts_itself_for_now_runs_once_a_turn(void **state)
{
	char story[4096] = "";
	struct step step = make(*state, 't', story);
	struct echo echo;

	open_echo(*state, &echo);
	echo.story = story;
	step.starts = &step;
	assert_int_equal(write(echo.fds[1], "xxx", 3), 3);
	start(&step, 0);
	run_for(*state, 20000);
	loop_timer_stop(*state, &step.timer);
	close_echo(&echo);
	/* As long as there was input, it was served between two turns of the timer. */
	assert_int_equal(echo.served, 3);
	*(strrchr(story, 'i') + 1) = '\0';
	assert_null(strstr(story, "tt"));
}

static void two_timers_that_start_each_other_do_not_starve_input(void **state)
{
	char story[4096] = "";
	struct step a = make(*state, 'a', story), b = make(*state, 'b', story);
	struct echo echo;

	open_echo(*state, &echo);
	a.starts = &b;
	b.starts = &a;
	start(&a, 0);
	run_for(*state, 2000);
	assert_int_equal(write(echo.fds[1], "x", 1), 1);
	run_for(*state, 10000);
	loop_timer_stop(*state, &a.timer);
	loop_timer_stop(*state, &b.timer);
	close_echo(&echo);
	assert_int_equal(echo.served, 1);
	assert_null(strstr(story, "aa"));
	assert_null(strstr(story, "bb"));
}

static void a_loop_with_nothing_registered_comes_back(void **state)
{
	bool never = false;

	loop_run_until(*state, &never);
	loop_run(*state);
}

static void a_stop_that_nothing_heard_does_not_keep_the_loop_alive(void **state)
{
	struct echo echo;

	open_echo(*state, &echo);
	close_echo(&echo);
	loop_stop(*state);
}

static void on_timer_stop_loop(void *user)
{
	loop_stop(user);
}

static void stopping_ends_the_run(void **state)
{
	char story[16] = "";
	struct step later = make(*state, 'x', story);
	struct loop_timer timer = { 0 };

	start(&later, 60 * US_PER_S);
	assert_int_equal(loop_timer_start(*state, &timer, mono_add(mono_now(), 1000), on_timer_stop_loop, *state), 0);
	loop_run(*state);
	loop_timer_stop(*state, &later.timer);
	assert_string_equal(story, "");
}

/* ---- lag ------------------------------------------------------------------------------------ */

static void a_busy_timer_is_lag(void **state)
{
	char story[16] = "";
	struct step step = make(*state, 'x', story);
	struct mono begin = mono_now();

	step.busy_us = 20000;
	start(&step, 1000);
	run_for(*state, 30000);
	assert_true(loop_lag_since(*state, begin) >= 20000);
	assert_int_equal(loop_lag_since(*state, mono_now()), 0);
}

static void a_busy_io_callback_is_lag(void **state)
{
	struct mono begin = mono_now();
	struct echo echo;

	open_echo(*state, &echo);
	echo.busy_us = 20000;
	assert_int_equal(write(echo.fds[1], "x", 1), 1);
	run_for(*state, 30000);
	close_echo(&echo);
	assert_true(loop_lag_since(*state, begin) >= 20000);
}

static void waiting_is_no_lag(void **state)
{
	struct mono begin = mono_now();

	run_for(*state, 200000);
	assert_true(loop_lag_since(*state, begin) < 100000);
}

/* A child stops this process, and lets it go on when it has stood still for so long. */
static pid_t stop_us_for(unsigned duration_us)
{
	pid_t parent = getpid();
	pid_t child = fork();

	if (child == 0) {
		(void)usleep(50000); /* until the loop waits */
		(void)kill(parent, SIGSTOP);
		(void)usleep(duration_us);
		(void)kill(parent, SIGCONT);
		_exit(0);
	}
	assert_true(child > 0);
	return child;
}

/* Whatever is asked from a timer's callback must know already: it decides what a timeout is worth. */
static void a_stopped_process_is_lag_that_the_first_timer_sees(void **state)
{
	char story[16] = "";
	struct step step = make(*state, 'x', story);
	struct mono begin = mono_now();
	bool done = false;
	pid_t child = stop_us_for(600000);

	step.done = &done;
	step.busy_us = 1000;
	start(&step, 200000);
	loop_run_until(*state, &done);
	assert_true(loop_lag_since(*state, begin) >= 200000);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static void a_stop_that_no_timer_was_due_in_is_lag_too(void **state)
{
	struct mono begin = mono_now();
	pid_t child = stop_us_for(700000);

	run_for(*state, 2000000);
	assert_true(loop_lag_since(*state, begin) >= 200000);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

/* New descriptors have libuv say that it will not sleep; it does. */
static void waiting_for_a_new_descriptor_is_no_lag(void **state)
{
	struct mono begin = mono_now();
	struct echo echo;

	open_echo(*state, &echo);
	run_for(*state, 240000);
	close_echo(&echo);
	assert_true(loop_lag_since(*state, begin) < 120000);
}

static void the_current_turn_counts(void **state)
{
	char story[16] = "";
	struct step step = make(*state, 'x', story);

	step.busy_us = 15000;
	start(&step, 1000);
	run_for(*state, 20000);
	assert_true(step.lag_us >= 15000);
}

static void on_busy_then_ask(void *user)
{
	struct step *step = user;

	keep_busy(15000);
	step->ran = mono_now();
	step->lag_us = loop_lag_since(step->loop, step->ran);
	step->busy_us = mono_since(mono_now(), step->ran);
}

static void only_the_part_after_the_asked_instant_counts(void **state)
{
	struct step step = make(*state, 'x', NULL);

	assert_int_equal(loop_timer_start(*state, &step.timer, mono_now(), on_busy_then_ask, &step), 0);
	run_for(*state, 20000);
	assert_true(step.lag_us <= step.busy_us);
}

static void small_lags_do_not_push_out_a_large_one(void **state)
{
	char story[512] = "";
	struct step large = make(*state, 'L', story);
	struct mono begin = mono_now();

	large.busy_us = 30000;
	start(&large, 0);
	run_for(*state, 35000);
	for (int i = 0; i < 100; i++) {
		struct step small = make(*state, 's', story);
		bool done = false;

		small.busy_us = 600;
		small.done = &done;
		start(&small, 0);
		loop_run_until(*state, &done);
		run_for(*state, 0);
	}
	assert_true(loop_lag_since(*state, begin) >= 30000);
}

static void what_happened_before_the_loop_ran_is_no_lag(void **state)
{
	struct mono begin;

	run_for(*state, 1000);
	begin = mono_now();
	keep_busy(100000);
	run_for(*state, 2000);
	assert_true(loop_lag_since(*state, begin) < 50000);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(timers_run_in_the_order_they_are_due),
		CASE(a_timer_never_runs_before_it_is_due),
		CASE(a_thousand_timers_in_any_order_come_out_sorted),
		CASE(a_timer_stopped_by_another_of_the_same_turn_does_not_run),
		CASE(starting_a_running_timer_moves_it),
		CASE(a_timer_that_starts_itself_for_now_runs_once_a_turn),
		CASE(two_timers_that_start_each_other_do_not_starve_input),
		CASE(a_loop_with_nothing_registered_comes_back),
		CASE(a_stop_that_nothing_heard_does_not_keep_the_loop_alive),
		CASE(stopping_ends_the_run),
		CASE(a_busy_timer_is_lag),
		CASE(a_busy_io_callback_is_lag),
		CASE(waiting_is_no_lag),
		CASE(a_stopped_process_is_lag_that_the_first_timer_sees),
		CASE(a_stop_that_no_timer_was_due_in_is_lag_too),
		CASE(waiting_for_a_new_descriptor_is_no_lag),
		CASE(the_current_turn_counts),
		CASE(only_the_part_after_the_asked_instant_counts),
		CASE(small_lags_do_not_push_out_a_large_one),
		CASE(what_happened_before_the_loop_ran_is_no_lag),
	};

	return cmocka_run_group_tests_name("loop: timers, lag", tests, NULL, NULL);
}
