/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "lattice-probe/result.h"
#include "lattice-probe/result_json.h"
#include "lattice-probe/target.h"

static struct target *secretive_target(void)
{
	struct target *target = target_new();
	const char *why = NULL;

	assert_non_null(target);
	memcpy(target->name, "checkout", 9);
	assert_int_equal(url_parse("https://h/healthz?token=SECRET", &target->url, &why), 0);
	target->headers = calloc(1, sizeof *target->headers);
	assert_non_null(target->headers);
	target->headers[0] = (struct target_header){ strdup("Authorization"), strdup("SECRET"), true };
	target->header_count = 1;
	target->body = strdup("SECRET");
	target->body_bytes = 6;
	return target;
}

static char *dump(const struct result *result)
{
	json_t *json = result_to_json(result);
	char *text;

	assert_non_null(json);
	text = json_dumps(json, JSON_COMPACT);
	assert_non_null(text);
	json_decref(json);
	return text;
}

static void a_full_result_is_written_in_the_order_of_the_manual(void **state)
{
	struct target *target = secretive_target();
	struct result result;
	char *text;

	(void)state;
	result_init(&result, target);
	result.outcome = OUTCOME_OK;
	result.start = (struct wall){ INT64_C(1440938160) * US_PER_S + 7 };
	for (int i = 0; i < PHASE_COUNT; i++)
		result.phase_us[i] = 1000 + i;
	result.total_us = 5010;
	result.status = 200;
	result.http_version = 20;
	result.family = 4;
	assert_int_equal(parse_address("169.254.171.1:443", 0, &result.address), 0);
	assert_int_equal(parse_address("10.0.0.2:53", 0, &result.resolver), 0);
	assert_int_equal(result_add_cname(&result, "other.example"), 0);
	result.ttl_s = 60;
	result.rcode = 0;
	result.question_count = 1;
	result.questions[0] = (struct result_question){ .type = RESULT_TYPE_AAAA, .outcome = OUTCOME_DNS_NODATA,
		.elapsed_us = 900, .ttl_s = -1, .server = result.resolver, .marks = RESULT_MARK_DNS_SHARED };
	result.dns_retransmits = 1;
	result.tcp_rtt_us = 312;
	result.tcp_retransmits = 0;
	result.certificate_days = -3;
	result.body_bytes = 17;
	result.lag_us = 40;
	result.marks = RESULT_MARK_LAGGED | RESULT_MARK_LOCAL_CACHE | RESULT_MARK_FALLBACK |
		RESULT_MARK_DNS_SHARED | RESULT_MARK_DNS_REUSED;
	text = dump(&result);
	assert_string_equal(text,
		"{\"probe\":\"checkout\",\"url\":\"https://h/healthz?…\",\"outcome\":\"ok\",\"status\":200,"
		"\"http_version\":\"2\",\"family\":4,\"address\":\"169.254.171.1\",\"resolver\":\"10.0.0.2:53\","
		"\"rcode\":0,\"cname\":[\"other.example\"],\"ttl_s\":60,\"dns_us\":1000,\"connect_us\":1001,\"tls_us\":1002,"
		"\"first_byte_us\":1003,\"transfer_us\":1004,\"total_us\":5010,\"tcp_rtt_us\":312,"
		"\"tcp_retransmits\":0,\"dns_retransmits\":1,\"certificate_days\":-3,\"bytes\":17,\"lag_us\":40,"
		"\"marks\":[\"lagged\",\"dns_reused\",\"dns_shared\",\"fallback\",\"local_cache\"],"
		"\"questions\":[{\"type\":\"AAAA\",\"outcome\":\"dns_nodata\",\"rcode\":0,"
		"\"resolver\":\"10.0.0.2:53\",\"elapsed_us\":900,\"ttl_s\":null,\"addresses\":0,"
		"\"retransmits\":0,\"marks\":[\"dns_shared\"]}],\"attempts\":[],\"start\":\"2015-08-30T12:36:00.000007Z\"}");
	free(text);
	result_done(&result);
	target_drop(target);
}

