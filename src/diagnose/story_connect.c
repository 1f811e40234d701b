/* SPDX-License-Identifier: Apache-2.0 */
/* One connection in words: how it was made, and how it was secured. */
#include "lattice-probe/story.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "story_internal.h"

/* ---- TCP -------------------------------------------------------------------------------------- */

static const char *errno_words(int os_errno)
{
	switch (os_errno) {
	case ECONNREFUSED: return "refused: nothing listens there (RST)";
	case EPERM: return "this host's own firewall refused it (EPERM)";
	case EACCES: return "this host itself prohibits it (EACCES)";
	case ENETUNREACH: return "the network is unreachable (ENETUNREACH)";
	case EHOSTUNREACH: return "the host is unreachable (EHOSTUNREACH)";
	case ETIMEDOUT: return "no answer (ETIMEDOUT)";
	default: return strerror(os_errno);
	}
}

static void describe_connected(const struct evidence_exchange *exchange, struct story_line *line)
{
	char rtt[STORY_TIME_SIZE];

	line->mark = STORY_GOOD;
	line->elapsed_us = exchange->phase_us[PHASE_CONNECT];
	STORY_ANSWER(*line, "connected");
	if (exchange->tcp_rtt_us >= 0) {
		story_format_ms(exchange->tcp_rtt_us, rtt);
		STORY_ANSWER(*line, "round trip %s", rtt);
	}
}

void story_connect_describe_tcp(const struct evidence_exchange *exchange, struct story_line *line)
{
	if (exchange->phase_us[PHASE_CONNECT] != PHASE_NONE) {
		describe_connected(exchange, line);
	} else {
		line->mark = STORY_BAD;
		line->elapsed_us = exchange->total_us;
		if (exchange->os_errno != 0)
			STORY_ANSWER(*line, "%s", errno_words(exchange->os_errno));
		else
			STORY_ANSWER(*line, "%s", outcome_words(exchange->outcome));
	}
	if (exchange->tcp_retransmits > 0)
		STORY_ANSWER(*line, "%" PRId32 " packet%s sent again", exchange->tcp_retransmits,
			exchange->tcp_retransmits == 1 ? "" : "s");
	if (exchange->local_drops > 0)
		STORY_ANSWER(*line, "this host dropped %" PRIu64 " of its own packets", exchange->local_drops);
}

/* ---- TLS -------------------------------------------------------------------------------------- */

struct alert {
	int code;
	const char *name;
};

/* RFC 8446 section 6.2, those that end a client's handshake. */
static const struct alert alerts[] = {
	{ 10, "unexpected_message" }, { 20, "bad_record_mac" }, { 22, "record_overflow" },
	{ 40, "handshake_failure" }, { 42, "bad_certificate" }, { 43, "unsupported_certificate" },
	{ 44, "certificate_revoked" }, { 45, "certificate_expired" }, { 46, "certificate_unknown" },
	{ 47, "illegal_parameter" }, { 48, "unknown_ca" }, { 49, "access_denied" }, { 50, "decode_error" },
	{ 51, "decrypt_error" }, { 70, "protocol_version" }, { 71, "insufficient_security" },
	{ 80, "internal_error" }, { 86, "inappropriate_fallback" }, { 90, "user_canceled" },
	{ 109, "missing_extension" }, { 110, "unsupported_extension" }, { 112, "unrecognized_name" },
	{ 116, "certificate_required" }, { 120, "no_application_protocol" },
};

static void describe_alert(int code, struct story_line *line)
{
	if (code < 0)
		return;
	for (size_t i = 0; i < sizeof alerts / sizeof *alerts; i++)
		if (alerts[i].code == code) {
			STORY_ANSWER(*line, "the peer's alert: %s (%d)", alerts[i].name, code);
			return;
		}
	STORY_ANSWER(*line, "the peer's alert: %d", code);
}

static void describe_certificate(const struct story_teller *teller, const struct evidence_exchange *exchange,
	struct story_line *line)
{
	bool is_told = teller->verbose || line->mark != STORY_GOOD;

	if (exchange->certificate_days == CERTIFICATE_DAYS_NONE)
		return;
	if (exchange->certificate_days < 0)
		STORY_ANSWER(*line, "certificate ended %" PRId64 " days ago", -(int64_t)exchange->certificate_days);
	else
		STORY_ANSWER(*line, "certificate valid for %" PRId32 " days", exchange->certificate_days);
	if (exchange->certificate_subject[0] && is_told)
		STORY_ANSWER(*line, "subject %s", exchange->certificate_subject);
	if (exchange->certificate_issuer[0] && is_told)
		STORY_ANSWER(*line, "issuer %s", exchange->certificate_issuer);
}

void story_connect_describe_tls(const struct story_teller *teller, const struct evidence_exchange *exchange,
	struct story_line *line)
{
	bool is_secured = exchange->phase_us[PHASE_TLS] != PHASE_NONE;

	line->mark = is_secured ? STORY_GOOD : STORY_BAD;
	if (is_secured) {
		line->elapsed_us = exchange->phase_us[PHASE_TLS];
		STORY_ANSWER(*line, "%s", exchange->tls_version[0] ? exchange->tls_version : "TLS");
	} else {
		STORY_ANSWER(*line, "%s", outcome_words(exchange->outcome));
		line->elapsed_us = exchange->total_us;
	}
	if (exchange->alpn[0])
		STORY_ANSWER(*line, "%s", exchange->alpn);
	if (exchange->is_not_tls)
		STORY_ANSWER(*line, "what the peer sends is no TLS");
	describe_alert(exchange->tls_alert, line);
	describe_certificate(teller, exchange, line);
	if (exchange->detail[0] && !is_secured && teller->verbose)
		STORY_ANSWER(*line, "%s", exchange->detail);
}
