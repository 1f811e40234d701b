/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lattice-probe/buf.h"
#include "lattice-probe/control.h"
#include "lattice-probe/control_facts.h"
#include "lattice-probe/err.h"

#define COUNT(array) (sizeof (array) / sizeof *(array))
#define VPC "vpc-0123456789abcdef0"

/* ---- VPC Lattice's answers ---------------------------------------------------------------- */

static int read_associations(const char *text, struct control_association *association, struct control_page *page)
{
	return control_lattice_read_associations(text, strlen(text), VPC, association, page);
}

static void the_association_of_this_vpc_is_picked(void **state)
{
	struct control_association association = { .id = "" };
	struct control_page page;

	(void)state;
	assert_int_equal(read_associations("{\"items\":[{\"id\":\"snva-1\",\"vpcId\":\"vpc-2\",\"status\":\"ACTIVE\"},"
		"{\"id\":\"snva-2\",\"arn\":\"arn:x\",\"vpcId\":\"" VPC "\",\"status\":\"CREATE_FAILED\","
		"\"serviceNetworkId\":\"sn-1\",\"serviceNetworkArn\":null,\"new\":[]}],\"nextToken\":\"a+/=\"}",
		&association, &page), 0);
	assert_string_equal(association.id, "snva-2");
	assert_string_equal(association.arn, "arn:x");
	assert_string_equal(association.network_id, "sn-1");
	assert_string_equal(association.network_arn, "");
	assert_string_equal(page.token, "a+/=");
	/* On the next page an active one goes before it, and nothing goes before that. */
	assert_int_equal(read_associations("{\"items\":[{\"id\":\"snva-3\",\"vpcId\":\"" VPC "\",\"status\":\"ACTIVE\"},"
		"{\"id\":\"snva-4\",\"vpcId\":\"" VPC "\",\"status\":\"DELETE_FAILED\"}],\"nextToken\":null}", &association, &page), 0);
	assert_string_equal(association.id, "snva-3");
	assert_string_equal(page.token, "");
}

static void a_list_that_makes_no_sense_is_refused(void **state)
{
	static const char *const texts[] = { "", "{}", "[]", "{\"items\":{}}", "{\"items\":null}", "{\"items\":[7]}",
		"{\"items\":[{}]}", "{\"items\":[{\"id\":\"x\"}]}", "{\"items\":[{\"id\":\"two words\",\"status\":\"ACTIVE\"}]}",
		"{\"items\":[],\"nextToken\":\"new\\nline\"}", "{\"items\":[],\"nextToken\":\"nul\\u0000\"}", "{\"items\":[]",
		("{\"items\":[{\"id\":\"0123456789012345678901234567890123456789012345678901234567890123456789\","
			"\"status\":\"ACTIVE\"}]}") };
	struct control_association association = { .id = "" };
	struct control_service service = { .id = "" };
	struct control_page page;

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		if (read_associations(texts[i], &association, &page) != ERR_PROTOCOL)
			fail_msg("%s is taken", texts[i]);
		if (control_lattice_read_services(texts[i], strlen(texts[i]), "a", &service, &page) != ERR_PROTOCOL)
			fail_msg("%s is taken", texts[i]);
	}
	assert_string_equal(association.id, "");
}

static void groups_and_failure_come_with_the_one_asked_for(void **state)
{
	static const char text[] = "{\"id\":\"snva-1\",\"securityGroupIds\":[\"sg-1\",\"sg-2\"],"
		"\"failureMessage\":\"of 123456789012\"}";
	static const char *const refused[] = { "{}", "{\"id\":\"snva-2\"}", "{\"id\":\"snva-1\",\"securityGroupIds\":{}}",
		"{\"id\":\"snva-1\",\"securityGroupIds\":[7]}", "{\"id\":\"snva-1\",\"securityGroupIds\":[\"a,b\"]}",
		"{\"id\":\"snva-1\",\"securityGroupIds\":[\"\"]}", "x" };
	struct control_association association = { .id = "snva-1" };

	(void)state;
	for (size_t i = 0; i < COUNT(refused); i++)
		assert_int_equal(control_lattice_read_association(refused[i], strlen(refused[i]), &association), ERR_PROTOCOL);
	assert_int_equal(control_lattice_read_association(text, strlen(text), &association), 0);
	assert_string_equal(association.groups, "sg-1,sg-2");
	assert_string_equal(association.failure, "of ***");
	assert_int_equal(control_lattice_read_association("{\"id\":\"snva-1\"}", 15, &association), 0);
	assert_string_equal(association.groups, "");
}

