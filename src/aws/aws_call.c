/* SPDX-License-Identifier: Apache-2.0 */
#include "lattice-probe/aws_call.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "aws_internal.h"

#include "lattice-probe/aws_reply.h"
#include "lattice-probe/err.h"
#include "lattice-probe/http.h"
#include "lattice-probe/url.h"

#define HEADERS_MAX 32
#define OWN_HEADERS 3 /* X-Amz-Date, Authorization, X-Amz-Security-Token */
#define RETRY_AFTER_MAX_MS (24 * 3600 * INT64_C(1000))

struct aws_call {
	struct aws_transport *transport;
	struct fetch *fetch;
	int64_t signed_skew_us;
	void (*finished)(void *user, const struct aws_reply *reply);
	void *user;
};

/* ---- the reply ---------------------------------------------------------------------------- */

/* How a transfer without any response ended. What may have reached AWS whole is in doubt. */
static enum aws_class class_of_silence(const struct http_reply *http)
{
	bool is_ours = http->os_errno == EMFILE || http->os_errno == ENFILE || http->os_errno == ENOMEM;

	switch (http->stage) {
	case HTTP_STAGE_SETUP: return AWS_CLASS_LOCAL;
	case HTTP_STAGE_CONNECT:
		if (is_ours)
			return AWS_CLASS_LOCAL;
		return http->end == HTTP_END_TIMEOUT ? AWS_CLASS_TIMEOUT : AWS_CLASS_UNREACHABLE;
	case HTTP_STAGE_TLS: return http->end == HTTP_END_TIMEOUT ? AWS_CLASS_TIMEOUT : AWS_CLASS_TLS;
	case HTTP_STAGE_FIRST_BYTE:
	case HTTP_STAGE_TRANSFER:
	case HTTP_STAGE_DONE: break;
	}
	return AWS_CLASS_IN_DOUBT;
}

/* x-amz-retry-after is in milliseconds, Retry-After (RFC 9110 section 10.2.3) in seconds; its form with
 * a date is not used by AWS. */
static int64_t retry_after_us(const struct http_reply *http)
{
	const char *text = http_reply_header(http, "x-amz-retry-after");
	int64_t value = 0;

	if (text && parse_int64(text, 0, RETRY_AFTER_MAX_MS, &value) == 0)
		return value * US_PER_MS;
	text = http_reply_header(http, "Retry-After");
	if (text && parse_int64(text, 0, RETRY_AFTER_MAX_MS / 1000, &value) == 0)
		return value * US_PER_S;
	return 0;
}

static void read_error(const struct http_reply *http, struct aws_reply *reply)
{
	const char *header = http_reply_header(http, "x-amzn-query-error");
	struct aws_reply_error error;

	if (!header)
		header = http_reply_header(http, "x-amzn-errortype");
	aws_reply_read_error(header, http->body, http->body_bytes, &error);
	memcpy(reply->code, error.code, sizeof reply->code);
	memcpy(reply->message, error.message, sizeof reply->message);
}

static void read_response(const struct aws_call *call, const struct http_reply *http, struct aws_reply *reply)
{
	int64_t skew_change_us;

	aws_transport_note_date(call->transport, http);
	skew_change_us = aws_transport_skew_us(call->transport) - call->signed_skew_us;
	reply->status = http->status;
	reply->retry_after_us = retry_after_us(http);
	reply->body = http->body;
	reply->body_bytes = http->body_bytes;
	if (http->status < 200 || http->status > 299)
		read_error(http, reply);
	reply->class_ = aws_class_refine(aws_class_of(http->status, reply->code), reply->code, reply->message,
		skew_change_us);
}

static void on_fetched(void *user, const struct fetch_reply *fetched)
{
	struct aws_call *call = user;
	struct aws_reply reply = { .class_ = AWS_CLASS_LOCAL };

	call->fetch = NULL;
	if (fetched->end == FETCH_HTTP && fetched->http->status != 0)
		read_response(call, fetched->http, &reply);
	else if (fetched->end == FETCH_HTTP)
		reply.class_ = class_of_silence(fetched->http);
	else if (fetched->end == FETCH_DNS && !outcome_is_local(fetched->dns))
		reply.class_ = AWS_CLASS_UNREACHABLE;
	if (reply.class_ != AWS_CLASS_OK && !reply.message[0] && fetched->why)
		aws_reply_mask(fetched->why, reply.message, sizeof reply.message);
	call->finished(call->user, &reply);
	free(call);
}

