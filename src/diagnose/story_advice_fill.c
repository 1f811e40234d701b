/* SPDX-License-Identifier: Apache-2.0 */
/* What the {NAMES} in a row of advice stand for. */
#include "lattice-probe/story.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "story_advice_internal.h"
#include "story_internal.h"

#define VALUE_SIZE DNS_NAME_SIZE

typedef void (*write_value)(const struct evidence *evidence, char ret_text[static VALUE_SIZE]);

static void copy(char ret_text[static VALUE_SIZE], const char *text)
{
	(void)snprintf(ret_text, VALUE_SIZE, "%s", text);
}

/* Of a list by comma the first. */
static void copy_first(char ret_text[static VALUE_SIZE], const char *text)
{
	(void)snprintf(ret_text, VALUE_SIZE, "%.*s", (int)strcspn(text, ", "), text);
}

/* ---- this host --------------------------------------------------------------------------------- */

static void write_instance_id(const struct evidence *evidence, char ret_text[static VALUE_SIZE])
{
	copy(ret_text, evidence->where.facts.instance_id);
}

static void write_vpc_id(const struct evidence *evidence, char ret_text[static VALUE_SIZE])
{
	copy(ret_text, evidence->where.facts.vpc_id);
}

static void write_subnet_id(const struct evidence *evidence, char ret_text[static VALUE_SIZE])
{
	copy(ret_text, evidence->where.facts.subnet_id);
}

static void write_zone_id(const struct evidence *evidence, char ret_text[static VALUE_SIZE])
{
	copy(ret_text, evidence->where.facts.availability_zone_id);
}

static void write_instance_group(const struct evidence *evidence, char ret_text[static VALUE_SIZE])
{
	copy_first(ret_text, evidence->where.security_groups);
}

/* …vpc-lattice-svcs.REGION.on.aws: the third label from the end. */
static void write_region(const struct evidence *evidence, char ret_text[static VALUE_SIZE])
{
	const char *host = evidence->target.host;
	const char *marker = strstr(host, ".vpc-lattice-");
	const char *label = marker ? strchr(marker + 1, '.') : NULL;

	if (evidence->where.facts.region[0])
		copy(ret_text, evidence->where.facts.region);
	else if (label)
		(void)snprintf(ret_text, VALUE_SIZE, "%.*s", (int)strcspn(label + 1, "."), label + 1);
	else
		copy(ret_text, "");
}

/* ---- the target -------------------------------------------------------------------------------- */

static void write_host(const struct evidence *evidence, char ret_text[static VALUE_SIZE])
{
	copy(ret_text, evidence->target.host);
}

static void write_url(const struct evidence *evidence, char ret_text[static VALUE_SIZE])
{
	copy(ret_text, evidence->target.url);
}

static void write_port(const struct evidence *evidence, char ret_text[static VALUE_SIZE])
{
	(void)snprintf(ret_text, VALUE_SIZE, "%u", (unsigned)evidence->target.port);
	if (evidence->target.port == 0)
		copy(ret_text, "");
}

static void write_generated_name(const struct evidence *evidence, char ret_text[static VALUE_SIZE])
{
	if (evidence->control.generated_name[0])
		copy(ret_text, evidence->control.generated_name);
	else if (evidence->dns.generated_name[0])
		copy(ret_text, evidence->dns.generated_name);
	else
		copy(ret_text, evidence->target.name == EVIDENCE_NAME_SERVICE ? evidence->target.host : "");
}

static void write_family(const struct evidence *evidence, char ret_text[static VALUE_SIZE])
{
	copy(ret_text, evidence->target.ip == TARGET_IP_V6 ? "AAAA" : "A");
}

static void write_resolver(const struct evidence *evidence, char ret_text[static VALUE_SIZE])
{
	const struct evidence_resolver *resolver = evidence_first_resolver(evidence);
	char text[ADDRESS_TEXT_SIZE] = "";

	if (resolver)
		address_format(&resolver->server, text);
	copy(ret_text, text);
}

/* ---- the path ----------------------------------------------------------------------------------- */

static bool is_v6(const struct evidence *evidence)
{
	const struct evidence_path *path = evidence_preferred_path(evidence);

	return path && path->address.sa.sa_family == AF_INET6;
}

static void write_address(const struct evidence *evidence, char ret_text[static VALUE_SIZE])
{
	const struct evidence_path *path = evidence_preferred_path(evidence);
	char text[ADDRESS_TEXT_SIZE] = "";

	if (path)
		address_format(&path->address, text);
	copy(ret_text, text);
}

static void write_address_port(const struct evidence *evidence, char ret_text[static VALUE_SIZE])
{
	const struct evidence_path *path = evidence_preferred_path(evidence);
	char text[ADDRESS_TEXT_SIZE] = "";

	if (path)
		address_format_port(&path->address, text);
	copy(ret_text, text);
}

static void write_device(const struct evidence *evidence, char ret_text[static VALUE_SIZE])
{
	const struct evidence_path *path = evidence_preferred_path(evidence);

	copy(ret_text, path ? path->route.device : "");
}

/* The range to open towards: Lattice's where the address is Lattice's, else the address alone. */
static void write_destination(const struct evidence *evidence, char ret_text[static VALUE_SIZE])
{
	const struct evidence_path *path = evidence_preferred_path(evidence);
	char text[ADDRESS_TEXT_SIZE] = "";

	if (path && path->class_ == ADDRESS_CLASS_LATTICE) {
		copy(ret_text, is_v6(evidence) ? "fd00:ec2:80::/64" : "169.254.171.0/24");
	} else if (path && path->class_ == ADDRESS_CLASS_RESOURCE) {
		copy(ret_text, "129.224.0.0/17");
	} else {
		if (path)
			address_format(&path->address, text);
		(void)snprintf(ret_text, VALUE_SIZE, "%s%s", text, !text[0] ? "" : is_v6(evidence) ? "/128" : "/32");
	}
}

