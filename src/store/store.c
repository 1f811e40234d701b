/* SPDX-License-Identifier: Apache-2.0 */
/* The loop's side. What is asked for becomes an op in `pending`; a timer hands the list to the writer's
 * thread, where it is the only one until it comes back. Ops with a callback are urgent.
 *
 *   opening ──▶ working ◀──▶ in trouble ──(retry)──▶ opening again
 *                  └──────────────┴──▶ closed
 *
 * A lot that does not come back within stall_us is trouble too: whoever waits is told so at once, and the
 * file is opened anew when the thread is free again. */
#include "store_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lattice-probe/err.h"
#include "lattice-probe/log.h"
#include "lattice-probe/loop.h"

#define COMMIT_US (500 * US_PER_MS)
#define RETRY_US (60 * US_PER_S)
#define STALL_US (5 * US_PER_S)
#define PENDING_MAX_BYTES (32 * 1024 * 1024) /* seconds of the busiest agent */
#define LISTENERS_MAX 2

enum job_kind { JOB_OPEN, JOB_RUN, JOB_CLOSE };

/* What is at the writer's. Owned by libuv's request; `dispose` frees it. */
struct job {
	struct store *store; /* NULL: it is gone */
	struct loop *loop;
	struct store_database *database;
	enum job_kind kind;
	struct store_op *ops;
	bool is_corrupt;     /* of an opening: the file is known to be */
	bool is_abandoned;   /* it took too long; everybody has been told */
	enum store_end end;
	struct store_facts facts;
	int64_t file_bytes;
	char why[STORE_WHY_SIZE];
};

struct store_op_list {
	struct store_op *first;
	struct store_op *last;
	int64_t bytes;
};

struct listener {
	void (*ready)(void *user, const struct store_ready *ready);
	void *user;
};

struct store {
	struct loop *loop;
	struct store_options options; /* without its texts */
	struct store_database *database; /* the writer's while `job` is set */
	struct store_state state;
	char why[STORE_WHY_SIZE];
	struct job *job;
	struct loop_work *work;
	struct store_op_list pending;
	bool is_urgent;
	bool is_corrupt;
	bool has_been_ready;
	int64_t samples_read_to;  /* of those an earlier process left */
	struct loop_timer hand_over_timer;
	struct loop_timer retry_timer;
	struct loop_timer stall_timer;
	struct listener listeners[LISTENERS_MAX];
	size_t listener_count;
	void (*closed)(void *user, bool is_written);
	void *close_user;
};

static void plan(struct store *store);

/* ---- ops ------------------------------------------------------------------------------------- */

static bool has_callback(const struct store_op *op)
{
	return op->synced || op->read || op->kept || op->samples_read;
}

static void push(struct store_op_list *list, struct store_op *op)
{
	if (list->last)
		list->last->next = op;
	else
		list->first = op;
	list->last = op;
	list->bytes += (int64_t)sizeof *op;
	if (op->record)
		list->bytes += (int64_t)(op->record->dimensions_bytes + op->record->numbers_bytes);
	if (op->samples)
		list->bytes += (int64_t)sizeof *op->samples;
}

/* ---- what ends ------------------------------------------------------------------------------- */

/* Rows that make no sense are removed, or they would come back for ever. Without memory the page ends early. */
static void add_found(struct store *store, const struct store_op *op, struct store_page *page)
{
	struct datum **last = &page->first;

	for (const struct store_record *record = op->found; record; record = record->next) {
		const struct datum stranger = { .id = record->id };
		int err = store_record_read(record, last);

		if (err == ERR_NOMEM) {
			page->last_id = record->id - 1;
			page->is_end = false;
			return;
		}
		if (!err) {
			last = &(*last)->next;
			continue;
		}
		page->unreadable++;
		page->unreadable_samples += record->samples;
		store_remove(store, &stranger);
	}
}

static void tell_page(struct store *store, struct store_op *op)
{
	struct store_page page = { .last_id = op->last_id, .is_end = op->is_end };

	add_found(store, op, &page);
	op->read(op->user, &page);
}

static void tell_samples(struct store *store, struct store_op *op)
{
	store->samples_read_to = op->sample_count > 0 ? op->last_id : INT64_MAX;
	op->samples_read(op->user, op->samples, op->sample_count);
}

