/* SPDX-License-Identifier: Apache-2.0 */
/* Where the store is, what of the last process's windows has to be built anew, and its end. The sink looks
 * after the outbox by itself. */
#include "agent_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lattice-probe/err.h"
#include "lattice-probe/log.h"
#include "lattice-probe/store.h"
#include "lattice-probe/target.h"

#define CLOSE_US US_PER_S /* beyond the flush: one write */

/* ---- where -------------------------------------------------------------------------------- */

/* The first of systemd's list (systemd.exec(5), StateDirectory) takes the place of the default. */
static const char *find_directory(const struct agent *agent, char given[static CONF_NAME_SIZE])
{
	const char *configured = agent->conf->state_directory;
	const char *list = getenv("STATE_DIRECTORY");

	if (strcmp(configured, "none") == 0)
		return NULL;
	if (strcmp(configured, CONF_STATE_DIRECTORY) != 0)
		return configured;
	if (!list || list[0] != '/')
		return access(configured, W_OK | X_OK) == 0 ? configured : NULL;
	(void)snprintf(given, CONF_NAME_SIZE, "%.*s", (int)strcspn(list, ":"), list);
	return given;
}

/* ---- the windows of the last process ------------------------------------------------------- */

struct names {
	const struct agent_probe **probes; /* by name */
	size_t count;
};

static int compare_names(const void *a, const void *b)
{
	const struct agent_probe *const *left = a;
	const struct agent_probe *const *right = b;

	return strcmp((*left)->target->name, (*right)->target->name);
}

static int compare_to_name(const void *key, const void *member)
{
	const struct agent_probe *const *probe = member;

	return strcmp(key, (*probe)->target->name);
}

/* Anew for each page: a reload may have come between. */
static bool sort_names(const struct agent *agent, struct names *ret_names)
{
	ret_names->probes = calloc(agent->probe_count + 1, sizeof(struct agent_probe *));
	if (!ret_names->probes)
		return false;
	for (size_t i = 0; i < agent->probe_count; i++)
		ret_names->probes[i] = agent->probes[i];
	ret_names->count = agent->probe_count;
	qsort(ret_names->probes, ret_names->count, sizeof(struct agent_probe *), compare_names);
	return true;
}

/* A probe that is not configured any more has a series of its own until its window closes. */
static void restore(struct agent *agent, const struct names *names, const struct store_sample *sample)
{
	const struct agent_probe *const *probe = bsearch(sample->probe, names->probes, names->count,
		sizeof(struct agent_probe *), compare_to_name);
	struct aggregate_series *series = probe ? (*probe)->series :
		agent_metrics_series(agent, sample->probe, sample->is_tls);

	aggregate_note_alive(agent->aggregate, sample->result.scheduled);
	if (!series || aggregate_add(series, &sample->result) != 0)
		log_err("target=%s event=sample_dropped cause=\"%s\"", sample->probe, err_text(ERR_NOMEM));
	if (series && !probe)
		aggregate_series_end(series);
}

/* What comes too late for the last windows of this process stays for the next one's. */
static void on_samples(void *user, const struct store_sample *samples, size_t count)
{
	struct agent *agent = user;
	struct names names;

	if (count == 0 || agent->is_flushing) {
		if (agent->samples_restored > 0)
			log_info("event=samples_restored samples=%zu", agent->samples_restored);
		return;
	}
	if (!sort_names(agent, &names)) {
		log_err("event=samples_not_restored cause=\"%s\"", err_text(ERR_NOMEM));
		return;
	}
	for (size_t i = 0; i < count; i++)
		if (samples[i].result.outcome != OUTCOME_NONE)
			restore(agent, &names, &samples[i]);
	free(names.probes);
	agent->samples_restored += count;
	agent_metrics_plan(agent);
	(void)store_read_samples(agent->store, on_samples, agent);
}

static void on_ready(void *user, const struct store_ready *ready)
{
	struct agent *agent = user;

	if (ready->is_first && !store_read_samples(agent->store, on_samples, agent))
		log_err("event=samples_not_restored cause=\"%s\"", err_text(ERR_NOMEM));
}

/* ---- start and stop ----------------------------------------------------------------------- */

void agent_store_start(struct agent *agent)
{
	const struct conf *conf = agent->conf;
	char given[CONF_NAME_SIZE];
	const char *directory = find_directory(agent, given);

	if (agent->options.dry_run)
		return;
	if (directory)
		agent->store = store_new(agent->loop, &(struct store_options){ .directory = directory,
			.agent_id = agent->facts.agent_id, .retention_us = conf->store_retention_us,
			.samples_max_bytes = conf->store_max_bytes, .outbox_max_bytes = conf->outbox_max_bytes });
	if (agent->store)
		store_listen(agent->store, on_ready, agent);
	else
		log_info("event=no_store state_directory=%s why=\"%s\" action=\"what waits is kept in memory only\"",
			conf->state_directory, directory ? err_text(ERR_NOMEM) :
			strcmp(conf->state_directory, "none") == 0 ? "so configured" : "no such folder, or not writable");
}

void agent_store_take(struct agent *agent, const struct result *result)
{
	if (agent->store)
		store_add_sample(agent->store, result);
}

void agent_store_cover(struct agent *agent, struct wall start, int64_t length_us)
{
	if (agent->store)
		store_cover(agent->store, start, length_us);
}

static void on_close_overdue(void *user)
{
	struct agent *agent = user;

	log_err("event=store_not_closed why=\"the disk does not answer\" action=\"what was not written is lost\"");
	loop_stop(agent->loop);
}

static void on_closed(void *user, bool is_written)
{
	struct agent *agent = user;

	if (!is_written)
		log_err("event=store_not_written action=\"what waited last is lost\"");
	loop_stop(agent->loop);
}

void agent_store_close(struct agent *agent)
{
	if (!agent->store) {
		loop_stop(agent->loop);
		return;
	}
	store_close(agent->store, on_closed, agent);
	(void)loop_timer_start(agent->loop, &agent->stop_timer, mono_add(mono_now(), CLOSE_US), on_close_overdue, agent);
}

void agent_store_free(struct agent *agent)
{
	store_free(agent->store);
	agent->store = NULL;
}
