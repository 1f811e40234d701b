/* SPDX-License-Identifier: Apache-2.0 */
#include "lattice-probe/self_check.h"

#include <assert.h>
#include <errno.h>

#define LAG_SEEN_US (50 * US_PER_MS) /* a timeout is doubted from twice as much on, the run's own work included */
#define THROTTLED_SHARE 3 /* a run is spoiled when it was kept from the CPU for a third of its time */

/* ---- words -------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	const char *words;
} causes[SELF_CHECK_CAUSE_COUNT] = {
	[SELF_CHECK_NONE] = { "none", "nothing" },
	[SELF_CHECK_LOOP_LAG] = { "loop_lag", "the agent was busy elsewhere, or stopped" },
	[SELF_CHECK_DESCRIPTORS] = { "descriptors", "no file descriptor is left" },
	[SELF_CHECK_MEMORY] = { "memory", "no memory is left" },
	[SELF_CHECK_PORTS] = { "ports", "no local address or port is left to send from" },
	[SELF_CHECK_CPU_THROTTLED] = { "cpu_throttled", "the CPU quota of the agent's cgroup kept it from running" },
	[SELF_CHECK_LINK_LOCAL] = { "link_local_allowance",
		"this instance sends more to DNS, IMDS and NTP than its allowance, packets are dropped" },
	[SELF_CHECK_NO_ROUTE] = { "no_route", "this host has no route to any of the services" },
	[SELF_CHECK_REFUSED_HERE] = { "refused_here", "this host's own filter or routes refuse every service" },
	[SELF_CHECK_OTHER] = { "other", "this host's own fault" },
};

const char *self_check_cause_name(enum self_check_cause cause)
{
	return causes[cause].name;
}

const char *self_check_cause_words(enum self_check_cause cause)
{
	return causes[cause].words;
}

/* ---- causes ------------------------------------------------------------------------------- */

static bool is_timeout(enum outcome outcome)
{
	switch ((int)outcome) {
	case OUTCOME_DNS_TIMEOUT: case OUTCOME_CONNECT_TIMEOUT: case OUTCOME_TLS_TIMEOUT:
	case OUTCOME_HTTP_TIMEOUT:
		return true;
	default:
		return false;
	}
}

/* Of a run that is local_fault already. */
static enum self_check_cause fault_cause(const struct self_check_run *run)
{
	switch (run->local_errno) {
	case EMFILE: case ENFILE: return SELF_CHECK_DESCRIPTORS;
	case ENOMEM: case ENOBUFS: return SELF_CHECK_MEMORY;
	case EADDRNOTAVAIL: case EAGAIN: return SELF_CHECK_PORTS;
	default: break;
	}
	return run->local_errno == 0 && run->lag_us >= LAG_SEEN_US ? SELF_CHECK_LOOP_LAG : SELF_CHECK_OTHER;
}

/* Of a failure that may turn out to be everybody's: the kernel sent nothing. */
static enum self_check_cause common_cause(const struct self_check_run *run)
{
	if (run->outcome != OUTCOME_DNS_UNREACHABLE && run->outcome != OUTCOME_CONNECT_UNREACHABLE &&
	    run->outcome != OUTCOME_CONNECT_DENIED)
		return SELF_CHECK_NONE;
	switch (run->local_errno) {
	case ENETUNREACH: case ENETDOWN: case EHOSTUNREACH: return SELF_CHECK_NO_ROUTE;
	case EPERM: case EACCES: case EINVAL: return SELF_CHECK_REFUSED_HERE;
	default: return SELF_CHECK_NONE;
	}
}

/* ---- counters of the host ------------------------------------------------------------------ */

void self_check_take_sample(struct self_check *check, const struct self_check_sample *sample)
{
	check->samples[check->sample_count++ % SELF_CHECK_SAMPLES] = *sample;
}

/* The first and the last reading within the run, so that nothing before it counts. False: not two. */
static bool samples_within(const struct self_check *check, const struct self_check_run *run,
	const struct self_check_sample **ret_first, const struct self_check_sample **ret_last)
{
	size_t kept = check->sample_count < SELF_CHECK_SAMPLES ? check->sample_count : SELF_CHECK_SAMPLES;
	const struct self_check_sample *first = NULL, *last = NULL;

	for (size_t i = check->sample_count - kept; i < check->sample_count; i++) {
		const struct self_check_sample *sample = &check->samples[i % SELF_CHECK_SAMPLES];

		if (sample->at.us < run->started.us || sample->at.us > run->ended.us)
			continue;
		if (!first)
			first = sample;
		last = sample;
	}
	*ret_first = first;
	*ret_last = last;
	return first && first != last;
}

static enum self_check_cause spoiled_by(const struct self_check *check, const struct self_check_run *run)
{
	const struct self_check_sample *first, *last;

	if (!is_timeout(run->outcome) || !samples_within(check, run, &first, &last))
		return SELF_CHECK_NONE;
	/* A counter that went down is another one: the process was moved, the device replaced. */
	if (last->throttled_us > first->throttled_us &&
	    (int64_t)(last->throttled_us - first->throttled_us) >= mono_since(run->ended, run->started) / THROTTLED_SHARE)
		return SELF_CHECK_CPU_THROTTLED;
	if (run->outcome == OUTCOME_DNS_TIMEOUT && last->drops > first->drops)
		return SELF_CHECK_LINK_LOCAL;
	return SELF_CHECK_NONE;
}

