/* SPDX-License-Identifier: Apache-2.0 */
/* EC2's answers, as its API reference has them (version 2016-11-15). What cannot be understood inside a
 * list makes the list cut: then what it holds still allows, but its silence forbids nothing. */
#include "lattice-probe/control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lattice-probe/buf.h"
#include "lattice-probe/control_facts.h"
#include "lattice-probe/err.h"
#include "lattice-probe/parse.h"
#include "lattice-probe/xml.h"

#define FIRST_GROUPS 64

struct element {
	const char *text;
	size_t bytes;
};

/* The text at `path`, "" where there is none. 0; ERR_PROTOCOL also when it does not fit. */
static int read_field(struct element element, const char *path, char *ret_text, size_t size)
{
	struct buf value;
	int err;

	buf_init(&value, size - 1);
	err = xml_find(element.text, element.bytes, path, &value);
	ret_text[0] = '\0';
	if (!err && strlen(buf_text(&value)) != value.length_bytes)
		err = ERR_PROTOCOL;
	if (!err)
		memcpy(ret_text, buf_text(&value), value.length_bytes + 1);
	buf_done(&value);
	if (err == ERR_NOT_FOUND)
		return 0;
	return err == ERR_LIMIT ? ERR_PROTOCOL : err;
}

static int read_page(struct element element, const char *path, struct control_page *ret_page)
{
	return read_field(element, path, ret_page->token, sizeof ret_page->token);
}

static bool is_text(struct element element, const char *path, const char *wanted)
{
	char text[64];

	return read_field(element, path, text, sizeof text) == 0 && strcmp(text, wanted) == 0;
}

/* A number, or -1 where there is none. */
static int read_number(struct element element, const char *path, int max, int *ret_number)
{
	char text[16];
	int64_t value = -1;
	int err = read_field(element, path, text, sizeof text);

	if (!err && text[0])
		err = parse_int64(text, -1, max, &value) == 0 ? 0 : ERR_PROTOCOL;
	if (!err)
		*ret_number = (int)value;
	return err;
}

/* "tcp", "6" and "-1" are told apart from the rest. */
static int read_protocol(struct element element, const char *path, int *ret_protocol)
{
	char text[16];
	int err = read_field(element, path, text, sizeof text);

	if (err || !text[0])
		return err ? err : ERR_PROTOCOL;
	if (strcmp(text, "-1") == 0)
		*ret_protocol = CONTROL_PROTOCOL_ANY;
	else if (strcmp(text, "tcp") == 0 || strcmp(text, "6") == 0)
		*ret_protocol = CONTROL_PROTOCOL_TCP;
	else
		*ret_protocol = CONTROL_PROTOCOL_OTHER;
	return 0;
}

static int read_network(const char *text, struct address_network *ret_network)
{
	struct address_networks networks = { .count = 0 };
	int err = address_networks_add(&networks, text);

	if (!err)
		*ret_network = networks.items[0];
	return err ? ERR_PROTOCOL : 0;
}

/* ---- the VPC ------------------------------------------------------------------------------ */

int control_ec2_read_owner(const char *text, size_t length_bytes, const char *vpc_id, char ret_owner[static 16])
{
	struct element element = { text, length_bytes };
	char id[CONTROL_ID_SIZE];
	char owner[16];

	if (read_field(element, "DescribeVpcsResponse/vpcSet/item/vpcId", id, sizeof id) != 0 || strcmp(id, vpc_id) != 0 ||
	    read_field(element, "DescribeVpcsResponse/vpcSet/item/ownerId", owner, sizeof owner) != 0 || !owner[0])
		return ERR_PROTOCOL;
	memcpy(ret_owner, owner, sizeof owner);
	return 0;
}

int control_ec2_read_attribute(const char *text, size_t length_bytes, const char *name, enum claim *ret_claim)
{
	char path[96];
	char value[8];
	int err;

	(void)snprintf(path, sizeof path, "DescribeVpcAttributeResponse/%s/value", name);
	err = read_field((struct element){ text, length_bytes }, path, value, sizeof value);
	if (err)
		return err;
	if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
		return ERR_PROTOCOL;
	*ret_claim = value[0] == 't' ? CLAIM_YES : CLAIM_NO;
	return 0;
}

