/* SPDX-License-Identifier: Apache-2.0 */
/* The profile of the shared files. Keys in it, or a role with a web identity, are taken; what would
 * need a program, a browser or another profile's keys is not ours to do, and says so: silently going
 * on to other credentials than those asked for would be worse than none. */
#include "aws_internal.h"

#include <stdlib.h>
#include <string.h>

#include "lattice-probe/err.h"
#include "lattice-probe/profile.h"

/* Moves values[key] out of the profile. */
static char *take(struct profile *profile, enum profile_key key)
{
	char *value = profile->values[key];

	profile->values[key] = NULL;
	return value;
}

static int take_role(struct profile *profile, struct credentials_role *ret_role, const char **ret_why)
{
	if (!profile->values[PROFILE_WEB_IDENTITY_TOKEN_FILE]) {
		*ret_why = "the profile names role_arn without web_identity_token_file; source_profile and "
			"credential_source are not supported";
		return ERR_UNSUPPORTED;
	}
	ret_role->role_arn = take(profile, PROFILE_ROLE_ARN);
	ret_role->token_file = take(profile, PROFILE_WEB_IDENTITY_TOKEN_FILE);
	ret_role->session_name = take(profile, PROFILE_ROLE_SESSION_NAME);
	return 0;
}

static int take_keys(struct profile *profile, struct credentials_set *ret_set, const char **ret_why)
{
	struct credentials_set set = { .source = "shared-file" };

	if (!profile->values[PROFILE_ACCESS_KEY_ID] || !profile->values[PROFILE_SECRET_ACCESS_KEY]) {
		*ret_why = "the profile has one of aws_access_key_id and aws_secret_access_key without the other";
		return ERR_SYNTAX;
	}
	set.access_key_id = take(profile, PROFILE_ACCESS_KEY_ID);
	set.secret_access_key = take(profile, PROFILE_SECRET_ACCESS_KEY);
	set.session_token = take(profile, PROFILE_SESSION_TOKEN);
	if (!credentials_set_check(&set)) {
		credentials_set_done(&set);
		*ret_why = "the profile's keys hold characters that no keys have";
		return ERR_SYNTAX;
	}
	*ret_set = set;
	return 0;
}

static int take_profile(struct profile *profile, struct credentials_set *ret_set, struct credentials_role *ret_role,
	const char **ret_why)
{
	char *const *values = profile->values;

	if (values[PROFILE_ROLE_ARN])
		return take_role(profile, ret_role, ret_why);
	if (values[PROFILE_ACCESS_KEY_ID] || values[PROFILE_SECRET_ACCESS_KEY])
		return take_keys(profile, ret_set, ret_why);
	if (values[PROFILE_CREDENTIAL_PROCESS]) {
		*ret_why = "the profile names a credential_process, which is not supported";
		return ERR_UNSUPPORTED;
	}
	if (values[PROFILE_SSO_SESSION] || values[PROFILE_SSO_START_URL]) {
		*ret_why = "the profile signs in by IAM Identity Center (sso_…), which is not supported";
		return ERR_UNSUPPORTED;
	}
	if (profile->is_explicit && !profile->is_found) {
		*ret_why = "AWS_PROFILE names a profile that is in neither of the shared files";
		return ERR_SYNTAX;
	}
	return ERR_NOT_FOUND; /* a profile with a region alone, or none */
}

int credentials_file_read(struct credentials_set *ret_set, struct credentials_role *ret_role, const char **ret_why)
{
	struct profile profile = { 0 };
	int err = profile_load(&profile);

	switch (err) {
	case 0:
		err = take_profile(&profile, ret_set, ret_role, ret_why);
		break;
	case ERR_LIMIT:
		*ret_why = "the profile's name is longer than 40 characters, or a shared file larger than 1 MiB";
		break;
	case ERR_NOMEM:
		*ret_why = err_text(err);
		break;
	default:
		*ret_why = "a shared credentials or config file cannot be read";
		break;
	}
	profile_done(&profile);
	return err;
}
