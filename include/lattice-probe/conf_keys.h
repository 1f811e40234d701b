/* SPDX-License-Identifier: Apache-2.0 */
/* conf_keys: the one table of configuration keys. The reader, check-config, the shipped file's test
 * and the manual are all made from it or checked against it. */
#ifndef LATTICE_PROBE_CONF_KEYS_H
#define LATTICE_PROBE_CONF_KEYS_H

#include <stddef.h>
#include <stdint.h>

enum conf_section { CONF_SECTION_AGENT = 1, CONF_SECTION_CLOUDWATCH = 2, CONF_SECTION_PROBE = 4 };

enum conf_type {
	CONF_TYPE_INTEGER,
	CONF_TYPE_DURATION, /* microseconds */
	CONF_TYPE_SIZE,     /* bytes */
	CONF_TYPE_BOOL,
	CONF_TYPE_TEXT,     /* printable ASCII, into a char array of the struct */
	CONF_TYPE_CHOICE,   /* one word of `choices`, its place becomes the enum value */
	CONF_TYPE_CUSTOM    /* has its own setter: resolver, metrics, header.NAME, … */
};

/* What an indented line below the key does. */
enum conf_join {
	CONF_JOIN_NEVER,   /* it is a mistake */
	CONF_JOIN_NOTHING, /* goes on with the value, nothing between */
	CONF_JOIN_NEWLINE  /* goes on with the value after a newline; " ;" in such a value is a mistake */
};

struct conf_builder;
struct conf_setting;

struct conf_key {
	const char *name;          /* "timeout"; "header." for a family of keys that ends in a NAME */
	unsigned sections;         /* enum conf_section bits where it may stand */
	enum conf_type type;
	enum conf_join join;
	const char *unit;          /* for people: "duration", "bytes", "datagrams/s"; NULL: none */
	const char *default_text;  /* as one would write it; "" for none */
	int64_t min;
	int64_t max;
	const char *choices;       /* "none|sigv4" for CONF_TYPE_CHOICE; else what is allowed, in words;
	                              NULL where min and max say it */
	const char *help;          /* one sentence */

	/* Where the value goes: offset and size of a field of struct target for a key that may stand in
	 * a probe, of struct conf for any other. CONF_TYPE_CUSTOM: the setter, which reports mistakes
	 * by itself; 0 or ERR_NOMEM. */
	size_t offset;
	size_t size_bytes;
	int (*set)(struct conf_builder *builder, struct conf_setting *setting);
};

extern const struct conf_key conf_keys[];
extern const size_t conf_keys_count;

/* The key of that exact name (or family) allowed in the section; NULL: none. */
const struct conf_key *conf_keys_find(const char *name, enum conf_section section);

/* The key a misspelt name most likely means: of that section first, else of any; NULL when nothing
 * comes near. */
const struct conf_key *conf_keys_nearest(const char *name, enum conf_section section);

#endif
