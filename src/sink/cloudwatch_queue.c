/* SPDX-License-Identifier: Apache-2.0 */
#include "sink_internal.h"

void cloudwatch_queue_push(struct cloudwatch_queue *queue, struct datum *datum)
{
	datum->next = NULL;
	if (queue->last)
		queue->last->next = datum;
	else
		queue->first = datum;
	queue->last = datum;
	queue->count++;
}

void cloudwatch_queue_push_front(struct cloudwatch_queue *queue, struct datum *datum)
{
	datum->next = queue->first;
	queue->first = datum;
	if (!queue->last)
		queue->last = datum;
	queue->count++;
}

struct datum *cloudwatch_queue_pop(struct cloudwatch_queue *queue)
{
	struct datum *datum = queue->first;

	if (!datum)
		return NULL;
	queue->first = datum->next;
	if (!queue->first)
		queue->last = NULL;
	queue->count--;
	datum->next = NULL;
	return datum;
}

void cloudwatch_queue_append(struct cloudwatch_queue *queue, struct cloudwatch_queue *from)
{
	if (!from->first)
		return;
	if (queue->last)
		queue->last->next = from->first;
	else
		queue->first = from->first;
	queue->last = from->last;
	queue->count += from->count;
	*from = (struct cloudwatch_queue){ 0 };
}

void cloudwatch_queue_prepend(struct cloudwatch_queue *queue, struct cloudwatch_queue *from)
{
	cloudwatch_queue_append(from, queue);
	*queue = *from;
	*from = (struct cloudwatch_queue){ 0 };
}

void cloudwatch_queue_split(struct cloudwatch_queue *queue, struct cloudwatch_queue *ret_half)
{
	size_t kept = (queue->count + 1) / 2;
	struct datum *last = queue->first;

	for (size_t i = 1; i < kept; i++)
		last = last->next;
	ret_half->first = last->next;
	ret_half->last = queue->last;
	ret_half->count = queue->count - kept;
	last->next = NULL;
	queue->last = last;
	queue->count = kept;
}

double cloudwatch_queue_samples(const struct cloudwatch_queue *queue)
{
	double samples = 0;

	for (const struct datum *datum = queue->first; datum; datum = datum->next)
		samples += datum_sample_count(datum);
	return samples;
}
