/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lattice-probe/err.h"
#include "lattice-probe/target.h"

static void *copy(const char *text)
{
	char *copy = strdup(text);

	assert_non_null(copy);
	return copy;
}

/* A target with every owned field filled. */
static struct target *full_target(void)
{
	struct target *target = target_new();
	const char *why = NULL;
	char *pattern_why = NULL;

	assert_non_null(target);
	memcpy(target->name, "checkout", 9);
	assert_int_equal(url_parse("https://h/healthz", &target->url, &why), 0);
	target->interval_us = 10;
	target->method = copy("POST");
	target->tls_ca = copy("/ca.pem");
	target->body = copy("x=1");
	target->body_bytes = 3;
	target->sign_hosts = calloc(1, sizeof *target->sign_hosts);
	target->headers = calloc(1, sizeof *target->headers);
	target->expect_body = calloc(2, sizeof *target->expect_body);
	target->expect_headers = calloc(1, sizeof *target->expect_headers);
	assert_true(target->sign_hosts && target->headers && target->expect_body && target->expect_headers);
	target->sign_hosts[0] = copy("h");
	target->sign_host_count = 1;
	target->headers[0] = (struct target_header){ copy("Accept"), copy("*/*"), false };
	target->header_count = 1;
	assert_int_equal(target_pattern_set_text("ok", &target->expect_body[0]), 0);
	assert_int_equal(target_pattern_compile("o+k", &target->expect_body[1], &pattern_why), 0);
	target->expect_body_count = 2;
	target->expect_headers[0].name = copy("Server");
	assert_int_equal(target_pattern_set_text("nginx", &target->expect_headers[0].pattern), 0);
	target->expect_header_count = 1;
	target->expect_status[0] = (struct target_status_range){ 200, 299 };
	target->expect_status_count = 1;
	target->resolver.mode = TARGET_RESOLVER_LIST;
	target->resolver.server_count = 1;
	assert_int_equal(parse_address("10.0.0.2", 53, &target->resolver.servers[0]), 0);
	return target;
}

static void the_last_reference_frees(void **state)
{
	struct target *target = full_target();

	(void)state;
	assert_ptr_equal(target_hold(target), target);
	target_drop(target);
	assert_string_equal(target->name, "checkout");
	target_drop(target);
	target_drop(NULL);
}

/* Each changes one field; the target must then differ. */
static void change_name(struct target *t) { t->name[0] = 'C'; }
static void change_url(struct target *t) { t->url.text[0] = 'H'; }
static void change_interval(struct target *t) { t->interval_us++; }
static void change_timeout(struct target *t) { t->timeout_us++; }
static void change_dns_timeout(struct target *t) { t->dns_timeout_us++; }
static void change_connect_timeout(struct target *t) { t->connect_timeout_us++; }
static void change_tls_timeout(struct target *t) { t->tls_timeout_us++; }
static void change_tries(struct target *t) { t->dns_tries++; }
static void change_unhealthy_after(struct target *t) { t->unhealthy_after++; }
static void change_healthy_after(struct target *t) { t->healthy_after++; }
static void change_is_diagnosed(struct target *t) { t->is_diagnosed = true; }
static void change_resolver_mode(struct target *t) { t->resolver.mode = TARGET_RESOLVER_VPC; }
static void change_resolver(struct target *t) { address_set_port(&t->resolver.servers[0], 54); }
static void change_ip(struct target *t) { t->ip = TARGET_IP_BOTH; }
static void change_addresses(struct target *t) { t->addresses = TARGET_ADDRESSES_ALL; }
static void change_auth(struct target *t) { t->auth = TARGET_AUTH_SIGV4; }
static void change_sign_host(struct target *t) { t->sign_hosts[0][0] = 'i'; }
static void change_http(struct target *t) { t->http = TARGET_HTTP_2; }
static void change_method(struct target *t) { t->method[0] = 'G'; }
static void change_header_name(struct target *t) { t->headers[0].name[0] = 'B'; }
static void change_header_value(struct target *t) { t->headers[0].value[0] = '+'; }
static void change_header_secret(struct target *t) { t->headers[0].is_secret = true; }
static void change_body(struct target *t) { t->body[0] = 'y'; }
static void change_tls_ca(struct target *t) { t->tls_ca[0] = '.'; }
static void change_tls_verify(struct target *t) { t->tls_verify = true; }
static void change_follow(struct target *t) { t->follow_redirects = true; }
static void change_max_body(struct target *t) { t->max_body_bytes++; }
static void change_status(struct target *t) { t->expect_status[0].last = 204; }
static void change_expect_body(struct target *t) { t->expect_body[0].text[0] = 'O'; }
static void change_expect_header_name(struct target *t) { t->expect_headers[0].name[0] = 's'; }
static void change_expect_header(struct target *t) { t->expect_headers[0].pattern.text[0] = 'N'; }

static void change_pattern_kind(struct target *t)
{
	target_pattern_done(&t->expect_body[1]);
	assert_int_equal(target_pattern_set_text("o+k", &t->expect_body[1]), 0);
}

