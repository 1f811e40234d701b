/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
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
		start(step->starts, 0);
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
	int events;
	int stop_at;
	char *story;
	int64_t busy_us;
};

static void on_readable(void *user, int events)
{
	struct echo *echo = user;
	char byte;

	echo->events |= events;
	if (!(events & LOOP_READ))
		return;
	echo->served++;
	assert_int_equal(read(echo->fds[0], &byte, 1), 1);
	if (echo->story)
		tell(echo->story, 'i');
	keep_busy(echo->busy_us);
	if (echo->served == echo->stop_at) {
		loop_poll_stop(echo->poll);
		echo->poll = NULL;
	}
}

static void open_echo(struct loop *loop, struct echo *echo)
{
	*echo = (struct echo){ .stop_at = 0 };
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

/* ---- file descriptors ----------------------------------------------------------------------- */

static void a_poll_reports_what_it_was_asked_for(void **state)
{
	struct echo echo;

	open_echo(*state, &echo);
	run_for(*state, 2000);
	assert_int_equal(echo.served, 0);
	assert_int_equal(write(echo.fds[1], "x", 1), 1);
	run_for(*state, 2000);
	assert_int_equal(echo.served, 1);
	assert_int_equal(echo.events, LOOP_READ);
	assert_int_equal(loop_poll_change(echo.poll, LOOP_READ | LOOP_WRITE), 0);
	assert_int_equal(write(echo.fds[1], "xx", 2), 2);
	run_for(*state, 2000);
	assert_int_equal(echo.events & LOOP_WRITE, LOOP_WRITE);
	close_echo(&echo);
}

static void a_poll_may_be_stopped_in_its_own_callback(void **state)
{
	struct echo echo;

	open_echo(*state, &echo);
	echo.stop_at = 1;
	assert_int_equal(write(echo.fds[1], "xxx", 3), 3);
	run_for(*state, 5000);
	assert_int_equal(echo.served, 1);
	close_echo(&echo);
}

/* Each stops the other: of two that are ready in the same turn, one runs. */
struct rival {
	struct loop_poll *poll;
	struct rival *other;
	int ran;
};

static void on_rival(void *user, int events)
{
	struct rival *rival = user;

	(void)events;
	rival->ran++;
	loop_poll_stop(rival->other->poll);
	loop_poll_stop(rival->poll);
	rival->other->poll = rival->poll = NULL;
}

static void a_poll_stopped_by_another_of_the_same_turn_does_not_run(void **state)
{
	struct rival rivals[2] = { { .ran = 0 }, { .ran = 0 } };
	int pipes[2][2];

	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(pipe(pipes[i]), 0);
		assert_int_equal(write(pipes[i][1], "x", 1), 1);
		rivals[i].other = &rivals[1 - i];
		rivals[i].poll = loop_poll_start(*state, pipes[i][0], LOOP_READ, on_rival, &rivals[i]);
		assert_non_null(rivals[i].poll);
	}
	run_for(*state, 5000);
	assert_int_equal(rivals[0].ran + rivals[1].ran, 1);
	for (size_t i = 0; i < 4; i++)
		(void)close(pipes[i / 2][i % 2]);
}

static void a_descriptor_can_be_watched_again_under_the_same_number(void **state)
{
	struct echo first, second;

	open_echo(*state, &first);
	close_echo(&first);
	open_echo(*state, &second);
	assert_int_equal(first.fds[0], second.fds[0]);
	assert_int_equal(write(second.fds[1], "x", 1), 1);
	run_for(*state, 2000);
	assert_int_equal(second.served, 1);
	assert_int_equal(first.served, 0);
	close_echo(&second);
}

struct probe_socket {
	int fd;
	int errors;
	int bytes;
	int events;
};

static void on_udp(void *user, int events)
{
	struct probe_socket *udp = user;
	char byte;
	ssize_t length = recv(udp->fd, &byte, 1, MSG_DONTWAIT);

	udp->events = events;
	if (length < 0)
		udp->errors++;
	else
		udp->bytes++;
}

static int bind_udp(struct sockaddr_in *ret_address)
{
	socklen_t size = sizeof *ret_address;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	*ret_address = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	assert_int_equal(bind(fd, (struct sockaddr *)ret_address, sizeof *ret_address), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)ret_address, &size), 0);
	return fd;
}

