/* SPDX-License-Identifier: Apache-2.0 */
/* Which sample of a result goes to which metric, and how windows become datums. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "aggregate_bench.h"
#include "lattice-probe/err.h"

#define ALL_METRICS ((2u << METRIC_ID_CERTIFICATE_DAYS) - 1)

static struct bench *bench_for(unsigned metrics)
{
	return bench_make((struct bench_options){ .period_us = MINUTE, .metrics = metrics, .is_tls = true });
}

static struct result make_result(const struct bench *bench, enum outcome outcome)
{
	struct result result;

	result_init(&result, bench->target);
	result.outcome = outcome;
	result.scheduled.us = NOON;
	return result;
}

/* A success whose phases are 1, 2, 3, 4 and 5 ms. */
static struct result make_success(const struct bench *bench)
{
	struct result result = make_result(bench, OUTCOME_OK);

	for (int phase = 0; phase < PHASE_COUNT; phase++)
		result.phase_us[phase] = (phase + 1) * US_PER_MS;
	result.total_us = 15 * US_PER_MS;
	return result;
}

static void add_result(struct bench *bench, struct result result)
{
	assert_int_equal(aggregate_add(bench->series, &result), 0);
	result_done(&result);
}

static void emit_all(struct bench *bench)
{
	aggregate_close_all(bench->aggregate, (struct wall){ NOON });
}

static const struct datum *find(const struct bench *bench, const char *metric)
{
	for (size_t i = 0; i < bench->count; i++)
		if (strcmp(bench->caught[i]->metric, metric) == 0)
			return bench->caught[i];
	return NULL;
}

/* The same where it must be there. */
static const struct datum *get(const struct bench *bench, const char *metric)
{
	static const struct datum none = { 0 };
	const struct datum *datum = find(bench, metric);

	assert_non_null(datum);
	return datum ? datum : &none;
}

static void check_one_value(const struct bench *bench, const char *metric, double value, double count)
{
	const struct datum *datum = get(bench, metric);

	assert_int_equal(datum->value_count, 1);
	assert_true(datum->values[0] == value);
	assert_true(datum->counts[0] == count);
}

/* ---- what goes where ------------------------------------------------------------------------- */

static void a_success_gives_each_chosen_metric(void **state)
{
	struct bench *bench = bench_for(ALL_METRICS & ~(unsigned)METRIC_CERTIFICATE_DAYS);

	(void)state;
	add_result(bench, make_success(bench));
	emit_all(bench);
	check_one_value(bench, "Success", 1, 1);
	check_one_value(bench, "Latency", 15, 1);
	check_one_value(bench, "DnsLatency", 1, 1);
	check_one_value(bench, "ConnectLatency", 2, 1);
	check_one_value(bench, "TlsLatency", 3, 1);
	check_one_value(bench, "FirstByteLatency", 4, 1);
	check_one_value(bench, "TransferLatency", 5, 1);
	assert_null(find(bench, "FailedLatency"));
	assert_null(find(bench, "CertificateDaysRemaining"));
	assert_null(find(bench, "HealthFailures"));
	assert_int_equal(get(bench, "Latency")->unit, DATUM_UNIT_MILLISECONDS);
	assert_int_equal(get(bench, "Success")->unit, DATUM_UNIT_NONE);
	assert_int_equal(get(bench, "Latency")->timestamp.us, NOON);
	bench_free(bench);
}

static void what_is_not_chosen_is_not_sent(void **state)
{
	struct bench *bench = bench_for(METRIC_LATENCY);

	(void)state;
	add_result(bench, make_success(bench));
	emit_all(bench);
	assert_int_equal(bench->count, 1);
	assert_non_null(find(bench, "Latency"));
	bench_free(bench);
}

static void a_failure_never_enters_latency(void **state)
{
	struct bench *bench = bench_for(ALL_METRICS);
	struct result result = make_result(bench, OUTCOME_TLS_TIMEOUT);

	(void)state;
	result.phase_us[PHASE_DNS] = 1500;
	result.phase_us[PHASE_CONNECT] = 2500;
	result.total_us = 2004000;
	result.failed_us = 2000000;
	add_result(bench, result);
	emit_all(bench);
	check_one_value(bench, "Success", 0, 1);
	check_one_value(bench, "DnsLatency", 1.5, 1);
	check_one_value(bench, "ConnectLatency", 2.5, 1);
	check_one_value(bench, "FailedLatency", 2004, 1);
	check_one_value(bench, "TlsFailures", 1, 1);
	assert_null(find(bench, "Latency"));
	assert_null(find(bench, "TlsLatency"));
	assert_null(find(bench, "FirstByteLatency"));
	assert_null(find(bench, "DnsFailures"));
	bench_free(bench);
}

