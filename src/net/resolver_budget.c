/* SPDX-License-Identifier: Apache-2.0 */
#include "lattice-probe/resolver.h"

#include <assert.h>

#include "resolver_internal.h"

#define ONE_DATAGRAM US_PER_S /* in millionths, so that a rate times microseconds needs no division */

void resolver_budget_init(struct resolver_budget *budget, int max_rate)
{
	assert(max_rate >= 0);
	*budget = (struct resolver_budget){ .max_rate = max_rate, .level = max_rate * ONE_DATAGRAM };
}

static void refresh(struct resolver_budget *budget, struct mono now)
{
	int64_t depth = budget->max_rate * ONE_DATAGRAM;
	int64_t elapsed_us = mono_since(now, budget->refreshed);

	if (!mono_is_set(budget->refreshed))
		elapsed_us = 0;
	budget->refreshed = now;
	/* Compared by time, not by level: a day times the rate must not overflow. */
	if (elapsed_us >= (depth - budget->level) / (budget->max_rate ? budget->max_rate : 1))
		budget->level = depth;
	else
		budget->level += elapsed_us * budget->max_rate;
}

void resolver_budget_change(struct resolver_budget *budget, int max_rate, struct mono now)
{
	assert(max_rate >= 0);
	refresh(budget, now);
	budget->max_rate = max_rate;
	if (budget->level > max_rate * ONE_DATAGRAM)
		budget->level = max_rate * ONE_DATAGRAM;
}

bool resolver_budget_allows(struct resolver_budget *budget, struct mono now)
{
	refresh(budget, now);
	return budget->max_rate == 0 || budget->level >= ONE_DATAGRAM;
}

void resolver_budget_spend(struct resolver_budget *budget, struct mono now)
{
	refresh(budget, now);
	budget->datagrams++;
	if (budget->max_rate > 0)
		budget->level -= ONE_DATAGRAM;
}

struct mono resolver_budget_next(struct resolver_budget *budget, struct mono now)
{
	if (resolver_budget_allows(budget, now))
		return now;
	return mono_add(now, (ONE_DATAGRAM - budget->level + budget->max_rate - 1) / budget->max_rate);
}
