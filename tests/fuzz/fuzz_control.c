/* SPDX-License-Identifier: Apache-2.0 */
/* control: bytes as each of the control plane's answers, then judged. Nothing read overruns its place,
 * and what was not understood never forbids. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "lattice-probe/control.h"
#include "lattice-probe/control_facts.h"
#include "lattice-probe/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct control_facts facts; /* large */

static void read_lattice(const char *text, size_t size)
{
	struct control_page page;

	(void)control_lattice_read_associations(text, size, "vpc-0123456789abcdef0", &facts.association, &page);
	(void)control_lattice_read_association(text, size, &facts.association);
	(void)control_lattice_read_services(text, size, facts.host, &facts.service, &page);
	assert(memchr(facts.association.groups, '\0', sizeof facts.association.groups));
	assert(memchr(facts.association.failure, '\0', sizeof facts.association.failure));
	assert(memchr(facts.service.name, '\0', sizeof facts.service.name));
}

static void read_ec2(const char *text, size_t size)
{
	struct control_page page;

	(void)control_ec2_read_owner(text, size, "vpc-0123456789abcdef0", facts.owner_id);
	(void)control_ec2_read_attribute(text, size, "enableDnsSupport", &facts.dns_support);
	(void)control_ec2_read_groups(text, size, &facts.groups, &page);
	(void)control_ec2_read_table(text, size, &facts.table, &page);
	(void)control_ec2_read_acl(text, size, &facts.acl, &page);
	(void)control_ec2_read_lists(text, size, "us-east-1", facts.lists, facts.aws_lists, &page);
	(void)control_ec2_read_entries(text, size, &facts.lists[0], &page);
	assert(memchr(facts.aws_lists, '\0', sizeof facts.aws_lists));
	assert(memchr(page.token, '\0', sizeof page.token));
	assert(facts.groups.id_count <= CONTROL_GROUPS_MAX && facts.groups.permission_count <= CONTROL_PERMISSIONS_MAX);
	assert(facts.table.count <= CONTROL_ROUTES_MAX && facts.acl.count <= CONTROL_ENTRIES_MAX);
}

static void judge(void)
{
	struct evidence_control control = { .is_asked = true };

	for (size_t i = 0; i < JOB_COUNT; i++)
		facts.is_known[i] = true;
	control_claims_fill(&facts, &control);
	assert(!facts.groups.is_cut || control.instance_sg_allows != CLAIM_NO);
	assert(!facts.table.is_cut || control.has_route != CLAIM_NO);
	assert(!facts.acl.is_cut || control.nacl_allows_out == CLAIM_UNKNOWN);
	assert(memchr(control.blocked_by, '\0', sizeof control.blocked_by));
	assert(control.lattice_networks.count <= ADDRESS_NETWORKS_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	facts = (struct control_facts){ .account_id = "123456789012", .own_groups = "sg-0123456789abcdef0",
		.host = "shop.example.com" };
	(void)parse_address("169.254.171.33", 443, &facts.destination);
	(void)parse_address("10.0.1.10", 0, &facts.source);
	read_lattice((const char *)data, size);
	read_ec2((const char *)data, size);
	judge();
	control_groups_done(&facts.groups);
	return 0;
}
