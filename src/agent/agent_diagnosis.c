/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's own diagnosis: one at a time, beside the runs, on their resolver and within max_dns_rate.
 * It never asks the control plane: a fleet would drain the account's API buckets. */
#include "agent_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lattice-probe/err.h"
#include "lattice-probe/log.h"
#include "lattice-probe/result.h"
#include "lattice-probe/schedule.h"
#include "lattice-probe/target.h"

#define WARN_AGAIN_US (3600 * US_PER_S) /* the same verdict until then is no news */

static void on_turn(void *user);

static void plan(struct agent *agent)
{
	struct mono due;

	loop_timer_stop(agent->loop, &agent->diagnosis_timer);
	if (agent->diagnose || agent->is_stopping || !diagnosis_queue_next(&agent->diagnosis_queue, &due))
		return;
	if (loop_timer_start(agent->loop, &agent->diagnosis_timer, due, on_turn, agent) != 0)
		log_warning("event=diagnosis_delayed cause=\"%s\"", err_text(ERR_NOMEM));
}

/* ---- what came of it ---------------------------------------------------------------------- */

static void log_diagnosis(struct agent_probe *probe, bool is_warning)
{
	const struct agent_diagnosis *known = probe->diagnosis;
	char summary[LOG_VALUE_SIZE];
	void (*say)(const char *format, ...) = is_warning ? log_warning : log_info;

	(void)log_value(known->summary, summary);
	say("target=%s event=diagnosis verdict=%s confidence=%s summary=%s%s%s", probe->target->name,
		diagnosis_name(known->verdict), diagnosis_confidence_name(known->confidence),
		summary[0] == '"' ? "" : "\"", summary, summary[0] == '"' ? "" : "\"");
}

/* True when people should be told of it: a problem that was not said within the hour. */
static bool is_news(const struct agent_diagnosis *known, enum diagnosis_verdict verdict, struct mono now)
{
	if (verdict == DIAGNOSIS_HEALTHY)
		return false;
	return known->verdict != verdict || !mono_is_set(known->warned) ||
	       mono_since(now, known->warned) >= WARN_AGAIN_US;
}

static void on_diagnosed(void *user, const struct evidence *evidence, const struct diagnosis *diagnosis)
{
	struct agent_probe *probe = user;
	struct agent_diagnosis *known = probe->diagnosis;
	struct mono now = mono_now();
	char *summary = strdup(diagnosis->summary);
	bool warns = is_news(known, diagnosis->verdict, now);

	(void)evidence;
	probe->agent->diagnose = NULL;
	if (summary) {
		free(known->summary);
		known->summary = summary;
		known->verdict = diagnosis->verdict;
		known->confidence = diagnosis->confidence;
		known->at = wall_now();
		if (warns)
			known->warned = now;
		log_diagnosis(probe, warns);
	} else {
		log_err("target=%s event=diagnosis_lost cause=\"%s\"", probe->target->name, err_text(ERR_NOMEM));
	}
	plan(probe->agent);
}

/* ---- its turn ----------------------------------------------------------------------------- */

static void diagnose_now(struct agent_probe *probe)
{
	struct agent *agent = probe->agent;
	const struct diagnose_options options = { .last = probe->last };

	if (!probe->diagnosis)
		probe->diagnosis = calloc(1, sizeof *probe->diagnosis);
	if (probe->diagnosis) {
		probe->diagnosis->started = mono_now();
		agent->diagnosed = probe;
		agent->diagnose = diagnose_start(&agent->diagnose_context, probe->target, &options, on_diagnosed, probe);
	}
	if (!agent->diagnose)
		log_err("target=%s event=diagnosis_lost cause=\"%s\"", probe->target->name, err_text(ERR_NOMEM));
}

static void on_turn(void *user)
{
	struct agent *agent = user;
	struct agent_probe *probe = diagnosis_queue_take(&agent->diagnosis_queue, mono_now());

	if (probe)
		diagnose_now(probe);
	plan(agent);
}

/* ---- who asks for one --------------------------------------------------------------------- */

static int64_t jitter_us(const struct agent_probe *probe)
{
	char name[TARGET_NAME_MAX + sizeof "diagnose "];

	(void)snprintf(name, sizeof name, "diagnose %s", probe->target->name);
	return schedule_phase_us(probe->agent->facts.agent_id, name, DIAGNOSIS_QUEUE_JITTER_US);
}

void agent_diagnosis_want(struct agent_probe *probe)
{
	struct agent *agent = probe->agent;
	struct mono last = { 0 };

	if (!probe->target->is_diagnosed || agent->is_stopping)
		return;
	if (probe->diagnosis)
		last = probe->diagnosis->started;
	if (!diagnosis_queue_add(&agent->diagnosis_queue, probe, mono_now(), jitter_us(probe), last))
		log_info("target=%s event=not_diagnosed why=\"%d probes wait for a diagnosis already\"",
			probe->target->name, DIAGNOSIS_QUEUE_MAX);
	plan(agent);
}

void agent_diagnosis_unwant(struct agent_probe *probe)
{
	diagnosis_queue_remove(&probe->agent->diagnosis_queue, probe);
	plan(probe->agent);
}

void agent_diagnosis_forget(struct agent_probe *probe)
{
	struct agent *agent = probe->agent;

	diagnosis_queue_remove(&agent->diagnosis_queue, probe);
	if (agent->diagnose && agent->diagnosed == probe) {
		diagnose_cancel(agent->diagnose);
		agent->diagnose = NULL;
	}
	plan(agent);
}

/* ---- start and stop ----------------------------------------------------------------------- */

void agent_diagnosis_start(struct agent *agent)
{
	agent->diagnose_context = (struct diagnose_context){ .loop = agent->loop, .resolver = agent->resolver,
		.http = agent->http, .transport = agent->transport, .imds = agent->imds,
		.credentials = agent->credentials, .region = agent->facts.region, .endpoint = agent->conf->endpoint,
		.namespace_ = agent->conf->namespace_ };
}

void agent_diagnosis_stop(struct agent *agent)
{
	loop_timer_stop(agent->loop, &agent->diagnosis_timer);
	diagnose_cancel(agent->diagnose);
	agent->diagnose = NULL;
	agent->diagnosis_queue.count = 0;
}

void agent_diagnosis_free(struct agent_probe *probe)
{
	if (probe->diagnosis)
		free(probe->diagnosis->summary);
	free(probe->diagnosis);
	probe->diagnosis = NULL;
}
