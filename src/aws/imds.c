/* SPDX-License-Identifier: Apache-2.0 */
/* One session token serves all queries: PUT latest/api/token, then GETs that carry it. A query that
 * finds no token waits for the one PUT that is under way. A GET refused with 401 throws the token away
 * and is sent again with a new one, once.
 *
 * A host without a metadata service must not be bothered by us all the time: when the PUT fails, the
 * next one is not sent before a second has passed, then two, and so on up to a minute; queries until then
 * get the same answer at once. It begins at a second because at boot the network may come after us. */
#include "lattice-probe/imds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>

#include "aws_internal.h"

#include "lattice-probe/err.h"
#include "lattice-probe/http.h"
#include "lattice-probe/loop.h"
#include "lattice-probe/parse.h"

#define ADDRESS_V4 "http://169.254.169.254"
#define ADDRESS_V6 "http://[fd00:ec2::254]"
#define ENDPOINT_SIZE_MAX 256
#define URL_SIZE 1024
#define TOKEN_SIZE 1024
#define TOKEN_TTL_S INT64_C(21600) /* the longest there is */
#define QUERIES_MAX 64
#define PAUSE_MIN_US (1 * US_PER_S)
#define PAUSE_MAX_US (60 * US_PER_S)
#define FACT_COUNT 7
#define FACTS_WITHOUT_MAC 5 /* the first of these is the MAC, which the others need */
#define MAC_SIZE 18

static const char hop_limit_hint[] = "the metadata service took the connection but its token never came: its hop "
	"limit is probably 1 and this is a container (raise HttpPutResponseHopLimit to 2)";

struct imds {
	struct fetch_context fetch;
	char endpoint[ENDPOINT_SIZE_MAX]; /* without / at the end; "": by the routes */
	bool is_disabled;
	bool prefers_v6;         /* AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE */

	char token[TOKEN_SIZE];  /* "": none */
	struct mono token_end;
	unsigned token_serial;
	struct fetch *put;
	struct mono pause_end;
	int64_t pause_us;
	int failure;             /* of the last PUT, while the pause lasts */
	const char *failure_hint;

	TAILQ_HEAD(, imds_query) queries;
	size_t query_count;
};

/* One of the queries that fetch the facts. */
struct part {
	struct imds_query *owner;
	struct imds_query *query; /* NULL: answered, or not asked */
	size_t index;
};

/* One path, or the facts, which are several queries of their own. */
struct imds_query {
	struct imds *imds;
	TAILQ_ENTRY(imds_query) link;
	char path[256];
	bool waits_for_token;
	bool is_repeated;         /* after a 401 */
	unsigned token_serial;    /* of the token it was sent with */
	struct fetch *get;
	struct loop_timer timer;  /* reports what is known at once */
	int err;
	const char *hint;
	void (*answered)(void *user, int err, const char *text, const char *hint);
	void *user;

	struct part parts[FACT_COUNT];
	size_t open_parts;
	bool has_any;
	struct imds_facts facts;
	void (*facts_answered)(void *user, int err, const struct imds_facts *facts, const char *hint);
};

/* ---- the service -------------------------------------------------------------------------- */

static bool environment_is(const char *name, const char *value)
{
	const char *text = getenv(name);

	return text && strcasecmp(text, value) == 0;
}

/* One too long is kept as one that is no URL, so that it is reported and not passed over. */
static void set_endpoint(struct imds *imds, const char *endpoint)
{
	size_t length = strlen(endpoint);

	if (length >= sizeof imds->endpoint) {
		endpoint = "too-long";
		length = strlen(endpoint);
	}
	if (length > 0 && endpoint[length - 1] == '/')
		length--;
	memcpy(imds->endpoint, endpoint, length);
	imds->endpoint[length] = '\0';
}

struct imds *imds_new(struct loop *loop, struct http_client *http)
{
	const char *endpoint = getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT");
	struct imds *imds = calloc(1, sizeof *imds);

