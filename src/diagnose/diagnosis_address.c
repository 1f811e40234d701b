/* SPDX-License-Identifier: Apache-2.0 */
/* DNS gave an address, and the connection to it fails: is it the wrong address? Never when the VPC
 * resolver gives one of the same kind; and what a filter of this host refused says nothing of DNS. */
#include "lattice-probe/diagnosis.h"

#include "diagnosis_internal.h"

static bool decide_denied(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	bool is_shown = view->path->class_ == ADDRESS_CLASS_CREDENTIALS;

	if (!is_shown && !diagnosis_view_ended(view, OUTCOME_LOCAL_DENIED))
		return false;
	diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_DNS_DENIED_ADDRESS, is_shown ? DIAGNOSIS_CERTAIN : DIAGNOSIS_LIKELY);
	if (is_shown)
		diagnosis_say_summary(ret_diagnosis, "%s leads to %s, a metadata or credential endpoint, which is never "
			"probed.", view->host, diagnosis_say_address(&view->path->address).text);
	else
		diagnosis_say_summary(ret_diagnosis, "%s, or a redirect of it, leads to a metadata or credential endpoint, "
			"which is never probed.", view->host);
	diagnosis_say_why(ret_diagnosis, "the address is among those that are never probed");
	return true;
}

/* ---- families --------------------------------------------------------------------------------- */

static bool all_paths_are(const struct diagnosis_view *view, sa_family_t family)
{
	for (size_t i = 0; i < diagnosis_view_count_paths(view); i++)
		if (view->evidence->paths[i].address.sa.sa_family != family)
			return false;
	return true;
}

/* The other family was asked for and is not there, or the setting forbids it. */
static bool lacks_other_family(const struct diagnosis_view *view, bool is_v6)
{
	const struct evidence_answer *other;

	if (view->target->ip == (is_v6 ? TARGET_IP_V6 : TARGET_IP_V4))
		return true;
	if (!view->answering)
		return false;
	other = &view->answering->answers[is_v6 ? EVIDENCE_A : EVIDENCE_AAAA];
	return other->is_asked && other->outcome == OUTCOME_DNS_NODATA;
}

static bool decide_family(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	const struct evidence_path *path = view->path;
	bool is_v6 = path->address.sa.sa_family == AF_INET6;
	bool is_set = view->target->ip == (is_v6 ? TARGET_IP_V6 : TARGET_IP_V4);

	if (!view->evidence->where.is_asked || !diagnosis_view_is_routeless(view))
		return false;
	if (diagnosis_view_has_default(view, is_v6) || !diagnosis_view_has_default(view, !is_v6) ||
	    !all_paths_are(view, path->address.sa.sa_family))
		return false;
	diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_DNS_NO_USABLE_FAMILY,
		view->main && lacks_other_family(view, is_v6) ? DIAGNOSIS_CERTAIN : DIAGNOSIS_LIKELY);
	diagnosis_say_summary(ret_diagnosis, "%s is reached over %s here%s, and this host has no %s route.", view->host,
		is_v6 ? "IPv6" : "IPv4", is_set ? " by the probe's setting" : " only", is_v6 ? "IPv6" : "IPv4");
	diagnosis_say_why(ret_diagnosis, "the kernel has no route to %s and no %s default route",
		diagnosis_say_address(&path->address).text, is_v6 ? "IPv6" : "IPv4");
	if (is_set)
		diagnosis_say_why(ret_diagnosis, "the probe is set to ip = %s", is_v6 ? "v6" : "v4");
	else
		diagnosis_say_why(ret_diagnosis, "no %s address was given", is_v6 ? "IPv4" : "IPv6");
	return true;
}

/* ---- the VPC resolver gives another ------------------------------------------------------------ */

/* The way by the VPC resolver's address was tried as well, and answered. */
static bool is_proven_elsewhere(const struct diagnosis_view *view)
{
	for (size_t i = 0; i < diagnosis_view_count_paths(view); i++) {
		const struct evidence_path *path = &view->evidence->paths[i];
		const struct evidence_exchange *exchange = &path->exchanges[EXCHANGE_MAIN];

		if (path != view->path && exchange->is_asked && exchange->outcome == OUTCOME_OK &&
		    diagnosis_view_vpc_agrees(view, path))
			return true;
	}
	return false;
}

/* Names of endpoints and of resources lead to private addresses of whatever VPC they are in. */
static bool may_be_endpoint_elsewhere(const struct diagnosis_view *view)
{
	return view->path->class_ == ADDRESS_CLASS_PRIVATE &&
	       (view->target->name == EVIDENCE_NAME_ENDPOINT || view->target->name == EVIDENCE_NAME_RESOURCE);
}

/* The service may rightly have this address too, and something else keeps it silent. */
static bool may_be_right(const struct diagnosis_view *view)
{
	return diagnosis_view_is_expected(view->path->class_) || may_be_endpoint_elsewhere(view);
}