/* This host as a security group sees it. */
static void write_source(const struct evidence *evidence, char ret_text[static VALUE_SIZE])
{
	const struct evidence_path *path = evidence_preferred_path(evidence);
	char text[ADDRESS_TEXT_SIZE];

	copy(ret_text, "");
	if (!path || path->route.source.sa.sa_family == AF_UNSPEC)
		return;
	address_format(&path->route.source, text);
	(void)snprintf(ret_text, VALUE_SIZE, "%s/%d", text, path->route.source.sa.sa_family == AF_INET6 ? 128 : 32);
}

/* ---- the control plane -------------------------------------------------------------------------- */

static void write_association(const struct evidence *evidence, char ret_text[static VALUE_SIZE])
{
	copy(ret_text, evidence->control.association_id);
}

static void write_network(const struct evidence *evidence, char ret_text[static VALUE_SIZE])
{
	copy(ret_text, evidence->control.service_network_id);
}

static void write_service(const struct evidence *evidence, char ret_text[static VALUE_SIZE])
{
	copy(ret_text, evidence->control.service_id);
}

/* What blocks, where the control plane named it and it is of that kind. */
static void copy_blocker(const struct evidence *evidence, const char *prefix, char ret_text[static VALUE_SIZE])
{
	const char *blocker = evidence->control.blocked_by;

	if (strncmp(blocker, prefix, strlen(prefix)) == 0)
		copy_first(ret_text, blocker);
	else
		copy(ret_text, "");
}

/* `blocked_by` belongs to the first claim that says no; the instance's groups come before these. */
static void write_association_group(const struct evidence *evidence, char ret_text[static VALUE_SIZE])
{
	if (evidence->control.instance_sg_allows != CLAIM_NO && evidence->control.association_sg_allows == CLAIM_NO)
		copy_blocker(evidence, "sg-", ret_text);
	else
		copy(ret_text, "");
}

static void write_acl(const struct evidence *evidence, char ret_text[static VALUE_SIZE])
{
	copy_blocker(evidence, "acl-", ret_text);
}

struct placeholder {
	const char *name;
	write_value write;
};

static const struct placeholder placeholders[] = {
	{ "ACL_ID", write_acl },
	{ "ADDRESS", write_address },
	{ "ADDRESS_AND_PORT", write_address_port },
	{ "ASSOCIATION_GROUP_ID", write_association_group },
	{ "ASSOCIATION_ID", write_association },
	{ "DESTINATION_CIDR", write_destination },
	{ "DEVICE", write_device },
	{ "GENERATED_NAME", write_generated_name },
	{ "HOST", write_host },
	{ "INSTANCE_GROUP_ID", write_instance_group },
	{ "INSTANCE_ID", write_instance_id },
	{ "PORT", write_port },
	{ "RECORD_TYPE", write_family },
	{ "REGION", write_region },
	{ "RESOLVER", write_resolver },
	{ "SERVICE_ID", write_service },
	{ "SERVICE_NETWORK_ID", write_network },
	{ "SOURCE_CIDR", write_source },
	{ "SUBNET_ID", write_subnet_id },
	{ "URL", write_url },
	{ "VPC_ID", write_vpc_id },
	{ "ZONE_ID", write_zone_id },
};

/* ---- writing ------------------------------------------------------------------------------------ */

static bool is_shell_word(const char *text)
{
	static const char others[] = "._:/-[]%";

	if (text[0] == '-')
		return false;
	for (; *text; text++)
		if (!isalnum((unsigned char)*text) && !strchr(others, *text))
			return false;
	return true;
}

/* {NAME} at the start of the text: the name's length; 0: it is no placeholder. */
static size_t name_length(const char *text)
{
	size_t length = 0;

	if (*text != '{')
		return 0;
	while (isupper((unsigned char)text[1 + length]) || text[1 + length] == '_')
		length++;
	return text[1 + length] == '}' ? length : 0;
}

static void append_value(const char *name, size_t length, const struct evidence *evidence, bool is_command,
	char ret_text[static STORY_FIX_SIZE])
{
	char value[VALUE_SIZE] = "";

	for (size_t i = 0; i < sizeof placeholders / sizeof *placeholders; i++)
		if (strlen(placeholders[i].name) == length && strncmp(placeholders[i].name, name, length) == 0)
			placeholders[i].write(evidence, value);
	if (!value[0] || (is_command && !is_shell_word(value)))
		(void)snprintf(value, sizeof value, "%.*s", (int)length, name);
	story_append(ret_text, STORY_FIX_SIZE, "%s", value);
}

void story_advice_fill_in(const char *row, const struct evidence *evidence, bool is_command,
	char ret_text[static STORY_FIX_SIZE])
{
	ret_text[0] = '\0';
	while (*row) {
		size_t length = name_length(row);
		size_t plain = strcspn(row + 1, "{") + 1;

		if (length > 0) {
			append_value(row + 1, length, evidence, is_command, ret_text);
			row += length + 2;
		} else {
			story_append(ret_text, STORY_FIX_SIZE, "%.*s", (int)plain, row);
			row += plain;
		}
	}
}
