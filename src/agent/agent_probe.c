/* SPDX-License-Identifier: Apache-2.0 */
/* The life of one configured probe. Others keep its address (the schedule, a run, a diagnosis), so each
 * stands alone in memory. */
#include "agent_internal.h"

#include <assert.h>
#include <stdlib.h>

#include "lattice-probe/schedule.h"
#include "lattice-probe/target.h"

struct agent_probe *agent_probe_new(struct agent *agent, struct target *target)
{
	struct agent_probe *probe = calloc(1, sizeof *probe);

	if (!probe)
		return NULL;
	probe->agent = agent;
	probe->target = target_hold(target);
	agent_health_start(probe);
	probe->series = agent_metrics_series(agent, target->name, target->url.is_tls);
	if (!probe->series || schedule_add(agent->schedule, target->name, target->interval_us, probe, mono_now(),
				      wall_now(), &probe->schedule_id) != 0)
		goto fail;
	return probe;
fail:
	agent_probe_free(probe);
	return NULL;
}

void agent_probe_free(struct agent_probe *probe)
{
	if (!probe)
		return;
	assert(!probe->running);
	if (probe->schedule_id)
		schedule_remove(probe->agent->schedule, probe->schedule_id);
	if (probe->series)
		aggregate_series_end(probe->series);
	agent_diagnosis_free(probe);
	agent_health_free(probe);
	target_drop(probe->target);
	free(probe);
}

void agent_probe_retire(struct agent_probe *probe)
{
	struct agent *agent = probe->agent;

	agent_diagnosis_forget(probe);
	if (!probe->running) {
		agent_probe_free(probe);
		return;
	}
	schedule_remove(agent->schedule, probe->schedule_id);
	probe->schedule_id = 0;
	probe->is_retired = true;
	probe->next_retired = agent->retired;
	agent->retired = probe;
}

void agent_probe_bury(struct agent_probe *probe)
{
	struct agent_probe **link = &probe->agent->retired;

	while (*link != probe)
		link = &(*link)->next_retired;
	*link = probe->next_retired;
	agent_probe_free(probe);
}
