/* SPDX-License-Identifier: Apache-2.0 */
/* An answer came and was not the expected one, or none came. Who wrote it, VPC Lattice or the application?
 * Only the text of Lattice's 403 is known. Otherwise: an answer with headers or a body of its own, or with
 * the application's marker, is the application's; a bare one that echoes our request id crossed Lattice and
 * is likely Lattice's own; a bare one without the echo may be either's. */
#include "lattice-probe/diagnosis.h"

#include <stdlib.h>
#include <string.h>

#include "diagnosis_internal.h"

enum author { AUTHOR_LATTICE, AUTHOR_APPLICATION, AUTHOR_UNKNOWN };

static enum author author_of(const struct diagnosis_view *view)
{
	const struct evidence_exchange *main = view->main;

	if (main->has_marker)
		return AUTHOR_APPLICATION;
	if (main->is_bare)
		return main->echoes_request_id ? AUTHOR_LATTICE : AUTHOR_UNKNOWN;
	/* The application marks its answers, this one has no mark and names no server: Lattice's own bodies are
	 * not documented. */
	return view->target->has_marker && !main->server[0] ? AUTHOR_UNKNOWN : AUTHOR_APPLICATION;
}

static void say_author(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	const struct evidence_exchange *main = view->main;

	if (main->has_marker)
		diagnosis_say_why(ret_diagnosis, "the answer carries the application's marker");
	else if (main->is_bare)
		diagnosis_say_why(ret_diagnosis, "the answer has no body and no header of an application");
	else
		diagnosis_say_why(ret_diagnosis, "the answer has headers or a body of its own%s",
			view->target->has_marker ? ", but not the application's marker" : "");
	if (main->echoes_request_id)
		diagnosis_say_why(ret_diagnosis, "it echoes our x-amzn-requestid: the request crossed VPC Lattice");
}

/* ---- TLS on the port ----------------------------------------------------------------------------- */

static bool decide_tls_port(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	const struct evidence_exchange *other = diagnosis_view_exchange(view, EXCHANGE_OTHER_SCHEME);
	const struct evidence_exchange *main = view->main;

	/* A 400 is what servers of TLS answer to plain HTTP; any other status is an answer to the request. */
	if (view->target->is_tls || (main->status > 0 && main->status != 400))
		return false;
	if (!other || !diagnosis_view_passed(other, HTTP_STAGE_TLS))
		return false;
	diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_HTTP_ON_TLS_PORT,
		main->outcome == OUTCOME_HTTP_TIMEOUT ? DIAGNOSIS_LIKELY : DIAGNOSIS_CERTAIN);
	diagnosis_say_summary(ret_diagnosis, "The URL of %s says http, but port %u speaks TLS.", view->host,
		(unsigned)view->target->port);
	diagnosis_say_why(ret_diagnosis, "plain HTTP: %s", outcome_words(main->outcome));
	diagnosis_say_why(ret_diagnosis, "a TLS handshake on the same port works");
	return true;
}

/* ---- no whole answer ------------------------------------------------------------------------------ */

static void say_phases(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	const int64_t *phase_us = view->main->phase_us;

	if (phase_us[PHASE_CONNECT] >= 0)
		diagnosis_say_why(ret_diagnosis, "the TCP connection stood after %s",
			diagnosis_say_time(phase_us[PHASE_CONNECT]).text);
	if (phase_us[PHASE_TLS] >= 0)
		diagnosis_say_why(ret_diagnosis, "the TLS handshake took %s", diagnosis_say_time(phase_us[PHASE_TLS]).text);
	if (phase_us[PHASE_FIRST_BYTE] >= 0)
		diagnosis_say_why(ret_diagnosis, "the first byte came after %s",
			diagnosis_say_time(phase_us[PHASE_FIRST_BYTE]).text);
}

static bool decide_timeout(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	bool has_begun = view->main->stage >= HTTP_STAGE_TRANSFER;

	if (!diagnosis_view_ended(view, OUTCOME_HTTP_TIMEOUT))
		return false;
	diagnosis_say_verdict(ret_diagnosis, has_begun ? DIAGNOSIS_RESPONSE_STALLED : DIAGNOSIS_RESPONSE_TIMEOUT,
		diagnosis_connect_excludes_pmtu(view) ? DIAGNOSIS_CERTAIN : DIAGNOSIS_LIKELY);
	if (has_begun)
		diagnosis_say_summary(ret_diagnosis, "The response of %s begins and then stalls after %lld bytes.",
			view->host, (long long)view->main->received_bytes);
	else
		diagnosis_say_summary(ret_diagnosis, "%s takes the request, but the response does not begin within %s.",
			view->host, diagnosis_say_time(view->main->total_us).text);
	diagnosis_say_why(ret_diagnosis, "%s after %s", outcome_words(OUTCOME_HTTP_TIMEOUT),
		diagnosis_say_time(view->main->total_us).text);
	say_phases(view, ret_diagnosis);
	if (diagnosis_connect_excludes_pmtu(view))
		diagnosis_say_ruled_out(ret_diagnosis, DIAGNOSIS_PMTU_BLACKHOLE, "small segments stall as well");
	return true;
}