static void a_service_is_found_by_either_name_without_case(void **state)
{
	static const char text[] = "{\"items\":[{\"serviceId\":\"svc-1\",\"status\":\"ACTIVE\","
		"\"dnsEntry\":{\"domainName\":\"one.on.aws\"}},{\"serviceId\":\"svc-2\",\"status\":\"ACTIVE\","
		"\"dnsEntry\":{\"domainName\":\"Two.on.aws\"},\"customDomainName\":\"shop.example.com\"}]}";
	static const struct { const char *host; const char *id; } hosts[] = { { "ONE.on.aws", "svc-1" },
		{ "two.on.aws", "svc-2" }, { "SHOP.example.com", "svc-2" }, { "example.com", "" } };

	(void)state;
	for (size_t i = 0; i < COUNT(hosts); i++) {
		struct control_service service = { .id = "" };
		struct control_page page;

		assert_int_equal(control_lattice_read_services(text, strlen(text), hosts[i].host, &service, &page), 0);
		assert_string_equal(service.id, hosts[i].id);
	}
}

/* ---- EC2's answers ------------------------------------------------------------------------ */

#define VPCS(id, owner) "<DescribeVpcsResponse><vpcSet><item><vpcId>" id "</vpcId><ownerId>" owner \
	"</ownerId></item></vpcSet></DescribeVpcsResponse>"

static void the_owner_is_that_of_the_vpc_asked_for(void **state)
{
	static const char good[] = VPCS(VPC, "123456789012");
	static const char *const refused[] = { VPCS("vpc-1", "123456789012"), VPCS(VPC, ""), VPCS(VPC, "12345678901234567"),
		"<DescribeVpcsResponse><vpcSet/></DescribeVpcsResponse>", "", "{}", "<Response/>" };
	char owner[16] = "";

	(void)state;
	for (size_t i = 0; i < COUNT(refused); i++)
		assert_int_equal(control_ec2_read_owner(refused[i], strlen(refused[i]), VPC, owner), ERR_PROTOCOL);
	assert_string_equal(owner, "");
	assert_int_equal(control_ec2_read_owner(good, strlen(good), VPC, owner), 0);
	assert_string_equal(owner, "123456789012");
}

#define ATTRIBUTE(value) "<DescribeVpcAttributeResponse><enableDnsSupport><value>" value \
	"</value></enableDnsSupport></DescribeVpcAttributeResponse>"

static void an_attribute_is_true_or_false(void **state)
{
	static const struct { const char *text; int err; enum claim claim; } rows[] = {
		{ ATTRIBUTE("true"), 0, CLAIM_YES }, { ATTRIBUTE("false"), 0, CLAIM_NO }, { ATTRIBUTE(""), ERR_PROTOCOL, CLAIM_UNKNOWN },
		{ ATTRIBUTE("True"), ERR_PROTOCOL, CLAIM_UNKNOWN }, { "<DescribeVpcAttributeResponse/>", ERR_PROTOCOL, CLAIM_UNKNOWN } };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		enum claim claim = CLAIM_UNKNOWN;

		assert_int_equal(control_ec2_read_attribute(rows[i].text, strlen(rows[i].text), "enableDnsSupport", &claim),
			rows[i].err);
		assert_int_equal(claim, rows[i].claim);
	}
}

#define GROUPS(permissions) "<DescribeSecurityGroupsResponse><securityGroupInfo><item><groupId>sg-1</groupId>" \
	permissions "</item></securityGroupInfo><nextToken>t</nextToken></DescribeSecurityGroupsResponse>"

static void a_group_is_one_permission_for_each_peer(void **state)
{
	static const char text[] = GROUPS("<ipPermissions><item><ipProtocol>tcp</ipProtocol><fromPort>443</fromPort>"
		"<toPort>444</toPort><groups><item><userId>1</userId><groupId>sg-2</groupId></item></groups><ipRanges><item>"
		"<cidrIp>10.0.0.0/16</cidrIp></item><item><cidrIp>10.1.0.0/16</cidrIp></item></ipRanges><ipv6Ranges><item>"
		"<cidrIpv6>::/0</cidrIpv6></item></ipv6Ranges><prefixListIds/></item></ipPermissions><ipPermissionsEgress><item>"
		"<ipProtocol>-1</ipProtocol><prefixListIds><item><prefixListId>pl-1</prefixListId></item></prefixListIds></item>"
		"</ipPermissionsEgress>");
	struct control_groups groups = { .id_count = 0 };
	struct control_page page;

	(void)state;
	assert_int_equal(control_ec2_read_groups(text, strlen(text), &groups, &page), 0);
	assert_string_equal(page.token, "t");
	assert_int_equal(groups.id_count, 1);
	assert_int_equal(groups.permission_count, 5);
	assert_false(groups.is_cut);
	assert_int_equal(groups.permissions[0].from_port, 443);
	assert_int_equal(groups.permissions[0].to_port, 444);
	assert_int_equal(groups.permissions[3].peer, CONTROL_PEER_GROUP);
	assert_string_equal(groups.permissions[3].peer_id, "sg-2");
	assert_true(groups.permissions[4].is_egress);
	assert_int_equal(groups.permissions[4].protocol, CONTROL_PROTOCOL_ANY);
	assert_int_equal(groups.permissions[4].from_port, -1);
	assert_string_equal(groups.permissions[4].peer_id, "pl-1");
	control_groups_done(&groups);
}

