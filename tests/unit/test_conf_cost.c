/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lattice-probe/buf.h"
#include "lattice-probe/conf.h"
#include "lattice-probe/conf_cost.h"

static struct conf_cost cost_of(const char *text)
{
	struct conf_findings findings;
	struct conf *conf = NULL;
	struct conf_cost cost;

	conf_findings_init(&findings);
	assert_int_equal(conf_load_text("t.conf", text, strlen(text), &conf, &findings), 0);
	conf_cost_estimate(conf, &cost);
	conf_findings_done(&findings);
	conf_free(conf);
	return cost;
}

static void assert_near(double value, double expected)
{
	if (fabs(value - expected) > 0.005)
		fail_msg("%.4f is not %.4f", value, expected);
}

#define HTTPS(name) "[probe " name "]\nurl = https://" name ".example/\n"

static void nothing_costs_a_heartbeat(void **state)
{
	struct conf_cost cost = cost_of("");

	(void)state;
	assert_int_equal(cost.service_metrics, 0);
	assert_int_equal(cost.agent_metrics, 1);
	assert_int_equal(cost.sparse_metrics, 6);
	assert_int_equal(cost.fleet_metrics, 1);
	assert_near(cost.requests_per_month, 43800);
	assert_near(cost.metric_dollars, 0.30);
	assert_near(cost.request_dollars, 0.438);
	cost = cost_of("[cloudwatch]\nagent_metrics = none\nperiod = 1s\n");
	assert_int_equal(cost.agent_metrics + cost.sparse_metrics, 0);
	assert_near(cost.requests_per_month, 0);
	assert_near(cost.fleet_dollars, 0);
	cost = cost_of("[cloudwatch]\nperiod = 1s\n");
	assert_near(cost.requests_per_month, 43800);
}

static void a_metric_is_a_name_in_a_set_for_a_probe(void **state)
{
	struct conf_cost cost = cost_of(HTTPS("a") HTTPS("b") "[probe c]\nurl = http://10.0.0.1/\n"
		"[cloudwatch]\nmetrics = Latency, DnsLatency, TlsLatency\ndimension_sets = Service | Service,VpcId\n");

	(void)state;
	/* Two sets of: Success Latency DnsLatency TlsLatency of a and b, Success Latency of c. */
	assert_int_equal(cost.service_metrics, 2 * (4 + 4 + 2));
	/* Two sets of: four failures each, a certificate for a and b; and six of the agent. */
	assert_int_equal(cost.sparse_metrics, 2 * (5 + 5 + 4) + 6);
}

static void what_is_always_published_is_no_longer_sparse(void **state)
{
	struct conf_cost cost = cost_of(HTTPS("a") "[cloudwatch]\nfailure_metrics = always\nagent_metrics = none\n"
		"metrics = FailedLatency, CertificateDaysRemaining\n");

	(void)state;
	assert_int_equal(cost.service_metrics, 1 + 1 + 4);
	assert_int_equal(cost.sparse_metrics, 1);
}

static void a_set_without_service_is_one_series_for_all_probes(void **state)
{
	struct conf_cost cost = cost_of(HTTPS("a") HTTPS("b") "[cloudwatch]\ndimension.Stage = x\n"
		"dimension_sets = Service | Stage\nagent_metrics = none\n");

	(void)state;
	assert_int_equal(cost.service_metrics, 2 * 3 + 3);
}

static void a_fleet_shares_the_series_that_no_agent_owns(void **state)
{
	struct conf_cost cost = cost_of(HTTPS("a") "[cloudwatch]\nexpected_agents = 10\nagent_metrics = both\n"
		"dimension_sets = Service | Service,VpcId | Service,InstanceId | Service,AvailabilityZoneId\n");

	(void)state;
	assert_int_equal(cost.service_metrics, 4 * 3);
	assert_int_equal(cost.agent_metrics, 2);
	assert_int_equal(cost.fleet_metrics, 2 * 3 + 2 * 3 * 10 + 1 + 10);
	assert_near(cost.fleet_dollars, 77 * 0.30 + 10 * 0.438);
	cost = cost_of(HTTPS("a") "[cloudwatch]\nexpected_agents = 10\n");
	assert_int_equal(cost.fleet_metrics, 3 + 1);
}

static void a_short_period_makes_more_requests(void **state)
{
	struct conf_cost cost = cost_of(HTTPS("a") "[cloudwatch]\nperiod = 1s\n");

	(void)state;
	assert_near(cost.requests_per_month, 2628000);
	assert_near(cost.request_dollars, 26.28);
	cost = cost_of(HTTPS("a") "[cloudwatch]\nperiod = 5m\n");
	assert_near(cost.requests_per_month, 8760);
}

static void many_datums_take_several_requests(void **state)
{
	struct conf_cost cost;
	struct buf text;

	(void)state;
	buf_init(&text, 1024 * 1024);
	(void)buf_append_text(&text, "[cloudwatch]\nmax_metrics = 100000\n");
	for (int i = 0; i < 334; i++)
		(void)buf_append_format(&text, "[probe p%d]\nurl = https://h\n", i);
	cost = cost_of(buf_text(&text));
	assert_int_equal(cost.service_metrics, 1002);
	assert_near(cost.requests_per_month, 2 * 43800);
	buf_done(&text);
	/* 3600 runs in a period: each of the two times becomes 24 datums, 49 with Success. */
	buf_init(&text, 1024 * 1024);
	(void)buf_append_text(&text, "[agent]\ninterval = 1s\ntimeout = 900ms\n[cloudwatch]\nperiod = 1h\n");
	for (int i = 0; i < 21; i++)
		(void)buf_append_format(&text, "[probe p%d]\nurl = https://h\n", i);
	cost = cost_of(buf_text(&text));
	assert_near(cost.requests_per_month, 2 * 730);
	buf_done(&text);
}

static void the_price_falls_in_tiers(void **state)
{
	struct conf_cost cost;
	struct buf text;

	(void)state;
	buf_init(&text, 16 * 1024 * 1024);
	(void)buf_append_text(&text, "[cloudwatch]\nmax_metrics = 1000000\nagent_metrics = none\n");
	for (int i = 0; i < 4000; i++)
		(void)buf_append_format(&text, "[probe p%d]\nurl = https://h\n", i);
	cost = cost_of(buf_text(&text));
	assert_int_equal(cost.service_metrics, 12000);
	assert_near(cost.metric_dollars, 10000 * 0.30 + 2000 * 0.10);
	buf_done(&text);
}

static void the_datagrams_of_a_second_are_counted(void **state)
{
	struct conf_cost cost = cost_of("[agent]\ninterval = 5s\n" HTTPS("a") HTTPS("b") "ip = v4\n" HTTPS("c")
		"ip = both\n[probe d]\nurl = http://10.0.0.1\n[probe e]\nurl = http://e\nenabled = no\n");

	(void)state;
	assert_near(cost.dns_datagrams_per_s, (2 + 1 + 2) / 5.0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_costs_a_heartbeat),
		cmocka_unit_test(a_metric_is_a_name_in_a_set_for_a_probe),
		cmocka_unit_test(what_is_always_published_is_no_longer_sparse),
		cmocka_unit_test(a_set_without_service_is_one_series_for_all_probes),
		cmocka_unit_test(a_fleet_shares_the_series_that_no_agent_owns),
		cmocka_unit_test(a_short_period_makes_more_requests),
		cmocka_unit_test(many_datums_take_several_requests),
		cmocka_unit_test(the_price_falls_in_tiers),
		cmocka_unit_test(the_datagrams_of_a_second_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
