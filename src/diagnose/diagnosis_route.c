/* SPDX-License-Identifier: Apache-2.0 */
/* The connection fails, and this host's own place or tables may be why. Certain only where the machine's
 * firmware, or the kernel's refusal, says so; a route that looks odd and carries packets is a note. */
#include "lattice-probe/diagnosis.h"

#include <errno.h>

#include "diagnosis_internal.h"

/* Nobody on the link said that he is the address: shorter than three ARP requests, a second apart
 * (RFC 1122 section 2.3.2.1 and Linux's retrans_time_ms), it may still come. */
#define ARP_TIME_US (1 * US_PER_S)

static const char *address_text(const struct diagnosis_view *view, struct diagnosis_text *ret_text)
{
	*ret_text = diagnosis_say_address(&view->path->address);
	return ret_text->text;
}

/* ---- outside ---------------------------------------------------------------------------------- */

/* The kernel was asked, and answered. */
static bool is_route_known(const struct evidence_path *path)
{
	return path->route.kind != ROUTE_NONE || path->route.error != 0;
}

static bool is_outside_sure(const struct diagnosis_view *view)
{
	const struct evidence_where *where = &view->evidence->where;

	/* A guest on EC2's metal has another maker's firmware, and hears the VPC resolver. Without a route nobody
	 * can be heard, and where nobody has looked there may be none. */
	return is_route_known(view->path) && !diagnosis_view_is_routeless(view) && where->platform == HOST_PLATFORM_OTHER &&
	       view->vpc_outcome != OUTCOME_NONE && (where->imds == EVIDENCE_IMDS_SILENT ||
		where->imds == EVIDENCE_IMDS_OFF || where->imds == EVIDENCE_IMDS_ODD);
}

static bool is_outside_likely(const struct diagnosis_view *view)
{
	const struct evidence_where *where = &view->evidence->where;

	if (where->platform == HOST_PLATFORM_OTHER)
		return true;
	return !diagnosis_view_is_routeless(view) && (where->imds == EVIDENCE_IMDS_SILENT || where->imds == EVIDENCE_IMDS_ODD) &&
	       view->vpc_outcome != OUTCOME_NONE; /* asked; that it was not heard is known by now */
}

static void say_outside(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	const struct evidence_where *where = &view->evidence->where;

	if (where->platform == HOST_PLATFORM_OTHER)
		diagnosis_say_why(ret_diagnosis, "the firmware names another maker than Amazon EC2%s%s",
			where->identity.vendor[0] ? ": " : "", where->identity.vendor);
	if (where->imds == EVIDENCE_IMDS_SILENT)
		diagnosis_say_why(ret_diagnosis, "the instance metadata service does not answer");
	if (where->imds == EVIDENCE_IMDS_ODD)
		diagnosis_say_why(ret_diagnosis, "what answers at 169.254.169.254 is not EC2's metadata service");
	if (view->vpc_outcome != OUTCOME_NONE)
		diagnosis_say_why(ret_diagnosis, "the VPC resolver does not answer");
	diagnosis_say_why(ret_diagnosis, "%s: %s", diagnosis_say_address(&view->path->address).text,
		outcome_words(view->main->outcome));
}

static bool decide_outside(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	struct diagnosis_text address;

	if (!diagnosis_view_is_association(view->path->class_) || !diagnosis_view_is_unconnected(view))
		return false;
	if (!diagnosis_view_may_be_outside(view) || !is_outside_likely(view) || diagnosis_view_other_path(view))
		return false;
	diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_OUTSIDE_VPC,
		is_outside_sure(view) ? DIAGNOSIS_CERTAIN : DIAGNOSIS_LIKELY);
	diagnosis_say_summary(ret_diagnosis, "This host is not in an associated VPC, and %s of %s only works inside one; "
		"whether a subnet is public or private plays no part.", address_text(view, &address), view->host);
	say_outside(view, ret_diagnosis);
	return true;
}

