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
	CONF_TYPE_TEXT,     /* into a char array of the struct */
	CONF_TYPE_CHOICE,   /* one word of `choices`, its place becomes the enum value */
	CONF_TYPE_CUSTOM    /* has its own setter: resolver, metrics, header.NAME, … */
};

struct conf_key {
	const char *name;          /* "timeout"; "header." for a family of keys that ends in a NAME */
	unsigned sections;         /* enum conf_section bits where it may stand */
	enum conf_type type;
	const char *unit;          /* for people: "duration", "bytes", "datagrams/s", ""; */
	const char *default_text;  /* as one would write it; "" for none */
	int64_t min;
	int64_t max;
	const char *choices;       /* "none|sigv4" for CONF_TYPE_CHOICE; else what is allowed, in words */
	const char *help;          /* one sentence */
};

extern const struct conf_key conf_keys[];
extern const size_t conf_keys_count;

/* The key of that exact name (or family) allowed in the section; NULL: none. */
const struct conf_key *conf_keys_find(const char *name, enum conf_section section);

#endif
