/* SPDX-License-Identifier: Apache-2.0 */
/* result_json: a result as JSON, the same everywhere (once --json, status, history). Redacted:
 * no query, no header, no body. */
#ifndef LATTICE_PROBE_RESULT_JSON_H
#define LATTICE_PROBE_RESULT_JSON_H

#include <jansson.h>

struct result;

/* Gives a new object (json_decref by the caller); NULL: no memory. */
json_t *result_to_json(const struct result *result);

#endif
