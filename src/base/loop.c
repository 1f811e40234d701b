/* SPDX-License-Identifier: Apache-2.0 */
/* Timers live in one binary heap behind one uv_timer: ten thousand probes cost one libuv handle, and
 * starting or stopping a timer never asks the kernel. A turn runs only the timers that were due when
 * it began, so a callback that starts a timer for "now" is served in the next turn, after I/O.
 *
 * Polls, signals and work are libuv handles that die asynchronously: `stop` clears the callback and
 * closes the handle, whose memory goes when libuv lets go of it.
 *
 * Lag: uv_check runs right after polling, uv_prepare right before it; the time between is what the
 * callbacks of one turn took. Turns above LOOP_LAG_FLOOR_US are kept in a small ring. */
#include "lattice-probe/loop.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "lattice-probe/err.h"

#define LAG_RING 64

struct lag {
	struct mono end;
	int64_t busy_us;
};

struct loop {
	uv_loop_t uv;
	uv_timer_t alarm;
	uv_prepare_t prepare;
	uv_check_t check;
	struct loop_timer **heap; /* heap[0] is due first; slot = index + 1 */
	size_t heap_count;
	size_t heap_capacity;
	struct mono alarm_due;    /* what `alarm` is set for; never: stopped */
	bool is_firing;
	struct mono turn_start;   /* end of the last poll; never: polling now */
	struct lag lags[LAG_RING];
	size_t lag_next;
};

struct loop_poll {
	uv_poll_t uv;
	void (*callback)(void *user, int events);
	void *user;
};

struct loop_signal {
	uv_signal_t uv;
	void (*callback)(void *user, int signal_number);
	void *user;
};

struct loop_work {
	uv_work_t uv;
	void (*work)(void *user);
	void (*done)(void *user);
	void (*dispose)(void *user);
	void *user;
};

/* ---- lag ---------------------------------------------------------------------------------- */

static void on_check(uv_check_t *handle)
{
	struct loop *loop = handle->data;

	loop->turn_start = mono_now();
}

static void on_prepare(uv_prepare_t *handle)
{
	struct loop *loop = handle->data;
	struct mono now = mono_now();
	int64_t busy_us = mono_is_set(loop->turn_start) ? mono_since(now, loop->turn_start) : 0;

	loop->turn_start = (struct mono){ 0 };
	if (busy_us < LOOP_LAG_FLOOR_US)
		return;
	loop->lags[loop->lag_next] = (struct lag){ now, busy_us };
	loop->lag_next = (loop->lag_next + 1) % LAG_RING;
}

int64_t loop_lag_since(const struct loop *loop, struct mono since)
{
	int64_t worst_us = 0;

	if (mono_is_set(loop->turn_start)) {
		int64_t current_us = mono_since(mono_now(), loop->turn_start);

		worst_us = current_us < LOOP_LAG_FLOOR_US ? 0 : current_us;
	}
	for (size_t i = 0; i < LAG_RING; i++)
		if (loop->lags[i].end.us > since.us && loop->lags[i].busy_us > worst_us)
			worst_us = loop->lags[i].busy_us;
	return worst_us;
}

/* ---- the loop ----------------------------------------------------------------------------- */

static void on_alarm(uv_timer_t *handle);

struct loop *loop_new(void)
{
	struct loop *loop = calloc(1, sizeof *loop);

	if (!loop)
		return NULL;
	if (uv_loop_init(&loop->uv) != 0) {
		free(loop);
		return NULL;
	}
	/* These three only initialise fields; libuv documents no failure but a wrong loop. */
	(void)uv_timer_init(&loop->uv, &loop->alarm);
	(void)uv_prepare_init(&loop->uv, &loop->prepare);
	(void)uv_check_init(&loop->uv, &loop->check);
	loop->alarm.data = loop->prepare.data = loop->check.data = loop;
	(void)uv_prepare_start(&loop->prepare, on_prepare);
	(void)uv_check_start(&loop->check, on_check);
	uv_unref((uv_handle_t *)&loop->prepare);
	uv_unref((uv_handle_t *)&loop->check);
	return loop;
}

