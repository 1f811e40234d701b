/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors are watched by an epoll instance of our own, and libuv watches that one.
 *
 * libuv's own uv_poll_t asks the kernel five things to begin and two to end: it adds and removes the
 * descriptor to see whether it can be watched, sets it non-blocking, and removes it once more. A probe
 * opens a socket for each run and hands it on once, so that was a third of its system calls. libuv also
 * aborts the process when the kernel has no memory to watch one more descriptor; here that is ERR_NOMEM
 * for one run. */
#include "loop_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "lattice-probe/err.h"

#define READY_MAX 64 /* of one turn; what else is ready is served in the next */

struct loop_poll {
	struct loop_poll_set *set;
	int fd;
	int events;       /* enum loop_io; 0: asleep */
	int known_events; /* what epoll has; 0: not in it. A sleeper is taken out when it wakes the loop. */
	void (*callback)(void *user, int events);
	void *user;
	struct loop_poll *next_dead;
};

static void bury(struct loop_poll_set *set)
{
	struct loop_poll *next;

	for (struct loop_poll *poll = set->dead; poll; poll = next) {
		next = poll->next_dead;
		free(poll);
	}
	set->dead = NULL;
}

static void take_out(struct loop_poll *poll)
{
	if (poll->known_events != 0)
		(void)epoll_ctl(poll->set->epoll, EPOLL_CTL_DEL, poll->fd, NULL);
	poll->known_events = 0;
}

static void dispatch(const struct epoll_event *ready)
{
	struct loop_poll *poll = ready->data.ptr;
	int events = 0;

	/* Stopped by an earlier one of this turn. */
	if (!poll->callback)
		return;
	if (poll->events == 0) {
		take_out(poll);
		return;
	}
	if (ready->events & (EPOLLIN | EPOLLERR | EPOLLHUP))
		events |= LOOP_READ;
	if (ready->events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
		events |= LOOP_WRITE;
	poll->callback(poll->user, events);
}

static void on_ready(uv_poll_t *handle, int status, int uv_events)
{
	struct loop_poll_set *set = handle->data;
	struct epoll_event ready[READY_MAX];
	int count = epoll_wait(set->epoll, ready, READY_MAX, 0);

	(void)status;
	(void)uv_events;
	set->is_dispatching = true;
	for (int i = 0; i < count; i++)
		dispatch(&ready[i]);
	set->is_dispatching = false;
	bury(set);
}

int loop_poll_set_init(struct loop_poll_set *set, uv_loop_t *uv)
{
	set->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (set->epoll < 0)
		return errno == ENOMEM ? ERR_NOMEM : ERR_IO;
	if (uv_poll_init(uv, &set->uv, set->epoll) != 0) {
		(void)close(set->epoll);
		return ERR_IO;
	}
	set->uv.data = set;
	(void)uv_poll_start(&set->uv, UV_READABLE, on_ready);
	uv_unref((uv_handle_t *)&set->uv);
	return 0;
}

void loop_poll_set_close(struct loop_poll_set *set)
{
	uv_close((uv_handle_t *)&set->uv, NULL);
}

void loop_poll_set_done(struct loop_poll_set *set)
{
	bury(set);
	(void)close(set->epoll);
}

static void count_watched(struct loop_poll_set *set, bool is_one_more)
{
	if (is_one_more && set->watched_count++ == 0)
		uv_ref((uv_handle_t *)&set->uv);
	if (!is_one_more && --set->watched_count == 0)
		uv_unref((uv_handle_t *)&set->uv);
}

/* Most sleepers are closed or watched for something else next: both make taking them out a wasted call. */
int loop_poll_change(struct loop_poll *poll, int events)
{
	struct epoll_event wanted = { .data.ptr = poll,
		.events = (events & LOOP_READ ? (uint32_t)EPOLLIN : 0) | (events & LOOP_WRITE ? (uint32_t)EPOLLOUT : 0) };

	if (events != 0 && events != poll->known_events) {
		int action = poll->known_events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;

		if (epoll_ctl(poll->set->epoll, action, poll->fd, &wanted) != 0)
			return errno == ENOMEM || errno == ENOSPC ? ERR_NOMEM : ERR_IO;
		poll->known_events = events;
	}
	if ((events == 0) != (poll->events == 0))
		count_watched(poll->set, events != 0);
	poll->events = events;
	return 0;
}

struct loop_poll *loop_poll_start(struct loop *loop, int fd, int events,
	void (*callback)(void *user, int events), void *user)
{
	struct loop_poll *poll = calloc(1, sizeof *poll);

	if (!poll)
		return NULL;
	*poll = (struct loop_poll){ .set = loop_poll_set_of(loop), .fd = fd, .callback = callback, .user = user };
	if (loop_poll_change(poll, events) != 0) {
		free(poll);
		return NULL;
	}
	return poll;
}

void loop_poll_closed(struct loop_poll *poll)
{
	struct loop_poll_set *set;

	if (!poll)
		return;
	set = poll->set;
	if (poll->events != 0)
		count_watched(set, false);
	poll->callback = NULL;
	if (!set->is_dispatching) {
		free(poll);
		return;
	}
	poll->next_dead = set->dead;
	set->dead = poll;
}

void loop_poll_stop(struct loop_poll *poll)
{
	if (!poll)
		return;
	take_out(poll);
	loop_poll_closed(poll);
}
