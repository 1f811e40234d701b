/* SPDX-License-Identifier: Apache-2.0 */
/* SIGHUP: the file is read in the thread pool, compared, and what differs is taken over in one turn of the
 * loop: either all of it or, without memory, nothing. A file with mistakes changes nothing.
 *
 * An unchanged probe stays what it is, to its address. A changed one is a new probe of the same name: its
 * phase follows from the name, its health and its streak begin anew. A run of one that changed or went
 * ends and counts as ever. */
#include "agent_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lattice-probe/err.h"
#include "lattice-probe/http.h"
#include "lattice-probe/log.h"
#include "lattice-probe/notify.h"
#include "lattice-probe/reload.h"
#include "lattice-probe/resolver.h"
#include "lattice-probe/sink.h"
#include "lattice-probe/target.h"

#define PLACE_SIZE 256

/* What is read in the thread pool; owned by the work. */
struct job {
	struct agent *agent;
	const char *path; /* borrowed: of the command line */
	struct conf *conf;
	struct conf_findings findings;
	int err;
};

/* A take-over under way. */
struct change {
	struct conf *before;
	struct conf *after;
	struct reload_difference difference;
	size_t keys;
	bool renews_windows;
	struct agent_windows windows;
	struct agent_probe **probes; /* as they will be */
	size_t probe_count;
};

/* ---- keys --------------------------------------------------------------------------------- */

static bool takes_restart(const struct agent *agent, const struct reload_key *key)
{
	/* Nothing was settled yet but what the process began with. */
	if (agent->identity || loop_timer_is_running(&agent->identity_retry))
		return key->effect == RELOAD_NEXT_PROCESS;
	return key->effect == RELOAD_NEXT_PROCESS || key->effect == RELOAD_NEXT_START;
}

static void say_restart(const struct agent *agent, const char *section, const char *name)
{
	log_warning("event=key_needs_restart reload=%u section=%s key=%s action=\"the value before stays until systemctl "
		    "restart lattice-probe\"", agent->reload.serial, section, name);
}

/* dimension_sets and its length. */
static void keep_dimension_sets(const struct agent *agent, struct change *change)
{
	memcpy(change->after->dimension_sets, change->before->dimension_sets, sizeof change->after->dimension_sets);
	change->after->dimension_set_count = change->before->dimension_set_count;
	say_restart(agent, "cloudwatch", "dimension_sets");
}

static void take_key(struct agent *agent, const struct reload_key *key, struct change *change)
{
	if (key->is_equal(change->before, change->after))
		return;
	change->keys++;
	if (takes_restart(agent, key)) {
		reload_keep(key, change->before, change->after);
		say_restart(agent, key->section, key->name);
		return;
	}
	change->renews_windows = change->renews_windows || key->effect == RELOAD_NEW_WINDOWS;
	log_info("event=key_changed reload=%u section=%s key=%s", agent->reload.serial, key->section, key->name);
}

static void take_keys(struct agent *agent, struct change *change)
{
	if (agent->is_running && agent_identity_lacks_facts(&agent->facts, change->after))
		keep_dimension_sets(agent, change);
	for (size_t i = 0; i < reload_keys_count; i++)
		take_key(agent, &reload_keys[i], change);
	if (agent_metrics_grace_us(change->before) != agent_metrics_grace_us(change->after))
		change->renews_windows = true;
}

/* ---- probes ------------------------------------------------------------------------------- */

static bool make_probes(struct agent *agent, struct change *change)
{
	const struct conf *after = change->after;

	change->probes = calloc(after->target_count + 1, sizeof(struct agent_probe *));
	if (!change->probes)
		return false;
	while (change->probe_count < after->target_count) {
		const struct reload_probe *judged = &change->difference.probes[change->probe_count];
		struct agent_probe *probe = judged->fate == RELOAD_UNCHANGED ? agent->probes[judged->before] :
			agent_probe_new(agent, after->targets[change->probe_count]);

		if (!probe)
			return false;
		change->probes[change->probe_count++] = probe;
	}
	return true;
}

static void unmake_probes(struct change *change)
{
	for (size_t i = 0; i < change->probe_count; i++)
		if (change->difference.probes[i].fate != RELOAD_UNCHANGED)
			agent_probe_free(change->probes[i]);
	free(change->probes);
}

