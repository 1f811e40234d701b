/* SPDX-License-Identifier: Apache-2.0 */
/* The life of the daemon:
 *   start:    notify → loop → net → aws → signals → watchdog → status → identity (asks who and where we are) →
 *             store → metrics → runs → diagnosis
 *   SIGHUP:   agent_reload.c
 *   SIGTERM:  no new runs → runs end or are cancelled → windows close → sink flushes → store closes → the loop ends
 *   free:     exact reverse of start
 * A second SIGTERM or SIGINT skips the waiting: what the windows hold is printed or counted as dropped. */
#include "agent_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lattice-probe/aws_call.h"
#include "lattice-probe/credentials.h"
#include "lattice-probe/err.h"
#include "lattice-probe/http.h"
#include "lattice-probe/log.h"
#include "lattice-probe/notify.h"
#include "lattice-probe/resolver.h"
#include "lattice-probe/sink.h"

#define LAG_LIMIT_US (100 * US_PER_MS)
#define IDENTITY_WAIT_US (5 * US_PER_S)
#define IDENTITY_WAIT_MAX_US (60 * US_PER_S)
#define MINUTE_US (60 * US_PER_S)
#define SAME_SIGNAL_US (200 * US_PER_MS)


/* ---- the end ------------------------------------------------------------------------------ */

static void log_summary(const struct agent *agent)
{
	const struct agent_counters *counters = &agent->counters;
	struct sink_counters sink = { 0 };
	double dropped = 0;

	if (agent->sink)
		sink_read_counters(agent->sink, &sink);
	for (size_t i = 0; i < SINK_DROP_COUNT; i++)
		dropped += sink.dropped[i];
	log_info("event=stopped scheduled=%" PRIu64 " run=%" PRIu64 " missed=%" PRIu64 " late=%" PRIu64
		 " local=%" PRIu64 " samples_delivered=%.0f samples_waiting=%.0f samples_dropped=%.0f"
		 " samples_in_doubt=%.0f requests=%" PRIu64,
		counters->scheduled, counters->run, counters->missed, counters->late, counters->local,
		sink.delivered, sink.waiting, dropped, sink.in_doubt, sink.requests);
}

static void on_flushed(void *user)
{
	agent_store_close(user);
}

/* Every run has ended: what is in the windows goes out, as partial windows. */
static void flush(struct agent *agent)
{
	if (agent->is_flushing)
		return;
	loop_timer_stop(agent->loop, &agent->stop_timer);
	agent_self_check_settle(agent);
	loop_timer_stop(agent->loop, &agent->close_timer);
	aggregate_close_all(agent->aggregate, wall_now());
	agent->is_flushing = true;
	sink_flush(agent->sink, agent->stop_deadline, on_flushed, agent);
}

static void on_runs_overdue(void *user)
{
	struct agent *agent = user;

	agent_runs_cancel(agent);
	flush(agent);
}

void agent_run_ended(struct agent *agent)
{
	if (agent->is_stopping && agent->in_flight == 0)
		flush(agent);
}

/* From here on it must neither reload nor, once nobody watches the signal any more, end the process as if
 * it had failed. */
static void ignore_reload_signal(struct agent *agent)
{
	agent_reload_stop(agent);
	loop_signal_stop(agent->signals[AGENT_SIGNAL_RELOAD]);
	agent->signals[AGENT_SIGNAL_RELOAD] = NULL;
	(void)signal(SIGHUP, SIG_IGN);
}

static void stop(struct agent *agent)
{
	int64_t shutdown_us = agent->conf->shutdown_timeout_us;
	struct mono now = mono_now();

	agent->is_stopping = true;
	agent->stop_deadline = mono_add(now, shutdown_us);
	ignore_reload_signal(agent);
	agent_notify_stopping(agent);
	if (!agent->is_running) {
		loop_stop(agent->loop);
		return;
	}
	agent_diagnosis_stop(agent);
	agent_runs_stop_scheduling(agent);
	log_info("event=stopping in_flight=%zu deadline_ms=%" PRId64, agent->in_flight, shutdown_us / US_PER_MS);
	if (agent->in_flight == 0)
		flush(agent);
	/* Half of the time for the runs, half for publishing. */
	else if (loop_timer_start(agent->loop, &agent->stop_timer, mono_add(now, shutdown_us / 2),
			 on_runs_overdue, agent) != 0)
		on_runs_overdue(agent);
}

void agent_output_broken(struct agent *agent)
{
	agent->exit_code = 1;
	if (!agent->is_stopping)
		stop(agent);
}

/* What still waits is counted as dropped before the closing line, unless a flush was on its way. */
static void stop_at_once(struct agent *agent)
{
	bool must_flush = agent->is_running && !agent->is_flushing;

	agent_runs_cancel(agent);
	agent->stop_deadline = mono_now();
	if (must_flush)
		flush(agent);
	else
		loop_stop(agent->loop);
}