/* ---- the state ---------------------------------------------------------------------------- */

static void note_fault(struct self_check *check, enum self_check_cause cause, struct mono at, uint64_t count)
{
	if (!check->is_sick) {
		check->is_sick = true;
		check->sick_since = at;
		check->faults_of_sickness = 0;
	}
	check->cause = cause;
	check->last_fault = at;
	check->faults[cause] += count;
	check->faults_of_sickness += count;
}

static void note_judged(struct self_check *check, struct mono at)
{
	if (check->is_sick && mono_since(at, check->last_fault) >= check->window_us)
		check->is_sick = false;
}

static enum self_check_answer take_fault(struct self_check *check, enum self_check_cause cause, struct mono at)
{
	note_fault(check, cause, at, 1);
	return SELF_CHECK_LOCAL;
}

/* ---- runs that fail alike ------------------------------------------------------------------- */

static void forget_held(struct self_check *check)
{
	check->held_cause = SELF_CHECK_NONE;
	check->held_service_count = 0;
	check->is_disproved = false;
}

static void remember_service(struct self_check *check, uint64_t service)
{
	for (size_t i = 0; i < check->held_service_count; i++)
		if (check->held_services[i] == service)
			return;
	if (check->held_service_count < SELF_CHECK_SERVICES_MAX)
		check->held_services[check->held_service_count++] = service;
}

static bool is_enough(const struct self_check *check)
{
	return check->services_needed > 0 && check->held_service_count >= check->services_needed;
}

static enum self_check_answer take_common(struct self_check *check, enum self_check_cause cause,
	const struct self_check_run *run)
{
	if (check->all_cause == cause)
		return take_fault(check, cause, run->ended);
	check->all_cause = SELF_CHECK_NONE;
	if (check->services_needed == 0) {
		note_judged(check, run->ended);
		return SELF_CHECK_AS_IS;
	}
	/* Of another cause: what is held was not everybody's, and nor is this. */
	if (check->held_cause != SELF_CHECK_NONE && check->held_cause != cause) {
		check->is_disproved = true;
		return SELF_CHECK_AS_IS;
	}
	if (check->held_cause == SELF_CHECK_NONE)
		check->held_since = run->ended;
	check->held_cause = cause;
	remember_service(check, run->service);
	return SELF_CHECK_HOLD;
}

static enum self_check_answer take_judged(struct self_check *check, const struct self_check_run *run)
{
	if (check->held_cause != SELF_CHECK_NONE)
		check->is_disproved = true;
	check->all_cause = SELF_CHECK_NONE;
	note_judged(check, run->ended);
	return SELF_CHECK_AS_IS;
}

enum self_check_answer self_check_take(struct self_check *check, const struct self_check_run *run)
{
	enum self_check_cause cause = common_cause(run);

	if (run->outcome == OUTCOME_LOCAL_FAULT)
		return take_fault(check, fault_cause(run), run->ended);
	if (!outcome_is_judged(run->outcome))
		return SELF_CHECK_AS_IS;
	if (cause != SELF_CHECK_NONE)
		return take_common(check, cause, run);
	cause = spoiled_by(check, run);
	if (cause != SELF_CHECK_NONE)
		return take_fault(check, cause, run->ended);
	return take_judged(check, run);
}

bool self_check_must_settle(const struct self_check *check, struct mono now, struct mono *ret_due)
{
	*ret_due = (struct mono){ 0 };
	if (check->held_cause == SELF_CHECK_NONE)
		return false;
	*ret_due = mono_add(check->held_since, check->window_us);
	return check->is_disproved || is_enough(check) || now.us >= ret_due->us;
}

enum self_check_answer self_check_settle(struct self_check *check, struct mono now, uint64_t count)
{
	enum self_check_answer answer = SELF_CHECK_AS_IS;

	if (check->held_cause == SELF_CHECK_NONE)
		return answer;
	if (is_enough(check) && !check->is_disproved) {
		check->all_cause = check->held_cause;
		note_fault(check, check->held_cause, now, count);
		answer = SELF_CHECK_LOCAL;
	} else {
		note_judged(check, now);
	}
	forget_held(check);
	return answer;
}

/* ---- start -------------------------------------------------------------------------------- */

void self_check_configure(struct self_check *check, int64_t longest_interval_us, size_t service_count)
{
	assert(check->held_cause == SELF_CHECK_NONE);
	check->window_us = longest_interval_us;
	if (check->window_us < SELF_CHECK_WINDOW_MIN_US)
		check->window_us = SELF_CHECK_WINDOW_MIN_US;
	if (check->window_us > SELF_CHECK_WINDOW_MAX_US)
		check->window_us = SELF_CHECK_WINDOW_MAX_US;
	check->services_needed = service_count < SELF_CHECK_SERVICES_MAX ? service_count : SELF_CHECK_SERVICES_MAX;
	if (service_count < SELF_CHECK_SERVICES_MIN)
		check->services_needed = 0;
	check->all_cause = SELF_CHECK_NONE;
}