static bool decide_reset(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	bool has_alert = view->main->tls_alert >= 0;

	if (!diagnosis_view_ended(view, OUTCOME_HTTP_RESET))
		return false;
	/* Of plain HTTP, a port of TLS may end like it: certain only once that is known not to be so. */
	diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_RESPONSE_RESET, !has_alert && (view->target->is_tls ||
		diagnosis_view_exchange(view, EXCHANGE_OTHER_SCHEME)) ? DIAGNOSIS_CERTAIN : DIAGNOSIS_LIKELY);
	diagnosis_say_summary(ret_diagnosis, "The connection to %s ends before the response is complete, after %lld bytes of "
		"it.", view->host, (long long)view->main->received_bytes);
	diagnosis_say_why(ret_diagnosis, "the peer, or something on the way, closed or reset the connection");
	if (has_alert) /* TLS 1.3: a missing client certificate is only complained of after the handshake */
		diagnosis_say_why(ret_diagnosis, "a fatal TLS alert %d came first", view->main->tls_alert);
	say_phases(view, ret_diagnosis);
	return true;
}

static bool decide_protocol(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	if (!diagnosis_view_ended(view, OUTCOME_HTTP_PROTOCOL))
		return false;
	if (view->main->status > 0) { /* a whole answer, in another version of HTTP than the probe asks for */
		diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_APP_STATUS, DIAGNOSIS_LIKELY);
		diagnosis_say_summary(ret_diagnosis, "%s answers in HTTP/%d.%d, and the probe expects another version.",
			view->host, view->main->http_version / 10, view->main->http_version % 10);
		diagnosis_say_why(ret_diagnosis, "status %d in HTTP/%d.%d", view->main->status,
			view->main->http_version / 10, view->main->http_version % 10);
		return true;
	}
	diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_RESPONSE_NOT_HTTP, view->target->is_tls ||
		diagnosis_view_exchange(view, EXCHANGE_OTHER_SCHEME) ? DIAGNOSIS_CERTAIN : DIAGNOSIS_LIKELY);
	diagnosis_say_summary(ret_diagnosis, "What comes back from %s port %u is not HTTP.", view->host,
		(unsigned)view->target->port);
	diagnosis_say_why(ret_diagnosis, "bytes came back that make no HTTP response");
	return true;
}

/* ---- 403 ------------------------------------------------------------------------------------------ */

static const char *policy_words(const char *denied_by)
{
	if (strcmp(denied_by, "identity-based") == 0)
		return "the caller's own IAM policy";
	if (strcmp(denied_by, "service-based") == 0)
		return "the service's auth policy";
	if (strcmp(denied_by, "network-based") == 0)
		return "the service network's auth policy";
	return "an auth policy";
}

static bool decide_denied(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	const struct evidence_exchange *main = view->main;

	if (!main->is_lattice_denial && main->outcome != OUTCOME_LATTICE_AUTH_DENIED)
		return false;
	diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_AUTH_DENIED, DIAGNOSIS_CERTAIN);
	diagnosis_say_summary(ret_diagnosis, "VPC Lattice denied %s request to %s: %s %s.",
		main->denies_anonymous ? "the anonymous" : "the", view->host, policy_words(main->denied_by),
		main->is_explicit_deny ? "denies it explicitly" : "does not allow it");
	diagnosis_say_why(ret_diagnosis, "status 403 with VPC Lattice's own words about vpc-lattice-svcs:Invoke");
	if (main->denied_by[0])
		diagnosis_say_why(ret_diagnosis, "it names the policy: %s", main->denied_by);
	if (main->denies_anonymous)
		diagnosis_say_why(ret_diagnosis, view->target->is_signed ?
			"the probe signs, and Lattice saw nobody: the signature got lost on the way" :
			"the request was not signed; signing (auth = sigv4) gives it a name");
	return true;
}

static bool decide_signature(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	int64_t skew_us = 0;
	bool is_off = diagnosis_view_skew(view, &skew_us) && llabs(skew_us) > DIAGNOSIS_SKEW_MAX_US;

	if (!view->main->denies_signature)
		return false;
	diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_AUTH_SIGNATURE, DIAGNOSIS_LIKELY);
	if (is_off)
		diagnosis_say_summary(ret_diagnosis, "The signature of the request to %s was refused; this host's clock is off "
			"by %s.", view->host, diagnosis_say_time(skew_us).text);
	else
		diagnosis_say_summary(ret_diagnosis, "The signature of the request to %s was refused.", view->host);
	diagnosis_say_why(ret_diagnosis, "status 403 complains of the signature, the token or the time");
	if (is_off)
		diagnosis_say_why(ret_diagnosis, "signatures are accepted within 5 min; the clock is %s by %s",
			skew_us > 0 ? "slow" : "fast", diagnosis_say_time(skew_us).text);
	return true;
}

