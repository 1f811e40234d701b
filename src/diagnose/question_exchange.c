/* SPDX-License-Identifier: Apache-2.0 */
/* The main exchange is the probe's own request. The others change one thing and leave the target's
 * secrets out: its headers, its body and its signature go nowhere but where a run would send them, and
 * its path and query never in clear text. Small segments are the exception that must repeat the request
 * as it was, because what stalls may be the request's or the response's length. */
#include "question_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include <openssl/rand.h>

#include "lattice-probe/aws_call.h"
#include "lattice-probe/err.h"
#include "lattice-probe/host.h"
#include "lattice-probe/probe.h"
#include "lattice-probe/probe_sign.h"
#include "lattice-probe/question_reply.h"

#define REQUEST_ID "x-amzn-requestid"
/* Passes a path of 1280 bytes, the least that IPv6 allows (RFC 8200 section 5), with room for options. */
#define SMALL_SEGMENT_BYTES 1200

static struct evidence_exchange *evidence_of(const struct question_exchange *exchange)
{
	return &exchange->path->exchanges[exchange->kind];
}

static bool repeats_the_request(const struct question_exchange *exchange)
{
	return exchange->kind == EXCHANGE_MAIN || exchange->kind == EXCHANGE_SMALL_SEGMENTS;
}

static const char *method_of(const struct question_exchange *exchange)
{
	return repeats_the_request(exchange) ? exchange->target->method : "HEAD";
}

bool question_exchange_is_safe(const char *method)
{
	return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0 || strcmp(method, "OPTIONS") == 0 ||
		strcmp(method, "TRACE") == 0;
}

/* ---- the request -------------------------------------------------------------------------- */

static void drop_headers(struct question_exchange *exchange)
{
	for (size_t i = exchange->header_count - exchange->own_count; i < exchange->header_count; i++) {
		struct target_header *header = &exchange->headers[i];

		if (header->value)
			explicit_bzero(header->value, strlen(header->value));
		free(header->value);
		free(header->name);
	}
	free(exchange->headers);
	exchange->headers = NULL;
	exchange->header_count = exchange->own_count = 0;
}

static int add_header(struct question_exchange *exchange, const char *name, const char *value)
{
	struct target_header *header = &exchange->headers[exchange->header_count];

	*header = (struct target_header){ .name = strdup(name), .value = strdup(value) };
	exchange->header_count++;
	exchange->own_count++;
	return header->name && header->value ? 0 : ERR_NOMEM;
}

/* The target's, or one of our own: its echo shows that the answer crossed Lattice (VPC Lattice User
 * Guide, "Access logs": requestId). */
static int add_request_id(struct question_exchange *exchange)
{
	const struct target *target = exchange->target;
	unsigned char random[16] = { 0 };

	for (size_t i = 0; i < target->header_count; i++)
		if (strcasecmp(target->headers[i].name, REQUEST_ID) == 0) {
			exchange->request_id = target->headers[i].value;
			return 0;
		}
	(void)RAND_bytes(random, sizeof random);
	for (size_t i = 0; i < sizeof random; i++)
		(void)snprintf(exchange->own_request_id + 2 * i, 3, "%02x", random[i]);
	exchange->request_id = exchange->own_request_id;
	return add_header(exchange, REQUEST_ID, exchange->request_id);
}

static int sign(struct question_exchange *exchange, const char **ret_why)
{
	const struct diagnose_context *context = exchange->context;
	const struct probe_context signer = { .credentials = context->credentials, .region = exchange->region,
		.skew_us = context->transport ? aws_transport_skew_us(context->transport) : 0 };
	size_t count = 0;
	int err = probe_sign(&signer, exchange->target, &exchange->target->url,
		exchange->headers + exchange->header_count, &count, ret_why);

	exchange->header_count += count;
	exchange->own_count += count;
	return err;
}

static int build_headers(struct question_exchange *exchange, const char **ret_why)
{
	const struct target *target = exchange->target;
	int err;

	exchange->headers = calloc(target->header_count + 1 + PROBE_SIGN_HEADERS, sizeof *exchange->headers);
	if (!exchange->headers)
		return ERR_NOMEM;
	if (!repeats_the_request(exchange) || exchange->is_handshake)
		return 0;
	if (target->header_count)
		memcpy(exchange->headers, target->headers, target->header_count * sizeof *exchange->headers);
	exchange->header_count = target->header_count;
	err = add_request_id(exchange);
	if (!err && target->auth == TARGET_AUTH_SIGV4)
		err = sign(exchange, ret_why);
	return err;
}

