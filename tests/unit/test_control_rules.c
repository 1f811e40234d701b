/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lattice-probe/control.h"
#include "lattice-probe/control_facts.h"

#define COUNT(array) (sizeof (array) / sizeof *(array))
#define LATTICE "169.254.171.33:443"

static union address address_of(const char *text)
{
	union address address = { .sa = { .sa_family = AF_UNSPEC } };

	if (text)
		assert_int_equal(parse_address(text, 443, &address), 0);
	return address;
}

static struct address_network network_of(const char *text)
{
	struct address_networks networks = { .count = 0 };

	assert_int_equal(address_networks_add(&networks, text), 0);
	return networks.items[0];
}

/* VPC Lattice's IPv4 list was read, its IPv6 list was not. */
static const struct control_list *known_lists(void)
{
	static struct control_list lists[CONTROL_LISTS];

	memset(lists, 0, sizeof lists);
	(void)snprintf(lists[0].id, sizeof lists[0].id, "pl-4");
	assert_int_equal(address_networks_add(&lists[0].networks, "169.254.171.0/24"), 0);
	lists[0].is_known = true;
	(void)snprintf(lists[1].id, sizeof lists[1].id, "pl-6");
	return lists;
}

static struct control_flow flow_to(const char *destination)
{
	return (struct control_flow){ .source = address_of("10.0.1.10"), .destination = address_of(destination),
		.own_groups = "sg-1,sg-2", .lists = known_lists(), .aws_lists = "pl-2,pl-3" };
}

/* ---- security groups ---------------------------------------------------------------------- */

struct rule {
	const char *group;
	bool is_egress;
	int protocol;
	int from_port;
	int to_port;
	enum control_peer peer;
	const char *to; /* network, list or group */
};

static enum claim judge(const struct rule *rules, size_t count, const char *ids, bool is_egress,
	const struct control_flow *flow, bool is_cut)
{
	struct control_permission permissions[4] = { { .is_egress = false } };
	struct control_groups groups = { .ids = { "sg-1", "sg-2", "sg-a" }, .id_count = 3, .permissions = permissions,
		.permission_count = count, .is_cut = is_cut };

	assert_true(count <= COUNT(permissions));
	for (size_t i = 0; i < count; i++) {
		struct control_permission *permission = &permissions[i];

		*permission = (struct control_permission){ .is_egress = rules[i].is_egress, .protocol = rules[i].protocol,
			.from_port = rules[i].from_port, .to_port = rules[i].to_port, .peer = rules[i].peer };
		(void)snprintf(permission->group_id, sizeof permission->group_id, "%s", rules[i].group);
		(void)snprintf(permission->peer_id, sizeof permission->peer_id, "%s", rules[i].to);
		if (rules[i].peer == CONTROL_PEER_NETWORK)
			permission->network = network_of(rules[i].to);
	}
	return control_rules_groups_allow(&groups, ids, is_egress, flow);
}

