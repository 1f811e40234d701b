/* SPDX-License-Identifier: Apache-2.0 */
/* One address, from the SYN to the verdict. A redirect that the target follows makes another hop:
 * its host is resolved, checked and pinned like the first, its phases add to those before, and the
 * attempt ends with the verdict of the last hop. Hops are never signed, and another host never sees
 * the target's own headers: they may hold a secret meant for the first one. */
#include "probe_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "lattice-probe/err.h"
#include "lattice-probe/phases.h"
#include "lattice-probe/probe_sign.h"
#include "lattice-probe/verdict.h"

static void start_transfer(struct probe_attempt *attempt);

static const struct url *current_url(const struct probe_attempt *attempt)
{
	return attempt->hops > 0 ? &attempt->hop_url : &attempt->probe->target->url;
}

static void drop_headers(struct probe_attempt *attempt)
{
	size_t first = attempt->header_count - attempt->signature_count;

	for (size_t i = first; i < attempt->header_count; i++) {
		if (attempt->headers[i].value)
			explicit_bzero(attempt->headers[i].value, strlen(attempt->headers[i].value));
		free(attempt->headers[i].value);
		free(attempt->headers[i].name);
	}
	free(attempt->headers);
	attempt->headers = NULL;
	attempt->header_count = attempt->signature_count = 0;
}

/* The total of a failure is what has elapsed: also what this machine took between two phases. */
static void count_gaps(struct probe_attempt *attempt)
{
	struct mono started = attempt->probe->started;
	int64_t elapsed_us = mono_is_set(started) ? mono_since(mono_now(), started) : 0;

	if (attempt->record.total_us < elapsed_us)
		attempt->record.total_us = elapsed_us;
}

static void end(struct probe_attempt *attempt, enum outcome outcome)
{
	attempt->record.outcome = outcome;
	attempt->is_ended = true;
	attempt->record.total_us = attempt->spent_us;
	if (attempt->failed_us != PHASE_NONE)
		attempt->record.total_us += attempt->failed_us;
	if (outcome != OUTCOME_OK)
		count_gaps(attempt);
	drop_headers(attempt);
	probe_attempt_ended(attempt->probe, attempt);
}

static void end_because(struct probe_attempt *attempt, enum outcome outcome, const char *why)
{
	(void)snprintf(attempt->detail, sizeof attempt->detail, "%s", why);
	end(attempt, outcome);
}

/* Hops add up phase by phase. One that the last hop did not complete was not completed by the run,
 * however quick it was on the hops before: their time is only in the total. */
static void add_phases(struct probe_attempt *attempt, const int64_t phase_us[static PHASE_COUNT])
{
	int64_t *sum_us = attempt->record.phase_us;

	for (size_t i = PHASE_CONNECT; i < PHASE_COUNT; i++) {
		if (phase_us[i] == PHASE_NONE) {
			sum_us[i] = PHASE_NONE;
			continue;
		}
		sum_us[i] = (sum_us[i] == PHASE_NONE ? 0 : sum_us[i]) + phase_us[i];
		attempt->spent_us += phase_us[i];
	}
}

static void forget_phases(struct probe_attempt *attempt)
{
	for (size_t i = 0; i < PHASE_COUNT; i++)
		attempt->record.phase_us[i] = PHASE_NONE;
}

/* What has left this host is no longer its own affair, but what it is short of is, whenever it shows. */
static int local_errno_of(const struct http_reply *reply)
{
	if (reply->curl_code == CURLE_OUT_OF_MEMORY)
		return ENOMEM;
	switch (reply->os_errno) {
	case EMFILE: case ENFILE: case ENOMEM: case ENOBUFS: return reply->os_errno;
	default: return reply->is_refused_here ? reply->os_errno : 0;
	}
}

