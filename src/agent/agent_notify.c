/* SPDX-License-Identifier: Apache-2.0 */
/* One line for `systemctl status`: how many probes are healthy, what waits. Told when it may have changed,
 * at most once a second, and each minute. */
#include "agent_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lattice-probe/log.h"
#include "lattice-probe/notify.h"
#include "lattice-probe/sink.h"

#define SOON_US US_PER_S
#define STOP_MARGIN_US (5 * US_PER_S) /* beyond shutdown_timeout: the loop's end, memory given back */

/* ---- the line ----------------------------------------------------------------------------- */

static int64_t samples_waiting(const struct agent *agent)
{
	struct sink_counters counters = { 0 };

	if (agent->sink)
		sink_read_counters(agent->sink, &counters);
	return (int64_t)counters.waiting;
}

static void describe_probes(const struct agent *agent, char ret_line[static NOTIFY_STATUS_SIZE])
{
	size_t count[HEALTH_UNHEALTHY + 1] = { 0 };

	for (size_t i = 0; i < agent->probe_count; i++)
		count[agent->probes[i]->health.state]++;
	(void)snprintf(ret_line, NOTIFY_STATUS_SIZE,
		"%zu probes: %zu healthy, %zu unhealthy, %zu unknown; %" PRId64 " samples waiting", agent->probe_count,
		count[HEALTH_HEALTHY], count[HEALTH_UNHEALTHY], count[HEALTH_UNKNOWN], samples_waiting(agent));
}

/* A file that was refused must not be forgotten. */
static void describe_refusal(const struct agent *agent, char line[static NOTIFY_STATUS_SIZE])
{
	size_t length = strlen(line);

	if (agent->reload.has_failed)
		(void)snprintf(line + length, NOTIFY_STATUS_SIZE - length,
			"; the configuration on disk was refused, the one before stays in force: %.*s",
			(int)(NOTIFY_STATUS_SIZE - length), agent->reload.first);
}

static void describe(const struct agent *agent, char ret_line[static NOTIFY_STATUS_SIZE])
{
	if (agent->is_stopping)
		(void)snprintf(ret_line, NOTIFY_STATUS_SIZE, "stopping: %zu runs going, %" PRId64 " samples waiting",
			agent->in_flight, samples_waiting(agent));
	else if (!agent->is_running)
		(void)snprintf(ret_line, NOTIFY_STATUS_SIZE, "%s",
			agent->waits_for[0] ? agent->waits_for : "starting: finding out who and where this agent is");
	else if (agent->probe_count == 0)
		(void)snprintf(ret_line, NOTIFY_STATUS_SIZE, "idle: no probe is configured; " AGENT_ADD_PROBE,
			agent->options.conf_path);
	else
		describe_probes(agent, ret_line);
}

/* ---- when it is told ---------------------------------------------------------------------- */

static void tell(struct agent *agent)
{
	char line[NOTIFY_STATUS_SIZE];

	describe(agent, line);
	describe_refusal(agent, line);
	if (!agent->is_ready || agent->is_ready_told) {
		(void)notify_status(agent->notify, line);
		return;
	}
	agent->is_ready_told = notify_ready(agent->notify, line);
	/* A manager that never hears of it ends the agent. */
	if (!agent->is_ready_told)
		agent_notify_soon(agent);
}

static void on_soon(void *user)
{
	tell(user);
}

void agent_notify_soon(struct agent *agent)
{
	if (!agent->notify || agent->is_stopping || loop_timer_is_running(&agent->notify_timer))
		return;
	/* Without memory the minute's line says it. */
	(void)loop_timer_start(agent->loop, &agent->notify_timer, mono_add(mono_now(), SOON_US), on_soon, agent);
}

void agent_notify_now(struct agent *agent)
{
	loop_timer_stop(agent->loop, &agent->notify_timer);
	tell(agent);
}

void agent_notify_ready(struct agent *agent)
{
	agent->is_ready = true;
	agent_notify_now(agent);
}

void agent_notify_stopping(struct agent *agent)
{
	char line[NOTIFY_STATUS_SIZE];

	loop_timer_stop(agent->loop, &agent->notify_timer);
	describe(agent, line);
	(void)notify_stopping(agent->notify, line, agent->conf->shutdown_timeout_us + STOP_MARGIN_US);
}

/* ---- start and stop ----------------------------------------------------------------------- */

void agent_notify_start(struct agent *agent)
{
	const char *socket = getenv("NOTIFY_SOCKET");

	agent->notify = notify_open(socket);
	if (socket && !agent->notify)
		log_warning("event=no_notify_socket path=%s action=\"the service manager is told nothing\"", socket);
	agent_notify_now(agent);
}

void agent_notify_stop(struct agent *agent)
{
	if (agent->loop)
		loop_timer_stop(agent->loop, &agent->notify_timer);
	notify_close(agent->notify);
	agent->notify = NULL;
}
