/* SPDX-License-Identifier: Apache-2.0 */
#include "aws_internal.h"

#include <stdlib.h>
#include <string.h>

#include "lattice-probe/err.h"

static const char *environment(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

int credentials_env_read(struct credentials_set *ret_set, const char **ret_why)
{
	const char *key_id = environment("AWS_ACCESS_KEY_ID");
	const char *secret = environment("AWS_SECRET_ACCESS_KEY");
	const char *token = environment("AWS_SESSION_TOKEN");
	struct credentials_set set = { .source = "environment" };

	if (!key_id && !secret)
		return ERR_NOT_FOUND;
	if (!key_id || !secret) {
		*ret_why = key_id ? "AWS_ACCESS_KEY_ID is set without AWS_SECRET_ACCESS_KEY" :
			"AWS_SECRET_ACCESS_KEY is set without AWS_ACCESS_KEY_ID";
		return ERR_SYNTAX;
	}
	set.access_key_id = strdup(key_id);
	set.secret_access_key = strdup(secret);
	set.session_token = token ? strdup(token) : NULL;
	if (!set.access_key_id || !set.secret_access_key || (token && !set.session_token)) {
		credentials_set_done(&set);
		*ret_why = err_text(ERR_NOMEM);
		return ERR_NOMEM;
	}
	if (!credentials_set_check(&set)) {
		credentials_set_done(&set);
		*ret_why = "the keys in the environment hold characters that no keys have";
		return ERR_SYNTAX;
	}
	*ret_set = set;
	return 0;
}
