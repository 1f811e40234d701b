/* SPDX-License-Identifier: Apache-2.0 */
#include "agent_internal.h"

#include <stdlib.h>

#include "lattice-probe/err.h"
#include "lattice-probe/log.h"
#include "lattice-probe/result.h"
#include "lattice-probe/target.h"

void agent_health_start(struct agent_probe *probe)
{
	latency_hour_init(&probe->hour, probe->target->interval_us);
}

/* The outcome changed with the run that log_change spoke of; this says that it has lasted. */
static void judge(struct agent_probe *probe, enum outcome outcome)
{
	const struct target *target = probe->target;
	const struct health_limits limits = { target->unhealthy_after, target->healthy_after };
	bool was_unhealthy = probe->health.state == HEALTH_UNHEALTHY;

	switch (health_judge(&probe->health, &limits, outcome)) {
	case HEALTH_BECAME_UNHEALTHY:
		agent_notify_soon(probe->agent);
		log_warning("target=%s event=unhealthy after=%u outcome=%s", target->name, probe->health.streak,
			outcome_name(outcome));
		agent_diagnosis_want(probe);
		break;
	case HEALTH_BECAME_HEALTHY:
		agent_notify_soon(probe->agent);
		if (was_unhealthy)
			log_info("target=%s event=healthy after=%u", target->name, probe->health.streak);
		agent_diagnosis_unwant(probe);
		break;
	case HEALTH_SAME:
		break;
	}
}

/* As in the metric Latency: a lagged run's time measures this host. */
static void add_to_hour(struct agent_probe *probe, const struct result *result)
{
	enum latency_hour_run run = LATENCY_HOUR_FAILED;

	if (!outcome_is_judged(result->outcome))
		return;
	if (result->outcome == OUTCOME_OK)
		run = result->marks & RESULT_MARK_LAGGED ? LATENCY_HOUR_UNTIMED : LATENCY_HOUR_TIMED;
	if (latency_hour_add(&probe->hour, mono_now(), run, result->total_us) != 0)
		log_debug("target=%s event=not_in_percentiles cause=\"%s\"", probe->target->name,
			err_text(ERR_NOMEM));
}

/* Without memory the probe is shown without a last run. */
static void keep(struct agent_probe *probe, struct result *result)
{
	if (probe->last)
		result_done(probe->last);
	else
		probe->last = malloc(sizeof *probe->last);
	if (probe->last)
		*probe->last = *result;
	else
		result_done(result);
}

void agent_health_take(struct agent_probe *probe, struct result *result)
{
	enum outcome outcome = result->outcome;

	add_to_hour(probe, result);
	keep(probe, result);
	judge(probe, outcome);
}

void agent_health_free(struct agent_probe *probe)
{
	latency_hour_done(&probe->hour);
	if (probe->last)
		result_done(probe->last);
	free(probe->last);
	probe->last = NULL;
}