	if (!imds)
		return NULL;
	imds->fetch = (struct fetch_context){ .loop = loop, .http = http };
	imds->is_disabled = environment_is("AWS_EC2_METADATA_DISABLED", "true");
	imds->prefers_v6 = environment_is("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "IPv6");
	if (endpoint)
		set_endpoint(imds, endpoint);
	TAILQ_INIT(&imds->queries);
	return imds;
}

void imds_free(struct imds *imds)
{
	if (!imds)
		return;
	while (!TAILQ_EMPTY(&imds->queries))
		imds_cancel(TAILQ_FIRST(&imds->queries));
	fetch_cancel(imds->put);
	explicit_bzero(imds->token, sizeof imds->token);
	free(imds);
}

bool imds_has_ipv4_route(void)
{
	union address address;

	return parse_address("169.254.169.254", 80, &address) == 0 && fetch_has_route(&address);
}

static bool is_v6_only(void)
{
	union address address;

	return !imds_has_ipv4_route() && parse_address("[fd00:ec2::254]", 80, &address) == 0 && fetch_has_route(&address);
}

/* Asked anew each time: at boot the routes come after us. */
static void format_url(const struct imds *imds, const char *path, char ret_url[static URL_SIZE])
{
	const char *base = imds->endpoint;

	if (!*base)
		base = imds->prefers_v6 || is_v6_only() ? ADDRESS_V6 : ADDRESS_V4;
	(void)snprintf(ret_url, URL_SIZE, "%s/latest/%s", base, path);
}

/* ---- ends of queries ---------------------------------------------------------------------- */

void imds_cancel(struct imds_query *query)
{
	if (!query)
		return;
	for (size_t i = 0; i < FACT_COUNT; i++)
		imds_cancel(query->parts[i].query);
	loop_timer_stop(query->imds->fetch.loop, &query->timer);
	fetch_cancel(query->get);
	TAILQ_REMOVE(&query->imds->queries, query, link);
	query->imds->query_count--;
	free(query);
}

static void finish(struct imds_query *query, int err, const char *text, const char *hint)
{
	query->answered(query->user, err, err ? NULL : text, hint);
	imds_cancel(query);
}

static void on_known(void *user)
{
	struct imds_query *query = user;

	finish(query, query->err, NULL, query->hint);
}

static int finish_soon(struct imds_query *query, int err, const char *hint)
{
	query->err = err;
	query->hint = hint;
	return loop_timer_start(query->imds->fetch.loop, &query->timer, mono_now(), on_known, query);
}

/* What a transfer without a usable response means. */
static int error_of_silence(const struct fetch_reply *reply, bool is_put, const char **ret_hint)
{
	const struct http_reply *http = reply->http;

	*ret_hint = "the metadata service's address is not usable: AWS_EC2_METADATA_SERVICE_ENDPOINT takes http://IP[:port]";
	if (reply->end != FETCH_HTTP)
		return reply->end == FETCH_NOMEM ? ERR_NOMEM : ERR_SYNTAX;
	*ret_hint = "the metadata service's reply is larger than any of its real ones";
	if (http->end == HTTP_END_TOO_LARGE)
		return ERR_LIMIT;
	*ret_hint = "no metadata service answers: this is no EC2 instance, or it is switched off or filtered";
	if (http->end != HTTP_END_TIMEOUT)
		return http->stage == HTTP_STAGE_SETUP ? ERR_NOFD : ERR_UNREACHABLE;
	if (http->stage >= HTTP_STAGE_FIRST_BYTE)
		*ret_hint = is_put ? hop_limit_hint : "the metadata service took the request and never answered";
	return ERR_TIMEOUT;
}

static int error_of_status(int status, const char **ret_hint)
{
	switch (status) {
	case 401:
		*ret_hint = "the metadata service refuses the token it has just given";
		return ERR_DENIED;
	case 403:
		*ret_hint = "the metadata service is switched off for this instance, or forbids this item";
		return ERR_DENIED;
	case 404:
		*ret_hint = "the metadata service has no such item";
		return ERR_NOT_FOUND;
	case 400:
		*ret_hint = "the metadata service does not understand the request";
		return ERR_PROTOCOL;
	default:
		*ret_hint = "the metadata service is overloaded or broken";
		return status >= 500 ? ERR_UNREACHABLE : ERR_PROTOCOL;
	}
}

/* ---- the token ---------------------------------------------------------------------------- */

static void start_get(struct imds_query *query);

static bool token_is_good(const struct imds *imds)
{
	return imds->token[0] && mono_since(imds->token_end, mono_now()) > 0;
}

static void drop_token(struct imds *imds)
{
	explicit_bzero(imds->token, sizeof imds->token);
}

/* Goes into a header as it is: one printable word, or the reply is no token. */
static int keep_token(struct imds *imds, const struct http_reply *reply)
{
	const char *ttl_text = http_reply_header(reply, "X-aws-ec2-metadata-token-ttl-seconds");
	int64_t ttl_s = TOKEN_TTL_S;

	if (reply->body_bytes == 0 || reply->body_bytes >= sizeof imds->token)
		return ERR_PROTOCOL;
	for (size_t i = 0; i < reply->body_bytes; i++)
		if (reply->body[i] <= ' ' || reply->body[i] > '~')
			return ERR_PROTOCOL;
	if (ttl_text && parse_int64(ttl_text, 1, TOKEN_TTL_S, &ttl_s) != 0)
		ttl_s = TOKEN_TTL_S;
	memcpy(imds->token, reply->body, reply->body_bytes);
	imds->token[reply->body_bytes] = '\0';
	imds->token_serial++;
	/* Renewed with a tenth of its life left. */
	imds->token_end = mono_add(mono_now(), ttl_s * US_PER_S * 9 / 10);
	return 0;
}

static void note_failure(struct imds *imds, int err, const char *hint)
{
	imds->failure = err;
	imds->failure_hint = hint;
	imds->pause_us = imds->pause_us ? imds->pause_us * 2 : PAUSE_MIN_US;
	if (imds->pause_us > PAUSE_MAX_US)
		imds->pause_us = PAUSE_MAX_US;
	imds->pause_end = mono_add(mono_now(), imds->pause_us);
}

/* One at a time and from the front: a callback may add and cancel queries. */
static void serve_waiting(struct imds *imds)
{
	struct imds_query *query;

	for (;;) {
		TAILQ_FOREACH(query, &imds->queries, link)
			if (query->waits_for_token)
				break;
		if (!query)
			return;
		query->waits_for_token = false;
		if (imds->failure)
			finish(query, imds->failure, NULL, imds->failure_hint);
		else
			start_get(query);
	}
}

static void on_token(void *user, const struct fetch_reply *reply)
{
	struct imds *imds = user;
	const char *hint = "the metadata service's token is none: empty, too long, or with characters no token has";
	int err;

	imds->put = NULL;
	if (reply->end != FETCH_HTTP || reply->http->end != HTTP_END_DONE)
		err = error_of_silence(reply, true, &hint);
	else if (reply->http->status != 200)
		err = error_of_status(reply->http->status, &hint);
	else
		err = keep_token(imds, reply->http);
	if (err == ERR_NOT_FOUND)
		err = ERR_PROTOCOL; /* something answers there, but not IMDSv2 */
	imds->failure = 0;
	if (err)
		note_failure(imds, err, hint);
	else
		imds->pause_us = 0;
	serve_waiting(imds);
}

static bool start_put(struct imds *imds)
{
	static const struct sigv4_header ttl = { "X-aws-ec2-metadata-token-ttl-seconds", "21600" };
	char url[URL_SIZE];

	if (imds->put)
		return true;
	drop_token(imds);
	format_url(imds, "api/token", url);
	imds->put = fetch_start(&imds->fetch, &(struct fetch_request){ .url = url, .method = "PUT", .headers = &ttl,
		.header_count = 1, .timeout_us = IMDS_TIMEOUT_US, .max_body_bytes = IMDS_REPLY_MAX_BYTES },
		on_token, imds);
	return imds->put != NULL;
}

/* ---- a query ------------------------------------------------------------------------------ */

static bool start_query(struct imds_query *query)
{
	struct imds *imds = query->imds;

	if (imds->is_disabled)
		return finish_soon(query, ERR_DENIED, "AWS_EC2_METADATA_DISABLED is set") == 0;
	if (!imds->put && !token_is_good(imds) && imds->failure && mono_since(imds->pause_end, mono_now()) > 0)
		return finish_soon(query, imds->failure, imds->failure_hint) == 0;
	query->waits_for_token = true;
	if (token_is_good(imds)) {
		query->waits_for_token = false;
		start_get(query);
		return true;
	}
	return start_put(imds);
}

/* A token refused is worth nothing, but another query may have replaced it meanwhile. */
static bool repeat_with_new_token(struct imds_query *query)
{
	if (query->token_serial == query->imds->token_serial)
		drop_token(query->imds);
	if (query->is_repeated)
		return false;
	query->is_repeated = true;
	return start_query(query);
}

static void on_text(void *user, const struct fetch_reply *reply)
{
	struct imds_query *query = user;
	const char *hint = "";
	int err;

	query->get = NULL;
	if (reply->end != FETCH_HTTP || reply->http->end != HTTP_END_DONE) {
		err = error_of_silence(reply, false, &hint);
	} else if (reply->http->status == 401 && repeat_with_new_token(query)) {
		return;
	} else if (reply->http->status != 200) {
		err = error_of_status(reply->http->status, &hint);
	} else {
		err = strlen(reply->http->body) == reply->http->body_bytes ? 0 : ERR_PROTOCOL;
		hint = err ? "the metadata service's reply is no text" : "";
	}
	finish(query, err, err ? NULL : reply->http->body, hint);
}

/* Ends the query by itself, at the next turn, when it cannot start. */
static void start_get(struct imds_query *query)
{
	const struct sigv4_header token = { "X-aws-ec2-metadata-token", query->imds->token };
	char url[URL_SIZE];

	query->token_serial = query->imds->token_serial;
	format_url(query->imds, query->path, url);
	query->get = fetch_start(&query->imds->fetch, &(struct fetch_request){ .url = url, .method = "GET",
		.headers = &token, .header_count = 1, .timeout_us = IMDS_TIMEOUT_US,
		.max_body_bytes = IMDS_REPLY_MAX_BYTES }, on_text, query);
	if (!query->get)
		/* Without memory for a timer either, the query ends with its owner. */
		(void)finish_soon(query, ERR_NOMEM, err_text(ERR_NOMEM));
}

static struct imds_query *query_new(struct imds *imds, const char *path)
{
	struct imds_query *query;

