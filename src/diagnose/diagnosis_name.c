/* SPDX-License-Identifier: Apache-2.0 */
/* A resolver said that the name does not exist (NXDOMAIN) or has no address (NOERROR without one).
 *
 * One witness is not enough to say that a name does not exist: a DNS firewall, a forwarding rule or a
 * shadowing private zone answers alike. Witnesses for a generated name are resolvers inside (all of them
 * one), a resolver outside (generated names are public), and the complete list of the service network. Of
 * a custom name the outside knows nothing: its zone may be private. */
#include "lattice-probe/diagnosis.h"

#include "diagnosis_internal.h"

/* Another resolver that stands for the VPC and has an address; else, behind a fallback, the one that
 * answered. A name that the VPC's own resolver denies is hidden, not asked of the wrong one. NULL: none. */
static const struct evidence_resolver *reference_for(const struct diagnosis_view *view,
	const struct evidence_resolver *resolver)
{
	if (view->vpc && view->vpc != resolver && view->vpc_outcome == OUTCOME_OK)
		return view->vpc;
	if (resolver->is_vpc && diagnosis_view_outcome(view, resolver) == OUTCOME_DNS_NXDOMAIN)
		return NULL;
	return view->answering != resolver ? view->answering : NULL;
}

/* What a filter of private addresses strips. A resource's address is public in form. */
static bool is_filtered_kind(const union address *address)
{
	enum address_class class_ = address_class_of(address, NULL, NULL);

	return class_ != ADDRESS_CLASS_PUBLIC && class_ != ADDRESS_CLASS_RESOURCE;
}

static bool all_configured_say(const struct diagnosis_view *view, enum outcome outcome)
{
	for (size_t i = 0; i < diagnosis_view_count_resolvers(view); i++) {
		const struct evidence_resolver *resolver = &view->evidence->dns.resolvers[i];

		if (resolver->is_configured && diagnosis_view_outcome(view, resolver) != outcome)
			return false;
	}
	return true;
}

/* Of the VPC resolver's addresses none denies what another gives. */
static bool is_vpc_of_one_mind(const struct diagnosis_view *view)
{
	for (size_t i = 0; i < diagnosis_view_count_resolvers(view); i++) {
		const struct evidence_resolver *resolver = &view->evidence->dns.resolvers[i];
		enum outcome outcome = diagnosis_view_outcome(view, resolver);

		if (resolver->is_vpc && (outcome == OUTCOME_DNS_NXDOMAIN || outcome == OUTCOME_DNS_NODATA))
			return false;
	}
	return true;
}

/* ---- another resolver knows an address -------------------------------------------------------- */

static bool decide_by_reference(const struct diagnosis_view *view, const struct evidence_resolver *resolver,
	struct diagnosis *ret_diagnosis)
{
	const struct evidence_resolver *reference = reference_for(view, resolver);
	const union address *address = reference ? diagnosis_view_address(view, reference) : NULL;
	enum outcome outcome = diagnosis_view_outcome(view, resolver);
	enum address_class class_;
	bool is_sure;
	bool is_filter;

	if (!address)
		return false;
	class_ = diagnosis_view_class(view, address);
	is_sure = reference->is_vpc && is_vpc_of_one_mind(view) && diagnosis_view_is_expected(class_) &&
		all_configured_say(view, outcome);
	is_filter = outcome == OUTCOME_DNS_NODATA && is_filtered_kind(address);
	diagnosis_say_verdict(ret_diagnosis, is_filter ? DIAGNOSIS_DNS_REBIND_FILTERED : DIAGNOSIS_DNS_WRONG_RESOLVER,
		is_sure ? DIAGNOSIS_CERTAIN : DIAGNOSIS_LIKELY);
	diagnosis_say_summary(ret_diagnosis, is_filter ?
		"The resolver %s strips the address of %s from its answer; %s gives %s." :
		"The resolver %s does not know %s; %s gives %s.",
		diagnosis_say_address(&resolver->server).text, view->host,
		diagnosis_say_address(&reference->server).text, diagnosis_say_address(address).text);
	diagnosis_say_why(ret_diagnosis, "%s: %s", diagnosis_say_address(&resolver->server).text,
		is_filter ? "NOERROR without an address" : outcome_words(outcome));
	diagnosis_say_why(ret_diagnosis, "%s%s: %s, %s", reference->is_vpc ? "the VPC resolver " : "",
		diagnosis_say_address(&reference->server).text, diagnosis_say_address(address).text,
		address_class_words(class_));
	return true;
}