/* Lattice's denial has a body: a bare 403, or an unmarked one, may be either's. */
static bool decide_forbidden(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	if (view->main->status != 403)
		return false;
	diagnosis_say_why(ret_diagnosis, "status 403 without VPC Lattice's words about vpc-lattice-svcs:Invoke");
	say_author(view, ret_diagnosis);
	if (author_of(view) == AUTHOR_APPLICATION) {
		diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_APP_FORBIDDEN, DIAGNOSIS_LIKELY);
		diagnosis_say_summary(ret_diagnosis, "The application behind %s refuses the request (403).", view->host);
		return true;
	}
	diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_AUTH_DENIED, DIAGNOSIS_CANDIDATES);
	diagnosis_say_candidate(ret_diagnosis, DIAGNOSIS_AUTH_DENIED);
	diagnosis_say_candidate(ret_diagnosis, DIAGNOSIS_APP_FORBIDDEN);
	diagnosis_say_summary(ret_diagnosis, "%s answers 403; whether VPC Lattice or the application wrote it does not show.",
		view->host);
	return true;
}

/* ---- other statuses --------------------------------------------------------------------------------- */

static bool is_lattice_status(int status)
{
	return status == 500 || status == 502 || status == 503 || status == 504;
}

static void say_lattice_answer(const struct diagnosis_view *view, enum diagnosis_verdict verdict,
	struct diagnosis *ret_diagnosis)
{
	if (verdict == DIAGNOSIS_LATTICE_NO_ROUTE)
		diagnosis_say_summary(ret_diagnosis, "VPC Lattice itself answered 404 for %s: no rule matched the request, or the "
			"service is not in this network.", view->host);
	else
		diagnosis_say_summary(ret_diagnosis, "VPC Lattice answered %d for %s: its targets cannot be reached, or are "
			"unhealthy or slow.", view->main->status, view->host);
}

static bool decide_lattice_status(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	int status = view->main->status;
	enum author author = author_of(view);
	enum diagnosis_verdict verdict = status == 404 ? DIAGNOSIS_LATTICE_NO_ROUTE : DIAGNOSIS_TARGET_UNAVAILABLE;

	if (view->main->outcome == OUTCOME_LATTICE_NO_ROUTE)
		author = AUTHOR_LATTICE;
	else if (view->main->outcome != OUTCOME_HTTP_STATUS || (status != 404 && !is_lattice_status(status)))
		return false;
	if (author == AUTHOR_APPLICATION)
		return false;
	diagnosis_say_verdict(ret_diagnosis, verdict, DIAGNOSIS_LIKELY);
	diagnosis_say_why(ret_diagnosis, "status %d", status);
	say_author(view, ret_diagnosis);
	if (status == 404 && diagnosis_view_has_control(view) &&
	    view->evidence->control.is_service_in_network == CLAIM_NO)
		diagnosis_say_why(ret_diagnosis, "the service network's list has no service of this name");
	if (author == AUTHOR_LATTICE) {
		say_lattice_answer(view, verdict, ret_diagnosis);
		return true;
	}
	diagnosis_say_candidate(ret_diagnosis, verdict);
	diagnosis_say_candidate(ret_diagnosis, DIAGNOSIS_APP_STATUS);
	diagnosis_say_summary(ret_diagnosis, "%s answers %d; whether VPC Lattice or the application wrote it does not show.",
		view->host, status);
	return true;
}

static bool decide_application(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	const struct evidence_exchange *main = view->main;

	if (outcome_phase(main->outcome) != OUTCOME_PHASE_HEALTH)
		return false;
	diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_APP_STATUS, DIAGNOSIS_LIKELY);
	if (main->status > 0)
		diagnosis_say_summary(ret_diagnosis, "%s answers with status %d, but %s.", view->host, main->status,
			outcome_words(main->outcome));
	else
		diagnosis_say_summary(ret_diagnosis, "%s answers, but %s.", view->host, outcome_words(main->outcome));
	diagnosis_say_why(ret_diagnosis, "status %d, %lld bytes of body", main->status, (long long)main->received_bytes);
	say_author(view, ret_diagnosis);
	/* Lattice answers 400 to what it cannot read (User Guide, access logs), a bad signature among it. */
	if (main->status == 400 && author_of(view) != AUTHOR_APPLICATION) {
		diagnosis_say_candidate(ret_diagnosis, DIAGNOSIS_APP_STATUS);
		if (view->target->is_signed)
			diagnosis_say_candidate(ret_diagnosis, DIAGNOSIS_AUTH_SIGNATURE);
	}
	return true;
}

bool diagnosis_http_decide(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	if (!view->main || outcome_phase(view->main->outcome) != OUTCOME_PHASE_HEALTH)
		return false;
	return decide_tls_port(view, ret_diagnosis) || decide_timeout(view, ret_diagnosis) ||
	       decide_reset(view, ret_diagnosis) || decide_protocol(view, ret_diagnosis) ||
	       decide_denied(view, ret_diagnosis) || decide_signature(view, ret_diagnosis) ||
	       decide_forbidden(view, ret_diagnosis) || decide_lattice_status(view, ret_diagnosis) ||
	       decide_application(view, ret_diagnosis);
}
