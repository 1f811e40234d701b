/* SPDX-License-Identifier: Apache-2.0 */
/* Each question is a part that is idle, open or ended. Whenever one ends, advance() looks at what has
 * become possible and starts it:
 *   where, region, each resolver         at once
 *   own publishing                       when the region is known
 *   lossy resolvers again, the name behind an alias, the addresses    after the resolvers
 *   credentials                          with the region, when the request is signed
 *   the exchange of each address         after both
 *   the control plane                    when the host, the region and the addresses are known
 *   exchanges that tell causes apart     after the preferred address's own
 * and ends when nothing is open. The timer `limit` runs from the start to the end: it is the hard
 * deadline, and, moved to now, what calls back from the loop. */
#include "question_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lattice-probe/credentials.h"
#include "lattice-probe/diagnosis.h"
#include "lattice-probe/probe.h"
#include "lattice-probe/region.h"

#define MAIN_MAX_US (6 * US_PER_S)
#define FOLLOW_UP_MAX_US (2 * US_PER_S)
#define RESERVE_US (2500 * US_PER_MS)   /* that the main exchange leaves for those after it */
#define CREDENTIALS_MAX_US (4 * US_PER_S)
#define AWS_MAX_US (8 * US_PER_S)
#define MARGIN_US (300 * US_PER_MS)     /* parts end by themselves before the hard deadline */
#define LAG_LIMIT_US (500 * US_PER_MS)
#define REGION_SIZE 64

enum part {
	PART_WHERE, PART_REGION, PART_DNS, PART_AGAIN, PART_GENERATED, PART_CREDENTIALS, PART_CONTROL,
	PART_PUBLISHING, PART_MAINS, PART_MAINS_END = PART_MAINS + EVIDENCE_PATHS_MAX - 1, PART_FOLLOW_UPS,
	PART_FOLLOW_UPS_END = PART_FOLLOW_UPS + EXCHANGE_KINDS - 1, PART_RUN, PARTS
};

enum part_state { PART_IDLE, PART_OPEN, PART_ENDED };

/* What a question's callback gets as its user. */
struct part_link {
	struct diagnose *diagnose;
	enum part_state state;
};

struct diagnose {
	const struct diagnose_context *context;
	struct target *target;
	bool asks_aws;
	bool asks_publishing;
	bool has_last;
	struct evidence_exchange last;
	struct mono started;
	struct mono deadline;
	struct loop_timer limit;
	struct loop_timer patience; /* with credentials */
	bool is_done;
	bool has_paths;
	int64_t main_timeout_us;
	void (*finished)(void *user, const struct evidence *evidence, const struct diagnosis *diagnosis);
	void *user;

	struct part_link parts[PARTS];
	struct question_where where;
	struct question_dns dns;
	struct question_again again;
	struct question_generated generated;
	struct question_exchange exchanges[PART_FOLLOW_UPS_END - PART_MAINS + 1];
	struct region_search *region_search;
	char region[REGION_SIZE];
	struct control *control;
	struct publishing *publishing;
	struct probe_context run_context;
	struct probe *run;          /* follows redirects */

	struct evidence evidence;
	struct diagnosis diagnosis;
};

static void advance(struct diagnose *diagnose);

/* ---- parts -------------------------------------------------------------------------------- */

static void on_ended(void *user)
{
	struct part_link *link = user;

	link->state = PART_ENDED;
	advance(link->diagnose);
}

static void set_state(struct diagnose *diagnose, enum part part, bool is_open)
{
	diagnose->parts[part].state = is_open ? PART_OPEN : PART_ENDED;
}

static bool is_idle(const struct diagnose *diagnose, enum part part)
{
	return diagnose->parts[part].state == PART_IDLE;
}

static bool has_ended(const struct diagnose *diagnose, enum part part)
{
	return diagnose->parts[part].state == PART_ENDED;
}

static int64_t left_us(const struct diagnose *diagnose)
{
	return mono_since(diagnose->deadline, mono_now()) - MARGIN_US;
}

