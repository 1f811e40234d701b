/* SPDX-License-Identifier: Apache-2.0 */
/* reload: the difference between the configuration that runs and the one that was read anew. Of probes:
 * which stay as they are, changed, came or went. Of the keys of [agent] and [cloudwatch]: which differ, and
 * what it takes for the new value to hold. Pure; borrows both configurations until the call returns. */
#ifndef LATTICE_PROBE_RELOAD_H
#define LATTICE_PROBE_RELOAD_H

#include <stdbool.h>
#include <stddef.h>

struct conf;
struct target;

/* ---- probes ---- */

enum reload_fate {
	RELOAD_UNCHANGED, /* target_is_equal: the probe keeps its state */
	RELOAD_CHANGED,
	RELOAD_ADDED
};

struct reload_probe {
	enum reload_fate fate;
	size_t before; /* its place among the targets before; not for RELOAD_ADDED */
};

struct reload_difference {
	struct reload_probe *probes; /* one for each target after; owned */
	bool *is_removed;            /* one for each target before; owned */
	size_t unchanged;
	size_t changed;
	size_t added;
	size_t removed;
};

/* By name; names are distinct within a configuration. 0 or ERR_NOMEM. */
int reload_compare(struct target *const *before, size_t before_count, struct target *const *after,
	size_t after_count, struct reload_difference *ret_difference);
void reload_difference_done(struct reload_difference *difference);

/* ---- keys ---- */

enum reload_effect {
	RELOAD_AT_ONCE,       /* holds from now on */
	RELOAD_NEW_WINDOWS,   /* the windows open now close early; new ones are made by the new value */
	RELOAD_NEXT_START,    /* until the agent has found out who it is; then it takes a restart */
	RELOAD_NEXT_PROCESS   /* takes a restart */
};

struct reload_key {
	const char *section; /* "agent", "cloudwatch" */
	const char *name;    /* "dimension." for all of dimension.NAME */
	enum reload_effect effect;
	size_t offset;       /* of the field in struct conf, and its size */
	size_t size_bytes;
	bool (*is_equal)(const struct conf *a, const struct conf *b);
};

/* Every key of the two sections but those that probes inherit: their change is that of the probes. */
extern const struct reload_key reload_keys[];
extern const size_t reload_keys_count;

/* Gives the field of `after` the value of `before`; for keys that take a restart. */
void reload_keep(const struct reload_key *key, const struct conf *before, struct conf *after);

#endif