/* Where Lattice's addresses may not work at all, what is wrong with the route is not the first thing. */
static bool is_place_right(const struct diagnosis_view *view)
{
	return !diagnosis_view_is_association(view->path->class_) || (!diagnosis_view_may_be_outside(view) &&
		(view->evidence->where.platform != HOST_PLATFORM_OTHER || view->evidence->where.imds == EVIDENCE_IMDS_OK));
}

/* ---- no route --------------------------------------------------------------------------------- */

/* A default route is there, and the kernel finds none: a rule ("unreachable") or a table says so. */
static bool decide_hidden(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	bool is_v6 = view->path->address.sa.sa_family == AF_INET6;
	struct diagnosis_text address;

	if (!view->evidence->where.is_asked || !diagnosis_view_has_default(view, is_v6))
		return false;
	diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_ROUTE_DIVERTED, DIAGNOSIS_LIKELY);
	diagnosis_say_summary(ret_diagnosis, "A rule of this host keeps %s, the address of %s, from its default route.",
		address_text(view, &address), view->host);
	diagnosis_say_why(ret_diagnosis, "the kernel finds no route (errno %d), although it has a default route",
		view->path->route.error);
	return true;
}

static bool decide_missing(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	const struct route *route = &view->path->route;
	struct diagnosis_text address;

	if (!diagnosis_view_is_routeless(view))
		return false;
	if (decide_hidden(view, ret_diagnosis))
		return true;
	diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_ROUTE_MISSING,
		view->main && view->evidence->where.is_asked && is_place_right(view) ?
		DIAGNOSIS_CERTAIN : DIAGNOSIS_LIKELY);
	diagnosis_say_summary(ret_diagnosis, "This host has no route to %s, the address of %s.",
		address_text(view, &address), view->host);
	diagnosis_say_why(ret_diagnosis, "the kernel's route lookup fails with errno %d%s", route->error,
		route->error == ENETUNREACH ? " (network is unreachable)" : "");
	return true;
}

/* ---- zeroconf ---------------------------------------------------------------------------------- */

static bool is_unheard_on_link(const struct diagnosis_view *view, bool *ret_is_sure)
{
	enum route_neighbour neighbour = view->path->neighbour_after;

	*ret_is_sure = neighbour == ROUTE_NEIGHBOUR_FAILED ||
		(neighbour == ROUTE_NEIGHBOUR_INCOMPLETE && view->main->total_us >= ARP_TIME_US);
	return neighbour == ROUTE_NEIGHBOUR_FAILED || neighbour == ROUTE_NEIGHBOUR_INCOMPLETE ||
	       (neighbour == ROUTE_NEIGHBOUR_NONE && view->main->os_errno == EHOSTUNREACH);
}

static bool decide_zeroconf(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	const struct route *route = &view->path->route;
	struct diagnosis_text address;
	bool is_sure;

	if (view->path->class_ != ADDRESS_CLASS_LATTICE || !diagnosis_view_is_zeroconf(route) ||
	    !diagnosis_view_is_unconnected(view) || !is_unheard_on_link(view, &is_sure))
		return false;
	diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_ROUTE_ZEROCONF,
		is_sure && is_place_right(view) ? DIAGNOSIS_CERTAIN : DIAGNOSIS_LIKELY);
	diagnosis_say_summary(ret_diagnosis, "The local route 169.254.0.0/16 dev %s keeps %s on the link, where nobody "
		"answers for %s.", route->device, view->host, address_text(view, &address));
	diagnosis_say_why(ret_diagnosis, "the kernel chooses 169.254.0.0/16 dev %s scope link instead of the gateway",
		route->device);
	diagnosis_say_why(ret_diagnosis, "the neighbour %s is %s after the attempt", address_text(view, &address),
		route_neighbour_name(view->path->neighbour_after));
	return true;
}

/* ---- diverted ---------------------------------------------------------------------------------- */

static bool is_refusing(enum route_kind kind)
{
	return kind == ROUTE_BLACKHOLE || kind == ROUTE_UNREACHABLE || kind == ROUTE_PROHIBIT;
}