/* Tells whoever waits for the op; once. */
static void tell(struct store *store, struct store_op *op, bool is_done)
{
	if (op->task == STORE_TASK_KEEP && is_done)
		store->state.outbox_bytes = op->last_id;
	if (op->synced)
		op->synced(op->user, is_done);
	else if (op->kept)
		op->kept(op->user, is_done, op->kept_datums, op->kept_samples);
	else if (op->read && !is_done)
		op->read(op->user, NULL);
	else if (op->read)
		tell_page(store, op);
	else if (op->samples_read && !is_done)
		op->samples_read(op->user, NULL, 0);
	else if (op->samples_read)
		tell_samples(store, op);
	op->synced = NULL;
	op->kept = NULL;
	op->read = NULL;
	op->samples_read = NULL;
}

static void tell_all(struct store *store, struct store_op *ops, bool is_done)
{
	for (struct store_op *op = ops; op; op = op->next)
		tell(store, op, is_done);
}

/* In trouble nothing that waits will be written; those who wait for an answer are told. */
static void fail_pending(struct store *store)
{
	struct store_op *ops = store->pending.first;

	store->pending = (struct store_op_list){ 0 };
	tell_all(store, ops, false);
	store_op_free_all(ops);
}

static void on_retry(void *user);

static void plan_retry(struct store *store)
{
	if (loop_timer_start(store->loop, &store->retry_timer, mono_add(mono_now(), store->options.retry_us), on_retry,
		    store) != 0)
		log_err("event=store_given_up cause=\"%s\"", err_text(ERR_NOMEM));
}

static void enter_trouble(struct store *store, const char *why)
{
	/* The same trouble as at the last attempt is not news. */
	if (strcmp(store->why, why) != 0)
		log_warning("event=store_trouble path=%s why=\"%s\" action=\"what waits is kept in memory only\" "
			    "retry_in_s=%" PRId64, store->state.path, why, store->options.retry_us / US_PER_S);
	(void)snprintf(store->why, sizeof store->why, "%s", why);
	store->state.condition = STORE_IN_TROUBLE;
	store->state.troubles++;
	plan_retry(store);
}

/* ---- the writer ------------------------------------------------------------------------------ */

static void work(void *user)
{
	struct job *job = user;

	switch (job->kind) {
	case JOB_OPEN:
		job->end = store_database_open(job->database, job->is_corrupt, &job->facts, job->why);
		break;
	case JOB_RUN:
		job->end = store_database_run(job->database, job->ops, &job->file_bytes, job->why);
		break;
	case JOB_CLOSE:
	default:
		if (job->ops)
			job->end = store_database_run(job->database, job->ops, &job->file_bytes, job->why);
		store_database_close(job->database);
	}
}

static void free_database(void *user)
{
	struct job *job = user;

	store_database_free(job->database);
	free(job);
}

static void close_file(void *user)
{
	struct job *job = user;

	store_database_close(job->database);
}

/* The store went while the thread was busy: closing is the thread's too. */
static void dispose_orphan(struct job *job)
{
	store_op_free_all(job->ops);
	job->ops = NULL;
	if (!loop_work_start(job->loop, close_file, NULL, free_database, job))
		free_database(job);
}

static void dispose(void *user)
{
	struct job *job = user;

	if (job->store) {
		store_op_free_all(job->ops);
		free(job);
	} else {
		dispose_orphan(job);
	}
}

static void on_opened(struct store *store, const struct job *job)
{
	struct store_ready ready = job->facts.ready;

	if (job->facts.set_aside[0]) {
		store->state.set_aside++;
		log_warning("event=store_set_aside path=%s why=\"%s\" action=\"renamed to %s.aside-1, a new file is begun\"",
			store->state.path, job->facts.set_aside, store->state.path);
	}
	store->is_corrupt = false;
	if (job->end != STORE_END_OK) {
		enter_trouble(store, job->why);
		return;
	}
	store->state.condition = STORE_WORKING;
	store->why[0] = '\0';
	ready.is_first = !store->has_been_ready;
	ready.is_after_trouble = store->state.troubles > 0;
	store->has_been_ready = true;
	/* What was put while opening is counted already, unless it was let go in trouble. */
	store->state.outbox_bytes = job->facts.outbox_bytes + (ready.is_after_trouble ? 0 : store->state.outbox_bytes);
	log_info("event=store_ready path=%s waiting_datums=%" PRIu64 " waiting_samples=%.0f in_doubt=%.0f",
		store->state.path, ready.outbox_datums, ready.outbox_samples, ready.in_doubt_samples);
	for (size_t i = 0; i < store->listener_count; i++)
		store->listeners[i].ready(store->listeners[i].user, &ready);
}