static void a_lagged_run_is_judged_but_not_timed(void **state)
{
	struct bench *bench = bench_for(ALL_METRICS);
	struct result result = make_success(bench);

	(void)state;
	result.marks = RESULT_MARK_LAGGED;
	result.tcp_retransmits = 2;
	add_result(bench, result);
	emit_all(bench);
	check_one_value(bench, "Success", 1, 1);
	check_one_value(bench, "TcpRetransmits", 2, 1);
	assert_null(find(bench, "Latency"));
	assert_null(find(bench, "DnsLatency"));
	assert_null(find(bench, "TransferLatency"));
	bench_free(bench);
}

static void dns_time_that_is_not_the_networks_is_left_out(void **state)
{
	static const unsigned marks[] = { RESULT_MARK_DNS_REUSED, RESULT_MARK_DNS_SHARED, RESULT_MARK_LOCAL_CACHE };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct bench *bench = bench_for(ALL_METRICS);
		struct result result = make_success(bench);

		result.marks = marks[i];
		add_result(bench, result);
		emit_all(bench);
		assert_null(find(bench, "DnsLatency"));
		assert_non_null(find(bench, "Latency"));
		bench_free(bench);
	}
}

static void retransmits_are_summed_where_known(void **state)
{
	struct bench *bench = bench_for(ALL_METRICS);

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct result result = make_success(bench);

		result.tcp_retransmits = i - 1; /* the first is unknown */
		result.dns_retransmits = 1;
		result.marks = i == 0 ? RESULT_MARK_DNS_SHARED : 0; /* its question was another's */
		add_result(bench, result);
	}
	emit_all(bench);
	check_one_value(bench, "TcpRetransmits", 0 + 1 + 2, 1);
	check_one_value(bench, "DnsRetransmits", 3, 1);
	assert_int_equal(get(bench, "TcpRetransmits")->unit, DATUM_UNIT_COUNT);
	bench_free(bench);
}

static void failures_are_counted_by_phase(void **state)
{
	struct bench *bench = bench_for(METRIC_SUCCESS);
	unsigned expected[OUTCOME_PHASE_LOCAL + 1] = { 0 };

	(void)state;
	for (int outcome = OUTCOME_OK; outcome < OUTCOME_COUNT; outcome++) {
		expected[outcome_phase((enum outcome)outcome)]++;
		add_result(bench, make_result(bench, (enum outcome)outcome));
	}
	emit_all(bench);
	check_one_value(bench, "DnsFailures", expected[OUTCOME_PHASE_DNS], 1);
	check_one_value(bench, "ConnectFailures", expected[OUTCOME_PHASE_CONNECT], 1);
	check_one_value(bench, "TlsFailures", expected[OUTCOME_PHASE_TLS], 1);
	check_one_value(bench, "HealthFailures", expected[OUTCOME_PHASE_HEALTH], 1);
	check_one_value(bench, "LocalFaults", expected[OUTCOME_PHASE_LOCAL], 1);
	assert_int_equal(get(bench, "HealthFailures")->unit, DATUM_UNIT_COUNT);
	assert_true(samples_of(bench, "Success", NOON) == OUTCOME_COUNT - 1 - expected[OUTCOME_PHASE_LOCAL]);
	bench_free(bench);
}

static void zeros_are_sent_when_asked_for(void **state)
{
	struct bench *bench = bench_make((struct bench_options){ .period_us = MINUTE,
		.metrics = METRIC_SUCCESS, .with_zeros = true });

	(void)state;
	add_result(bench, make_result(bench, OUTCOME_HTTP_STATUS));
	emit_all(bench);
	check_one_value(bench, "DnsFailures", 0, 1);
	check_one_value(bench, "ConnectFailures", 0, 1);
	check_one_value(bench, "TlsFailures", 0, 1);
	check_one_value(bench, "HealthFailures", 1, 1);
	bench_free(bench);
}

