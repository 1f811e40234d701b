/* SPDX-License-Identifier: Apache-2.0 */
/* A table of fixed size: a key's hash picks a set of four places, of which the one that expires first
 * is given up. Replies are kept as bytes, a fraction of a parsed message. */
#include "lattice-probe/resolver.h"

#include <stdlib.h>
#include <string.h>

#include "resolver_internal.h"

void resolver_memory_done(struct resolver_memory *memory)
{
	for (size_t set = 0; set < RESOLVER_MEMORY_SETS; set++)
		for (size_t way = 0; way < RESOLVER_MEMORY_WAYS; way++) {
			free(memory->entries[set][way]);
			memory->entries[set][way] = NULL;
		}
}

/* The place of the key, else an empty one, else that of the entry that expires first. */
static struct resolver_remembered **pick_place(struct resolver_memory *memory, const struct resolver_key *key)
{
	struct resolver_remembered **set = memory->entries[resolver_key_hash(key) % RESOLVER_MEMORY_SETS];
	struct resolver_remembered **place = &set[0];

	for (size_t way = 0; way < RESOLVER_MEMORY_WAYS; way++)
		if (set[way] && resolver_key_is_equal(&set[way]->key, key))
			return &set[way];
	for (size_t way = 1; way < RESOLVER_MEMORY_WAYS; way++)
		if (*place && (!set[way] || set[way]->expires.us < (*place)->expires.us))
			place = &set[way];
	return place;
}

void resolver_memory_forget(struct resolver_memory *memory, const struct resolver_key *key)
{
	struct resolver_remembered **set = memory->entries[resolver_key_hash(key) % RESOLVER_MEMORY_SETS];

	for (size_t way = 0; way < RESOLVER_MEMORY_WAYS; way++)
		if (set[way] && resolver_key_is_equal(&set[way]->key, key)) {
			free(set[way]);
			set[way] = NULL;
		}
}

void resolver_memory_put(struct resolver_memory *memory, const struct resolver_key *key,
	const union address *server, const uint8_t *reply, size_t length_bytes, struct mono expires)
{
	struct resolver_remembered **place;
	struct resolver_remembered *entry;

	if (length_bytes > RESOLVER_MEMORY_REPLY_MAX)
		return;
	entry = malloc(sizeof *entry + length_bytes);
	if (!entry)
		return;
	entry->key = *key;
	entry->server = *server;
	entry->expires = expires;
	entry->length_bytes = length_bytes;
	memcpy(entry->reply, reply, length_bytes);
	place = pick_place(memory, key);
	free(*place);
	*place = entry;
}

const struct resolver_remembered *resolver_memory_find(const struct resolver_memory *memory,
	const struct resolver_key *key, struct mono now)
{
	struct resolver_remembered *const *set = memory->entries[resolver_key_hash(key) % RESOLVER_MEMORY_SETS];

	for (size_t way = 0; way < RESOLVER_MEMORY_WAYS; way++)
		if (set[way] && now.us < set[way]->expires.us && resolver_key_is_equal(&set[way]->key, key))
			return set[way];
	return NULL;
}