static int64_t smaller(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* ---- AWS ---------------------------------------------------------------------------------- */

static void on_region(void *user, int err, const char *region, const char *source)
{
	struct part_link *link = user;
	struct diagnose *diagnose = link->diagnose;

	(void)source;
	diagnose->region_search = NULL;
	if (!err)
		(void)snprintf(diagnose->region, sizeof diagnose->region, "%s", region);
	if (!err && diagnose->context->credentials)
		(void)credentials_set_region(diagnose->context->credentials, region);
	on_ended(link);
}

static bool is_signed(const struct diagnose *diagnose)
{
	return diagnose->evidence.target.is_signed && diagnose->evidence.target.is_repeatable;
}

static void start_region(struct diagnose *diagnose)
{
	const struct diagnose_context *context = diagnose->context;
	bool is_needed = diagnose->asks_aws || diagnose->asks_publishing || is_signed(diagnose);

	(void)snprintf(diagnose->region, sizeof diagnose->region, "%s", context->region);
	if (!diagnose->region[0] && is_needed && context->imds)
		diagnose->region_search = region_find(context->loop, context->imds, NULL, on_region,
			&diagnose->parts[PART_REGION]);
	set_state(diagnose, PART_REGION, diagnose->region_search != NULL);
}

static void on_credentials(void *user, int err, const char *why)
{
	struct part_link *link = user;

	(void)err; /* without any, the exchange says why by itself */
	(void)why;
	loop_timer_stop(link->diagnose->context->loop, &link->diagnose->patience);
	on_ended(link);
}

static void on_patience(void *user)
{
	struct part_link *link = user;

	credentials_wait_cancel(link->diagnose->context->credentials, link);
	on_ended(link);
}

static void start_credentials(struct diagnose *diagnose)
{
	const struct diagnose_context *context = diagnose->context;
	struct part_link *link = &diagnose->parts[PART_CREDENTIALS];

	if (!is_idle(diagnose, PART_CREDENTIALS))
		return;
	if (!is_signed(diagnose) || !context->credentials) {
		set_state(diagnose, PART_CREDENTIALS, false);
		return;
	}
	if (!has_ended(diagnose, PART_REGION))
		return;
	set_state(diagnose, PART_CREDENTIALS, false);
	if (credentials_wait(context->credentials, on_credentials, link) != 0)
		return;
	set_state(diagnose, PART_CREDENTIALS, true);
	/* Without memory for it, the hard deadline stands behind. */
	(void)loop_timer_start(context->loop, &diagnose->patience, mono_add(diagnose->started, CREDENTIALS_MAX_US),
		on_patience, link);
}

static void on_publishing(void *user, const struct evidence_publishing *publishing)
{
	struct part_link *link = user;

	link->diagnose->publishing = NULL;
	link->diagnose->evidence.publishing = *publishing;
	on_ended(link);
}

static void start_publishing(struct diagnose *diagnose)
{
	const struct diagnose_context *context = diagnose->context;
	int64_t timeout_us = smaller(left_us(diagnose), AWS_MAX_US);

	if (!is_idle(diagnose, PART_PUBLISHING) || !has_ended(diagnose, PART_REGION))
		return;
	if (diagnose->asks_publishing && context->credentials && context->transport && timeout_us > 0)
		diagnose->publishing = publishing_start(context->loop, context->transport, context->credentials,
			diagnose->region, context->endpoint, context->namespace_, timeout_us, on_publishing,
			&diagnose->parts[PART_PUBLISHING]);
	set_state(diagnose, PART_PUBLISHING, diagnose->publishing != NULL);
}

static void on_control(void *user, const struct evidence_control *control)
{
	struct part_link *link = user;
	struct diagnose *diagnose = link->diagnose;
	struct evidence_dns *dns = &diagnose->evidence.dns;

	diagnose->control = NULL;
	diagnose->evidence.control = *control;
	if (!dns->generated_name[0] && diagnose->evidence.target.name == EVIDENCE_NAME_CUSTOM)
		(void)snprintf(dns->generated_name, sizeof dns->generated_name, "%s", control->generated_name);
	on_ended(link);
}

static bool can_ask_control(const struct diagnose *diagnose)
{
	const struct diagnose_context *context = diagnose->context;

	return diagnose->asks_aws && context->credentials && context->transport && diagnose->region[0] &&
		diagnose->evidence.where.facts.vpc_id[0];
}

static struct control *start_asking_control(struct diagnose *diagnose, int64_t timeout_us)
{
	const struct evidence *evidence = &diagnose->evidence;
	const struct evidence_where *where = &evidence->where;
	struct control_question question = { .region = diagnose->region, .account_id = where->account_id,
		.vpc_id = where->facts.vpc_id, .subnet_id = where->facts.subnet_id,
		.security_groups = where->security_groups, .host = evidence->target.host, .timeout_us = timeout_us };

	if (evidence->path_count > 0) {
		question.source = evidence->paths[0].route.source;
		question.destination = evidence->paths[0].address;
	}
	return control_start(diagnose->context->loop, diagnose->context->transport, diagnose->context->credentials,
		&question, on_control, &diagnose->parts[PART_CONTROL]);
}

static void start_control(struct diagnose *diagnose)
{
	int64_t timeout_us = smaller(left_us(diagnose), AWS_MAX_US);

	if (!is_idle(diagnose, PART_CONTROL) || !has_ended(diagnose, PART_WHERE) ||
	    !has_ended(diagnose, PART_REGION) || !diagnose->has_paths)
		return;
	if (can_ask_control(diagnose) && timeout_us > 0)
		diagnose->control = start_asking_control(diagnose, timeout_us);
	set_state(diagnose, PART_CONTROL, diagnose->control != NULL);
}

/* ---- DNS ---------------------------------------------------------------------------------- */

static void start_dns(struct diagnose *diagnose)
{
	bool is_open = false;

	if (!diagnose->target->url.is_literal)
		is_open = question_dns_start(&diagnose->dns, diagnose->context, diagnose->target, &diagnose->evidence.dns,
			on_ended, &diagnose->parts[PART_DNS]);
	set_state(diagnose, PART_DNS, is_open);
}

static void start_again(struct diagnose *diagnose)
{
	if (!is_idle(diagnose, PART_AGAIN))
		return;
	set_state(diagnose, PART_AGAIN, question_again_start(&diagnose->again, diagnose->context, diagnose->target,
		&diagnose->evidence.dns, on_ended, &diagnose->parts[PART_AGAIN]));
}

static bool vpc_resolver_answers(const struct evidence *evidence)
{
	const struct evidence_resolver *resolver = evidence_vpc_resolver(evidence);

	return resolver && resolver->answered > 0;
}

/* Known from an alias, or later from the control plane. */
static void start_generated(struct diagnose *diagnose)
{
	struct evidence *evidence = &diagnose->evidence;
	struct evidence_dns *dns = &evidence->dns;

	if (!is_idle(diagnose, PART_GENERATED) || evidence->target.name != EVIDENCE_NAME_CUSTOM)
		return;
	if (!dns->generated_name[0])
		(void)snprintf(dns->generated_name, sizeof dns->generated_name, "%s", question_generated_find(dns));
	if (!dns->generated_name[0] || !vpc_resolver_answers(evidence) || left_us(diagnose) < RESERVE_US)
		return;
	set_state(diagnose, PART_GENERATED, question_generated_start(&diagnose->generated, diagnose->context, evidence,
		on_ended, &diagnose->parts[PART_GENERATED]));
}

static void follow_dns(struct diagnose *diagnose)
{
	if (!has_ended(diagnose, PART_DNS))
		return;
	if (!diagnose->has_paths) {
		question_paths_choose(diagnose->target, &diagnose->evidence);
		diagnose->has_paths = true;
	}
	start_again(diagnose);
	start_generated(diagnose);
}

/* ---- exchanges ---------------------------------------------------------------------------- */

static struct evidence_exchange *main_evidence(struct diagnose *diagnose)
{
	return &diagnose->evidence.paths[0].exchanges[EXCHANGE_MAIN];
}

static void start_exchange(struct diagnose *diagnose, enum part part, struct evidence_path *path,
	enum evidence_exchange_kind kind, int64_t timeout_us)
{
	struct question_exchange *exchange = &diagnose->exchanges[part - PART_MAINS];

	*exchange = (struct question_exchange){ .context = diagnose->context, .target = diagnose->target,
		.region = diagnose->region, .generated_name = diagnose->evidence.dns.generated_name, .path = path,
		.kind = kind, .is_alternative = !path->is_preferred, .deadline = mono_add(mono_now(), timeout_us),
		.ended = on_ended, .user = &diagnose->parts[part] };
	set_state(diagnose, part, question_exchange_start(exchange));
}

static int64_t main_limit_us(const struct diagnose *diagnose)
{
	return smaller(MAIN_MAX_US, left_us(diagnose) - RESERVE_US);
}

static void start_mains(struct diagnose *diagnose)
{
	int64_t timeout_us = smaller(diagnose->target->timeout_us, main_limit_us(diagnose));

	if (!diagnose->has_paths || !has_ended(diagnose, PART_CREDENTIALS) || !is_idle(diagnose, PART_MAINS))
		return;
	if (timeout_us <= 0) {
		diagnose->evidence.is_cut_short = true;
		return;
	}
	diagnose->main_timeout_us = timeout_us;
	for (size_t i = 0; i < diagnose->evidence.path_count; i++)
		start_exchange(diagnose, (enum part)(PART_MAINS + i), &diagnose->evidence.paths[i], EXCHANGE_MAIN,
			timeout_us);
}

static bool is_timeout(enum outcome outcome)
{
	return outcome == OUTCOME_CONNECT_TIMEOUT || outcome == OUTCOME_TLS_TIMEOUT || outcome == OUTCOME_HTTP_TIMEOUT;
}

/* Nobody was there to see the answer when the loop was stuck for so long: that is no timeout of the
 * service. And one that our own limit made may come later than we can wait. */
static void doubt_timeout(struct diagnose *diagnose)
{
	struct evidence_exchange *main = main_evidence(diagnose);

	if (!is_timeout(main->outcome) || main->is_from_daemon)
		return;
	if (loop_lag_since(diagnose->context->loop, diagnose->started) > LAG_LIMIT_US) {
		main->outcome = OUTCOME_LOCAL_FAULT;
		(void)snprintf(main->detail, sizeof main->detail, "this host was too busy to see an answer in time");
	} else if (diagnose->main_timeout_us < diagnose->target->timeout_us &&
		   main->total_us + MARGIN_US >= diagnose->main_timeout_us) {
		diagnose->evidence.is_cut_short = true;
		(void)snprintf(main->detail, sizeof main->detail,
			"given up after %lld s; the probe's own timeout is longer", (long long)(main->total_us / US_PER_S));
	}
}

static void on_run(void *user, struct result *result)
{
	struct part_link *link = user;
	struct evidence_exchange *main = main_evidence(link->diagnose);
	struct evidence_exchange run;

	link->diagnose->run = NULL;
	question_last_read(result, &run);
	result_done(result);
	main->outcome = run.outcome;
	main->status = run.status;
	main->total_us = run.total_us;
	memcpy(main->detail, run.detail, sizeof main->detail);
	on_ended(link);
}

/* Whoever follows redirects is answered by where they lead: only a whole run can tell. */
static void start_run(struct diagnose *diagnose)
{
	const struct diagnose_context *context = diagnose->context;
	const struct evidence_exchange *main = main_evidence(diagnose);
	bool is_redirect = main->status >= 301 && main->status <= 308 && main->outcome == OUTCOME_HTTP_STATUS;

	set_state(diagnose, PART_RUN, false);
	if (!diagnose->target->follow_redirects || !is_redirect || main->is_from_daemon ||
	    left_us(diagnose) < diagnose->target->timeout_us)
		return;
	diagnose->run_context = (struct probe_context){ .loop = context->loop, .resolver = context->resolver,
		.http = context->http, .credentials = context->credentials, .region = diagnose->region,
		.lag_limit_us = LAG_LIMIT_US };
	diagnose->run = probe_start(&diagnose->run_context, diagnose->target, wall_now(), mono_now(), 0, on_run,
		&diagnose->parts[PART_RUN]);
	set_state(diagnose, PART_RUN, diagnose->run != NULL);
}

/* A service that answers needs no explanation from the control plane. */
static void drop_control(struct diagnose *diagnose)
{
	if (main_evidence(diagnose)->outcome != OUTCOME_OK || main_evidence(diagnose)->is_stand_in)
		return;
	control_cancel(diagnose->control);
	diagnose->control = NULL;
	set_state(diagnose, PART_CONTROL, false);
}

static void end_main(struct diagnose *diagnose)
{
	if (!is_idle(diagnose, PART_RUN))
		return;
	if (diagnose->has_last && main_evidence(diagnose)->is_stand_in)
		question_last_apply(&diagnose->last, main_evidence(diagnose));
	doubt_timeout(diagnose);
	drop_control(diagnose);
	start_run(diagnose);
}

static void follow_main(struct diagnose *diagnose)
{
	struct evidence *evidence = &diagnose->evidence;
	struct evidence_path *path = &evidence->paths[0];
	int64_t timeout_us = smaller(FOLLOW_UP_MAX_US, left_us(diagnose));

	if (evidence->path_count == 0 || !has_ended(diagnose, PART_MAINS))
		return;
	end_main(diagnose);
	for (int kind = EXCHANGE_MAIN + 1; kind < EXCHANGE_KINDS && timeout_us > 0; kind++)
		if (is_idle(diagnose, (enum part)(PART_FOLLOW_UPS + kind)) &&
		    question_exchange_is_worth_it(evidence, path, (enum evidence_exchange_kind)kind))
			start_exchange(diagnose, (enum part)(PART_FOLLOW_UPS + kind), path,
				(enum evidence_exchange_kind)kind, timeout_us);
}

/* ---- the end ------------------------------------------------------------------------------ */

/* Fine when done before. */
static void stop_parts(struct diagnose *diagnose)
{
	struct part_link *credentials = &diagnose->parts[PART_CREDENTIALS];

	loop_timer_stop(diagnose->context->loop, &diagnose->patience);
	if (credentials->state == PART_OPEN)
		credentials_wait_cancel(diagnose->context->credentials, credentials);
	credentials->state = PART_ENDED;
	region_cancel(diagnose->region_search);
	diagnose->region_search = NULL;
	control_cancel(diagnose->control);
	diagnose->control = NULL;
	publishing_cancel(diagnose->publishing);
	diagnose->publishing = NULL;
	if (diagnose->run)
		probe_cancel(diagnose->run);
	diagnose->run = NULL;
	for (size_t i = 0; i < sizeof diagnose->exchanges / sizeof *diagnose->exchanges; i++)
		question_exchange_stop(&diagnose->exchanges[i]);
	question_generated_stop(&diagnose->generated);
	question_again_stop(&diagnose->again);
	question_dns_stop(&diagnose->dns);
	question_where_stop(&diagnose->where);
}

static void free_diagnose(struct diagnose *diagnose)
{
	stop_parts(diagnose);
	loop_timer_stop(diagnose->context->loop, &diagnose->limit);
	target_drop(diagnose->target);
	free(diagnose);
}

/* The hard deadline, or the end that advance() found. */
static void on_limit(void *user)
{
	struct diagnose *diagnose = user;
	struct evidence *evidence = &diagnose->evidence;

	if (!diagnose->is_done)
		evidence->is_cut_short = true;
	stop_parts(diagnose);
	question_dns_settle_vpc(&evidence->dns, &evidence->where.vpc_networks);
	question_dns_read_drops(&diagnose->dns, &evidence->dns);
	question_paths_classify(evidence);
	evidence->elapsed_us = mono_since(mono_now(), diagnose->started);
	diagnosis_decide(evidence, &diagnose->diagnosis);
	diagnose->finished(diagnose->user, evidence, &diagnose->diagnosis);
	free_diagnose(diagnose);
}

static void end_if_done(struct diagnose *diagnose)
{
	for (size_t i = 0; i < PARTS; i++)
		if (diagnose->parts[i].state == PART_OPEN)
			return;
	diagnose->is_done = true;
	/* Moving a running timer cannot fail. */
	(void)loop_timer_start(diagnose->context->loop, &diagnose->limit, mono_now(), on_limit, diagnose);
}

static void advance(struct diagnose *diagnose)
{
	if (has_ended(diagnose, PART_WHERE))
		question_dns_settle_vpc(&diagnose->evidence.dns, &diagnose->evidence.where.vpc_networks);
	start_publishing(diagnose);
	start_credentials(diagnose);
	follow_dns(diagnose);
	start_mains(diagnose);
	follow_main(diagnose);
	start_control(diagnose);
	end_if_done(diagnose);
}

/* ---- the start ---------------------------------------------------------------------------- */

static void describe_target(const struct target *target, struct evidence_target *evidence)
{
	const struct url *url = &target->url;

	/* conf_target_for_url() names a target after its host, cut. */
	if (strncmp(target->name, url->host, TARGET_NAME_MAX) != 0)
		(void)snprintf(evidence->probe, sizeof evidence->probe, "%s", target->name);
	(void)snprintf(evidence->url, sizeof evidence->url, "%s", url->redacted);
	(void)snprintf(evidence->host, sizeof evidence->host, "%s", url->host);
	(void)snprintf(evidence->method, sizeof evidence->method, "%s", target->method);
	evidence->port = url->port;
	evidence->is_tls = url->is_tls;
	evidence->name = url->is_literal ? EVIDENCE_NAME_LITERAL : evidence_name_of(url->host);
	evidence->ip = target->ip;
	evidence->is_signed = target->auth == TARGET_AUTH_SIGV4;
	evidence->has_marker = target->expect_header_count > 0;
	evidence->is_repeatable = question_exchange_is_safe(target->method);
	evidence->timeout_us = target->timeout_us;
}

static void take_options(struct diagnose *diagnose, const struct diagnose_options *options)
{
	diagnose->asks_aws = options->asks_aws;
	diagnose->asks_publishing = options->asks_publishing;
	diagnose->has_last = options->last != NULL;
	if (options->last)
		question_last_read(options->last, &diagnose->last);
	if (options->daemon)
		diagnose->evidence.daemon = *options->daemon;
}

struct diagnose *diagnose_start(const struct diagnose_context *context, struct target *target,
	const struct diagnose_options *options,
	void (*finished)(void *user, const struct evidence *evidence, const struct diagnosis *diagnosis), void *user)
{
	struct diagnose *diagnose = calloc(1, sizeof *diagnose);

	if (!diagnose)
		return NULL;
	diagnose->context = context;
	diagnose->finished = finished;
	diagnose->user = user;
	diagnose->started = mono_now();
	diagnose->deadline = mono_add(diagnose->started, DIAGNOSE_TIME_MAX_US);
	diagnose->target = target_hold(target);
	for (size_t i = 0; i < PARTS; i++)
		diagnose->parts[i].diagnose = diagnose;
	describe_target(target, &diagnose->evidence.target);
	take_options(diagnose, options);
	if (loop_timer_start(context->loop, &diagnose->limit, diagnose->deadline, on_limit, diagnose) != 0) {
		free_diagnose(diagnose);
		return NULL;
	}
	if (target->url.is_tls && target->tls_verify)
		http_client_load_trust(context->http, target->tls_ca);
	set_state(diagnose, PART_WHERE, question_where_start(&diagnose->where, context, &diagnose->evidence.where,
		on_ended, &diagnose->parts[PART_WHERE]));
	start_region(diagnose);
	start_dns(diagnose);
	advance(diagnose);
	return diagnose;
}

void diagnose_cancel(struct diagnose *diagnose)
{
	if (diagnose)
		free_diagnose(diagnose);
}
