/* SPDX-License-Identifier: Apache-2.0 */
#include "lattice-probe/resolver.h"

#include <string.h>

#include "resolver_internal.h"

bool resolver_key_is_equal(const struct resolver_key *a, const struct resolver_key *b)
{
	if (a->type != b->type || a->server_count != b->server_count || strcmp(a->name, b->name) != 0)
		return false;
	for (size_t i = 0; i < a->server_count; i++)
		if (!address_is_equal(&a->servers[i], &b->servers[i]))
			return false;
	return true;
}

/* FNV-1a; the servers are left to the comparison, most daemons have one list of them. */
uint32_t resolver_key_hash(const struct resolver_key *key)
{
	uint32_t hash = 2166136261u;

	for (const char *at = key->name; *at; at++)
		hash = (hash ^ (uint8_t)*at) * 16777619u;
	return (hash ^ (uint32_t)key->type) * 16777619u;
}
