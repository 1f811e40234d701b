/* SPDX-License-Identifier: Apache-2.0 */
/* The addresses go side by side, the preferred one decides what follows. Whatever its exchange comes to is
 * weighed once, in end_main(). */
#include "diagnose_internal.h"

#include <stdio.h>
#include <string.h>

#include "lattice-probe/outcome.h"
#include "lattice-probe/result.h"
#include "lattice-probe/target.h"

#define MAIN_MAX_US (6 * US_PER_S)
#define FOLLOW_UP_MAX_US (2 * US_PER_S)
#define LAG_LIMIT_US (500 * US_PER_MS)

static struct evidence_exchange *main_evidence(struct diagnose *diagnose)
{
	return &diagnose->evidence.paths[0].exchanges[EXCHANGE_MAIN];
}

static void start_exchange(struct diagnose *diagnose, enum part part, struct evidence_path *path,
	enum evidence_exchange_kind kind, int64_t timeout_us)
{
	struct question_exchange *exchange = &diagnose->exchanges[part - PART_MAINS];

	*exchange = (struct question_exchange){ .context = diagnose->context, .target = diagnose->target,
		.region = diagnose->region, .generated_name = diagnose->evidence.dns.generated_name, .path = path,
		.kind = kind, .is_alternative = !path->is_preferred, .deadline = mono_add(mono_now(), timeout_us),
		.ended = diagnose_part_ended, .user = &diagnose->parts[part] };
	part_set(diagnose, part, question_exchange_start(exchange));
}

static int64_t main_limit_us(const struct diagnose *diagnose)
{
	return smaller_us(MAIN_MAX_US, left_us(diagnose) - DIAGNOSE_RESERVE_US);
}

static void start_mains(struct diagnose *diagnose)
{
	int64_t timeout_us = smaller_us(diagnose->target->timeout_us, main_limit_us(diagnose));

	if (!diagnose->has_paths || !part_has_ended(diagnose, PART_CREDENTIALS) ||
	    !part_is_idle(diagnose, PART_MAINS))
		return;
	if (timeout_us <= 0) {
		diagnose->evidence.is_cut_short = true;
		return;
	}
	diagnose->main_timeout_us = timeout_us;
	for (size_t i = 0; i < diagnose->evidence.path_count; i++)
		start_exchange(diagnose, (enum part)(PART_MAINS + i), &diagnose->evidence.paths[i], EXCHANGE_MAIN,
			timeout_us);
}

static bool is_timeout(enum outcome outcome)
{
	return outcome == OUTCOME_CONNECT_TIMEOUT || outcome == OUTCOME_TLS_TIMEOUT ||
		outcome == OUTCOME_HTTP_TIMEOUT;
}

/* Nobody was there to see the answer when the loop was stuck for so long: that is no timeout of the
 * service. And one that our own limit made may come later than we can wait. */
static void doubt_timeout(struct diagnose *diagnose)
{
	struct evidence_exchange *main = main_evidence(diagnose);

	if (!is_timeout(main->outcome) || main->is_from_daemon)
		return;
	if (loop_lag_since(diagnose->context->loop, diagnose->started) > LAG_LIMIT_US) {
		main->outcome = OUTCOME_LOCAL_FAULT;
		(void)snprintf(main->detail, sizeof main->detail, "this host was too busy to see an answer in time");
	} else if (diagnose->main_timeout_us < diagnose->target->timeout_us &&
		   main->total_us + DIAGNOSE_MARGIN_US >= diagnose->main_timeout_us) {
		diagnose->evidence.is_cut_short = true;
		(void)snprintf(main->detail, sizeof main->detail,
			"given up after %lld s; the probe's own timeout is longer", (long long)(main->total_us / US_PER_S));
	}
}

static void on_run(void *user, struct result *result)
{
	struct part_link *link = user;
	struct evidence_exchange *main = main_evidence(link->diagnose);
	struct evidence_exchange run;

	link->diagnose->run = NULL;
	question_last_read(result, &run);
	result_done(result);
	main->outcome = run.outcome;
	main->status = run.status;
	main->total_us = run.total_us;
	memcpy(main->detail, run.detail, sizeof main->detail);
	diagnose_part_ended(link);
}

/* Whoever follows redirects is answered by where they lead: only a whole run can tell. */
static void start_run(struct diagnose *diagnose)
{
	const struct diagnose_context *context = diagnose->context;
	const struct evidence_exchange *main = main_evidence(diagnose);
	bool is_redirect = main->status >= 301 && main->status <= 308 && main->outcome == OUTCOME_HTTP_STATUS;

	part_set(diagnose, PART_RUN, false);
	if (!diagnose->target->follow_redirects || !is_redirect || main->is_from_daemon)
		return;
	if (left_us(diagnose) < diagnose->target->timeout_us) {
		diagnose->evidence.is_cut_short = true;
		return;
	}
	diagnose->run_context = (struct probe_context){ .loop = context->loop, .resolver = context->resolver,
		.http = context->http, .credentials = context->credentials, .region = diagnose->region,
		.lag_limit_us = LAG_LIMIT_US };
	diagnose->run = probe_start(&diagnose->run_context, diagnose->target, wall_now(), mono_now(), 0, on_run,
		&diagnose->parts[PART_RUN]);
	part_set(diagnose, PART_RUN, diagnose->run != NULL);
}

static void end_main(struct diagnose *diagnose)
{
	if (!part_is_idle(diagnose, PART_RUN))
		return;
	if (diagnose->has_last && main_evidence(diagnose)->is_stand_in)
		question_last_apply(&diagnose->last, main_evidence(diagnose));
	doubt_timeout(diagnose);
	if (main_evidence(diagnose)->outcome == OUTCOME_OK && !main_evidence(diagnose)->is_stand_in)
		diagnose_aws_drop_control(diagnose);
	start_run(diagnose);
}

static void follow_main(struct diagnose *diagnose)
{
	struct evidence *evidence = &diagnose->evidence;
	struct evidence_path *path = &evidence->paths[0];
	int64_t timeout_us = smaller_us(FOLLOW_UP_MAX_US, left_us(diagnose));

	if (evidence->path_count == 0 || !part_has_ended(diagnose, PART_MAINS))
		return;
	end_main(diagnose);
	for (int kind = EXCHANGE_MAIN + 1; kind < EXCHANGE_KINDS && timeout_us > 0; kind++)
		if (part_is_idle(diagnose, (enum part)(PART_FOLLOW_UPS + kind)) &&
		    question_exchange_is_worth_it(evidence, path, (enum evidence_exchange_kind)kind))
			start_exchange(diagnose, (enum part)(PART_FOLLOW_UPS + kind), path,
				(enum evidence_exchange_kind)kind, timeout_us);
}

void diagnose_exchange_advance(struct diagnose *diagnose)
{
	start_mains(diagnose);
	follow_main(diagnose);
}

void diagnose_exchange_stop(struct diagnose *diagnose)
{
	if (diagnose->run)
		probe_cancel(diagnose->run);
	diagnose->run = NULL;
	for (size_t i = 0; i < sizeof diagnose->exchanges / sizeof *diagnose->exchanges; i++)
		question_exchange_stop(&diagnose->exchanges[i]);
}
