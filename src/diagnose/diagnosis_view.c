/* SPDX-License-Identifier: Apache-2.0 */
#include "lattice-probe/diagnosis.h"

#include <errno.h>
#include <string.h>

#include "diagnosis_internal.h"

/* ---- resolvers ------------------------------------------------------------------------------ */

size_t diagnosis_view_count_resolvers(const struct diagnosis_view *view)
{
	size_t count = view->evidence->dns.resolver_count;

	return count < EVIDENCE_RESOLVERS_MAX ? count : EVIDENCE_RESOLVERS_MAX;
}

enum outcome diagnosis_view_outcome(const struct diagnosis_view *view, const struct evidence_resolver *resolver)
{
	return evidence_resolver_outcome(resolver, view->target->ip);
}

static bool is_reply(enum outcome outcome)
{
	return outcome == OUTCOME_OK || outcome == OUTCOME_DNS_NXDOMAIN || outcome == OUTCOME_DNS_NODATA ||
	       outcome == OUTCOME_DNS_SERVFAIL || outcome == OUTCOME_DNS_REFUSED ||
	       outcome == OUTCOME_DNS_BAD_REPLY;
}

bool diagnosis_view_is_heard(const struct evidence_resolver *resolver)
{
	for (size_t i = 0; i < EVIDENCE_FAMILIES; i++)
		if (resolver->answers[i].is_asked && is_reply(resolver->answers[i].outcome))
			return true;
	return resolver->answered > 0;
}

static bool is_vpc_heard(const struct diagnosis_view *view)
{
	for (size_t i = 0; i < diagnosis_view_count_resolvers(view); i++)
		if (view->evidence->dns.resolvers[i].is_vpc &&
		    diagnosis_view_is_heard(&view->evidence->dns.resolvers[i]))
			return true;
	return false;
}

bool diagnosis_view_wants(const struct diagnosis_view *view, enum evidence_family family)
{
	if (family == EVIDENCE_A)
		return view->target->ip != TARGET_IP_V6;
	return view->target->ip != TARGET_IP_V4;
}

const union address *diagnosis_view_address(const struct diagnosis_view *view,
	const struct evidence_resolver *resolver)
{
	for (size_t i = 0; i < EVIDENCE_FAMILIES; i++) {
		const struct evidence_answer *answer = &resolver->answers[i];

		if (diagnosis_view_wants(view, (enum evidence_family)i) && answer->is_asked && answer->outcome == OUTCOME_OK &&
		    answer->address_count > 0)
			return &answer->addresses[0];
	}
	return NULL;
}

/* ---- addresses ------------------------------------------------------------------------------ */

enum address_class diagnosis_view_class(const struct diagnosis_view *view, const union address *address)
{
	return address_class_of(address, &view->evidence->control.lattice_networks,
		&view->evidence->where.vpc_networks);
}

bool diagnosis_view_is_association(enum address_class class_)
{
	return class_ == ADDRESS_CLASS_LATTICE || class_ == ADDRESS_CLASS_RESOURCE;
}

bool diagnosis_view_is_expected(enum address_class class_)
{
	return diagnosis_view_is_association(class_) || class_ == ADDRESS_CLASS_VPC;
}

static bool is_same_host(const union address *a, const union address *b)
{
	union address with_port = *a;

	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	address_set_port(&with_port, address_port(b));
	return address_is_equal(&with_port, b);
}

static bool answer_agrees(const struct diagnosis_view *view, const struct evidence_answer *answer,
	const struct evidence_path *path)
{
	if (!answer->is_asked || answer->outcome != OUTCOME_OK)
		return false;
	for (size_t i = 0; i < answer->address_count && i < EVIDENCE_ADDRESSES_MAX; i++)
		if (is_same_host(&answer->addresses[i], &path->address) ||
		    (diagnosis_view_is_expected(path->class_) &&
		     diagnosis_view_class(view, &answer->addresses[i]) == path->class_))
			return true;
	return false;
}

bool diagnosis_view_vpc_agrees(const struct diagnosis_view *view, const struct evidence_path *path)
{
	for (size_t i = 0; i < diagnosis_view_count_resolvers(view); i++) {
		const struct evidence_resolver *resolver = &view->evidence->dns.resolvers[i];

		if (resolver->is_vpc && (answer_agrees(view, &resolver->answers[EVIDENCE_A], path) ||
		    answer_agrees(view, &resolver->answers[EVIDENCE_AAAA], path)))
			return true;
	}
	return false;
}

/* ---- paths ---------------------------------------------------------------------------------- */

size_t diagnosis_view_count_paths(const struct diagnosis_view *view)
{
	return evidence_count_paths(view->evidence);
}

