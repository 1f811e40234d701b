/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "generate_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "lattice-probe/control.h"
#include "lattice-probe/iam_policy.h"

#define SIGNED "auth = sigv4\n"

/* NULL: there is none of that name. */
static const json_t *statement(const struct made *made, const char *sid)
{
	const json_t *found;
	size_t i;

	json_array_foreach(json_object_get(made->json, "Statement"), i, found)
		if (strcmp(json_string_value(json_object_get(found, "Sid")), sid) == 0)
			return found;
	return NULL;
}

static const json_t *resources(const struct made *made)
{
	return json_object_get(statement(made, "InvokeSignedProbes"), "Resource");
}

static void assert_resource(const char *text, const char *region, const char *expected)
{
	struct made made = fixture_policy(text, region, false);

	assert_int_equal(json_array_size(resources(&made)), 1);
	assert_string_equal(json_string_value(json_array_get(resources(&made), 0)), expected);
	fixture_done(&made);
}

static void publishing_is_allowed_into_the_configured_namespace_only(void **state)
{
	struct made made = fixture_policy("[cloudwatch]\nnamespace = My \"own\"\n" CHECKOUT, "", true);
	const json_t *publish = statement(&made, "PublishMetrics");

	(void)state;
	assert_int_equal(made.err, 0);
	assert_string_equal(json_string_value(json_object_get(made.json, "Version")), "2012-10-17");
	assert_string_equal(json_string_value(json_object_get(publish, "Action")), "cloudwatch:PutMetricData");
	assert_string_equal(json_string_value(json_object_get(json_object_get(json_object_get(publish, "Condition"),
		"StringEquals"), "cloudwatch:namespace")), "My \"own\"");
	assert_null(statement(&made, "InvokeSignedProbes"));
	assert_string_equal(buf_text(&made.words.notes), "");
	fixture_done(&made);
}

static void diagnose_has_every_action_it_makes_use_of_and_no_other(void **state)
{
	struct made made = fixture_policy("", "", true);
	const json_t *actions = json_object_get(statement(&made, "DiagnoseReads"), "Action");
	size_t count = 0;

	(void)state;
	for (; control_action(count); count++)
		assert_string_equal(json_string_value(json_array_get(actions, count)), control_action(count));
	assert_int_equal(json_array_size(actions), count);
	assert_int_equal(count, CONTROL_CALLS + 1);
	fixture_done(&made);
	made = fixture_policy("", "", false);
	assert_null(statement(&made, "DiagnoseReads"));
	assert_int_equal(json_array_size(json_object_get(made.json, "Statement")), 1);
	fixture_done(&made);
}

static void a_signed_probe_may_invoke_its_own_service_and_path(void **state)
{
	(void)state;
	assert_resource(CHECKOUT SIGNED PAYMENTS, "", "arn:aws:vpc-lattice:us-east-1:*:service/svc-0a1b2c3d4e5f67890/healthz");
	/* The host tells the region, whatever the metrics' region is. */
	assert_resource(CHECKOUT SIGNED, "cn-north-1",
		"arn:aws:vpc-lattice:us-east-1:*:service/svc-0a1b2c3d4e5f67890/healthz");
	assert_resource("[probe a]\nurl = https://a-0a1b2c3d4e5f67890.7d67968.vpc-lattice-svcs.cn-north-1.on.aws/x?y\n" SIGNED,
		"", "arn:aws-cn:vpc-lattice:cn-north-1:*:service/svc-0a1b2c3d4e5f67890/x");
	assert_resource("[probe a]\nurl = https://a-0a1b2c3d4e5f67890.7d67968.vpc-lattice-svcs.us-gov-west-1.on.aws\n" SIGNED,
		"", "arn:aws-us-gov:vpc-lattice:us-gov-west-1:*:service/svc-0a1b2c3d4e5f67890/");
}

