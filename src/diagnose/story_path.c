/* SPDX-License-Identifier: Apache-2.0 */
/* The address and what the kernel would do with it. */
#include "lattice-probe/story.h"

#include <inttypes.h>
#include <string.h>

#include "story_internal.h"

/* ---- the address ------------------------------------------------------------------------------ */

static bool is_reached(const struct evidence_path *path)
{
	return path->exchanges[EXCHANGE_MAIN].phase_us[PHASE_CONNECT] != PHASE_NONE &&
		path->exchanges[EXCHANGE_MAIN].is_asked;
}

static enum story_mark mark_of_address(const struct evidence_path *path)
{
	switch (path->class_) {
	case ADDRESS_CLASS_LATTICE:
	case ADDRESS_CLASS_RESOURCE:
	case ADDRESS_CLASS_VPC:
		return STORY_GOOD;
	case ADDRESS_CLASS_CREDENTIALS:
	case ADDRESS_CLASS_NONE:
		return STORY_BAD;
	case ADDRESS_CLASS_LOOPBACK:
	case ADDRESS_CLASS_LINK_LOCAL:
	case ADDRESS_CLASS_PRIVATE:
	case ADDRESS_CLASS_PUBLIC:
		break;
	}
	if (path->exchanges[EXCHANGE_MAIN].is_asked && path->exchanges[EXCHANGE_MAIN].outcome == OUTCOME_OK)
		return STORY_GOOD;
	return is_reached(path) || path->class_ == ADDRESS_CLASS_PRIVATE ? STORY_UNKNOWN : STORY_BAD;
}

static void tell_address(struct story_teller *teller, const struct evidence_path *path)
{
	struct story_line line = story_line_of("address", DIAGNOSIS_HOP_DNS);
	char address[ADDRESS_TEXT_SIZE];

	address_format(&path->address, address);
	line.mark = mark_of_address(path);
	STORY_NAME(line, "%s", address);
	STORY_ASK(line, "What kind of address is %s?", address);
	STORY_ANSWER(line, "%s", address_class_words(path->class_));
	if (path->is_nat64)
		STORY_ANSWER(line, "inside NAT64");
	if (!path->is_preferred)
		STORY_ANSWER(line, "not the one the probe would use");
	story_add(teller, &line);
}

/* ---- the route -------------------------------------------------------------------------------- */

static const char *refusal_words(enum route_kind kind)
{
	switch (kind) {
	case ROUTE_NONE: return "no route to it";
	case ROUTE_BLACKHOLE: return "a blackhole route of this host drops it";
	case ROUTE_UNREACHABLE: return "a route of this host says unreachable";
	case ROUTE_PROHIBIT: return "a route or rule of this host prohibits it";
	case ROUTE_LOCAL: return "an address of this host itself";
	case ROUTE_UNICAST:
	case ROUTE_OTHER: break;
	}
	return "a route of an unusual kind";
}

static void describe_prefix(const struct route *route, struct story_line *line)
{
	char text[ADDRESS_TEXT_SIZE];

	if (route->prefix_length == 0)
		STORY_ANSWER(*line, "the default route");
	if (route->prefix_length > 0 && route->prefix.sa.sa_family != AF_UNSPEC) {
		address_format(&route->prefix, text);
		STORY_ANSWER(*line, "route %s/%d", text, route->prefix_length);
	}
}

static void describe_unicast(const struct evidence_path *path, struct story_line *line)
{
	const struct route *route = &path->route;
	char text[ADDRESS_TEXT_SIZE];

	STORY_ANSWER(*line, "by %s", route->device);
	if (path->has_other_device)
		STORY_ANSWER(*line, "not the default route's device");
	if (route->gateway.sa.sa_family != AF_UNSPEC) {
		address_format(&route->gateway, text);
		STORY_ANSWER(*line, "gateway %s", text);
	} else {
		STORY_ANSWER(*line, "%s", route->is_link_scope ? "asked for on the link itself" : "no gateway");
	}
	describe_prefix(route, line);
}

static const char *neighbour_words(const struct route *route, enum route_neighbour neighbour)
{
	bool has_gateway = route->gateway.sa.sa_family != AF_UNSPEC;

	if (route->kind != ROUTE_UNICAST)
		return NULL;
	switch (neighbour) {
	case ROUTE_NEIGHBOUR_FAILED:
		return has_gateway ? "the gateway does not answer on the link" : "nobody answers for it on the link";
	case ROUTE_NEIGHBOUR_INCOMPLETE:
		return has_gateway ? "the gateway has not answered on the link yet" : "nobody has answered for it on the link yet";
	case ROUTE_NEIGHBOUR_REACHABLE:
		return has_gateway ? "the gateway is there" : "somebody answers for it on the link";
	case ROUTE_NEIGHBOUR_NONE: break;
	}
	return NULL;
}

static enum story_mark mark_of_route(const struct evidence_path *path)
{
	if (path->route.kind != ROUTE_UNICAST && path->route.kind != ROUTE_LOCAL)
		return STORY_BAD;
	if (path->neighbour_after == ROUTE_NEIGHBOUR_FAILED)
		return STORY_BAD;
	if (path->neighbour_after == ROUTE_NEIGHBOUR_INCOMPLETE)
		return STORY_UNKNOWN;
	return STORY_GOOD;
}

static void tell_route(struct story_teller *teller, const struct evidence_path *path)
{
	struct story_line line = story_line_of("route", DIAGNOSIS_HOP_ROUTE);
	char address[ADDRESS_TEXT_SIZE];
	char source[ADDRESS_TEXT_SIZE];
	const char *neighbour = neighbour_words(&path->route, path->neighbour_after);

	if (path->route.kind == ROUTE_NONE && path->route.error == 0)
		return;
	address_format(&path->address, address);
	line.mark = mark_of_route(path);
	if (evidence_count_paths(teller->evidence) > 1)
		STORY_NAME(line, "%s", address);
	STORY_ASK(line, "What would the kernel do with a packet to %s?", address);
	if (path->route.kind == ROUTE_UNICAST)
		describe_unicast(path, &line);
	else
		STORY_ANSWER(line, "%s", refusal_words(path->route.kind));
	if (path->route.source.sa.sa_family != AF_UNSPEC) {
		address_format(&path->route.source, source);
		STORY_ANSWER(line, "from %s", source);
	}
	if (neighbour && (teller->verbose || line.mark != STORY_GOOD || path->route.is_link_scope))
		STORY_ANSWER(line, "%s", neighbour);
	if (teller->verbose)
		STORY_ANSWER(line, "table %" PRIu32, path->route.table);
	story_add(teller, &line);
}

static void tell_missing_address(struct story_teller *teller)
{
	struct story_line line = story_line_of("address", DIAGNOSIS_HOP_DNS);

	line.mark = STORY_SKIPPED;
	STORY_ASK(line, "What kind of address is it, and does it answer?");
	STORY_ANSWER(line, "none to try: route, connection and request were not asked");
	story_add(teller, &line);
}

void story_path_tell(struct story_teller *teller)
{
	const struct evidence *evidence = teller->evidence;

	if (evidence->dns.is_asked && evidence_count_paths(evidence) == 0)
		tell_missing_address(teller);
	for (size_t i = 0; i < evidence_count_paths(evidence); i++)
		tell_address(teller, &evidence->paths[i]);
	for (size_t i = 0; i < evidence_count_paths(evidence); i++)
		tell_route(teller, &evidence->paths[i]);
}