static void certificate_days_are_sent_when_they_matter(void **state)
{
	static const struct {
		enum outcome outcome;
		int32_t days;
		unsigned metrics;
		bool is_tls;
		bool is_sent;
	} rows[] = {
		{ OUTCOME_OK, 31, METRIC_SUCCESS, true, false },
		{ OUTCOME_OK, 30, METRIC_SUCCESS, true, true },
		{ OUTCOME_OK, 0, METRIC_SUCCESS, true, true },
		{ OUTCOME_OK, 90, METRIC_SUCCESS | METRIC_CERTIFICATE_DAYS, true, true },
		{ OUTCOME_OK, 5, METRIC_SUCCESS | METRIC_CERTIFICATE_DAYS, false, false },
		{ OUTCOME_TLS_EXPIRED, -3, METRIC_SUCCESS, true, true },
		{ OUTCOME_TLS_NAME, 200, METRIC_SUCCESS, true, true },
		{ OUTCOME_TLS_UNTRUSTED, 200, METRIC_SUCCESS, true, true },
		{ OUTCOME_TLS_HANDSHAKE, 200, METRIC_SUCCESS, true, false },
		{ OUTCOME_TLS_UNTRUSTED, CERTIFICATE_DAYS_NONE, METRIC_CERTIFICATE_DAYS, true, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct bench *bench = bench_make((struct bench_options){ .period_us = MINUTE,
			.metrics = rows[i].metrics, .is_tls = rows[i].is_tls });
		struct result result = make_result(bench, rows[i].outcome);

		result.certificate_days = rows[i].days;
		add_result(bench, result);
		emit_all(bench);
		if (rows[i].is_sent)
			check_one_value(bench, "CertificateDaysRemaining", rows[i].days, 1);
		else
			assert_null(find(bench, "CertificateDaysRemaining"));
		bench_free(bench);
	}
}

/* ---- values and counts ----------------------------------------------------------------------- */

static void equal_values_are_merged(void **state)
{
	struct bench *bench = bench_for(METRIC_SUCCESS | METRIC_LATENCY);

	(void)state;
	for (int i = 0; i < 10000; i++) {
		struct result result = make_result(bench, i % 5 ? OUTCOME_OK : OUTCOME_HTTP_STATUS);

		result.total_us = 3000 - i % 3;
		add_result(bench, result);
	}
	emit_all(bench);
	assert_int_equal(get(bench, "Success")->value_count, 2);
	assert_true(get(bench, "Success")->values[0] == 0 && get(bench, "Success")->counts[0] == 2000);
	assert_true(get(bench, "Success")->values[1] == 1 && get(bench, "Success")->counts[1] == 8000);
	assert_int_equal(get(bench, "Latency")->value_count, 3);
	assert_true(get(bench, "Latency")->values[0] == 2.998);
	assert_true(get(bench, "Latency")->values[2] == 3);
	assert_true(datum_sample_count(get(bench, "Latency")) == 8000);
	bench_free(bench);
}

static void beyond_150_values_there_are_several_datums(void **state)
{
	struct bench *bench = bench_for(METRIC_LATENCY);
	double samples = 0;
	int us = 10001;

	(void)state;
	for (int i = 0; i < 600; i++) {
		struct result result = make_success(bench);

		result.total_us = 10001 + (i * 379) % 417; /* 417 distinct ones, in no order */
		add_result(bench, result);
	}
	emit_all(bench);
	assert_int_equal(bench->count, 3);
	assert_int_equal(bench->caught[0]->value_count, 150);
	assert_int_equal(bench->caught[2]->value_count, 117);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(bench->caught[i]->timestamp.us, NOON);
		samples += datum_sample_count(bench->caught[i]);
		for (size_t k = 0; k < bench->caught[i]->value_count; k++) {
			assert_true(bench->caught[i]->values[k] == (double)us / 1000);
			us++;
		}
	}
	assert_true(samples == 600);
	assert_int_equal(us, 10001 + 417);
	bench_free(bench);
}

static void beyond_the_ceiling_only_known_values_are_taken(void **state)
{
	struct bench *bench = bench_for(METRIC_LATENCY);
	struct result result = make_success(bench);
	uint64_t refused = 0;

	(void)state;
	for (int64_t i = 0; i < 3 * AGGREGATE_VALUES_MAX; i++) {
		result.total_us = i;
		refused += aggregate_add(bench->series, &result) == ERR_LIMIT;
	}
	assert_true(refused > 0);
	result.total_us = 5;
	assert_int_equal(aggregate_add(bench->series, &result), 0);
	result_done(&result);
	emit_all(bench);
	assert_true(samples_of(bench, "Latency", NOON) == 3 * AGGREGATE_VALUES_MAX + 1 - (double)refused);
	assert_true(samples_of(bench, "Latency", NOON) >= AGGREGATE_VALUES_MAX);
	assert_true(sum_of(bench, "SamplesDropped", NOON) == (double)refused);
	assert_true(bench->caught[0]->values[5] == 0.005 && bench->caught[0]->counts[5] == 2);
	bench_free(bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_success_gives_each_chosen_metric),
		cmocka_unit_test(what_is_not_chosen_is_not_sent),
		cmocka_unit_test(a_failure_never_enters_latency),
		cmocka_unit_test(a_lagged_run_is_judged_but_not_timed),
		cmocka_unit_test(dns_time_that_is_not_the_networks_is_left_out),
		cmocka_unit_test(retransmits_are_summed_where_known),
		cmocka_unit_test(failures_are_counted_by_phase),
		cmocka_unit_test(zeros_are_sent_when_asked_for),
		cmocka_unit_test(certificate_days_are_sent_when_they_matter),
		cmocka_unit_test(equal_values_are_merged),
		cmocka_unit_test(beyond_150_values_there_are_several_datums),
		cmocka_unit_test(beyond_the_ceiling_only_known_values_are_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
