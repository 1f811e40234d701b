/* SPDX-License-Identifier: Apache-2.0 */
/* One row for each question: what it needs, how it is written, how its answer is read. */
#include "lattice-probe/control.h"

#include <string.h>

#include "control_internal.h"

#include "lattice-probe/err.h"

#define EC2_VERSION "2016-11-15"
#define PAGE_ITEMS "100"

/* ---- writing ------------------------------------------------------------------------------ */

/* All but the unreserved characters (RFC 3986 section 2.3), as SigV4 asks for it. */
static int append_encoded(struct buf *text, const char *value)
{
	static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

	for (; *value; value++) {
		if (strchr(unreserved, *value))
			(void)buf_append_char(text, *value);
		else
			(void)buf_append_format(text, "%%%02X", (unsigned)(unsigned char)*value);
	}
	return text->failed;
}

static int append_parameter(struct buf *text, const char *name, const char *value)
{
	(void)buf_append_format(text, "&%s=", name);
	return append_encoded(text, value);
}

static int write_list(struct buf *text, const char *path, const char *name, const char *value,
	const struct control_page *page)
{
	(void)buf_append_format(text, "%s?maxResults=" PAGE_ITEMS, path);
	(void)append_parameter(text, name, value);
	return page->token[0] ? append_parameter(text, "nextToken", page->token) : text->failed;
}

/* The ARN, which is good across accounts, before the id. */
static const char *identifier(const char *arn, const char *id)
{
	return arn[0] ? arn : id;
}

static int write_associations(const struct control_facts *facts, const struct control_page *page, struct buf *text)
{
	return write_list(text, "/servicenetworkvpcassociations", "vpcIdentifier", facts->vpc_id, page);
}

static int write_association(const struct control_facts *facts, const struct control_page *page, struct buf *text)
{
	(void)page;
	(void)buf_append_text(text, "/servicenetworkvpcassociations/");
	return append_encoded(text, identifier(facts->association.arn, facts->association.id));
}

static int write_services(const struct control_facts *facts, const struct control_page *page, struct buf *text)
{
	return write_list(text, "/servicenetworkserviceassociations", "serviceNetworkIdentifier",
		identifier(facts->association.network_arn, facts->association.network_id), page);
}

static int begin_form(struct buf *text, const char *action, const struct control_page *page)
{
	(void)buf_append_format(text, "Action=%s&Version=" EC2_VERSION, action);
	return page->token[0] ? append_parameter(text, "NextToken", page->token) : text->failed;
}

static int append_filter(struct buf *text, int number, const char *name, const char *value)
{
	(void)buf_append_format(text, "&Filter.%d.Name=%s&Filter.%d.Value.1=", number, name, number);
	return append_encoded(text, value);
}

static int write_vpc(const struct control_facts *facts, const struct control_page *page, struct buf *text)
{
	(void)begin_form(text, "DescribeVpcs", page);
	return append_parameter(text, "VpcId.1", facts->vpc_id);
}

static int write_attribute(const struct control_facts *facts, struct buf *text, const char *attribute)
{
	(void)begin_form(text, "DescribeVpcAttribute", &(struct control_page){ "" });
	(void)append_parameter(text, "VpcId", facts->vpc_id);
	return append_parameter(text, "Attribute", attribute);
}

static int write_dns_support(const struct control_facts *facts, const struct control_page *page, struct buf *text)
{
	(void)page;
	return write_attribute(facts, text, "enableDnsSupport");
}

static int write_dns_hostnames(const struct control_facts *facts, const struct control_page *page, struct buf *text)
{
	(void)page;
	return write_attribute(facts, text, "enableDnsHostnames");
}

/* By filter: a group that is not to be seen is left out, where its id would fail the whole call. */
static int write_groups(const char *ids, const struct control_page *page, struct buf *text)
{
	(void)begin_form(text, "DescribeSecurityGroups", page);
	(void)buf_append_text(text, "&Filter.1.Name=group-id");
	for (int number = 1; *ids; number++) {
		size_t length = strcspn(ids, ",");
		char id[CONTROL_ID_SIZE] = "";

		if (length < sizeof id)
			memcpy(id, ids, length);
		(void)buf_append_format(text, "&Filter.1.Value.%d=", number);
		(void)append_encoded(text, id);
		ids += length + (ids[length] == ',');
	}
	return text->failed;
}

static int write_instance_groups(const struct control_facts *facts, const struct control_page *page, struct buf *text)
{
	return write_groups(facts->own_groups, page, text);
}

static int write_association_groups(const struct control_facts *facts, const struct control_page *page, struct buf *text)
{
	return write_groups(facts->association.groups, page, text);
}