/* ---- the probe's own setting ------------------------------------------------------------------ */

static bool decide_setting(const struct diagnosis_view *view, const struct evidence_resolver *resolver,
	struct diagnosis *ret_diagnosis)
{
	bool wants_v4 = view->target->ip == TARGET_IP_V4;
	const struct evidence_answer *other = &resolver->answers[wants_v4 ? EVIDENCE_AAAA : EVIDENCE_A];

	if (!wants_v4 && view->target->ip != TARGET_IP_V6)
		return false;
	if (!other->is_asked || other->outcome != OUTCOME_OK ||
	    diagnosis_view_outcome(view, resolver) != OUTCOME_DNS_NODATA)
		return false;
	/* The wanted family may also have been filtered away: the VPC resolver must lack it as well. */
	diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_DNS_NO_USABLE_FAMILY,
		view->vpc_outcome == OUTCOME_DNS_NODATA ? DIAGNOSIS_CERTAIN : DIAGNOSIS_LIKELY);
	diagnosis_say_summary(ret_diagnosis, "%s has only %s addresses, and this probe is set to ip = %s.", view->host,
		wants_v4 ? "IPv6" : "IPv4", wants_v4 ? "v4" : "v6");
	diagnosis_say_why(ret_diagnosis, "%s has %zu %s and no %s address",
		diagnosis_say_address(&resolver->server).text, other->address_count,
		wants_v4 ? "IPv6" : "IPv4", wants_v4 ? "IPv4" : "IPv6");
	return true;
}

/* ---- private zones, aliases --------------------------------------------------------------------- */

static bool has_generated(const struct diagnosis_view *view)
{
	const struct evidence_dns *dns = &view->evidence->dns;

	for (size_t i = 0; i < EVIDENCE_FAMILIES; i++)
		if (dns->generated_name[0] && dns->generated[i].is_asked && dns->generated[i].outcome == OUTCOME_OK)
			return true;
	return false;
}

static bool has_dns_attributes_off(const struct diagnosis_view *view)
{
	const struct evidence_control *control = &view->evidence->control;

	return diagnosis_view_has_control(view) &&
	       (control->dns_support == CLAIM_NO || control->dns_hostnames == CLAIM_NO);
}

static void say_dns_attributes(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	const struct evidence_control *control = &view->evidence->control;

	if (diagnosis_view_has_control(view) && control->dns_support == CLAIM_NO)
		diagnosis_say_why(ret_diagnosis, "the VPC's attribute enableDnsSupport is false; private zones need it");
	if (diagnosis_view_has_control(view) && control->dns_hostnames == CLAIM_NO)
		diagnosis_say_why(ret_diagnosis, "the VPC's attribute enableDnsHostnames is false; private zones need it");
}

static const struct evidence_answer *alias_of(const struct diagnosis_view *view,
	const struct evidence_resolver *resolver)
{
	for (size_t i = 0; i < EVIDENCE_FAMILIES; i++)
		if (diagnosis_view_wants(view, (enum evidence_family)i) && resolver->answers[i].is_asked &&
		    resolver->answers[i].cname_count > 0)
			return &resolver->answers[i];
	return NULL;
}

/* The generated name is only known when the control plane or an alias ties it to this custom name, so a
 * mistyped one never gets here. */
static bool decide_private_zone(const struct diagnosis_view *view, const struct evidence_resolver *resolver,
	struct diagnosis *ret_diagnosis)
{
	bool is_sure = has_generated(view);
	bool says_none = view->vpc_outcome == OUTCOME_DNS_NXDOMAIN || view->vpc_outcome == OUTCOME_DNS_NODATA;

	if (view->target->name != EVIDENCE_NAME_CUSTOM || !says_none)
		return false;
	if (!is_sure && !has_dns_attributes_off(view))
		return false;
	diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_DNS_NO_PRIVATE_ZONE,
		is_sure && view->vpc_outcome == OUTCOME_DNS_NXDOMAIN && !alias_of(view, resolver) ?
		DIAGNOSIS_CERTAIN : DIAGNOSIS_LIKELY);
	diagnosis_say_summary(ret_diagnosis, "The custom domain %s is not resolved in this VPC%s.", view->host,
		is_sure ? ", the service's generated name is" : ", whose DNS settings switch private zones off");
	diagnosis_say_why(ret_diagnosis, "the VPC resolver %s: %s", diagnosis_say_address(&view->vpc->server).text,
		outcome_words(view->vpc_outcome));
	if (is_sure)
		diagnosis_say_why(ret_diagnosis, "the generated name %s has an address",
			view->evidence->dns.generated_name);
	say_dns_attributes(view, ret_diagnosis);
	return true;
}