static void what_was_not_found_out_is_null(void **state)
{
	struct target *target = secretive_target();
	struct result result;
	char *text;

	(void)state;
	result_init(&result, target);
	result.outcome = OUTCOME_DNS_TIMEOUT;
	result.total_us = 2000000;
	result_set_detail(&result, "10.0.0.2 said nothing");
	text = dump(&result);
	assert_string_equal(text,
		"{\"probe\":\"checkout\",\"url\":\"https://h/healthz?…\",\"outcome\":\"dns_timeout\","
		"\"status\":null,\"http_version\":null,\"family\":null,\"address\":null,\"resolver\":null,"
		"\"rcode\":null,\"cname\":[],\"ttl_s\":null,\"dns_us\":null,\"connect_us\":null,\"tls_us\":null,"
		"\"first_byte_us\":null,\"transfer_us\":null,\"total_us\":2000000,\"tcp_rtt_us\":null,"
		"\"tcp_retransmits\":null,\"dns_retransmits\":0,\"certificate_days\":null,\"bytes\":0,"
		"\"lag_us\":0,\"marks\":[],\"questions\":[],\"attempts\":[],\"start\":null,"
		"\"detail\":\"10.0.0.2 said nothing\"}");
	free(text);
	result_done(&result);
	target_drop(target);
}

static void each_attempt_is_an_object(void **state)
{
	struct target *target = secretive_target();
	struct result result;
	char *text;

	(void)state;
	result_init(&result, target);
	result.outcome = OUTCOME_CONNECT_REFUSED;
	result.attempts = calloc(2, sizeof *result.attempts);
	assert_non_null(result.attempts);
	result.attempt_count = 2;
	for (size_t i = 0; i < 2; i++) {
		struct attempt *attempt = &result.attempts[i];

		*attempt = (struct attempt){ .outcome = i ? OUTCOME_OK : OUTCOME_CONNECT_REFUSED,
			.status = i ? 200 : 0, .total_us = 9, .tcp_rtt_us = i ? 5 : -1, .tcp_retransmits = -1 };
		for (size_t phase = 0; phase < PHASE_COUNT; phase++)
			attempt->phase_us[phase] = i ? 1 : PHASE_NONE;
		assert_int_equal(parse_address(i ? "fd00:ec2:80::1" : "10.0.0.1", 443, &attempt->address), 0);
	}
	text = dump(&result);
	assert_non_null(strstr(text,
		"\"attempts\":[{\"outcome\":\"connect_refused\",\"address\":\"10.0.0.1\",\"status\":null,"
		"\"dns_us\":null,\"connect_us\":null,\"tls_us\":null,\"first_byte_us\":null,"
		"\"transfer_us\":null,\"total_us\":9,\"tcp_rtt_us\":null,\"tcp_retransmits\":null},"
		"{\"outcome\":\"ok\",\"address\":\"fd00:ec2:80::1\",\"status\":200,\"dns_us\":1,"
		"\"connect_us\":1,\"tls_us\":1,\"first_byte_us\":1,\"transfer_us\":1,\"total_us\":9,"
		"\"tcp_rtt_us\":5,\"tcp_retransmits\":null}],"));
	free(text);
	result_done(&result);
	target_drop(target);
}

static void no_secret_is_written(void **state)
{
	struct target *target = secretive_target();
	struct result result;
	char *text;

	(void)state;
	result_init(&result, target);
	text = dump(&result);
	assert_null(strstr(text, "SECRET"));
	assert_null(strstr(text, "token"));
	free(text);
	result_done(&result);
	target_drop(target);
}

static void a_detail_that_is_no_utf8_does_not_lose_the_result(void **state)
{
	struct target *target = secretive_target();
	struct result result;
	char *text;

	(void)state;
	result_init(&result, target);
	memcpy(result.detail, "\xff\xfe", 3);
	text = dump(&result);
	assert_non_null(strstr(text, "\"detail\":\"(not printable)\""));
	free(text);
	result_done(&result);
	target_drop(target);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_result_is_written_in_the_order_of_the_manual),
		cmocka_unit_test(what_was_not_found_out_is_null),
		cmocka_unit_test(each_attempt_is_an_object),
		cmocka_unit_test(no_secret_is_written),
		cmocka_unit_test(a_detail_that_is_no_utf8_does_not_lose_the_result),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