static int write_subnet_table(const struct control_facts *facts, const struct control_page *page, struct buf *text)
{
	(void)begin_form(text, "DescribeRouteTables", page);
	return append_filter(text, 1, "association.subnet-id", facts->subnet_id);
}

static int write_main_table(const struct control_facts *facts, const struct control_page *page, struct buf *text)
{
	(void)begin_form(text, "DescribeRouteTables", page);
	(void)append_filter(text, 1, "vpc-id", facts->vpc_id);
	return append_filter(text, 2, "association.main", "true");
}

static int write_acl(const struct control_facts *facts, const struct control_page *page, struct buf *text)
{
	(void)begin_form(text, "DescribeNetworkAcls", page);
	return append_filter(text, 1, "association.subnet-id", facts->subnet_id);
}

/* All of them: those of other services are known to hold nothing of VPC Lattice's. */
static int write_lists(const struct control_facts *facts, const struct control_page *page, struct buf *text)
{
	(void)facts;
	(void)begin_form(text, "DescribeManagedPrefixLists", page);
	return append_parameter(text, "MaxResults", PAGE_ITEMS);
}

static int write_entries(const struct control_list *list, const struct control_page *page, struct buf *text)
{
	(void)begin_form(text, "GetManagedPrefixListEntries", page);
	return append_parameter(text, "PrefixListId", list->id);
}

static int write_entries_ipv4(const struct control_facts *facts, const struct control_page *page, struct buf *text)
{
	return write_entries(&facts->lists[0], page, text);
}

static int write_entries_ipv6(const struct control_facts *facts, const struct control_page *page, struct buf *text)
{
	return write_entries(&facts->lists[1], page, text);
}

/* ---- reading ------------------------------------------------------------------------------ */

static int read_associations(const char *text, size_t bytes, struct control_facts *facts, struct control_page *page)
{
	return control_lattice_read_associations(text, bytes, facts->vpc_id, &facts->association, page);
}

static int read_association(const char *text, size_t bytes, struct control_facts *facts, struct control_page *page)
{
	(void)page;
	return control_lattice_read_association(text, bytes, &facts->association);
}

static int read_services(const char *text, size_t bytes, struct control_facts *facts, struct control_page *page)
{
	return control_lattice_read_services(text, bytes, facts->host, &facts->service, page);
}

static int read_vpc(const char *text, size_t bytes, struct control_facts *facts, struct control_page *page)
{
	(void)page;
	return control_ec2_read_owner(text, bytes, facts->vpc_id, facts->owner_id);
}

static int read_dns_support(const char *text, size_t bytes, struct control_facts *facts, struct control_page *page)
{
	(void)page;
	return control_ec2_read_attribute(text, bytes, "enableDnsSupport", &facts->dns_support);
}

static int read_dns_hostnames(const char *text, size_t bytes, struct control_facts *facts, struct control_page *page)
{
	(void)page;
	return control_ec2_read_attribute(text, bytes, "enableDnsHostnames", &facts->dns_hostnames);
}

static int read_groups(const char *text, size_t bytes, struct control_facts *facts, struct control_page *page)
{
	return control_ec2_read_groups(text, bytes, &facts->groups, page);
}

static int read_table(const char *text, size_t bytes, struct control_facts *facts, struct control_page *page)
{
	return control_ec2_read_table(text, bytes, &facts->table, page);
}

static int read_acl(const char *text, size_t bytes, struct control_facts *facts, struct control_page *page)
{
	return control_ec2_read_acl(text, bytes, &facts->acl, page);
}

static int read_lists(const char *text, size_t bytes, struct control_facts *facts, struct control_page *page)
{
	return control_ec2_read_lists(text, bytes, facts->region, facts->lists, facts->aws_lists, page);
}

static int read_entries(const char *text, size_t bytes, struct control_list *list, struct control_page *page)
{
	int err = control_ec2_read_entries(text, bytes, list, page);

	list->is_known = !err && !page->token[0];
	return err;
}

static int read_entries_ipv4(const char *text, size_t bytes, struct control_facts *facts, struct control_page *page)
{
	return read_entries(text, bytes, &facts->lists[0], page);
}

static int read_entries_ipv6(const char *text, size_t bytes, struct control_facts *facts, struct control_page *page)
{
	return read_entries(text, bytes, &facts->lists[1], page);
}

/* ---- the table ---------------------------------------------------------------------------- */

static bool can_ask_association(const struct control_facts *facts)
{
	return facts->association.id[0];
}

static bool can_ask_services(const struct control_facts *facts)
{
	return facts->association.network_id[0];
}

static bool can_ask_instance_groups(const struct control_facts *facts)
{
	return facts->own_groups[0];
}

