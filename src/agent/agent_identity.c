/* SPDX-License-Identifier: Apache-2.0 */
/* Steps, each only when its answer is needed: ECS task → IMDS facts → region. The agent id fixes the
 * phase of every probe and of publishing, so it is settled before anything is scheduled. */
#include "agent_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <openssl/evp.h>

#include "lattice-probe/aws_call.h"
#include "lattice-probe/err.h"
#include "lattice-probe/http.h"
#include "lattice-probe/region.h"

#define ECS_TIMEOUT_US (2 * US_PER_S)
#define ECS_REPLY_MAX (64 * 1024)

struct agent_identity {
	struct agent *agent;
	struct agent_identity_facts facts;
	struct url ecs_url;
	bool has_ecs_url;
	struct http_transfer *transfer;
	struct imds_query *query;
	struct region_search *region;
	struct loop_timer next;
	void (*found)(struct agent *agent, int err, const struct agent_identity_facts *facts, const char *why);
};

static void ask_imds(struct agent_identity *identity);
static void ask_region(struct agent_identity *identity);

static void set_id(struct agent_identity *identity, const char *id, const char *source)
{
	(void)snprintf(identity->facts.agent_id, sizeof identity->facts.agent_id, "%s", id);
	identity->facts.agent_id_source = source;
}

static void finish(struct agent_identity *identity, int err, const char *why)
{
	struct agent *agent = identity->agent;
	struct agent_identity_facts facts = identity->facts;
	void (*found)(struct agent *, int, const struct agent_identity_facts *, const char *) = identity->found;

	agent->identity = NULL;
	agent_identity_stop(identity);
	found(agent, err, &facts, why);
}

/* ---- the machine -------------------------------------------------------------------------- */

/* machine-id(5) asks not to show the id itself to others: a hash with our name in it stands for it. */
static bool id_from_machine(char ret_id[static 33])
{
	static const char salt[] = "lattice-probe agent id:";
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned digest_bytes = 0;
	char text[sizeof salt + 64];
	size_t length = sizeof salt - 1;
	FILE *file = fopen("/etc/machine-id", "re");

	memcpy(text, salt, length);
	if (!file)
		return false;
	length += fread(text + length, 1, 32, file);
	(void)fclose(file);
	if (length != sizeof salt - 1 + 32 ||
	    EVP_Digest(text, length, digest, &digest_bytes, EVP_sha256(), NULL) != 1)
		return false;
	for (size_t i = 0; i < 16; i++)
		(void)snprintf(ret_id + 2 * i, 3, "%02x", digest[i]);
	return true;
}

/* ---- the ECS task ------------------------------------------------------------------------- */

/* The last part of the task's ARN: arn:aws:ecs:REGION:ACCOUNT:task/CLUSTER/ID
 * (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4.html). */
static bool task_id_from_reply(const struct http_reply *reply, char ret_id[static AGENT_ID_SIZE])
{
	json_t *task = reply->status == 200 ? json_loadb(reply->body, reply->body_bytes, 0, NULL) : NULL;
	const char *arn = json_string_value(json_object_get(task, "TaskARN"));
	const char *slash = arn ? strrchr(arn, '/') : NULL;
	bool good = slash && slash[1] && strlen(slash + 1) < AGENT_ID_SIZE;

	if (good)
		(void)snprintf(ret_id, AGENT_ID_SIZE, "%s", slash + 1);
	json_decref(task);
	return good;
}

static void on_ecs_reply(void *user, const struct http_reply *reply)
{
	struct agent_identity *identity = user;
	char id[AGENT_ID_SIZE];

	identity->transfer = NULL;
	if (reply->end == HTTP_END_DONE && task_id_from_reply(reply, id))
		set_id(identity, id, "ecs-task");
	ask_imds(identity);
}

static bool ask_ecs(struct agent_identity *identity)
{
	const char *base = getenv("ECS_CONTAINER_METADATA_URI_V4");
	const char *why;
	char text[1024];

	if (identity->facts.agent_id[0] || !base || !*base)
		return false;
	(void)snprintf(text, sizeof text, "%s/task", base);
	if (url_parse(text, &identity->ecs_url, &why) != 0)
		return false;
	identity->has_ecs_url = true;
	if (!identity->ecs_url.is_literal)
		return false;
	identity->transfer = http_start(aws_transport_http(identity->agent->transport), &(struct http_request){
		.url = &identity->ecs_url, .address = identity->ecs_url.literal, .method = "GET",
		.version = TARGET_HTTP_1_1, .connect_timeout_us = ECS_TIMEOUT_US,
		.tls_timeout_us = ECS_TIMEOUT_US, .deadline = mono_add(mono_now(), ECS_TIMEOUT_US),
		.max_body_bytes = ECS_REPLY_MAX, .keep_body = true }, on_ecs_reply, identity);
	return identity->transfer != NULL;
}

