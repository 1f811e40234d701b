/* SPDX-License-Identifier: Apache-2.0 */
#include "config_internal.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lattice-probe/conf_cost.h"
#include "lattice-probe/err.h"

/* ---- timers ------------------------------------------------------------------------------- */

/* The setting as the block has it; NULL when it has none or a wrong one. */
static struct conf_setting *sound(const struct conf_block *block, const char *name)
{
	struct conf_setting *setting = conf_document_find(block, name);

	return setting && !setting->is_wrong ? setting : NULL;
}

/* Whether the value in force is one that somebody may have meant otherwise. */
static bool is_unsure(const struct conf_block *block, const struct conf_block *agent, const char *name)
{
	const struct conf_setting *setting = conf_document_find(block, name);

	if (!setting)
		setting = conf_document_find(agent, name);
	return setting && setting->is_wrong;
}

/* A run that may last until its next is due would miss that one. */
static void check_interval(struct conf_builder *builder, const struct conf_block *agent)
{
	const struct target *target = builder->target;
	struct conf_setting *setting = sound(builder->block, "timeout");
	char timeout[CONF_DURATION_SIZE];
	char interval[CONF_DURATION_SIZE];

	if (target->timeout_us < target->interval_us || is_unsure(builder->block, agent, "timeout") ||
	    is_unsure(builder->block, agent, "interval"))
		return;
	conf_value_format_duration(target->timeout_us, timeout);
	conf_value_format_duration(target->interval_us, interval);
	if (setting) {
		conf_builder_report(builder, CONF_MISTAKE, setting,
			"%s is not shorter than the interval of %s, so runs would overlap; write less", timeout, interval);
		return;
	}
	setting = sound(builder->block, "interval");
	if (setting)
		conf_builder_report(builder, CONF_MISTAKE, setting,
			"%s is not longer than the timeout of %s, so runs would overlap; write more, or set timeout", interval,
			timeout);
}

/* What is inherited gives way (conf_builder_clamp); what stands beside the timeout is a contradiction. */
static void check_phase(struct conf_builder *builder, const struct conf_block *agent, const char *name,
	int64_t phase_us)
{
	struct conf_setting *setting = sound(builder->block, name);
	char phase[CONF_DURATION_SIZE];
	char timeout[CONF_DURATION_SIZE];

	if (!setting || phase_us <= builder->target->timeout_us || is_unsure(builder->block, agent, "timeout"))
		return;
	conf_builder_report(builder, CONF_MISTAKE, setting, "%s is longer than the timeout of the whole run, %s",
		conf_value_format_duration(phase_us, phase),
		conf_value_format_duration(builder->target->timeout_us, timeout));
}

static void check_timers(struct conf_builder *builder, const struct conf_block *agent)
{
	check_interval(builder, agent);
	check_phase(builder, agent, "dns_timeout", builder->target->dns_timeout_us);
	check_phase(builder, agent, "connect_timeout", builder->target->connect_timeout_us);
	check_phase(builder, agent, "tls_timeout", builder->target->tls_timeout_us);
}

void conf_check_agent(struct conf_builder *builder)
{
	check_timers(builder, builder->block);
}

/* ---- one probe ---------------------------------------------------------------------------- */

static void report_block(struct conf_builder *builder, const char *key, const char *text)
{
	struct conf_place place = conf_findings_place_of_block(builder->block);

	place.key = key;
	conf_findings_add(builder->findings, CONF_MISTAKE, &place, "%s", text);
}