/* The outcome that connect() has under such a route: EINVAL, EACCES; EHOSTUNREACH. */
static bool is_refusal_seen(const struct diagnosis_view *view)
{
	/* Without IPv6 an unreachable default route may be all there is: nothing is diverted then. */
	if (view->path->route.kind == ROUTE_UNREACHABLE && !(view->evidence->where.is_asked &&
	    diagnosis_view_has_default(view, view->path->address.sa.sa_family == AF_INET6)))
		return false;
	return view->main && view->main->outcome == (view->path->route.kind == ROUTE_UNREACHABLE ?
		OUTCOME_CONNECT_UNREACHABLE : OUTCOME_CONNECT_DENIED);
}

static bool decide_refused_by_route(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	const struct route *route = &view->path->route;
	struct diagnosis_text address;

	if (!is_refusing(route->kind))
		return false;
	if (view->main && !diagnosis_view_is_unconnected(view) && !diagnosis_view_ended(view, OUTCOME_CONNECT_DENIED))
		return false;
	diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_ROUTE_DIVERTED,
		is_refusal_seen(view) && is_place_right(view) ? DIAGNOSIS_CERTAIN : DIAGNOSIS_LIKELY);
	diagnosis_say_summary(ret_diagnosis, "A route or rule of this host (%s) stops what is sent to %s, the address of %s.",
		route_kind_name(route->kind), address_text(view, &address), view->host);
	diagnosis_say_why(ret_diagnosis, "the kernel's route to %s is of kind %s (errno %d)", address_text(view, &address),
		route_kind_name(route->kind), route->error);
	return true;
}

static bool is_led_elsewhere(const struct diagnosis_view *view)
{
	const struct evidence_path *path = view->path;

	if (path->route.kind == ROUTE_LOCAL)
		return path->class_ != ADDRESS_CLASS_LOOPBACK;
	return path->route.kind == ROUTE_UNICAST && path->has_other_device &&
	       !diagnosis_view_is_zeroconf(&path->route);
}

static bool decide_led_elsewhere(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	const struct route *route = &view->path->route;
	struct diagnosis_text address;
	bool is_refused_here = diagnosis_view_ended(view, OUTCOME_CONNECT_REFUSED) && route->kind == ROUTE_LOCAL;

	if (!is_led_elsewhere(view) || !(diagnosis_view_is_unconnected(view) || is_refused_here))
		return false;
	diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_ROUTE_DIVERTED, DIAGNOSIS_LIKELY);
	if (route->kind == ROUTE_LOCAL)
		diagnosis_say_summary(ret_diagnosis, "%s, the address of %s, is an address of this host itself.",
			address_text(view, &address), view->host);
	else
		diagnosis_say_summary(ret_diagnosis, "A route or rule of this host sends %s, the address of %s, to %s, which "
			"is not the device of the default route.", address_text(view, &address), view->host,
			route->device[0] ? route->device : "another device");
	/* An endpoint may rightly be behind another interface of the instance, and silent for its own reasons. */
	if (view->path->class_ == ADDRESS_CLASS_VPC && route->kind == ROUTE_UNICAST) {
		diagnosis_say_candidate(ret_diagnosis, DIAGNOSIS_ROUTE_DIVERTED);
		diagnosis_say_candidate(ret_diagnosis, DIAGNOSIS_PATH_SILENT);
	}
	diagnosis_say_why(ret_diagnosis, "the kernel chooses device %s, table %u, prefix length %d",
		route->device[0] ? route->device : "(none)", (unsigned)route->table, route->prefix_length);
	diagnosis_say_why(ret_diagnosis, "%s: %s", address_text(view, &address), outcome_words(view->main->outcome));
	return true;
}

/* ---- the host's own filter ---------------------------------------------------------------------- */

static void say_denied(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	struct diagnosis_text address;

	diagnosis_say_summary(ret_diagnosis, "This host itself refuses the connection to %s, the address of %s.",
		address_text(view, &address), view->host);
	diagnosis_say_why(ret_diagnosis, "connect() failed with errno %d on this host", view->main->os_errno);
}

