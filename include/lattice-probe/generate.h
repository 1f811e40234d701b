/* SPDX-License-Identifier: Apache-2.0 */
/* generate: what the documents for the AWS side (IAM policy, alarms, dashboard) have in common: they are
 * made from a configuration alone, without clock, network or environment, and come with sentences for
 * people about what was left out and why. */
#ifndef LATTICE_PROBE_GENERATE_H
#define LATTICE_PROBE_GENERATE_H

#include <stdbool.h>
#include <stddef.h>

#include "lattice-probe/buf.h"

struct conf;
struct conf_static_dimension;

#define GENERATE_TEXT_MAX ((size_t)64 * 1024 * 1024) /* of one document */
#define GENERATE_PARTS_MAX 1000

struct generate_options {
	const char *region; /* "": not known */

	/* Values of dimensions that only an instance knows: AvailabilityZoneId = use1-az1. */
	const struct conf_static_dimension *facts;
	size_t fact_count;

	/* Part `part` of `parts`, from 1; 0 of 0 for everything. A service stays in its part whatever is
	 * added or reordered, as long as `parts` is the same. The first part also holds the agents' own. */
	unsigned part;
	unsigned parts;
};

/* What is said beside the document. */
struct generate_words {
	struct buf notes;   /* sentences, a line each */
	struct buf refusal; /* why there is no document, and what to do; "" when there is one */
};

void generate_words_init(struct generate_words *words);
void generate_words_done(struct generate_words *words);

/* The dimensions an instance gives values to, by place from 0; NULL beyond the last. Static text. */
const char *generate_fact_name(size_t place);

#endif
