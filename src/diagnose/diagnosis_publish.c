/* SPDX-License-Identifier: Apache-2.0 */
/* The service answers; would the agent's own metrics get away? In the order of mending: a clock that AWS
 * refuses spoils every signature, without credentials there is nothing to sign with, then the way to
 * CloudWatch, then its permission. */
#include "lattice-probe/diagnosis.h"

#include <stdlib.h>

#include "diagnosis_internal.h"

static bool decide_clock(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	const struct evidence_publishing *publishing = &view->evidence->publishing;
	bool is_refused = publishing->is_call_made && publishing->class_ == AWS_CLASS_SKEWED;
	bool is_off = publishing->is_call_made && llabs(publishing->skew_us) > DIAGNOSIS_SKEW_MAX_US;

	if (!is_refused && !is_off)
		return false;
	diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_CLOCK_SKEW, is_off ? DIAGNOSIS_CERTAIN : DIAGNOSIS_LIKELY);
	if (is_off)
		diagnosis_say_summary(ret_diagnosis, "%s answers, but this host's clock is %s by %s, and AWS accepts no more "
			"than 5 min.", view->host, publishing->skew_us > 0 ? "slow" : "fast",
			diagnosis_say_time(publishing->skew_us).text);
	else
		diagnosis_say_summary(ret_diagnosis, "%s answers, but CloudWatch refuses this host's signatures for their "
			"time.", view->host);
	if (is_off)
		diagnosis_say_why(ret_diagnosis, "CloudWatch's clock less ours: %s%s", publishing->skew_us < 0 ? "-" : "",
			diagnosis_say_time(publishing->skew_us).text);
	if (is_refused)
		diagnosis_say_why(ret_diagnosis, "CloudWatch refused the signature for its time");
	return true;
}

static enum diagnosis_verdict credentials_verdict(enum evidence_imds imds)
{
	if (imds == EVIDENCE_IMDS_HOP_LIMIT)
		return DIAGNOSIS_IMDS_HOP_LIMIT;
	return imds == EVIDENCE_IMDS_OFF ? DIAGNOSIS_IMDS_OFF : DIAGNOSIS_NO_CREDENTIALS;
}

static bool decide_credentials(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	const struct evidence_publishing *publishing = &view->evidence->publishing;
	bool is_stale = publishing->is_call_made && publishing->class_ == AWS_CLASS_EXPIRED;
	enum diagnosis_verdict verdict = credentials_verdict(view->evidence->where.imds);

	if (publishing->has_credentials && !is_stale)
		return false;
	if (publishing->has_credentials)
		verdict = DIAGNOSIS_NO_CREDENTIALS;
	/* Without a word of the metadata service, its state may be the reason. */
	diagnosis_say_verdict(ret_diagnosis, verdict,
		is_stale || view->evidence->where.imds == EVIDENCE_IMDS_NOT_ASKED ? DIAGNOSIS_LIKELY : DIAGNOSIS_CERTAIN);
	diagnosis_say_summary(ret_diagnosis, "%s answers, but metrics cannot be published: %s.", view->host,
		is_stale ? "AWS does not accept the credentials (expired or unknown)" :
		verdict == DIAGNOSIS_IMDS_HOP_LIMIT ? "the metadata service's hop limit keeps this container from its "
			"credentials" :
		verdict == DIAGNOSIS_IMDS_OFF ? "the instance metadata service is switched off and nothing else gives "
			"credentials" : "there are no AWS credentials");
	if (is_stale)
		diagnosis_say_why(ret_diagnosis, "credentials of source %s were refused: %s", publishing->source,
			publishing->code);
	else if (publishing->why[0])
		diagnosis_say_why(ret_diagnosis, "%s", publishing->why);
	else
		diagnosis_say_why(ret_diagnosis, "no source of the credential chain gave any");
	return true;
}

static bool decide_way(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	const struct evidence_publishing *publishing = &view->evidence->publishing;
	const struct evidence_where *where = &view->evidence->where;
	enum aws_class class_ = publishing->class_;

	if (class_ != AWS_CLASS_UNREACHABLE && class_ != AWS_CLASS_TIMEOUT && class_ != AWS_CLASS_TLS &&
	    class_ != AWS_CLASS_IN_DOUBT)
		return false;
	diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_METRICS_UNREACHABLE,
		class_ == AWS_CLASS_UNREACHABLE ? DIAGNOSIS_CERTAIN : DIAGNOSIS_LIKELY);
	diagnosis_say_summary(ret_diagnosis, "%s answers, but CloudWatch (%s) cannot be reached from here.", view->host,
		publishing->endpoint[0] ? publishing->endpoint : "monitoring");
	diagnosis_say_why(ret_diagnosis, "the call to CloudWatch: %s", aws_class_name(class_));
	if (where->imds == EVIDENCE_IMDS_OK && !where->public_ipv4[0])
		diagnosis_say_why(ret_diagnosis, "this instance has no public IPv4 address: an internet gateway alone does not "
			"help it; a NAT gateway or a CloudWatch endpoint in the VPC would");
	return true;
}

static bool decide_permission(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	const struct evidence_publishing *publishing = &view->evidence->publishing;

	if (publishing->class_ != AWS_CLASS_DENIED)
		return false;
	diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_METRICS_DENIED, DIAGNOSIS_LIKELY);
	diagnosis_say_summary(ret_diagnosis, "%s answers, but the role may not publish metrics (cloudwatch:PutMetricData).",
		view->host);
	diagnosis_say_why(ret_diagnosis, "CloudWatch answered %d %s", publishing->status, publishing->code);
	return true;
}

/* That the service answers by the resolver asked first is known. */
static bool is_fine_before(const struct diagnosis_view *view)
{
	return view->target->name == EVIDENCE_NAME_LITERAL || (view->answering && view->answering == view->first);
}

static bool decide(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	if (decide_clock(view, ret_diagnosis) || decide_credentials(view, ret_diagnosis))
		return true;
	return view->evidence->publishing.is_call_made &&
	       (decide_way(view, ret_diagnosis) || decide_permission(view, ret_diagnosis));
}

bool diagnosis_publish_decide(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	if (!view->evidence->publishing.is_asked || !decide(view, ret_diagnosis))
		return false;
	if (ret_diagnosis->confidence == DIAGNOSIS_CERTAIN && !is_fine_before(view))
		ret_diagnosis->confidence = DIAGNOSIS_LIKELY;
	return true;
}