/* ---- security groups ---------------------------------------------------------------------- */

struct group_reading {
	struct control_groups *groups;
	struct control_permission permission; /* what is being read, filled in from the outside inwards */
};

void control_groups_done(struct control_groups *groups)
{
	free(groups->permissions);
	*groups = (struct control_groups){ 0 };
}

static int keep_permission(struct group_reading *reading)
{
	struct control_groups *groups = reading->groups;

	if (groups->permission_count == CONTROL_PERMISSIONS_MAX) {
		groups->is_cut = true;
		return 0;
	}
	if (groups->permission_count == groups->capacity) {
		size_t capacity = groups->capacity ? groups->capacity * 2 : FIRST_GROUPS;
		struct control_permission *larger = realloc(groups->permissions, capacity * sizeof *larger);

		if (!larger)
			return ERR_NOMEM;
		groups->permissions = larger;
		groups->capacity = capacity;
	}
	groups->permissions[groups->permission_count++] = reading->permission;
	return 0;
}

static int on_range(struct group_reading *reading, struct element element, const char *path)
{
	char text[ADDRESS_TEXT_SIZE];

	reading->permission.peer = CONTROL_PEER_NETWORK;
	if (read_field(element, path, text, sizeof text) == 0 && read_network(text, &reading->permission.network) == 0)
		return keep_permission(reading);
	reading->groups->is_cut = true;
	return 0;
}

static int on_peer(struct group_reading *reading, struct element element, const char *path, enum control_peer peer)
{
	reading->permission.peer = peer;
	if (read_field(element, path, reading->permission.peer_id, sizeof reading->permission.peer_id) == 0 &&
	    reading->permission.peer_id[0])
		return keep_permission(reading);
	reading->groups->is_cut = true;
	return 0;
}

static int on_ipv4_range(void *user, const char *text, size_t bytes)
{
	return on_range(user, (struct element){ text, bytes }, "item/cidrIp");
}

static int on_ipv6_range(void *user, const char *text, size_t bytes)
{
	return on_range(user, (struct element){ text, bytes }, "item/cidrIpv6");
}

static int on_list(void *user, const char *text, size_t bytes)
{
	return on_peer(user, (struct element){ text, bytes }, "item/prefixListId", CONTROL_PEER_LIST);
}

static int on_pair(void *user, const char *text, size_t bytes)
{
	return on_peer(user, (struct element){ text, bytes }, "item/groupId", CONTROL_PEER_GROUP);
}

static int on_permission(void *user, const char *text, size_t bytes)
{
	static const struct { const char *path; int (*visit)(void *user, const char *text, size_t bytes); } peers[] = {
		{ "item/ipRanges/item", on_ipv4_range }, { "item/ipv6Ranges/item", on_ipv6_range },
		{ "item/prefixListIds/item", on_list }, { "item/groups/item", on_pair } };
	struct element element = { text, bytes };
	struct group_reading *reading = user;
	struct control_permission *permission = &reading->permission;
	int err = 0;

	if (read_protocol(element, "item/ipProtocol", &permission->protocol) != 0 ||
	    read_number(element, "item/fromPort", UINT16_MAX, &permission->from_port) != 0 ||
	    read_number(element, "item/toPort", UINT16_MAX, &permission->to_port) != 0) {
		reading->groups->is_cut = true;
		return 0;
	}
	for (size_t i = 0; !err && i < sizeof peers / sizeof *peers; i++)
		err = xml_each(text, bytes, peers[i].path, peers[i].visit, reading);
	return err;
}