void loop_free(struct loop *loop)
{
	int err;

	if (!loop)
		return;
	assert(loop->heap_count == 0);
	uv_close((uv_handle_t *)&loop->alarm, NULL);
	uv_close((uv_handle_t *)&loop->prepare, NULL);
	uv_close((uv_handle_t *)&loop->check, NULL);
	/* Lets handles that were stopped in the last turn, and cancelled work, come to their end. */
	(void)uv_run(&loop->uv, UV_RUN_DEFAULT);
	err = uv_loop_close(&loop->uv);
	assert(err == 0); /* else a registration outlived its loop */
	free(loop->heap);
	free(loop);
}

void loop_run(struct loop *loop)
{
	(void)uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void loop_run_until(struct loop *loop, const bool *done)
{
	while (!*done && uv_run(&loop->uv, UV_RUN_ONCE) != 0)
		;
}

void loop_stop(struct loop *loop)
{
	uv_stop(&loop->uv);
}

/* ---- timers ------------------------------------------------------------------------------- */

static void heap_place(struct loop *loop, size_t index, struct loop_timer *timer)
{
	loop->heap[index] = timer;
	timer->slot = (uint32_t)index + 1;
}

static void heap_up(struct loop *loop, size_t index, struct loop_timer *timer)
{
	while (index > 0 && timer->due.us < loop->heap[(index - 1) / 2]->due.us) {
		heap_place(loop, index, loop->heap[(index - 1) / 2]);
		index = (index - 1) / 2;
	}
	heap_place(loop, index, timer);
}

static void heap_down(struct loop *loop, size_t index, struct loop_timer *timer)
{
	size_t child;

	while ((child = 2 * index + 1) < loop->heap_count) {
		if (child + 1 < loop->heap_count &&
		    loop->heap[child + 1]->due.us < loop->heap[child]->due.us)
			child++;
		if (timer->due.us <= loop->heap[child]->due.us)
			break;
		heap_place(loop, index, loop->heap[child]);
		index = child;
	}
	heap_place(loop, index, timer);
}

static int heap_grow(struct loop *loop)
{
	size_t capacity = loop->heap_capacity ? loop->heap_capacity * 2 : 64;
	struct loop_timer **heap = realloc(loop->heap, capacity * sizeof(*heap));

	if (!heap)
		return ERR_NOMEM;
	loop->heap = heap;
	loop->heap_capacity = capacity;
	return 0;
}

/* Sets libuv's timer for the first of the heap, rounded up to its milliseconds. */
static void set_alarm(struct loop *loop)
{
	int64_t delay_us;

	if (loop->is_firing)
		return;
	if (loop->heap_count == 0) {
		loop->alarm_due = (struct mono){ 0 };
		(void)uv_timer_stop(&loop->alarm);
		return;
	}
	if (loop->alarm_due.us == loop->heap[0]->due.us)
		return;
	loop->alarm_due = loop->heap[0]->due;
	uv_update_time(&loop->uv);
	delay_us = mono_since(loop->alarm_due, mono_now());
	if (delay_us < 0)
		delay_us = 0;
	/* uv_now is truncated to a millisecond, hence one more; 0 would run before I/O is polled. */
	(void)uv_timer_start(&loop->alarm, on_alarm, (uint64_t)(delay_us / US_PER_MS + 1), 0);
}

static void on_alarm(uv_timer_t *handle)
{
	struct loop *loop = handle->data;
	struct mono now = mono_now();

	loop->alarm_due = (struct mono){ 0 };
	loop->is_firing = true;
	while (loop->heap_count > 0 && loop->heap[0]->due.us <= now.us) {
		struct loop_timer *timer = loop->heap[0];

		loop_timer_stop(loop, timer);
		timer->callback(timer->user);
	}
	loop->is_firing = false;
	set_alarm(loop);
}

int loop_timer_start(struct loop *loop, struct loop_timer *timer, struct mono due,
	void (*callback)(void *user), void *user)
{
	struct mono now = mono_now();

	loop_timer_stop(loop, timer);
	if (loop->heap_count == loop->heap_capacity && heap_grow(loop) != 0)
		return ERR_NOMEM;
	/* While timers fire, "now" must lie behind the instant that the turn serves. */
	timer->due = due.us <= now.us ? mono_add(now, 1) : due;
	timer->callback = callback;
	timer->user = user;
	heap_up(loop, loop->heap_count++, timer);
	set_alarm(loop);
	return 0;
}

void loop_timer_stop(struct loop *loop, struct loop_timer *timer)
{
	size_t index = timer->slot - 1;
	struct loop_timer *last;

	if (timer->slot == 0)
		return;
	assert(loop->heap[index] == timer);
	timer->slot = 0;
	last = loop->heap[--loop->heap_count];
	if (last != timer) {
		if (index > 0 && last->due.us < loop->heap[(index - 1) / 2]->due.us)
			heap_up(loop, index, last);
		else
			heap_down(loop, index, last);
	}
	set_alarm(loop);
}

/* ---- file descriptors --------------------------------------------------------------------- */

static void free_poll(uv_handle_t *handle)
{
	free(handle->data);
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
	struct loop_poll *poll = handle->data;
	int ready = 0;

	if (!poll->callback)
		return;
	if (status < 0)
		ready = LOOP_READ | LOOP_WRITE;
	if (events & UV_READABLE)
		ready |= LOOP_READ;
	if (events & UV_WRITABLE)
		ready |= LOOP_WRITE;
	poll->callback(poll->user, ready);
}

int loop_poll_change(struct loop_poll *poll, int events)
{
	int uv_events = 0;

	if (events & LOOP_READ)
		uv_events |= UV_READABLE;
	if (events & LOOP_WRITE)
		uv_events |= UV_WRITABLE;
	return uv_poll_start(&poll->uv, uv_events, on_poll) == 0 ? 0 : ERR_IO;
}

struct loop_poll *loop_poll_start(struct loop *loop, int fd, int events,
	void (*callback)(void *user, int events), void *user)
{
	struct loop_poll *poll = calloc(1, sizeof *poll);

	if (!poll)
		return NULL;
	if (uv_poll_init(&loop->uv, &poll->uv, fd) != 0) {
		free(poll);
		return NULL;
	}
	poll->uv.data = poll;
	poll->callback = callback;
	poll->user = user;
	if (loop_poll_change(poll, events) != 0) {
		loop_poll_stop(poll);
		return NULL;
	}
	return poll;
}

void loop_poll_stop(struct loop_poll *poll)
{
	if (!poll)
		return;
	poll->callback = NULL;
	(void)uv_poll_stop(&poll->uv);
	uv_close((uv_handle_t *)&poll->uv, free_poll);
}

/* ---- signals ------------------------------------------------------------------------------ */

static void free_signal(uv_handle_t *handle)
{
	free(handle->data);
}

static void on_signal(uv_signal_t *handle, int signal_number)
{
	struct loop_signal *signal = handle->data;

	if (signal->callback)
		signal->callback(signal->user, signal_number);
}

struct loop_signal *loop_signal_start(struct loop *loop, int signal_number,
	void (*callback)(void *user, int signal_number), void *user)
{
	struct loop_signal *signal = calloc(1, sizeof *signal);

	if (!signal)
		return NULL;
	if (uv_signal_init(&loop->uv, &signal->uv) != 0) {
		free(signal);
		return NULL;
	}
	signal->uv.data = signal;
	signal->callback = callback;
	signal->user = user;
	if (uv_signal_start(&signal->uv, on_signal, signal_number) != 0) {
		loop_signal_stop(signal);
		return NULL;
	}
	return signal;
}

void loop_signal_stop(struct loop_signal *signal)
{
	if (!signal)
		return;
	signal->callback = NULL;
	(void)uv_signal_stop(&signal->uv);
	uv_close((uv_handle_t *)&signal->uv, free_signal);
}

/* ---- work --------------------------------------------------------------------------------- */

static void on_work(uv_work_t *request)
{
	struct loop_work *work = request->data;

	work->work(work->user);
}

static void on_work_done(uv_work_t *request, int status)
{
	struct loop_work *work = request->data;

	if (status == 0 && work->done)
		work->done(work->user);
	if (work->dispose)
		work->dispose(work->user);
	free(work);
}

struct loop_work *loop_work_start(struct loop *loop, void (*work)(void *user), void (*done)(void *user),
	void (*dispose)(void *user), void *user)
{
	struct loop_work *request = calloc(1, sizeof *request);

	if (!request)
		return NULL;
	request->uv.data = request;
	request->work = work;
	request->done = done;
	request->dispose = dispose;
	request->user = user;
	if (uv_queue_work(&loop->uv, &request->uv, on_work, on_work_done) != 0) {
		free(request);
		return NULL;
	}
	return request;
}

void loop_work_cancel(struct loop_work *work)
{
	work->done = NULL;
	(void)uv_cancel((uv_req_t *)&work->uv);
}
