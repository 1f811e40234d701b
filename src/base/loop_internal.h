/* SPDX-License-Identifier: Apache-2.0 */
/* loop_internal: the descriptors a loop watches, apart from its timers and its lag. */
#ifndef LOOP_INTERNAL_H
#define LOOP_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#include <uv.h>

#include "lattice-probe/loop.h"

/* Lives inside its loop. */
struct loop_poll_set {
	uv_poll_t uv;           /* the one descriptor that libuv watches: epoll below */
	int epoll;
	size_t watched_count;   /* while there are any, the loop is alive */
	bool is_dispatching;
	struct loop_poll *dead; /* stopped while dispatching: what was ready with them may still name them */
};

/* 0, ERR_NOMEM or ERR_IO. loop_poll_set_close: its handle goes when the loop runs once more; then
 * loop_poll_set_done gives back the rest. */
int loop_poll_set_init(struct loop_poll_set *set, uv_loop_t *uv);
void loop_poll_set_close(struct loop_poll_set *set);
void loop_poll_set_done(struct loop_poll_set *set);

/* The loop's own; borrowed. */
struct loop_poll_set *loop_poll_set_of(struct loop *loop);

#endif
