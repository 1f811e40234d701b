/* SPDX-License-Identifier: Apache-2.0 */
/* VPC Lattice's answers, as its API reference has them (version 2022-11-30). */
#include "lattice-probe/control.h"

#include <string.h>
#include <strings.h>

#include <jansson.h>

#include "lattice-probe/aws_reply.h"
#include "lattice-probe/control_facts.h"
#include "lattice-probe/err.h"

/* Text that does not fit is no id and no status of AWS's. */
static bool copy_text(const json_t *object, const char *key, char *ret_text, size_t size)
{
	const json_t *value = json_object_get(object, key);
	const char *text = json_string_value(value);

	ret_text[0] = '\0';
	if (!text || json_is_null(value))
		return true;
	if (strlen(text) >= size || strlen(text) != json_string_length(value))
		return false;
	for (const char *c = text; *c; c++)
		if (*c <= ' ' || *c > '~')
			return false;
	memcpy(ret_text, text, strlen(text) + 1);
	return true;
}

static int read_list(const char *text, size_t length_bytes, json_t **ret_root, struct control_page *ret_page)
{
	json_t *root = json_loadb(text, length_bytes, JSON_REJECT_DUPLICATES, NULL);

	if (!json_is_array(json_object_get(root, "items")) ||
	    !copy_text(root, "nextToken", ret_page->token, sizeof ret_page->token)) {
		json_decref(root);
		return ERR_PROTOCOL;
	}
	*ret_root = root;
	return 0;
}

/* ---- VPC associations --------------------------------------------------------------------- */

static bool read_association(const json_t *item, struct control_association *ret_association)
{
	struct control_association association = { 0 };

	if (!copy_text(item, "id", association.id, sizeof association.id) ||
	    !copy_text(item, "arn", association.arn, sizeof association.arn) ||
	    !copy_text(item, "status", association.status, sizeof association.status) ||
	    !copy_text(item, "serviceNetworkId", association.network_id, sizeof association.network_id) ||
	    !copy_text(item, "serviceNetworkArn", association.network_arn, sizeof association.network_arn))
		return false;
	*ret_association = association;
	return association.id[0] && association.status[0];
}

int control_lattice_read_associations(const char *text, size_t length_bytes, const char *vpc_id,
	struct control_association *association, struct control_page *ret_page)
{
	json_t *root;
	json_t *item;
	size_t i;
	int err = read_list(text, length_bytes, &root, ret_page);

	if (err)
		return err;
	json_array_foreach(json_object_get(root, "items"), i, item) {
		struct control_association found;
		char vpc[CONTROL_ID_SIZE];

		if (!copy_text(item, "vpcId", vpc, sizeof vpc) || !read_association(item, &found))
			err = ERR_PROTOCOL;
		else if (strcmp(vpc, vpc_id) == 0 && (!association->id[0] || strcmp(found.status, "ACTIVE") == 0))
			*association = found;
	}
	json_decref(root);
	return err;
}

static int read_groups(const json_t *list, char ret_groups[static CONTROL_GROUPS_SIZE])
{
	char groups[CONTROL_GROUPS_SIZE] = "";
	size_t length = 0;
	json_t *item;
	size_t i;

	if (list && !json_is_array(list))
		return ERR_PROTOCOL;
	json_array_foreach(list, i, item) {
		const char *id = json_string_value(item);
		size_t room = sizeof groups - length;

		if (!id || !id[0] || strpbrk(id, ", ") || strlen(id) + 2 > room)
			return ERR_PROTOCOL;
		if (length > 0)
			groups[length++] = ',';
		memcpy(groups + length, id, strlen(id) + 1);
		length += strlen(id);
	}
	memcpy(ret_groups, groups, sizeof groups);
	return 0;
}

int control_lattice_read_association(const char *text, size_t length_bytes, struct control_association *association)
{
	json_t *root = json_loadb(text, length_bytes, JSON_REJECT_DUPLICATES, NULL);
	const char *failure = json_string_value(json_object_get(root, "failureMessage"));
	const char *id = json_string_value(json_object_get(root, "id"));
	int err = ERR_PROTOCOL;

	if (id && strcmp(id, association->id) == 0)
		err = read_groups(json_object_get(root, "securityGroupIds"), association->groups);
	if (!err && failure)
		aws_reply_mask(failure, association->failure, sizeof association->failure);
	json_decref(root);
	return err;
}

/* ---- service associations ----------------------------------------------------------------- */

int control_lattice_read_services(const char *text, size_t length_bytes, const char *host,
	struct control_service *service, struct control_page *ret_page)
{
	json_t *root;
	json_t *item;
	size_t i;
	int err = read_list(text, length_bytes, &root, ret_page);

	if (err)
		return err;
	json_array_foreach(json_object_get(root, "items"), i, item) {
		struct control_service found = { 0 };
		char custom[CONTROL_NAME_SIZE];

		if (!copy_text(item, "serviceId", found.id, sizeof found.id) ||
		    !copy_text(item, "status", found.status, sizeof found.status) ||
		    !copy_text(item, "customDomainName", custom, sizeof custom) ||
		    !copy_text(json_object_get(item, "dnsEntry"), "domainName", found.name, sizeof found.name) || !found.id[0])
			err = ERR_PROTOCOL;
		else if ((strcasecmp(found.name, host) == 0 || strcasecmp(custom, host) == 0) &&
			 (!service->id[0] || strcmp(found.status, "ACTIVE") == 0))
			*service = found;
	}
	json_decref(root);
	return err;
}
