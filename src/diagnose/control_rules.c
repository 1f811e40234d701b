/* SPDX-License-Identifier: Apache-2.0 */
/* Whether what guards the path lets the connection through. */
#include "lattice-probe/control.h"

#include <stdlib.h>
#include <string.h>

#include "lattice-probe/control_facts.h"

#define EPHEMERAL_FIRST 1025 /* VPC Lattice User Guide, network ACLs: answers go to 1025-65535 */

bool control_rules_holds_id(const char *ids, const char *id)
{
	size_t length = strlen(id);

	while (*ids) {
		size_t part = strcspn(ids, ",");

		if (part == length && memcmp(ids, id, length) == 0)
			return true;
		ids += part + (ids[part] == ',');
	}
	return false;
}

static bool is_known(const union address *address)
{
	return address->sa.sa_family != AF_UNSPEC;
}

static bool holds(const struct address_network *network, const union address *address)
{
	const struct address_networks one = { .items = { *network }, .count = 1 };

	return address_networks_hold(&one, address);
}

static bool covers_port(int from_port, int to_port, int port)
{
	return from_port < 0 || (port >= from_port && port <= to_port);
}

/* Any protocol means any port, whatever is written there. */
static bool covers(int protocol, int from_port, int to_port, int port)
{
	return protocol == CONTROL_PROTOCOL_ANY ||
	       (protocol == CONTROL_PROTOCOL_TCP && covers_port(from_port, to_port, port));
}

static bool is_lattice_address(const union address *address)
{
	enum address_class class_ = address_class_of(address, NULL, NULL);

	return class_ == ADDRESS_CLASS_LATTICE || class_ == ADDRESS_CLASS_RESOURCE;
}

/* ---- security groups ---------------------------------------------------------------------- */

static enum claim list_holds(const struct control_flow *flow, const char *list_id, const union address *address)
{
	if (!is_known(address))
		return CLAIM_UNKNOWN;
	for (size_t i = 0; i < CONTROL_LISTS; i++) {
		const struct control_list *list = &flow->lists[i];

		if (!list->id[0] || strcmp(list->id, list_id) != 0)
			continue;
		if (address_networks_hold(&list->networks, address))
			return CLAIM_YES;
		return list->is_known ? CLAIM_NO : CLAIM_UNKNOWN;
	}
	/* AWS's lists for other services (S3, CloudFront) hold no address of VPC Lattice's. */
	return is_lattice_address(address) && control_rules_holds_id(flow->aws_lists, list_id) ? CLAIM_NO : CLAIM_UNKNOWN;
}

/* A group is met on the way in by its members' interfaces. On the way out nothing of VPC Lattice's is a
 * member of a group; an interface in the VPC may be. */
static enum claim group_holds(const struct control_flow *flow, const struct control_permission *permission)
{
	if (!permission->is_egress) {
		if (!flow->own_groups[0])
			return CLAIM_UNKNOWN;
		return control_rules_holds_id(flow->own_groups, permission->peer_id) ? CLAIM_YES : CLAIM_NO;
	}
	return is_known(&flow->destination) && is_lattice_address(&flow->destination) ? CLAIM_NO : CLAIM_UNKNOWN;
}

static enum claim permits(const struct control_permission *permission, const struct control_flow *flow)
{
	const union address *address = permission->is_egress ? &flow->destination : &flow->source;

	if (!covers(permission->protocol, permission->from_port, permission->to_port, address_port(&flow->destination)))
		return CLAIM_NO;
	switch (permission->peer) {
	case CONTROL_PEER_LIST: return list_holds(flow, permission->peer_id, address);
	case CONTROL_PEER_GROUP: return group_holds(flow, permission);
	case CONTROL_PEER_NETWORK: break;
	}
	if (!is_known(address))
		return CLAIM_UNKNOWN;
	return holds(&permission->network, address) ? CLAIM_YES : CLAIM_NO;
}

static bool has_seen_all(const struct control_groups *groups, const char *ids)
{
	while (*ids) {
		size_t length = strcspn(ids, ",");
		bool is_seen = false;

		for (size_t i = 0; i < groups->id_count; i++)
			is_seen |= strlen(groups->ids[i]) == length && memcmp(groups->ids[i], ids, length) == 0;
		if (!is_seen)
			return false;
		ids += length + (ids[length] == ',');
	}
	return true;
}