/* timeout(1) and some supervisors signal a process and then its group: that is one wish, not two. */
static void on_stop_signal(void *user, int signal_number)
{
	struct agent *agent = user;

	(void)signal_number;
	if (!agent->is_stopping) {
		agent->stop_began = mono_now();
		stop(agent);
	} else if (mono_since(mono_now(), agent->stop_began) > SAME_SIGNAL_US) {
		stop_at_once(agent);
	}
}

static void on_reload_signal(void *user, int signal_number)
{
	(void)signal_number;
	agent_reload_begin(user);
}

/* ---- the start ---------------------------------------------------------------------------- */

static void on_minute(void *user)
{
	struct agent *agent = user;

	log_flush_repeats();
	agent_notify_now(agent);
	(void)loop_timer_start(agent->loop, &agent->minute_timer, mono_add(mono_now(), MINUTE_US), on_minute,
		agent);
}

static void refuse_to_start(struct agent *agent, const char *why)
{
	char status[NOTIFY_STATUS_SIZE];

	(void)snprintf(status, sizeof status, "not started: %s", why);
	log_err("event=not_started why=\"%s\"", why);
	(void)notify_failed(agent->notify, ENOTRECOVERABLE, status);
	agent->exit_code = 1;
}

static void give_up(struct agent *agent, const char *why)
{
	refuse_to_start(agent, why);
	loop_stop(agent->loop);
}

static void log_started(const struct agent *agent)
{
	log_info("event=started probes=%zu disabled=%zu agent_id=%s agent_id_from=%s region=%s", agent->probe_count,
		agent->conf->disabled_count, agent->facts.agent_id, agent->facts.agent_id_source,
		agent->facts.region[0] ? agent->facts.region : "unknown");
	if (agent->probe_count == 0)
		log_info("event=idle why=\"no probe is configured\" fix=\"" AGENT_ADD_PROBE "\"",
			agent->options.conf_path);
}

static void start_running(struct agent *agent)
{
	agent_store_start(agent);
	if (!agent_metrics_start(agent) || !agent_runs_start(agent)) {
		give_up(agent, "no memory, or no endpoint for the region");
		return;
	}
	agent_self_check_start(agent);
	agent_diagnosis_start(agent);
	agent->is_running = true;
	log_started(agent);
	agent_notify_ready(agent);
}

/* Without any, the signed runs say why by themselves, and the others need none. */
static void on_credentials(void *user, int err, const char *why)
{
	(void)err;
	(void)why;
	start_running(user);
}

static bool has_signed_probe(const struct conf *conf)
{
	for (size_t i = 0; i < conf->target_count; i++)
		if (conf->targets[i]->auth == TARGET_AUTH_SIGV4)
			return true;
	return false;
}

/* A signed probe waits for the credentials' first fetch, or it would fail for this host's own haste. */
static void prepare_running(struct agent *agent)
{
	agent->context.region = agent->facts.region;
	if (credentials_set_region(agent->credentials, agent->facts.region) != 0) {
		give_up(agent, "the region's name is too long");
		return;
	}
	if (!has_signed_probe(agent->conf) || credentials_wait(agent->credentials, on_credentials, agent) != 0)
		start_running(agent);
}

static void find_identity(void *user);

/* A manager that waited for the region would hold up the boot, and then end an agent that goes on trying. */
static void wait_for_identity(struct agent *agent, const char *why)
{
	(void)snprintf(agent->waits_for, sizeof agent->waits_for, "waiting, nothing is probed yet: %s", why);
	agent_notify_ready(agent);
}

static void on_identity(struct agent *agent, int err, const struct agent_identity_facts *facts, const char *why)
{
	if (!err) {
		agent->facts = *facts;
		prepare_running(agent);
		return;
	}
	agent->identity_wait_us = agent->identity_wait_us ? agent->identity_wait_us * 2 : IDENTITY_WAIT_US;
	if (agent->identity_wait_us > IDENTITY_WAIT_MAX_US)
		agent->identity_wait_us = IDENTITY_WAIT_MAX_US;
	log_warning("event=identity_unknown cause=\"%s\" why=\"%s\" retry_in_s=%" PRId64, err_text(err), why,
		agent->identity_wait_us / US_PER_S);
	wait_for_identity(agent, why);
	if (loop_timer_start(agent->loop, &agent->identity_retry,
		    mono_add(mono_now(), agent->identity_wait_us), find_identity, agent) != 0)
		give_up(agent, err_text(ERR_NOMEM));
}

static void find_identity(void *user)
{
	struct agent *agent = user;

	agent->identity = agent_identity_start(agent, on_identity);
	if (!agent->identity)
		give_up(agent, err_text(ERR_NOMEM));
}

