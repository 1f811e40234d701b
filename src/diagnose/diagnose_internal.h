/* SPDX-License-Identifier: Apache-2.0 */
/* diagnose_internal: one diagnosis and its parts. diagnose.c is its life; diagnose_aws.c starts what goes
 * to AWS, diagnose_exchange.c what goes to the service. A part is idle, open or ended; whatever ends one
 * calls diagnose_part_ended(), which starts what has become possible. */
#ifndef LATTICE_PROBE_DIAGNOSE_INTERNAL_H
#define LATTICE_PROBE_DIAGNOSE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "question_internal.h"

#include "lattice-probe/diagnose.h"
#include "lattice-probe/diagnosis.h"
#include "lattice-probe/evidence.h"
#include "lattice-probe/loop.h"
#include "lattice-probe/probe.h"
#include "lattice-probe/units.h"

#define DIAGNOSE_REGION_SIZE 64
#define DIAGNOSE_RESERVE_US (2500 * US_PER_MS) /* that the main exchange leaves for those after it */
#define DIAGNOSE_MARGIN_US (300 * US_PER_MS)   /* parts end by themselves before the hard deadline */

enum part {
	PART_WHERE, PART_REGION, PART_DNS, PART_AGAIN, PART_GENERATED, PART_CREDENTIALS, PART_CONTROL,
	PART_PUBLISHING, PART_MAINS, PART_MAINS_END = PART_MAINS + EVIDENCE_PATHS_MAX - 1, PART_FOLLOW_UPS,
	PART_FOLLOW_UPS_END = PART_FOLLOW_UPS + EXCHANGE_KINDS - 1, PART_RUN, PARTS
};

enum part_state { PART_IDLE, PART_OPEN, PART_ENDED };

/* What a question's callback gets as its user. */
struct part_link {
	struct diagnose *diagnose;
	enum part_state state;
};

struct diagnose {
	const struct diagnose_context *context;
	struct target *target;
	bool asks_aws;
	bool asks_publishing;
	bool has_last;
	struct evidence_exchange last;
	struct mono started;
	struct mono deadline;
	struct loop_timer limit;
	struct loop_timer patience; /* with credentials */
	bool is_done;
	bool has_paths;
	int64_t main_timeout_us;
	void (*finished)(void *user, const struct evidence *evidence, const struct diagnosis *diagnosis);
	void *user;

	struct part_link parts[PARTS];
	struct question_where where;
	struct question_dns dns;
	struct question_again again;
	struct question_generated generated;
	struct question_exchange exchanges[PART_FOLLOW_UPS_END - PART_MAINS + 1];
	struct region_search *region_search;
	char region[DIAGNOSE_REGION_SIZE];
	struct control *control;
	struct publishing *publishing;
	struct probe_context run_context;
	struct probe *run;          /* follows redirects */

	struct evidence evidence;
	struct diagnosis diagnosis;
};

/* What a question calls back, with its link as user. */
void diagnose_part_ended(void *link);

static inline void part_set(struct diagnose *diagnose, enum part part, bool is_open)
{
	diagnose->parts[part].state = is_open ? PART_OPEN : PART_ENDED;
}

static inline bool part_is_idle(const struct diagnose *diagnose, enum part part)
{
	return diagnose->parts[part].state == PART_IDLE;
}

static inline bool part_has_ended(const struct diagnose *diagnose, enum part part)
{
	return diagnose->parts[part].state == PART_ENDED;
}

/* Until the hard deadline, less the margin. */
static inline int64_t left_us(const struct diagnose *diagnose)
{
	return mono_since(diagnose->deadline, mono_now()) - DIAGNOSE_MARGIN_US;
}

static inline int64_t smaller_us(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* ---- diagnose_aws: region, credentials, own publishing, control plane ---- */

/* Each starts what can be started now. The region is the first and is looked for once. */
void diagnose_aws_find_region(struct diagnose *diagnose);
void diagnose_aws_advance(struct diagnose *diagnose);

/* A service that answers needs no explanation from the control plane. */
void diagnose_aws_drop_control(struct diagnose *diagnose);
void diagnose_aws_stop(struct diagnose *diagnose);

/* ---- diagnose_exchange: the exchanges of all addresses, and those that follow ---- */

void diagnose_exchange_advance(struct diagnose *diagnose);
void diagnose_exchange_stop(struct diagnose *diagnose);

#endif
