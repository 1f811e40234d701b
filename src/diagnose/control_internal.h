/* SPDX-License-Identifier: Apache-2.0 */
/* control_internal: the questions to the control plane, one row each (control_jobs): what each needs, how
 * it is written, how its answer is read. control drives them. */
#ifndef LATTICE_PROBE_CONTROL_INTERNAL_H
#define LATTICE_PROBE_CONTROL_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "lattice-probe/buf.h"
#include "lattice-probe/control.h"
#include "lattice-probe/control_facts.h"

enum control_call control_jobs_call(enum control_job job);
bool control_jobs_is_lattice(enum control_job job); /* else EC2 */

enum control_next { CONTROL_NEXT_WAIT, CONTROL_NEXT_ASK, CONTROL_NEXT_SKIP };

/* Whether the job can be asked with what is known. `has_ended` of each: with an answer or without. */
enum control_next control_jobs_next(enum control_job job, const struct control_facts *facts,
	const bool has_ended[static JOB_COUNT]);

/* Writes the path and query of a GET (VPC Lattice), or a form (EC2). 0, ERR_NOMEM, ERR_LIMIT. */
int control_jobs_write(enum control_job job, const struct control_facts *facts, const struct control_page *page,
	struct buf *ret_text);
int control_jobs_read(enum control_job job, const char *text, size_t length_bytes, struct control_facts *facts,
	struct control_page *ret_page);

#endif
