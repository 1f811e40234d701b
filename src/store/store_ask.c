/* SPDX-License-Identifier: Apache-2.0 */
/* What can be asked of a store, each turned into an op. */
#include "store_internal.h"

#include <stdio.h>
#include <stdlib.h>

void store_op_free(struct store_op *op)
{
	while (op->found) {
		struct store_record *next = op->found->next;

		free(op->found);
		op->found = next;
	}
	free(op->record);
	free(op->samples);
	free(op);
}

void store_op_free_all(struct store_op *ops)
{
	while (ops) {
		struct store_op *next = ops->next;

		store_op_free(ops);
		ops = next;
	}
}

static struct store_op *new_op(enum store_task task, int64_t from, int64_t to, void *user)
{
	struct store_op *op = calloc(1, sizeof *op);

	if (op) {
		op->task = task;
		op->from = from;
		op->to = to;
		op->user = user;
	}
	return op;
}

/* ---- the outbox ------------------------------------------------------------------------------ */

bool store_put(struct store *store, const struct datum *datum)
{
	struct store_op *op;

	if (!store_takes(store) || store_is_crowded(store))
		return false;
	op = new_op(STORE_TASK_PUT, 0, 0, NULL);
	if (op)
		op->record = store_record_new(datum);
	if (op && !op->record) {
		store_op_free(op);
		op = NULL;
	}
	if (!store_ask(store, op))
		return false;
	store_count_outbox(store, store_record_cost_bytes(datum));
	return true;
}

void store_mark(struct store *store, const struct datum *datum, bool is_in_flight)
{
	(void)store_ask(store, new_op(STORE_TASK_MARK, is_in_flight, datum->id, NULL));
}

void store_remove(struct store *store, const struct datum *datum)
{
	if (store_ask(store, new_op(STORE_TASK_REMOVE, datum->id, 0, NULL)) && datum->dimensions)
		store_count_outbox(store, -store_record_cost_bytes(datum));
}

bool store_sync(struct store *store, void (*synced)(void *user, bool is_written), void *user)
{
	struct store_op *op = new_op(STORE_TASK_SYNC, 0, 0, user);

	if (op)
		op->synced = synced;
	return store_ask(store, op);
}

bool store_read(struct store *store, int64_t from_id, int64_t to_id,
	void (*read)(void *user, const struct store_page *page), void *user)
{
	struct store_op *op = new_op(STORE_TASK_READ, from_id, to_id, user);

	if (op)
		op->read = read;
	return store_ask(store, op);
}

bool store_keep(struct store *store, int64_t from_id, int64_t to_id,
	void (*kept)(void *user, bool is_kept, uint64_t datums, double samples), void *user)
{
	struct store_op *op = new_op(STORE_TASK_KEEP, from_id, to_id, user);

	if (op)
		op->kept = kept;
	return store_ask(store, op);
}

/* ---- the samples ----------------------------------------------------------------------------- */

void store_add_sample(struct store *store, const struct result *result)
{
	struct store_op *op;

	if (!store_takes(store))
		return;
	op = new_op(STORE_TASK_ADD_SAMPLE, 0, 0, NULL);
	if (op)
		op->samples = calloc(1, sizeof *op->samples);
	if (op && !op->samples) {
		store_op_free(op);
		op = NULL;
	}
	if (op) {
		(void)snprintf(op->samples->probe, sizeof op->samples->probe, "%s", result->target->name);
		op->samples->is_tls = result->target->url.is_tls;
		op->samples->result = *result;
	}
	(void)store_ask(store, op);
}

void store_cover(struct store *store, struct wall from, int64_t length_us)
{
	struct store_op *op = new_op(STORE_TASK_COVER, from.us, from.us + length_us, NULL);

	if (op)
		op->last_id = store_samples_read_to(store);
	(void)store_ask(store, op);
}

bool store_read_samples(struct store *store,
	void (*read)(void *user, const struct store_sample *samples, size_t count), void *user)
{
	struct store_op *op = new_op(STORE_TASK_READ_SAMPLES, store_samples_read_to(store), 0, user);

	if (op)
		op->samples_read = read;
	return store_ask(store, op);
}