static const struct {
	struct rule rule;
	const char *destination;
	enum claim claim;
} rows[] = {
	/* out of the instance */
	{ { "sg-1", true, CONTROL_PROTOCOL_TCP, 443, 443, CONTROL_PEER_NETWORK, "169.254.171.0/24" }, LATTICE, CLAIM_YES },
	{ { "sg-1", true, CONTROL_PROTOCOL_TCP, 400, 442, CONTROL_PEER_NETWORK, "0.0.0.0/0" }, LATTICE, CLAIM_NO },
	{ { "sg-1", true, CONTROL_PROTOCOL_TCP, 444, 500, CONTROL_PEER_NETWORK, "0.0.0.0/0" }, LATTICE, CLAIM_NO },
	{ { "sg-1", true, CONTROL_PROTOCOL_TCP, 0, 65535, CONTROL_PEER_NETWORK, "0.0.0.0/0" }, LATTICE, CLAIM_YES },
	{ { "sg-1", true, CONTROL_PROTOCOL_TCP, -1, -1, CONTROL_PEER_NETWORK, "0.0.0.0/0" }, LATTICE, CLAIM_YES },
	{ { "sg-1", true, CONTROL_PROTOCOL_ANY, 1, 1, CONTROL_PEER_NETWORK, "0.0.0.0/0" }, LATTICE, CLAIM_YES },
	{ { "sg-1", true, CONTROL_PROTOCOL_OTHER, 443, 443, CONTROL_PEER_NETWORK, "0.0.0.0/0" }, LATTICE, CLAIM_NO },
	{ { "sg-1", true, CONTROL_PROTOCOL_TCP, 443, 443, CONTROL_PEER_NETWORK, "10.0.0.0/8" }, LATTICE, CLAIM_NO },
	{ { "sg-1", true, CONTROL_PROTOCOL_TCP, 443, 443, CONTROL_PEER_NETWORK, "::/0" }, LATTICE, CLAIM_NO },
	{ { "sg-1", true, CONTROL_PROTOCOL_TCP, 443, 443, CONTROL_PEER_NETWORK, "::/0" }, "[fd00:ec2:80::1]:443", CLAIM_YES },
	{ { "sg-1", true, CONTROL_PROTOCOL_TCP, 443, 443, CONTROL_PEER_LIST, "pl-4" }, LATTICE, CLAIM_YES },
	{ { "sg-1", true, CONTROL_PROTOCOL_TCP, 443, 443, CONTROL_PEER_LIST, "pl-4" }, "10.0.2.3:443", CLAIM_NO },
	{ { "sg-1", true, CONTROL_PROTOCOL_TCP, 443, 443, CONTROL_PEER_LIST, "pl-6" }, "[fd00:ec2:80::1]:443", CLAIM_UNKNOWN },
	{ { "sg-1", true, CONTROL_PROTOCOL_TCP, 443, 443, CONTROL_PEER_LIST, "pl-9" }, LATTICE, CLAIM_UNKNOWN },
	{ { "sg-1", true, CONTROL_PROTOCOL_TCP, 443, 443, CONTROL_PEER_LIST, "pl-3" }, LATTICE, CLAIM_NO },
	{ { "sg-1", true, CONTROL_PROTOCOL_TCP, 443, 443, CONTROL_PEER_LIST, "pl-3" }, "8.8.8.8:443", CLAIM_UNKNOWN },
	{ { "sg-1", true, CONTROL_PROTOCOL_TCP, 80, 80, CONTROL_PEER_LIST, "pl-9" }, LATTICE, CLAIM_NO },
	{ { "sg-1", true, CONTROL_PROTOCOL_TCP, 443, 443, CONTROL_PEER_GROUP, "sg-9" }, LATTICE, CLAIM_NO },
	{ { "sg-1", true, CONTROL_PROTOCOL_TCP, 443, 443, CONTROL_PEER_GROUP, "sg-9" }, "10.0.2.3:443", CLAIM_UNKNOWN },
	{ { "sg-1", true, CONTROL_PROTOCOL_ANY, -1, -1, CONTROL_PEER_NETWORK, "0.0.0.0/0" }, NULL, CLAIM_UNKNOWN },
	{ { "sg-2", true, CONTROL_PROTOCOL_ANY, -1, -1, CONTROL_PEER_NETWORK, "0.0.0.0/0" }, LATTICE, CLAIM_YES },
	{ { "sg-a", true, CONTROL_PROTOCOL_ANY, -1, -1, CONTROL_PEER_NETWORK, "0.0.0.0/0" }, LATTICE, CLAIM_NO },
	{ { "sg-1", false, CONTROL_PROTOCOL_ANY, -1, -1, CONTROL_PEER_NETWORK, "0.0.0.0/0" }, LATTICE, CLAIM_NO },
};

static void one_rule_lets_out_or_does_not(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct control_flow flow = flow_to(rows[i].destination);

		if (judge(&rows[i].rule, 1, "sg-1,sg-2", true, &flow, false) != rows[i].claim)
			fail_msg("row %zu", i);
	}
}

static void of_several_rules_one_is_enough_and_doubt_is_no_refusal(void **state)
{
	static const struct rule no = { "sg-1", true, CONTROL_PROTOCOL_TCP, 80, 80, CONTROL_PEER_NETWORK, "0.0.0.0/0" };
	static const struct rule doubt = { "sg-2", true, CONTROL_PROTOCOL_TCP, 443, 443, CONTROL_PEER_LIST, "pl-9" };
	static const struct rule yes = { "sg-2", true, CONTROL_PROTOCOL_ANY, -1, -1, CONTROL_PEER_LIST, "pl-4" };
	struct control_flow flow = flow_to(LATTICE);

	(void)state;
	assert_int_equal(judge((struct rule[]){ no, doubt, yes }, 3, "sg-1,sg-2", true, &flow, true), CLAIM_YES);
	assert_int_equal(judge((struct rule[]){ no, doubt }, 2, "sg-1,sg-2", true, &flow, false), CLAIM_UNKNOWN);
	assert_int_equal(judge(&no, 1, "sg-1,sg-2", true, &flow, false), CLAIM_NO);
	assert_int_equal(judge(&no, 1, "sg-1,sg-2", true, &flow, true), CLAIM_UNKNOWN);
	assert_int_equal(judge(&no, 1, "sg-1,sg-3", true, &flow, false), CLAIM_UNKNOWN); /* never seen */
	assert_int_equal(judge(&no, 1, "", true, &flow, false), CLAIM_UNKNOWN);
}

