/* SPDX-License-Identifier: Apache-2.0 */
/* Prints the program's own tables as one JSON object, for the tests of the manual: the keys of the
 * configuration and what a reload makes of them, the outcomes, the metrics, the verdicts, and the rights that a
 * diagnosis makes use of. */
#include <stddef.h>
#include <stdio.h>

#include <jansson.h>

#include "lattice-probe/conf_keys.h"
#include "lattice-probe/control.h"
#include "lattice-probe/datum.h"
#include "lattice-probe/diagnosis.h"
#include "lattice-probe/metric.h"
#include "lattice-probe/outcome.h"
#include "lattice-probe/reload.h"

static const char *type_name(enum conf_type type)
{
	static const char *const names[] = { [CONF_TYPE_INTEGER] = "integer", [CONF_TYPE_DURATION] = "duration",
		[CONF_TYPE_SIZE] = "size", [CONF_TYPE_BOOL] = "bool", [CONF_TYPE_TEXT] = "text",
		[CONF_TYPE_CHOICE] = "choice", [CONF_TYPE_CUSTOM] = "custom" };

	return names[type];
}

static json_t *sections_of(const struct conf_key *key)
{
	json_t *array = json_array();

	if (key->sections & CONF_SECTION_AGENT)
		(void)json_array_append_new(array, json_string("agent"));
	if (key->sections & CONF_SECTION_CLOUDWATCH)
		(void)json_array_append_new(array, json_string("cloudwatch"));
	if (key->sections & CONF_SECTION_PROBE)
		(void)json_array_append_new(array, json_string("probe"));
	return array;
}

static json_t *keys(void)
{
	json_t *array = json_array();

	for (size_t i = 0; i < conf_keys_count; i++) {
		const struct conf_key *key = &conf_keys[i];

		(void)json_array_append_new(array, json_pack("{s:s, s:o, s:s, s:b, s:s?, s:s, s:I, s:I, s:s?, s:s}",
			"name", key->name, "sections", sections_of(key), "type", type_name(key->type), "goes_on",
			key->join != CONF_JOIN_NEVER, "unit", key->unit, "default", key->default_text, "min",
			(json_int_t)key->min, "max", (json_int_t)key->max, "choices", key->choices, "help", key->help));
	}
	return array;
}

static json_t *outcomes(void)
{
	json_t *array = json_array();

	for (int outcome = 1; outcome < OUTCOME_COUNT; outcome++)
		(void)json_array_append_new(array, json_pack("{s:s, s:s, s:s?}", "name",
			outcome_name((enum outcome)outcome), "words", outcome_words((enum outcome)outcome), "metric",
			outcome_metric((enum outcome)outcome)));
	return array;
}

static json_t *metrics(void)
{
	static const char *const scopes[] = { [METRIC_SCOPE_CHOSEN] = "chosen", [METRIC_SCOPE_FAILURE] = "failure",
		[METRIC_SCOPE_AGENT] = "agent" };
	json_t *array = json_array();

	for (int id = 0; id < METRIC_COUNT; id++) {
		const struct metric *metric = metric_get((enum metric_id)id);

		(void)json_array_append_new(array, json_pack("{s:s, s:s, s:s}", "name", metric->name, "unit",
			datum_unit_name(metric->unit), "scope", scopes[metric->scope]));
	}
	return array;
}

static json_t *verdicts(void)
{
	json_t *array = json_array();

	for (int verdict = 0; verdict < DIAGNOSIS_COUNT; verdict++)
		(void)json_array_append_new(array, json_pack("{s:s, s:s, s:s, s:s}", "name",
			diagnosis_name((enum diagnosis_verdict)verdict), "hop",
			diagnosis_hop_name(diagnosis_hop((enum diagnosis_verdict)verdict)), "basis",
			diagnosis_basis_name(diagnosis_basis((enum diagnosis_verdict)verdict)), "words",
			diagnosis_words((enum diagnosis_verdict)verdict)));
	return array;
}

static json_t *rights(void)
{
	json_t *array = json_array();

	for (int call = 0; call < CONTROL_CALLS; call++)
		(void)json_array_append_new(array, json_string(control_call_action((enum control_call)call)));
	return array;
}

/* {name: when its new value holds} */
static json_t *reloads(void)
{
	static const char *const effects[] = { [RELOAD_AT_ONCE] = "at once", [RELOAD_NEW_WINDOWS] = "new windows",
		[RELOAD_NEXT_START] = "restart", [RELOAD_NEXT_PROCESS] = "restart" };
	json_t *object = json_object();

	for (size_t i = 0; i < reload_keys_count; i++)
		(void)json_object_set_new(object, reload_keys[i].name, json_string(effects[reload_keys[i].effect]));
	return object;
}

int main(void)
{
	json_t *tables = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "keys", keys(), "outcomes", outcomes(), "metrics",
		metrics(), "verdicts", verdicts(), "rights", rights(), "reloads", reloads());
	int err = tables ? json_dumpf(tables, stdout, JSON_INDENT(1)) : -1;

	json_decref(tables);
	putchar('\n');
	return err == 0 ? 0 : 1;
}