static void on_run(struct store *store, struct job *job)
{
	bool is_done = job->end == STORE_END_OK;

	if (is_done) {
		store->state.file_bytes = job->file_bytes;
		store->state.commits++;
	} else {
		store->is_corrupt = job->end == STORE_END_CORRUPT;
		enter_trouble(store, job->why);
		if (store->is_corrupt)
			loop_timer_stop(store->loop, &store->retry_timer);
	}
	tell_all(store, job->ops, is_done);
}

static void done(void *user)
{
	struct job *job = user;
	struct store *store = job->store;
	bool was_abandoned = job->is_abandoned;

	store->job = NULL;
	store->work = NULL;
	loop_timer_stop(store->loop, &store->stall_timer);
	if (job->kind == JOB_CLOSE) {
		store->closed(store->close_user, job->end == STORE_END_OK && !was_abandoned);
		return;
	}
	if (was_abandoned && job->end == STORE_END_CORRUPT)
		store->is_corrupt = true;
	if (!was_abandoned && job->kind == JOB_OPEN)
		on_opened(store, job);
	else if (!was_abandoned)
		on_run(store, job);
	plan(store);
}

static void on_stall(void *user)
{
	struct store *store = user;

	store->job->is_abandoned = true;
	enter_trouble(store, "the disk does not answer");
	tell_all(store, store->job->ops, false);
	fail_pending(store);
}

/* False: no memory; `ops` stay the caller's. */
static bool start_job(struct store *store, enum job_kind kind, struct store_op *ops)
{
	struct job *job = calloc(1, sizeof *job);

	assert(!store->job);
	if (!job)
		return false;
	*job = (struct job){ .store = store, .loop = store->loop, .database = store->database, .kind = kind, .ops = ops,
		.is_corrupt = store->is_corrupt };
	store->work = loop_work_start(store->loop, work, done, dispose, job);
	if (!store->work) {
		free(job);
		return false;
	}
	store->job = job;
	if (kind != JOB_CLOSE)
		(void)loop_timer_start(store->loop, &store->stall_timer, mono_add(mono_now(), store->options.stall_us),
			on_stall, store);
	return true;
}

/* ---- what next ------------------------------------------------------------------------------- */

static void open_again(struct store *store)
{
	if (!start_job(store, JOB_OPEN, NULL))
		enter_trouble(store, err_text(ERR_NOMEM));
}

static void on_retry(void *user)
{
	struct store *store = user;

	if (store->job) /* the thread still hangs */
		plan_retry(store);
	else
		open_again(store);
}

static void start_close(struct store *store)
{
	struct store_op *ops = store->pending.first;

	if (!start_job(store, JOB_CLOSE, ops)) {
		fail_pending(store);
		store->closed(store->close_user, false);
		return;
	}
	store->pending = (struct store_op_list){ 0 };
}

static void hand_over(void *user)
{
	struct store *store = user;
	struct store_op *ops = store->pending.first;

	store->is_urgent = false;
	if (store->closed) {
		start_close(store);
	} else if (store->state.condition == STORE_IN_TROUBLE) {
		fail_pending(store);
	} else if (ops && !start_job(store, JOB_RUN, ops)) {
		enter_trouble(store, err_text(ERR_NOMEM));
		fail_pending(store);
	} else {
		store->pending = (struct store_op_list){ 0 };
	}
}