static void check_name(struct conf_builder *builder)
{
	const char *name = builder->block->name;

	if (!*name)
		report_block(builder, NULL, "a probe needs a name; write [probe NAME]");
	else if (strlen(name) > TARGET_NAME_MAX)
		report_block(builder, NULL, "the name is longer than 64 characters");
	else if (name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")])
		report_block(builder, NULL, "a name is made of letters, digits, '-', '_' and '.'");
}

/* A name under *.vpc-lattice-svcs.REGION.on.aws, the suffix of services. */
static bool is_lattice_host(const char *host)
{
	static const char service[] = ".vpc-lattice-svcs.";
	const char *region = strstr(host, service);
	const char *domain;

	if (!region || region == host)
		return false;
	region += sizeof service - 1;
	domain = strchr(region, '.');
	return domain && domain > region && strcmp(domain, ".on.aws") == 0;
}

static bool may_sign(const struct target *target)
{
	if (!target->url.is_literal && is_lattice_host(target->url.host))
		return true;
	for (size_t i = 0; i < target->sign_host_count; i++)
		if (strcmp(target->sign_hosts[i], target->url.host) == 0)
			return true;
	return false;
}

static bool sets_signing_header(const struct target *target)
{
	static const char *const names[] = { "Authorization", "X-Amz-Date", "X-Amz-Security-Token",
		"X-Amz-Content-Sha256" };

	for (size_t i = 0; i < target->header_count; i++)
		for (size_t j = 0; j < sizeof names / sizeof *names; j++)
			if (strcasecmp(target->headers[i].name, names[j]) == 0)
				return true;
	return false;
}

/* A signature hands a session token to whoever answers. */
static void check_signing(struct conf_builder *builder)
{
	struct conf_setting *auth = sound(builder->block, "auth");
	struct conf_setting *sign_host = sound(builder->block, "sign_host");
	const struct target *target = builder->target;

	if (target->auth != TARGET_AUTH_SIGV4 || !auth) {
		if (sign_host && !conf_document_find(builder->block, "auth"))
			conf_builder_report(builder, CONF_WARNING, sign_host, "has no effect without auth = sigv4");
		return;
	}
	if (sets_signing_header(target))
		conf_builder_report(builder, CONF_MISTAKE, auth,
			"sigv4 sets the Authorization and X-Amz-… headers itself; leave out header.NAME or auth");
	if (!target->url.host)
		return;
	if (!target->url.is_tls)
		conf_builder_report(builder, CONF_MISTAKE, auth,
			"sigv4 would send a session token in the clear; the url must begin with https://");
	else if (!may_sign(target) && !is_unsure(builder->block, builder->block, "sign_host"))
		conf_builder_report(builder, CONF_MISTAKE, auth,
			"sigv4 is for hosts under *.vpc-lattice-svcs.REGION.on.aws; allow this one with sign_host = %.80s",
			target->url.host);
}

static void check_body(struct conf_builder *builder)
{
	static const char *const with_head[] = { "expect_body", "expect_body_regex" };
	struct conf_setting *body = sound(builder->block, "body");
	const char *method = builder->target->method;
	bool is_head = strcmp(method, "HEAD") == 0;

	if (!body)
		body = sound(builder->block, "body_file");
	if (body && (is_head || strcmp(method, "GET") == 0))
		conf_builder_report(builder, CONF_WARNING, body,
			"a %s request with a body has no meaning to most servers; method = POST was meant?", method);
	for (size_t i = 0; i < sizeof with_head / sizeof *with_head; i++) {
		struct conf_setting *expectation = sound(builder->block, with_head[i]);

		if (is_head && expectation)
			conf_builder_report(builder, CONF_MISTAKE, expectation,
				"a response to HEAD has no body, so this never holds; write method = GET");
	}
}

static void check_family(struct conf_builder *builder)
{
	struct conf_setting *ip = sound(builder->block, "ip");
	const struct url *url = &builder->target->url;
	enum target_ip wanted = builder->target->ip;
	bool is_v6 = url->is_literal && url->literal.sa.sa_family == AF_INET6;

	if (ip && url->is_literal && wanted != TARGET_IP_AUTO && wanted != (is_v6 ? TARGET_IP_V6 : TARGET_IP_V4))
		conf_builder_report(builder, CONF_MISTAKE, ip, "the url names an IPv%d address; leave ip out",
			is_v6 ? 6 : 4);
}

void conf_check_probe(struct conf_builder *builder, const struct conf_block *agent)
{
	check_name(builder);
	if (!conf_document_find(builder->block, "url"))
		report_block(builder, "url", "is missing; write url = https://host/path");
	check_timers(builder, agent);
	check_signing(builder);
	check_body(builder);
	check_family(builder);
}

/* ---- the whole ---------------------------------------------------------------------------- */

static int compare_names(const void *a, const void *b)
{
	const struct conf_block *left = *(const struct conf_block *const *)a;
	const struct conf_block *right = *(const struct conf_block *const *)b;
	int order = strcmp(left->name, right->name);

	if (order)
		return order;
	return left < right ? -1 : left > right;
}

static void report_twice(const struct conf_block *first, const struct conf_block *again,
	struct conf_findings *findings)
{
	struct conf_place place = conf_findings_place_of_block(again);

	conf_findings_add(findings, CONF_MISTAKE, &place, "the name is taken by the probe in %s:%u",
		first->source->path, first->line);
}

/* By sorting: ten thousand names are no trouble. */
static int check_names(const struct conf_document *document, struct conf_findings *findings)
{
	size_t count = document->probe_count;
	const struct conf_block **sorted;
	size_t first = 0;

	if (count < 2)
		return 0;
	sorted = calloc(count, sizeof *sorted);
	if (!sorted)
		return ERR_NOMEM;
	for (size_t i = 0; i < count; i++)
		sorted[i] = &document->probes[i];
	qsort(sorted, count, sizeof *sorted, compare_names);
	for (size_t i = 1; i < count; i++)
		if (strcmp(sorted[first]->name, sorted[i]->name) != 0)
			first = i;
		else if (*sorted[i]->name)
			report_twice(sorted[first], sorted[i], findings);
	free(sorted);
	return 0;
}

/* The place of a key, or of the file as a whole when it stands nowhere. */
static struct conf_place place_of_key(const struct conf_document *document, const struct conf_block *block,
	const char *key)
{
	const struct conf_setting *setting = conf_document_find(block, key);
	struct conf_place place;

	if (setting)
		return conf_findings_place_of_setting(block, setting);
	place = conf_findings_place_of_block(block);
	place.source = document->sources[0];
	place.line = 0;
	place.key = key;
	return place;
}

static void check_cost(const struct conf *conf, const struct conf_document *document,
	struct conf_findings *findings)
{
	struct conf_place metrics = place_of_key(document, &document->cloudwatch, "max_metrics");
	struct conf_place rate = place_of_key(document, &document->agent, "max_dns_rate");
	struct conf_cost cost;
	size_t count;

	conf_cost_estimate(conf, &cost);
	count = cost.service_metrics + cost.agent_metrics;
	if (count > (size_t)conf->max_metrics)
		conf_findings_add(findings, CONF_MISTAKE, &metrics,
			"%zu metrics would be published and paid for, more than %d; choose fewer probes, metrics or "
			"dimension_sets, or raise max_metrics", count, conf->max_metrics);
	if (cost.dns_datagrams_per_s > conf->max_dns_rate)
		conf_findings_add(findings, CONF_WARNING, &rate,
			"the probes ask for up to %.1f DNS datagrams/s, more than %d: answers within their TTL will be "
			"used again and runs will wait; raise max_dns_rate (EC2 passes 1024/s) or the interval",
			cost.dns_datagrams_per_s, conf->max_dns_rate);
}

/* Agents of two environments that share every dimension share their series, and their alarms. */
static void check_environment(const struct conf *conf, const struct conf_document *document,
	struct conf_findings *findings)
{
	struct conf_place place = place_of_key(document, &document->cloudwatch, "dimension.NAME");

	if (conf->target_count > 0 && conf->static_dimension_count == 0 &&
	    strcmp(conf->namespace_, "LatticeProbe") == 0)
		conf_findings_add(findings, CONF_WARNING, &place,
			"nothing separates these metrics from those of another environment in the account; set "
			"dimension.Environment = prod or the like, or another namespace");
}

int conf_check_whole(const struct conf *conf, const struct conf_document *document,
	struct conf_findings *findings)
{
	check_cost(conf, document, findings);
	check_environment(conf, document, findings);
	return check_names(document, findings);
}