static bool decide_denied(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	bool is_routed = view->path->route.kind == ROUTE_UNICAST || view->path->route.kind == ROUTE_LOCAL;

	if (!diagnosis_view_ended(view, OUTCOME_CONNECT_DENIED))
		return false;
	diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_LOCAL_FIREWALL,
		is_routed && view->main->os_errno == EPERM ? DIAGNOSIS_CERTAIN : DIAGNOSIS_LIKELY);
	say_denied(view, ret_diagnosis);
	/* EINVAL is a blackhole route's errno; without a route to look at, either may be. */
	if (!is_routed || view->main->os_errno == EINVAL) {
		diagnosis_say_candidate(ret_diagnosis, DIAGNOSIS_LOCAL_FIREWALL);
		diagnosis_say_candidate(ret_diagnosis, DIAGNOSIS_ROUTE_DIVERTED);
	}
	return true;
}

static bool decide_dropped(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	struct diagnosis_text address;

	if (!diagnosis_view_ended(view, OUTCOME_CONNECT_TIMEOUT) || view->main->local_drops == 0)
		return false;
	diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_LOCAL_FIREWALL, DIAGNOSIS_LIKELY);
	diagnosis_say_summary(ret_diagnosis, "This host's own firewall drops what is sent to %s, the address of %s.",
		address_text(view, &address), view->host);
	diagnosis_say_why(ret_diagnosis, "the kernel counted %llu retransmissions it could not send (TCPRetransFail)",
		(unsigned long long)view->main->local_drops);
	diagnosis_say_why(ret_diagnosis, "%s: %s", address_text(view, &address), outcome_words(view->main->outcome));
	return true;
}

/* "Unreachable" by somebody, on a route that looks right: a router on the way, or a reject rule here. */
static bool decide_unreachable(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	struct diagnosis_text address;

	if (!diagnosis_view_ended(view, OUTCOME_CONNECT_UNREACHABLE))
		return false;
	diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_UNDETERMINED, DIAGNOSIS_CANDIDATES);
	diagnosis_say_candidate(ret_diagnosis, DIAGNOSIS_LOCAL_FIREWALL);
	diagnosis_say_candidate(ret_diagnosis, DIAGNOSIS_ROUTE_DIVERTED);
	if (diagnosis_view_may_be_outside(view))
		diagnosis_say_candidate(ret_diagnosis, DIAGNOSIS_OUTSIDE_VPC);
	if (diagnosis_view_is_association(view->path->class_) && !(diagnosis_view_has_control(view) &&
	    view->evidence->control.is_associated == CLAIM_YES))
		diagnosis_say_candidate(ret_diagnosis, DIAGNOSIS_VPC_NOT_ASSOCIATED);
	diagnosis_say_summary(ret_diagnosis, "Somebody says that %s, the address of %s, is unreachable: a reject rule of this "
		"host, or a router on the way.", address_text(view, &address), view->host);
	diagnosis_say_why(ret_diagnosis, "connect() failed with errno %d, and the route is of kind %s",
		view->main->os_errno, diagnosis_view_knows_route(view->path) ?
		route_kind_name(view->path->route.kind) : "not known");
	if (view->path->neighbour_after == ROUTE_NEIGHBOUR_FAILED)
		diagnosis_say_why(ret_diagnosis, "the next hop does not answer on the link");
	return true;
}

bool diagnosis_route_decide(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	if (!view->path)
		return false;
	return decide_outside(view, ret_diagnosis) || decide_missing(view, ret_diagnosis) ||
	       decide_zeroconf(view, ret_diagnosis) || decide_refused_by_route(view, ret_diagnosis) ||
	       decide_led_elsewhere(view, ret_diagnosis) || decide_denied(view, ret_diagnosis) ||
	       decide_dropped(view, ret_diagnosis) || decide_unreachable(view, ret_diagnosis);
}
