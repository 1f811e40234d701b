/* SPDX-License-Identifier: Apache-2.0 */
/* loop: the one event loop, a thin cover over libuv that gives each registration an owner and a
 * cancel. A cancelled callback never runs, also not later in the same turn. It also watches its
 * own lag: how long callbacks kept the loop from polling, because a measurement taken while the
 * loop was busy says nothing about the network. One thread only. */
#ifndef LATTICE_PROBE_LOOP_H
#define LATTICE_PROBE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "lattice-probe/units.h"

struct loop;

/* Intrusive timer: lives inside its owner, who must stop it before it goes. Zero-initialised is a
 * stopped timer. */
struct loop_timer {
	struct mono due;
	void (*callback)(void *user);
	void *user;
	uint32_t slot; /* place in the loop's heap + 1; 0 when stopped */
};

enum loop_io { LOOP_READ = 1, LOOP_WRITE = 2 };

struct loop_poll;   /* one watched file descriptor */
struct loop_signal; /* one watched signal */
struct loop_work;   /* one piece of work in the thread pool */

/* NULL: no memory or no descriptors. loop_free expects every registration to be gone. */
struct loop *loop_new(void);
void loop_free(struct loop *loop);

/* Runs callbacks until loop_stop. loop_run_until: until *done is true (tests, shell commands);
 * returns early when nothing is registered any more. */
void loop_run(struct loop *loop);
void loop_run_until(struct loop *loop, const bool *done);
void loop_stop(struct loop *loop);

/* Calls back once at `due` (rounded up to the next millisecond) or as soon as possible when it is
 * past, but never from inside this call, and never twice in a turn, so that I/O is not starved.
 * Starting a running timer moves it. Cannot fail: ERR_NOMEM only when the heap must grow. */
int loop_timer_start(struct loop *loop, struct loop_timer *timer, struct mono due,
	void (*callback)(void *user), void *user);
void loop_timer_stop(struct loop *loop, struct loop_timer *timer);
static inline bool loop_timer_is_running(const struct loop_timer *timer)
{
	return timer->slot != 0;
}

/* Watches fd for `events` (enum loop_io; 0: for nothing, until loop_poll_change says more); error
 * conditions are reported as both. The fd stays the caller's; it may be closed after loop_poll_stop
 * returned, or right before loop_poll_closed, which spares the kernel a call. One watch per fd.
 * NULL: no memory. loop_poll_change: 0, ERR_NOMEM or ERR_IO, and then what it watched for stays. */
struct loop_poll *loop_poll_start(struct loop *loop, int fd, int events,
	void (*callback)(void *user, int events), void *user);
int loop_poll_change(struct loop_poll *poll, int events);
void loop_poll_stop(struct loop_poll *poll);   /* NULL is fine */
void loop_poll_closed(struct loop_poll *poll); /* NULL is fine */

struct loop_signal *loop_signal_start(struct loop *loop, int signal_number,
	void (*callback)(void *user, int signal_number), void *user);
void loop_signal_stop(struct loop_signal *signal);

/* Runs `work` in the thread pool, then `done` on the loop. loop_work_cancel: `done` will not run;
 * `work` may still be running and must only touch what `user` owns, freed by `dispose` (always
 * called last, on the loop). NULL: no memory, nothing was started, user stays the caller's. */
struct loop_work *loop_work_start(struct loop *loop, void (*work)(void *user),
	void (*done)(void *user), void (*dispose)(void *user), void *user);
void loop_work_cancel(struct loop_work *work);

/* The longest time, in microseconds, that one turn's callbacks took since `since` (the current
 * turn included). 0 when every turn was below LOOP_LAG_FLOOR_US. */
#define LOOP_LAG_FLOOR_US 500
int64_t loop_lag_since(const struct loop *loop, struct mono since);

#endif
