/* SPDX-License-Identifier: Apache-2.0 */
/* Every probe's next instant is kept on the wall clock, in one binary heap. One offset, wall minus
 * monotonic, is the anchor for all of them: moving it shifts every due instant at once and leaves
 * their order alone, so that the heap only has to be rebuilt because the instants themselves are
 * planned anew.
 *
 * CLOCK_MONOTONIC stands still while the host is suspended, so a suspend and a wall clock set ahead
 * look the same from here: the wall clock has gained on the other. Both pass over instants, and
 * both count them as skipped, up to SCHEDULE_JUMP_US: a host that boots in 1970 and is set right by
 * NTP has not missed fifty years of runs. */
#include "lattice-probe/schedule.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lattice-probe/err.h"

struct entry {
	void *user;         /* free entries: unused */
	int64_t interval_us;
	int64_t phase_us;
	int64_t next_us;    /* wall: first instant neither handed out nor skipped */
	int64_t last_us;    /* wall: the instant handed out last */
	struct mono last_due; /* its monotonic instant; never: none was handed out */
	uint32_t position;  /* in the heap + 1; 0: the entry is free */
	uint32_t next_free; /* of a free entry: the following free one's id, 0 at the end */
};

struct schedule {
	char *agent_id;
	struct entry *entries; /* id - 1 is the index */
	uint32_t *heap;        /* indexes into entries; heap[0] is due first */
	size_t count;
	size_t used;           /* entries in use or free; the rest of capacity was never touched */
	size_t capacity;
	uint32_t first_free;   /* id; 0: none */
	int64_t anchor_us;     /* wall - mono */
	bool is_anchored;
	uint64_t skipped;
};

/* ---- arithmetic on instants ------------------------------------------------------------------ */

static uint64_t fnv1a(uint64_t hash, const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
	return hash;
}

int64_t schedule_phase_us(const char *agent_id, const char *name, int64_t interval_us)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	assert(interval_us > 0);
	hash = fnv1a(hash, agent_id, strlen(agent_id) + 1);
	hash = fnv1a(hash, name, strlen(name));
	return (int64_t)(hash % (uint64_t)interval_us);
}

/* The first instant ≡ phase mod interval that lies after `us`. */
static int64_t first_after(const struct entry *entry, int64_t us)
{
	int64_t into = (us - entry->phase_us) % entry->interval_us;

	if (into < 0)
		into += entry->interval_us;
	return us - into + entry->interval_us;
}

static int64_t stale_us(const struct entry *entry)
{
	int64_t half = entry->interval_us / 2;

	return half < SCHEDULE_STALE_US ? half : SCHEDULE_STALE_US;
}

/* ---- heap ------------------------------------------------------------------------------------ */

/* Equal instants go by id, so that a schedule always plays alike. */
static bool is_before(const struct schedule *schedule, uint32_t a, uint32_t b)
{
	int64_t a_us = schedule->entries[a].next_us;
	int64_t b_us = schedule->entries[b].next_us;

	return a_us != b_us ? a_us < b_us : a < b;
}

static void place(struct schedule *schedule, size_t position, uint32_t index)
{
	schedule->heap[position] = index;
	schedule->entries[index].position = (uint32_t)position + 1;
}

static void sift_up(struct schedule *schedule, size_t position, uint32_t index)
{
	while (position > 0 && is_before(schedule, index, schedule->heap[(position - 1) / 2])) {
		place(schedule, position, schedule->heap[(position - 1) / 2]);
		position = (position - 1) / 2;
	}
	place(schedule, position, index);
}

static void sift_down(struct schedule *schedule, size_t position, uint32_t index)
{
	size_t child;

	while ((child = 2 * position + 1) < schedule->count) {
		if (child + 1 < schedule->count &&
		    is_before(schedule, schedule->heap[child + 1], schedule->heap[child]))
			child++;
		if (is_before(schedule, index, schedule->heap[child]))
			break;
		place(schedule, position, schedule->heap[child]);
		position = child;
	}
	place(schedule, position, index);
}

/* ---- the anchor ------------------------------------------------------------------------------ */

/* Whether `candidate` was lived before and would now follow the last run too closely: within half an
 * interval, or within a whole one when it is the very same instant once more. */
static bool is_repeat(const struct schedule *schedule, const struct entry *entry, int64_t candidate)
{
	int64_t gap_us = candidate - schedule->anchor_us - entry->last_due.us;
	int64_t wanted_us = candidate == entry->last_us ? entry->interval_us : entry->interval_us / 2;

	return mono_is_set(entry->last_due) && candidate <= entry->last_us && gap_us < wanted_us;
}

/* Plans the entry's next instant after a step. What a step ahead passes over is skipped; a step back
 * leads through instants that are accounted for already. */
static void replan(struct schedule *schedule, struct entry *entry, struct wall wall_now, bool is_counted)
{
	int64_t candidate = first_after(entry, wall_now.us);

	while (is_repeat(schedule, entry, candidate))
		candidate += entry->interval_us;
	if (is_counted && candidate > entry->next_us)
		schedule->skipped += (uint64_t)((candidate - entry->next_us) / entry->interval_us);
	entry->next_us = candidate;
}

