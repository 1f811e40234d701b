/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "generate_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lattice-probe/alarms.h"
#include "lattice-probe/conf.h"
#include "lattice-probe/err.h"

#define PLAIN "[probe plain]\nurl = http://plain.example/\n"
#define PROD "[cloudwatch]\ndimension.Environment = prod\n"

static const json_t *resources(const struct made *made)
{
	return json_object_get(made->json, "Resources");
}

/* The properties of the alarm of that name; the test fails when there is none. */
static const json_t *alarm(const struct made *made, const char *name)
{
	const char *id;
	json_t *resource;

	json_object_foreach((json_t *)(uintptr_t)resources(made), id, resource) {
		const json_t *properties = json_object_get(resource, "Properties");

		if (strcmp(json_string_value(json_object_get(properties, "AlarmName")), name) == 0)
			return properties;
	}
	fail_msg("there is no alarm %s", name);
	return NULL;
}

static const char *text_of(const json_t *properties, const char *name)
{
	const char *text = json_string_value(json_object_get(properties, name));

	return text ? text : "";
}

static double number_of(const json_t *properties, const char *name)
{
	return json_number_value(json_object_get(properties, name));
}

static void assert_shape(const json_t *properties, const char *statistic, const char *comparison, double threshold,
	int period_s, int datapoints, int evaluations, const char *missing)
{
	const char *said = text_of(properties, "Statistic");

	assert_string_equal(*said ? said : text_of(properties, "ExtendedStatistic"), statistic);
	assert_string_equal(text_of(properties, "ComparisonOperator"), comparison);
	assert_true(number_of(properties, "Threshold") == threshold);
	assert_int_equal(number_of(properties, "Period"), period_s);
	assert_int_equal(number_of(properties, "DatapointsToAlarm"), datapoints);
	assert_int_equal(number_of(properties, "EvaluationPeriods"), evaluations);
	assert_string_equal(text_of(properties, "TreatMissingData"), missing);
}

static void a_service_has_availability_latency_and_certificate(void **state)
{
	struct made made = fixture_alarms(PROD "expected_agents = 3\n" CHECKOUT PLAIN, NULL, NULL);
	const json_t *one;

	(void)state;
	assert_int_equal(made.err, 0);
	assert_int_equal(json_object_size(resources(&made)), 3 + 2 + 1);
	one = alarm(&made, "LatticeProbe availability Service=checkout, Environment=prod");
	assert_shape(one, "Average", "LessThanThreshold", 0.99, 60, 3, 5, "missing");
	assert_int_equal(json_array_size(json_object_get(one, "Dimensions")), 2);
	one = alarm(&made, "LatticeProbe latency Service=checkout, Environment=prod");
	assert_shape(one, "p90", "GreaterThanThreshold", 1500, 300, 1, 1, "notBreaching");
	one = alarm(&made, "LatticeProbe certificate Service=checkout, Environment=prod");
	assert_shape(one, "Minimum", "LessThanThreshold", 14, 300, 1, 1, "notBreaching");
	one = alarm(&made, "LatticeProbe heartbeat Fleet=lattice-probe, Environment=prod");
	assert_shape(one, "Sum", "LessThanThreshold", 3, 60, 3, 5, "breaching");
	fixture_done(&made);
}