static void the_association_lets_in_by_source_or_group(void **state)
{
	static const struct { struct rule rule; const char *own; const char *source; enum claim claim; } cases[] = {
		{ { "sg-a", false, CONTROL_PROTOCOL_TCP, 443, 443, CONTROL_PEER_NETWORK, "10.0.0.0/16" }, "sg-1", "10.0.1.10", CLAIM_YES },
		{ { "sg-a", false, CONTROL_PROTOCOL_TCP, 443, 443, CONTROL_PEER_NETWORK, "10.9.0.0/16" }, "sg-1", "10.0.1.10", CLAIM_NO },
		{ { "sg-a", false, CONTROL_PROTOCOL_TCP, 443, 443, CONTROL_PEER_NETWORK, "10.9.0.0/16" }, "sg-1", NULL, CLAIM_UNKNOWN },
		{ { "sg-a", false, CONTROL_PROTOCOL_TCP, 443, 443, CONTROL_PEER_GROUP, "sg-2" }, "sg-1,sg-2", NULL, CLAIM_YES },
		{ { "sg-a", false, CONTROL_PROTOCOL_TCP, 443, 443, CONTROL_PEER_GROUP, "sg-22" }, "sg-1,sg-2", NULL, CLAIM_NO },
		{ { "sg-a", false, CONTROL_PROTOCOL_TCP, 443, 443, CONTROL_PEER_GROUP, "sg-2" }, "", NULL, CLAIM_UNKNOWN },
		{ { "sg-a", false, CONTROL_PROTOCOL_TCP, 80, 80, CONTROL_PEER_GROUP, "sg-2" }, "sg-2", NULL, CLAIM_NO } };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct control_flow flow = flow_to(LATTICE);

		flow.own_groups = cases[i].own;
		flow.source = address_of(cases[i].source);
		if (judge(&cases[i].rule, 1, "sg-a", false, &flow, false) != cases[i].claim)
			fail_msg("case %zu", i);
	}
}

/* ---- network ACLs ------------------------------------------------------------------------- */

#define OUT(number, allowed, protocol, from, to) { number, true, allowed, protocol, from, to, { .length = 0 } }
#define BACK(number, allowed, protocol, from, to) { number, false, allowed, protocol, from, to, { .length = 0 } }

static struct control_acl acl_of(const struct control_acl_entry *entries, size_t count)
{
	struct control_acl acl = { .id = "acl-1", .count = count };

	for (size_t i = 0; i < count; i++) {
		acl.entries[i] = entries[i];
		acl.entries[i].network = network_of("0.0.0.0/0");
	}
	return acl;
}

static void the_first_entry_by_number_decides(void **state)
{
	static const struct { struct control_acl_entry entries[3]; size_t count; enum claim out; enum claim back; } cases[] = {
		{ { OUT(0, false, 0, 0, 0) }, 0, CLAIM_NO, CLAIM_NO },
		{ { OUT(200, false, -1, -1, -1), OUT(100, true, 6, 443, 443) }, 2, CLAIM_YES, CLAIM_NO },
		{ { OUT(200, true, -1, -1, -1), OUT(100, false, 6, 443, 443) }, 2, CLAIM_NO, CLAIM_NO },
		{ { OUT(200, true, -1, -1, -1), OUT(100, false, 6, 80, 80) }, 2, CLAIM_YES, CLAIM_NO },
		{ { OUT(100, true, CONTROL_PROTOCOL_OTHER, 443, 443) }, 1, CLAIM_NO, CLAIM_NO },
		{ { BACK(100, true, 6, 1024, 65535) }, 1, CLAIM_NO, CLAIM_YES },
		{ { BACK(100, true, 6, 1025, 65534) }, 1, CLAIM_NO, CLAIM_UNKNOWN },
		{ { BACK(200, true, -1, -1, -1), BACK(100, false, 6, 3389, 3389) }, 2, CLAIM_NO, CLAIM_UNKNOWN },
		{ { BACK(200, false, 6, 3389, 3389), BACK(100, true, -1, -1, -1) }, 2, CLAIM_NO, CLAIM_YES },
		{ { BACK(100, true, 6, 1025, 40000), BACK(101, true, 6, 40001, 65535) }, 2, CLAIM_NO, CLAIM_YES },
		{ { BACK(100, true, 6, 1, 1024) }, 1, CLAIM_NO, CLAIM_NO },
		{ { BACK(100, true, CONTROL_PROTOCOL_OTHER, -1, -1) }, 1, CLAIM_NO, CLAIM_NO } };
	struct control_flow flow = flow_to(LATTICE);

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct control_acl acl = acl_of(cases[i].entries, cases[i].count);

		if (control_rules_acl_allows_out(&acl, &flow) != cases[i].out ||
		    control_rules_acl_allows_back(&acl, &flow) != cases[i].back)
			fail_msg("case %zu", i);
	}
}

