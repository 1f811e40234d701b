/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "generate_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "lattice-probe/conf.h"
#include "lattice-probe/dashboard.h"
#include "lattice-probe/err.h"

#define PLAIN "[probe plain]\nurl = http://10.0.0.1/\n"

static const json_t *widgets(const struct made *made)
{
	return json_object_get(made->json, "widgets");
}

/* The widget of that title; NULL: there is none. */
static const json_t *widget(const struct made *made, const char *title)
{
	const json_t *found;
	size_t i;

	json_array_foreach(widgets(made), i, found) {
		const json_t *said = json_object_get(json_object_get(found, "properties"), "title");

		if (said && strcmp(json_string_value(said), title) == 0)
			return found;
	}
	return NULL;
}

static const json_t *rows(const json_t *one)
{
	return json_object_get(json_object_get(one, "properties"), "metrics");
}

/* An entry of the last element of that row, where its look is. */
static const char *look(const json_t *one, size_t row, const char *name)
{
	const json_t *entries = json_array_get(rows(one), row);
	const char *text =
		json_string_value(json_object_get(json_array_get(entries, json_array_size(entries) - 1), name));

	return text ? text : "";
}

static json_int_t place_of(const json_t *one, const char *name)
{
	return json_integer_value(json_object_get(one, name));
}

/* Every widget within the 24 columns, none over another, all limits kept. */
static void assert_valid(const struct made *made)
{
	static bool taken[20000][24];
	size_t metrics = 0;
	const json_t *one;
	size_t i;

	assert_int_equal(made->err, 0);
	memset(taken, 0, sizeof taken);
	json_array_foreach(widgets(made), i, one) {
		assert_true(place_of(one, "x") + place_of(one, "width") <= 24);
		for (json_int_t y = place_of(one, "y"); y < place_of(one, "y") + place_of(one, "height"); y++)
			for (json_int_t x = place_of(one, "x"); x < place_of(one, "x") + place_of(one, "width"); x++) {
				assert_false(taken[y][x]);
				taken[y][x] = true;
			}
		assert_true(json_array_size(rows(one)) <= 500);
		metrics += json_array_size(rows(one));
	}
	assert_true(json_array_size(widgets(made)) <= 500);
	assert_true(metrics <= 2500);
}

static void each_service_has_a_row(void **state)
{
	struct made made = fixture_dashboard("[cloudwatch]\ndimension.Environment = prod\n" CHECKOUT PLAIN, NULL);
	const json_t *one;

	(void)state;
	assert_valid(&made);
	/* The text, all services, three of the agents, four and (no name, so no phase) three, the certificates. */
	assert_int_equal(json_array_size(widgets(&made)), 1 + 1 + 3 + 4 + 3 + 1);
	assert_int_equal(place_of(widget(&made, "checkout: average by phase"), "width"), 6);
	assert_int_equal(json_array_size(rows(widget(&made, "checkout: average by phase"))), 1);
	assert_string_equal(look(widget(&made, "checkout: average by phase"), 0, "label"), "DnsLatency");
	assert_int_equal(place_of(widget(&made, "plain: availability"), "width"), 8);
	one = widget(&made, "checkout: latency of successes");
	assert_int_equal(json_array_size(rows(one)), 3);
	assert_string_equal(look(one, 0, "stat"), "p50");
	assert_string_equal(look(one, 1, "stat"), "p90");
	assert_string_equal(look(one, 2, "stat"), "p99");
	assert_int_equal(json_array_size(json_array_get(rows(one), 0)), 2 + 2 * 2 + 1);
	assert_string_equal(look(widget(&made, "plain: availability"), 0, "stat"), "Average");
	assert_string_equal(json_string_value(json_object_get(json_object_get(one, "properties"), "region")), "us-east-1");
	fixture_done(&made);
}

static void failures_are_stacked_and_zero_where_nothing_was_sent(void **state)
{
	struct made made = fixture_dashboard(CHECKOUT PLAIN, NULL);
	const json_t *one = widget(&made, "checkout: failures by phase");

	(void)state;
	assert_true(json_is_true(json_object_get(json_object_get(one, "properties"), "stacked")));
	assert_int_equal(json_array_size(rows(one)), 2 * 4);
	assert_int_equal(strncmp(look(one, 0, "expression"), "FILL(", 5), 0);
	assert_string_equal(look(one, 0, "label"), "DnsFailures");
	assert_string_equal(look(one, 1, "stat"), "Sum");
	assert_non_null(strstr(look(one, 0, "expression"), look(one, 1, "id")));
	/* An address over http fails neither by DNS nor by TLS. */
	assert_int_equal(json_array_size(rows(widget(&made, "plain: failures by phase"))), 2 * 2);
	fixture_done(&made);
}

