/* SPDX-License-Identifier: Apache-2.0 */
/* What this host says of itself is read at once; the metadata service is asked for the facts and for
 * the first network interface side by side. Their first request is one token for both, so a service that
 * is silent costs one timeout. */
#include "question_internal.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "lattice-probe/err.h"
#include "lattice-probe/host.h"
#include "lattice-probe/route.h"

#define LIMIT_US (3 * US_PER_S) /* a token, the MAC, what hangs on it: each within IMDS_TIMEOUT_US */
#define PATH_SIZE 128
#define ACCOUNT_DIGITS 12

static const char *const item_names[WHERE_ITEMS] = {
	[WHERE_OWNER] = "owner-id",
	[WHERE_IPV4_BLOCKS] = "vpc-ipv4-cidr-blocks",
	[WHERE_IPV6_BLOCKS] = "vpc-ipv6-cidr-blocks",
	[WHERE_GROUPS] = "security-group-ids",
	[WHERE_PUBLIC_IPV4] = "public-ipv4s",
};

/* ---- the end ------------------------------------------------------------------------------ */

void question_where_stop(struct question_where *where)
{
	if (!where->context)
		return;
	loop_timer_stop(where->context->loop, &where->limit);
	imds_cancel(where->facts);
	imds_cancel(where->mac);
	where->facts = where->mac = NULL;
	for (size_t i = 0; i < WHERE_ITEMS; i++) {
		imds_cancel(where->items[i].query);
		where->items[i].query = NULL;
	}
	where->open = 0;
}

static void end(struct question_where *where)
{
	question_where_stop(where);
	where->evidence->elapsed_us = mono_since(mono_now(), where->started);
	where->ended(where->user);
}

static void end_one(struct question_where *where)
{
	if (--where->open == 0)
		end(where);
}

static void on_limit(void *user)
{
	struct question_where *where = user;

	if (where->facts)
		where->evidence->imds = EVIDENCE_IMDS_SILENT;
	end(where);
}

/* ---- the metadata service ----------------------------------------------------------------- */

/* What imds.h says of the errors; only its hint tells the hop limit from silence, and a service that is
 * broken from none. */
static enum evidence_imds state_of(int err, const char *hint)
{
	switch (err) {
	case 0:
		return EVIDENCE_IMDS_OK;
	case ERR_DENIED:
		return EVIDENCE_IMDS_OFF;
	case ERR_TIMEOUT:
		return strstr(hint, "hop limit") ? EVIDENCE_IMDS_HOP_LIMIT : EVIDENCE_IMDS_SILENT;
	case ERR_UNREACHABLE:
		return strstr(hint, "overloaded") ? EVIDENCE_IMDS_ODD : EVIDENCE_IMDS_SILENT;
	case ERR_NOMEM:
	case ERR_NOFD:
		return EVIDENCE_IMDS_NOT_ASKED;
	default:
		return EVIDENCE_IMDS_ODD;
	}
}

static void on_facts(void *user, int err, const struct imds_facts *facts, const char *hint)
{
	struct question_where *where = user;

	where->facts = NULL;
	where->evidence->imds = state_of(err, hint);
	if (!err)
		where->evidence->facts = *facts;
	end_one(where);
}

static size_t count_digits(const char *text)
{
	size_t count = 0;

	while (isdigit((unsigned char)text[count]))
		count++;
	return count;
}

/* One network a line. */
static void read_networks(struct address_networks *networks, const char *text)
{
	char line[ADDRESS_TEXT_SIZE];

	while (*text) {
		size_t length = strcspn(text, "\r\n");

		if (length > 0 && length < sizeof line) {
			(void)snprintf(line, sizeof line, "%.*s", (int)length, text);
			/* What is no network, and what is more than fits, is left out. */
			(void)address_networks_add(networks, line);
		}
		text += length + (text[length] != '\0');
	}
}