static void entries_for_other_networks_decide_nothing(void **state)
{
	static const struct control_acl_entry entries[] = { OUT(1, false, -1, -1, -1), OUT(2, true, -1, -1, -1) };
	struct control_acl acl = acl_of(entries, 2);
	struct control_flow flow = flow_to(LATTICE);

	(void)state;
	acl.entries[0].network = network_of("10.0.0.0/8");
	assert_int_equal(control_rules_acl_allows_out(&acl, &flow), CLAIM_YES);
	acl.entries[0].network = network_of("::/0");
	assert_int_equal(control_rules_acl_allows_out(&acl, &flow), CLAIM_YES);
	flow = flow_to("[fd00:ec2:80::1]:443");
	assert_int_equal(control_rules_acl_allows_out(&acl, &flow), CLAIM_NO);
}

static void an_acl_not_read_whole_is_unknown(void **state)
{
	static const struct control_acl_entry entries[] = { OUT(1, true, -1, -1, -1) };
	struct control_acl acl = acl_of(entries, 1);
	struct control_flow flow = flow_to(NULL);

	(void)state;
	assert_int_equal(control_rules_acl_allows_out(&acl, &flow), CLAIM_UNKNOWN);
	flow = flow_to(LATTICE);
	acl.is_cut = true;
	assert_int_equal(control_rules_acl_allows_out(&acl, &flow), CLAIM_UNKNOWN);
	acl = (struct control_acl){ .id = "" };
	assert_int_equal(control_rules_acl_allows_out(&acl, &flow), CLAIM_UNKNOWN);
	assert_int_equal(control_rules_acl_allows_back(&acl, &flow), CLAIM_UNKNOWN);
}

/* ---- route tables ------------------------------------------------------------------------- */

static void a_route_leads_there_or_not(void **state)
{
	static const struct { const char *list; const char *network; bool is_active; const char *to; enum claim claim; } cases[] = {
		{ "pl-4", NULL, true, LATTICE, CLAIM_YES }, { "pl-4", NULL, false, LATTICE, CLAIM_NO },
		{ "pl-4", NULL, true, "10.0.2.3:443", CLAIM_NO }, { "pl-9", NULL, true, LATTICE, CLAIM_UNKNOWN },
		{ "pl-2", NULL, true, LATTICE, CLAIM_NO },
		{ "pl-4", NULL, true, NULL, CLAIM_UNKNOWN }, { "", "169.254.171.0/24", true, LATTICE, CLAIM_YES },
		{ "", "10.0.0.0/16", true, LATTICE, CLAIM_NO }, { "", "10.0.0.0/16", true, "10.0.2.3:443", CLAIM_YES },
		{ "", "10.0.0.0/16", true, NULL, CLAIM_UNKNOWN }, { "", "0.0.0.0/0", true, LATTICE, CLAIM_UNKNOWN },
		{ "", "0.0.0.0/0", false, LATTICE, CLAIM_NO }, { "", "0.0.0.0/0", true, "8.8.8.8:443", CLAIM_YES },
		{ "", "::/0", true, LATTICE, CLAIM_NO } };
	static struct control_table table;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct control_flow flow = flow_to(cases[i].to);

		table = (struct control_table){ .id = "rtb-1", .count = 1, .routes = { { .is_active = cases[i].is_active } } };
		(void)snprintf(table.routes[0].list_id, sizeof table.routes[0].list_id, "%s", cases[i].list);
		if (cases[i].network)
			table.routes[0].network = network_of(cases[i].network);
		if (control_rules_table_leads(&table, &flow) != cases[i].claim)
			fail_msg("case %zu", i);
		table.is_cut = true;
		assert_int_equal(control_rules_table_leads(&table, &flow),
			cases[i].claim == CLAIM_YES ? CLAIM_YES : CLAIM_UNKNOWN);
	}
}

/* ---- claims ------------------------------------------------------------------------------- */

