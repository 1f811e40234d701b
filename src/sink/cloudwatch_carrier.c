/* SPDX-License-Identifier: Apache-2.0 */
/* One request at a time over aws_call. Without usable credentials it waits for them before it sends;
 * a chain that ends without any is a local failure, and the sink's to retry. */
#include "sink_internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lattice-probe/credentials.h"
#include "lattice-probe/err.h"

struct carrier {
	struct aws_transport *transport;
	struct credentials *credentials;
	char *endpoint;
	char *region;
	int64_t timeout_us;
	struct aws_call *call;  /* NULL: none in flight */
	bool is_waiting;        /* for credentials */
	bool is_refused;        /* those at hand were refused: wait for others */
	const void *body;
	size_t body_bytes;
	void (*finished)(void *user, const struct aws_reply *reply);
	void *user;
};

static const struct sigv4_header headers[] = {
	{ "content-type", "application/x-amz-json-1.0" },
	{ "content-encoding", "gzip" },
	{ "x-amz-target", "GraniteServiceVersion20100801.PutMetricData" },
	{ "x-amzn-query-mode", "true" }, /* errors carry the codes that are documented */
};

static void on_finished(void *user, const struct aws_reply *reply)
{
	struct carrier *carrier = user;

	carrier->call = NULL;
	carrier->finished(carrier->user, reply);
}

static int start_call(struct carrier *carrier, const struct credentials_set *set)
{
	carrier->call = aws_call_start(carrier->transport,
		&(struct aws_request){ .endpoint = carrier->endpoint, .service = "monitoring",
			.region = carrier->region, .credentials = set, .headers = headers,
			.header_count = sizeof headers / sizeof *headers, .body = carrier->body,
			.body_bytes = carrier->body_bytes, .timeout_us = carrier->timeout_us },
		on_finished, carrier);
	return carrier->call ? 0 : ERR_NOMEM;
}

static void fail_locally(struct carrier *carrier, const char *code, const char *message)
{
	struct aws_reply reply = { .class_ = AWS_CLASS_LOCAL };

	(void)snprintf(reply.code, sizeof reply.code, "%s", code);
	(void)snprintf(reply.message, sizeof reply.message, "%s", message);
	carrier->finished(carrier->user, &reply);
}

static void on_credentials(void *user, int err, const char *why)
{
	struct carrier *carrier = user;
	const struct credentials_set *set = NULL;

	carrier->is_waiting = false;
	if (!err)
		set = credentials_get(carrier->credentials, &why);
	if (!set)
		fail_locally(carrier, "NoCredentials", why ? why : err_text(err));
	else if (start_call(carrier, set) != 0)
		fail_locally(carrier, "NoMemory", err_text(ERR_NOMEM));
}

static int carrier_send(void *user, const void *body, size_t body_bytes,
	void (*finished)(void *finished_user, const struct aws_reply *reply), void *finished_user)
{
	struct carrier *carrier = user;
	const struct credentials_set *set = NULL;
	const char *why;
	int err;

	assert(!carrier->call && !carrier->is_waiting);
	carrier->body = body;
	carrier->body_bytes = body_bytes;
	carrier->finished = finished;
	carrier->user = finished_user;
	if (!carrier->is_refused)
		set = credentials_get(carrier->credentials, &why);
	carrier->is_refused = false;
	if (set)
		return start_call(carrier, set);
	err = credentials_wait(carrier->credentials, on_credentials, carrier);
	carrier->is_waiting = !err;
	return err;
}

static void carrier_cancel(void *user)
{
	struct carrier *carrier = user;

	if (carrier->call)
		aws_call_cancel(carrier->call);
	if (carrier->is_waiting)
		credentials_wait_cancel(carrier->credentials, carrier);
	carrier->call = NULL;
	carrier->is_waiting = false;
}

static void carrier_refresh(void *user)
{
	struct carrier *carrier = user;

	carrier->is_refused = true;
	credentials_refresh(carrier->credentials);
}

static int64_t carrier_skew_us(void *user)
{
	struct carrier *carrier = user;

	return aws_transport_skew_us(carrier->transport);
}

static void carrier_free(void *user)
{
	struct carrier *carrier = user;

	if (!carrier)
		return;
	carrier_cancel(carrier);
	free(carrier->endpoint);
	free(carrier->region);
	free(carrier);
}

int cloudwatch_carrier_new(struct aws_transport *transport, struct credentials *credentials,
	const struct sink_cloudwatch_options *options, struct sink_carrier *ret_carrier)
{
	struct carrier *carrier = calloc(1, sizeof *carrier);

	if (!carrier)
		return ERR_NOMEM;
	carrier->transport = transport;
	carrier->credentials = credentials;
	carrier->endpoint = strdup(options->endpoint);
	carrier->region = strdup(options->region);
	carrier->timeout_us = options->request_timeout_us ? options->request_timeout_us : 10 * US_PER_S;
	if (!carrier->endpoint || !carrier->region)
		goto fail;
	*ret_carrier = (struct sink_carrier){ .send = carrier_send, .cancel = carrier_cancel,
		.refresh = carrier_refresh, .skew_us = carrier_skew_us, .free = carrier_free, .user = carrier };
	return 0;
fail:
	carrier_free(carrier);
	return ERR_NOMEM;
}