static void keep_reply(struct probe_attempt *attempt, const struct http_reply *reply)
{
	int64_t phase_us[PHASE_COUNT];

	for (size_t i = 0; i < PHASE_COUNT; i++)
		phase_us[i] = PHASE_NONE;
	phases_of_reply(reply, phase_us, &attempt->failed_us);
	add_phases(attempt, phase_us);
	if (reply->end == HTTP_END_ERROR)
		attempt->local_errno = local_errno_of(reply);
	attempt->has_reply = reply->status != 0;
	attempt->record.status = reply->status;
	attempt->record.tcp_rtt_us = reply->tcp_rtt_us;
	if (reply->tcp_retransmits >= 0)
		attempt->record.tcp_retransmits =
			reply->tcp_retransmits + (attempt->record.tcp_retransmits > 0 ?
				attempt->record.tcp_retransmits : 0);
	attempt->http_version = reply->http_version;
	attempt->body_bytes = reply->received_bytes;
	if (reply->work_us > attempt->work_us)
		attempt->work_us = reply->work_us;
	if (reply->has_certificate &&
	    (attempt->certificate_days == CERTIFICATE_DAYS_NONE ||
	     reply->certificate_days < attempt->certificate_days))
		attempt->certificate_days = reply->certificate_days;
}

/* ---- redirects ---------------------------------------------------------------------------- */

static bool is_redirect(const struct http_reply *reply)
{
	switch (reply->status) {
	case 301: case 302: case 303: case 307: case 308:
		return reply->end == HTTP_END_DONE && http_reply_header(reply, "location") != NULL;
	default:
		return false;
	}
}

/* RFC 9110 section 15.4: 303 always, 301 and 302 in practice, turn a POST into a GET. */
static void choose_method(struct probe_attempt *attempt, int status)
{
	bool is_safe = strcmp(attempt->method, "GET") == 0 || strcmp(attempt->method, "HEAD") == 0;

	if (is_safe || status == 307 || status == 308)
		return;
	attempt->method = "GET";
	attempt->sends_body = false;
}

static void hop_to(struct probe_attempt *attempt, const union address *address)
{
	attempt->record.address = *address;
	start_transfer(attempt);
}

static void on_hop_resolved(void *user)
{
	struct probe_attempt *attempt = user;
	const struct lookup_question *best = probe_lookup_best(&attempt->lookup);
	union address address;

	if (best->answer.outcome != OUTCOME_OK) {
		attempt->failed_us = best->answer.elapsed_us;
		attempt->local_errno = best->answer.local_errno;
		forget_phases(attempt);
		probe_lookup_stop(&attempt->lookup);
		end_because(attempt, probe_doubt_timeout(attempt->probe, best->answer.outcome), best->answer.detail);
		return;
	}
	attempt->record.phase_us[PHASE_DNS] += best->answer.elapsed_us;
	attempt->spent_us += best->answer.elapsed_us;
	address = best->answer.message.addresses[0];
	address_set_port(&address, current_url(attempt)->port);
	probe_lookup_stop(&attempt->lookup);
	hop_to(attempt, &address);
}

static void resolve_hop(struct probe_attempt *attempt)
{
	struct probe *probe = attempt->probe;
	int64_t left_us = mono_since(probe->deadline, mono_now());
	int64_t limit_us = probe->target->dns_timeout_us;

	if (left_us <= 0) {
		end_because(attempt, OUTCOME_HTTP_TIMEOUT, "no time was left to follow the redirect");
		return;
	}
	if (!probe_lookup_start(&attempt->lookup, probe->context, probe->target, attempt->hop_url.host,
		    left_us < limit_us ? left_us : limit_us, probe->deadline, NULL, on_hop_resolved, attempt))
		end_because(attempt, OUTCOME_LOCAL_FAULT, err_text(ERR_NOMEM));
}

static void follow(struct probe_attempt *attempt, const struct http_reply *reply)
{
	struct url next;
	const char *why = "";

	if (attempt->hops == ATTEMPT_HOPS_MAX) {
		end_because(attempt, OUTCOME_HTTP_STATUS, "more than 5 redirects");
		return;
	}
	if (url_resolve(current_url(attempt), http_reply_header(reply, "location"), &next, &why) != 0) {
		(void)snprintf(attempt->detail, sizeof attempt->detail, "redirect not followed: %s", why);
		end(attempt, OUTCOME_HTTP_STATUS);
		return;
	}
	if (current_url(attempt)->is_tls && !next.is_tls) {
		url_done(&next);
		end_because(attempt, OUTCOME_HTTP_STATUS, "redirect not followed: from https to http");
		return;
	}
	choose_method(attempt, reply->status);
	if (attempt->hops > 0)
		url_done(&attempt->hop_url);
	attempt->hop_url = next;
	attempt->hops++;
	if (attempt->record.phase_us[PHASE_DNS] == PHASE_NONE && !next.is_literal)
		attempt->record.phase_us[PHASE_DNS] = 0;
	if (next.is_literal)
		hop_to(attempt, &next.literal);
	else
		resolve_hop(attempt);
}