enum claim control_rules_groups_allow(const struct control_groups *groups, const char *ids, bool is_egress,
	const struct control_flow *flow)
{
	bool is_whole = !groups->is_cut && ids[0] && has_seen_all(groups, ids);

	if (!is_known(&flow->destination)) /* nor is the port */
		return CLAIM_UNKNOWN;
	for (size_t i = 0; i < groups->permission_count; i++) {
		const struct control_permission *permission = &groups->permissions[i];
		enum claim claim;

		if (permission->is_egress != is_egress || !control_rules_holds_id(ids, permission->group_id))
			continue;
		claim = permits(permission, flow);
		if (claim == CLAIM_YES)
			return CLAIM_YES;
		if (claim == CLAIM_UNKNOWN)
			is_whole = false;
	}
	return is_whole ? CLAIM_NO : CLAIM_UNKNOWN;
}

/* ---- network ACLs ------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
	const struct control_acl_entry *left = a;
	const struct control_acl_entry *right = b;

	return (left->number > right->number) - (left->number < right->number);
}

static void sort(const struct control_acl *acl, struct control_acl_entry ret_entries[static CONTROL_ENTRIES_MAX])
{
	memcpy(ret_entries, acl->entries, acl->count * sizeof *ret_entries);
	qsort(ret_entries, acl->count, sizeof *ret_entries, by_number);
}

static bool is_usable(const struct control_acl *acl, const struct control_flow *flow)
{
	return acl->id[0] && !acl->is_cut && is_known(&flow->destination);
}

/* The lowest number that fits decides (VPC User Guide, network ACL rules); nothing fits: denied. */
enum claim control_rules_acl_allows_out(const struct control_acl *acl, const struct control_flow *flow)
{
	struct control_acl_entry entries[CONTROL_ENTRIES_MAX];

	if (!is_usable(acl, flow))
		return CLAIM_UNKNOWN;
	sort(acl, entries);
	for (size_t i = 0; i < acl->count; i++) {
		const struct control_acl_entry *entry = &entries[i];

		if (entry->is_egress && holds(&entry->network, &flow->destination) &&
		    covers(entry->protocol, entry->from_port, entry->to_port, address_port(&flow->destination)))
			return entry->is_allowed ? CLAIM_YES : CLAIM_NO;
	}
	return CLAIM_NO;
}

/* Each port is decided by the first entry that fits it. */
enum claim control_rules_acl_allows_back(const struct control_acl *acl, const struct control_flow *flow)
{
	struct control_acl_entry entries[CONTROL_ENTRIES_MAX];
	bool is_decided[UINT16_MAX + 1] = { false };
	int allowed = 0;

	if (!is_usable(acl, flow))
		return CLAIM_UNKNOWN;
	sort(acl, entries);
	for (size_t i = 0; i < acl->count; i++) {
		const struct control_acl_entry *entry = &entries[i];

		if (entry->is_egress || entry->protocol == CONTROL_PROTOCOL_OTHER ||
		    !holds(&entry->network, &flow->destination))
			continue;
		for (int port = EPHEMERAL_FIRST; port <= UINT16_MAX; port++)
			if (!is_decided[port] && covers(entry->protocol, entry->from_port, entry->to_port, port)) {
				is_decided[port] = true;
				allowed += entry->is_allowed;
			}
	}
	if (allowed == UINT16_MAX - EPHEMERAL_FIRST + 1)
		return CLAIM_YES;
	return allowed == 0 ? CLAIM_NO : CLAIM_UNKNOWN;
}

/* ---- route tables ------------------------------------------------------------------------- */

/* A default route is no way to VPC Lattice's range, which no gateway leads to; but how a table shows the
 * way that an association makes is not documented: hence it is not held against it either. */
static enum claim route_leads(const struct control_route *route, const struct control_flow *flow)
{
	if (!route->is_active)
		return CLAIM_NO;
	if (route->list_id[0])
		return list_holds(flow, route->list_id, &flow->destination);
	if (!is_known(&flow->destination))
		return CLAIM_UNKNOWN;
	if (!holds(&route->network, &flow->destination))
		return CLAIM_NO;
	return route->network.length == 0 && is_lattice_address(&flow->destination) ? CLAIM_UNKNOWN : CLAIM_YES;
}

enum claim control_rules_table_leads(const struct control_table *table, const struct control_flow *flow)
{
	enum claim claim = table->id[0] && !table->is_cut ? CLAIM_NO : CLAIM_UNKNOWN;

	for (size_t i = 0; i < table->count; i++) {
		enum claim leads = route_leads(&table->routes[i], flow);

		if (leads == CLAIM_YES)
			return CLAIM_YES;
		if (leads == CLAIM_UNKNOWN)
			claim = CLAIM_UNKNOWN;
	}
	return claim;
}