/* What is not understood forbids nothing. */
static void a_rule_that_makes_no_sense_cuts_the_group(void **state)
{
	static const char *const texts[] = {
		GROUPS("<ipPermissions><item><fromPort>1</fromPort></item></ipPermissions>"),
		GROUPS("<ipPermissions><item><ipProtocol>tcp</ipProtocol><fromPort>x</fromPort></item></ipPermissions>"),
		GROUPS("<ipPermissions><item><ipProtocol>tcp</ipProtocol><toPort>70000</toPort></item></ipPermissions>"),
		GROUPS("<ipPermissions><item><ipProtocol>6</ipProtocol><ipRanges><item><cidrIp>10/8</cidrIp></item></ipRanges>"
			"</item></ipPermissions>"),
		GROUPS("<ipPermissionsEgress><item><ipProtocol>6</ipProtocol><groups><item/></groups></item></ipPermissionsEgress>") };

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct control_groups groups = { .id_count = 0 };
		struct control_page page;

		assert_int_equal(control_ec2_read_groups(texts[i], strlen(texts[i]), &groups, &page), 0);
		assert_true(groups.is_cut);
		control_groups_done(&groups);
	}
}

static void more_rules_than_there_can_be_are_cut(void **state)
{
	struct control_groups groups = { .id_count = 0 };
	struct control_page page;
	struct buf text;

	(void)state;
	buf_init(&text, 1024 * 1024);
	(void)buf_append_text(&text, "<DescribeSecurityGroupsResponse><securityGroupInfo><item><groupId>sg-1</groupId>"
		"<ipPermissions><item><ipProtocol>-1</ipProtocol><ipRanges>");
	for (int i = 0; i < CONTROL_PERMISSIONS_MAX + 1; i++)
		(void)buf_append_text(&text, "<item><cidrIp>10.0.0.0/8</cidrIp></item>");
	(void)buf_append_text(&text, "</ipRanges></item></ipPermissions></item></securityGroupInfo>"
		"</DescribeSecurityGroupsResponse>");
	assert_int_equal(text.failed, 0);
	assert_int_equal(control_ec2_read_groups(text.data, text.length_bytes, &groups, &page), 0);
	assert_int_equal(groups.permission_count, CONTROL_PERMISSIONS_MAX);
	assert_true(groups.is_cut);
	control_groups_done(&groups);
	buf_done(&text);
}

#define TABLE(routes) "<DescribeRouteTablesResponse><routeTableSet><item><routeTableId>rtb-1</routeTableId><routeSet>" \
	routes "</routeSet></item></routeTableSet></DescribeRouteTablesResponse>"
#define ROUTE(tag, to, state) "<item><" tag ">" to "</" tag "><state>" state "</state></item>"

static struct control_table table; /* too large for a stack frame here */

static int read_table(const char *text)
{
	struct control_page page;

	memset(&table, 0, sizeof table);
	return control_ec2_read_table(text, strlen(text), &table, &page);
}

static void a_table_is_its_routes(void **state)
{
	(void)state;
	assert_int_equal(read_table(TABLE(ROUTE("destinationCidrBlock", "10.0.0.0/16", "active")
		ROUTE("destinationIpv6CidrBlock", "::/0", "blackhole") ROUTE("destinationPrefixListId", "pl-1", "active"))), 0);
	assert_int_equal(table.count, 3);
	assert_true(table.routes[0].is_active);
	assert_false(table.routes[1].is_active);
	assert_string_equal(table.routes[2].list_id, "pl-1");
	assert_false(table.is_cut);
	assert_int_equal(read_table("<DescribeRouteTablesResponse><routeTableSet/></DescribeRouteTablesResponse>"), 0);
	assert_string_equal(table.id, "");
	assert_int_equal(read_table(TABLE("<item/>")), 0);
	assert_true(table.is_cut);
	assert_int_equal(read_table("<DescribeRouteTablesResponse><routeTableSet><item><routeTableId>a</routeTableId></item>"
		"<item><routeTableId>b</routeTableId></item></routeTableSet></DescribeRouteTablesResponse>"), ERR_PROTOCOL);
}