static bool outside_agrees(const struct diagnosis_view *view, const struct evidence_resolver *resolver)
{
	for (size_t i = 0; i < diagnosis_view_count_resolvers(view); i++) {
		const struct evidence_resolver *other = &view->evidence->dns.resolvers[i];

		if (other != resolver && other->is_outside && !resolver->is_outside && alias_of(view, other) &&
		    diagnosis_view_outcome(view, other) == OUTCOME_DNS_NXDOMAIN)
			return true;
	}
	return false;
}

static bool decide_dangling(const struct diagnosis_view *view, const struct evidence_resolver *resolver,
	struct diagnosis *ret_diagnosis)
{
	const struct evidence_answer *alias = alias_of(view, resolver);
	bool is_missing = diagnosis_view_outcome(view, resolver) == OUTCOME_DNS_NXDOMAIN;

	if (!alias)
		return false;
	diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_DNS_DANGLING_CNAME,
		is_missing && view->vpc_outcome == OUTCOME_DNS_NXDOMAIN && outside_agrees(view, resolver) ? DIAGNOSIS_CERTAIN : DIAGNOSIS_LIKELY);
	diagnosis_say_summary(ret_diagnosis, "%s is an alias of %s, which %s.", view->host,
		alias->cname[0] ? alias->cname : "another name",
		is_missing ? "does not exist" : "has no address");
	diagnosis_say_why(ret_diagnosis, "%s gives the alias and says of its end: %s",
		diagnosis_say_address(&resolver->server).text,
		outcome_words(diagnosis_view_outcome(view, resolver)));
	/* A filter of private addresses leaves the alias and strips the address behind it. */
	if (!is_missing && !view->is_vpc_heard) {
		diagnosis_say_candidate(ret_diagnosis, DIAGNOSIS_DNS_REBIND_FILTERED);
		diagnosis_say_candidate(ret_diagnosis, DIAGNOSIS_DNS_DANGLING_CNAME);
	}
	return true;
}

/* ---- NXDOMAIN ---------------------------------------------------------------------------------- */

struct witnesses {
	int against;         /* independent ones that say it does not exist */
	bool is_known;       /* somebody knows an address, or the network lists the service */
};

static bool network_lacks_it(const struct diagnosis_view *view)
{
	const struct evidence_control *control = &view->evidence->control;

	return diagnosis_view_has_control(view) && control->ends[CONTROL_SERVICE_ASSOCIATIONS] == CONTROL_OK &&
	       control->owns_vpc == CLAIM_YES && control->is_service_in_network == CLAIM_NO;
}

static struct witnesses hear_witnesses(const struct diagnosis_view *view)
{
	struct witnesses witnesses = { 0 };
	bool inside = false;
	bool outside = false;

	for (size_t i = 0; i < diagnosis_view_count_resolvers(view); i++) {
		const struct evidence_resolver *resolver = &view->evidence->dns.resolvers[i];
		enum outcome outcome = diagnosis_view_outcome(view, resolver);

		inside = inside || (outcome == OUTCOME_DNS_NXDOMAIN && !resolver->is_outside);
		outside = outside || (outcome == OUTCOME_DNS_NXDOMAIN && resolver->is_outside);
		witnesses.is_known = witnesses.is_known || outcome == OUTCOME_OK;
	}
	witnesses.against = inside + outside + network_lacks_it(view);
	if (diagnosis_view_has_control(view) && view->evidence->control.is_service_in_network == CLAIM_YES)
		witnesses.is_known = true;
	return witnesses;
}

static void say_witnesses(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	for (size_t i = 0; i < diagnosis_view_count_resolvers(view); i++) {
		const struct evidence_resolver *resolver = &view->evidence->dns.resolvers[i];
		enum outcome outcome = diagnosis_view_outcome(view, resolver);

		if (outcome != OUTCOME_NONE)
			diagnosis_say_why(ret_diagnosis, "%s%s: %s", resolver->is_vpc ? "the VPC resolver " :
				resolver->is_outside ? "the outside resolver " : "",
				diagnosis_say_address(&resolver->server).text,
				outcome == OUTCOME_OK ? "it has an address" : outcome_words(outcome));
	}
	if (network_lacks_it(view))
		diagnosis_say_why(ret_diagnosis, "the service network's list, read whole, has no service of this name");
}

