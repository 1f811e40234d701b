/* SPDX-License-Identifier: Apache-2.0 */
/* A refusal by VPC Lattice names the caller, the service and the policy that did not allow it. Only the
 * kind of policy is kept, and whether the caller was nobody: the body names roles and accounts. */
#include "lattice-probe/question_reply.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "lattice-probe/aws_call.h"
#include "lattice-probe/evidence.h"
#include "lattice-probe/http.h"
#include "lattice-probe/phases.h"
#include "lattice-probe/target.h"
#include "lattice-probe/verdict.h"
#include "lattice-probe/verdict_lattice.h"

#define REQUEST_ID "x-amzn-requestid"

static bool body_says(const struct http_reply *reply, const char *words)
{
	return reply->body_bytes > 0 && memmem(reply->body, reply->body_bytes, words, strlen(words)) != NULL;
}

static void copy_printable(char *ret_text, size_t size, const char *text)
{
	size_t length = 0;

	for (; text[length] && length + 1 < size; length++)
		ret_text[length] = isprint((unsigned char)text[length]) ? text[length] : '?';
	ret_text[length] = '\0';
}

/* ---- the connection ----------------------------------------------------------------------- */

/* A handshake alone has no response: its phases end with TLS. */
static void read_phases(const struct http_reply *reply, struct evidence_exchange *exchange)
{
	struct http_reply shown = *reply;
	int64_t failed_us;

	if (!mono_is_set(reply->first_byte))
		shown.end = reply->end == HTTP_END_DONE ? HTTP_END_ERROR : reply->end;
	phases_of_reply(&shown, exchange->phase_us, &failed_us);
	exchange->phase_us[PHASE_DNS] = PHASE_NONE;
	exchange->total_us = mono_since(reply->finished, reply->start);
}

static void read_connection(const struct http_reply *reply, struct evidence_exchange *exchange)
{
	exchange->stage = reply->stage;
	exchange->os_errno = reply->os_errno;
	exchange->tcp_rtt_us = reply->tcp_rtt_us;
	exchange->tcp_retransmits = reply->tcp_retransmits;
	exchange->mss_bytes = reply->tcp_mss_bytes;
	exchange->tls_alert = reply->tls_alert;
	exchange->is_not_tls = reply->is_not_tls;
	copy_printable(exchange->tls_version, sizeof exchange->tls_version, reply->tls_version);
	copy_printable(exchange->alpn, sizeof exchange->alpn, reply->alpn);
	exchange->certificate_days = reply->has_certificate ? reply->certificate_days : CERTIFICATE_DAYS_NONE;
	copy_printable(exchange->certificate_subject, sizeof exchange->certificate_subject,
		reply->certificate_subject);
	copy_printable(exchange->certificate_issuer, sizeof exchange->certificate_issuer,
		reply->certificate_issuer);
}

/* ---- the response ------------------------------------------------------------------------- */

static bool has_marker(const struct target *target, const struct http_reply *reply)
{
	for (size_t i = 0; i < target->expect_header_count; i++)
		if (!http_reply_header(reply, target->expect_headers[i].name))
			return false;
	return target->expect_header_count > 0;
}

static void read_headers(const struct question_request *request, const struct http_reply *reply,
	struct evidence_exchange *exchange)
{
	const char *id = http_reply_header(reply, REQUEST_ID);
	const char *server = http_reply_header(reply, "server");
	const char *date_text = http_reply_header(reply, "date");
	struct wall date;

	exchange->has_request_id = id != NULL;
	exchange->echoes_request_id = id && request->request_id[0] && strcmp(id, request->request_id) == 0;
	exchange->is_bare = reply->received_bytes == 0 && verdict_lattice_is_bare(reply);
	exchange->has_marker = has_marker(request->target, reply);
	copy_printable(exchange->server, sizeof exchange->server, server ? server : "");
	if (!date_text || wall_parse_http_date(date_text, &date) != 0)
		return;
	exchange->has_date = true;
	exchange->skew_us = aws_transport_estimate_skew_us(date, request->sent, request->answered);
}

/* "because no service-based policy allows …", "with an explicit deny in a network-based policy". */
static void read_denial(const struct http_reply *reply, struct evidence_exchange *exchange)
{
	static const char *const kinds[] = { "identity-based", "service-based", "network-based", "resource-based" };

	exchange->is_explicit_deny = body_says(reply, "explicit deny");
	exchange->denies_anonymous = body_says(reply, "User: anonymous is not authorized");
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (body_says(reply, kinds[i])) {
			(void)snprintf(exchange->denied_by, sizeof exchange->denied_by, "%s", kinds[i]);
			return;
		}
}

/* What AWS services say of a signature that is wrong, too old or by a key nobody knows (AWS General
 * Reference, common errors). Lattice's own words for it are not documented. */
static bool complains_of_signature(const struct http_reply *reply)
{
	static const char *const words[] = { "SignatureDoesNotMatch", "InvalidSignatureException",
		"IncompleteSignature", "MissingAuthenticationToken", "UnrecognizedClientException", "InvalidClientTokenId",
		"ExpiredToken", "RequestExpired", "RequestTimeTooSkewed", "Signature expired",
		"Signature not yet current", "security token included in the request",
		"request signature we calculated" };

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (body_says(reply, words[i]))
			return true;
	return false;
}

static void read_response(const struct question_request *request, const struct http_reply *reply,
	struct evidence_exchange *exchange)
{
	exchange->status = reply->status;
	exchange->http_version = reply->http_version;
	exchange->received_bytes = reply->received_bytes;
	if (reply->status == 0)
		return;
	read_headers(request, reply, exchange);
	if (reply->status != 403)
		return;
	exchange->is_lattice_denial = verdict_lattice_is_auth_denied(reply);
	if (exchange->is_lattice_denial)
		read_denial(reply, exchange);
	else
		exchange->denies_signature = complains_of_signature(reply);
}

void question_reply_read(const struct question_request *request, const struct http_reply *reply,
	struct evidence_exchange *exchange)
{
	bool is_complete = reply->end == HTTP_END_DONE;

	exchange->detail[0] = '\0';
	if (is_complete && (request->is_handshake || !request->is_judged))
		exchange->outcome = OUTCOME_OK;
	else
		exchange->outcome = verdict_of_reply(request->target, reply, exchange->detail, sizeof exchange->detail);
	read_phases(reply, exchange);
	read_connection(reply, exchange);
	read_response(request, reply, exchange);
}
