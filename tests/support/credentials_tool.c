/* SPDX-License-Identifier: Apache-2.0 */
/* credentials_tool: the aws room behind a line of text, so that Python tests can drive it against real
 * servers. Reads commands on stdin and answers each with one line of JSON; secrets only as SHA-256.
 *
 *   wait                 walks the chain to its end, then as peek, with err and why of the walk
 *   peek                 what credentials_get says now
 *   refresh              AWS refused the credentials
 *   facts | get PATH     the metadata service
 *   region [CONFIGURED]  where we are
 *   forget               frees the credentials and begins anew
 *   search HEX           how often these bytes, each ^ 0x5a, are in the writable memory of this program
 *   put URL BODY         one signed PutMetricData of a JSON body: class, status, code, message, skew
 *
 * The environment is the program's own. Arguments: [IP:port of a resolver]. AWS_CA_BUNDLE is the CA file,
 * TOOL_PROXY the proxy. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>
#include <openssl/evp.h>

#include "lattice-probe/aws_call.h"
#include "lattice-probe/credentials.h"
#include "lattice-probe/err.h"
#include "lattice-probe/imds.h"
#include "lattice-probe/loop.h"
#include "lattice-probe/parse.h"
#include "lattice-probe/region.h"
#include "lattice-probe/target.h"

struct tool {
	struct loop *loop;
	struct aws_transport *transport;
	struct imds *imds;
	struct credentials *credentials;
	bool is_done;
	json_t *answer;
};

static void fail(const char *why)
{
	(void)fprintf(stderr, "credentials_tool: %s\n", why);
	exit(2);
}

static json_t *sha256(const char *text)
{
	unsigned char digest[32];
	char hex[65];

	if (!text)
		return json_null();
	if (EVP_Digest(text, strlen(text), digest, NULL, EVP_sha256(), NULL) != 1)
		fail("no SHA-256");
	for (size_t i = 0; i < sizeof digest; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	return json_string(hex);
}

static void finish(struct tool *tool, json_t *answer)
{
	tool->answer = answer;
	tool->is_done = true;
}

/* ---- credentials -------------------------------------------------------------------------- */

static json_t *describe(const struct credentials_set *set, int err, const char *why)
{
	if (!set)
		return json_pack("{s:s,s:s,s:n}", "err", err_text(err), "why", why, "source");
	return json_pack("{s:s,s:s,s:s,s:s,s:o,s:o,s:I}", "err", err_text(err), "why", why, "source", set->source,
		"access_key_id", set->access_key_id, "secret_sha256", sha256(set->secret_access_key),
		"token_sha256", sha256(set->session_token), "expiration_s", (json_int_t)(set->expiration.us / US_PER_S));
}

static void on_ready(void *user, int err, const char *why)
{
	struct tool *tool = user;
	const char *why_now;
	char kept[512];

	(void)snprintf(kept, sizeof kept, "%s", why);
	finish(tool, describe(credentials_get(tool->credentials, &why_now), err, kept));
}

static void run_wait(struct tool *tool, const char *rest)
{
	(void)rest;
	if (credentials_wait(tool->credentials, on_ready, tool) != 0)
		fail("cannot wait");
}

static void run_peek(struct tool *tool, const char *rest)
{
	const char *why;
	const struct credentials_set *set = credentials_get(tool->credentials, &why);

	(void)rest;
	finish(tool, describe(set, 0, why));
}

static void run_refresh(struct tool *tool, const char *rest)
{
	(void)rest;
	credentials_refresh(tool->credentials);
	finish(tool, json_object());
}

static void run_forget(struct tool *tool, const char *rest)
{
	(void)rest;
	credentials_free(tool->credentials);
	tool->credentials = credentials_new(tool->loop, tool->imds, tool->transport);
	finish(tool, json_object());
}

/* ---- what stays in memory ----------------------------------------------------------------- */

#define MASK 0x5a

struct needle {
	unsigned char masked[256];
	size_t length;
};

/* Through /proc/self/mem, block by block, each wiped again. */
static json_int_t count_in_range(int memory, unsigned long at, unsigned long end, const struct needle *needle)
{
	static unsigned char block[65536];
	const size_t step = sizeof block - sizeof needle->masked;
	json_int_t count = 0;

	for (; at < end; at += step) {
		bool is_own = at + sizeof block > (uintptr_t)block && at < (uintptr_t)block + sizeof block;
		ssize_t got = is_own ? 0 : pread(memory, block, sizeof block, (off_t)at);

		for (size_t i = 0; got > 0 && i < step && i + needle->length <= (size_t)got; i++) {
			size_t same = 0;

			while (same < needle->length && (block[i + same] ^ MASK) == needle->masked[same])
				same++;
			count += same == needle->length;
		}
		explicit_bzero(block, sizeof block);
	}
	return count;
}

static void run_search(struct tool *tool, const char *rest)
{
	struct needle needle = { .length = strlen(rest) / 2 };
	int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	FILE *maps = fopen("/proc/self/maps", "re");
	json_int_t count = 0;
	char line[512];

	if (memory < 0 || !maps || needle.length == 0 || needle.length > sizeof needle.masked)
		fail("cannot search");
	for (size_t i = 0; i < needle.length; i++) {
		const char pair[3] = { rest[2 * i], rest[2 * i + 1], '\0' };

		needle.masked[i] = (unsigned char)strtoul(pair, NULL, 16);
	}
	while (fgets(line, sizeof line, maps)) {
		unsigned long start;
		unsigned long end;
		char rights[5];

		/* A sanitizer's shadow is far larger, and holds no bytes of ours. */
		if (sscanf(line, "%lx-%lx %4s", &start, &end, rights) == 3 && rights[1] == 'w' &&
		    end - start <= 64UL * 1024 * 1024)
			count += count_in_range(memory, start, end, &needle);
	}
	(void)fclose(maps);
	(void)close(memory);
	finish(tool, json_pack("{s:I}", "count", count));
}