static int set_url(struct question_exchange *exchange, bool is_tls, const char *host, uint16_t port)
{
	bool has_brackets = strchr(host, ':') != NULL;
	char text[DNS_NAME_SIZE + 32];
	const char *why;
	int err;

	(void)snprintf(text, sizeof text, "%s://%s%s%s:%u/", is_tls ? "https" : "http", has_brackets ? "[" : "",
		host, has_brackets ? "]" : "", (unsigned)port);
	err = url_parse(text, &exchange->url, &why);
	exchange->has_url = !err;
	return err;
}

static uint16_t other_port(uint16_t port)
{
	return port == 443 ? 80 : 443;
}

/* What this kind changes: scheme, name, port, and whether the handshake is all. */
static int set_request(struct question_exchange *exchange)
{
	const struct url *url = &exchange->target->url;
	uint16_t port = other_port(url->port);

	switch (exchange->kind) {
	case EXCHANGE_OTHER_SCHEME:
		exchange->is_handshake = !url->is_tls;
		return set_url(exchange, !url->is_tls, url->host, url->port);
	case EXCHANGE_OTHER_NAME:
		exchange->is_handshake = true;
		return set_url(exchange, true, exchange->generated_name, url->port);
	case EXCHANGE_OTHER_PORT:
		exchange->is_handshake = true;
		evidence_of(exchange)->port = port;
		return set_url(exchange, port == 443, url->host, port);
	case EXCHANGE_MAIN:
	case EXCHANGE_SMALL_SEGMENTS:
	case EXCHANGE_KINDS:
		break;
	}
	exchange->is_handshake = !question_exchange_is_safe(exchange->target->method);
	evidence_of(exchange)->is_stand_in = exchange->is_handshake;
	return 0;
}

/* ---- the end ------------------------------------------------------------------------------ */

void question_exchange_stop(struct question_exchange *exchange)
{
	if (exchange->transfer)
		http_cancel(exchange->transfer);
	exchange->transfer = NULL;
	drop_headers(exchange);
	if (exchange->has_url)
		url_done(&exchange->url);
	exchange->has_url = false;
}

static void note_local_drops(const struct question_exchange *exchange)
{
	uint64_t failures;

	if (exchange->counts_failures && host_read_retransmit_failures(&failures) &&
	    failures > exchange->failures_before)
		evidence_of(exchange)->local_drops = failures - exchange->failures_before;
}

static void on_reply(void *user, const struct http_reply *reply)
{
	struct question_exchange *exchange = user;
	const struct question_request request = { .target = exchange->target,
		.is_judged = repeats_the_request(exchange), .is_handshake = exchange->is_handshake,
		.request_id = exchange->request_id ? exchange->request_id : "", .sent = exchange->sent, .answered = wall_now() };

	exchange->transfer = NULL;
	question_reply_read(&request, reply, evidence_of(exchange));
	note_local_drops(exchange);
	if (exchange->kind == EXCHANGE_MAIN)
		question_paths_read_neighbour(exchange->path);
	question_exchange_stop(exchange);
	exchange->ended(exchange->user);
}

static bool fail(struct question_exchange *exchange, enum outcome outcome, const char *why)
{
	struct evidence_exchange *evidence = evidence_of(exchange);

	question_exchange_stop(exchange);
	evidence->outcome = outcome;
	(void)snprintf(evidence->detail, sizeof evidence->detail, "%s", why);
	return false;
}

/* ---- the start ---------------------------------------------------------------------------- */

static bool sends_body(const struct question_exchange *exchange)
{
	return repeats_the_request(exchange) && !exchange->is_alternative && !exchange->is_handshake;
}

/* Of the others only the answer counts, not who gives it: the main exchange tells of certificates, and
 * the target's own CA need not have issued what the generated name shows. */
static bool verifies(const struct question_exchange *exchange)
{
	return exchange->target->tls_verify && repeats_the_request(exchange);
}