/* One id a line becomes a list by comma; a word that is no id ends it. */
static void read_groups(char ret_groups[static EVIDENCE_TEXT_SIZE], const char *text)
{
	size_t length = 0;

	for (; *text; text++) {
		char character = *text == '\n' ? ',' : *text;

		if (!isalnum((unsigned char)character) && character != '-' && character != ',')
			break;
		if (length + 1 < EVIDENCE_TEXT_SIZE && !(character == ',' && text[1] == '\0'))
			ret_groups[length++] = character;
	}
	ret_groups[length] = '\0';
}

static void read_item(struct evidence_where *evidence, enum question_where_item item, const char *text)
{
	union address address;
	char line[ADDRESS_TEXT_SIZE];

	switch (item) {
	case WHERE_OWNER:
		if (count_digits(text) == ACCOUNT_DIGITS)
			(void)snprintf(evidence->account_id, sizeof evidence->account_id, "%.*s", ACCOUNT_DIGITS, text);
		break;
	case WHERE_IPV4_BLOCKS:
	case WHERE_IPV6_BLOCKS:
		read_networks(&evidence->vpc_networks, text);
		break;
	case WHERE_GROUPS:
		read_groups(evidence->security_groups, text);
		break;
	case WHERE_PUBLIC_IPV4:
		(void)snprintf(line, sizeof line, "%.*s", (int)strcspn(text, "\r\n"), text);
		if (parse_address(line, 0, &address) == 0)
			address_format(&address, evidence->public_ipv4);
		break;
	case WHERE_ITEMS:
		break;
	}
}

static void on_item(void *user, int err, const char *text, const char *hint)
{
	struct question_where_query *query = user;

	(void)hint; /* an item that is not there (no public address, no IPv6) says nothing of the service */
	query->query = NULL;
	if (!err)
		read_item(query->where->evidence, query->item, text);
	end_one(query->where);
}

static bool is_mac(const char *text)
{
	size_t length = strspn(text, "0123456789abcdefABCDEF:");

	return length == sizeof "00:00:00:00:00:00" - 1 && text[length] == '\0';
}

static void start_item(struct question_where *where, enum question_where_item item, const char *mac)
{
	struct question_where_query *query = &where->items[item];
	char path[PATH_SIZE];

	(void)snprintf(path, sizeof path, "meta-data/network/interfaces/macs/%s/%s", mac, item_names[item]);
	query->query = imds_get(where->context->imds, path, on_item, query);
	where->open += query->query != NULL;
}

static void on_mac(void *user, int err, const char *text, const char *hint)
{
	struct question_where *where = user;

	(void)hint;
	where->mac = NULL;
	if (!err && is_mac(text))
		for (size_t i = 0; i < WHERE_ITEMS; i++)
			start_item(where, (enum question_where_item)i, text);
	end_one(where);
}

/* ---- the start ---------------------------------------------------------------------------- */

static void read_host(struct evidence_where *evidence)
{
	evidence->is_asked = true;
	evidence->platform = host_read_identity("", &evidence->identity);
	host_read_network_namespace(evidence->network_namespace);
	evidence->has_ipv4_default = route_has_default(AF_INET);
	evidence->has_ipv6_default = route_has_default(AF_INET6);
}

bool question_where_start(struct question_where *where, const struct diagnose_context *context,
	struct evidence_where *evidence, void (*ended)(void *user), void *user)
{
	*where = (struct question_where){ .context = context, .evidence = evidence, .started = mono_now(),
		.ended = ended, .user = user };
	for (size_t i = 0; i < WHERE_ITEMS; i++)
		where->items[i] = (struct question_where_query){ .where = where,
			.item = (enum question_where_item)i };
	read_host(evidence);
	evidence->elapsed_us = mono_since(mono_now(), where->started);
	if (!context->imds)
		return false;
	where->facts = imds_get_facts(context->imds, on_facts, where);
	where->mac = imds_get(context->imds, "meta-data/mac", on_mac, where);
	where->open = (size_t)(where->facts != NULL) + (where->mac != NULL);
	if (where->open > 0 && loop_timer_start(context->loop, &where->limit, mono_add(where->started, LIMIT_US),
		on_limit, where) == 0)
		return true;
	question_where_stop(where);
	return false;
}
