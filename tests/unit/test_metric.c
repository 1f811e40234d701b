/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "lattice-probe/metric.h"

static void the_chosen_metrics_keep_their_bits(void **state)
{
	static const struct {
		const char *name;
		unsigned bit;
	} rows[] = {
		{ "Success", 1 }, { "Latency", 2 }, { "DnsLatency", 4 }, { "ConnectLatency", 8 },
		{ "TlsLatency", 16 }, { "FirstByteLatency", 32 }, { "TransferLatency", 64 },
		{ "FailedLatency", 128 }, { "TcpRetransmits", 256 }, { "DnsRetransmits", 512 },
		{ "CertificateDaysRemaining", 1024 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(metric_find(rows[i].name), rows[i].bit);
}

static void what_cannot_be_chosen_is_not_found(void **state)
{
	(void)state;
	assert_int_equal(metric_find("DnsFailures"), 0);
	assert_int_equal(metric_find("Heartbeat"), 0);
	assert_int_equal(metric_find("latency"), 0);
	assert_int_equal(metric_find(""), 0);
}

static void each_row_has_its_unit_and_scope(void **state)
{
	(void)state;
	assert_int_equal(metric_get(METRIC_ID_SUCCESS)->unit, DATUM_UNIT_NONE);
	assert_int_equal(metric_get(METRIC_ID_TRANSFER_LATENCY)->unit, DATUM_UNIT_MILLISECONDS);
	assert_int_equal(metric_get(METRIC_ID_HEALTH_FAILURES)->unit, DATUM_UNIT_COUNT);
	assert_int_equal(metric_get(METRIC_ID_HEALTH_FAILURES)->scope, METRIC_SCOPE_FAILURE);
	assert_int_equal(metric_get(METRIC_ID_CLOCK_SKEW_SECONDS)->unit, DATUM_UNIT_SECONDS);
	assert_int_equal(metric_get(METRIC_ID_CLOCK_SKEW_SECONDS)->scope, METRIC_SCOPE_AGENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_chosen_metrics_keep_their_bits),
		cmocka_unit_test(what_cannot_be_chosen_is_not_found),
		cmocka_unit_test(each_row_has_its_unit_and_scope),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
