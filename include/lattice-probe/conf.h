/* SPDX-License-Identifier: Apache-2.0 */
/* conf: the whole configuration, read once from INI files and then immutable. All mistakes are
 * collected, not only the first; a configuration with mistakes is never handed out. The keys, their
 * types, units, defaults and ranges stand in one table (conf_keys.h). Blocks on file I/O: at start,
 * in shell commands, and in the thread pool on reload. Returns; never logs. */
#ifndef LATTICE_PROBE_CONF_H
#define LATTICE_PROBE_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lattice-probe/buf.h"
#include "lattice-probe/datum.h"
#include "lattice-probe/metric.h"
#include "lattice-probe/target.h"

#define CONF_NAME_SIZE 256
#define CONF_STATE_DIRECTORY "/var/lib/lattice-probe"
#define CONF_SOCKET_SIZE 100 /* unix(7) takes 107 bytes; the agent makes it under PATH.PID first */
#define CONF_DIMENSION_SETS_MAX 8
#define CONF_SET_DIMENSIONS_MAX 8
#define CONF_STATIC_DIMENSIONS_MAX 16

enum conf_agent_metrics { CONF_AGENT_METRICS_FLEET, CONF_AGENT_METRICS_AGENT, CONF_AGENT_METRICS_BOTH,
	CONF_AGENT_METRICS_NONE };

/* Service and facts from IMDS, in the order of the file. The static dimensions belong to every set
 * besides; a set that names one keeps nothing of it here. */
struct conf_dimension_set {
	size_t count;
	char names[CONF_SET_DIMENSIONS_MAX][64];
};

struct conf_static_dimension {
	char *name;
	char *value;
};

struct conf {
	/* [agent] */
	char fleet[CONF_NAME_SIZE];
	char agent_id[CONF_NAME_SIZE]; /* "": found out at start */
	int max_dns_rate;              /* datagrams a second */
	int max_in_flight;
	char state_directory[CONF_NAME_SIZE]; /* "none" or an absolute path */
	int64_t store_retention_us;
	int64_t store_max_bytes;
	int64_t outbox_max_bytes;
	int64_t shutdown_timeout_us;
	char status_socket[CONF_SOCKET_SIZE]; /* "none" or an absolute path */
	struct target defaults;        /* what a probe is that sets nothing: timers of [agent], the rest
	                                  from the table; never referenced as a target */

	/* [cloudwatch] */
	char namespace_[CONF_NAME_SIZE];
	int64_t period_us;             /* 1, 5, 10, 30 s or a multiple of 60 s */
	char region[64];               /* "auto" or a region name */
	char endpoint[CONF_NAME_SIZE]; /* "auto" or an https (http on loopback) URL */
	char proxy[CONF_NAME_SIZE];    /* "none" or an http URL */
	unsigned metrics;              /* enum metric_bit, those of METRIC_SCOPE_CHOSEN */
	bool failure_metrics_always;
	enum conf_agent_metrics agent_metrics;
	struct conf_dimension_set dimension_sets[CONF_DIMENSION_SETS_MAX];
	size_t dimension_set_count;
	struct conf_static_dimension static_dimensions[CONF_STATIC_DIMENSIONS_MAX];
	size_t static_dimension_count;
	int expected_agents;
	int64_t backfill_interval_us;  /* of backfill_rate: at most one request of old data in it */
	int max_metrics;

	/* [probe NAME], in the order of the files; disabled ones (enabled = no) are left out but counted */
	struct target **targets; /* a reference each */
	size_t target_count;
	size_t disabled_count;
};

enum conf_severity { CONF_MISTAKE, CONF_WARNING };

/* One finding: "file:line: [section] key: what is wrong, what is allowed". */
struct conf_finding {
	enum conf_severity severity;
	char *file;    /* owned */
	unsigned file_order; /* place of the file in the order of reading */
	unsigned line; /* 0: the file as a whole */
	char *text;    /* "[probe a] timeout: 5 has no unit; write 5s (ms, s, m, h, d)"; owned */
};

#define CONF_FINDINGS_MAX 1000 /* further ones are only counted */

struct conf_findings {
	struct conf_finding *items;
	size_t count;
	size_t mistakes; /* including those beyond CONF_FINDINGS_MAX */
	size_t warnings;
	int failed;      /* ERR_NOMEM: a finding could not be kept */
};

void conf_findings_init(struct conf_findings *findings);
void conf_findings_done(struct conf_findings *findings);

/* Reads `path` and then every *.conf of the directory conf.d beside it, by name. With mistakes:
 * ERR_SYNTAX, *ret_conf untouched, `findings` says them all (sorted by file order and line). Gives
 * *ret_conf otherwise; warnings may still be in `findings`. ERR_NOMEM is the only other error. */
int conf_load(const char *path, struct conf **ret_conf, struct conf_findings *findings);

/* The same from memory, `name` standing for the file name (tests, fuzzing, no conf.d). */
int conf_load_text(const char *name, const char *text, size_t length_bytes, struct conf **ret_conf,
	struct conf_findings *findings);

/* The defaults with no probe at all, for commands that need no file. NULL: no memory. */
struct conf *conf_new_default(void);
void conf_free(struct conf *conf); /* NULL is fine */

/* A target for a URL from the command line, with the timers of conf. On ERR_SYNTAX *ret_why is a
 * static sentence. */
int conf_target_for_url(const struct conf *conf, const char *url, struct target **ret_target,
	const char **ret_why);

#endif
