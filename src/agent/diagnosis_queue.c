/* SPDX-License-Identifier: Apache-2.0 */
#include "lattice-probe/diagnosis_queue.h"

#include <string.h>

#define HOUR_US (3600 * US_PER_S)

static size_t place_of(const struct diagnosis_queue *queue, const void *user)
{
	size_t i = 0;

	while (i < queue->count && queue->entries[i].user != user)
		i++;
	return i;
}

bool diagnosis_queue_add(struct diagnosis_queue *queue, void *user, struct mono now, int64_t jitter_us,
	struct mono last)
{
	struct mono due = mono_add(now, jitter_us);
	struct mono spaced = mono_add(last, DIAGNOSIS_QUEUE_SPACING_US);

	if (place_of(queue, user) < queue->count)
		return true;
	if (queue->count == DIAGNOSIS_QUEUE_MAX)
		return false;
	if (mono_is_set(last) && spaced.us > due.us)
		due = spaced;
	queue->entries[queue->count++] = (struct diagnosis_queue_entry){ user, due };
	return true;
}

static void remove_at(struct diagnosis_queue *queue, size_t place)
{
	queue->count--;
	memmove(&queue->entries[place], &queue->entries[place + 1],
		(queue->count - place) * sizeof *queue->entries);
}

void diagnosis_queue_remove(struct diagnosis_queue *queue, const void *user)
{
	size_t place = place_of(queue, user);

	if (place < queue->count)
		remove_at(queue, place);
}

/* Of those that are due earliest the one that came first. */
static size_t first_due(const struct diagnosis_queue *queue)
{
	size_t first = 0;

	for (size_t i = 1; i < queue->count; i++)
		if (queue->entries[i].due.us < queue->entries[first].due.us)
			first = i;
	return first;
}

bool diagnosis_queue_next(const struct diagnosis_queue *queue, struct mono *ret_due)
{
	struct mono oldest = queue->starts[queue->next_start];
	struct mono due;

	if (queue->count == 0)
		return false;
	due = queue->entries[first_due(queue)].due;
	if (mono_is_set(oldest) && mono_add(oldest, HOUR_US).us > due.us)
		due = mono_add(oldest, HOUR_US);
	*ret_due = due;
	return true;
}

void *diagnosis_queue_take(struct diagnosis_queue *queue, struct mono now)
{
	struct mono due;
	size_t place;
	void *user;

	if (!diagnosis_queue_next(queue, &due) || due.us > now.us)
		return NULL;
	place = first_due(queue);
	user = queue->entries[place].user;
	remove_at(queue, place);
	queue->starts[queue->next_start] = now;
	queue->next_start = (queue->next_start + 1) % DIAGNOSIS_QUEUE_PER_HOUR;
	return user;
}
