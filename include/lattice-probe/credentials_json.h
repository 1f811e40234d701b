/* SPDX-License-Identifier: Apache-2.0 */
/* credentials_json: the JSON in which IMDS and the container endpoints hand out keys. Pure but for one
 * thing: from the first call on, jansson wipes what it frees. */
#ifndef LATTICE_PROBE_CREDENTIALS_JSON_H
#define LATTICE_PROBE_CREDENTIALS_JSON_H

#include <stddef.h>

struct credentials_set;

/* {"AccessKeyId", "SecretAccessKey", "Token", "Expiration"[, "Code"]}. 0, gives a set (source NULL);
 * ERR_DENIED for a Code other than Success; ERR_PROTOCOL; ERR_NOMEM. *ret_why is static text. */
int credentials_json_parse(const char *text, size_t length_bytes, struct credentials_set *ret_set, const char **ret_why);

#endif
