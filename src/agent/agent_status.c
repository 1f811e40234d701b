/* SPDX-License-Identifier: Apache-2.0 */
/* What the status socket tells. Nothing in it is a secret: URLs are redacted, of credentials only the
 * source and the end are named, and a result has no header and no body. */
#include "agent_internal.h"

#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "lattice-probe/credentials.h"
#include "lattice-probe/log.h"
#include "lattice-probe/resolver.h"
#include "lattice-probe/result.h"
#include "lattice-probe/result_json.h"
#include "lattice-probe/sink.h"
#include "lattice-probe/status_socket.h"
#include "lattice-probe/store.h"
#include "lattice-probe/target.h"

static json_t *instant_to_json(struct wall at)
{
	char text[WALL_TEXT_SIZE];

	wall_format_rfc3339(at, text);
	return at.us ? json_string(text) : json_null();
}

/* Words that may quote a server; what is no UTF-8 cannot be JSON. */
static json_t *words_to_json(const char *words)
{
	json_t *text = json_string(words);

	return text ? text : json_string("(not printable)");
}

static json_t *number_unless(int64_t value, int64_t none)
{
	return value == none ? json_null() : json_integer(value);
}

/* ---- one probe ---------------------------------------------------------------------------- */

static json_t *diagnosis_to_json(const struct agent_diagnosis *known)
{
	if (!known || !known->summary)
		return json_null();
	return json_pack("{s:s, s:s, s:o, s:o}", "verdict", diagnosis_name(known->verdict), "confidence",
		diagnosis_confidence_name(known->confidence), "summary", words_to_json(known->summary), "at",
		instant_to_json(known->at));
}

static const char *streak_name(const struct health *health)
{
	if (health->streak == 0)
		return NULL;
	return health->is_ok_streak ? "ok" : "failed";
}

static json_t *probe_to_json(void *user, size_t index)
{
	struct agent *agent = user;
	struct agent_probe *probe = agent->probes[index];
	const struct result *last = probe->last;
	struct latency_hour_summary hour;

	latency_hour_read(&probe->hour, mono_now(), &hour);
	return json_pack("{s:s, s:s, s:s, s:s?, s:o, s:o, s:o, s:I, s:s?, s:o, s:o, s:i, s:i, s:o, s:o}",
		"probe", probe->target->name, "url", probe->target->url.redacted,
		"state", health_state_name(probe->health.state),
		"outcome", last ? outcome_name(last->outcome) : NULL,
		"status", number_unless(last ? last->status : 0, 0),
		"total_us", number_unless(last ? last->total_us : PHASE_NONE, PHASE_NONE),
		"start", instant_to_json(last ? last->start : (struct wall){ 0 }),
		"streak", (json_int_t)probe->health.streak, "streak_of", streak_name(&probe->health),
		"p50_us", number_unless(hour.p50_us, -1), "p99_us", number_unless(hour.p99_us, -1),
		"runs_hour", hour.runs, "failed_hour", hour.failed,
		"diagnosis", diagnosis_to_json(probe->diagnosis), "last", last ? result_to_json(last) : json_null());
}

static size_t count_probes(void *user)
{
	const struct agent *agent = user;

	return agent->probe_count;
}

/* ---- the agent ---------------------------------------------------------------------------- */

static json_t *runs_to_json(const struct agent_counters *counters)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I}", "scheduled", (json_int_t)counters->scheduled, "run",
		(json_int_t)counters->run, "missed", (json_int_t)counters->missed, "late",
		(json_int_t)counters->late, "local", (json_int_t)counters->local);
}

/* Samples are counted in doubles, and are whole. */
static json_t *queue_to_json(const struct sink *sink)
{
	struct sink_counters counters = { 0 };
	double dropped = 0;

	if (sink)
		sink_read_counters(sink, &counters);
	for (size_t i = 0; i < SINK_DROP_COUNT; i++)
		dropped += counters.dropped[i];
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "samples_waiting", (json_int_t)counters.waiting,
		"datums_waiting", (json_int_t)counters.datums_waiting, "delivered", (json_int_t)counters.delivered,
		"dropped", (json_int_t)dropped, "in_doubt", (json_int_t)counters.in_doubt, "requests",
		(json_int_t)counters.requests);
}

/* A dry run needs none, and asking would fetch them. */
static json_t *credentials_to_json(const struct agent *agent)
{
	const struct credentials_set *set;
	const char *why = NULL;

	if (agent->options.dry_run)
		return json_null();
	set = credentials_get(agent->credentials, &why);
	return json_pack("{s:b, s:s?, s:o, s:o}", "usable", set != NULL, "source", set ? set->source : NULL, "expires",
		set && set->session_token ? instant_to_json(set->expiration) : json_null(), "why",
		why && why[0] ? words_to_json(why) : json_null());
}

