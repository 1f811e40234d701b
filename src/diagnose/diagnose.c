/* SPDX-License-Identifier: Apache-2.0 */
/* Each question is a part that is idle, open or ended. Whenever one ends, advance() looks at what has
 * become possible and starts it:
 *   where, region, each resolver         at once
 *   own publishing                       when the region is known
 *   lossy resolvers again, the name behind an alias, the addresses    after the resolvers
 *   credentials                          with the region, when the request is signed
 *   the exchange of each address         after both
 *   the control plane                    when the host, the region and the addresses are known
 *   exchanges that tell causes apart     after the preferred address's own
 * and ends when nothing is open. The timer `limit` runs from the start to the end: it is the hard
 * deadline, and, moved to now, what calls back from the loop. */
#include "lattice-probe/diagnose.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diagnose_internal.h"

#include "lattice-probe/http.h"

static void advance(struct diagnose *diagnose);

/* ---- parts -------------------------------------------------------------------------------- */

void diagnose_part_ended(void *user)
{
	struct part_link *link = user;

	link->state = PART_ENDED;
	advance(link->diagnose);
}

/* ---- DNS ---------------------------------------------------------------------------------- */

static void start_dns(struct diagnose *diagnose)
{
	bool is_open = false;

	if (!diagnose->target->url.is_literal)
		is_open = question_dns_start(&diagnose->dns, diagnose->context, diagnose->target, &diagnose->evidence.dns,
			diagnose_part_ended, &diagnose->parts[PART_DNS]);
	part_set(diagnose, PART_DNS, is_open);
}

static void start_again(struct diagnose *diagnose)
{
	if (!part_is_idle(diagnose, PART_AGAIN))
		return;
	part_set(diagnose, PART_AGAIN, question_again_start(&diagnose->again, diagnose->context, diagnose->target,
		&diagnose->evidence.dns, diagnose_part_ended, &diagnose->parts[PART_AGAIN]));
}

static bool vpc_resolver_answers(const struct evidence *evidence)
{
	const struct evidence_resolver *resolver = evidence_vpc_resolver(evidence);

	return resolver && resolver->answered > 0;
}

/* Known from an alias, or later from the control plane. */
static void start_generated(struct diagnose *diagnose)
{
	struct evidence *evidence = &diagnose->evidence;
	struct evidence_dns *dns = &evidence->dns;

	if (!part_is_idle(diagnose, PART_GENERATED) || evidence->target.name != EVIDENCE_NAME_CUSTOM)
		return;
	if (!dns->generated_name[0])
		(void)snprintf(dns->generated_name, sizeof dns->generated_name, "%s", question_generated_find(dns));
	if (!dns->generated_name[0] || !vpc_resolver_answers(evidence) || left_us(diagnose) < DIAGNOSE_RESERVE_US)
		return;
	part_set(diagnose, PART_GENERATED, question_generated_start(&diagnose->generated, diagnose->context,
		evidence, diagnose_part_ended, &diagnose->parts[PART_GENERATED]));
}

static void follow_dns(struct diagnose *diagnose)
{
	if (!part_has_ended(diagnose, PART_DNS))
		return;
	if (!diagnose->has_paths) {
		question_paths_choose(diagnose->target, &diagnose->evidence);
		diagnose->has_paths = true;
	}
	start_again(diagnose);
	start_generated(diagnose);
}

/* ---- the end ------------------------------------------------------------------------------ */

/* Fine when done before. */
static void stop_parts(struct diagnose *diagnose)
{
	diagnose_exchange_stop(diagnose);
	diagnose_aws_stop(diagnose);
	question_generated_stop(&diagnose->generated);
	question_again_stop(&diagnose->again);
	question_dns_stop(&diagnose->dns);
	question_where_stop(&diagnose->where);
}

static void free_diagnose(struct diagnose *diagnose)
{
	stop_parts(diagnose);
	loop_timer_stop(diagnose->context->loop, &diagnose->limit);
	target_drop(diagnose->target);
	free(diagnose);
}

