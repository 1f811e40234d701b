/* SPDX-License-Identifier: Apache-2.0 */
/* PutMetricData knows no resource, only the condition key cloudwatch:namespace (CloudWatch User Guide, "Using
 * condition keys to limit access to CloudWatch namespaces"). Invoke is judged on SERVICE_ARN/PATH (VPC Lattice
 * User Guide, auth policies). A managed policy holds 6,144 characters without white space (IAM User Guide,
 * quotas), so many signed probes are told in three widths: each path, each service, each region; the first
 * that fits is taken. */
#include "lattice-probe/iam_policy.h"

#include "generate_internal.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lattice-probe/control.h"
#include "lattice-probe/endpoint.h"
#include "lattice-probe/err.h"
#include "lattice-probe/evidence.h"
#include "lattice-probe/target.h"

#define POLICY_CHARACTERS_MAX 6144
#define RESOURCE_MAX ((size_t)64 * 1024)
#define SERVICE_ID_DIGITS 17
#define REGION_SIZE 64

enum width { WIDTH_PATH, WIDTH_SERVICE, WIDTH_REGION, WIDTHS };

struct policy {
	const struct conf *conf;
	const struct generate_options *options;
	struct generate_words *words;
	bool with_diagnose;
};

/* ---- resources ------------------------------------------------------------------------------- */

/* "svc-0a1b2c3d4e5f67890" of checkout-0a1b2c3d4e5f67890.7d67968.vpc-lattice-svcs.REGION.on.aws, "*" where
 * the name does not hold it: a custom domain, or a service network endpoint. */
static void find_service_id(const char *host, char ret_id[static SERVICE_ID_DIGITS + 5])
{
	size_t length = strcspn(host, ".");
	const char *digits = host + length - (length > SERVICE_ID_DIGITS ? SERVICE_ID_DIGITS : length);

	memcpy(ret_id, "*", 2);
	if (evidence_name_of(host) != EVIDENCE_NAME_SERVICE || length <= SERVICE_ID_DIGITS + 1 || digits[-1] != '-')
		return;
	for (size_t i = 0; i < SERVICE_ID_DIGITS; i++)
		if (!isxdigit((unsigned char)digits[i]))
			return;
	(void)snprintf(ret_id, SERVICE_ID_DIGITS + 5, "svc-%.*s", SERVICE_ID_DIGITS, digits);
}

/* The host names the region the request is signed for; else it is the agent's (probe_sign.c). */
static const char *find_region(const struct policy *policy, const struct target *target,
	char ret_region[static REGION_SIZE])
{
	if (endpoint_is_lattice_host(target->url.host, ret_region))
		return ret_region;
	return policy->options->region;
}

/* * ? and $ mean something in a resource; ${*} is the character itself (IAM User Guide, policy variables). How
 * Lattice writes what is percent-encoded is not documented: * stands for any way. */
static void append_path(struct buf *text, const char *path)
{
	for (; *path; path++) {
		if (path[0] == '%' && isxdigit((unsigned char)path[1]) && isxdigit((unsigned char)path[2])) {
			(void)buf_append_char(text, '*');
			path += 2;
		} else if (strchr("*?$", *path)) {
			(void)buf_append_format(text, "${%c}", *path);
		} else {
			(void)buf_append_char(text, *path);
		}
	}
}

static void note_breadth(const struct policy *policy, const struct target *target, const char *service,
	const char *region)
{
	if (strcmp(service, "*") == 0)
		generate_note(policy->words, "probe %s: the name %.200s does not tell the id of the service, so Invoke is "
			"allowed on every service at that path; put its ARN in place of service/*", target->name,
			target->url.host);
	if (!region[0])
		generate_note(policy->words, "probe %s: the region is not known; name it with --region REGION or region in "
			"[cloudwatch]", target->name);
}

/* arn:PARTITION:vpc-lattice:REGION:*:service/ID/PATH; the account is not known to the configuration. */
static int append_resource(const struct policy *policy, const struct target *target, enum width width,
	struct buf *text)
{
	char service[SERVICE_ID_DIGITS + 5];
	char found[REGION_SIZE];
	const char *region = find_region(policy, target, found);

	find_service_id(target->url.host, service);
	note_breadth(policy, target, service, region);
	(void)buf_append_format(text, "arn:%s:vpc-lattice:%s:*:service/%s/", endpoint_partition(region),
		region[0] ? region : "*", width == WIDTH_REGION ? "*" : service);
	if (width == WIDTH_PATH)
		append_path(text, target->url.path + 1);
	else
		(void)buf_append_char(text, '*');
	return text->failed;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(json_string_value(*(json_t *const *)a), json_string_value(*(json_t *const *)b));
}

