/* SPDX-License-Identifier: Apache-2.0 */
/* The connection stands and TLS fails. A second exchange at the same address decides what the first one
 * only suggests: plain HTTP on the port, or the generated name in the handshake. An alert alone has many
 * meanings. */
#include "lattice-probe/diagnosis.h"

#include <stdlib.h>

#include "diagnosis_internal.h"

/* RFC 8446 section 6.2. */
enum alert { ALERT_HANDSHAKE_FAILURE = 40, ALERT_INTERNAL_ERROR = 80, ALERT_UNRECOGNIZED_NAME = 112 };

static const char *alert_words(int alert)
{
	static const struct {
		int alert;
		const char *words;
	} rows[] = {
		{ -1, "no alert was received" },
		{ 40, "alert 40 (handshake_failure)" }, { 42, "alert 42 (bad_certificate)" },
		{ 47, "alert 47 (illegal_parameter)" }, { 48, "alert 48 (unknown_ca)" },
		{ 70, "alert 70 (protocol_version: no TLS version in common)" },
		{ 71, "alert 71 (insufficient_security: no cipher in common)" },
		{ 80, "alert 80 (internal_error)" }, { 112, "alert 112 (unrecognized_name)" },
		{ 116, "alert 116 (certificate_required: a client certificate)" },
		{ 120, "alert 120 (no_application_protocol)" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].alert == alert)
			return rows[i].words;
	return "another fatal alert";
}

/* ---- scheme ----------------------------------------------------------------------------------- */

/* A server of TLS may answer plain HTTP with a 400 that says so; any other status shows plain HTTP. */
static bool speaks_plain_http(const struct evidence_exchange *other)
{
	return other && other->status > 0 && other->status != 400;
}

/* Another name had its handshake here, or this one only got no answer in time. */
static bool may_speak_tls(const struct diagnosis_view *view)
{
	return diagnosis_view_ended(view, OUTCOME_TLS_TIMEOUT) ||
	       diagnosis_view_passed(diagnosis_view_exchange(view, EXCHANGE_OTHER_NAME), HTTP_STAGE_TLS);
}

static bool decide_plain_port(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	const struct evidence_exchange *other = diagnosis_view_exchange(view, EXCHANGE_OTHER_SCHEME);
	bool is_proven = speaks_plain_http(other);

	if (!diagnosis_view_ended(view, OUTCOME_TLS_HANDSHAKE) && !diagnosis_view_ended(view, OUTCOME_TLS_TIMEOUT))
		return false;
	if (!is_proven && !view->main->is_not_tls)
		return false;
	diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_TLS_ON_HTTP_PORT,
		is_proven && !may_speak_tls(view) ? DIAGNOSIS_CERTAIN : DIAGNOSIS_LIKELY);
	diagnosis_say_summary(ret_diagnosis, "The URL of %s says https, but port %u speaks plain HTTP.", view->host,
		(unsigned)view->target->port);
	if (view->main->is_not_tls)
		diagnosis_say_why(ret_diagnosis, "the first bytes that came back are no TLS record");
	if (is_proven)
		diagnosis_say_why(ret_diagnosis, "plain HTTP on the same port is answered: status %d", other->status);
	return true;
}

/* ---- names ------------------------------------------------------------------------------------- */

static bool is_name_alert(const struct evidence_exchange *exchange)
{
	return exchange->tls_alert == ALERT_HANDSHAKE_FAILURE || exchange->tls_alert == ALERT_UNRECOGNIZED_NAME;
}

/* What a listener without a certificate for the name does: an alert, or it just closes. */
static bool is_name_refusal(const struct evidence_exchange *exchange)
{
	return is_name_alert(exchange) || exchange->tls_alert == ALERT_INTERNAL_ERROR || exchange->tls_alert == -1;
}

static bool decide_unknown_name(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	const struct evidence_exchange *other = diagnosis_view_exchange(view, EXCHANGE_OTHER_NAME);
	bool works = diagnosis_view_passed(other, HTTP_STAGE_TLS);

	if (!diagnosis_view_ended(view, OUTCOME_TLS_HANDSHAKE) || view->target->name != EVIDENCE_NAME_CUSTOM)
		return false;
	if (!works && (other || !is_name_alert(view->main)))
		return false;
	diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_TLS_UNKNOWN_NAME,
		works && is_name_refusal(view->main) ? DIAGNOSIS_CERTAIN : DIAGNOSIS_LIKELY);
	diagnosis_say_summary(ret_diagnosis, "The listener at %s port %u has no certificate for %s and ends the handshake.",
		diagnosis_say_address(&view->path->address).text, (unsigned)view->target->port, view->host);
	diagnosis_say_why(ret_diagnosis, "the handshake for this name fails: %s", alert_words(view->main->tls_alert));
	if (works)
		diagnosis_say_why(ret_diagnosis, "with the service's generated name the handshake at the same address works");
	return true;
}

