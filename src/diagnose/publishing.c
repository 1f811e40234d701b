/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials, then one call. The clock is not corrected and nothing is tried again: what the first call
 * meets is what is to be told. */
#include "lattice-probe/publishing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lattice-probe/cloudwatch_encode.h"
#include "lattice-probe/credentials.h"
#include "lattice-probe/endpoint.h"
#include "lattice-probe/err.h"
#include "lattice-probe/loop.h"

struct publishing {
	struct loop *loop;
	struct aws_transport *transport;
	struct credentials *credentials;
	char region[64];
	char endpoint[ENDPOINT_SIZE];
	struct buf body;
	struct mono started;
	struct mono deadline;
	struct loop_timer timer;  /* ends the wait for credentials, or reports what failed at once */
	bool is_waiting;
	struct aws_call *call;
	struct evidence_publishing evidence;
	void (*finished)(void *user, const struct evidence_publishing *publishing);
	void *user;
};

static const struct sigv4_header headers[] = {
	{ "content-type", "application/x-amz-json-1.0" },
	{ "x-amz-target", "GraniteServiceVersion20100801.PutMetricData" },
	{ "x-amzn-query-mode", "true" }, /* errors carry the codes that are documented */
};

void publishing_cancel(struct publishing *publishing)
{
	if (!publishing)
		return;
	loop_timer_stop(publishing->loop, &publishing->timer);
	if (publishing->is_waiting)
		credentials_wait_cancel(publishing->credentials, publishing);
	aws_call_cancel(publishing->call);
	buf_done(&publishing->body);
	free(publishing);
}

static void finish(struct publishing *publishing)
{
	publishing->evidence.elapsed_us = mono_since(mono_now(), publishing->started);
	publishing->finished(publishing->user, &publishing->evidence);
	publishing_cancel(publishing);
}

static void fail(struct publishing *publishing, enum aws_class class_, const char *why)
{
	publishing->evidence.class_ = class_;
	(void)snprintf(publishing->evidence.why, sizeof publishing->evidence.why, "%s", why);
	finish(publishing);
}

static void on_reply(void *user, const struct aws_reply *reply)
{
	struct publishing *publishing = user;
	struct evidence_publishing *evidence = &publishing->evidence;

	publishing->call = NULL;
	evidence->class_ = reply->class_;
	evidence->status = reply->status;
	(void)snprintf(evidence->code, sizeof evidence->code, "%s", reply->code);
	if (reply->status != 0)
		evidence->skew_us = aws_transport_skew_us(publishing->transport);
	finish(publishing);
}

/* The last four characters: enough to tell keys apart, useless by themselves. */
static void note_principal(const struct credentials_set *set, struct evidence_publishing *evidence)
{
	size_t length = strlen(set->access_key_id);

	evidence->has_credentials = true;
	(void)snprintf(evidence->source, sizeof evidence->source, "%s", set->source);
	(void)snprintf(evidence->principal, sizeof evidence->principal, "…%s",
		set->access_key_id + (length > 4 ? length - 4 : length));
}

static void start_call(struct publishing *publishing, const struct credentials_set *set)
{
	int64_t left_us = mono_since(publishing->deadline, mono_now());

	publishing->call = aws_call_start(publishing->transport, &(struct aws_request){
		.endpoint = publishing->endpoint, .service = "monitoring", .region = publishing->region,
		.credentials = set, .headers = headers, .header_count = sizeof headers / sizeof *headers,
		.body = publishing->body.data, .body_bytes = publishing->body.length_bytes,
		.timeout_us = left_us > 1 ? left_us : 1 }, on_reply, publishing);
	if (publishing->call)
		publishing->evidence.is_call_made = true;
	else
		fail(publishing, AWS_CLASS_LOCAL, err_text(ERR_NOMEM));
}

static void on_credentials(void *user, int err, const char *why)
{
	struct publishing *publishing = user;
	const struct credentials_set *set = NULL;

	publishing->is_waiting = false;
	loop_timer_stop(publishing->loop, &publishing->timer);
	if (!err)
		set = credentials_get(publishing->credentials, &why);
	if (!set) {
		fail(publishing, AWS_CLASS_LOCAL, why && why[0] ? why : err_text(err));
		return;
	}
	note_principal(set, &publishing->evidence);
	if (publishing->endpoint[0])
		start_call(publishing, set);
	else
		fail(publishing, AWS_CLASS_LOCAL, "no endpoint of CloudWatch is known for this region");
}

static void on_deadline(void *user)
{
	struct publishing *publishing = user;

	fail(publishing, AWS_CLASS_LOCAL, "no source of the credential chain answered in time");
}

static int write_body(struct publishing *publishing, const char *namespace_)
{
	int err;

	buf_init(&publishing->body, CLOUDWATCH_BODY_MAX);
	err = cloudwatch_encode_begin(&publishing->body, namespace_);
	return err ? err : cloudwatch_encode_end(&publishing->body);
}

/* An endpoint that cannot be formed is told of by the result. */
static void find_endpoint(struct publishing *publishing, const char *endpoint)
{
	if (strcmp(endpoint, "auto") != 0)
		(void)snprintf(publishing->endpoint, sizeof publishing->endpoint, "%s", endpoint);
	else if (endpoint_find("monitoring", publishing->region, publishing->endpoint) != 0)
		publishing->endpoint[0] = '\0';
	(void)snprintf(publishing->evidence.endpoint, sizeof publishing->evidence.endpoint, "%.*s",
		(int)sizeof publishing->evidence.endpoint - 1, publishing->endpoint);
}

struct publishing *publishing_start(struct loop *loop, struct aws_transport *transport,
	struct credentials *credentials, const char *region, const char *endpoint, const char *namespace_,
	int64_t timeout_us, void (*finished)(void *user, const struct evidence_publishing *publishing), void *user)
{
	struct publishing *publishing = calloc(1, sizeof *publishing);

	if (!publishing)
		return NULL;
	publishing->loop = loop;
	publishing->transport = transport;
	publishing->credentials = credentials;
	publishing->finished = finished;
	publishing->user = user;
	publishing->started = mono_now();
	publishing->deadline = mono_add(publishing->started, timeout_us);
	publishing->evidence.is_asked = true;
	(void)snprintf(publishing->region, sizeof publishing->region, "%s", region);
	find_endpoint(publishing, endpoint);
	if (write_body(publishing, namespace_) != 0)
		goto fail;
	if (loop_timer_start(loop, &publishing->timer, publishing->deadline, on_deadline, publishing) != 0)
		goto fail;
	if (credentials_wait(credentials, on_credentials, publishing) != 0)
		goto fail;
	publishing->is_waiting = true;
	return publishing;
fail:
	publishing_cancel(publishing);
	return NULL;
}