static void align(struct schedule *schedule, struct mono now, struct wall wall_now)
{
	int64_t anchor_us = wall_now.us - now.us;
	int64_t step_us = anchor_us - schedule->anchor_us;

	if (schedule->is_anchored && step_us <= SCHEDULE_DRIFT_US && step_us >= -SCHEDULE_DRIFT_US)
		return;
	schedule->anchor_us = anchor_us;
	schedule->is_anchored = true;
	for (size_t i = 0; i < schedule->count; i++)
		replan(schedule, &schedule->entries[schedule->heap[i]], wall_now, step_us <= SCHEDULE_JUMP_US);
	for (size_t i = schedule->count / 2; i-- > 0;)
		sift_down(schedule, i, schedule->heap[i]);
}

/* ---- entries --------------------------------------------------------------------------------- */

struct schedule *schedule_new(const char *agent_id)
{
	struct schedule *schedule = calloc(1, sizeof *schedule);

	if (!schedule)
		return NULL;
	schedule->agent_id = strdup(agent_id);
	if (!schedule->agent_id)
		goto fail;
	return schedule;
fail:
	schedule_free(schedule);
	return NULL;
}

void schedule_free(struct schedule *schedule)
{
	if (!schedule)
		return;
	free(schedule->agent_id);
	free(schedule->entries);
	free(schedule->heap);
	free(schedule);
}

static int grow(struct schedule *schedule)
{
	size_t capacity = schedule->capacity ? schedule->capacity * 2 : 16;
	struct entry *entries;
	uint32_t *heap;

	if (capacity > UINT32_MAX / 2)
		return ERR_NOMEM;
	entries = realloc(schedule->entries, capacity * sizeof *entries);
	if (!entries)
		return ERR_NOMEM;
	schedule->entries = entries;
	heap = realloc(schedule->heap, capacity * sizeof *heap);
	if (!heap)
		return ERR_NOMEM;
	schedule->heap = heap;
	schedule->capacity = capacity;
	return 0;
}

/* An index nobody uses. */
static int claim(struct schedule *schedule, uint32_t *ret_index)
{
	if (schedule->first_free) {
		*ret_index = schedule->first_free - 1;
		schedule->first_free = schedule->entries[*ret_index].next_free;
		return 0;
	}
	if (schedule->used == schedule->capacity) {
		int err = grow(schedule);

		if (err)
			return err;
	}
	*ret_index = (uint32_t)schedule->used++;
	return 0;
}

int schedule_add(struct schedule *schedule, const char *name, int64_t interval_us, void *user,
	struct mono now, struct wall wall_now, uint32_t *ret_id)
{
	struct entry *entry;
	uint32_t index;
	int err = claim(schedule, &index);

	if (err)
		return err;
	align(schedule, now, wall_now);
	entry = &schedule->entries[index];
	*entry = (struct entry){ .user = user, .interval_us = interval_us };
	entry->phase_us = schedule_phase_us(schedule->agent_id, name, interval_us);
	entry->next_us = first_after(entry, now.us + schedule->anchor_us);
	sift_up(schedule, schedule->count++, index);
	*ret_id = index + 1;
	return 0;
}

void schedule_remove(struct schedule *schedule, uint32_t id)
{
	struct entry *entry;
	size_t position;
	uint32_t last;

	assert(id >= 1 && id <= schedule->used && schedule->entries[id - 1].position != 0);
	entry = &schedule->entries[id - 1];
	position = entry->position - 1;
	entry->position = 0;
	entry->next_free = schedule->first_free;
	schedule->first_free = id;
	last = schedule->heap[--schedule->count];
	if (position == schedule->count)
		return;
	if (position > 0 && is_before(schedule, last, schedule->heap[(position - 1) / 2]))
		sift_up(schedule, position, last);
	else
		sift_down(schedule, position, last);
}

/* ---- what is due ----------------------------------------------------------------------------- */

bool schedule_next(const struct schedule *schedule, struct mono *ret_due)
{
	if (schedule->count == 0)
		return false;
	ret_due->us = schedule->entries[schedule->heap[0]].next_us - schedule->anchor_us;
	return true;
}

/* Passes the entry's instants up to `us`; true when the latest of them is fresh enough to run. */
static bool pass(struct schedule *schedule, struct entry *entry, int64_t us)
{
	int64_t passed = (us - entry->next_us) / entry->interval_us;
	int64_t latest_us = entry->next_us + passed * entry->interval_us;

	entry->next_us = latest_us + entry->interval_us;
	schedule->skipped += (uint64_t)passed;
	if (us - latest_us > stale_us(entry)) {
		schedule->skipped++;
		return false;
	}
	entry->last_us = latest_us;
	entry->last_due.us = latest_us - schedule->anchor_us;
	return true;
}

bool schedule_take(struct schedule *schedule, struct mono now, struct wall wall_now,
	struct schedule_due *ret_due)
{
	int64_t anchored_us;

	align(schedule, now, wall_now);
	anchored_us = now.us + schedule->anchor_us;
	while (schedule->count > 0) {
		uint32_t index = schedule->heap[0];
		struct entry *entry = &schedule->entries[index];
		bool is_fresh;

		if (entry->next_us > anchored_us)
			return false;
		is_fresh = pass(schedule, entry, anchored_us);
		sift_down(schedule, 0, index);
		if (!is_fresh)
			continue;
		ret_due->user = entry->user;
		ret_due->scheduled.us = entry->last_us;
		ret_due->due = entry->last_due;
		return true;
	}
	return false;
}

uint64_t schedule_skipped(const struct schedule *schedule)
{
	return schedule->skipped;
}

size_t schedule_count(const struct schedule *schedule)
{
	return schedule->count;
}
