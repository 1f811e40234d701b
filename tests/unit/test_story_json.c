/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "lattice-probe/story.h"

#include "evidence_fixture.h"
#include "evidence_hostile.h"

/* Masked, dumped, read back: what a program gets. */
static json_t *read_back(const struct evidence *evidence, const struct diagnosis *diagnosis, bool verbose)
{
	json_t *json = story_to_json(evidence, diagnosis, verbose);
	json_t *again;
	json_error_t error;
	char *text;

	assert_non_null(json);
	text = json_dumps(json, JSON_COMPACT);
	assert_non_null(text);
	again = json_loads(text, 0, &error);
	assert_non_null(again);
	free(text);
	json_decref(json);
	return again;
}

static void assert_keys(json_t *object, const char *const *keys, size_t count)
{
	const char *key;
	json_t *value;
	size_t at = 0;

	json_object_foreach (object, key, value) {
		assert_true(at < count);
		assert_string_equal(key, keys[at++]);
	}
	assert_int_equal(at, count);
}

static void assert_shape(json_t *json)
{
	static const char *const keys[] = { "target", "verdict", "confidence", "basis", "summary", "why", "candidates",
		"ruled_out", "notes", "evidence", "fix", "where" };
	static const char *const where[] = { "platform", "imds", "instance_id", "region", "availability_zone_id",
		"vpc_id", "subnet_id", "security_groups", "public_ipv4", "network_namespace", "resolvers",
		"credentials" };
	static const char *const step[] = { "step", "question", "answer", "mark", "elapsed_us" };
	static const char *const fix[] = { "words", "command" };
	json_t *value;
	size_t i;

	assert_keys(json, keys, sizeof keys / sizeof *keys);
	assert_keys(json_object_get(json, "where"), where, sizeof where / sizeof *where);
	json_array_foreach (json_object_get(json, "evidence"), i, value)
		assert_keys(value, step, sizeof step / sizeof *step);
	json_array_foreach (json_object_get(json, "fix"), i, value)
		assert_keys(value, fix, sizeof fix / sizeof *fix);
}

static const char *text_at(json_t *json, const char *key)
{
	return json_string_value(json_object_get(json, key));
}

static void every_key_is_there_even_when_nothing_is_known(void **state)
{
	static const struct evidence nothing;
	static struct diagnosis diagnosis;
	json_t *json;

	(void)state;
	diagnosis_decide(&nothing, &diagnosis);
	json = read_back(&nothing, &diagnosis, false);
	assert_shape(json);
	assert_true(json_is_null(json_object_get(json, "target")));
	assert_string_equal(text_at(json, "verdict"), "undetermined");
	assert_true(json_is_null(json_object_get(json_object_get(json, "where"), "security_groups")));
	json_decref(json);
}

static void what_is_known_is_told(void **state)
{
	static struct evidence evidence;
	struct diagnosis diagnosis = { .verdict = DIAGNOSIS_PATH_SILENT, .confidence = DIAGNOSIS_CANDIDATES,
		.basis = DIAGNOSIS_BASIS_INFERRED, .summary = "Nothing answers.", .candidate_count = 2,
		.candidates = { DIAGNOSIS_VPC_NOT_ASSOCIATED, DIAGNOSIS_NACL_BLOCKS }, .ruled_out_count = 1,
		.ruled_out = { { DIAGNOSIS_ROUTE_MISSING, "there is a route" } }, .why = { 1, { "no answer" } } };
	json_t *json, *where;

	(void)state;
	evidence_failing(&evidence, OUTCOME_CONNECT_TIMEOUT);
	evidence_add_publishing(&evidence);
	json = read_back(&evidence, &diagnosis, false);
	assert_shape(json);
	assert_string_equal(text_at(json, "confidence"), "candidates");
	assert_string_equal(text_at(json, "basis"), "inferred");
	assert_string_equal(json_string_value(json_array_get(json_object_get(json, "candidates"), 1)), "nacl-blocks");
	assert_string_equal(text_at(json_array_get(json_object_get(json, "ruled_out"), 0), "because"), "there is a route");
	assert_string_equal(json_string_value(json_array_get(json_object_get(json, "why"), 0)), "no answer");
	where = json_object_get(json, "where");
	assert_string_equal(text_at(where, "platform"), "ec2");
	assert_string_equal(text_at(where, "credentials"), "imds");
	assert_string_equal(json_string_value(json_array_get(json_object_get(where, "resolvers"), 0)), "10.0.0.2");
	assert_int_equal(json_array_size(json_object_get(where, "security_groups")), 1);
	json_decref(json);
}