static struct control_facts facts; /* large */

static void forget(void)
{
	facts = (struct control_facts){ .account_id = "123456789012", .vpc_id = "vpc-1", .host = "shop.example.com" };
}

static struct evidence_control fill(void)
{
	struct evidence_control control = { .is_asked = true };

	control_claims_fill(&facts, &control);
	return control;
}

static void nothing_known_claims_nothing(void **state)
{
	struct evidence_control control;

	(void)state;
	forget();
	control = fill();
	assert_int_equal(control.owns_vpc, CLAIM_UNKNOWN);
	assert_int_equal(control.is_associated, CLAIM_UNKNOWN);
	assert_int_equal(control.is_service_in_network, CLAIM_UNKNOWN);
	assert_int_equal(control.instance_sg_allows, CLAIM_UNKNOWN);
	assert_int_equal(control.association_sg_allows, CLAIM_UNKNOWN);
	assert_int_equal(control.nacl_allows_out, CLAIM_UNKNOWN);
	assert_int_equal(control.nacl_allows_back, CLAIM_UNKNOWN);
	assert_int_equal(control.has_route, CLAIM_UNKNOWN);
}

static void names_that_no_list_holds_are_not_missed(void **state)
{
	static const struct { const char *host; enum claim claim; } hosts[] = { { "shop.example.com", CLAIM_NO },
		{ "vpce-1-snsa-2.7d67968.vpc-lattice-svcs.us-east-1.on.aws", CLAIM_UNKNOWN },
		{ "snra-1.rcfg-2.4232ccc.vpc-lattice-rsc.us-east-1.on.aws", CLAIM_UNKNOWN } };

	(void)state;
	for (size_t i = 0; i < COUNT(hosts); i++) {
		forget();
		facts.is_known[JOB_SERVICES] = true;
		(void)snprintf(facts.host, sizeof facts.host, "%s", hosts[i].host);
		assert_int_equal(fill().is_service_in_network, hosts[i].claim);
	}
}

static void only_whole_ids_name_the_blocker(void **state)
{
	struct evidence_control control;

	(void)state;
	forget();
	facts.destination = address_of(LATTICE);
	facts.is_known[JOB_VPC_ASSOCIATION] = true;
	(void)snprintf(facts.association.groups, sizeof facts.association.groups,
		"sg-00000000000000001,sg-00000000000000002,sg-00000000000000003,sg-4");
	facts.groups.id_count = 4;
	for (int i = 0; i < 3; i++)
		(void)snprintf(facts.groups.ids[i], sizeof facts.groups.ids[i], "sg-0000000000000000%d", i + 1);
	(void)snprintf(facts.groups.ids[3], sizeof facts.groups.ids[3], "sg-4");
	control = fill();
	assert_int_equal(control.association_sg_allows, CLAIM_NO);
	assert_string_equal(control.blocked_by, "sg-00000000000000001,sg-00000000000000002,sg-00000000000000003");
}

static void the_acl_is_named_before_the_groups_of_the_association(void **state)
{
	struct evidence_control control;

	(void)state;
	forget();
	facts.destination = address_of(LATTICE);
	facts.is_known[JOB_VPC_ASSOCIATION] = facts.is_known[JOB_ACL] = true;
	(void)snprintf(facts.association.groups, sizeof facts.association.groups, "sg-1");
	facts.groups.id_count = 1;
	(void)snprintf(facts.groups.ids[0], sizeof facts.groups.ids[0], "sg-1");
	(void)snprintf(facts.acl.id, sizeof facts.acl.id, "acl-1");
	control = fill();
	assert_int_equal(control.association_sg_allows, CLAIM_NO);
	assert_int_equal(control.nacl_allows_out, CLAIM_NO);
	assert_string_equal(control.blocked_by, "acl-1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_rule_lets_out_or_does_not),
		cmocka_unit_test(of_several_rules_one_is_enough_and_doubt_is_no_refusal),
		cmocka_unit_test(the_association_lets_in_by_source_or_group),
		cmocka_unit_test(the_first_entry_by_number_decides),
		cmocka_unit_test(entries_for_other_networks_decide_nothing),
		cmocka_unit_test(an_acl_not_read_whole_is_unknown),
		cmocka_unit_test(a_route_leads_there_or_not),
		cmocka_unit_test(nothing_known_claims_nothing),
		cmocka_unit_test(names_that_no_list_holds_are_not_missed),
		cmocka_unit_test(only_whole_ids_name_the_blocker),
		cmocka_unit_test(the_acl_is_named_before_the_groups_of_the_association),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
