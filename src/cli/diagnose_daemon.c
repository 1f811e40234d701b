/* SPDX-License-Identifier: Apache-2.0 */
/* The running agent sees the service too, perhaps through other eyes: another namespace, other
 * credentials. What it says is taken as it is, and never needed. */
#include "cli_internal.h"

#include <stdint.h>
#include <string.h>

#include <jansson.h>

#include "lattice-probe/conf.h"
#include "lattice-probe/evidence.h"
#include "lattice-probe/outcome.h"
#include "lattice-probe/result.h"
#include "lattice-probe/status_client.h"
#include "lattice-probe/target.h"
#include "lattice-probe/units.h"

#define TIMEOUT_US (500 * US_PER_MS)

/* "" for what is no text. */
static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static enum outcome outcome_of(const char *name)
{
	for (int i = OUTCOME_NONE + 1; i < OUTCOME_COUNT; i++)
		if (strcmp(outcome_name((enum outcome)i), name) == 0)
			return (enum outcome)i;
	return OUTCOME_NONE;
}

/* By name, or, for a URL of the command line, by what it asks. */
static const json_t *find_probe(const json_t *status, const struct target *target)
{
	const json_t *probes = json_object_get(status, "probes");
	const json_t *found = NULL;
	const json_t *probe;
	size_t index;

	json_array_foreach(probes, index, probe) {
		if (strcmp(text_of(probe, "probe"), target->name) == 0)
			return probe;
		if (!found && strcmp(text_of(probe, "url"), target->url.redacted) == 0)
			found = probe;
	}
	return found;
}

static int64_t age_us(const char *start)
{
	struct wall then;

	return wall_parse_rfc3339(start, &then) == 0 ? wall_since(wall_now(), then) : 0;
}

static void read_probe(const json_t *probe, struct evidence_daemon *daemon)
{
	int64_t streak = json_integer_value(json_object_get(probe, "streak"));

	daemon->knows_probe = true;
	daemon->last_outcome = outcome_of(text_of(probe, "outcome"));
	daemon->age_us = age_us(text_of(probe, "start"));
	daemon->streak = streak > 0 && streak < INT32_MAX ? (int)streak : 0;
}

static void read_credentials(const json_t *credentials, struct evidence_daemon *daemon)
{
	const char *source = text_of(credentials, "source");

	(void)snprintf(daemon->credentials, sizeof daemon->credentials, "%s",
		source[0] ? source : text_of(credentials, "why"));
}

/* What can stand in for a request that is not sent again. */
static void read_last(const json_t *last, struct result *result)
{
	static const char *const keys[PHASE_COUNT] = { "dns_us", "connect_us", "tls_us", "first_byte_us",
		"transfer_us" };

	result->outcome = outcome_of(text_of(last, "outcome"));
	result->status = (int)json_integer_value(json_object_get(last, "status"));
	result->http_version = strcmp(text_of(last, "http_version"), "2") == 0 ? 20 : 11;
	result->total_us = json_integer_value(json_object_get(last, "total_us"));
	result->body_bytes = json_integer_value(json_object_get(last, "bytes"));
	for (size_t i = 0; i < PHASE_COUNT; i++)
		if (json_is_integer(json_object_get(last, keys[i])))
			result->phase_us[i] = json_integer_value(json_object_get(last, keys[i]));
	result_set_detail(result, "%s", text_of(last, "detail"));
}

bool diagnose_daemon_ask(const struct conf *conf, const struct target *target, struct evidence_daemon *ret_daemon,
	struct result *ret_last)
{
	bool has_last = false;
	const json_t *probe;
	json_t *status;

	*ret_daemon = (struct evidence_daemon){ 0 };
	if (strcmp(conf->status_socket, "none") == 0 || status_client_ask(conf->status_socket, TIMEOUT_US, &status) != 0)
		return false;
	ret_daemon->is_running = true;
	read_credentials(json_object_get(status, "credentials"), ret_daemon);
	probe = find_probe(status, target);
	if (probe)
		read_probe(probe, ret_daemon);
	if (probe && json_is_object(json_object_get(probe, "last"))) {
		read_last(json_object_get(probe, "last"), ret_last);
		has_last = true;
	}
	json_decref(status);
	return has_last;
}
