/* SPDX-License-Identifier: Apache-2.0 */
#include "aws_internal.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "lattice-probe/credentials.h"
#include "lattice-probe/err.h"

static void wipe_free(char *text)
{
	if (text)
		OPENSSL_cleanse(text, strlen(text));
	free(text);
}

void credentials_set_done(struct credentials_set *set)
{
	wipe_free(set->access_key_id);
	wipe_free(set->secret_access_key);
	wipe_free(set->session_token);
	*set = (struct credentials_set){ 0 };
}

int credentials_set_copy(const struct credentials_set *set, struct credentials_set *ret_copy)
{
	struct credentials_set copy = { .expiration = set->expiration, .source = set->source };

	copy.access_key_id = strdup(set->access_key_id);
	copy.secret_access_key = strdup(set->secret_access_key);
	copy.session_token = set->session_token ? strdup(set->session_token) : NULL;
	if (!copy.access_key_id || !copy.secret_access_key || (set->session_token && !copy.session_token)) {
		credentials_set_done(&copy);
		return ERR_NOMEM;
	}
	*ret_copy = copy;
	return 0;
}

static bool is_printable(const char *text, size_t max)
{
	size_t length = strlen(text);

	if (length == 0 || length > max)
		return false;
	for (size_t i = 0; i < length; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	return true;
}

bool credentials_set_check(const struct credentials_set *set)
{
	static const char word[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

	return is_printable(set->access_key_id, 128) &&
	       strspn(set->access_key_id, word) == strlen(set->access_key_id) &&
	       is_printable(set->secret_access_key, 512) &&
	       (!set->session_token || is_printable(set->session_token, 16 * 1024));
}