/* The wait between two tries stays as long as it has become. */
void agent_find_identity_again(struct agent *agent)
{
	if (!agent->identity && !loop_timer_is_running(&agent->identity_retry))
		return;
	agent_identity_stop(agent->identity);
	agent->identity = NULL;
	loop_timer_stop(agent->loop, &agent->identity_retry);
	find_identity(agent);
}

static const char *setting(const char *value, const char *none)
{
	return strcmp(value, none) == 0 ? NULL : value;
}

/* Now, not inside the first run: a bundle takes longer to load than a service takes to answer. */
void agent_load_trust(const struct agent *agent)
{
	for (size_t i = 0; i < agent->conf->target_count; i++) {
		const struct target *target = agent->conf->targets[i];

		if (target->url.is_tls && target->tls_verify)
			http_client_load_trust(agent->http, target->tls_ca);
	}
}

static bool start_net(struct agent *agent)
{
	const struct conf *conf = agent->conf;
	const struct resolver_options resolver = { .max_rate = conf->max_dns_rate };
	const struct aws_transport_options transport = { .ca_file = getenv("AWS_CA_BUNDLE"),
		.proxy = setting(conf->proxy, "none"), .resolver = &conf->defaults.resolver };

	agent->loop = loop_new();
	if (!agent->loop)
		return false;
	agent->resolver = resolver_new(agent->loop, &resolver);
	agent->http = http_client_new(agent->loop, NULL);
	agent->transport = aws_transport_new(agent->loop, &transport);
	if (!agent->resolver || !agent->http || !agent->transport)
		return false;
	agent->imds = imds_new(agent->loop, aws_transport_http(agent->transport));
	if (!agent->imds)
		return false;
	agent->credentials = credentials_new(agent->loop, agent->imds, agent->transport);
	agent->context = (struct probe_context){ .loop = agent->loop, .resolver = agent->resolver,
		.http = agent->http, .credentials = agent->credentials, .region = "",
		.lag_limit_us = LAG_LIMIT_US };
	agent_load_trust(agent);
	return agent->credentials != NULL;
}

static bool start_signals(struct agent *agent)
{
	static const struct {
		int number;
		void (*callback)(void *user, int signal_number);
	} signals[AGENT_SIGNALS] = { [AGENT_SIGNAL_RELOAD] = { SIGHUP, on_reload_signal }, [AGENT_SIGNAL_STOP] = { SIGTERM, on_stop_signal },
		[AGENT_SIGNAL_INTERRUPT] = { SIGINT, on_stop_signal } };

	for (size_t i = 0; i < AGENT_SIGNALS; i++) {
		agent->signals[i] = loop_signal_start(agent->loop, signals[i].number, signals[i].callback, agent);
		if (!agent->signals[i])
			return false;
	}
	return loop_timer_start(agent->loop, &agent->minute_timer, mono_add(mono_now(), MINUTE_US), on_minute,
		       agent) == 0;
}

static void stop_all(struct agent *agent)
{
	if (agent->loop) {
		loop_timer_stop(agent->loop, &agent->stop_timer);
		loop_timer_stop(agent->loop, &agent->minute_timer);
		loop_timer_stop(agent->loop, &agent->identity_retry);
		agent_reload_stop(agent);
		agent_diagnosis_stop(agent);
		loop_timer_stop(agent->loop, &agent->due_timer);
		if (agent->in_flight > 0)
			agent_runs_cancel(agent);
		agent_self_check_stop(agent);
		agent_runs_free(agent);
		agent_metrics_free(agent);
		agent_store_free(agent);
		agent_identity_stop(agent->identity);
		agent_status_stop(agent);
		agent_watchdog_stop(agent);
		for (size_t i = 0; i < AGENT_SIGNALS; i++)
			loop_signal_stop(agent->signals[i]);
	}
	credentials_free(agent->credentials);
	imds_free(agent->imds);
	aws_transport_free(agent->transport);
	http_client_free(agent->http);
	resolver_free(agent->resolver);
	agent_notify_stop(agent);
	loop_free(agent->loop);
	conf_free(agent->conf);
}

int agent_run(struct conf *conf, const struct agent_options *options)
{
	struct agent agent = { .conf = conf, .options = *options, .started_wall = wall_now(),
		.started = mono_now(), .reload.loaded = wall_now() };

	TAILQ_INIT(&agent.held);
	agent_notify_start(&agent);
	if (start_net(&agent) && start_signals(&agent)) {
		agent_watchdog_start(&agent);
		agent_status_start(&agent);
		find_identity(&agent);
		loop_run(agent.loop);
		if (agent.is_running || agent.is_stopping)
			log_summary(&agent);
	} else {
		const char *obstacle = http_client_obstacle();

		refuse_to_start(&agent, obstacle ? obstacle : err_text(ERR_NOMEM));
	}
	stop_all(&agent);
	log_flush_repeats();
	return agent.exit_code;
}