static void add_name_candidates(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	bool is_custom = view->target->name == EVIDENCE_NAME_CUSTOM;

	if (is_custom)
		diagnosis_say_candidate(ret_diagnosis, DIAGNOSIS_DNS_NO_PRIVATE_ZONE);
	diagnosis_say_candidate(ret_diagnosis, DIAGNOSIS_DNS_NXDOMAIN);
	if (view->vpc_outcome != OUTCOME_DNS_NXDOMAIN && view->vpc_outcome != OUTCOME_DNS_NODATA)
		diagnosis_say_candidate(ret_diagnosis, DIAGNOSIS_DNS_WRONG_RESOLVER);
	if (is_custom && diagnosis_view_may_be_outside(view))
		diagnosis_say_candidate(ret_diagnosis, DIAGNOSIS_OUTSIDE_VPC);
}

static void decide_nxdomain(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	struct witnesses witnesses = hear_witnesses(view);
	bool is_custom = view->target->name == EVIDENCE_NAME_CUSTOM;

	diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_DNS_NXDOMAIN, DIAGNOSIS_LIKELY);
	say_witnesses(view, ret_diagnosis);
	if (witnesses.is_known) {
		diagnosis_say_summary(ret_diagnosis, "%s exists, but is hidden from here: a DNS firewall, a forwarding "
			"rule or a private zone in its place.", view->host);
		return;
	}
	diagnosis_say_summary(ret_diagnosis, "%s does not exist%s.", view->host,
		witnesses.against >= 2 ? "" : ", or is hidden from here: only one witness was heard");
	if (!is_custom && witnesses.against >= 2 && view->vpc_outcome == OUTCOME_DNS_NXDOMAIN) {
		/* A zone of this VPC may hold the name: its resolver must have said so. Beside that, what two
		 * witnesses that share nothing say is what RFC 2308 section 2.1 says it is. */
		diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_DNS_NXDOMAIN, DIAGNOSIS_CERTAIN);
		ret_diagnosis->basis = DIAGNOSIS_BASIS_DOCUMENTED;
	} else if (!is_custom || !network_lacks_it(view)) {
		add_name_candidates(view, ret_diagnosis);
	}
}

/* ---- NODATA ------------------------------------------------------------------------------------ */

static void decide_nodata(const struct diagnosis_view *view, const struct evidence_resolver *resolver,
	struct diagnosis *ret_diagnosis)
{
	bool is_whole = resolver->answers[EVIDENCE_A].is_asked && resolver->answers[EVIDENCE_AAAA].is_asked;
	bool has_second = false;

	for (size_t i = 0; i < diagnosis_view_count_resolvers(view); i++) {
		const struct evidence_resolver *other = &view->evidence->dns.resolvers[i];

		has_second = has_second || (other->is_outside != resolver->is_outside &&
			diagnosis_view_outcome(view, other) == OUTCOME_DNS_NODATA);
	}
	diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_DNS_NODATA,
		is_whole && has_second && view->vpc_outcome == OUTCOME_DNS_NODATA ? DIAGNOSIS_CERTAIN : DIAGNOSIS_LIKELY);
	diagnosis_say_summary(ret_diagnosis, "%s exists and has no address, says the resolver %s.", view->host,
		diagnosis_say_address(&resolver->server).text);
	say_witnesses(view, ret_diagnosis);
	if (!view->is_vpc_heard) {
		diagnosis_say_candidate(ret_diagnosis, DIAGNOSIS_DNS_REBIND_FILTERED);
		diagnosis_say_candidate(ret_diagnosis, DIAGNOSIS_DNS_NODATA);
		diagnosis_say_candidate(ret_diagnosis, DIAGNOSIS_DNS_WRONG_RESOLVER);
	} else if (view->vpc_outcome == OUTCOME_DNS_NXDOMAIN) {
		diagnosis_say_candidate(ret_diagnosis, DIAGNOSIS_DNS_NODATA);
		diagnosis_say_candidate(ret_diagnosis, DIAGNOSIS_DNS_NXDOMAIN);
	}
}

void diagnosis_name_decide(const struct diagnosis_view *view, const struct evidence_resolver *resolver,
	struct diagnosis *ret_diagnosis)
{
	if (decide_by_reference(view, resolver, ret_diagnosis) || decide_setting(view, resolver, ret_diagnosis))
		return;
	if (decide_private_zone(view, resolver, ret_diagnosis) || decide_dangling(view, resolver, ret_diagnosis))
		return;
	if (diagnosis_view_outcome(view, resolver) == OUTCOME_DNS_NXDOMAIN)
		decide_nxdomain(view, ret_diagnosis);
	else
		decide_nodata(view, resolver, ret_diagnosis);
}