static void a_name_without_the_id_allows_every_service_and_says_so(void **state)
{
	struct made made = fixture_policy("[probe a]\nurl = https://a.example/x\nsign_host = a.example\n" SIGNED, "", false);

	(void)state;
	fixture_assert_note(&made, "probe a: the name a.example does not tell the id of the service");
	fixture_assert_note(&made, "the region is not known; name it with --region REGION");
	fixture_done(&made);
	assert_resource("[probe a]\nurl = https://a.example/x\nsign_host = a.example\n" SIGNED, "",
		"arn:aws:vpc-lattice:*:*:service/*/x");
	assert_resource("[probe a]\nurl = https://a.example/x\nsign_host = a.example\n" SIGNED, "eusc-de-east-1",
		"arn:aws-eusc:vpc-lattice:eusc-de-east-1:*:service/*/x");
	/* Neither a service network endpoint nor a name that only looks alike tells an id. */
	assert_resource("[probe a]\nurl = https://vpce-0a1b2c3d4e5f67890-snsa-0a1b2c3d4e5f67890.7d67968."
		"vpc-lattice-svcs.us-east-1.on.aws/x\n" SIGNED, "", "arn:aws:vpc-lattice:us-east-1:*:service/*/x");
	assert_resource("[probe a]\nurl = https://a-0a1b2c3d4e5f6789z.7d67968.vpc-lattice-svcs.us-east-1.on.aws/x\n" SIGNED,
		"", "arn:aws:vpc-lattice:us-east-1:*:service/*/x");
	assert_resource("[probe a]\nurl = https://aa0a1b2c3d4e5f67890.7d67968.vpc-lattice-svcs.us-east-1.on.aws/x\n" SIGNED,
		"", "arn:aws:vpc-lattice:us-east-1:*:service/*/x");
	assert_resource("[probe a]\nurl = https://0a1b2c3d4e5f67890.7d67968.vpc-lattice-svcs.us-east-1.on.aws/x\n" SIGNED,
		"", "arn:aws:vpc-lattice:us-east-1:*:service/*/x");
}

static void what_means_something_in_a_resource_is_escaped(void **state)
{
	(void)state;
	assert_resource("[probe a]\nurl = https://a-0a1b2c3d4e5f67890.7d67968.vpc-lattice-svcs.us-east-1.on.aws/a*$%20b\n"
		SIGNED, "", "arn:aws:vpc-lattice:us-east-1:*:service/svc-0a1b2c3d4e5f67890/a${*}${$}*b");
}

static void order_and_repetition_change_nothing(void **state)
{
	struct made one = fixture_policy(CHECKOUT SIGNED PAYMENTS SIGNED, "", true);
	struct made other = fixture_policy(PAYMENTS SIGNED CHECKOUT SIGNED "[probe again]\nurl = "
		LATTICE("checkout", "0a1b2c3d4e5f67890") "?x\n" SIGNED, "", true);

	(void)state;
	assert_int_equal(json_array_size(resources(&one)), 2);
	assert_string_equal(buf_text(&one.text), buf_text(&other.text));
	fixture_done(&one);
	fixture_done(&other);
}

static void many_paths_are_widened_until_they_fit_a_managed_policy(void **state)
{
	static const struct {
		int count;
		const char *note;
		const char *first;
	} cases[] = {
		{ 50, NULL, "arn:aws:vpc-lattice:us-east-1:*:service/svc-00000000000000000/a/b" },
		{ 1000, "all services of their regions", "arn:aws:vpc-lattice:us-east-1:*:service/*/*" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *text = fixture_many(cases[i].count, "[cloudwatch]\nmax_metrics = 100000\n", SIGNED);
		struct made made = fixture_policy(text, "", true);

		assert_true(json_dumpb(made.json, NULL, 0, JSON_COMPACT) <= 6144);
		assert_string_equal(json_string_value(json_array_get(resources(&made), 0)), cases[i].first);
		if (cases[i].note)
			fixture_assert_note(&made, cases[i].note);
		else
			assert_string_equal(buf_text(&made.words.notes), "");
		fixture_done(&made);
		free(text);
	}
}

static void many_paths_of_one_service_become_the_service(void **state)
{
	struct buf text;
	struct made made;

	(void)state;
	buf_init(&text, GENERATE_TEXT_MAX);
	for (int i = 0; i < 200; i++)
		(void)buf_append_format(&text, "[probe p%d]\nurl = " LATTICE("checkout", "0a1b2c3d4e5f67890") "/%d\n" SIGNED, i, i);
	made = fixture_policy(buf_text(&text), "", true);
	assert_int_equal(json_array_size(resources(&made)), 1);
	assert_string_equal(json_string_value(json_array_get(resources(&made), 0)),
		"arn:aws:vpc-lattice:us-east-1:*:service/svc-0a1b2c3d4e5f67890/*");
	fixture_assert_note(&made, "allowed on whole services");
	fixture_done(&made);
	buf_done(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(publishing_is_allowed_into_the_configured_namespace_only),
		cmocka_unit_test(diagnose_has_every_action_it_makes_use_of_and_no_other),
		cmocka_unit_test(a_signed_probe_may_invoke_its_own_service_and_path),
		cmocka_unit_test(a_name_without_the_id_allows_every_service_and_says_so),
		cmocka_unit_test(what_means_something_in_a_resource_is_escaped),
		cmocka_unit_test(order_and_repetition_change_nothing),
		cmocka_unit_test(many_paths_are_widened_until_they_fit_a_managed_policy),
		cmocka_unit_test(many_paths_of_one_service_become_the_service),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