static void what_only_instances_know_is_searched_for(void **state)
{
	static const char text[] = "[cloudwatch]\ndimension.my-own = a b\ndimension.Environment = prod\n"
		"dimension_sets = Service | Service,AvailabilityZoneId\n" CHECKOUT;
	struct conf_static_dimension fact = { (char[]){ "AvailabilityZoneId" }, (char[]){ "use1-az1" } };
	struct made made = fixture_dashboard(text, NULL);

	(void)state;
	assert_valid(&made);
	assert_string_equal(look(widget(&made, "checkout by AvailabilityZoneId: availability"), 0, "expression"),
		"SEARCH('{\"LatticeProbe\",\"Service\",\"AvailabilityZoneId\",\"my-own\",\"Environment\"} "
		"MetricName=\"Success\" Service=\"checkout\" \"a b\" Environment=\"prod\"', 'Average', 60)");
	fixture_done(&made);
	made = fixture_dashboard(text,
		&(struct generate_options){ .region = "us-east-1", .facts = &fact, .fact_count = 1 });
	assert_valid(&made);
	assert_null(strstr(buf_text(&made.text), "SEARCH"));
	assert_non_null(widget(&made, "checkout AvailabilityZoneId=use1-az1: availability"));
	fixture_done(&made);
}

static void agents_are_shown_together_and_one_by_one(void **state)
{
	struct made made = fixture_dashboard("[cloudwatch]\nagent_metrics = both\nexpected_agents = 5\nperiod = 2m\n", NULL);
	const json_t *one = widget(&made, "Agents alive");

	(void)state;
	assert_valid(&made);
	assert_int_equal(json_array_size(widgets(&made)), 1 + 3 + 3);
	assert_string_equal(look(one, 0, "stat"), "Sum");
	assert_int_equal(json_integer_value(json_object_get(json_object_get(one, "properties"), "period")), 120);
	assert_non_null(strstr(buf_text(&made.text), "\"Fleet\\\",\\\"Agent\\\"} MetricName=\\\"Heartbeat\\\""));
	fixture_done(&made);
}

static void what_a_dashboard_cannot_name_is_left_out_and_said(void **state)
{
	struct made made = fixture_dashboard("[cloudwatch]\ndimension.Stage = ...\n" CHECKOUT, NULL);

	(void)state;
	fixture_assert_refusal(&made, ERR_NOT_FOUND, "nothing is published that could be shown");
	fixture_assert_note(&made, "a dashboard takes the values . and ... for something else");
	fixture_done(&made);
	made = fixture_dashboard("[cloudwatch]\ndimension.Stage = it's\ndimension_sets = Service | Service,VpcId\n" CHECKOUT,
		NULL);
	assert_valid(&made);
	fixture_assert_note(&made, "a dimension has a quote or backslash, which a search cannot have");
	assert_null(strstr(buf_text(&made.text), "SEARCH"));
	fixture_done(&made);
	made = fixture_dashboard("[cloudwatch]\nnamespace = a\"b\ndimension_sets = VpcId\n" CHECKOUT, NULL);
	assert_valid(&made);
	fixture_assert_note(&made, "the namespace has a quote or backslash");
	fixture_done(&made);
}

static void nothing_is_shown_without_a_region_or_without_metrics(void **state)
{
	struct made made = fixture_dashboard(CHECKOUT, &(struct generate_options){ .region = "" });

	(void)state;
	fixture_assert_refusal(&made, ERR_RANGE, "set region in [cloudwatch], AWS_REGION, or --region REGION");
	fixture_done(&made);
	made = fixture_dashboard("[cloudwatch]\nagent_metrics = none\n", NULL);
	fixture_assert_refusal(&made, ERR_NOT_FOUND, "add a probe, or agent_metrics = fleet");
	fixture_done(&made);
}

static void many_services_take_several_dashboards(void **state)
{
	char *text = fixture_many(1000, "[cloudwatch]\nmax_metrics = 100000\n", "");
	struct made made = fixture_dashboard(text, NULL);
	size_t count = 0;

	(void)state;
	fixture_assert_refusal(&made, ERR_LIMIT, "a dashboard holds 500 widgets and 2500 metrics, and these are 4084 and ");
	fixture_assert_refusal(&made, ERR_LIMIT, "make several with --part 1/11, --part 2/11 and so on");
	fixture_done(&made);
	for (unsigned part = 1; part <= 11; part++) {
		const json_t *one;
		size_t i;

		made = fixture_dashboard(text, &(struct generate_options){ .region = "us-east-1", .part = part, .parts = 11 });
		assert_valid(&made);
		json_array_foreach(widgets(&made), i, one) {
			const char *title = json_string_value(json_object_get(json_object_get(one, "properties"), "title"));

			count += title && strstr(title, ": availability");
		}
		fixture_done(&made);
	}
	assert_int_equal(count, 1000);
	free(text);
}

static void a_point_in_a_graph_holds_a_run(void **state)
{
	struct made made = fixture_dashboard(CHECKOUT "interval = 90s\n[cloudwatch]\nperiod = 30s\n" PAYMENTS
		"interval = 5s\n", NULL);

	(void)state;
	assert_int_equal(json_integer_value(json_object_get(json_object_get(
		widget(&made, "checkout: availability"), "properties"), "period")), 120);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(
		widget(&made, "payments: availability"), "properties"), "period")), 30);
	fixture_done(&made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_service_has_a_row),
		cmocka_unit_test(failures_are_stacked_and_zero_where_nothing_was_sent),
		cmocka_unit_test(what_only_instances_know_is_searched_for),
		cmocka_unit_test(agents_are_shown_together_and_one_by_one),
		cmocka_unit_test(what_a_dashboard_cannot_name_is_left_out_and_said),
		cmocka_unit_test(nothing_is_shown_without_a_region_or_without_metrics),
		cmocka_unit_test(many_services_take_several_dashboards),
		cmocka_unit_test(a_point_in_a_graph_holds_a_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
