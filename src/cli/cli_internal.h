/* SPDX-License-Identifier: Apache-2.0 */
/* cli_internal: the commands of the shell, one file each. A command gets argv with its own name in
 * front and returns the exit code. */
#ifndef LATTICE_PROBE_CLI_INTERNAL_H
#define LATTICE_PROBE_CLI_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "lattice-probe/cli_text.h"
#include "lattice-probe/conf.h"
#include "lattice-probe/generate.h"

struct evidence_daemon;
struct option;
struct result;
struct target;

enum cli_exit {
	CLI_EXIT_OK = 0,      /* healthy */
	CLI_EXIT_FAILED = 1,  /* a probe failed or a problem was found */
	CLI_EXIT_USAGE = 2,   /* wrong usage or configuration */
	CLI_EXIT_UNKNOWN = 3  /* could not tell */
};

#define CLI_CONF_PATH LP_SYSCONFDIR "/lattice-probe.conf"

int cmd_run(int argc, char **argv);
int cmd_once(int argc, char **argv);
int cmd_diagnose(int argc, char **argv);
int cmd_check_config(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_iam_policy(int argc, char **argv);
int cmd_alarms(int argc, char **argv);
int cmd_dashboard(int argc, char **argv);
int cmd_version(int argc, char **argv);

/* For what getopt_long has just refused, and said so: the option that was meant, where one comes near, and the
 * usage. Returns CLI_EXIT_USAGE. */
int cli_refuse_option(char *const *argv, const struct option *options, void (*print_usage)(FILE *stream));

/* Loads the configuration and prints every mistake and warning to stderr. NULL: exit with
 * CLI_EXIT_USAGE. */
struct conf *cli_load_conf(const char *path);

/* The configuration for the words of a command: `path`, or the installed one, or, when there is none and
 * all words are URLs, the defaults. An installed one is used also for URLs: its timers are what the daemon
 * uses. *ret_is_file: not the defaults. NULL: exit with CLI_EXIT_USAGE, what is missing is said. */
struct conf *cli_load_conf_for(const char *command, const char *path, int count, char **words, bool *ret_is_file);

/* The probe of that name, or a target for that URL; one reference, the caller's. NULL: there is none, and
 * that is said. */
struct target *cli_find_target(const struct conf *conf, const char *word);

/* What the running agent says of this target: nothing when there is none or it does not answer at once.
 * True: its last run is in *ret_last, which was initialised for the target. */
bool diagnose_daemon_ask(const struct conf *conf, const struct target *target, struct evidence_daemon *ret_daemon,
	struct result *ret_last);

/* One mistake or warning on stderr: "file:line: [section] key: text". */
void cli_print_finding(const struct conf_finding *finding);

/* ---- cli_generate: what the commands that print documents have in common ---- */

/* The codes of options without a letter; the commands' own begin beyond. */
enum cli_generate_code { CLI_GENERATE_REGION = 256, CLI_GENERATE_DIMENSION, CLI_GENERATE_PART, CLI_GENERATE_OWN };

/* What one of them has of its own. */
struct cli_generate {
	const char *name;
	const struct option *options; /* config and help, others of enum cli_generate_code, and its own */
	void (*print_usage)(FILE *stream);
	bool needs_region;            /* there is no document without one */
	/* Takes an option from CLI_GENERATE_OWN on; false: what is wrong has been said. NULL: it has none. */
	bool (*take_own)(void *user, int option, const char *value);
	int (*make)(void *user, const struct conf *conf, const struct generate_options *options, struct buf *ret_text,
		struct generate_words *words);
	void *user;
};

/* Reads the arguments, loads the configuration, lets `make` append the document, prints it and, to stderr,
 * what `make` says beside it. Returns the exit code. */
int cli_generate(const struct cli_generate *command, int argc, char **argv);

/* Of a stream as it is now. */
struct cli_terminal cli_terminal_of(FILE *stream);

/* ---- once_table: the results of `once` for people ---- */

/* `bars`: a phase bar below each row, scaled to the slowest run. */
void once_table_print(FILE *stream, const struct cli_terminal *terminal, const struct result *results,
	size_t count, bool bars);

/* ---- status_table: what the agent said, for people ---- */

/* How many probes are in each state. */
struct status_tally {
	size_t healthy;
	size_t unhealthy;
	size_t unknown;
};
struct status_tally status_table_tally(const json_t *status);

/* A line for each probe, unhealthy ones first with their diagnosis beneath, and what the agent itself
 * is like; at most `rows` lines, the last saying what was left out, or all with 0. `now_us` is the wall
 * clock, for ages. The agent's reply may be anything. */
void status_table_print(FILE *stream, const struct cli_terminal *terminal, const json_t *status, int64_t now_us,
	int rows);

/* One line: the time, the tally, the runs, the queue. */
void status_table_print_line(FILE *stream, const json_t *status, int64_t now_us);

#endif