/* ---- the request -------------------------------------------------------------------------- */

static const char *method_of(const struct aws_request *request)
{
	return request->method ? request->method : "POST";
}

static int64_t max_reply_bytes(const struct aws_request *request)
{
	if (request->max_reply_bytes == 0)
		return AWS_REPLY_DEFAULT_BYTES;
	return request->max_reply_bytes < AWS_REPLY_MAX_BYTES ? request->max_reply_bytes : AWS_REPLY_MAX_BYTES;
}

static int sign(struct aws_call *call, const struct aws_request *request, const struct url *url,
	struct sigv4_signature *signature)
{
	struct sigv4_header headers[HEADERS_MAX + 1];
	const struct credentials_set *keys = request->credentials;

	for (size_t i = 0; i < request->header_count; i++)
		headers[i] = request->headers[i];
	headers[request->header_count] = (struct sigv4_header){ "host", url->authority };
	call->signed_skew_us = aws_transport_skew_us(call->transport);
	return sigv4_sign(&(struct sigv4_request){
		.method = method_of(request), .path = url->path, .query = url->query,
		.headers = headers, .header_count = request->header_count + 1,
		.payload = request->body, .payload_bytes = request->body_bytes,
		.access_key_id = keys->access_key_id, .secret_access_key = keys->secret_access_key,
		.session_token = keys->session_token, .region = request->region, .service = request->service,
		.normalize_path = true, .instant = wall_add(wall_now(), call->signed_skew_us) }, signature);
}

static size_t collect_headers(const struct aws_request *request, const struct sigv4_signature *signature,
	struct sigv4_header headers[static HEADERS_MAX + OWN_HEADERS])
{
	size_t count = request->header_count;

	for (size_t i = 0; i < count; i++)
		headers[i] = request->headers[i];
	if (!request->service)
		return count;
	headers[count++] = (struct sigv4_header){ "X-Amz-Date", signature->date };
	if (request->credentials->session_token)
		headers[count++] = (struct sigv4_header){ "X-Amz-Security-Token", request->credentials->session_token };
	headers[count++] = (struct sigv4_header){ "Authorization", buf_text(&signature->authorization) };
	return count;
}

/* Signs for the URL as curl will send it. A URL that is none is left to fetch_start, which reports it. */
static int sign_for_endpoint(struct aws_call *call, const struct aws_request *request, struct sigv4_signature *signature)
{
	const char *why;
	struct url url;
	int err;

	if (!request->service)
		return 0;
	err = url_parse(request->endpoint, &url, &why);
	if (err)
		return err == ERR_NOMEM ? err : 0;
	err = sign(call, request, &url, signature);
	url_done(&url);
	return err;
}

struct aws_call *aws_call_start(struct aws_transport *transport, const struct aws_request *request,
	void (*finished)(void *user, const struct aws_reply *reply), void *user)
{
	struct sigv4_header headers[HEADERS_MAX + OWN_HEADERS];
	struct sigv4_signature signature;
	struct aws_call *call;

	if (request->header_count > HEADERS_MAX)
		return NULL;
	call = calloc(1, sizeof *call);
	if (!call)
		return NULL;
	call->transport = transport;
	call->finished = finished;
	call->user = user;
	sigv4_signature_init(&signature);
	if (sign_for_endpoint(call, request, &signature) == 0)
		call->fetch = fetch_start(aws_transport_fetch(transport), &(struct fetch_request){
			.url = request->endpoint, .method = method_of(request), .headers = headers,
			.header_count = collect_headers(request, &signature, headers), .body = request->body,
			.body_bytes = request->body_bytes, .timeout_us = request->timeout_us,
			.max_body_bytes = max_reply_bytes(request), .may_use_proxy = true }, on_fetched, call);
	sigv4_signature_done(&signature);
	if (!call->fetch) {
		free(call);
		return NULL;
	}
	return call;
}

void aws_call_cancel(struct aws_call *call)
{
	if (!call)
		return;
	fetch_cancel(call->fetch);
	free(call);
}
