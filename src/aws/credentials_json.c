/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON in which IMDS and the container endpoints hand out keys. */
#include "lattice-probe/credentials_json.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "aws_internal.h"

#include "lattice-probe/credentials.h"
#include "lattice-probe/err.h"

/* jansson leaves copies of what it read behind: in its values, in its reader's own buffer. */
static void wiping_free(void *memory)
{
	if (memory)
		explicit_bzero(memory, malloc_usable_size(memory));
	free(memory);
}

/* From the first keys read on, all that jansson frees in this process is wiped. */
static void make_jansson_wipe(void)
{
	static bool is_done;

	if (!is_done)
		json_set_alloc_funcs(malloc, wiping_free);
	is_done = true;
}

static int copy_field(const json_t *object, const char *name, char **ret_copy)
{
	const char *text = json_string_value(json_object_get(object, name));

	if (!text || !*text)
		return ERR_PROTOCOL;
	*ret_copy = strdup(text);
	return *ret_copy ? 0 : ERR_NOMEM;
}

static int read_fields(const json_t *object, struct credentials_set *set)
{
	const char *expiration = json_string_value(json_object_get(object, "Expiration"));
	int err = copy_field(object, "AccessKeyId", &set->access_key_id);

	if (!err)
		err = copy_field(object, "SecretAccessKey", &set->secret_access_key);
	if (!err)
		err = copy_field(object, "Token", &set->session_token);
	if (!err && (!expiration || wall_parse_rfc3339(expiration, &set->expiration) != 0))
		err = ERR_PROTOCOL;
	if (!err && !credentials_set_check(set))
		err = ERR_PROTOCOL;
	return err;
}

int credentials_json_parse(const char *text, size_t length_bytes, struct credentials_set *ret_set, const char **ret_why)
{
	struct credentials_set set = { 0 };
	const char *code;
	json_t *object;
	int err;

	make_jansson_wipe();
	object = json_loadb(text, length_bytes, JSON_REJECT_DUPLICATES, NULL);
	code = json_string_value(json_object_get(object, "Code"));
	if (code && strcmp(code, "Success") != 0) {
		*ret_why = "the role cannot be assumed (its Code is not Success): does its trust policy name this service?";
		err = ERR_DENIED;
	} else {
		*ret_why = "the credentials document is not valid: a field is missing or malformed";
		err = read_fields(object, &set);
	}
	json_decref(object);
	if (err)
		credentials_set_done(&set);
	else
		*ret_set = set;
	return err;
}
