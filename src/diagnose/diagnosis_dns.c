/* SPDX-License-Identifier: Apache-2.0 */
/* No configured resolver gave an address, or only a later one did.
 *
 * Which resolver is judged: the first one that replied something about the name (NXDOMAIN, no address),
 * since that ends a run's question; without one, the first. Two addresses of the VPC resolver are one
 * witness. Silence is only blamed on the VPC's settings when those settings are known: a filter on the way
 * looks the same. */
#include "lattice-probe/diagnosis.h"

#include "diagnosis_internal.h"

static bool is_silent(enum outcome outcome)
{
	return outcome == OUTCOME_DNS_TIMEOUT || outcome == OUTCOME_DNS_UNREACHABLE;
}

static bool says_none(enum outcome outcome)
{
	return outcome == OUTCOME_DNS_NXDOMAIN || outcome == OUTCOME_DNS_NODATA;
}

static const struct evidence_resolver *judged_resolver(const struct diagnosis_view *view)
{
	for (size_t i = 0; i < diagnosis_view_count_resolvers(view); i++) {
		const struct evidence_resolver *resolver = &view->evidence->dns.resolvers[i];

		if (resolver->is_configured && says_none(diagnosis_view_outcome(view, resolver)))
			return resolver;
	}
	return view->first;
}

/* ---- silence -------------------------------------------------------------------------------- */

static void say_silence(const struct diagnosis_view *view, const struct evidence_resolver *resolver,
	struct diagnosis *ret_diagnosis)
{
	struct diagnosis_text server = diagnosis_say_address(&resolver->server);

	if (diagnosis_view_outcome(view, resolver) == OUTCOME_DNS_UNREACHABLE)
		diagnosis_say_why(ret_diagnosis, "%s cannot be reached: this host or a router refuses the packets",
			server.text);
	else
		diagnosis_say_why(ret_diagnosis, "%s replied to %d of %d questions", server.text,
			resolver->answered, resolver->asked);
}

static uint64_t link_local_drops(const struct diagnosis_view *view, const struct evidence_resolver *resolver)
{
	const struct evidence_dns *dns = &view->evidence->dns;

	/* The allowance covers the VPC resolver, also when a stub on this host asks it. */
	return dns->counts_drops && (resolver->is_vpc || resolver->is_local) ? dns->link_local_drops : 0;
}

static bool decide_throttled(const struct diagnosis_view *view, const struct evidence_resolver *resolver,
	struct diagnosis *ret_diagnosis)
{
	struct diagnosis_text server = diagnosis_say_address(&resolver->server);
	uint64_t drops = link_local_drops(view, resolver);
	bool loses_some = diagnosis_view_is_heard(resolver); /* and yet a question stayed without a reply */

	if (!loses_some && drops == 0)
		return false;
	diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_DNS_THROTTLED,
		loses_some && drops ? DIAGNOSIS_CERTAIN : DIAGNOSIS_LIKELY);
	diagnosis_say_summary(ret_diagnosis, "Replies of the resolver %s are lost: %d of %d questions were answered%s.",
		server.text, resolver->answered, resolver->asked,
		drops ? ", while this host goes beyond its link-local allowance of 1024 packets a second" : "");
	say_silence(view, resolver, ret_diagnosis);
	if (drops)
		diagnosis_say_why(ret_diagnosis, "linklocal_allowance_exceeded rose by %llu during the diagnosis",
			(unsigned long long)drops);
	return true;
}

/* The VPC resolver is heard under another address. */
static void decide_resolver_silent(const struct diagnosis_view *view, const struct evidence_resolver *resolver,
	struct diagnosis *ret_diagnosis)
{
	struct diagnosis_text server = diagnosis_say_address(&resolver->server);
	struct diagnosis_text vpc = diagnosis_say_address(&view->vpc->server);
	bool has_dns_off = diagnosis_view_has_control(view) && view->evidence->control.dns_support == CLAIM_NO;
	bool is_sure = !has_dns_off && resolver->asked + resolver->answers[EVIDENCE_A].retransmits +
		resolver->answers[EVIDENCE_AAAA].retransmits >= 2;

	diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_DNS_RESOLVER_SILENT,
		is_sure ? DIAGNOSIS_CERTAIN : DIAGNOSIS_LIKELY);
	diagnosis_say_summary(ret_diagnosis, "The configured resolver %s does not answer; the VPC resolver %s does.",
		server.text, vpc.text);
	say_silence(view, resolver, ret_diagnosis);
	diagnosis_say_why(ret_diagnosis, "the VPC resolver %s replied: %s", vpc.text,
		view->vpc_outcome == OUTCOME_OK ? "it has an address" : outcome_words(view->vpc_outcome));
}

/* Silence alone does not say who is silent. DNS to the VPC resolver passes no security group and no network
 * ACL (Amazon VPC User Guide, "DNS attributes"), so what remains is the VPC's setting, this host's own
 * filter, or that it is no VPC at all; what this host itself refused to send points at the filter. */
static void add_silent_candidates(const struct diagnosis_view *view, const struct evidence_resolver *resolver,
	struct diagnosis *ret_diagnosis)
{
	const struct evidence_where *where = &view->evidence->where;
	bool is_refused = diagnosis_view_outcome(view, resolver) == OUTCOME_DNS_UNREACHABLE;
	bool is_cut_off = where->is_asked && !where->has_ipv4_default && !where->has_ipv6_default;

	if (is_refused && is_cut_off && diagnosis_view_count_paths(view) == 0) {
		diagnosis_say_candidate(ret_diagnosis, DIAGNOSIS_ROUTE_MISSING);
		diagnosis_say_why(ret_diagnosis, "this host has no default route");
	}
	if (is_refused)
		diagnosis_say_candidate(ret_diagnosis, DIAGNOSIS_LOCAL_FIREWALL);
	if (!resolver->is_vpc)
		diagnosis_say_candidate(ret_diagnosis, DIAGNOSIS_DNS_RESOLVER_SILENT);
	if (diagnosis_view_may_be_outside(view)) {
		diagnosis_say_candidate(ret_diagnosis, DIAGNOSIS_OUTSIDE_VPC);
		diagnosis_say_why(ret_diagnosis, "nothing shows that this host is in a VPC");
	}
	diagnosis_say_candidate(ret_diagnosis, DIAGNOSIS_DNS_VPC_RESOLVER_SILENT);
	if (!is_refused)
		diagnosis_say_candidate(ret_diagnosis, DIAGNOSIS_LOCAL_FIREWALL);
	if (where->imds == EVIDENCE_IMDS_SILENT)
		diagnosis_say_why(ret_diagnosis, "the metadata service does not answer either: this host may reach nothing");
}

static void decide_vpc_silent(const struct diagnosis_view *view, const struct evidence_resolver *resolver,
	struct diagnosis *ret_diagnosis)
{
	bool has_dns_off = diagnosis_view_has_control(view) && view->evidence->control.dns_support == CLAIM_NO;

	diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_DNS_VPC_RESOLVER_SILENT,
		has_dns_off ? DIAGNOSIS_CERTAIN : DIAGNOSIS_LIKELY);
	diagnosis_say_summary(ret_diagnosis, "No resolver answers for %s, the VPC resolver neither%s.", view->host,
		has_dns_off ? ": DNS support is switched off in this VPC" : "");
	say_silence(view, resolver, ret_diagnosis);
	if (view->vpc && view->vpc != resolver)
		say_silence(view, view->vpc, ret_diagnosis);
	if (has_dns_off)
		diagnosis_say_why(ret_diagnosis, "the VPC's attribute enableDnsSupport is false");
	else if (!view->answering) /* behind a fallback the network is seen to work */
		add_silent_candidates(view, resolver, ret_diagnosis);
}

static void decide_silent(const struct diagnosis_view *view, const struct evidence_resolver *resolver,
	struct diagnosis *ret_diagnosis)
{
	struct diagnosis_text server = diagnosis_say_address(&resolver->server);

