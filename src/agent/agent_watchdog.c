/* SPDX-License-Identifier: Apache-2.0 */
/* Feeds the service manager's watchdog from a timer of the loop, so that a loop that does not turn feeds
 * nothing; and only while the parts move on. */
#include "agent_internal.h"

#include <stdlib.h>
#include <unistd.h>

#include "lattice-probe/err.h"
#include "lattice-probe/log.h"
#include "lattice-probe/notify.h"
#include "lattice-probe/schedule.h"
#include "lattice-probe/sink.h"
#include "lattice-probe/target.h"
#include "lattice-probe/watchdog.h"

#define RUN_DATAGRAMS_MAX 16 /* two families, twice, to a few servers */

/* ---- facts -------------------------------------------------------------------------------- */

/* A timer that should run and does not will never come. */
static int64_t late_us(const struct loop_timer *timer, struct mono now)
{
	return loop_timer_is_running(timer) ? mono_since(now, timer->due) : INT64_MAX;
}

static int64_t run_late_us(const struct agent_probe *probe, struct mono now)
{
	return probe->running ? mono_since(now, probe->began) - probe->target->timeout_us : 0;
}

static int64_t larger_us(int64_t a_us, int64_t b_us)
{
	return a_us > b_us ? a_us : b_us;
}

static int64_t latest_run_us(const struct agent *agent, struct mono now)
{
	int64_t latest_us = 0;

	for (size_t i = 0; i < agent->probe_count; i++)
		latest_us = larger_us(latest_us, run_late_us(agent->probes[i], now));
	for (const struct agent_probe *probe = agent->retired; probe; probe = probe->next_retired)
		latest_us = larger_us(latest_us, run_late_us(probe, now));
	return latest_us;
}

static void gather(const struct agent *agent, struct mono now, struct watchdog_facts *ret_facts)
{
	struct watchdog_facts facts = { .is_stopping = agent->is_stopping };
	struct wall close_at;
	struct mono due;

	if (agent->is_stopping)
		facts.stop_late_us = mono_since(now, agent->stop_deadline);
	else if (agent->is_running) {
		if (schedule_next(agent->schedule, &due))
			facts.schedule_late_us = late_us(&agent->due_timer, now);
		if (aggregate_next_close(agent->aggregate, &close_at))
			facts.windows_late_us = late_us(&agent->close_timer, now);
		facts.run_late_us = latest_run_us(agent, now);
		facts.run_wait_us =
			(int64_t)agent->in_flight * RUN_DATAGRAMS_MAX * US_PER_S / agent->conf->max_dns_rate;
		facts.is_publisher_stuck = sink_is_stuck(agent->sink, now);
	}
	*ret_facts = facts;
}

/* ---- feeding ------------------------------------------------------------------------------ */

static void on_feed(void *user);

static void plan(struct agent *agent)
{
	if (loop_timer_start(agent->loop, &agent->watchdog_timer, mono_add(mono_now(), agent->watchdog_us / 2), on_feed,
		    agent) != 0)
		log_err("event=watchdog_starves cause=\"%s\"", err_text(ERR_NOMEM));
}

static void on_feed(void *user)
{
	struct agent *agent = user;
	struct watchdog_facts facts;
	struct mono now = mono_now();

	gather(agent, now, &facts);
	if (watchdog_is_alive(&agent->watchdog, &facts, now))
		(void)notify_alive(agent->notify);
	else
		log_err("event=stuck obstacle=%s action=\"the watchdog is not fed; the service manager starts the agent "
			"anew\"", watchdog_obstacle_name(agent->watchdog.obstacle));
	plan(agent);
}

void agent_watchdog_start(struct agent *agent)
{
	agent->watchdog_us = notify_watchdog_us(getenv("WATCHDOG_USEC"), getenv("WATCHDOG_PID"), getpid());
	if (agent->notify && agent->watchdog_us > 0)
		on_feed(agent);
}

void agent_watchdog_stop(struct agent *agent)
{
	loop_timer_stop(agent->loop, &agent->watchdog_timer);
}