	if (imds->query_count == QUERIES_MAX || strlen(path) >= sizeof query->path)
		return NULL;
	query = calloc(1, sizeof *query);
	if (!query)
		return NULL;
	query->imds = imds;
	memcpy(query->path, path, strlen(path) + 1);
	TAILQ_INSERT_TAIL(&imds->queries, query, link);
	imds->query_count++;
	return query;
}

struct imds_query *imds_get(struct imds *imds, const char *path,
	void (*answered)(void *user, int err, const char *text, const char *hint), void *user)
{
	struct imds_query *query = query_new(imds, path);

	if (!query)
		return NULL;
	query->answered = answered;
	query->user = user;
	if (!start_query(query)) {
		imds_cancel(query);
		return NULL;
	}
	return query;
}

/* ---- the facts ---------------------------------------------------------------------------- */

struct fact {
	const char *path; /* "%s" stands for the MAC of the first interface */
	size_t offset;
	size_t size;
};

#define FACT(path, field) { path, offsetof(struct imds_facts, field), sizeof ((struct imds_facts *)0)->field }

static const struct fact facts[FACT_COUNT] = {
	{ "meta-data/mac", 0, 0 },
	FACT("meta-data/instance-id", instance_id),
	FACT("meta-data/placement/availability-zone", availability_zone),
	FACT("meta-data/placement/availability-zone-id", availability_zone_id),
	FACT("meta-data/placement/region", region),
	FACT("meta-data/network/interfaces/macs/%s/vpc-id", vpc_id),
	FACT("meta-data/network/interfaces/macs/%s/subnet-id", subnet_id),
};

/* What goes through here becomes a path, a dimension or a part of a host name. */
static bool is_plain_word(const char *text, size_t size)
{
	size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:");

	return length > 0 && length < size && text[length] == '\0';
}

static void on_fact(void *user, int err, const char *text, const char *hint);

/* False: no memory. */
static bool start_fact(struct imds_query *query, size_t index, const char *mac)
{
	const char *hole = strstr(facts[index].path, "%s");
	struct part *part = &query->parts[index];
	char path[256];

	if (hole)
		(void)snprintf(path, sizeof path, "%.*s%s%s", (int)(hole - facts[index].path), facts[index].path, mac,
			hole + 2);
	else
		(void)snprintf(path, sizeof path, "%s", facts[index].path);
	*part = (struct part){ .owner = query, .index = index };
	part->query = imds_get(query->imds, path, on_fact, part);
	query->open_parts += part->query != NULL;
	return part->query != NULL;
}

static void note_fact(struct imds_query *query, size_t index, const char *text)
{
	char *place = (char *)&query->facts + facts[index].offset;

	if (!is_plain_word(text, index == 0 ? MAC_SIZE : facts[index].size))
		return;
	query->has_any = true;
	if (index > 0) {
		memcpy(place, text, strlen(text) + 1);
		return;
	}
	for (size_t i = FACTS_WITHOUT_MAC; i < FACT_COUNT; i++)
		if (!start_fact(query, i, text))
			query->err = ERR_NOMEM;
}

static void on_fact(void *user, int err, const char *text, const char *hint)
{
	struct part *part = user;
	struct imds_query *query = part->owner;

	part->query = NULL;
	query->open_parts--;
	if (err && !query->err) {
		query->err = err;
		query->hint = hint;
	}
	if (!err)
		note_fact(query, part->index, text);
	if (query->open_parts > 0)
		return;
	query->facts_answered(query->user, query->has_any ? 0 : query->err ? query->err : ERR_PROTOCOL, &query->facts,
		query->has_any ? "" : query->hint);
	imds_cancel(query);
}

struct imds_query *imds_get_facts(struct imds *imds,
	void (*answered)(void *user, int err, const struct imds_facts *facts, const char *hint), void *user)
{
	struct imds_query *query = query_new(imds, "");

	if (!query)
		return NULL;
	query->facts_answered = answered;
	query->user = user;
	query->hint = "";
	for (size_t i = 0; i < FACTS_WITHOUT_MAC; i++)
		if (!start_fact(query, i, "")) {
			imds_cancel(query);
			return NULL;
		}
	return query;
}