static bool decide_wrong_resolver(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	const union address *other = view->vpc && view->vpc != view->answering ?
		diagnosis_view_address(view, view->vpc) : NULL;
	enum address_class class_ = other ? diagnosis_view_class(view, other) : ADDRESS_CLASS_NONE;

	if (!other || !diagnosis_view_is_expected(class_) || diagnosis_view_vpc_agrees(view, view->path))
		return false;
	if (!diagnosis_view_is_unconnected(view) && !diagnosis_view_ended(view, OUTCOME_CONNECT_REFUSED))
		return false;
	diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_DNS_WRONG_RESOLVER,
		!may_be_right(view) && view->path->route.kind == ROUTE_UNICAST && is_proven_elsewhere(view) ?
		DIAGNOSIS_CERTAIN : DIAGNOSIS_LIKELY);
	diagnosis_say_summary(ret_diagnosis, "The configured resolver leads %s to %s, which does not connect; the VPC "
		"resolver gives %s.", view->host, diagnosis_say_address(&view->path->address).text,
		diagnosis_say_address(other).text);
	diagnosis_say_why(ret_diagnosis, "%s is %s: %s", diagnosis_say_address(&view->path->address).text,
		address_class_words(view->path->class_), outcome_words(view->main->outcome));
	diagnosis_say_why(ret_diagnosis, "the VPC resolver %s gives %s, %s",
		diagnosis_say_address(&view->vpc->server).text, diagnosis_say_address(other).text,
		address_class_words(class_));
	return true;
}

static const struct evidence_answer *generated_answer(const struct diagnosis_view *view)
{
	const struct evidence_dns *dns = &view->evidence->dns;

	for (size_t i = 0; i < EVIDENCE_FAMILIES; i++)
		if (dns->generated_name[0] && dns->generated[i].is_asked &&
		    dns->generated[i].outcome == OUTCOME_OK && dns->generated[i].address_count > 0)
			return &dns->generated[i];
	return NULL;
}

/* A public zone answers for the custom domain in this VPC, where a private one should. */
static bool decide_private_zone(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	const struct evidence_answer *generated = generated_answer(view);

	if (view->target->name != EVIDENCE_NAME_CUSTOM || view->path->class_ != ADDRESS_CLASS_PUBLIC ||
	    !diagnosis_view_is_unconnected(view) || !generated ||
	    !diagnosis_view_is_expected(diagnosis_view_class(view, &generated->addresses[0])))
		return false;
	diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_DNS_NO_PRIVATE_ZONE, DIAGNOSIS_LIKELY);
	diagnosis_say_summary(ret_diagnosis, "The custom domain %s leads to the public address %s here, which does not "
		"connect; the service's generated name leads to %s.", view->host,
		diagnosis_say_address(&view->path->address).text,
		diagnosis_say_address(&generated->addresses[0]).text);
	diagnosis_say_why(ret_diagnosis, "the generated name %s has the address %s",
		view->evidence->dns.generated_name, diagnosis_say_address(&generated->addresses[0]).text);
	diagnosis_say_why(ret_diagnosis, "%s: %s", diagnosis_say_address(&view->path->address).text,
		outcome_words(view->main->outcome));
	return true;
}

/* ---- neither Lattice's nor the VPC's ------------------------------------------------------------ */

static void add_candidates(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	enum address_class class_ = view->path->class_;
	bool is_custom = view->target->name == EVIDENCE_NAME_CUSTOM;

	if (class_ == ADDRESS_CLASS_LOOPBACK || (class_ == ADDRESS_CLASS_PUBLIC && !is_custom))
		return;
	if (class_ == ADDRESS_CLASS_PUBLIC)
		diagnosis_say_candidate(ret_diagnosis, DIAGNOSIS_DNS_NO_PRIVATE_ZONE);
	diagnosis_say_candidate(ret_diagnosis, DIAGNOSIS_DNS_UNEXPECTED_ADDRESS);
	diagnosis_say_candidate(ret_diagnosis, DIAGNOSIS_PATH_SILENT);
	if (class_ == ADDRESS_CLASS_PRIVATE)
		diagnosis_say_why(ret_diagnosis, "a private address elsewhere may be an endpoint in another VPC, reached "
			"over a transit gateway or a peering; then its security group and the routes there decide");
	if (class_ == ADDRESS_CLASS_LINK_LOCAL)
		diagnosis_say_why(ret_diagnosis, "AWS promises the managed prefix list, not the range known here");
}

static bool decide_unexpected(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	const struct evidence_path *path = view->path;
	bool is_sinkhole = path->class_ == ADDRESS_CLASS_LOOPBACK;

	if (diagnosis_view_is_expected(path->class_) || path->class_ == ADDRESS_CLASS_NONE ||
	    may_be_endpoint_elsewhere(view))
		return false;
	if (!is_sinkhole && (!diagnosis_view_is_unconnected(view) ||
	    (diagnosis_view_knows_route(path) && path->route.kind != ROUTE_UNICAST)))
		return false;
	if (is_sinkhole && !diagnosis_view_is_unconnected(view) && !diagnosis_view_ended(view, OUTCOME_CONNECT_REFUSED))
		return false;
	diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_DNS_UNEXPECTED_ADDRESS, DIAGNOSIS_LIKELY);
	diagnosis_say_summary(ret_diagnosis, "%s leads to %s, %s, and it does not answer.", view->host,
		diagnosis_say_address(&path->address).text, address_class_words(path->class_));
	diagnosis_say_why(ret_diagnosis, "%s: %s", diagnosis_say_address(&path->address).text,
		outcome_words(view->main->outcome));
	if (path->is_nat64)
		diagnosis_say_why(ret_diagnosis, "the address holds an IPv4 address (NAT64), which was looked at");
	add_candidates(view, ret_diagnosis);
	return true;
}

bool diagnosis_address_decide(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	if (!view->path)
		return false;
	if (decide_denied(view, ret_diagnosis))
		return true;
	if (view->target->name == EVIDENCE_NAME_LITERAL)
		return false;
	return decide_family(view, ret_diagnosis) || decide_wrong_resolver(view, ret_diagnosis) ||
	       decide_private_zone(view, ret_diagnosis) || decide_unexpected(view, ret_diagnosis);
}
