/* SPDX-License-Identifier: Apache-2.0 */
/* The endpoint that ECS, EKS Pod Identity and others put beside a container
 * (https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html). Where it may be
 * is limited, because a FULL_URI from elsewhere would be given the authorization token. Never through a
 * proxy. */
#include "aws_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lattice-probe/credentials_json.h"
#include "lattice-probe/err.h"
#include "lattice-probe/http.h"
#include "lattice-probe/loop.h"
#include "lattice-probe/parse.h"
#include "lattice-probe/url.h"

#define ECS_ADDRESS "http://169.254.170.2"
#define URL_SIZE 4096
#define TOKEN_MAX_BYTES (16 * 1024)
#define REPLY_MAX_BYTES (64 * 1024)
#define TIMEOUT_US (2 * US_PER_S)
#define TRIES 3
#define PAUSE_US (1 * US_PER_S)

struct credentials_container {
	struct aws_transport *transport;
	struct fetch *fetch;
	struct loop_timer timer; /* the next try, or what failed at once */
	char url[URL_SIZE];
	struct buf token;        /* value of Authorization; empty: none */
	int tries;
	int err;
	const char *why;
	credentials_found *found;
	void *user;
};

static const char *environment(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

bool credentials_container_is_configured(void)
{
	return environment("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") || environment("AWS_CONTAINER_CREDENTIALS_FULL_URI");
}

/* ---- where, and with what ----------------------------------------------------------------- */

/* Over https any host, by its certificate; over plain http only this host and the two known places. */
static bool host_is_allowed(const struct url *url)
{
	static const char *const places[] = { "169.254.170.2", "169.254.170.23", "fd00:ec2::23" };
	char host[ADDRESS_TEXT_SIZE];

	if (url->is_tls || strcmp(url->host, "localhost") == 0)
		return true;
	if (!url->is_literal)
		return false;
	if (address_is_loopback(&url->literal))
		return true;
	address_format(&url->literal, host);
	for (size_t i = 0; i < sizeof places / sizeof *places; i++)
		if (strcmp(host, places[i]) == 0)
			return true;
	return false;
}

static int judge_url(const char *text, const char **ret_why)
{
	struct url url;
	int err = url_parse(text, &url, ret_why);

	if (err)
		return err;
	if (!host_is_allowed(&url)) {
		*ret_why = "AWS_CONTAINER_CREDENTIALS_FULL_URI: plain http is only for loopback, 169.254.170.2, "
			"169.254.170.23 and [fd00:ec2::23]";
		err = ERR_DENIED;
	}
	url_done(&url);
	return err;
}

static int find_url(struct credentials_container *container)
{
	const char *relative = environment("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	const char *full = environment("AWS_CONTAINER_CREDENTIALS_FULL_URI");
	int length;

	container->why = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI does not begin with /";
	if (relative && relative[0] != '/')
		return ERR_SYNTAX;
	length = snprintf(container->url, sizeof container->url, "%s%s", relative ? ECS_ADDRESS : "",
		relative ? relative : full);
	container->why = "the container credentials' URI is too long";
	if (length < 0 || (size_t)length >= sizeof container->url)
		return ERR_LIMIT;
	return judge_url(container->url, &container->why);
}

/* Read anew at each try: EKS rotates the file. */
static int read_token(struct credentials_container *container)
{
	const char *file = environment("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	const char *value = environment("AWS_CONTAINER_AUTHORIZATION_TOKEN");
	struct buf *token = &container->token;
	int err = 0;

	buf_done_secret(token);
	if (file)
		err = aws_file_read(file, token);
	else if (value)
		err = buf_append_text(token, value);
	container->why = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE cannot be read";
	if (err)
		return err == ERR_NOT_FOUND ? ERR_IO : err;
	container->why = "the container authorization token holds a line break or another control character";
	for (size_t i = 0; i < token->length_bytes; i++)
		if ((unsigned char)token->data[i] < ' ' || token->data[i] == 0x7f)
			return ERR_SYNTAX;
	return 0;
}

/* ---- tries -------------------------------------------------------------------------------- */

static void try_once(struct credentials_container *container);

void credentials_container_cancel(struct credentials_container *container)
{
	if (!container)
		return;
	loop_timer_stop(aws_transport_loop(container->transport), &container->timer);
	fetch_cancel(container->fetch);
	buf_done_secret(&container->token);
	free(container);
}

static void finish(struct credentials_container *container, int err, struct credentials_set *set, const char *why)
{
	container->found(container->user, err, set, why);
	credentials_container_cancel(container);
}

static void on_timer(void *user)
{
	struct credentials_container *container = user;

	if (container->err)
		finish(container, container->err, NULL, container->why);
	else
		try_once(container);
}

static bool plan(struct credentials_container *container, int err, int64_t delay_us)
{
	container->err = err;
	return loop_timer_start(aws_transport_loop(container->transport), &container->timer,
		mono_add(mono_now(), delay_us), on_timer, container) == 0;
}

static int error_of_status(int status, const char **ret_why)
{
	if (status == 401 || status == 403) {
		*ret_why = "the container credentials endpoint refuses the authorization token";
		return ERR_DENIED;
	}
	*ret_why = "the container credentials endpoint knows no credentials for this container";
	if (status >= 400 && status < 500 && status != 429)
		return ERR_DENIED;
	*ret_why = "the container credentials endpoint is overloaded or broken";
	return ERR_UNREACHABLE;
}

static int error_of_silence(const struct fetch_reply *reply, const char **ret_why)
{
	*ret_why = "the container credentials endpoint cannot be asked";
	if (reply->end == FETCH_NOMEM)
		return ERR_NOMEM;
	if (reply->end == FETCH_REFUSED)
		return ERR_DENIED;
	*ret_why = "the container credentials endpoint's answer is larger than any real one";
	if (reply->end == FETCH_HTTP && reply->http->end == HTTP_END_TOO_LARGE)
		return ERR_LIMIT;
	*ret_why = "the container credentials endpoint does not answer";
	return reply->end == FETCH_HTTP && reply->http->end == HTTP_END_TIMEOUT ? ERR_TIMEOUT : ERR_UNREACHABLE;
}

static void on_fetched(void *user, const struct fetch_reply *reply)
{
	struct credentials_container *container = user;
	struct credentials_set set = { 0 };
	int err;

	container->fetch = NULL;
	if (reply->end != FETCH_HTTP || reply->http->end != HTTP_END_DONE)
		err = error_of_silence(reply, &container->why);
	else if (reply->http->status != 200)
		err = error_of_status(reply->http->status, &container->why);
	else
		err = credentials_json_parse(reply->http->body, reply->http->body_bytes, &set, &container->why);
	set.source = "container";
	if (!err)
		finish(container, 0, &set, "");
	else if (err == ERR_DENIED || container->tries == TRIES || !plan(container, 0, PAUSE_US))
		finish(container, err, NULL, container->why);
}

static void try_once(struct credentials_container *container)
{
	struct sigv4_header headers[2] = { { "Accept", "application/json" } };
	size_t count = 1;
	int err = read_token(container);

	container->tries++;
	if (err) {
		finish(container, err, NULL, container->why);
		return;
	}
	if (container->token.length_bytes > 0)
		headers[count++] = (struct sigv4_header){ "Authorization", container->token.data };
	container->fetch = fetch_start(aws_transport_fetch(container->transport), &(struct fetch_request){
		.url = container->url, .method = "GET", .headers = headers, .header_count = count,
		.timeout_us = TIMEOUT_US, .max_body_bytes = REPLY_MAX_BYTES }, on_fetched, container);
	if (!container->fetch)
		finish(container, ERR_NOMEM, NULL, err_text(ERR_NOMEM));
}

struct credentials_container *credentials_container_start(struct aws_transport *transport, credentials_found *found,
	void *user)
{
	struct credentials_container *container = calloc(1, sizeof *container);

	if (!container)
		return NULL;
	container->transport = transport;
	container->found = found;
	container->user = user;
	buf_init(&container->token, TOKEN_MAX_BYTES);
	if (!plan(container, find_url(container), 0)) {
		credentials_container_cancel(container);
		return NULL;
	}
	return container;
}
