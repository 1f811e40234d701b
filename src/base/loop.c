/* SPDX-License-Identifier: Apache-2.0 */
/* Timers live in one binary heap behind one uv_timer: ten thousand probes cost one libuv handle, and
 * starting or stopping a timer never asks the kernel. A turn runs only the timers that were due when
 * it began, so a callback that starts a timer for "now" is served in the next turn, after I/O.
 *
 * Signals and work are libuv handles that die asynchronously: `stop` clears the callback and closes the
 * handle, whose memory goes when libuv lets go of it. Descriptors are in loop_poll.c.
 *
 * Lag: uv_prepare runs once a turn, right before polling. What passed since the last time, less what
 * libuv says it idled in the kernel, is what the callbacks of one turn took, those of I/O included:
 * libuv runs them inside its poll, so that marks right before and after it would miss them. Kept are
 * the turns above LOOP_LAG_FLOOR_US that no later turn has outdone: busy times fall from the oldest to
 * the newest, and many small ones cannot push out a large one.
 *
 * Stalls: a process that is stopped, frozen or starved in the kernel idles there longer than libuv had
 * asked for. What is beyond that was not spent waiting for the world, and is lag too. A watch bounds
 * how long libuv asks for, so that a stall shows when no timer was due either. */
#include "loop_internal.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uv.h>

#include "lattice-probe/err.h"

#define LAGS_MAX 64
#define WATCH_MS 250
#define STALL_FLOOR_US (50 * US_PER_MS) /* less is what a busy machine's scheduler takes */

struct lag {
	struct mono end;
	int64_t busy_us;
};

struct loop {
	uv_loop_t uv;
	uv_timer_t alarm;
	uv_prepare_t prepare;
	uv_timer_t watch;
	struct loop_poll_set polls;
	struct loop_timer **heap; /* heap[0] is due first; slot = index + 1 */
	size_t heap_count;
	size_t heap_capacity;
	struct mono alarm_due;    /* what `alarm` is set for; never: stopped */
	bool is_firing;
	struct mono turn_start;   /* the last uv_prepare; never: the loop has not turned yet */
	uint64_t turn_idle_ns;    /* libuv's idle time then */
	int64_t turn_sleep_us;    /* how long libuv was going to idle at most */
	struct lag lags[LAGS_MAX];
	size_t lag_count;
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

/* What the callbacks have taken since the last uv_prepare. */
static int64_t busy_in_turn(const struct loop *loop, struct mono now, uint64_t idle_ns)
{
	int64_t idle_us = (int64_t)(idle_ns - loop->turn_idle_ns) / 1000;

	if (idle_us - loop->turn_sleep_us > STALL_FLOOR_US)
		idle_us = loop->turn_sleep_us;
	return mono_is_set(loop->turn_start) ? mono_since(now, loop->turn_start) - idle_us : 0;
}

static void note_lag(struct loop *loop, struct mono end, int64_t busy_us)
{
	while (loop->lag_count > 0 && loop->lags[loop->lag_count - 1].busy_us <= busy_us)
		loop->lag_count--;
	if (loop->lag_count == LAGS_MAX) {
		/* The oldest goes: it is the least likely to lie in anyone's run. */
		loop->lag_count--;
		memmove(loop->lags, loop->lags + 1, loop->lag_count * sizeof *loop->lags);
	}
	loop->lags[loop->lag_count++] = (struct lag){ end, busy_us };
}

/* Until the next timer. Not uv_backend_timeout: with descriptors newly watched that says 0. */
static int64_t longest_sleep_us(const struct loop *loop)
{
	uint64_t sleep_ms = uv_timer_get_due_in(&loop->watch);

	if (uv_is_active((const uv_handle_t *)&loop->alarm) && uv_timer_get_due_in(&loop->alarm) < sleep_ms)
		sleep_ms = uv_timer_get_due_in(&loop->alarm);
	return (int64_t)sleep_ms * US_PER_MS;
}

static void on_prepare(uv_prepare_t *handle)
{
	struct loop *loop = handle->data;
	struct mono now = mono_now();
	uint64_t idle_ns = uv_metrics_idle_time(loop->alarm.loop);
	int64_t busy_us = busy_in_turn(loop, now, idle_ns);

	loop->turn_start = now;
	loop->turn_idle_ns = idle_ns;
	loop->turn_sleep_us = longest_sleep_us(loop);
	if (busy_us >= LOOP_LAG_FLOOR_US)
		note_lag(loop, now, busy_us);
}

/* How much of a turn's callback time can lie after `since`. */
static int64_t clip(int64_t busy_us, struct mono end, struct mono since)
{
	int64_t after_us = mono_since(end, since);

	if (busy_us < LOOP_LAG_FLOOR_US || after_us < 0)
		return 0;
	return busy_us < after_us ? busy_us : after_us;
}

int64_t loop_lag_since(const struct loop *loop, struct mono since)
{
	struct mono now = mono_now();
	int64_t worst_us = clip(busy_in_turn(loop, now, uv_metrics_idle_time(loop->alarm.loop)), now, since);

	for (size_t i = 0; i < loop->lag_count; i++) {
		int64_t busy_us = clip(loop->lags[i].busy_us, loop->lags[i].end, since);

		if (busy_us > worst_us)
			worst_us = busy_us;
	}
	return worst_us;
}

/* ---- the loop ----------------------------------------------------------------------------- */

static void on_alarm(uv_timer_t *handle);

/* To have been woken is all. */
static void on_watch(uv_timer_t *handle)
{
	(void)handle;
}

/* libuv aborts when, behind the descriptor it polls with, there is none left for the pipe its signals
 * go through. */
static bool has_descriptors(void)
{
	int ends[4] = { -1, -1, -1, -1 };
	bool has_them = pipe2(ends, O_CLOEXEC) == 0 && pipe2(ends + 2, O_CLOEXEC) == 0;

	for (size_t i = 0; i < 4; i++)
		if (ends[i] >= 0)
			(void)close(ends[i]);
	return has_them;
}

struct loop *loop_new(void)
{
	struct loop *loop;