/* ---- the instance ------------------------------------------------------------------------- */

const char *agent_identity_fact(const struct imds_facts *facts, const char *dimension)
{
	const struct {
		const char *dimension;
		const char *value;
	} known[] = {
		{ "AvailabilityZone", facts->availability_zone },
		{ "AvailabilityZoneId", facts->availability_zone_id },
		{ "VpcId", facts->vpc_id },
		{ "SubnetId", facts->subnet_id },
		{ "InstanceId", facts->instance_id },
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strcmp(known[i].dimension, dimension) == 0)
			return known[i].value;
	return NULL;
}

static bool dimensions_need_imds(const struct conf *conf)
{
	const struct imds_facts none = { 0 };

	for (size_t i = 0; i < conf->dimension_set_count; i++)
		for (size_t j = 0; j < conf->dimension_sets[i].count; j++)
			if (agent_identity_fact(&none, conf->dimension_sets[i].names[j]))
				return true;
	return false;
}

bool agent_identity_lacks_facts(const struct agent_identity_facts *facts, const struct conf *conf)
{
	return !facts->imds.instance_id[0] && dimensions_need_imds(conf);
}

static void on_imds(void *user, int err, const struct imds_facts *facts, const char *hint)
{
	struct agent_identity *identity = user;
	char id[33];

	identity->query = NULL;
	if (!err)
		identity->facts.imds = *facts;
	if (!identity->facts.agent_id[0] && identity->facts.imds.instance_id[0])
		set_id(identity, identity->facts.imds.instance_id, "imds");
	if (!identity->facts.agent_id[0] && id_from_machine(id))
		set_id(identity, id, "machine-id");
	if (!identity->facts.agent_id[0])
		finish(identity, ERR_NOT_FOUND, "no agent id: set [agent] agent_id");
	else if (err && dimensions_need_imds(identity->agent->conf))
		finish(identity, err, hint[0] ? hint : "dimension_sets needs instance metadata, which did not answer");
	else
		ask_region(identity);
}

static void ask_imds(struct agent_identity *identity)
{
	if (identity->facts.agent_id[0] && !dimensions_need_imds(identity->agent->conf)) {
		ask_region(identity);
		return;
	}
	identity->query = imds_get_facts(identity->agent->imds, on_imds, identity);
	if (!identity->query)
		finish(identity, ERR_NOMEM, err_text(ERR_NOMEM));
}

/* ---- the region --------------------------------------------------------------------------- */

static void on_region(void *user, int err, const char *region, const char *source)
{
	struct agent_identity *identity = user;

	identity->region = NULL;
	if (!err)
		(void)snprintf(identity->facts.region, sizeof identity->facts.region, "%s", region);
	/* A dry run sends nothing and can do without. */
	if (err && !identity->agent->options.dry_run)
		finish(identity, err, source);
	else
		finish(identity, 0, "");
}

static void ask_region(struct agent_identity *identity)
{
	const char *configured = identity->agent->conf->region;

	identity->region = region_find(identity->agent->loop, identity->agent->imds,
		strcmp(configured, "auto") == 0 ? NULL : configured, on_region, identity);
	if (!identity->region)
		finish(identity, ERR_NOMEM, err_text(ERR_NOMEM));
}

static void on_start(void *user)
{
	struct agent_identity *identity = user;

	if (!ask_ecs(identity))
		ask_imds(identity);
}

struct agent_identity *agent_identity_start(struct agent *agent,
	void (*found)(struct agent *agent, int err, const struct agent_identity_facts *facts, const char *why))
{
	struct agent_identity *identity = calloc(1, sizeof *identity);

	if (!identity)
		return NULL;
	identity->agent = agent;
	identity->found = found;
	if (agent->conf->agent_id[0])
		set_id(identity, agent->conf->agent_id, "agent_id");
	if (loop_timer_start(agent->loop, &identity->next, mono_now(), on_start, identity) != 0) {
		free(identity);
		return NULL;
	}
	return identity;
}

void agent_identity_stop(struct agent_identity *identity)
{
	if (!identity)
		return;
	loop_timer_stop(identity->agent->loop, &identity->next);
	if (identity->transfer)
		http_cancel(identity->transfer);
	if (identity->query)
		imds_cancel(identity->query);
	if (identity->region)
		region_cancel(identity->region);
	if (identity->has_ecs_url)
		url_done(&identity->ecs_url);
	free(identity);
}