static void an_acl_is_its_entries(void **state)
{
	static const char text[] = "<DescribeNetworkAclsResponse><networkAclSet><item><networkAclId>acl-1</networkAclId>"
		"<entrySet><item><ruleNumber>100</ruleNumber><protocol>6</protocol><ruleAction>allow</ruleAction>"
		"<egress>true</egress><cidrBlock>0.0.0.0/0</cidrBlock><portRange><from>1</from><to>9</to></portRange></item>"
		"<item><ruleNumber>101</ruleNumber><protocol>17</protocol><ruleAction>deny</ruleAction><egress>false</egress>"
		"<ipv6CidrBlock>::/0</ipv6CidrBlock></item><item><ruleNumber>x</ruleNumber></item></entrySet></item>"
		"</networkAclSet></DescribeNetworkAclsResponse>";
	struct control_acl acl = { .id = "" };
	struct control_page page;

	(void)state;
	assert_int_equal(control_ec2_read_acl(text, strlen(text), &acl, &page), 0);
	assert_string_equal(acl.id, "acl-1");
	assert_int_equal(acl.count, 2);
	assert_true(acl.is_cut);
	assert_true(acl.entries[0].is_egress && acl.entries[0].is_allowed);
	assert_int_equal(acl.entries[0].to_port, 9);
	assert_int_equal(acl.entries[1].protocol, CONTROL_PROTOCOL_OTHER);
	assert_int_equal(acl.entries[1].from_port, -1);
	assert_false(acl.entries[1].is_egress || acl.entries[1].is_allowed);
}

static void lists_are_known_by_their_names(void **state)
{
	static const char text[] = "<DescribeManagedPrefixListsResponse><prefixListSet>"
		"<item><prefixListId>pl-3</prefixListId><prefixListName>com.amazonaws.us-east-1.s3</prefixListName>"
		"<ownerId>AWS</ownerId></item><item><prefixListId>pl-5</prefixListId><prefixListName>ours</prefixListName>"
		"<ownerId>123456789012</ownerId></item><item><prefixListId>pl-7</prefixListId><ownerId>AWS</ownerId></item>"
		"<item><prefixListId>pl-6</prefixListId><prefixListName>com.amazonaws.us-east-1.ipv6.vpc-lattice</prefixListName>"
		"</item><item><prefixListId>pl-4</prefixListId><prefixListName>com.amazonaws.us-east-1.vpc-lattice"
		"</prefixListName></item></prefixListSet></DescribeManagedPrefixListsResponse>";
	static const char entries[] = "<GetManagedPrefixListEntriesResponse><entrySet><item><cidr>169.254.171.0/24</cidr>"
		"</item></entrySet></GetManagedPrefixListEntriesResponse>";
	static const char odd[] = "<GetManagedPrefixListEntriesResponse><entrySet><item/></entrySet>"
		"</GetManagedPrefixListEntriesResponse>";
	struct control_list lists[CONTROL_LISTS] = { { .id = "" } };
	char aws_lists[CONTROL_AWS_LISTS_SIZE] = "";
	struct control_page page;

	(void)state;
	assert_int_equal(control_ec2_read_lists(text, strlen(text), "us-east-1", lists, aws_lists, &page), 0);
	assert_string_equal(aws_lists, "pl-3,pl-7");
	assert_string_equal(lists[0].id, "pl-4");
	assert_string_equal(lists[1].id, "pl-6");
	assert_int_equal(control_ec2_read_entries(entries, strlen(entries), &lists[0], &page), 0);
	assert_int_equal(lists[0].networks.count, 1);
	assert_int_equal(control_ec2_read_entries(odd, strlen(odd), &lists[0], &page), ERR_PROTOCOL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_association_of_this_vpc_is_picked),
		cmocka_unit_test(a_list_that_makes_no_sense_is_refused),
		cmocka_unit_test(groups_and_failure_come_with_the_one_asked_for),
		cmocka_unit_test(a_service_is_found_by_either_name_without_case),
		cmocka_unit_test(the_owner_is_that_of_the_vpc_asked_for),
		cmocka_unit_test(an_attribute_is_true_or_false),
		cmocka_unit_test(a_group_is_one_permission_for_each_peer),
		cmocka_unit_test(a_rule_that_makes_no_sense_cuts_the_group),
		cmocka_unit_test(more_rules_than_there_can_be_are_cut),
		cmocka_unit_test(a_table_is_its_routes),
		cmocka_unit_test(an_acl_is_its_entries),
		cmocka_unit_test(lists_are_known_by_their_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