	if (decide_throttled(view, resolver, ret_diagnosis))
		return;
	if (view->is_vpc_heard && view->vpc != resolver && diagnosis_view_is_heard(view->vpc)) {
		decide_resolver_silent(view, resolver, ret_diagnosis);
		return;
	}
	if (resolver->is_vpc || view->vpc_outcome != OUTCOME_NONE) {
		decide_vpc_silent(view, resolver, ret_diagnosis);
		return;
	}
	diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_DNS_RESOLVER_SILENT, DIAGNOSIS_CANDIDATES);
	diagnosis_say_candidate(ret_diagnosis, DIAGNOSIS_DNS_RESOLVER_SILENT);
	diagnosis_say_candidate(ret_diagnosis, DIAGNOSIS_DNS_VPC_RESOLVER_SILENT);
	if (!view->main)
		diagnosis_say_candidate(ret_diagnosis, DIAGNOSIS_LOCAL_FIREWALL);
	diagnosis_say_summary(ret_diagnosis, "The configured resolver %s does not answer; the VPC resolver was not heard.",
		server.text);
	say_silence(view, resolver, ret_diagnosis);
}

/* ---- errors --------------------------------------------------------------------------------- */

static enum diagnosis_verdict error_verdict(enum outcome outcome)
{
	if (outcome == OUTCOME_DNS_SERVFAIL)
		return DIAGNOSIS_DNS_SERVFAIL;
	if (outcome == OUTCOME_DNS_REFUSED)
		return DIAGNOSIS_DNS_REFUSED;
	return outcome == OUTCOME_DNS_BAD_REPLY ? DIAGNOSIS_DNS_BAD_REPLY : DIAGNOSIS_UNDETERMINED;
}

/* The reply itself is the evidence. */
static bool decide_error(const struct diagnosis_view *view, const struct evidence_resolver *resolver,
	struct diagnosis *ret_diagnosis)
{
	enum outcome outcome = diagnosis_view_outcome(view, resolver);
	enum diagnosis_verdict verdict = error_verdict(outcome);
	struct diagnosis_text server = diagnosis_say_address(&resolver->server);

	if (verdict == DIAGNOSIS_UNDETERMINED)
		return false;
	diagnosis_say_verdict(ret_diagnosis, verdict, DIAGNOSIS_CERTAIN);
	diagnosis_say_summary(ret_diagnosis, "The resolver %s gives no answer for %s: %s.", server.text, view->host,
		outcome_words(outcome));
	diagnosis_say_why(ret_diagnosis, "%s: %s", server.text, outcome_words(outcome));
	if (view->vpc && view->vpc != resolver && view->vpc_outcome == OUTCOME_OK)
		diagnosis_say_why(ret_diagnosis, "the VPC resolver %s has an address",
			diagnosis_say_address(&view->vpc->server).text);
	return true;
}

static bool has_loop(const struct diagnosis_view *view, const struct evidence_resolver *resolver,
	enum evidence_family family)
{
	return diagnosis_view_wants(view, family) && resolver->answers[family].is_asked &&
	       resolver->answers[family].is_cname_loop;
}

static bool decide_loop(const struct diagnosis_view *view, const struct evidence_resolver *resolver,
	struct diagnosis *ret_diagnosis)
{
	bool is_elsewhere_fine = view->vpc && view->vpc != resolver && view->vpc_outcome == OUTCOME_OK;

	if (!has_loop(view, resolver, EVIDENCE_A) && !has_loop(view, resolver, EVIDENCE_AAAA))
		return false;
	diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_DNS_CNAME_LOOP,
		is_elsewhere_fine ? DIAGNOSIS_LIKELY : DIAGNOSIS_CERTAIN);
	diagnosis_say_summary(ret_diagnosis, "%s is an alias that leads back to itself.", view->host);
	diagnosis_say_why(ret_diagnosis, "the chain of aliases that %s gives comes back to a name it had passed",
		diagnosis_say_address(&resolver->server).text);
	if (is_elsewhere_fine)
		diagnosis_say_why(ret_diagnosis, "the VPC resolver has an address: its zone is another one");
	return true;
}

/* ---- both ways in --------------------------------------------------------------------------- */

/* What the other family's answer would have been is not known. */
static bool is_half_asked(const struct diagnosis_view *view, const struct evidence_resolver *resolver)
{
	return (diagnosis_view_wants(view, EVIDENCE_A) && !resolver->answers[EVIDENCE_A].is_asked) ||
	       (diagnosis_view_wants(view, EVIDENCE_AAAA) && !resolver->answers[EVIDENCE_AAAA].is_asked);
}