/* Whether a probe every `interval` with metrics every `period` has an alarm with those periods. */
static void a_period_holds_a_run_and_is_one_that_alarms_know(void **state)
{
	static const struct {
		const char *period;
		const char *interval;
		int alarm_period_s;
		int evaluations;
	} cases[] = {
		{ "60s", "10s", 60, 5 }, { "60s", "1m", 60, 5 }, { "60s", "61s", 120, 5 }, { "60s", "5m", 300, 5 },
		{ "1s", "1s", 10, 5 }, { "5s", "5s", 10, 5 }, { "10s", "10s", 10, 5 }, { "10s", "11s", 30, 5 },
		{ "30s", "5s", 30, 5 }, { "10s", "31s", 60, 5 }, { "2m", "3m", 240, 5 }, { "1h", "10s", 3600, 5 },
		{ "60s", "5h", 18000, 4 }, { "60s", "8h", 28800, 3 }, { "60s", "1d", 86400, 1 }, { "59m", "1d", 86400, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[512];
		struct made made;

		(void)snprintf(text, sizeof text, "[agent]\ninterval = %s\ntimeout = 900ms\n[cloudwatch]\nperiod = %s\n" CHECKOUT,
			cases[i].interval, strcmp(cases[i].period, "59m") == 0 ? "3540s" : cases[i].period);
		made = fixture_alarms(text, NULL, NULL);
		assert_shape(alarm(&made, "LatticeProbe availability Service=checkout"), "Average", "LessThanThreshold", 0.99,
			cases[i].alarm_period_s, cases[i].evaluations < 3 ? cases[i].evaluations : 3, cases[i].evaluations,
			"missing");
		assert_true(number_of(alarm(&made, "LatticeProbe heartbeat Fleet=lattice-probe"), "Period") >= 60);
		fixture_done(&made);
	}
}

static void the_options_are_followed(void **state)
{
	struct alarms_options alarms = { .availability = 0.5, .latency_us = 250500, .certificate_days = 30 };
	struct made made = fixture_alarms(CHECKOUT, NULL, &alarms);

	(void)state;
	assert_true(number_of(alarm(&made, "LatticeProbe availability Service=checkout"), "Threshold") == 0.5);
	assert_true(number_of(alarm(&made, "LatticeProbe latency Service=checkout"), "Threshold") == 250.5);
	assert_true(number_of(alarm(&made, "LatticeProbe certificate Service=checkout"), "Threshold") == 30);
	fixture_done(&made);
	alarms.certificate_days = 31;
	made = fixture_alarms(CHECKOUT, NULL, &alarms);
	fixture_assert_refusal(&made, ERR_RANGE, "only when 30 days or fewer are left");
	fixture_done(&made);
	made = fixture_alarms("[cloudwatch]\nmetrics = CertificateDaysRemaining\n" CHECKOUT, NULL, &alarms);
	assert_true(number_of(alarm(&made, "LatticeProbe certificate Service=checkout"), "Threshold") == 31);
	fixture_assert_note(&made, "no alarms on latency");
	assert_int_equal(json_object_size(resources(&made)), 3);
	fixture_done(&made);
}

static void sparse_failures_get_no_alarm(void **state)
{
	struct alarms_options alarms = fixture_defaults;
	struct made made;

	(void)state;
	alarms.with_failures = true;
	made = fixture_alarms(CHECKOUT, NULL, &alarms);
	fixture_assert_refusal(&made, ERR_UNSUPPORTED, "set failure_metrics = always in [cloudwatch]");
	fixture_done(&made);
	made = fixture_alarms("[cloudwatch]\nfailure_metrics = always\n" CHECKOUT PLAIN, NULL, &alarms);
	assert_int_equal(json_object_size(resources(&made)), (3 + 4) + (2 + 3) + 1);
	assert_shape(alarm(&made, "LatticeProbe dns_failures Service=plain"), "Sum", "GreaterThanThreshold", 0, 60, 3, 5,
		"notBreaching");
	fixture_done(&made);
	made = fixture_alarms("[cloudwatch]\nfailure_metrics = always\n" CHECKOUT, NULL, NULL);
	assert_int_equal(json_object_size(resources(&made)), 3 + 1);
	fixture_done(&made);
}

static void ids_and_names_do_not_depend_on_order(void **state)
{
	struct made one = fixture_alarms("[cloudwatch]\ndimension.A = 1\ndimension.B = 2\n" CHECKOUT PAYMENTS, NULL, NULL);
	struct made other = fixture_alarms("[cloudwatch]\ndimension.B = 2\ndimension.A = 1\n" PLAIN PAYMENTS CHECKOUT, NULL,
		NULL);
	const char *id;
	json_t *resource;

	(void)state;
	json_object_foreach((json_t *)(uintptr_t)resources(&one), id, resource)
		assert_non_null(json_object_get(resources(&other), id));
	fixture_done(&one);
	fixture_done(&other);
}

/* Values that could be taken for a separator, and some too long for a name. */
static void names_are_unique_and_short_enough(void **state)
{
	static const char text[] = "[cloudwatch]\ndimension_sets = Service | VpcId,Service | VpcId\n" CHECKOUT PAYMENTS;
	char value[600] = "a, Service=b%";
	struct made made;
	const char *id;
	json_t *resource;
	json_t *seen = json_object();

	(void)state;
	memset(value + strlen(value), 'v', sizeof value - 1 - strlen(value));
	made = fixture_alarms(text, &(struct generate_options){ .region = "", .facts = &(struct conf_static_dimension){
		(char[]){ "VpcId" }, value }, .fact_count = 1 }, NULL);
	json_object_foreach((json_t *)(uintptr_t)resources(&made), id, resource) {
		const char *name = text_of(json_object_get(resource, "Properties"), "AlarmName");

		assert_true(strlen(name) <= 255);
		assert_int_equal(strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"), strlen(id));
		assert_null(json_object_get(seen, name));
		(void)json_object_set_new(seen, name, json_null());
	}
	assert_int_equal(json_object_size(seen), 2 * 3 + 2 * 3 + 3 + 1);
	assert_non_null(strstr(buf_text(&made.text), "VpcId=a%2C Service%3Db%25vvv"));
	json_decref(seen);
	fixture_done(&made);
}

static void a_value_that_only_instances_know_is_asked_for(void **state)
{
	static const char text[] = "[cloudwatch]\ndimension_sets = Service | Service,AvailabilityZoneId\n" CHECKOUT;
	struct conf_static_dimension fact = { (char[]){ "AvailabilityZoneId" }, (char[]){ "use1-az1" } };
	struct made made = fixture_alarms(text, NULL, NULL);

	(void)state;
	assert_int_equal(json_object_size(resources(&made)), 3 + 1);
	fixture_assert_note(&made, "no alarms on dimension sets with AvailabilityZoneId: only an instance knows its value; "
		"name it with --dimension AvailabilityZoneId=VALUE");
	fixture_done(&made);
	made = fixture_alarms(text, &(struct generate_options){ .region = "", .facts = &fact, .fact_count = 1 }, NULL);
	assert_int_equal(json_object_size(resources(&made)), 3 + 3 + 1);
	(void)alarm(&made, "LatticeProbe latency Service=checkout, AvailabilityZoneId=use1-az1");
	fixture_done(&made);
}

static void the_heartbeat_is_that_of_the_fleet_or_of_a_named_agent(void **state)
{
	struct made made = fixture_alarms("[cloudwatch]\nagent_metrics = both\nexpected_agents = 7\n" CHECKOUT, NULL, NULL);

	(void)state;
	assert_true(number_of(alarm(&made, "LatticeProbe heartbeat Fleet=lattice-probe"), "Threshold") == 7);
	fixture_done(&made);
	made = fixture_alarms("[cloudwatch]\nagent_metrics = agent\nexpected_agents = 7\n" CHECKOUT, NULL, NULL);
	fixture_assert_note(&made, "no alarm on the heartbeat: with agent_metrics = agent");
	assert_int_equal(json_object_size(resources(&made)), 3);
	fixture_done(&made);
	made = fixture_alarms("[agent]\nagent_id = me\n[cloudwatch]\nagent_metrics = agent\nexpected_agents = 7\n" CHECKOUT,
		NULL, NULL);
	assert_true(number_of(alarm(&made, "LatticeProbe heartbeat Fleet=lattice-probe, Agent=me"), "Threshold") == 1);
	fixture_done(&made);
}

static void without_a_probe_there_is_the_heartbeat_or_nothing(void **state)
{
	struct made made = fixture_alarms("", NULL, NULL);

	(void)state;
	assert_int_equal(json_object_size(resources(&made)), 1);
	fixture_assert_note(&made, "no probe is configured");
	fixture_done(&made);
	made = fixture_alarms("[cloudwatch]\nagent_metrics = none\n", NULL, NULL);
	fixture_assert_refusal(&made, ERR_NOT_FOUND, "add a probe, or agent_metrics = fleet");
	fixture_done(&made);
}

static void more_than_a_template_holds_is_made_in_parts(void **state)
{
	char *text = fixture_many(1000, "[cloudwatch]\nmax_metrics = 100000\n", "");
	struct made made = fixture_alarms(text, NULL, NULL);
	json_t *seen = json_object();
	size_t count = 0;

	(void)state;
	fixture_assert_refusal(&made, ERR_LIMIT, "a template holds 500 resources, and these are 3001 alarms: make several "
		"with --part 1/9, --part 2/9");
	fixture_done(&made);
	for (unsigned part = 1; part <= 9; part++) {
		const struct generate_options options = { .region = "", .part = part, .parts = 9 };

		made = fixture_alarms(text, &options, NULL);
		assert_int_equal(made.err, 0);
		assert_true(json_object_size(resources(&made)) <= 500);
		fixture_assert_note(&made, "upload it to S3, as aws cloudformation deploy --s3-bucket BUCKET does");
		count += json_object_size(resources(&made));
		assert_int_equal(json_object_update_missing(seen, (json_t *)(uintptr_t)resources(&made)), 0);
		fixture_done(&made);
	}
	assert_int_equal(json_object_size(seen), 3001);
	assert_int_equal(count, 3001);
	json_decref(seen);
	free(text);
}

static void a_reference_that_cloudformation_would_resolve_is_refused(void **state)
{
	static const char text[] = "[cloudwatch]\ndimension.Stage = {{resolve:ssm:x}}\n" CHECKOUT;
	struct alarms_options alarms = fixture_defaults;
	struct made made = fixture_alarms(text, NULL, NULL);

	(void)state;
	fixture_assert_refusal(&made, ERR_UNSUPPORTED, "use --format terraform");
	fixture_done(&made);
	alarms.format = ALARMS_TERRAFORM;
	made = fixture_alarms(text, NULL, &alarms);
	assert_int_equal(made.err, 0);
	assert_non_null(strstr(buf_text(&made.text), "\"Stage\"   = \"{{resolve:ssm:x}}\"\n"));
	fixture_done(&made);
}

static void terraform_sees_no_template_in_a_value(void **state)
{
	struct alarms_options alarms = fixture_defaults;
	struct made made;

	(void)state;
	alarms.format = ALARMS_TERRAFORM;
	made = fixture_alarms("[agent]\nfleet = ${file(\"x\")} %{if}\\\n[cloudwatch]\nnamespace = $${a} $ % {\n"
		"dimension.a\"${b} = $\n" CHECKOUT, NULL, &alarms);
	assert_int_equal(made.err, 0);
	assert_non_null(strstr(buf_text(&made.text), "\"Fleet\"    = \"$${file(\\\"x\\\")} %%{if}\\\\\"\n"));
	assert_non_null(strstr(buf_text(&made.text), "\"a\\\"$${b}\" = \"$\"\n"));
	assert_non_null(strstr(buf_text(&made.text), "namespace           = \"$$${a} $ % {\"\n"));
	assert_null(strstr(buf_text(&made.text), "\t"));
	fixture_done(&made);
}

static void a_set_without_service_watches_all_probes_together(void **state)
{
	struct made made = fixture_alarms("[cloudwatch]\ndimension.Stage = beta\ndimension_sets = Stage\n"
		PLAIN "timeout = 5s\n" CHECKOUT, NULL, NULL);

	(void)state;
	assert_int_equal(json_object_size(resources(&made)), 3 + 1);
	assert_true(number_of(alarm(&made, "LatticeProbe latency Stage=beta"), "Threshold") == 2500);
	assert_non_null(strstr(text_of(alarm(&made, "LatticeProbe certificate Stage=beta"), "AlarmDescription"),
		"all probes together"));
	fixture_done(&made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_service_has_availability_latency_and_certificate),
		cmocka_unit_test(a_period_holds_a_run_and_is_one_that_alarms_know),
		cmocka_unit_test(the_options_are_followed),
		cmocka_unit_test(sparse_failures_get_no_alarm),
		cmocka_unit_test(ids_and_names_do_not_depend_on_order),
		cmocka_unit_test(names_are_unique_and_short_enough),
		cmocka_unit_test(a_value_that_only_instances_know_is_asked_for),
		cmocka_unit_test(the_heartbeat_is_that_of_the_fleet_or_of_a_named_agent),
		cmocka_unit_test(without_a_probe_there_is_the_heartbeat_or_nothing),
		cmocka_unit_test(more_than_a_template_holds_is_made_in_parts),
		cmocka_unit_test(a_reference_that_cloudformation_would_resolve_is_refused),
		cmocka_unit_test(terraform_sees_no_template_in_a_value),
		cmocka_unit_test(a_set_without_service_watches_all_probes_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