static void accounts_are_masked_in_every_text_of_the_diagnosis(void **state)
{
	static struct evidence evidence;
	struct diagnosis diagnosis = { .verdict = DIAGNOSIS_AUTH_DENIED,
		.summary = "arn:aws:iam::123456789012:role/secretname", .why = { 1, { "account 123456789012" } },
		.notes = { 1, { "account 123456789012" } }, .ruled_out_count = 1,
		.ruled_out = { { DIAGNOSIS_AUTH_SIGNATURE, "arn:aws:iam::123456789012:user/secretname" } } };

	(void)state;
	evidence_healthy(&evidence);
	for (int verbose = 0; verbose <= 1; verbose++) {
		json_t *json = story_to_json(&evidence, &diagnosis, verbose != 0);
		char *text = json_dumps(json, 0);

		assert_int_equal(strstr(text, "123456789012") != NULL, verbose);
		assert_int_equal(strstr(text, "secretname") != NULL, verbose);
		free(text);
		json_decref(json);
	}
}

/* Presentable already: making it so again changes nothing. */
static void assert_presentable(json_t *value)
{
	const char *key;
	json_t *item;
	size_t i;

	if (json_is_string(value)) {
		char *copy = strdup(json_string_value(value));

		assert_non_null(copy);
		story_make_presentable(copy, true);
		assert_string_equal(copy, json_string_value(value));
		free(copy);
	}
	json_object_foreach (value, key, item)
		assert_presentable(item);
	json_array_foreach (value, i, item)
		assert_presentable(item);
}

static void hostile_text_in_every_field_stays_valid_and_printable(void **state)
{
	static struct evidence evidence;
	static struct diagnosis diagnosis;

	(void)state;
	for (size_t i = 0; evidence_hostile_texts[i]; i++) {
		json_t *json;

		evidence_make_hostile(&evidence, &diagnosis, evidence_hostile_texts[i]);
		json = read_back(&evidence, &diagnosis, i % 2 == 0);
		assert_shape(json);
		assert_presentable(json);
		json_decref(json);
	}
}

static int allocations_left;
static int allocations_live;

static void *allocate(size_t size_bytes)
{
	void *memory = allocations_left-- > 0 ? malloc(size_bytes) : NULL;

	allocations_live += memory != NULL;
	return memory;
}

static void release(void *memory)
{
	allocations_live -= memory != NULL;
	free(memory);
}

static void without_memory_there_is_no_json_and_no_leak(void **state)
{
	static struct evidence evidence;
	struct diagnosis diagnosis = { .verdict = DIAGNOSIS_AUTH_DENIED, .why = { 1, { "why" } }, .candidate_count = 1,
		.ruled_out_count = 1 };
	json_t *json = NULL;

	(void)state;
	evidence_healthy(&evidence);
	json_set_alloc_funcs(allocate, release);
	for (int limit = 0; !json; limit++) {
		assert_true(limit < 5000);
		allocations_left = limit;
		json = story_to_json(&evidence, &diagnosis, false);
		assert_true(json || allocations_live == 0);
	}
	json_decref(json);
	assert_int_equal(allocations_live, 0);
	json_set_alloc_funcs(malloc, free);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_is_there_even_when_nothing_is_known),
		cmocka_unit_test(what_is_known_is_told),
		cmocka_unit_test(accounts_are_masked_in_every_text_of_the_diagnosis),
		cmocka_unit_test(hostile_text_in_every_field_stays_valid_and_printable),
		cmocka_unit_test(without_memory_there_is_no_json_and_no_leak),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
