/* SPDX-License-Identifier: Apache-2.0 */
/* units: instants and durations. An instant is a one-field struct, one type for each clock, so
 * that the compiler refuses to mix them; a duration is a plain int64_t whose name says its unit.
 * Latency is only ever measured on mono; signatures and metric timestamps only ever use wall. */
#ifndef LATTICE_PROBE_UNITS_H
#define LATTICE_PROBE_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define US_PER_MS INT64_C(1000)
#define US_PER_S INT64_C(1000000)
#define US_PER_DAY (INT64_C(86400) * US_PER_S)

/* Microseconds since an arbitrary start; CLOCK_MONOTONIC. us == 0 means "never". */
struct mono {
	int64_t us;
};

/* Microseconds since 1970-01-01T00:00:00Z; CLOCK_REALTIME. us == 0 means "never". */
struct wall {
	int64_t us;
};

struct mono mono_now(void);
struct wall wall_now(void);

static inline struct mono mono_add(struct mono instant, int64_t duration_us)
{
	return (struct mono){ instant.us + duration_us };
}

static inline struct wall wall_add(struct wall instant, int64_t duration_us)
{
	return (struct wall){ instant.us + duration_us };
}

/* later - earlier, in microseconds. */
static inline int64_t mono_since(struct mono later, struct mono earlier)
{
	return later.us - earlier.us;
}

static inline int64_t wall_since(struct wall later, struct wall earlier)
{
	return later.us - earlier.us;
}

static inline bool mono_is_set(struct mono instant)
{
	return instant.us != 0;
}

#define WALL_TEXT_SIZE 32 /* holds every format below */

/* 2026-11-23T06:01:29.123456Z (RFC 3339, UTC, always six digits). */
void wall_format_rfc3339(struct wall instant, char ret_text[static WALL_TEXT_SIZE]);

/* 20150830T123600Z, the form of X-Amz-Date (SigV4); its first eight characters are the scope date. */
void wall_format_amz(struct wall instant, char ret_text[static WALL_TEXT_SIZE]);

/* Parses an HTTP Date, IMF-fixdate only (RFC 9110 section 5.6.7). 0 or ERR_SYNTAX. */
int wall_parse_http_date(const char *text, struct wall *ret_instant);

/* Parses 2026-11-23T06:01:29[.fraction]Z or with a +hh:mm offset (RFC 3339). 0 or ERR_SYNTAX. */
int wall_parse_rfc3339(const char *text, struct wall *ret_instant);

#endif
