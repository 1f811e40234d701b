/* SPDX-License-Identifier: Apache-2.0 */
/* The order is that of a run: the first configured resolver that gave an address, its IPv4 where this
 * host has a route for it. Where none gave one, what the VPC's resolver knows is tried instead: the
 * verdict is about DNS then, but whether the rest of the path would stand is worth knowing. */
#include "question_internal.h"

#include <string.h>
#include <sys/socket.h>

#include "lattice-probe/address_class.h"
#include "lattice-probe/route.h"

/* ---- which addresses ---------------------------------------------------------------------- */

static const struct evidence_answer *usable_answer(const struct evidence_resolver *resolver,
	enum evidence_family family)
{
	const struct evidence_answer *answer = resolver ? &resolver->answers[family] : NULL;

	return answer && answer->outcome == OUTCOME_OK && answer->address_count > 0 ? answer : NULL;
}

/* Whether connect() would find a way at all, as a run asks it before it chooses the family. */
static bool is_routed(const union address *address)
{
	struct route route;

	if (route_lookup(address, &route) != 0)
		return true;
	return route.kind == ROUTE_UNICAST || route.kind == ROUTE_LOCAL || route.kind == ROUTE_OTHER;
}

static void add_path(struct evidence *evidence, const union address *address)
{
	union address with_port = *address;

	address_set_port(&with_port, evidence->target.port);
	for (size_t i = 0; i < evidence->path_count; i++)
		if (address_is_equal(&evidence->paths[i].address, &with_port))
			return;
	if (evidence->path_count == EVIDENCE_PATHS_MAX)
		return;
	evidence->paths[evidence->path_count].address = with_port;
	evidence->path_count++;
}

static void add_nth(struct evidence *evidence, const struct evidence_answer *answer, size_t index)
{
	if (answer && index < answer->address_count && index < EVIDENCE_ADDRESSES_MAX)
		add_path(evidence, &answer->addresses[index]);
}

/* The preferred address, then one of the other family, then what the VPC's resolver says where that is
 * another, then the rest. */
static void add_addresses(struct evidence *evidence)
{
	const struct evidence_resolver *vpc = evidence_vpc_resolver(evidence);
	const struct evidence_resolver *configured = evidence_answering_resolver(evidence);
	const struct evidence_resolver *resolver = configured ? configured : vpc;
	const struct evidence_answer *first = usable_answer(resolver, EVIDENCE_A);
	const struct evidence_answer *second = usable_answer(resolver, EVIDENCE_AAAA);

	if (!first || (second && !is_routed(&first->addresses[0]))) {
		const struct evidence_answer *other = first;

		first = second;
		second = other;
	}
	add_nth(evidence, first, 0);
	add_nth(evidence, second, 0);
	add_nth(evidence, usable_answer(vpc, EVIDENCE_A), 0);
	add_nth(evidence, usable_answer(vpc, EVIDENCE_AAAA), 0);
	for (size_t i = 1; i < EVIDENCE_ADDRESSES_MAX; i++) {
		add_nth(evidence, first, i);
		add_nth(evidence, second, i);
	}
}

/* ---- what kind, and where to -------------------------------------------------------------- */

/* 64:ff9b::/96 (RFC 6052 section 2.1). */
static bool is_nat64(const union address *address)
{
	static const uint8_t prefix[12] = { 0x00, 0x64, 0xff, 0x9b };

	return address->sa.sa_family == AF_INET6 && memcmp(&address->v6.sin6_addr, prefix, sizeof prefix) == 0;
}

void question_paths_classify(struct evidence *evidence)
{
	for (size_t i = 0; i < evidence->path_count; i++) {
		struct evidence_path *path = &evidence->paths[i];

		path->is_nat64 = is_nat64(&path->address);
		path->class_ = address_class_of(&path->address, &evidence->control.lattice_networks,
			&evidence->where.vpc_networks);
	}
}

/* Addresses for documentation (RFC 5737, RFC 3849) have no route of their own: theirs is the default's. */
static bool find_default_device(int family, char ret_device[static IF_NAMESIZE])
{
	union address address;
	struct route route;

	if (parse_address(family == AF_INET ? "192.0.2.1" : "2001:db8::1", 443, &address) != 0 ||
	    route_lookup(&address, &route) != 0 || route.kind != ROUTE_UNICAST)
		return false;
	memcpy(ret_device, route.device, IF_NAMESIZE);
	return true;
}

void question_paths_read_neighbour(struct evidence_path *path)
{
	if (path->route.kind == ROUTE_UNICAST &&
	    route_read_neighbour(&path->route, &path->address, &path->neighbour_after) != 0)
		path->neighbour_after = ROUTE_NEIGHBOUR_NONE;
}

/* A kernel that cannot be asked leaves the route as "none" with its own error. */
static void look_up(struct evidence_path *path)
{
	char device[IF_NAMESIZE];
	int err = route_lookup(&path->address, &path->route);

	if (err) {
		path->route = (struct route){ .kind = ROUTE_OTHER, .prefix_length = -1 };
		return;
	}
	question_paths_read_neighbour(path);
	path->neighbour_before = path->neighbour_after;
	path->has_other_device = path->route.kind == ROUTE_UNICAST &&
		find_default_device(path->address.sa.sa_family, device) && strcmp(device, path->route.device) != 0;
}

void question_paths_choose(const struct target *target, struct evidence *evidence)
{
	if (target->url.is_literal)
		add_path(evidence, &target->url.literal);
	else
		add_addresses(evidence);
	if (evidence->path_count > 0)
		evidence->paths[0].is_preferred = target->url.is_literal || evidence_answering_resolver(evidence);
	question_paths_classify(evidence);
	for (size_t i = 0; i < evidence->path_count; i++)
		look_up(&evidence->paths[i]);
}
