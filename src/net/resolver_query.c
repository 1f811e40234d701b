/* SPDX-License-Identifier: Apache-2.0 */
/* Callbacks may ask and cancel anything, also queries of the exchange that is calling them. So the
 * lists are never walked past a callback, and the exchange is held while one runs. */
#include "lattice-probe/resolver.h"

#include <stdlib.h>

#include "lattice-probe/result.h"
#include "resolver_internal.h"

void resolver_query_join(struct resolver_query *query, struct resolver_exchange *exchange)
{
	query->exchange = exchange;
	query->is_shared = !TAILQ_EMPTY(&exchange->queries) || exchange->state == RESOLVER_DONE ||
		mono_is_set(exchange->answer.sent);
	TAILQ_INSERT_TAIL(&exchange->queries, query, link);
	if (query->is_shared)
		exchange->resolver->counters.shared++;
	if (mono_is_set(exchange->answer.sent))
		resolver_query_tell_started(exchange);
}

void resolver_query_leave(struct resolver_query *query)
{
	struct resolver_exchange *exchange = query->exchange;

	TAILQ_REMOVE(&exchange->queries, query, link);
	/* One datagram, one sample: when the one that is not marked as shared goes, the next takes over. */
	if (!query->is_shared && !TAILQ_EMPTY(&exchange->queries))
		TAILQ_FIRST(&exchange->queries)->is_shared = false;
	free(query);
	resolver_exchange_tidy(exchange);
}

static struct resolver_query *next_to_tell(const struct resolver_exchange *exchange)
{
	struct resolver_query *query;

	TAILQ_FOREACH(query, &exchange->queries, link)
		if (!query->is_started)
			return query;
	return NULL;
}

void resolver_query_tell_started(struct resolver_exchange *exchange)
{
	struct resolver_query *query;

	exchange->holds++;
	while ((query = next_to_tell(exchange))) {
		query->is_started = true;
		if (query->started)
			query->started(query->user);
	}
	exchange->holds--;
}

static void hand_out_one(struct resolver_exchange *exchange, struct resolver_query *query)
{
	struct resolver_answer *answer = &exchange->answer;
	unsigned marks = answer->marks;

	TAILQ_REMOVE(&exchange->queries, query, link);
	answer->wait_us = exchange->has_waited && answer->sent.us > query->asked.us
		? mono_since(answer->sent, query->asked) : 0;
	if (query->is_shared)
		answer->marks |= RESULT_MARK_DNS_SHARED;
	query->answered(query->user, answer);
	answer->marks = marks;
	free(query);
}

void resolver_query_hand_out(struct resolver_exchange *exchange)
{
	struct resolver_query *query;

	exchange->holds++;
	TAILQ_FOREACH(query, &exchange->queries, link)
		query->is_ready = true;
	while ((query = TAILQ_FIRST(&exchange->queries)) && query->is_ready)
		hand_out_one(exchange, query);
	exchange->holds--;
	resolver_exchange_tidy(exchange);
}