/* ---- the exchange ------------------------------------------------------------------------- */

static void on_reply(void *user, const struct http_reply *reply)
{
	struct probe_attempt *attempt = user;
	const struct target *target = attempt->probe->target;
	enum outcome outcome;

	attempt->transfer = NULL;
	keep_reply(attempt, reply);
	drop_headers(attempt);
	if (target->follow_redirects && is_redirect(reply)) {
		follow(attempt, reply);
		return;
	}
	outcome = verdict_of_reply(target, reply, attempt->detail, sizeof attempt->detail);
	end(attempt, probe_doubt_timeout(attempt->probe, outcome));
}

static bool is_same_origin(const struct url *a, const struct url *b)
{
	return strcmp(a->host, b->host) == 0 && a->port == b->port && a->is_tls == b->is_tls;
}

/* The target's own headers, for its own origin only, and the signature for the first hop only. */
static enum outcome build_headers(struct probe_attempt *attempt, const char **ret_why)
{
	const struct probe *probe = attempt->probe;
	const struct target *target = probe->target;
	const struct url *url = current_url(attempt);
	int err;

	attempt->headers = calloc(target->header_count + PROBE_SIGN_HEADERS, sizeof *attempt->headers);
	if (!attempt->headers) {
		*ret_why = err_text(ERR_NOMEM);
		return OUTCOME_LOCAL_FAULT;
	}
	if (is_same_origin(url, &target->url)) {
		if (target->header_count)
			memcpy(attempt->headers, target->headers, target->header_count * sizeof *attempt->headers);
		attempt->header_count = target->header_count;
	}
	if (target->auth != TARGET_AUTH_SIGV4 || attempt->hops > 0)
		return OUTCOME_OK;
	err = probe_sign(probe->context, target, url, attempt->headers + attempt->header_count,
		&attempt->signature_count, ret_why);
	attempt->header_count += attempt->signature_count;
	if (err == 0)
		return OUTCOME_OK;
	if (err != ERR_DENIED)
		*ret_why = err_text(err);
	return err == ERR_DENIED ? OUTCOME_LOCAL_CREDENTIALS : OUTCOME_LOCAL_FAULT;
}

static bool needs_body(const struct target *target)
{
	return target->expect_body_count > 0;
}

static void start_transfer(struct probe_attempt *attempt)
{
	struct probe *probe = attempt->probe;
	const struct target *target = probe->target;
	const char *why = "";
	enum outcome outcome;

	if (target_address_is_denied(&attempt->record.address)) {
		end_because(attempt, OUTCOME_LOCAL_DENIED,
			"the address is a metadata or credential endpoint");
		return;
	}
	outcome = build_headers(attempt, &why);
	if (outcome != OUTCOME_OK) {
		end_because(attempt, outcome, why);
		return;
	}
	probe_start_clock(probe);
	attempt->transfer = http_start(probe->context->http, &(struct http_request){
		.url = current_url(attempt), .address = attempt->record.address, .method = attempt->method,
		.headers = attempt->headers, .header_count = attempt->header_count,
		.body = attempt->sends_body ? target->body : NULL,
		.body_bytes = attempt->sends_body ? target->body_bytes : 0, .version = target->http,
		.tls_ca = target->tls_ca, .tls_verify = target->tls_verify,
		.connect_timeout_us = target->connect_timeout_us, .tls_timeout_us = target->tls_timeout_us,
		.deadline = probe->deadline, .max_body_bytes = target->max_body_bytes,
		.keep_body = needs_body(target) }, on_reply, attempt);
	if (!attempt->transfer) {
		attempt->local_errno = ENOMEM;
		end_because(attempt, OUTCOME_LOCAL_FAULT, err_text(ERR_NOMEM));
	}
}

void probe_attempt_start(struct probe_attempt *attempt)
{
	attempt->method = attempt->probe->target->method;
	attempt->sends_body = attempt->probe->target->body != NULL;
	start_transfer(attempt);
}

void probe_attempt_done(struct probe_attempt *attempt)
{
	if (attempt->transfer)
		http_cancel(attempt->transfer);
	attempt->transfer = NULL;
	probe_lookup_stop(&attempt->lookup);
	drop_headers(attempt);
	if (attempt->hops > 0)
		url_done(&attempt->hop_url);
	attempt->hops = 0;
}