static int on_group(void *user, const char *text, size_t bytes)
{
	struct group_reading *reading = user;
	struct control_groups *groups = reading->groups;
	struct control_permission *permission = &reading->permission;
	int err = read_field((struct element){ text, bytes }, "item/groupId", permission->group_id, sizeof permission->group_id);

	if (err || !permission->group_id[0])
		return err ? err : ERR_PROTOCOL;
	if (groups->id_count == CONTROL_GROUPS_MAX)
		return 0; /* one that is not seen is unknown */
	memcpy(groups->ids[groups->id_count++], permission->group_id, sizeof permission->group_id);
	permission->is_egress = false;
	err = xml_each(text, bytes, "item/ipPermissions/item", on_permission, reading);
	if (err)
		return err;
	permission->is_egress = true;
	return xml_each(text, bytes, "item/ipPermissionsEgress/item", on_permission, reading);
}

int control_ec2_read_groups(const char *text, size_t length_bytes, struct control_groups *groups,
	struct control_page *ret_page)
{
	struct group_reading reading = { .groups = groups };
	int err = read_page((struct element){ text, length_bytes }, "DescribeSecurityGroupsResponse/nextToken", ret_page);

	return err ? err : xml_each(text, length_bytes, "DescribeSecurityGroupsResponse/securityGroupInfo/item", on_group,
		&reading);
}

/* ---- route tables ------------------------------------------------------------------------- */

static int on_route(void *user, const char *text, size_t bytes)
{
	struct element element = { text, bytes };
	struct control_table *table = user;
	struct control_route route = { .is_active = is_text(element, "item/state", "active") };
	char network[ADDRESS_TEXT_SIZE];
	int err = read_field(element, "item/destinationPrefixListId", route.list_id, sizeof route.list_id);

	if (!err && !route.list_id[0]) {
		err = read_field(element, "item/destinationCidrBlock", network, sizeof network);
		if (!err && !network[0])
			err = read_field(element, "item/destinationIpv6CidrBlock", network, sizeof network);
		if (!err)
			err = read_network(network, &route.network);
	}
	if (err == ERR_NOMEM)
		return err;
	if (err || table->count == CONTROL_ROUTES_MAX)
		table->is_cut = true;
	else
		table->routes[table->count++] = route;
	return 0;
}

static int on_table(void *user, const char *text, size_t bytes)
{
	struct control_table *table = user;
	int err;

	if (table->id[0])
		return ERR_PROTOCOL; /* a subnet has one */
	err = read_field((struct element){ text, bytes }, "item/routeTableId", table->id, sizeof table->id);
	if (err || !table->id[0])
		return err ? err : ERR_PROTOCOL;
	return xml_each(text, bytes, "item/routeSet/item", on_route, table);
}

int control_ec2_read_table(const char *text, size_t length_bytes, struct control_table *table,
	struct control_page *ret_page)
{
	int err = read_page((struct element){ text, length_bytes }, "DescribeRouteTablesResponse/nextToken", ret_page);

	return err ? err : xml_each(text, length_bytes, "DescribeRouteTablesResponse/routeTableSet/item", on_table, table);
}

/* ---- network ACLs ------------------------------------------------------------------------- */

static int read_acl_entry(struct element element, struct control_acl_entry *ret_entry)
{
	struct control_acl_entry entry = { .is_egress = is_text(element, "item/egress", "true"),
		.is_allowed = is_text(element, "item/ruleAction", "allow") };
	char network[ADDRESS_TEXT_SIZE];
	int err = read_number(element, "item/ruleNumber", UINT16_MAX, &entry.number);

	if (!err)
		err = read_protocol(element, "item/protocol", &entry.protocol);
	if (!err)
		err = read_number(element, "item/portRange/from", UINT16_MAX, &entry.from_port);
	if (!err)
		err = read_number(element, "item/portRange/to", UINT16_MAX, &entry.to_port);
	if (!err)
		err = read_field(element, "item/cidrBlock", network, sizeof network);
	if (!err && !network[0])
		err = read_field(element, "item/ipv6CidrBlock", network, sizeof network);
	if (!err)
		err = read_network(network, &entry.network);
	if (!err)
		*ret_entry = entry;
	return err;
}

