/* SPDX-License-Identifier: Apache-2.0 */
#include "lattice-probe/credentials_xml.h"

#include <stdlib.h>

#include "aws_internal.h"

#include "lattice-probe/credentials.h"
#include "lattice-probe/err.h"
#include "lattice-probe/xml.h"

#define FIELD_MAX_BYTES (16 * 1024)
#define RESULT "AssumeRoleWithWebIdentityResponse/AssumeRoleWithWebIdentityResult/Credentials/"

static int read_field(const char *text, size_t length_bytes, const char *path, char **ret_value)
{
	struct buf value;
	int err;

	buf_init(&value, FIELD_MAX_BYTES);
	err = xml_find(text, length_bytes, path, &value);
	if (!err) {
		*ret_value = buf_take(&value);
		err = *ret_value ? 0 : ERR_NOMEM;
	}
	buf_done_secret(&value);
	return err == ERR_NOMEM || err == 0 ? err : ERR_PROTOCOL;
}

int credentials_xml_parse(const char *text, size_t length_bytes, struct credentials_set *ret_set)
{
	struct credentials_set set = { .source = "web-identity" };
	char *expiration = NULL;
	int err = read_field(text, length_bytes, RESULT "AccessKeyId", &set.access_key_id);

	if (!err)
		err = read_field(text, length_bytes, RESULT "SecretAccessKey", &set.secret_access_key);
	if (!err)
		err = read_field(text, length_bytes, RESULT "SessionToken", &set.session_token);
	if (!err)
		err = read_field(text, length_bytes, RESULT "Expiration", &expiration);
	if (!err && (wall_parse_rfc3339(expiration, &set.expiration) != 0 || !credentials_set_check(&set)))
		err = ERR_PROTOCOL;
	free(expiration);
	if (err)
		credentials_set_done(&set);
	else
		*ret_set = set;
	return err;
}