/* ---- certificates ------------------------------------------------------------------------------- */

static bool decide_name_mismatch(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	if (!diagnosis_view_ended(view, OUTCOME_TLS_NAME))
		return false;
	diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_TLS_NAME_MISMATCH, DIAGNOSIS_CERTAIN);
	diagnosis_say_summary(ret_diagnosis, "The certificate that answers for %s is for another name%s%s.", view->host,
		view->main->certificate_subject[0] ? ": " : "", view->main->certificate_subject);
	diagnosis_say_why(ret_diagnosis, "the certificate does not hold the name of the URL");
	return true;
}

static bool is_clock_off(const struct diagnosis_view *view, int64_t *ret_skew_us)
{
	return diagnosis_view_skew(view, ret_skew_us) && llabs(*ret_skew_us) > DIAGNOSIS_SKEW_MAX_US;
}

static bool decide_expired(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	int64_t skew_us = 0;
	bool is_off = is_clock_off(view, &skew_us);
	int days;

	if (!diagnosis_view_ended(view, OUTCOME_TLS_EXPIRED))
		return false;
	days = view->main->certificate_days;
	diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_TLS_EXPIRED, is_off ? DIAGNOSIS_LIKELY : DIAGNOSIS_CERTAIN);
	if (days == CERTIFICATE_DAYS_NONE)
		diagnosis_say_summary(ret_diagnosis, "The certificate of %s has expired or is not yet valid.", view->host);
	else if (days < 0)
		diagnosis_say_summary(ret_diagnosis, "The certificate of %s expired %d days ago.", view->host, -days);
	else
		diagnosis_say_summary(ret_diagnosis, "The certificate of %s, or one above it, is not valid on this day.",
			view->host);
	diagnosis_say_why(ret_diagnosis, "this host's clock is outside the certificate's validity");
	if (is_off)
		diagnosis_say_why(ret_diagnosis, "this host's clock itself is off by %s", diagnosis_say_time(skew_us).text);
	return true;
}

static bool decide_untrusted(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	if (!diagnosis_view_ended(view, OUTCOME_TLS_UNTRUSTED))
		return false;
	diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_TLS_UNTRUSTED, DIAGNOSIS_CERTAIN);
	diagnosis_say_summary(ret_diagnosis, "The certificate of %s is not trusted by this host%s%s.", view->host,
		view->main->certificate_issuer[0] ? "; its issuer: " : "", view->main->certificate_issuer);
	diagnosis_say_why(ret_diagnosis, "no chain leads from the certificate to an authority this host trusts");
	return true;
}

/* ---- silence and the rest ------------------------------------------------------------------------ */

static bool decide_silent(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	if (!diagnosis_view_ended(view, OUTCOME_TLS_TIMEOUT))
		return false;
	diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_TLS_SILENT,
		diagnosis_connect_excludes_pmtu(view) ? DIAGNOSIS_CERTAIN : DIAGNOSIS_LIKELY);
	diagnosis_say_summary(ret_diagnosis, "%s port %u takes the connection, but the TLS handshake for %s is not answered.",
		diagnosis_say_address(&view->path->address).text, (unsigned)view->target->port, view->host);
	diagnosis_say_why(ret_diagnosis, "no end of the handshake within %s", diagnosis_say_time(view->main->total_us).text);
	if (diagnosis_connect_excludes_pmtu(view))
		diagnosis_say_ruled_out(ret_diagnosis, DIAGNOSIS_PMTU_BLACKHOLE, "small segments stall as well");
	return true;
}

static bool decide_failed(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	if (!diagnosis_view_ended(view, OUTCOME_TLS_HANDSHAKE))
		return false;
	diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_TLS_FAILED, DIAGNOSIS_LIKELY);
	diagnosis_say_summary(ret_diagnosis, "The TLS handshake with %s at %s port %u fails: %s.", view->host,
		diagnosis_say_address(&view->path->address).text, (unsigned)view->target->port,
		alert_words(view->main->tls_alert));
	diagnosis_say_why(ret_diagnosis, "the connection stands; the handshake ends with an error: %s",
		alert_words(view->main->tls_alert));
	if (diagnosis_view_exchange(view, EXCHANGE_OTHER_NAME))
		diagnosis_say_ruled_out(ret_diagnosis, DIAGNOSIS_TLS_UNKNOWN_NAME,
			"the handshake with the generated name fails as well");
	return true;
}

bool diagnosis_tls_decide(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	return decide_plain_port(view, ret_diagnosis) || decide_unknown_name(view, ret_diagnosis) ||
	       decide_name_mismatch(view, ret_diagnosis) || decide_expired(view, ret_diagnosis) ||
	       decide_untrusted(view, ret_diagnosis) || decide_silent(view, ret_diagnosis) ||
	       decide_failed(view, ret_diagnosis);
}