static void a_poll_goes_on_after_an_error_on_the_socket(void **state)
{
	struct sockaddr_in ours, theirs;
	struct probe_socket udp = { .fd = bind_udp(&ours) };
	int peer = bind_udp(&theirs);
	struct loop_poll *poll;

	(void)close(peer);
	assert_int_equal(connect(udp.fd, (struct sockaddr *)&theirs, sizeof theirs), 0);
	poll = loop_poll_start(*state, udp.fd, LOOP_READ, on_udp, &udp);
	assert_non_null(poll);
	/* Nobody listens there: the kernel answers with an ICMP message. */
	assert_int_equal(send(udp.fd, "x", 1, 0), 1);
	run_for(*state, 5000);
	assert_int_equal(udp.errors, 1);
	assert_int_equal(udp.events, LOOP_READ | LOOP_WRITE);
	peer = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(bind(peer, (struct sockaddr *)&theirs, sizeof theirs), 0);
	assert_int_equal(sendto(peer, "y", 1, 0, (struct sockaddr *)&ours, sizeof ours), 1);
	run_for(*state, 5000);
	assert_int_equal(udp.bytes, 1);
	loop_poll_stop(poll);
	(void)close(udp.fd);
	(void)close(peer);
}

/* ---- signals -------------------------------------------------------------------------------- */

static void on_signal(void *user, int signal_number)
{
	assert_int_equal(signal_number, SIGUSR1);
	++*(int *)user;
}

static void a_signal_reaches_its_callback_until_it_is_stopped(void **state)
{
	int count = 0, other = 0;
	struct loop_signal *first = loop_signal_start(*state, SIGUSR1, on_signal, &count);
	struct loop_signal *second = loop_signal_start(*state, SIGUSR1, on_signal, &other);

	assert_non_null(first);
	assert_non_null(second);
	assert_int_equal(raise(SIGUSR1), 0);
	run_for(*state, 5000);
	assert_int_equal(count, 1);
	assert_int_equal(other, 1);
	assert_int_equal(raise(SIGUSR1), 0);
	loop_signal_stop(first);
	run_for(*state, 5000);
	assert_int_equal(count, 1);
	assert_int_equal(other, 2);
	loop_signal_stop(second);
}

/* ---- work ----------------------------------------------------------------------------------- */

struct job {
	atomic_bool may_end;
	atomic_bool worked;
	pthread_t worker;
	char story[8];
	bool disposed;
};

static void work(void *user)
{
	struct job *job = user;

	job->worker = pthread_self();
	while (!atomic_load(&job->may_end))
		usleep(100);
	atomic_store(&job->worked, true);
}

static void on_work_done(void *user)
{
	tell(((struct job *)user)->story, 'd');
}

static void on_work_disposed(void *user)
{
	struct job *job = user;

	tell(job->story, 'x');
	job->disposed = true;
}

static void work_runs_elsewhere_and_ends_here(void **state)
{
	struct job job = { .story = "" };

	atomic_store(&job.may_end, true);
	assert_non_null(loop_work_start(*state, work, on_work_done, on_work_disposed, &job));
	loop_run_until(*state, &job.disposed);
	assert_string_equal(job.story, "dx");
	assert_true(atomic_load(&job.worked));
	assert_false(pthread_equal(job.worker, pthread_self()));
}

static void cancelled_work_is_disposed_of_without_being_done(void **state)
{
	struct job job = { .story = "" };
	struct loop_work *handle = loop_work_start(*state, work, on_work_done, on_work_disposed, &job);

	assert_non_null(handle);
	loop_work_cancel(handle);
	run_for(*state, 2000);
	atomic_store(&job.may_end, true);
	loop_run_until(*state, &job.disposed);
	assert_string_equal(job.story, "x");
}

static void a_loop_is_freed_after_its_cancelled_work_has_ended(void **state)
{
	struct loop *loop = loop_new();
	struct job job = { .story = "" };

	(void)state;
	assert_non_null(loop);
	loop_work_cancel(loop_work_start(loop, work, on_work_done, on_work_disposed, &job));
	atomic_store(&job.may_end, true);
	loop_free(loop);
	assert_string_equal(job.story, "x");
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
		CASE(the_current_turn_counts),
		CASE(only_the_part_after_the_asked_instant_counts),
		CASE(small_lags_do_not_push_out_a_large_one),
		CASE(what_happened_before_the_loop_ran_is_no_lag),
		CASE(a_poll_reports_what_it_was_asked_for),
		CASE(a_poll_may_be_stopped_in_its_own_callback),
		CASE(a_poll_stopped_by_another_of_the_same_turn_does_not_run),
		CASE(a_descriptor_can_be_watched_again_under_the_same_number),
		CASE(a_poll_goes_on_after_an_error_on_the_socket),
		CASE(a_signal_reaches_its_callback_until_it_is_stopped),
		CASE(work_runs_elsewhere_and_ends_here),
		CASE(cancelled_work_is_disposed_of_without_being_done),
		CASE(a_loop_is_freed_after_its_cancelled_work_has_ended),
	};

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