static void targets_differ_in_any_one_field(void **state)
{
	static void (*const changes[])(struct target *) = { change_name, change_url, change_interval,
		change_timeout, change_dns_timeout, change_connect_timeout, change_tls_timeout, change_tries,
		change_unhealthy_after, change_healthy_after, change_is_diagnosed,
		change_resolver_mode, change_resolver, change_ip, change_addresses, change_auth,
		change_sign_host, change_http, change_method, change_header_name, change_header_value,
		change_header_secret, change_body, change_tls_ca, change_tls_verify, change_follow,
		change_max_body, change_status, change_expect_body, change_expect_header_name,
		change_expect_header, change_pattern_kind };

	(void)state;
	for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
		struct target *a = full_target();
		struct target *b = full_target();

		assert_true(target_is_equal(a, b));
		changes[i](b);
		if (target_is_equal(a, b))
			fail_msg("change %zu goes unnoticed", i);
		target_drop(a);
		target_drop(b);
	}
}

static void a_substring_is_found_among_binary_bytes(void **state)
{
	struct target_pattern pattern;
	bool limited = true;

	(void)state;
	assert_int_equal(target_pattern_set_text("ok", &pattern), 0);
	assert_true(target_pattern_matches(&pattern, "a\0b\xffok", 6, &limited));
	assert_false(limited);
	assert_false(target_pattern_matches(&pattern, "a\0b\xffok", 5, NULL));
	assert_false(target_pattern_matches(&pattern, NULL, 0, NULL));
	target_pattern_done(&pattern);
}

static void an_expression_is_run_on_bytes(void **state)
{
	static const struct {
		const char *pattern;
		const char *subject;
		size_t length;
		bool holds;
	} rows[] = {
		{ "\"status\":\\s*\"ok\"", "{\"status\":  \"ok\"}", 17, true },
		{ "^ok$", "not ok", 6, false },
		{ "(?i)OK", "xokx", 4, true },
		{ "a.b", "a\xff" "b", 3, true },
		{ "b", "a\0b", 3, true },
		{ "(a)\\1", "aa", 2, true },
		{ "^$", "", 0, true },
	};
	char *why = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct target_pattern pattern;
		bool limited = true;

		assert_int_equal(target_pattern_compile(rows[i].pattern, &pattern, &why), 0);
		assert_int_equal(target_pattern_matches(&pattern, rows[i].subject, rows[i].length, &limited),
			rows[i].holds);
		assert_false(limited);
		target_pattern_done(&pattern);
	}
}

static void a_wrong_expression_is_explained(void **state)
{
	struct target_pattern pattern = { 0 };
	char *why = NULL;

	(void)state;
	assert_int_equal(target_pattern_compile("a(b", &pattern, &why), ERR_SYNTAX);
	assert_string_equal(why, "missing closing parenthesis at character 4");
	assert_null(pattern.text);
	free(why);
}

static double cpu_seconds(void)
{
	return (double)clock() / CLOCKS_PER_SEC;
}

/* The first is exponential from one start; the second stays under the match limit at each start but
 * has very many; the third spends its time inside single items. */
static void costly_expressions_are_cut_short(void **state)
{
	static const char *const patterns[] = { "(x+x+)+[yz]", "(?:x*x*x?[yz]){1}", "x*[yz]" };
	static char subject[1024 * 1024];
	char *why = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
		struct target_pattern pattern;
		bool limited = false;
		double started;

		memset(subject, 'x', sizeof subject);
		for (size_t cut = 300; i == 1 && cut < sizeof subject; cut += 300)
			subject[cut] = ' ';
		assert_int_equal(target_pattern_compile(patterns[i], &pattern, &why), 0);
		started = cpu_seconds();
		assert_false(target_pattern_matches(&pattern, subject, sizeof subject, &limited));
		assert_true(limited);
		print_message("%s: %.1f ms\n", patterns[i], (cpu_seconds() - started) * 1e3);
		assert_true(cpu_seconds() - started < 0.25);
		target_pattern_done(&pattern);
	}
}

static void credentials_are_never_probed(void **state)
{
	static const struct {
		const char *address;
		bool is_denied;
	} rows[] = {
		{ "169.254.169.254", true }, { "169.254.170.2", true }, { "169.254.170.23", true },
		{ "fd00:ec2::254", true }, { "fd00:ec2::23", true }, { "::ffff:169.254.169.254", true },
		{ "::169.254.170.2", true }, { "64:ff9b::169.254.170.23", true },
		{ "64:ff9b:1::169.254.169.254", true }, { "64:ff9b:1:7::169.254.170.2", true },
		{ "64:ff9b:1::10.0.0.1", false },
		{ "169.254.169.253", false }, { "169.254.171.1", false }, { "fd00:ec2::253", false },
		{ "fd00:ec2:80::a9fe:ab21", false }, { "64:ff9b::169.254.171.1", false }, { "127.0.0.1", false },
	};
	union address none = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		union address address;

		assert_int_equal(parse_address(rows[i].address, 443, &address), 0);
		if (target_address_is_denied(&address) != rows[i].is_denied)
			fail_msg("%s", rows[i].address);
	}
	assert_false(target_address_is_denied(&none));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_reference_frees),
		cmocka_unit_test(targets_differ_in_any_one_field),
		cmocka_unit_test(credentials_are_never_probed),
		cmocka_unit_test(a_substring_is_found_among_binary_bytes),
		cmocka_unit_test(an_expression_is_run_on_bytes),
		cmocka_unit_test(a_wrong_expression_is_explained),
		cmocka_unit_test(costly_expressions_are_cut_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