static int on_acl_entry(void *user, const char *text, size_t bytes)
{
	struct control_acl *acl = user;
	struct control_acl_entry entry;
	int err = read_acl_entry((struct element){ text, bytes }, &entry);

	if (err == ERR_NOMEM)
		return err;
	if (err || acl->count == CONTROL_ENTRIES_MAX)
		acl->is_cut = true;
	else
		acl->entries[acl->count++] = entry;
	return 0;
}

static int on_acl(void *user, const char *text, size_t bytes)
{
	struct control_acl *acl = user;
	int err;

	if (acl->id[0])
		return ERR_PROTOCOL; /* a subnet has one */
	err = read_field((struct element){ text, bytes }, "item/networkAclId", acl->id, sizeof acl->id);
	if (err || !acl->id[0])
		return err ? err : ERR_PROTOCOL;
	return xml_each(text, bytes, "item/entrySet/item", on_acl_entry, acl);
}

int control_ec2_read_acl(const char *text, size_t length_bytes, struct control_acl *acl, struct control_page *ret_page)
{
	int err = read_page((struct element){ text, length_bytes }, "DescribeNetworkAclsResponse/nextToken", ret_page);

	return err ? err : xml_each(text, length_bytes, "DescribeNetworkAclsResponse/networkAclSet/item", on_acl, acl);
}

/* ---- prefix lists ------------------------------------------------------------------------- */

struct list_reading {
	const char *region;
	struct control_list *lists;
	char *aws_lists;
};

static int note_aws_list(struct element element, char *ids)
{
	size_t length = strlen(ids);
	char id[CONTROL_ID_SIZE];
	int err = read_field(element, "item/prefixListId", id, sizeof id);

	if (!err && id[0] && length + strlen(id) + 2 <= CONTROL_AWS_LISTS_SIZE)
		(void)snprintf(ids + length, CONTROL_AWS_LISTS_SIZE - length, "%s%s", length > 0 ? "," : "", id);
	return err;
}

static int on_prefix_list(void *user, const char *text, size_t bytes)
{
	static const char *const middles[CONTROL_LISTS] = { "", "ipv6." };
	struct list_reading *reading = user;
	struct element element = { text, bytes };

	for (size_t i = 0; i < CONTROL_LISTS; i++) {
		struct control_list *list = &reading->lists[i];
		char name[128];

		(void)snprintf(name, sizeof name, "com.amazonaws.%s.%svpc-lattice", reading->region, middles[i]);
		if (is_text(element, "item/prefixListName", name))
			return read_field(element, "item/prefixListId", list->id, sizeof list->id);
	}
	return is_text(element, "item/ownerId", "AWS") ? note_aws_list(element, reading->aws_lists) : 0;
}

int control_ec2_read_lists(const char *text, size_t length_bytes, const char *region,
	struct control_list lists[static CONTROL_LISTS], char aws_lists[static CONTROL_AWS_LISTS_SIZE],
	struct control_page *ret_page)
{
	struct list_reading reading = { region, lists, aws_lists };
	int err = read_page((struct element){ text, length_bytes }, "DescribeManagedPrefixListsResponse/nextToken", ret_page);

	return err ? err : xml_each(text, length_bytes, "DescribeManagedPrefixListsResponse/prefixListSet/item",
		on_prefix_list, &reading);
}

static int on_entry(void *user, const char *text, size_t bytes)
{
	struct control_list *list = user;
	char network[ADDRESS_TEXT_SIZE];
	int err = read_field((struct element){ text, bytes }, "item/cidr", network, sizeof network);

	return err ? err : address_networks_add(&list->networks, network) == 0 ? 0 : ERR_PROTOCOL;
}

int control_ec2_read_entries(const char *text, size_t length_bytes, struct control_list *list,
	struct control_page *ret_page)
{
	int err = read_page((struct element){ text, length_bytes }, "GetManagedPrefixListEntriesResponse/nextToken", ret_page);

	return err ? err : xml_each(text, length_bytes, "GetManagedPrefixListEntriesResponse/entrySet/item", on_entry, list);
}