/* Plans the next hand-over, when there is something and the thread is free. */
static void plan(struct store *store)
{
	bool is_at_once = store->is_urgent || store->closed;
	struct mono due = mono_add(mono_now(), is_at_once ? 0 : store->options.commit_us);

	if (store->is_corrupt && !store->job && !store->closed) {
		open_again(store);
		return;
	}
	/* In trouble the thread may hang, and is not needed. */
	if (store->job && (store->closed || store->state.condition != STORE_IN_TROUBLE))
		return;
	if (!store->closed && (!store->pending.first || store->state.condition == STORE_OPENING))
		return;
	if (loop_timer_is_running(&store->hand_over_timer) && store->hand_over_timer.due.us <= due.us)
		return;
	if (loop_timer_start(store->loop, &store->hand_over_timer, due, hand_over, store) != 0)
		log_err("event=store_delayed cause=\"%s\"", err_text(ERR_NOMEM)); /* the next op plans again */
}

bool store_ask(struct store *store, struct store_op *op)
{
	bool is_told = op && has_callback(op);

	if (op && !store_takes(store) && !is_told) {
		store_op_free(op);
		return false;
	}
	if (!op || store->pending.bytes > PENDING_MAX_BYTES) {
		if (store_takes(store))
			enter_trouble(store, op ? "the disk is too slow" : err_text(ERR_NOMEM));
		if (op && !is_told)
			store_op_free(op);
		if (!is_told)
			return false;
	}
	push(&store->pending, op);
	store->is_urgent |= is_told;
	plan(store);
	return true;
}

bool store_is_crowded(const struct store *store)
{
	return store->pending.bytes > PENDING_MAX_BYTES / 2;
}

void store_count_outbox(struct store *store, int64_t bytes)
{
	store->state.outbox_bytes += bytes;
}

bool store_outbox_is_full(const struct store *store)
{
	return store_takes(store) && store->state.outbox_bytes > store->options.outbox_max_bytes;
}

int64_t store_samples_read_to(const struct store *store)
{
	return store->samples_read_to;
}

/* ---- the store ------------------------------------------------------------------------------- */

static int64_t or_default(int64_t value, int64_t default_)
{
	return value ? value : default_;
}

struct store *store_new(struct loop *loop, const struct store_options *options)
{
	struct store *store = calloc(1, sizeof *store);

	if (!store)
		return NULL;
	store->loop = loop;
	store->options = *options;
	store->options.directory = store->options.agent_id = NULL;
	store->options.commit_us = or_default(options->commit_us, COMMIT_US);
	store->options.retry_us = or_default(options->retry_us, RETRY_US);
	store->options.stall_us = or_default(options->stall_us, STALL_US);
	store->state.why = store->why;
	store->database = store_database_new(options);
	if (!store->database)
		goto fail;
	store->state.path = store_database_path(store->database);
	if (!start_job(store, JOB_OPEN, NULL))
		goto fail;
	return store;
fail:
	store_free(store);
	return NULL;
}

void store_listen(struct store *store, void (*ready)(void *user, const struct store_ready *ready), void *user)
{
	assert(store->listener_count < LISTENERS_MAX);
	store->listeners[store->listener_count++] = (struct listener){ ready, user };
}

bool store_takes(const struct store *store)
{
	return store->state.condition <= STORE_WORKING && !store->closed;
}

void store_read_state(const struct store *store, struct store_state *ret_state)
{
	*ret_state = store->state;
}

static void silence(struct store_op *ops, const void *user)
{
	for (struct store_op *op = ops; op; op = op->next)
		if (op->user == user) {
			op->synced = NULL;
			op->kept = NULL;
			op->read = NULL;
			op->samples_read = NULL;
		}
}

void store_cancel(struct store *store, const void *user)
{
	silence(store->pending.first, user);
	if (store->job)
		silence(store->job->ops, user);
	for (size_t i = 0; i < store->listener_count; i++)
		if (store->listeners[i].user == user)
			store->listeners[i--] = store->listeners[--store->listener_count];
}

void store_close(struct store *store, void (*closed)(void *user, bool is_written), void *user)
{
	assert(!store->closed);
	store->closed = closed;
	store->close_user = user;
	loop_timer_stop(store->loop, &store->retry_timer);
	plan(store);
}

void store_free(struct store *store)
{
	if (!store)
		return;
	loop_timer_stop(store->loop, &store->hand_over_timer);
	loop_timer_stop(store->loop, &store->retry_timer);
	loop_timer_stop(store->loop, &store->stall_timer);
	store_op_free_all(store->pending.first);
	if (store->job) {
		store->job->store = NULL;
		loop_work_cancel(store->work);
	} else {
		store_database_free(store->database);
	}
	free(store);
}
