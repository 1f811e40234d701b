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

/* A socket pair; counts how often its reading end was served. */
struct echo {
	struct loop_poll *poll;
	int fds[2];
	int served;
	int events;
	int stop_at;
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
	(void)strcat(((struct job *)user)->story, "d");
}

static void on_work_disposed(void *user)
{
	struct job *job = user;

	(void)strcat(job->story, "x");
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

	return cmocka_run_group_tests_name("loop: descriptors, signals, work", tests, NULL, NULL);
}