bool diagnosis_view_passed(const struct evidence_exchange *exchange, enum http_stage stage)
{
	return exchange && exchange->is_asked && exchange->outcome != OUTCOME_NONE &&
	       !outcome_is_local(exchange->outcome) && exchange->stage > stage;
}

const struct evidence_exchange *diagnosis_view_exchange(const struct diagnosis_view *view,
	enum evidence_exchange_kind kind)
{
	if (!view->path || !view->path->exchanges[kind].is_asked)
		return NULL;
	return &view->path->exchanges[kind];
}

bool diagnosis_view_ended(const struct diagnosis_view *view, enum outcome outcome)
{
	return view->main && view->main->outcome == outcome;
}

bool diagnosis_view_is_unconnected(const struct diagnosis_view *view)
{
	return diagnosis_view_ended(view, OUTCOME_CONNECT_TIMEOUT) ||
	       diagnosis_view_ended(view, OUTCOME_CONNECT_UNREACHABLE);
}

const struct evidence_path *diagnosis_view_other_path(const struct diagnosis_view *view)
{
	for (size_t i = 0; i < diagnosis_view_count_paths(view); i++) {
		const struct evidence_path *path = &view->evidence->paths[i];

		if (path != view->path && view->path && path->class_ == view->path->class_ &&
		    diagnosis_view_passed(&path->exchanges[EXCHANGE_MAIN], HTTP_STAGE_CONNECT))
			return path;
	}
	return NULL;
}

bool diagnosis_view_knows_route(const struct evidence_path *path)
{
	return path && (path->route.kind != ROUTE_NONE || path->route.error != 0);
}

bool diagnosis_view_has_default(const struct diagnosis_view *view, bool is_v6)
{
	return is_v6 ? view->evidence->where.has_ipv6_default : view->evidence->where.has_ipv4_default;
}

/* Where IPv6 is switched off, connect() complains of the missing source address instead; and some keep an
 * unreachable default route where there is no IPv6. */
bool diagnosis_view_is_routeless(const struct diagnosis_view *view)
{
	const struct route *route = &view->path->route;
	bool is_v6 = view->path->address.sa.sa_family == AF_INET6;

	if (route->error == 0 || (route->kind != ROUTE_NONE && !(is_v6 && route->kind == ROUTE_UNREACHABLE &&
			view->evidence->where.is_asked && !diagnosis_view_has_default(view, true))))
		return false;
	return !view->main || view->main->outcome == OUTCOME_CONNECT_UNREACHABLE ||
	       (view->main->outcome == OUTCOME_LOCAL_FAULT && view->main->os_errno == EADDRNOTAVAIL);
}

bool diagnosis_view_is_zeroconf(const struct route *route)
{
	static const unsigned char link_local[2] = { 169, 254 };

	return route->kind == ROUTE_UNICAST && route->is_link_scope && route->prefix_length == 16 &&
	       route->prefix.sa.sa_family == AF_INET &&
	       memcmp(&route->prefix.v4.sin_addr, link_local, sizeof link_local) == 0;
}

/* ---- where ---------------------------------------------------------------------------------- */

bool diagnosis_view_may_be_outside(const struct diagnosis_view *view)
{
	const struct evidence_where *where = &view->evidence->where;

	return where->platform != HOST_PLATFORM_EC2 && where->imds != EVIDENCE_IMDS_OK && !view->is_vpc_heard &&
	       !diagnosis_view_passed(view->main, HTTP_STAGE_CONNECT);
}

bool diagnosis_view_has_control(const struct diagnosis_view *view)
{
	return view->evidence->control.is_asked && view->evidence->where.imds == EVIDENCE_IMDS_OK;
}

bool diagnosis_view_skew(const struct diagnosis_view *view, int64_t *ret_skew_us)
{
	const struct evidence_publishing *publishing = &view->evidence->publishing;

	if (publishing->is_call_made && publishing->status > 0) {
		*ret_skew_us = publishing->skew_us;
		return true;
	}
	if (!view->main || !view->main->has_date)
		return false;
	*ret_skew_us = view->main->skew_us;
	return true;
}

void diagnosis_view_init(struct diagnosis_view *view, const struct evidence *evidence)
{
	*view = (struct diagnosis_view){ .evidence = evidence, .target = &evidence->target,
		.host = evidence->target.host[0] ? evidence->target.host : "the service",
		.path = evidence_preferred_path(evidence), .first = evidence_first_resolver(evidence),
		.answering = evidence_answering_resolver(evidence), .vpc = evidence_vpc_resolver(evidence) };
	view->main = diagnosis_view_exchange(view, EXCHANGE_MAIN);
	if (view->vpc)
		view->vpc_outcome = diagnosis_view_outcome(view, view->vpc);
	view->is_vpc_heard = is_vpc_heard(view);
}
