/* SPDX-License-Identifier: Apache-2.0 */
/* Between the end of a run and its being counted: whose fault was it? Runs that may turn out to be this
 * host's own fault wait here until self_check knows. What waits has ended, but does not count as run yet. */
#include "agent_internal.h"

#include <inttypes.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "lattice-probe/err.h"
#include "lattice-probe/host.h"
#include "lattice-probe/log.h"
#include "lattice-probe/result.h"
#include "lattice-probe/target.h"

#define SAMPLE_US US_PER_S
#define HELD_MAX 1024 /* runs; beyond, they are settled as they stand */

struct agent_held {
	TAILQ_ENTRY(agent_held) link;
	struct agent_probe *probe;
	struct result result; /* owned */
};

static void on_settle_due(void *user);
static void on_sample_due(void *user);

/* ---- what is said ------------------------------------------------------------------------- */

/* Once when it begins, once when the cause changes, once when it is over. */
static void say_change(struct agent *agent)
{
	const struct self_check *check = &agent->self_check;
	struct mono now = mono_now();

	if (check->is_sick && check->cause != agent->sickness_said)
		log_warning("event=self_check_failed cause=%s why=\"%s\" action=\"runs spoiled by it are local faults, no "
			    "failures of the services\"", self_check_cause_name(check->cause),
			self_check_cause_words(check->cause));
	else if (!check->is_sick && agent->sickness_said != SELF_CHECK_NONE)
		log_info("event=self_check_passed cause=%s after_s=%" PRId64 " runs=%" PRIu64,
			self_check_cause_name(check->cause), mono_since(now, check->sick_since) / US_PER_S,
			check->faults_of_sickness);
	agent->sickness_said = check->is_sick ? check->cause : SELF_CHECK_NONE;
}

/* ---- runs --------------------------------------------------------------------------------- */

static uint64_t hash_host(const char *host)
{
	uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */

	for (; *host; host++)
		hash = (hash ^ (unsigned char)*host) * UINT64_C(1099511628211);
	return hash;
}

static void blame_this_host(struct result *result, enum self_check_cause cause)
{
	char detail[RESULT_DETAIL_SIZE];

	if (result->outcome == OUTCOME_LOCAL_FAULT)
		return;
	memcpy(detail, result->detail, sizeof detail);
	result_set_detail(result, "%s; the run itself: %s, %.80s", self_check_cause_words(cause),
		outcome_name(result->outcome), detail[0] ? detail : outcome_words(result->outcome));
	result->outcome = OUTCOME_LOCAL_FAULT;
}

static bool hold(struct agent_probe *probe, struct result *result)
{
	struct agent *agent = probe->agent;
	struct agent_held *held = malloc(sizeof *held);

	if (!held)
		return false;
	held->probe = probe;
	held->result = *result;
	TAILQ_INSERT_TAIL(&agent->held, held, link);
	agent->held_count++;
	return true;
}

static void settle(struct agent *agent)
{
	struct self_check *check = &agent->self_check;
	enum self_check_cause cause = check->held_cause;
	bool is_local = self_check_settle(check, mono_now(), agent->held_count) == SELF_CHECK_LOCAL;
	struct agent_held *held;

	loop_timer_stop(agent->loop, &agent->settle_timer);
	while ((held = TAILQ_FIRST(&agent->held))) {
		TAILQ_REMOVE(&agent->held, held, link);
		agent->held_count--;
		if (is_local)
			blame_this_host(&held->result, cause);
		agent_runs_take(held->probe, &held->result);
		free(held);
	}
}

void agent_self_check_settle(struct agent *agent)
{
	if (agent->held_count == 0 && agent->self_check.held_cause == SELF_CHECK_NONE)
		return;
	settle(agent);
	say_change(agent);
}

static void settle_if_due(struct agent *agent)
{
	struct mono due;

	if (self_check_must_settle(&agent->self_check, mono_now(), &due) || agent->held_count >= HELD_MAX)
		settle(agent);
	else if (mono_is_set(due) && !loop_timer_is_running(&agent->settle_timer) &&
		 loop_timer_start(agent->loop, &agent->settle_timer, due, on_settle_due, agent) != 0)
		settle(agent);
}

