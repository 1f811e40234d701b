/* SPDX-License-Identifier: Apache-2.0 */
/* The pure half of the credentials: sets, and the documents they come in. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../support/chain.h"

#include "lattice-probe/credentials.h"
#include "lattice-probe/credentials_json.h"
#include "lattice-probe/credentials_xml.h"
#include "lattice-probe/err.h"
#include "lattice-probe/units.h"

/* ---- sets and documents ------------------------------------------------------------------- */

static void a_copy_is_whole_and_its_own(void **state)
{
	char id[] = KEY_ID;
	char secret[] = SECRET;
	const struct credentials_set set = { id, secret, NULL, { 42 }, "imds" };
	struct credentials_set copy;

	(void)state;
	assert_int_equal(credentials_set_copy(&set, &copy), 0);
	memset(id, 'x', sizeof id - 1);
	assert_string_equal(copy.access_key_id, KEY_ID);
	assert_string_equal(copy.secret_access_key, SECRET);
	assert_null(copy.session_token);
	assert_int_equal(copy.expiration.us, 42);
	credentials_set_done(&copy);
	assert_null(copy.access_key_id);
	credentials_set_done(&copy);
}

static void a_json_document_gives_a_set(void **state)
{
	static const char text[] = KEYS_JSON(KEY_ID, "2015-08-30T12:36:00Z");
	struct credentials_set set;
	const char *why;

	(void)state;
	assert_int_equal(credentials_json_parse(text, sizeof text - 1, &set, &why), 0);
	assert_string_equal(set.access_key_id, KEY_ID);
	assert_string_equal(set.secret_access_key, SECRET);
	assert_string_equal(set.session_token, "EXAMPLETOKEN");
	assert_int_equal(set.expiration.us, INT64_C(1440938160) * US_PER_S);
	credentials_set_done(&set);
}

static void a_wrong_json_document_gives_none(void **state)
{
	static const char *const documents[] = { "", "{", "[]", "null", "{}", "{\"AccessKeyId\":\"A\"}",
		KEYS_JSON("", FAR), KEYS_JSON("A B", FAR), KEYS_JSON("A\\nB", FAR), KEYS_JSON("A/B", FAR), KEYS_JSON("A", "soon"),
		KEYS_JSON("A", ""), KEYS_JSON("A", FAR) "x", "{\"AccessKeyId\":1,\"SecretAccessKey\":2,\"Token\":3,\"Expiration\":4}",
		"{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"S\",\"Token\":\"T\"}",
		"{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"S\",\"Expiration\":\"" FAR "\"}",
		"{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"S\",\"Token\":\"T\\r\\nX: y\",\"Expiration\":\"" FAR "\"}",
		"{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"S T\",\"Token\":\"T\",\"Expiration\":\"" FAR "\"}",
		"{\"AccessKeyId\":\"A\",\"AccessKeyId\":\"B\",\"SecretAccessKey\":\"S\",\"Token\":\"T\",\"Expiration\":\"" FAR "\"}",
		"{\"AccessKeyId\":\"A\\u0000\",\"SecretAccessKey\":\"S\",\"Token\":\"T\",\"Expiration\":\"" FAR "\"}" };
	struct credentials_set set = { .source = "untouched" };
	const char *why;

	(void)state;
	for (size_t i = 0; i < COUNT(documents); i++)
		assert_int_equal(credentials_json_parse(documents[i], strlen(documents[i]), &set, &why), ERR_PROTOCOL);
	assert_int_equal(credentials_json_parse("{\"Code\":\"AssumeRoleUnauthorizedAccess\"}", 39, &set, &why), ERR_DENIED);
	assert_string_equal(set.source, "untouched");
	assert_null(set.access_key_id);
}

static void an_xml_document_gives_a_set(void **state)
{
	static const char text[] = STS_XML(STS_FIELDS);
	struct credentials_set set;

	(void)state;
	assert_int_equal(credentials_xml_parse(text, sizeof text - 1, &set), 0);
	assert_string_equal(set.access_key_id, KEY_ID);
	assert_string_equal(set.secret_access_key, SECRET);
	assert_string_equal(set.session_token, "EXAMPLETOKEN");
	assert_string_equal(set.source, "web-identity");
	credentials_set_done(&set);
}

static void a_wrong_xml_document_gives_none(void **state)
{
	static const char *const documents[] = { "", "<a/>", STS_XML(""), STS_XML(STS_FIELDS) "x", STS_XML(STS_FIELDS STS_FIELDS),
		STS_XML("<AccessKeyId>" KEY_ID "</AccessKeyId>"),
		STS_XML("<AccessKeyId>A&#10;B</AccessKeyId><SecretAccessKey>S</SecretAccessKey><SessionToken>T</SessionToken>"
			"<Expiration>" FAR "</Expiration>"),
		STS_XML("<AccessKeyId>A</AccessKeyId><SecretAccessKey>S</SecretAccessKey><SessionToken>T</SessionToken>"
			"<Expiration>soon</Expiration>"),
		STS_XML("<AccessKeyId/><SecretAccessKey>S</SecretAccessKey><SessionToken>T</SessionToken><Expiration>" FAR
			"</Expiration>") };
	struct credentials_set set = { .source = "untouched" };

	(void)state;
	for (size_t i = 0; i < COUNT(documents); i++)
		assert_int_equal(credentials_xml_parse(documents[i], strlen(documents[i]), &set), ERR_PROTOCOL);
	assert_string_equal(set.source, "untouched");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_copy_is_whole_and_its_own),
		cmocka_unit_test(a_json_document_gives_a_set),
		cmocka_unit_test(a_wrong_json_document_gives_none),
		cmocka_unit_test(an_xml_document_gives_a_set),
		cmocka_unit_test(a_wrong_xml_document_gives_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