/* The hard deadline, or the end that advance() found. */
static void on_limit(void *user)
{
	struct diagnose *diagnose = user;
	struct evidence *evidence = &diagnose->evidence;

	if (!diagnose->is_done)
		evidence->is_cut_short = true;
	stop_parts(diagnose);
	question_dns_settle_vpc(&evidence->dns, &evidence->where.vpc_networks);
	question_dns_read_drops(&diagnose->dns, &evidence->dns);
	question_paths_classify(evidence);
	evidence->elapsed_us = mono_since(mono_now(), diagnose->started);
	diagnosis_decide(evidence, &diagnose->diagnosis);
	diagnose->finished(diagnose->user, evidence, &diagnose->diagnosis);
	free_diagnose(diagnose);
}

static void end_if_done(struct diagnose *diagnose)
{
	for (size_t i = 0; i < PARTS; i++)
		if (diagnose->parts[i].state == PART_OPEN)
			return;
	diagnose->is_done = true;
	/* Moving a running timer cannot fail. */
	(void)loop_timer_start(diagnose->context->loop, &diagnose->limit, mono_now(), on_limit, diagnose);
}

static void advance(struct diagnose *diagnose)
{
	if (part_has_ended(diagnose, PART_WHERE))
		question_dns_settle_vpc(&diagnose->evidence.dns, &diagnose->evidence.where.vpc_networks);
	follow_dns(diagnose);
	diagnose_aws_advance(diagnose);
	diagnose_exchange_advance(diagnose);
	end_if_done(diagnose);
}

/* ---- the start ---------------------------------------------------------------------------- */

static void describe_target(const struct target *target, struct evidence_target *evidence)
{
	const struct url *url = &target->url;

	/* conf_target_for_url() names a target after its host, cut. */
	if (strncmp(target->name, url->host, TARGET_NAME_MAX) != 0)
		(void)snprintf(evidence->probe, sizeof evidence->probe, "%s", target->name);
	(void)snprintf(evidence->url, sizeof evidence->url, "%s", url->redacted);
	(void)snprintf(evidence->host, sizeof evidence->host, "%s", url->host);
	(void)snprintf(evidence->method, sizeof evidence->method, "%s", target->method);
	evidence->port = url->port;
	evidence->is_tls = url->is_tls;
	evidence->name = url->is_literal ? EVIDENCE_NAME_LITERAL : evidence_name_of(url->host);
	evidence->ip = target->ip;
	evidence->is_signed = target->auth == TARGET_AUTH_SIGV4;
	evidence->has_marker = target->expect_header_count > 0;
	evidence->is_repeatable = question_exchange_is_safe(target->method);
	evidence->timeout_us = target->timeout_us;
}

static void take_options(struct diagnose *diagnose, const struct diagnose_options *options)
{
	diagnose->asks_aws = options->asks_aws;
	diagnose->asks_publishing = options->asks_publishing;
	diagnose->has_last = options->last != NULL;
	if (options->last)
		question_last_read(options->last, &diagnose->last);
	if (options->daemon)
		diagnose->evidence.daemon = *options->daemon;
}

struct diagnose *diagnose_start(const struct diagnose_context *context, struct target *target,
	const struct diagnose_options *options,
	void (*finished)(void *user, const struct evidence *evidence, const struct diagnosis *diagnosis), void *user)
{
	struct diagnose *diagnose = calloc(1, sizeof *diagnose);

	if (!diagnose)
		return NULL;
	diagnose->context = context;
	diagnose->finished = finished;
	diagnose->user = user;
	diagnose->started = mono_now();
	diagnose->deadline = mono_add(diagnose->started, DIAGNOSE_TIME_MAX_US);
	diagnose->target = target_hold(target);
	for (size_t i = 0; i < PARTS; i++)
		diagnose->parts[i].diagnose = diagnose;
	describe_target(target, &diagnose->evidence.target);
	take_options(diagnose, options);
	if (loop_timer_start(context->loop, &diagnose->limit, diagnose->deadline, on_limit, diagnose) != 0) {
		free_diagnose(diagnose);
		return NULL;
	}
	if (target->url.is_tls && target->tls_verify)
		http_client_load_trust(context->http, target->tls_ca);
	part_set(diagnose, PART_WHERE, question_where_start(&diagnose->where, context, &diagnose->evidence.where,
		diagnose_part_ended, &diagnose->parts[PART_WHERE]));
	diagnose_aws_find_region(diagnose);
	start_dns(diagnose);
	advance(diagnose);
	return diagnose;
}

void diagnose_cancel(struct diagnose *diagnose)
{
	if (diagnose)
		free_diagnose(diagnose);
}