	if (!has_descriptors())
		return NULL;
	loop = calloc(1, sizeof *loop);
	if (!loop)
		return NULL;
	if (uv_loop_init(&loop->uv) != 0) {
		free(loop);
		return NULL;
	}
	if (uv_loop_configure(&loop->uv, UV_METRICS_IDLE_TIME) != 0)
		assert(!"libuv is older than 1.39");
	if (loop_poll_set_init(&loop->polls, &loop->uv) != 0) {
		(void)uv_loop_close(&loop->uv);
		free(loop);
		return NULL;
	}
	/* These only initialise fields; libuv documents no failure but a wrong loop. */
	(void)uv_timer_init(&loop->uv, &loop->alarm);
	(void)uv_prepare_init(&loop->uv, &loop->prepare);
	(void)uv_timer_init(&loop->uv, &loop->watch);
	loop->alarm.data = loop->prepare.data = loop;
	(void)uv_prepare_start(&loop->prepare, on_prepare);
	uv_unref((uv_handle_t *)&loop->prepare);
	(void)uv_timer_start(&loop->watch, on_watch, WATCH_MS, WATCH_MS);
	uv_unref((uv_handle_t *)&loop->watch);
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
	uv_close((uv_handle_t *)&loop->watch, NULL);
	loop_poll_set_close(&loop->polls);
	/* Lets handles that were stopped in the last turn, and cancelled work, come to their end. A
	 * loop_stop that came too late to stop anything would end the first run at once. */
	if (uv_run(&loop->uv, UV_RUN_DEFAULT) != 0)
		(void)uv_run(&loop->uv, UV_RUN_DEFAULT);
	err = uv_loop_close(&loop->uv);
	assert(err == 0); /* else a registration outlived its loop */
	loop_poll_set_done(&loop->polls);
	free(loop->heap);
	free(loop);
}

struct loop_poll_set *loop_poll_set_of(struct loop *loop)
{
	return &loop->polls;
}

/* What the program did before is no lag of the loop. */
static void start_turn(struct loop *loop)
{
	loop->turn_start = mono_now();
	loop->turn_idle_ns = uv_metrics_idle_time(&loop->uv);
	loop->turn_sleep_us = 0;
}

void loop_run(struct loop *loop)
{
	start_turn(loop);
	(void)uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void loop_run_until(struct loop *loop, const bool *done)
{
	start_turn(loop);
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
	int64_t delay_ms;

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
	/* libuv counts whole milliseconds of the same clock: to the one at or after the instant. 0 would
	 * run before I/O is polled. */
	delay_ms = (loop->alarm_due.us + US_PER_MS - 1) / US_PER_MS - mono_now().us / US_PER_MS;
	(void)uv_timer_start(&loop->alarm, on_alarm, delay_ms > 0 ? (uint64_t)delay_ms : 1, 0);
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
