/* SPDX-License-Identifier: Apache-2.0 */
/* diagnose_table: one diagnosis for people, fit to be pasted into a ticket: the verdict, the path drawn hop
 * by hop, why, what was ruled out, what to do. */
#ifndef LATTICE_PROBE_DIAGNOSE_TABLE_H
#define LATTICE_PROBE_DIAGNOSE_TABLE_H

#include <stdbool.h>
#include <stdio.h>

struct cli_terminal;
struct diagnosis;
struct evidence;

/* No line is wider than the terminal, except commands, which are never cut so that they can be copied.
 * `verbose`: also the basis, each step's question, accounts and principals. */
void diagnose_table_print(FILE *stream, const struct cli_terminal *terminal, const struct evidence *evidence,
	const struct diagnosis *diagnosis, bool verbose);

#endif
