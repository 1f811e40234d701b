/* SPDX-License-Identifier: Apache-2.0 */
/* generate_internal: the time series that a configuration publishes, as the documents name them; and the
 * words the documents come with. */
#ifndef LATTICE_PROBE_GENERATE_INTERNAL_H
#define LATTICE_PROBE_GENERATE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "lattice-probe/conf.h"
#include "lattice-probe/generate.h"
#include "lattice-probe/metric.h"

struct target;

/* ---- generate: words ---- */

/* One more sentence, once however often it is said. */
void generate_note(struct generate_words *words, const char *format, ...) __attribute__((format(printf, 2, 3)));
void generate_refuse(struct generate_words *words, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/) of the text and its NUL, carried on from `hash`. */
#define GENERATE_HASH_START UINT64_C(0xcbf29ce484222325)
uint64_t generate_hash(uint64_t hash, const char *text);

/* Whether this service (NULL: what belongs to none) goes into the part that was asked for. */
bool generate_is_in_part(const struct generate_options *options, const char *service);

/* Appends the value as indented JSON; the reference is taken. 0, ERR_NOMEM, ERR_LIMIT. */
int generate_json(json_t *json, struct buf *ret_text);

/* ---- series ---- */

/* Service and facts, or Fleet and Agent, and the static ones. */
#define SERIES_DIMENSIONS_MAX (CONF_SET_DIMENSIONS_MAX + CONF_STATIC_DIMENSIONS_MAX)

struct series_dimension {
	const char *name;
	const char *value; /* NULL: only the instance knows it */
};

/* The metrics of one dimension set. Borrows from the configuration. */
struct series {
	const char *service; /* NULL: of all probes together, or of agents */
	size_t dimension_count;
	struct series_dimension dimensions[SERIES_DIMENSIONS_MAX];
	unsigned metrics;        /* enum metric_bit: those that may come */
	int64_t interval_us;     /* of its most frequent probe */
	int64_t timeout_us;      /* of its slowest */
	bool is_of_fleet;        /* Heartbeat counts all agents */
};

struct series_list {
	struct series *items;
	size_t count;
};

/* Those of the services, set by set, and those of the agents. 0, ERR_NOMEM; gives, even on failure. */
int series_of_services(const struct conf *conf, const struct generate_options *options,
	struct series_list *ret_list);
int series_of_agents(const struct conf *conf, struct series_list *ret_list);
void series_done(struct series_list *list);

/* The first dimension whose value is not known; NULL: all are. */
const char *series_unknown(const struct series *series);

/* Of namespace and dimensions, in whatever order they stand. */
uint64_t series_hash(const struct conf *conf, const struct series *series);

#endif