static json_t *dns_to_json(const struct resolver *resolver)
{
	struct resolver_counters counters;

	resolver_read_counters(resolver, &counters);
	return json_pack("{s:I, s:I, s:I, s:I, s:I}", "datagrams", (json_int_t)counters.datagrams, "questions",
		(json_int_t)counters.questions, "shared", (json_int_t)counters.shared, "reused",
		(json_int_t)counters.reused, "waited", (json_int_t)counters.waited);
}

static const char *store_condition_name(enum store_condition condition)
{
	switch (condition) {
	case STORE_OPENING: return "opening";
	case STORE_WORKING: return "working";
	case STORE_IN_TROUBLE:
	default: return "in_trouble";
	}
}

/* Null: all is in memory only. */
static json_t *store_to_json(const struct agent *agent)
{
	struct sink_counters counters = { 0 };
	struct store_state state;

	if (!agent->store)
		return json_null();
	if (agent->sink)
		sink_read_counters(agent->sink, &counters);
	store_read_state(agent->store, &state);
	return json_pack("{s:s, s:s, s:s?, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "path", state.path, "state",
		store_condition_name(state.condition), "why", state.why[0] ? state.why : NULL, "file_bytes",
		(json_int_t)state.file_bytes, "outbox_bytes", (json_int_t)state.outbox_bytes, "datums_on_disk",
		(json_int_t)counters.datums_on_disk, "restored", (json_int_t)counters.restored, "samples_restored",
		(json_int_t)agent->samples_restored, "troubles", (json_int_t)state.troubles, "set_aside",
		(json_int_t)state.set_aside);
}

/* Is the agent itself the sick one, since when, and how many runs it has spoiled by each cause. */
static json_t *self_check_to_json(const struct agent *agent)
{
	const struct self_check *check = &agent->self_check;
	json_t *faults = json_object();
	struct wall since = { 0 };

	for (int cause = SELF_CHECK_NONE + 1; cause < SELF_CHECK_CAUSE_COUNT; cause++)
		if (check->faults[cause] > 0)
			(void)json_object_set_new(faults, self_check_cause_name((enum self_check_cause)cause),
				json_integer((json_int_t)check->faults[cause]));
	if (check->is_sick)
		since = wall_add(wall_now(), -mono_since(mono_now(), check->sick_since));
	return json_pack("{s:b, s:s?, s:o, s:o}", "well", !check->is_sick, "cause",
		check->is_sick ? self_check_cause_name(check->cause) : NULL, "since", instant_to_json(since), "faults",
		faults);
}

static const char *state_name(const struct agent *agent)
{
	if (agent->is_stopping)
		return "stopping";
	return agent->is_running ? "running" : "starting";
}

static json_t *configuration_to_json(const struct agent_reload *reload)
{
	return json_pack("{s:o, s:o}", "loaded", instant_to_json(reload->loaded), "refused",
		reload->has_failed ? json_pack("{s:o, s:I, s:o}", "at", instant_to_json(reload->failed), "mistakes",
			(json_int_t)reload->mistakes, "first", words_to_json(reload->first)) : json_null());
}

static json_t *head_to_json(void *user)
{
	struct agent *agent = user;

	return json_pack("{s:s, s:I, s:s, s:s, s:s, s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:f, s:o, s:o}", "version",
		PACKAGE_VERSION, "pid", (json_int_t)getpid(), "agent_id", agent->facts.agent_id, "fleet",
		agent->conf->fleet, "state", state_name(agent), "started", instant_to_json(agent->started_wall),
		"uptime_s", (json_int_t)(mono_since(mono_now(), agent->started) / US_PER_S), "runs",
		runs_to_json(&agent->counters), "configuration", configuration_to_json(&agent->reload), "queue",
		queue_to_json(agent->sink), "store", store_to_json(agent), "credentials", credentials_to_json(agent),
		"clock_skew_s", (double)agent->context.skew_us / (double)US_PER_S, "dns", dns_to_json(agent->resolver),
		"self_check", self_check_to_json(agent));
}

/* ---- start and stop ----------------------------------------------------------------------- */

void agent_status_start(struct agent *agent)
{
	const struct status_source source = { .head = head_to_json, .count = count_probes, .probe = probe_to_json,
		.user = agent };
	const char *path = agent->conf->status_socket;
	char why[STATUS_SOCKET_WHY_SIZE];

	if (strcmp(path, "none") == 0)
		return;
	agent->status = status_socket_new(agent->loop, path, &source, why);
	if (!agent->status)
		log_warning("event=no_status_socket path=%s why=\"%s\" action=\"lattice-probe status cannot ask this "
			    "agent\"", path, why);
}

void agent_status_stop(struct agent *agent)
{
	status_socket_free(agent->status);
	agent->status = NULL;
}
