/* SPDX-License-Identifier: Apache-2.0 */
/* The role of the instance profile: its name, then its keys. */
#include "aws_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lattice-probe/credentials_json.h"
#include "lattice-probe/err.h"
#include "lattice-probe/imds.h"

#define ROLE_PATH "meta-data/iam/security-credentials/"
#define ROLE_SIZE 65 /* IAM: 64 characters */

struct credentials_imds {
	struct imds *imds;
	struct imds_query *query;
	credentials_found *found;
	void *user;
};

void credentials_imds_cancel(struct credentials_imds *query)
{
	if (!query)
		return;
	imds_cancel(query->query);
	free(query);
}

static void finish(struct credentials_imds *query, int err, struct credentials_set *set, const char *why)
{
	query->found(query->user, err, set, why);
	credentials_imds_cancel(query);
}

static void on_keys(void *user, int err, const char *text, const char *hint)
{
	struct credentials_imds *query = user;
	struct credentials_set set = { 0 };
	const char *why = hint;

	query->query = NULL;
	if (!err)
		err = credentials_json_parse(text, strlen(text), &set, &why);
	set.source = "imds";
	finish(query, err, &set, err ? why : "");
}

/* The first line, if it can be the name of a role (IAM: letters, digits and +=,.@_-). */
static bool read_role(const char *text, char ret_role[static ROLE_SIZE])
{
	size_t length = strcspn(text, "\r\n");

	if (length == 0 || length >= ROLE_SIZE ||
	    strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+=,.@_-") < length)
		return false;
	memcpy(ret_role, text, length);
	ret_role[length] = '\0';
	return true;
}

static void on_role(void *user, int err, const char *text, const char *hint)
{
	struct credentials_imds *query = user;
	char path[sizeof ROLE_PATH + ROLE_SIZE];
	char role[ROLE_SIZE];

	query->query = NULL;
	if (err == ERR_NOT_FOUND || (!err && text[0] == '\0')) {
		finish(query, ERR_NOT_FOUND, NULL, "no credentials: the instance has no role (attach an instance profile)");
		return;
	}
	if (err) {
		finish(query, err, NULL, hint);
		return;
	}
	if (!read_role(text, role)) {
		finish(query, ERR_PROTOCOL, NULL, "the metadata service names a role that can be none");
		return;
	}
	(void)snprintf(path, sizeof path, ROLE_PATH "%s", role);
	query->query = imds_get(query->imds, path, on_keys, query);
	if (!query->query)
		finish(query, ERR_NOMEM, NULL, err_text(ERR_NOMEM));
}

struct credentials_imds *credentials_imds_start(struct imds *imds, credentials_found *found, void *user)
{
	struct credentials_imds *query = calloc(1, sizeof *query);

	if (!query)
		return NULL;
	query->imds = imds;
	query->found = found;
	query->user = user;
	query->query = imds_get(imds, ROLE_PATH, on_role, query);
	if (!query->query) {
		free(query);
		return NULL;
	}
	return query;
}
