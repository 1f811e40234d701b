/* SPDX-License-Identifier: Apache-2.0 */
/* aws_json: the bytes as each document that keys come in: the JSON of IMDS and containers, the XML of
 * STS, a shared credentials and a shared config file. What is accepted can go into a header. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lattice-probe/credentials.h"
#include "lattice-probe/credentials_json.h"
#include "lattice-probe/credentials_xml.h"
#include "lattice-probe/err.h"
#include "lattice-probe/profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text)
{
	assert(text && *text);
	for (; *text; text++)
		assert(*text > ' ' && *text <= '~');
}

static void check_set(struct credentials_set *set)
{
	struct credentials_set copy;

	check_text(set->access_key_id);
	assert(!strpbrk(set->access_key_id, "/,= "));
	check_text(set->secret_access_key);
	check_text(set->session_token);
	assert(set->expiration.us != 0);
	if (credentials_set_copy(set, &copy) == 0) {
		assert(strcmp(copy.secret_access_key, set->secret_access_key) == 0);
		credentials_set_done(&copy);
	}
	credentials_set_done(set);
}

static void check_profile(const char *text, size_t size, bool is_config)
{
	struct profile profile = { 0 };

	if (profile_parse(text, size, is_config, "default", &profile) == 0)
		for (size_t i = 0; i < PROFILE_KEY_COUNT; i++)
			assert(!profile.values[i] || (profile.is_found && !strchr(profile.values[i], '\n')));
	profile_done(&profile);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct credentials_set set = { 0 };
	const char *why = NULL;
	int err = credentials_json_parse(text, size, &set, &why);

	assert(err == 0 || err == ERR_PROTOCOL || err == ERR_DENIED || err == ERR_NOMEM);
	assert(err == 0 || why);
	if (!err)
		check_set(&set);
	err = credentials_xml_parse(text, size, &set);
	assert(err == 0 || err == ERR_PROTOCOL || err == ERR_NOMEM);
	if (!err)
		check_set(&set);
	check_profile(text, size, false);
	check_profile(text, size, true);
	return 0;
}