static struct http_transfer *start_transfer(struct question_exchange *exchange)
{
	const struct target *target = exchange->target;
	struct http_request request = { .url = exchange->has_url ? &exchange->url : &target->url,
		.address = exchange->path->address, .method = method_of(exchange), .headers = exchange->headers,
		.header_count = exchange->header_count, .tls_ca = target->tls_ca,
		.version = repeats_the_request(exchange) ? target->http : TARGET_HTTP_1_1,
		.tls_verify = verifies(exchange), .connect_timeout_us = target->connect_timeout_us,
		.tls_timeout_us = target->tls_timeout_us, .deadline = exchange->deadline,
		.max_body_bytes = target->max_body_bytes, .ends_at_tls = exchange->is_handshake,
		.keep_body = target->expect_body_count > 0 };

	address_set_port(&request.address, evidence_of(exchange)->port);
	if (sends_body(exchange)) {
		request.body = target->body;
		request.body_bytes = target->body ? target->body_bytes : 0;
	}
	if (exchange->kind == EXCHANGE_SMALL_SEGMENTS)
		request.max_segment_bytes = SMALL_SEGMENT_BYTES;
	return http_start(exchange->context->http, &request, on_reply, exchange);
}

bool question_exchange_start(struct question_exchange *exchange)
{
	struct evidence_exchange *evidence = evidence_of(exchange);
	const char *why = "";
	int err;

	evidence_exchange_init(evidence);
	evidence->is_asked = true;
	evidence->port = exchange->target->url.port;
	if (target_address_is_denied(&exchange->path->address))
		return fail(exchange, OUTCOME_LOCAL_DENIED, "the address is a metadata or credential endpoint");
	err = set_request(exchange);
	if (!err)
		err = build_headers(exchange, &why);
	if (err == ERR_DENIED)
		return fail(exchange, OUTCOME_LOCAL_CREDENTIALS, why);
	if (err)
		return fail(exchange, OUTCOME_LOCAL_FAULT, err_text(err));
	exchange->counts_failures = host_read_retransmit_failures(&exchange->failures_before);
	exchange->sent = wall_now();
	exchange->transfer = start_transfer(exchange);
	return exchange->transfer ? true : fail(exchange, OUTCOME_LOCAL_FAULT, err_text(ERR_NOMEM));
}

/* ---- which of them ------------------------------------------------------------------------ */

static bool scheme_is_in_doubt(const struct evidence *evidence, const struct evidence_exchange *main)
{
	if (evidence->target.is_tls)
		return main->tls_alert < 0 && (main->is_not_tls || main->outcome == OUTCOME_TLS_HANDSHAKE ||
			main->outcome == OUTCOME_TLS_TIMEOUT);
	return main->outcome == OUTCOME_HTTP_RESET || main->outcome == OUTCOME_HTTP_PROTOCOL ||
		main->outcome == OUTCOME_HTTP_TIMEOUT || main->status == 400;
}

static bool has_stalled(const struct evidence_exchange *main)
{
	return main->outcome == OUTCOME_TLS_TIMEOUT || main->outcome == OUTCOME_HTTP_TIMEOUT;
}

bool question_exchange_is_worth_it(const struct evidence *evidence, const struct evidence_path *path,
	enum evidence_exchange_kind kind)
{
	const struct evidence_exchange *main = &path->exchanges[EXCHANGE_MAIN];

	if (!main->is_asked || main->is_from_daemon || path->exchanges[kind].is_asked)
		return false;
	switch (kind) {
	case EXCHANGE_OTHER_SCHEME:
		return scheme_is_in_doubt(evidence, main);
	case EXCHANGE_OTHER_NAME:
		return outcome_phase(main->outcome) == OUTCOME_PHASE_TLS &&
			evidence->target.name == EVIDENCE_NAME_CUSTOM && evidence->dns.generated_name[0] != '\0';
	case EXCHANGE_SMALL_SEGMENTS:
		return has_stalled(main);
	case EXCHANGE_OTHER_PORT:
		return main->outcome == OUTCOME_CONNECT_REFUSED;
	case EXCHANGE_MAIN:
	case EXCHANGE_KINDS:
		break;
	}
	return false;
}