/* Sorted and each once: the same configuration in another order is the same policy. NULL: no memory. */
static json_t *to_set(json_t *resources)
{
	size_t count = json_array_size(resources);
	json_t **sorted = calloc(count ? count : 1, sizeof *sorted);
	json_t *set = sorted ? json_array() : NULL;
	int err = set ? 0 : ERR_NOMEM;

	for (size_t i = 0; !err && i < count; i++)
		sorted[i] = json_array_get(resources, i);
	if (!err)
		qsort(sorted, count, sizeof *sorted, by_text);
	for (size_t i = 0; !err && i < count; i++)
		if (i == 0 || by_text(&sorted[i - 1], &sorted[i]) != 0)
			err = json_array_append(set, sorted[i]);
	free(sorted);
	json_decref(resources);
	if (!err)
		return set;
	json_decref(set);
	return NULL;
}

/* Of every signed probe; NULL: no memory. */
static json_t *make_resources(const struct policy *policy, enum width width)
{
	json_t *resources = json_array();

	for (size_t i = 0; resources && i < policy->conf->target_count; i++) {
		const struct target *target = policy->conf->targets[i];
		struct buf text;

		if (target->auth != TARGET_AUTH_SIGV4)
			continue;
		buf_init(&text, RESOURCE_MAX);
		if (append_resource(policy, target, width, &text) != 0 ||
		    json_array_append_new(resources, json_string(buf_text(&text))) != 0) {
			json_decref(resources);
			resources = NULL;
		}
		buf_done(&text);
	}
	return resources ? to_set(resources) : NULL;
}

/* ---- statements ------------------------------------------------------------------------------ */

static json_t *publish_statement(const struct policy *policy)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:{s:{s:s}}}", "Sid", "PublishMetrics", "Effect", "Allow", "Action",
		"cloudwatch:PutMetricData", "Resource", "*", "Condition", "StringEquals", "cloudwatch:namespace",
		policy->conf->namespace_);
}

static json_t *diagnose_statement(void)
{
	json_t *actions = json_array();

	for (size_t i = 0; control_action(i); i++)
		if (json_array_append_new(actions, json_string(control_action(i))) != 0) {
			json_decref(actions);
			return NULL;
		}
	return json_pack("{s:s, s:s, s:o, s:s}", "Sid", "DiagnoseReads", "Effect", "Allow", "Action", actions, "Resource",
		"*");
}

/* NULL: no memory. */
static json_t *make_policy(const struct policy *policy, enum width width)
{
	json_t *resources = make_resources(policy, width);
	json_t *statements = resources ? json_array() : NULL;
	int err = json_array_append_new(statements, publish_statement(policy));

	if (json_array_size(resources) > 0)
		err |= json_array_append_new(statements, json_pack("{s:s, s:s, s:s, s:O}", "Sid", "InvokeSignedProbes",
			"Effect", "Allow", "Action", "vpc-lattice-svcs:Invoke", "Resource", resources));
	if (policy->with_diagnose)
		err |= json_array_append_new(statements, diagnose_statement());
	json_decref(resources);
	if (!err)
		return json_pack("{s:s, s:o}", "Version", "2012-10-17", "Statement", statements);
	json_decref(statements);
	return NULL;
}

/* Compact and without the spaces of texts, which IAM does not count either; close enough below the limit. */
static bool fits(const json_t *json)
{
	return json_dumpb(json, NULL, 0, JSON_COMPACT) <= POLICY_CHARACTERS_MAX;
}

int iam_policy_generate(const struct conf *conf, const struct generate_options *options, bool with_diagnose,
	struct buf *ret_text, struct generate_words *words)
{
	static const char *const wider[WIDTHS] = { NULL, "whole services", "all services of their regions" };
	const struct policy policy = { conf, options, words, with_diagnose };
	json_t *json = make_policy(&policy, WIDTH_PATH);
	enum width width = WIDTH_PATH;

	while (json && !fits(json) && width + 1 < WIDTHS) {
		width++;
		json_decref(json);
		json = make_policy(&policy, width);
	}
	if (width != WIDTH_PATH)
		generate_note(words, "the paths of all signed probes do not fit the %d characters of a managed policy; Invoke "
			"is allowed on %s", POLICY_CHARACTERS_MAX, wider[width]);
	return generate_json(json, ret_text);
}
