/* SPDX-License-Identifier: Apache-2.0 */
/* profile: one profile of the shared files, ~/.aws/config and ~/.aws/credentials
 * (https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html), by inih. Reads small files, blocking.
 * Honours AWS_PROFILE, AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE, HOME. */
#ifndef LATTICE_PROBE_PROFILE_H
#define LATTICE_PROBE_PROFILE_H

#include <stdbool.h>
#include <stddef.h>

enum profile_key {
	PROFILE_ACCESS_KEY_ID,
	PROFILE_SECRET_ACCESS_KEY,
	PROFILE_SESSION_TOKEN,
	PROFILE_REGION,
	PROFILE_ROLE_ARN,
	PROFILE_WEB_IDENTITY_TOKEN_FILE,
	PROFILE_ROLE_SESSION_NAME,
	PROFILE_CREDENTIAL_PROCESS,
	PROFILE_SSO_SESSION,
	PROFILE_SSO_START_URL,
	PROFILE_KEY_COUNT
};

struct profile {
	bool is_explicit; /* named by AWS_PROFILE */
	bool is_found;    /* one of the files has a setting of it */
	char *values[PROFILE_KEY_COUNT]; /* NULL: not set */
};

/* The profile that the environment names, else "default", from both files; the credentials file goes
 * first, and keys are taken from one file, never mixed. 0, also when there is no such profile or file;
 * ERR_LIMIT (a name beyond 40 characters, a file beyond 1 MiB), ERR_IO, ERR_DENIED, ERR_NOMEM. */
int profile_load(struct profile *ret_profile);
void profile_done(struct profile *profile); /* wipes */

/* One file's text: the section [name] of a credentials file, [profile name] of a config file. Values
 * found replace those in *profile. Pure. 0, ERR_NOMEM. */
int profile_parse(const char *text, size_t length_bytes, bool is_config, const char *name, struct profile *profile);

#endif
