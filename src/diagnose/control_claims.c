/* SPDX-License-Identifier: Apache-2.0 */
/* What all that was learnt comes to. Absence is claimed only of lists that were read whole and that this
 * account sees whole. */
#include "lattice-probe/control.h"

#include <stdio.h>
#include <string.h>

#include "lattice-probe/control_facts.h"

static void set_text(char *text, size_t size, const char *from)
{
	(void)snprintf(text, size, "%s", from);
}

static void claim_association(const struct control_facts *facts, struct evidence_control *control)
{
	const struct control_association *association = &facts->association;

	set_text(control->association_id, sizeof control->association_id, association->id);
	set_text(control->association_status, sizeof control->association_status, association->status);
	set_text(control->association_failure, sizeof control->association_failure, association->failure);
	set_text(control->service_network_id, sizeof control->service_network_id, association->network_id);
	if (facts->owner_id[0] && facts->account_id[0])
		control->owns_vpc = strcmp(facts->owner_id, facts->account_id) == 0 ? CLAIM_YES : CLAIM_NO;
	if (strcmp(association->status, "ACTIVE") == 0)
		control->is_associated = CLAIM_YES;
	else if (!facts->is_known[JOB_VPC_ASSOCIATIONS])
		control->is_associated = CLAIM_UNKNOWN;
	else if (!association->id[0])
		control->is_associated = control->owns_vpc == CLAIM_YES ? CLAIM_NO : CLAIM_UNKNOWN;
	else if (strncmp(association->status, "CREATE_", 7) == 0 || strcmp(association->status, "DELETE_IN_PROGRESS") == 0)
		control->is_associated = CLAIM_NO;
	/* An update, done or failed, and a failed removal leave one that may well work. */
}

/* Names of endpoints and resources are made from other ids than those in the list. */
static bool is_name_in_list(const char *host)
{
	return strncmp(host, "vpce-", 5) != 0 && !strstr(host, ".vpc-lattice-rsc.");
}

static void claim_service(const struct control_facts *facts, struct evidence_control *control)
{
	const struct control_service *service = &facts->service;

	set_text(control->service_id, sizeof control->service_id, service->id);
	set_text(control->generated_name, sizeof control->generated_name, service->name);
	set_text(control->service_status, sizeof control->service_status, service->status);
	if (strcmp(service->status, "ACTIVE") == 0)
		control->is_service_in_network = CLAIM_YES;
	else if (facts->is_known[JOB_SERVICES] && is_name_in_list(facts->host) &&
		 strcmp(service->status, "DELETE_FAILED") != 0)
		control->is_service_in_network = CLAIM_NO;
}

static enum claim association_groups_allow(const struct control_facts *facts, const struct control_flow *flow)
{
	if (!facts->is_known[JOB_VPC_ASSOCIATION])
		return CLAIM_UNKNOWN;
	if (!facts->association.groups[0])
		return CLAIM_YES;
	return control_rules_groups_allow(&facts->groups, facts->association.groups, false, flow);
}

static void claim_path(const struct control_facts *facts, struct evidence_control *control)
{
	const struct control_flow flow = { .source = facts->source, .destination = facts->destination,
		.own_groups = facts->own_groups, .lists = facts->lists, .aws_lists = facts->aws_lists };

	control->instance_sg_allows = control_rules_groups_allow(&facts->groups, facts->own_groups, true, &flow);
	control->association_sg_allows = association_groups_allow(facts, &flow);
	if (facts->is_known[JOB_ACL]) {
		control->nacl_allows_out = control_rules_acl_allows_out(&facts->acl, &flow);
		control->nacl_allows_back = control_rules_acl_allows_back(&facts->acl, &flow);
	}
	if (facts->is_known[JOB_SUBNET_TABLE] && (facts->table.id[0] || facts->is_known[JOB_MAIN_TABLE]))
		control->has_route = control_rules_table_leads(&facts->table, &flow);
}

/* As many whole ids as there is room for. */
static void set_ids(char ret_ids[static CONTROL_ID_SIZE], const char *ids)
{
	size_t length = strlen(ids);

	if (length >= CONTROL_ID_SIZE) {
		length = CONTROL_ID_SIZE - 1;
		while (length > 0 && ids[length] != ',')
			length--;
	}
	memcpy(ret_ids, ids, length);
	ret_ids[length] = '\0';
}

/* In the order in which the verdicts are named: whoever reads the first NO reads its own id here. */
static void name_blocker(const struct control_facts *facts, struct evidence_control *control)
{
	if (control->instance_sg_allows == CLAIM_NO)
		set_ids(control->blocked_by, facts->own_groups);
	else if (control->nacl_allows_out == CLAIM_NO || control->nacl_allows_back == CLAIM_NO)
		set_ids(control->blocked_by, facts->acl.id);
	else if (control->association_sg_allows == CLAIM_NO)
		set_ids(control->blocked_by, facts->association.groups);
}

static void collect_networks(const struct control_facts *facts, struct address_networks *networks)
{
	for (size_t i = 0; i < CONTROL_LISTS; i++)
		for (size_t j = 0; j < facts->lists[i].networks.count && networks->count < ADDRESS_NETWORKS_MAX; j++)
			networks->items[networks->count++] = facts->lists[i].networks.items[j];
}

void control_claims_fill(const struct control_facts *facts, struct evidence_control *control)
{
	claim_association(facts, control);
	claim_service(facts, control);
	control->dns_support = facts->dns_support;
	control->dns_hostnames = facts->dns_hostnames;
	claim_path(facts, control);
	name_blocker(facts, control);
	collect_networks(facts, &control->lattice_networks);
}
