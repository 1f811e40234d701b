/* SPDX-License-Identifier: Apache-2.0 */
#include "lattice-probe/resolver.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lattice-probe/loop.h"
#include "resolver_internal.h"

struct resolver *resolver_new(struct loop *loop, const struct resolver_options *options)
{
	struct resolver *resolver = calloc(1, sizeof *resolver);

	if (!resolver)
		return NULL;
	resolver->loop = loop;
	for (size_t i = 0; i < RESOLVER_BUCKETS; i++)
		LIST_INIT(&resolver->buckets[i]);
	TAILQ_INIT(&resolver->waiting);
	resolver_budget_init(&resolver->budget, options->max_rate);
	if (resolver_system_init(&resolver->system, options->resolv_conf, options->resolved_conf) != 0)
		goto fail;
	if (resolver_channel_pool_init(&resolver->pool, loop, &resolver->budget) != 0)
		goto fail;
	resolver->has_pool = true;
	return resolver;
fail:
	resolver_free(resolver);
	return NULL;
}

void resolver_free(struct resolver *resolver)
{
	struct resolver_exchange *exchange;

	if (!resolver)
		return;
	for (size_t i = 0; i < RESOLVER_BUCKETS; i++)
		while ((exchange = LIST_FIRST(&resolver->buckets[i]))) {
			assert(TAILQ_EMPTY(&exchange->queries));
			resolver_exchange_free(exchange);
		}
	loop_timer_stop(resolver->loop, &resolver->drain);
	if (resolver->has_pool)
		resolver_channel_pool_done(&resolver->pool);
	resolver_system_done(&resolver->system);
	resolver_memory_done(&resolver->memory);
	free(resolver);
}

size_t resolver_servers(struct resolver *resolver, const struct target_resolver *servers,
	union address ret_servers[static TARGET_RESOLVERS_MAX], bool *ret_is_local)
{
	struct mono now = mono_now();

	*ret_is_local = false;
	if (servers->mode == TARGET_RESOLVER_LIST) {
		memcpy(ret_servers, servers->servers, servers->server_count * sizeof *ret_servers);
		return servers->server_count;
	}
	if (servers->mode == TARGET_RESOLVER_VPC) {
		resolver_system_vpc(&resolver->system, now, &ret_servers[0]);
		return 1;
	}
	resolver_system_refresh(&resolver->system, now);
	memcpy(ret_servers, resolver->system.servers, resolver->system.server_count * sizeof *ret_servers);
	*ret_is_local = resolver->system.is_local;
	return resolver->system.server_count;
}

static void set_key(struct resolver *resolver, const struct resolver_question *question,
	struct resolver_key *ret_key)
{
	size_t length = strlen(question->name);
	bool is_local;

	memset(ret_key, 0, sizeof *ret_key);
	ret_key->type = question->type;
	ret_key->server_count = resolver_servers(resolver, question->servers, ret_key->servers, &is_local);
	/* A name that does not fit is no valid one, and stays so when cut. */
	if (length > sizeof ret_key->name - 1)
		length = sizeof ret_key->name - 1;
	for (size_t i = 0; i < length; i++)
		ret_key->name[i] = question->name[i] >= 'A' && question->name[i] <= 'Z'
			? (char)(question->name[i] + ('a' - 'A')) : question->name[i];
}

struct resolver_query *resolver_ask(struct resolver *resolver, const struct resolver_question *question,
	void (*started)(void *user), void (*answered)(void *user, const struct resolver_answer *answer),
	void *user)
{
	struct resolver_query *query = calloc(1, sizeof *query);
	struct resolver_exchange *exchange;
	struct resolver_key key;
	union address literal;

	assert(parse_address(question->name, 53, &literal) != 0);
	assert(question->type == DNS_TYPE_A || question->type == DNS_TYPE_AAAA);
	assert(question->timeout_us > 0 && (question->tries == 1 || question->tries == 2));
	if (!query)
		return NULL;
	*query = (struct resolver_query){ .asked = mono_now(), .started = started, .answered = answered,
		.user = user };
	set_key(resolver, question, &key);
	exchange = resolver_exchange_find(resolver, question, &key);
	if (exchange) {
		resolver_query_join(query, exchange);
		resolver_exchange_tidy(exchange);
	} else {
		exchange = resolver_exchange_new(resolver, question, &key);
		if (!exchange)
			goto fail;
		resolver_query_join(query, exchange);
		if (resolver_exchange_begin(exchange) != 0)
			goto fail;
	}
	resolver->counters.questions++;
	return query;
fail:
	if (exchange)
		resolver_exchange_free(exchange);
	free(query);
	return NULL;
}

void resolver_cancel(struct resolver_query *query)
{
	resolver_query_leave(query);
}

void resolver_set_max_rate(struct resolver *resolver, int max_rate)
{
	resolver_budget_change(&resolver->budget, max_rate, mono_now());
}

void resolver_read_counters(const struct resolver *resolver, struct resolver_counters *ret_counters)
{
	*ret_counters = resolver->counters;
	ret_counters->datagrams = resolver->budget.datagrams;
}