/* Equal targets: the one in use stays, so that no two are kept. */
static void keep_target(struct conf *after, size_t place, struct agent_probe *probe)
{
	target_drop(after->targets[place]);
	after->targets[place] = target_hold(probe->target);
}

static void exchange_probes(struct agent *agent, struct change *change)
{
	struct agent_probe **before = agent->probes;
	size_t before_count = agent->probe_count;

	agent->probes = change->probes;
	agent->probe_count = change->probe_count;
	for (size_t i = 0; i < change->probe_count; i++) {
		const struct reload_probe *judged = &change->difference.probes[i];

		if (judged->fate == RELOAD_UNCHANGED)
			keep_target(change->after, i, change->probes[i]);
		else
			log_info("target=%s event=%s reload=%u", change->probes[i]->target->name,
				judged->fate == RELOAD_ADDED ? "probe_added" : "probe_changed", agent->reload.serial);
		if (judged->fate == RELOAD_UNCHANGED)
			before[judged->before] = NULL;
	}
	for (size_t i = 0; i < before_count; i++) {
		if (!before[i])
			continue;
		if (change->difference.is_removed[i])
			log_info("target=%s event=probe_removed reload=%u", before[i]->target->name,
				agent->reload.serial);
		agent_probe_retire(before[i]);
	}
	free(before);
}

/* ---- taking over -------------------------------------------------------------------------- */

/* In these the order does not matter, and none can fail so that the agent would have to go back. */
static void apply_settings(struct agent *agent, const struct change *change)
{
	const struct conf *conf = agent->conf;

	resolver_set_max_rate(agent->resolver, conf->max_dns_rate);
	agent_load_trust(agent);
	if (agent->sink)
		sink_set_backfill_interval(agent->sink, conf->backfill_interval_us);
	if (strcmp(change->before->status_socket, conf->status_socket) != 0) {
		agent_status_stop(agent);
		agent_status_start(agent);
	}
	if (agent->is_running)
		agent_diagnosis_start(agent); /* its context points into the configuration */
}

/* False: no memory, and the agent is as it was. */
static bool change_running(struct agent *agent, struct change *change)
{
	agent_runs_take_due(agent);
	agent_self_check_settle(agent); /* what it holds is of probes that may go */
	agent->conf = change->after;
	if (change->renews_windows && !agent_metrics_renew(agent, &change->windows)) {
		agent->conf = change->before;
		return false;
	}
	if (!make_probes(agent, change)) {
		unmake_probes(change);
		if (change->renews_windows)
			agent_metrics_put_back(agent, &change->windows);
		agent->conf = change->before;
		return false;
	}
	if (change->renews_windows)
		agent_metrics_end_before(agent, &change->windows);
	exchange_probes(agent, change);
	agent_self_check_configure(agent);
	agent_runs_plan(agent);
	agent_metrics_plan(agent);
	return true;
}

static bool take_over(struct agent *agent, struct conf *after)
{
	struct change change = { .before = agent->conf, .after = after };
	bool is_taken = false;

	if (reload_compare(change.before->targets, change.before->target_count, after->targets, after->target_count,
		    &change.difference) != 0)
		return false;
	take_keys(agent, &change);
	if (agent->is_running)
		is_taken = change_running(agent, &change);
	else {
		agent->conf = after;
		is_taken = true;
	}
	if (is_taken) {
		log_info("event=reloaded reload=%u added=%zu changed=%zu removed=%zu unchanged=%zu keys=%zu",
			agent->reload.serial, change.difference.added, change.difference.changed, change.difference.removed,
			change.difference.unchanged, change.keys);
		apply_settings(agent, &change);
		agent_find_identity_again(agent);
		conf_free(change.before);
	}
	reload_difference_done(&change.difference);
	return is_taken;
}

/* ---- what came of it ---------------------------------------------------------------------- */

static void set_failed(struct agent *agent, size_t mistakes, const char *first)
{
	struct agent_reload *reload = &agent->reload;

	reload->has_failed = true;
	reload->failed = wall_now();
	reload->mistakes = mistakes;
	(void)snprintf(reload->first, sizeof reload->first, "%s", first);
	log_err("event=reload_failed reload=%u mistakes=%zu action=\"the configuration before stays in force\"",
		reload->serial, mistakes);
}

