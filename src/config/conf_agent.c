/* SPDX-License-Identifier: Apache-2.0 */
#include "config_internal.h"

#include <stdio.h>
#include <string.h>

#include "lattice-probe/nearest.h"
#include "lattice-probe/parse.h"

#define DNS_PORT 53

static void refuse_server(struct conf_builder *builder, struct conf_setting *setting, const char *item,
	bool is_alone)
{
	char nearest[NEAREST_WORD_SIZE];
	char shown[CONF_SHOWN_SIZE];

	conf_findings_show(item, shown);
	if (!is_alone && (strcmp(item, "system") == 0 || strcmp(item, "vpc") == 0))
		conf_builder_report(builder, CONF_MISTAKE, setting, "\"%s\" stands alone or not at all; allowed are %s",
			shown, setting->key->choices);
	else if (nearest_word(item, "system|vpc", nearest))
		conf_builder_report(builder, CONF_MISTAKE, setting, "\"%s\" is no resolver; did you mean %s?", shown,
			nearest);
	else
		conf_builder_report(builder, CONF_MISTAKE, setting,
			"\"%s\" is no IP address; allowed are %s", shown, setting->key->choices);
}

static bool has_server(const struct target_resolver *resolver, const union address *server)
{
	for (size_t i = 0; i < resolver->server_count; i++)
		if (address_is_equal(&resolver->servers[i], server))
			return true;
	return false;
}

/* One of the list; false when it was refused. */
static bool add_server(struct conf_builder *builder, struct conf_setting *setting,
	struct target_resolver *resolver, const char *item)
{
	union address server;

	if (parse_address(item, DNS_PORT, &server) != 0)
		refuse_server(builder, setting, item, strchr(setting->value, ',') == NULL);
	else if (has_server(resolver, &server))
		conf_builder_report(builder, CONF_MISTAKE, setting, "%s stands twice in the list", item);
	else if (resolver->server_count == TARGET_RESOLVERS_MAX)
		conf_builder_report(builder, CONF_MISTAKE, setting, "there are more than %d resolvers",
			TARGET_RESOLVERS_MAX);
	else {
		resolver->servers[resolver->server_count++] = server;
		return true;
	}
	return false;
}

int conf_agent_set_resolver(struct conf_builder *builder, struct conf_setting *setting)
{
	struct target_resolver resolver = { .mode = TARGET_RESOLVER_LIST };
	const char *cursor = setting->value;
	char item[CONF_ITEM_SIZE];

	if (strcmp(setting->value, "system") == 0)
		resolver.mode = TARGET_RESOLVER_SYSTEM;
	else if (strcmp(setting->value, "vpc") == 0)
		resolver.mode = TARGET_RESOLVER_VPC;
	else
		while (conf_value_next_item(&cursor, ',', item))
			if (!add_server(builder, setting, &resolver, item))
				return 0;
	builder->target->resolver = resolver;
	return 0;
}

/* The path goes into the log and into what status says, so it must be printable. */
int conf_agent_set_state_directory(struct conf_builder *builder, struct conf_setting *setting)
{
	const char *value = setting->value;
	bool is_path = value[0] == '/' && conf_value_is_printable(value);
	char shown[CONF_SHOWN_SIZE];

	if (strcmp(value, "none") != 0 && !is_path)
		conf_builder_report(builder, CONF_MISTAKE, setting, "\"%s\" is no path of a directory; allowed are %s",
			conf_findings_show(value, shown), setting->key->choices);
	else if (strlen(value) >= sizeof builder->conf->state_directory)
		conf_builder_report(builder, CONF_MISTAKE, setting, "the path is longer than %d bytes", CONF_NAME_SIZE - 1);
	else
		(void)snprintf(builder->conf->state_directory, sizeof builder->conf->state_directory, "%s", value);
	return 0;
}

/* The path goes into the log and into a message of status, so it must be printable. */
int conf_agent_set_status_socket(struct conf_builder *builder, struct conf_setting *setting)
{
	const char *value = setting->value;
	bool is_path = value[0] == '/' && value[strlen(value) - 1] != '/' && conf_value_is_printable(value);
	char shown[CONF_SHOWN_SIZE];

	if (strcmp(value, "none") != 0 && !is_path)
		conf_builder_report(builder, CONF_MISTAKE, setting, "\"%s\" is no path of a socket; allowed are %s",
			conf_findings_show(value, shown), setting->key->choices);
	else if (strlen(value) >= sizeof builder->conf->status_socket)
		conf_builder_report(builder, CONF_MISTAKE, setting, "the path is longer than %d bytes",
			CONF_SOCKET_SIZE - 1);
	else
		(void)snprintf(builder->conf->status_socket, sizeof builder->conf->status_socket, "%s", value);
	return 0;
}
