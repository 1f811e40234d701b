/* SPDX-License-Identifier: Apache-2.0 */
/* Due instants become runs, or counted misses: the run before still goes on, too many are in flight,
 * or there is no memory. scheduled = run + missed holds whenever nothing is in flight. */
#include "agent_internal.h"

#include <stdlib.h>
#include <string.h>

#include "lattice-probe/err.h"
#include "lattice-probe/log.h"
#include "lattice-probe/result.h"
#include "lattice-probe/schedule.h"
#include "lattice-probe/target.h"

#define LOOK_AGAIN_US (5 * US_PER_S)

static void on_due(void *user);

/* Looks at the schedule every few seconds even when nothing is due: only schedule_take sees that the
 * wall clock was stepped. */
void agent_runs_plan(struct agent *agent)
{
	struct mono due;
	struct mono latest = mono_add(mono_now(), LOOK_AGAIN_US);

	if (agent->is_stopping || !schedule_next(agent->schedule, &due))
		return;
	if (due.us > latest.us)
		due = latest;
	if (loop_timer_start(agent->loop, &agent->due_timer, due, on_due, agent) != 0)
		log_err("event=stalled cause=\"%s\"", err_text(ERR_NOMEM));
}

static void count_missed(struct agent *agent, struct wall at, uint64_t amount)
{
	agent->counters.missed += amount;
	aggregate_count(agent->aggregate, AGGREGATE_RUNS_MISSED, at, amount);
	agent_metrics_plan(agent);
}

/* ---- the end of a run --------------------------------------------------------------------- */

static void log_change(struct agent_probe *probe, const struct result *result)
{
	char detail[LOG_VALUE_SIZE];
	enum outcome was = probe->last_outcome;

	log_debug("target=%s outcome=%s total_us=%lld%s", probe->target->name, outcome_name(result->outcome),
		(long long)result->total_us, result->marks & RESULT_MARK_LAGGED ? " mark=lagged" : "");
	probe->last_outcome = result->outcome;
	/* Healthy from the start is no change worth a line for each of thousands of probes. */
	if (result->outcome == was || (result->outcome == OUTCOME_OK && was == OUTCOME_NONE))
		return;
	if (result->outcome == OUTCOME_OK)
		log_info("target=%s outcome=ok was=%s total_us=%lld", probe->target->name, outcome_name(was),
			(long long)result->total_us);
	else
		log_warning("target=%s outcome=%s was=%s elapsed_us=%lld why=%s", probe->target->name,
			outcome_name(result->outcome), outcome_name(was), (long long)result->total_us,
			log_value(result->detail[0] ? result->detail : outcome_words(result->outcome), detail));
}

void agent_runs_take(struct agent_probe *probe, struct result *result)
{
	struct agent *agent = probe->agent;

	agent->counters.run++;
	agent->counters.local += outcome_is_local(result->outcome);
	if (aggregate_add(probe->series, result) != 0)
		log_err("target=%s event=sample_dropped cause=\"%s\"", probe->target->name, err_text(ERR_NOMEM));
	agent_store_take(agent, result);
	log_change(probe, result);
	if (probe->is_retired) {
		result_done(result);
		agent_probe_bury(probe);
	} else {
		agent_health_take(probe, result);
	}
	agent_metrics_plan(agent);
}

static void on_finished(void *user, struct result *result)
{
	struct agent_probe *probe = user;
	struct agent *agent = probe->agent;

	probe->running = NULL;
	agent->in_flight--;
	agent_self_check_take(probe, result);
	agent_run_ended(agent);
}

/* ---- the start of a run ------------------------------------------------------------------- */

static void note_late(struct agent *agent, const struct schedule_due *due)
{
	if (mono_since(mono_now(), due->due) <= SCHEDULE_LATE_US)
		return;
	agent->counters.late++;
	aggregate_count(agent->aggregate, AGGREGATE_RUNS_LATE, due->scheduled, 1);
}

static void start_run(struct agent *agent, const struct schedule_due *due)
{
	struct agent_probe *probe = due->user;

	if (probe->running || agent->in_flight >= (size_t)agent->conf->max_in_flight) {
		log_debug("target=%s event=missed cause=%s", probe->target->name,
			probe->running ? "still_running" : "max_in_flight");
		count_missed(agent, due->scheduled, 1);
		return;
	}
	note_late(agent, due);
	probe->scheduled = due->scheduled;
	probe->began = mono_now();
	probe->running = probe_start(&agent->context, probe->target, due->scheduled, due->due,
		probe->rotation++, on_finished, probe);
	if (!probe->running) {
		count_missed(agent, due->scheduled, 1);
		return;
	}
	agent->in_flight++;
}

/* Instants that the schedule had to pass over: the loop was stalled, the host suspended. */
static void count_skipped(struct agent *agent)
{
	uint64_t skipped = schedule_skipped(agent->schedule) - agent->skipped_seen;

	if (skipped == 0)
		return;
	agent->skipped_seen += skipped;
	agent->counters.scheduled += skipped;
	count_missed(agent, wall_now(), skipped);
}

void agent_runs_take_due(struct agent *agent)
{
	struct schedule_due due;

	while (schedule_take(agent->schedule, mono_now(), wall_now(), &due)) {
		agent->counters.scheduled++;
		start_run(agent, &due);
	}
	count_skipped(agent);
}

static void on_due(void *user)
{
	struct agent *agent = user;

	agent_runs_take_due(agent);
	agent_runs_plan(agent);
}

/* ---- start and stop ----------------------------------------------------------------------- */

bool agent_runs_start(struct agent *agent)
{
	const struct conf *conf = agent->conf;

	agent->schedule = schedule_new(agent->facts.agent_id);
	agent->probes = calloc(conf->target_count + 1, sizeof *agent->probes);
	if (!agent->schedule || !agent->probes)
		return false;
	while (agent->probe_count < conf->target_count) {
		agent->probes[agent->probe_count] = agent_probe_new(agent, conf->targets[agent->probe_count]);
		if (!agent->probes[agent->probe_count])
			return false;
		agent->probe_count++;
	}
	agent_runs_plan(agent);
	return true;
}

void agent_runs_stop_scheduling(struct agent *agent)
{
	loop_timer_stop(agent->loop, &agent->due_timer);
}

static void cancel_run(struct agent_probe *probe)
{
	struct agent *agent = probe->agent;

	if (!probe->running)
		return;
	probe_cancel(probe->running);
	probe->running = NULL;
	agent->in_flight--;
	count_missed(agent, probe->scheduled, 1);
}

void agent_runs_cancel(struct agent *agent)
{
	for (size_t i = 0; i < agent->probe_count; i++)
		cancel_run(agent->probes[i]);
	while (agent->retired) {
		cancel_run(agent->retired);
		agent_probe_bury(agent->retired);
	}
}

void agent_runs_free(struct agent *agent)
{
	for (size_t i = 0; i < agent->probe_count; i++)
		agent_probe_free(agent->probes[i]);
	free(agent->probes);
	agent->probes = NULL;
	agent->probe_count = 0;
	schedule_free(agent->schedule);
	agent->schedule = NULL;
}