static void on_settle_due(void *user)
{
	struct agent *agent = user;

	settle_if_due(agent);
	say_change(agent);
}

static struct self_check_run run_of(const struct result *result)
{
	struct mono now = mono_now();

	return (struct self_check_run){ .outcome = result->outcome, .local_errno = result->local_errno,
		.lag_us = result->lag_us, .service = hash_host(result->target->url.host),
		.started = mono_add(now, -result->total_us), .ended = now };
}

void agent_self_check_take(struct agent_probe *probe, struct result *result)
{
	struct agent *agent = probe->agent;
	struct self_check_run run = run_of(result);
	enum self_check_answer answer = self_check_take(&agent->self_check, &run);
	/* A probe that is no longer configured goes with its last run. */
	bool is_held = answer == SELF_CHECK_HOLD && !probe->is_retired && hold(probe, result);

	if (answer == SELF_CHECK_LOCAL)
		blame_this_host(result, agent->self_check.cause);
	settle_if_due(agent);
	if (!is_held)
		agent_runs_take(probe, result);
	say_change(agent);
}

/* ---- counters of the host ------------------------------------------------------------------ */

static void find_devices(struct agent *agent)
{
	struct if_nameindex *all = if_nameindex();
	uint64_t drops;

	for (struct if_nameindex *device = all; device && device->if_index != 0; device++)
		if (agent->drop_device_count < AGENT_DROP_DEVICES_MAX && strlen(device->if_name) < IF_NAMESIZE &&
		    host_read_link_local_drops(device->if_name, &drops))
			memcpy(agent->drop_devices[agent->drop_device_count++], device->if_name,
				strlen(device->if_name) + 1);
	if (all)
		if_freenameindex(all);
}

static void sample(struct agent *agent)
{
	struct self_check_sample sample = { .at = mono_now() };

	(void)host_cgroup_read_throttled("", &sample.throttled_us);
	for (size_t i = 0; i < agent->drop_device_count; i++) {
		uint64_t drops;

		if (host_read_link_local_drops(agent->drop_devices[i], &drops))
			sample.drops += drops;
	}
	self_check_take_sample(&agent->self_check, &sample);
}

/* One that cannot be planned costs evidence, not results. */
static void on_sample_due(void *user)
{
	struct agent *agent = user;

	sample(agent);
	(void)loop_timer_start(agent->loop, &agent->sample_timer, mono_add(mono_now(), SAMPLE_US), on_sample_due, agent);
}

/* ---- start and stop ------------------------------------------------------------------------ */

void agent_self_check_configure(struct agent *agent)
{
	uint64_t hosts[SELF_CHECK_SERVICES_MAX];
	size_t host_count = 0;
	int64_t longest_us = 0;

	for (size_t i = 0; i < agent->probe_count; i++) {
		const struct target *target = agent->probes[i]->target;
		uint64_t host = hash_host(target->url.host);
		size_t at = 0;

		while (at < host_count && hosts[at] != host)
			at++;
		if (at == host_count && host_count < SELF_CHECK_SERVICES_MAX)
			hosts[host_count++] = host;
		if (target->interval_us > longest_us)
			longest_us = target->interval_us;
	}
	self_check_configure(&agent->self_check, longest_us, host_count);
}

void agent_self_check_start(struct agent *agent)
{
	uint64_t throttled_us;

	agent_self_check_configure(agent);
	find_devices(agent);
	if (host_cgroup_read_throttled("", &throttled_us) || agent->drop_device_count > 0)
		on_sample_due(agent);
}

void agent_self_check_stop(struct agent *agent)
{
	struct agent_held *held;

	loop_timer_stop(agent->loop, &agent->sample_timer);
	loop_timer_stop(agent->loop, &agent->settle_timer);
	while ((held = TAILQ_FIRST(&agent->held))) {
		TAILQ_REMOVE(&agent->held, held, link);
		result_done(&held->result);
		free(held);
	}
	agent->held_count = 0;
}