static void set_taken(struct agent *agent)
{
	agent->reload.has_failed = false;
	agent->reload.loaded = wall_now();
}

/* "file:line", or "file" for the file as a whole. */
static const char *place_of(const struct conf_finding *finding, char ret_place[static PLACE_SIZE])
{
	if (finding->line > 0)
		(void)snprintf(ret_place, PLACE_SIZE, "%s:%u", finding->file, finding->line);
	else
		(void)snprintf(ret_place, PLACE_SIZE, "%s", finding->file);
	return ret_place;
}

static const struct conf_finding *first_mistake(const struct conf_findings *findings)
{
	for (size_t i = 0; i < findings->count; i++)
		if (findings->items[i].severity == CONF_MISTAKE)
			return &findings->items[i];
	return NULL;
}

static void refuse(struct agent *agent, const struct job *job)
{
	const struct conf_finding *first = first_mistake(&job->findings);
	char place[PLACE_SIZE];
	char text[AGENT_MISTAKE_SIZE];

	if (first)
		(void)snprintf(text, sizeof text, "%s: %s", place_of(first, place), first->text);
	else
		(void)snprintf(text, sizeof text, "%s", err_text(job->err));
	set_failed(agent, job->findings.mistakes, text);
}

static void log_findings(const struct agent *agent, const struct conf_findings *findings)
{
	for (size_t i = 0; i < findings->count; i++) {
		const struct conf_finding *finding = &findings->items[i];
		void (*say)(const char *format, ...) = finding->severity == CONF_MISTAKE ? log_err : log_warning;
		char place[PLACE_SIZE];

		say("event=configuration reload=%u %s: %s", agent->reload.serial, place_of(finding, place), finding->text);
	}
}

/* The manager hears of the end, whatever it was; a signal that came meanwhile has its turn. */
static void end(struct agent *agent)
{
	if (agent->aggregate)
		aggregate_set_reload_failed(agent->aggregate, agent->reload.has_failed);
	if (agent->is_ready)
		agent->is_ready_told = false;
	agent_notify_now(agent);
	if (!agent->reload.is_wanted)
		return;
	agent->reload.is_wanted = false;
	agent_reload_begin(agent);
}

/* ---- reading ------------------------------------------------------------------------------ */

static void read_file(void *user)
{
	struct job *job = user;

	job->err = conf_load(job->path, &job->conf, &job->findings);
}

static void on_read(void *user)
{
	struct job *job = user;
	struct agent *agent = job->agent;

	agent->reload.work = NULL;
	log_findings(agent, &job->findings);
	if (job->err) {
		refuse(agent, job);
	} else if (take_over(agent, job->conf)) {
		job->conf = NULL;
		set_taken(agent);
	} else {
		set_failed(agent, 0, err_text(ERR_NOMEM));
	}
	end(agent);
}

static void dispose(void *user)
{
	struct job *job = user;

	conf_free(job->conf);
	conf_findings_done(&job->findings);
	free(job);
}

static bool start_reading(struct agent *agent)
{
	struct job *job = calloc(1, sizeof *job);

	if (!job)
		return false;
	job->agent = agent;
	job->path = agent->options.conf_path;
	conf_findings_init(&job->findings);
	agent->reload.work = loop_work_start(agent->loop, read_file, on_read, dispose, job);
	if (!agent->reload.work)
		dispose(job);
	return agent->reload.work != NULL;
}

void agent_reload_begin(struct agent *agent)
{
	if (agent->is_stopping)
		return;
	if (agent->reload.work) {
		agent->reload.is_wanted = true;
		return;
	}
	agent->reload.serial++;
	if (agent->is_ready)
		(void)notify_reloading(agent->notify, mono_now());
	log_info("event=reloading reload=%u file=%s", agent->reload.serial, agent->options.conf_path);
	if (start_reading(agent))
		return;
	set_failed(agent, 0, err_text(ERR_NOMEM));
	end(agent);
}

void agent_reload_stop(struct agent *agent)
{
	if (agent->reload.work)
		loop_work_cancel(agent->reload.work);
	agent->reload.work = NULL;
	agent->reload.is_wanted = false;
}
