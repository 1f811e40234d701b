/* SPDX-License-Identifier: Apache-2.0 */
#include "lattice-probe/reload.h"

#include <stdlib.h>
#include <string.h>

#include "lattice-probe/conf.h"
#include "lattice-probe/err.h"
#include "lattice-probe/target.h"

/* ---- probes ------------------------------------------------------------------------------- */

/* A target before, and its place. */
struct place {
	const struct target *target;
	size_t index;
};

static int compare_places(const void *a, const void *b)
{
	const struct place *left = a;
	const struct place *right = b;

	return strcmp(left->target->name, right->target->name);
}

static int compare_name(const void *name, const void *place)
{
	return strcmp(name, ((const struct place *)place)->target->name);
}

static void judge(const struct place *places, size_t count, const struct target *after,
	struct reload_difference *difference, struct reload_probe *ret_probe)
{
	const struct place *place =
		count > 0 ? bsearch(after->name, places, count, sizeof *places, compare_name) : NULL;

	if (!place) {
		*ret_probe = (struct reload_probe){ .fate = RELOAD_ADDED };
		difference->added++;
		return;
	}
	*ret_probe = (struct reload_probe){ RELOAD_CHANGED, place->index };
	if (target_is_equal(place->target, after)) {
		ret_probe->fate = RELOAD_UNCHANGED;
		difference->unchanged++;
	} else {
		difference->changed++;
	}
	difference->is_removed[place->index] = false;
	difference->removed--;
}

int reload_compare(struct target *const *before, size_t before_count, struct target *const *after,
	size_t after_count, struct reload_difference *ret_difference)
{
	struct reload_difference difference = { .removed = before_count };
	struct place *places = calloc(before_count + 1, sizeof *places);

	difference.probes = calloc(after_count + 1, sizeof *difference.probes);
	difference.is_removed = calloc(before_count + 1, sizeof *difference.is_removed);
	if (!places || !difference.probes || !difference.is_removed)
		goto fail;
	for (size_t i = 0; i < before_count; i++) {
		places[i] = (struct place){ before[i], i };
		difference.is_removed[i] = true;
	}
	qsort(places, before_count, sizeof *places, compare_places);
	for (size_t i = 0; i < after_count; i++)
		judge(places, before_count, after[i], &difference, &difference.probes[i]);
	free(places);
	*ret_difference = difference;
	return 0;
fail:
	free(places);
	reload_difference_done(&difference);
	return ERR_NOMEM;
}

void reload_difference_done(struct reload_difference *difference)
{
	free(difference->probes);
	free(difference->is_removed);
	*difference = (struct reload_difference){ 0 };
}

/* ---- keys --------------------------------------------------------------------------------- */

static bool resolvers_are_equal(const struct conf *a, const struct conf *b)
{
	return target_resolver_is_equal(&a->defaults.resolver, &b->defaults.resolver);
}

static bool static_dimensions_are_equal(const struct conf *a, const struct conf *b)
{
	if (a->static_dimension_count != b->static_dimension_count)
		return false;
	for (size_t i = 0; i < a->static_dimension_count; i++)
		if (strcmp(a->static_dimensions[i].name, b->static_dimensions[i].name) != 0 ||
		    strcmp(a->static_dimensions[i].value, b->static_dimensions[i].value) != 0)
			return false;
	return true;
}

static bool names_are_equal(const struct conf_dimension_set *a, const struct conf_dimension_set *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->names[i], b->names[i]) != 0)
			return false;
	return true;
}

static bool dimension_sets_are_equal(const struct conf *a, const struct conf *b)
{
	if (a->dimension_set_count != b->dimension_set_count)
		return false;
	for (size_t i = 0; i < a->dimension_set_count; i++)
		if (!names_are_equal(&a->dimension_sets[i], &b->dimension_sets[i]))
			return false;
	return true;
}

