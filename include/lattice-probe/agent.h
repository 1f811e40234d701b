/* SPDX-License-Identifier: Apache-2.0 */
/* agent: joins the stages into the daemon: schedule → probe → aggregate → sink. The only room that
 * knows them all. Logs. */
#ifndef LATTICE_PROBE_AGENT_H
#define LATTICE_PROBE_AGENT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct conf;

struct agent_options {
	const char *conf_path;
	bool dry_run;  /* print the datums instead of sending them */
	FILE *output;  /* where --dry-run prints */
};

/* Runs until SIGTERM or SIGINT; 0, or an exit code of the command line. Takes conf over. */
int agent_run(struct conf *conf, const struct agent_options *options);

#endif