static bool can_ask_association_groups(const struct control_facts *facts)
{
	return facts->association.groups[0];
}

static bool can_ask_subnet(const struct control_facts *facts)
{
	return facts->subnet_id[0];
}

static bool can_ask_main_table(const struct control_facts *facts)
{
	return facts->is_known[JOB_SUBNET_TABLE] && !facts->table.id[0];
}

static bool can_ask_entries_ipv4(const struct control_facts *facts)
{
	return facts->lists[0].id[0];
}

static bool can_ask_entries_ipv6(const struct control_facts *facts)
{
	return facts->lists[1].id[0];
}

static const struct {
	enum control_call call;
	bool is_lattice;
	enum control_job after;                               /* JOB_COUNT: nothing */
	bool (*can_ask)(const struct control_facts *facts);   /* NULL: always */
	int (*write)(const struct control_facts *facts, const struct control_page *page, struct buf *text);
	int (*read)(const char *text, size_t bytes, struct control_facts *facts, struct control_page *page);
} jobs[JOB_COUNT] = {
	[JOB_VPC_ASSOCIATIONS] = { CONTROL_VPC_ASSOCIATIONS, true, JOB_COUNT, NULL, write_associations, read_associations },
	[JOB_VPC_ASSOCIATION] = { CONTROL_VPC_ASSOCIATION, true, JOB_VPC_ASSOCIATIONS, can_ask_association,
		write_association, read_association },
	[JOB_SERVICES] = { CONTROL_SERVICE_ASSOCIATIONS, true, JOB_VPC_ASSOCIATIONS, can_ask_services, write_services,
		read_services },
	[JOB_VPC] = { CONTROL_VPC, false, JOB_COUNT, NULL, write_vpc, read_vpc },
	[JOB_DNS_SUPPORT] = { CONTROL_DNS_ATTRIBUTES, false, JOB_COUNT, NULL, write_dns_support, read_dns_support },
	[JOB_DNS_HOSTNAMES] = { CONTROL_DNS_ATTRIBUTES, false, JOB_COUNT, NULL, write_dns_hostnames, read_dns_hostnames },
	[JOB_INSTANCE_GROUPS] = { CONTROL_SECURITY_GROUPS, false, JOB_COUNT, can_ask_instance_groups,
		write_instance_groups, read_groups },
	[JOB_ASSOCIATION_GROUPS] = { CONTROL_SECURITY_GROUPS, false, JOB_VPC_ASSOCIATION, can_ask_association_groups,
		write_association_groups, read_groups },
	[JOB_SUBNET_TABLE] = { CONTROL_ROUTE_TABLES, false, JOB_COUNT, can_ask_subnet, write_subnet_table, read_table },
	[JOB_MAIN_TABLE] = { CONTROL_ROUTE_TABLES, false, JOB_SUBNET_TABLE, can_ask_main_table, write_main_table,
		read_table },
	[JOB_ACL] = { CONTROL_NETWORK_ACLS, false, JOB_COUNT, can_ask_subnet, write_acl, read_acl },
	[JOB_LISTS] = { CONTROL_PREFIX_LISTS, false, JOB_COUNT, NULL, write_lists, read_lists },
	[JOB_ENTRIES_IPV4] = { CONTROL_PREFIX_LISTS, false, JOB_LISTS, can_ask_entries_ipv4, write_entries_ipv4,
		read_entries_ipv4 },
	[JOB_ENTRIES_IPV6] = { CONTROL_PREFIX_LISTS, false, JOB_LISTS, can_ask_entries_ipv6, write_entries_ipv6,
		read_entries_ipv6 },
};

enum control_call control_jobs_call(enum control_job job)
{
	return jobs[job].call;
}

bool control_jobs_is_lattice(enum control_job job)
{
	return jobs[job].is_lattice;
}

enum control_next control_jobs_next(enum control_job job, const struct control_facts *facts,
	const bool has_ended[static JOB_COUNT])
{
	if (jobs[job].after != JOB_COUNT && !has_ended[jobs[job].after])
		return CONTROL_NEXT_WAIT;
	return !jobs[job].can_ask || jobs[job].can_ask(facts) ? CONTROL_NEXT_ASK : CONTROL_NEXT_SKIP;
}

int control_jobs_write(enum control_job job, const struct control_facts *facts, const struct control_page *page,
	struct buf *ret_text)
{
	return jobs[job].write(facts, page, ret_text);
}

int control_jobs_read(enum control_job job, const char *text, size_t length_bytes, struct control_facts *facts,
	struct control_page *ret_page)
{
	return jobs[job].read(text, length_bytes, facts, ret_page);
}
