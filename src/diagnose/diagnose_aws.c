/* SPDX-License-Identifier: Apache-2.0 */
/* The region comes first: without it nothing can be signed. It is looked for only when something will be. */
#include "diagnose_internal.h"

#include <stdio.h>

#include "lattice-probe/control.h"
#include "lattice-probe/credentials.h"
#include "lattice-probe/publishing.h"
#include "lattice-probe/region.h"

#define CREDENTIALS_MAX_US (4 * US_PER_S)
#define AWS_MAX_US (8 * US_PER_S)

/* ---- region and credentials --------------------------------------------------------------- */

static void on_region(void *user, int err, const char *region, const char *source)
{
	struct part_link *link = user;
	struct diagnose *diagnose = link->diagnose;

	(void)source;
	diagnose->region_search = NULL;
	if (!err)
		(void)snprintf(diagnose->region, sizeof diagnose->region, "%s", region);
	if (!err && diagnose->context->credentials)
		(void)credentials_set_region(diagnose->context->credentials, region);
	diagnose_part_ended(link);
}

static bool is_signed(const struct diagnose *diagnose)
{
	return diagnose->evidence.target.is_signed && diagnose->evidence.target.is_repeatable;
}

void diagnose_aws_find_region(struct diagnose *diagnose)
{
	const struct diagnose_context *context = diagnose->context;
	bool is_needed = diagnose->asks_aws || diagnose->asks_publishing || is_signed(diagnose);

	(void)snprintf(diagnose->region, sizeof diagnose->region, "%s", context->region);
	if (!diagnose->region[0] && is_needed && context->imds)
		diagnose->region_search = region_find(context->loop, context->imds, NULL, on_region,
			&diagnose->parts[PART_REGION]);
	part_set(diagnose, PART_REGION, diagnose->region_search != NULL);
}

static void on_credentials(void *user, int err, const char *why)
{
	struct part_link *link = user;

	(void)err; /* without any, the exchange says why by itself */
	(void)why;
	loop_timer_stop(link->diagnose->context->loop, &link->diagnose->patience);
	diagnose_part_ended(link);
}

static void on_patience(void *user)
{
	struct part_link *link = user;

	credentials_wait_cancel(link->diagnose->context->credentials, link);
	diagnose_part_ended(link);
}

static void start_credentials(struct diagnose *diagnose)
{
	const struct diagnose_context *context = diagnose->context;
	struct part_link *link = &diagnose->parts[PART_CREDENTIALS];

	if (!part_is_idle(diagnose, PART_CREDENTIALS))
		return;
	if (!is_signed(diagnose) || !context->credentials) {
		part_set(diagnose, PART_CREDENTIALS, false);
		return;
	}
	if (!part_has_ended(diagnose, PART_REGION))
		return;
	part_set(diagnose, PART_CREDENTIALS, false);
	if (credentials_wait(context->credentials, on_credentials, link) != 0)
		return;
	part_set(diagnose, PART_CREDENTIALS, true);
	/* Without memory for it, the hard deadline stands behind. */
	(void)loop_timer_start(context->loop, &diagnose->patience, mono_add(diagnose->started, CREDENTIALS_MAX_US),
		on_patience, link);
}

/* ---- publishing ---------------------------------------------------------------------------- */

static void on_publishing(void *user, const struct evidence_publishing *publishing)
{
	struct part_link *link = user;

	link->diagnose->publishing = NULL;
	link->diagnose->evidence.publishing = *publishing;
	diagnose_part_ended(link);
}

static void start_publishing(struct diagnose *diagnose)
{
	const struct diagnose_context *context = diagnose->context;
	int64_t timeout_us = smaller_us(left_us(diagnose), AWS_MAX_US);

	if (!part_is_idle(diagnose, PART_PUBLISHING) || !part_has_ended(diagnose, PART_REGION))
		return;
	if (diagnose->asks_publishing && context->credentials && context->transport && timeout_us > 0)
		diagnose->publishing = publishing_start(context->loop, context->transport, context->credentials,
			diagnose->region, context->endpoint, context->namespace_, timeout_us, on_publishing,
			&diagnose->parts[PART_PUBLISHING]);
	part_set(diagnose, PART_PUBLISHING, diagnose->publishing != NULL);
}

/* ---- the control plane --------------------------------------------------------------------- */

static void on_control(void *user, const struct evidence_control *control)
{
	struct part_link *link = user;
	struct diagnose *diagnose = link->diagnose;
	struct evidence_dns *dns = &diagnose->evidence.dns;

	diagnose->control = NULL;
	diagnose->evidence.control = *control;
	if (!dns->generated_name[0] && diagnose->evidence.target.name == EVIDENCE_NAME_CUSTOM)
		(void)snprintf(dns->generated_name, sizeof dns->generated_name, "%s", control->generated_name);
	diagnose_part_ended(link);
}

static bool can_ask_control(const struct diagnose *diagnose)
{
	const struct diagnose_context *context = diagnose->context;

	return diagnose->asks_aws && context->credentials && context->transport && diagnose->region[0] &&
		diagnose->evidence.where.facts.vpc_id[0];
}

static struct control *start_asking_control(struct diagnose *diagnose, int64_t timeout_us)
{
	const struct evidence *evidence = &diagnose->evidence;
	const struct evidence_where *where = &evidence->where;
	struct control_question question = { .region = diagnose->region, .account_id = where->account_id,
		.vpc_id = where->facts.vpc_id, .subnet_id = where->facts.subnet_id,
		.security_groups = where->security_groups, .host = evidence->target.host, .timeout_us = timeout_us };

	if (evidence->path_count > 0) {
		question.source = evidence->paths[0].route.source;
		question.destination = evidence->paths[0].address;
	}
	return control_start(diagnose->context->loop, diagnose->context->transport, diagnose->context->credentials,
		&question, on_control, &diagnose->parts[PART_CONTROL]);
}

static void start_control(struct diagnose *diagnose)
{
	int64_t timeout_us = smaller_us(left_us(diagnose), AWS_MAX_US);

	if (!part_is_idle(diagnose, PART_CONTROL) || !part_has_ended(diagnose, PART_WHERE) ||
	    !part_has_ended(diagnose, PART_REGION) || !diagnose->has_paths)
		return;
	if (can_ask_control(diagnose) && timeout_us > 0)
		diagnose->control = start_asking_control(diagnose, timeout_us);
	part_set(diagnose, PART_CONTROL, diagnose->control != NULL);
}

/* ---- all of them -------------------------------------------------------------------------- */

void diagnose_aws_advance(struct diagnose *diagnose)
{
	start_publishing(diagnose);
	start_credentials(diagnose);
	start_control(diagnose);
}

void diagnose_aws_drop_control(struct diagnose *diagnose)
{
	control_cancel(diagnose->control);
	diagnose->control = NULL;
	part_set(diagnose, PART_CONTROL, false);
}

void diagnose_aws_stop(struct diagnose *diagnose)
{
	struct part_link *credentials = &diagnose->parts[PART_CREDENTIALS];

	loop_timer_stop(diagnose->context->loop, &diagnose->patience);
	if (credentials->state == PART_OPEN)
		credentials_wait_cancel(diagnose->context->credentials, credentials);
	credentials->state = PART_ENDED;
	region_cancel(diagnose->region_search);
	diagnose->region_search = NULL;
	control_cancel(diagnose->control);
	diagnose->control = NULL;
	publishing_cancel(diagnose->publishing);
	diagnose->publishing = NULL;
}