#define FIELD(section_, name_, effect_, field) \
	{ .section = section_, .name = name_, .effect = effect_, .offset = offsetof(struct conf, field), \
		.size_bytes = sizeof((struct conf *)0)->field, .is_equal = field##_is_equal }
#define TEXT_IS_EQUAL(field) \
	static bool field##_is_equal(const struct conf *a, const struct conf *b) \
	{ \
		return strcmp(a->field, b->field) == 0; \
	}
#define NUMBER_IS_EQUAL(field) \
	static bool field##_is_equal(const struct conf *a, const struct conf *b) \
	{ \
		return a->field == b->field; \
	}

TEXT_IS_EQUAL(fleet)
TEXT_IS_EQUAL(agent_id)
NUMBER_IS_EQUAL(max_dns_rate)
NUMBER_IS_EQUAL(max_in_flight)
NUMBER_IS_EQUAL(shutdown_timeout_us)
TEXT_IS_EQUAL(status_socket)
TEXT_IS_EQUAL(state_directory)
NUMBER_IS_EQUAL(store_retention_us)
NUMBER_IS_EQUAL(store_max_bytes)
NUMBER_IS_EQUAL(outbox_max_bytes)
TEXT_IS_EQUAL(namespace_)
NUMBER_IS_EQUAL(metrics)
NUMBER_IS_EQUAL(failure_metrics_always)
NUMBER_IS_EQUAL(agent_metrics)
NUMBER_IS_EQUAL(period_us)
TEXT_IS_EQUAL(region)
TEXT_IS_EQUAL(endpoint)
TEXT_IS_EQUAL(proxy)
NUMBER_IS_EQUAL(backfill_interval_us)
NUMBER_IS_EQUAL(expected_agents)
NUMBER_IS_EQUAL(max_metrics)

/* In the order of the shipped file. What waits in the queue belongs to its namespace and endpoint, the
 * phase of every probe to the agent id, the length of a window to its period. */
const struct reload_key reload_keys[] = {
	FIELD("agent", "fleet", RELOAD_NEW_WINDOWS, fleet),
	FIELD("agent", "agent_id", RELOAD_NEXT_START, agent_id),
	/* Of probes it changes at once; this is the agent's own way to AWS. */
	{ .section = "agent", .name = "resolver", .effect = RELOAD_NEXT_PROCESS,
		.offset = offsetof(struct conf, defaults.resolver), .size_bytes = sizeof(struct target_resolver),
		.is_equal = resolvers_are_equal },
	FIELD("agent", "max_dns_rate", RELOAD_AT_ONCE, max_dns_rate),
	FIELD("agent", "max_in_flight", RELOAD_AT_ONCE, max_in_flight),
	FIELD("agent", "state_directory", RELOAD_NEXT_START, state_directory),
	FIELD("agent", "store_retention", RELOAD_NEXT_START, store_retention_us),
	FIELD("agent", "store_max_size", RELOAD_NEXT_START, store_max_bytes),
	FIELD("agent", "outbox_max_size", RELOAD_NEXT_START, outbox_max_bytes),
	FIELD("agent", "shutdown_timeout", RELOAD_AT_ONCE, shutdown_timeout_us),
	FIELD("agent", "status_socket", RELOAD_AT_ONCE, status_socket),
	FIELD("cloudwatch", "namespace", RELOAD_NEXT_START, namespace_),
	{ .section = "cloudwatch", .name = "dimension.", .effect = RELOAD_NEW_WINDOWS,
		.is_equal = static_dimensions_are_equal },
	{ .section = "cloudwatch", .name = "dimension_sets", .effect = RELOAD_NEW_WINDOWS,
		.is_equal = dimension_sets_are_equal },
	FIELD("cloudwatch", "metrics", RELOAD_NEW_WINDOWS, metrics),
	FIELD("cloudwatch", "failure_metrics", RELOAD_NEW_WINDOWS, failure_metrics_always),
	FIELD("cloudwatch", "agent_metrics", RELOAD_NEW_WINDOWS, agent_metrics),
	FIELD("cloudwatch", "period", RELOAD_NEXT_START, period_us),
	FIELD("cloudwatch", "region", RELOAD_NEXT_START, region),
	FIELD("cloudwatch", "endpoint", RELOAD_NEXT_START, endpoint),
	FIELD("cloudwatch", "proxy", RELOAD_NEXT_PROCESS, proxy),
	FIELD("cloudwatch", "backfill_rate", RELOAD_AT_ONCE, backfill_interval_us),
	FIELD("cloudwatch", "expected_agents", RELOAD_AT_ONCE, expected_agents),
	FIELD("cloudwatch", "max_metrics", RELOAD_AT_ONCE, max_metrics),
};

const size_t reload_keys_count = sizeof reload_keys / sizeof *reload_keys;

void reload_keep(const struct reload_key *key, const struct conf *before, struct conf *after)
{
	memcpy((char *)after + key->offset, (const char *)before + key->offset, key->size_bytes);
}