static void decide_by_outcome(const struct diagnosis_view *view, const struct evidence_resolver *resolver,
	struct diagnosis *ret_diagnosis)
{
	enum outcome outcome = diagnosis_view_outcome(view, resolver);

	if (outcome == OUTCOME_NONE || outcome_is_local(outcome)) {
		diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_UNDETERMINED, DIAGNOSIS_LIKELY);
		diagnosis_say_summary(ret_diagnosis, "The resolver %s was not asked for %s%s.",
			diagnosis_say_address(&resolver->server).text, view->host,
			outcome == OUTCOME_NONE ? "" : ": this host is out of descriptors, memory or time");
		diagnosis_say_why(ret_diagnosis, "no question of the name left this host");
		return;
	}
	if (decide_loop(view, resolver, ret_diagnosis) || decide_error(view, resolver, ret_diagnosis))
		return;
	if (is_silent(outcome))
		decide_silent(view, resolver, ret_diagnosis);
	else
		diagnosis_name_decide(view, resolver, ret_diagnosis);
}

static void decide_on(const struct diagnosis_view *view, const struct evidence_resolver *resolver,
	struct diagnosis *ret_diagnosis)
{
	decide_by_outcome(view, resolver, ret_diagnosis);
	if (ret_diagnosis->confidence == DIAGNOSIS_CERTAIN &&
	    (is_half_asked(view, resolver) || (view->vpc && is_half_asked(view, view->vpc))))
		ret_diagnosis->confidence = DIAGNOSIS_LIKELY;
}

/* A silent first resolver and a later one that knows nothing, where the VPC resolver has an address:
 * either may be the one to mend. */
static void add_first_resolver(const struct diagnosis_view *view, const struct evidence_resolver *judged,
	struct diagnosis *ret_diagnosis)
{
	enum diagnosis_verdict later = ret_diagnosis->verdict;

	if (judged == view->first)
		return;
	diagnosis_say_why(ret_diagnosis, "%s is asked first: %s", diagnosis_say_address(&view->first->server).text,
		outcome_words(diagnosis_view_outcome(view, view->first)));
	if (ret_diagnosis->confidence == DIAGNOSIS_CERTAIN) /* two faults: either may be the one to mend */
		ret_diagnosis->confidence = DIAGNOSIS_LIKELY;
	if (later != DIAGNOSIS_DNS_WRONG_RESOLVER && later != DIAGNOSIS_DNS_REBIND_FILTERED)
		return;
	if (!is_silent(diagnosis_view_outcome(view, view->first)))
		return;
	diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_DNS_RESOLVER_SILENT, DIAGNOSIS_CANDIDATES);
	diagnosis_say_candidate(ret_diagnosis, DIAGNOSIS_DNS_RESOLVER_SILENT);
	diagnosis_say_candidate(ret_diagnosis, later);
	diagnosis_say_summary(ret_diagnosis, "The first resolver %s does not answer, and the next one, %s, has no address "
		"for %s.", diagnosis_say_address(&view->first->server).text,
		diagnosis_say_address(&judged->server).text, view->host);
}

bool diagnosis_dns_decide(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	const struct evidence_resolver *judged = judged_resolver(view);

	if (view->target->name == EVIDENCE_NAME_LITERAL || view->answering || view->path || !judged)
		return false;
	decide_on(view, judged, ret_diagnosis);
	add_first_resolver(view, judged, ret_diagnosis);
	return true;
}

bool diagnosis_dns_decide_fallback(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	enum outcome outcome;

	if (view->target->name == EVIDENCE_NAME_LITERAL || !view->first || !view->answering ||
	    view->answering == view->first)
		return false;
	outcome = diagnosis_view_outcome(view, view->first);
	if (outcome == OUTCOME_NONE || outcome_is_local(outcome))
		return false;
	decide_on(view, view->first, ret_diagnosis);
	diagnosis_say_summary(ret_diagnosis, "%s answers only through the fallback resolver %s; the first, %s: %s.",
		view->host, diagnosis_say_address(&view->answering->server).text,
		diagnosis_say_address(&view->first->server).text, outcome_words(outcome));
	return true;
}