/* ---- metadata ----------------------------------------------------------------------------- */

static void on_facts(void *user, int err, const struct imds_facts *facts, const char *hint)
{
	finish(user, json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "err", err_text(err), "hint", hint,
		"instance_id", facts->instance_id, "availability_zone", facts->availability_zone,
		"availability_zone_id", facts->availability_zone_id, "region", facts->region, "vpc_id", facts->vpc_id,
		"subnet_id", facts->subnet_id));
}

static void run_facts(struct tool *tool, const char *rest)
{
	(void)rest;
	if (!imds_get_facts(tool->imds, on_facts, tool))
		fail("no memory");
}

static void on_text(void *user, int err, const char *text, const char *hint)
{
	finish(user, json_pack("{s:s,s:s,s:s}", "err", err_text(err), "hint", hint, "text", text ? text : ""));
}

static void run_get(struct tool *tool, const char *rest)
{
	if (!imds_get(tool->imds, rest, on_text, tool))
		fail("no memory");
}

static void on_region(void *user, int err, const char *region, const char *source)
{
	finish(user, json_pack("{s:s,s:s,s:s}", "err", err_text(err), "region", region, "source", source));
}

static void run_region(struct tool *tool, const char *rest)
{
	if (!region_find(tool->loop, tool->imds, rest, on_region, tool))
		fail("no memory");
}

/* ---- a call ------------------------------------------------------------------------------- */

static void on_reply(void *user, const struct aws_reply *reply)
{
	struct tool *tool = user;

	finish(tool, json_pack("{s:s,s:i,s:s,s:s,s:I}", "class", aws_class_name(reply->class_), "status", reply->status,
		"code", reply->code, "message", reply->message, "skew_us",
		(json_int_t)aws_transport_skew_us(tool->transport)));
}

static void run_put(struct tool *tool, const char *rest)
{
	static const struct sigv4_header headers[] = {
		{ "Content-Type", "application/x-amz-json-1.0" },
		{ "X-Amz-Target", "GraniteServiceVersion20100801.PutMetricData" },
		{ "x-amzn-query-mode", "true" },
	};
	static char url[512];
	const char *why;
	const char *body = strchr(rest, ' ');

	if (!body)
		fail("put URL BODY");
	(void)snprintf(url, sizeof url, "%.*s", (int)(body - rest), rest);
	body++;
	if (!aws_call_start(tool->transport, &(struct aws_request){ .endpoint = url, .service = "monitoring",
		.region = "us-east-1", .credentials = credentials_get(tool->credentials, &why), .headers = headers,
		.header_count = 3, .body = body, .body_bytes = strlen(body), .timeout_us = 2 * US_PER_S }, on_reply, tool))
		fail("no memory");
}

/* ---- commands ----------------------------------------------------------------------------- */

static void run(struct tool *tool, char *line)
{
	static const struct { const char *name; void (*run)(struct tool *tool, const char *rest); } commands[] = {
		{ "wait", run_wait }, { "peek", run_peek }, { "refresh", run_refresh }, { "forget", run_forget },
		{ "search", run_search }, { "facts", run_facts },
		{ "get", run_get }, { "region", run_region }, { "put", run_put } };
	size_t length = strcspn(line, " ");
	const char *rest = line[length] ? line + length + 1 : "";
	char *text;

	tool->is_done = false;
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (strlen(commands[i].name) == length && strncmp(line, commands[i].name, length) == 0) {
			commands[i].run(tool, rest);
			loop_run_until(tool->loop, &tool->is_done);
			text = tool->is_done && tool->answer ? json_dumps(tool->answer, JSON_COMPACT) : NULL;
			if (!text)
				fail("no answer");
			(void)puts(text);
			(void)fflush(stdout);
			free(text);
			json_decref(tool->answer);
			return;
		}
	fail("unknown command");
}

int main(int argc, char **argv)
{
	struct target_resolver resolver = { .mode = TARGET_RESOLVER_SYSTEM };
	struct tool tool = { .loop = loop_new() };
	size_t capacity = 0;
	char *line = NULL;

	if (argc > 1 && parse_address(argv[1], 53, &resolver.servers[0]) == 0) {
		resolver.mode = TARGET_RESOLVER_LIST;
		resolver.server_count = 1;
	}
	tool.transport = aws_transport_new(tool.loop, &(struct aws_transport_options){
		.ca_file = getenv("AWS_CA_BUNDLE"), .proxy = getenv("TOOL_PROXY"), .resolver = &resolver });
	tool.imds = imds_new(tool.loop, aws_transport_http(tool.transport));
	tool.credentials = credentials_new(tool.loop, tool.imds, tool.transport);
	if (!tool.loop || !tool.transport || !tool.imds || !tool.credentials)
		fail("no memory");
	while (getline(&line, &capacity, stdin) > 0) {
		line[strcspn(line, "\n")] = '\0';
		run(&tool, line);
	}
	free(line);
	credentials_free(tool.credentials);
	imds_free(tool.imds);
	aws_transport_free(tool.transport);
	loop_free(tool.loop);
	return 0;
}
