/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "lattice-probe/err.h"
#include "lattice-probe/url.h"

static void parse_well(const char *text, struct url *ret_url)
{
	const char *why = NULL;

	if (url_parse(text, ret_url, &why) != 0)
		fail_msg("%s: %s", text, why);
}

static void a_full_url_is_taken_apart(void **state)
{
	struct url url;

	(void)state;
	parse_well("https://Checkout.Example.COM.:8443/a/b?x=1&y=%20#part", &url);
	assert_string_equal(url.text, "https://checkout.example.com:8443/a/b?x=1&y=%20");
	assert_string_equal(url.redacted, "https://checkout.example.com:8443/a/b?…");
	assert_string_equal(url.host, "checkout.example.com");
	assert_string_equal(url.path, "/a/b");
	assert_string_equal(url.query, "x=1&y=%20");
	assert_string_equal(url.authority, "checkout.example.com:8443");
	assert_int_equal(url.port, 8443);
	assert_true(url.is_tls);
	assert_false(url.is_literal);
	url_done(&url);
	assert_null(url.text);
}

static void the_shortest_url_gets_path_and_port(void **state)
{
	struct url url;

	(void)state;
	parse_well("http://a", &url);
	assert_string_equal(url.text, "http://a/");
	assert_string_equal(url.redacted, "http://a/");
	assert_string_equal(url.path, "/");
	assert_null(url.query);
	assert_string_equal(url.authority, "a");
	assert_int_equal(url.port, 80);
	assert_false(url.is_tls);
	url_done(&url);
}

static void urls_are_normalised(void **state)
{
	static const struct {
		const char *from;
		const char *to;
		const char *authority;
	} rows[] = {
		{ "HTTPS://h:443/", "https://h/", "h" },
		{ "http://h:443/", "http://h:443/", "h:443" },
		{ "http://h:80", "http://h/", "h" },
		{ "http://h:/x", "http://h/x", "h" },
		{ "http://h/p?", "http://h/p", "h" },
		{ "http://h?q", "http://h/?q", "h" },
		{ "http://h#f", "http://h/", "h" },
		{ "http://h/a/../b/./c", "http://h/b/c", "h" },
		{ "http://_dmarc.example.com/", "http://_dmarc.example.com/", "_dmarc.example.com" },
		{ "http://xn--bcher-kva.example/", "http://xn--bcher-kva.example/", "xn--bcher-kva.example" },
		{ "http://10.0.0.1/", "http://10.0.0.1/", "10.0.0.1" },
		{ "http://[FD00:EC2::0:1]:81/", "http://[fd00:ec2::1]:81/", "[fd00:ec2::1]:81" },
		{ "https://[::1]", "https://[::1]/", "[::1]" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct url url;

		parse_well(rows[i].from, &url);
		assert_string_equal(url.text, rows[i].to);
		assert_string_equal(url.authority, rows[i].authority);
		url_done(&url);
	}
}

static void a_literal_address_is_known_with_its_port(void **state)
{
	struct url url;
	char text[ADDRESS_TEXT_SIZE];

	(void)state;
	parse_well("http://[::ffff:169.254.169.254]:8080/", &url);
	assert_true(url.is_literal);
	address_format_port(&url.literal, text);
	assert_string_equal(text, "[::ffff:169.254.169.254]:8080");
	assert_string_equal(url.host, "::ffff:169.254.169.254");
	url_done(&url);
	parse_well("https://192.0.2.7", &url);
	assert_true(url.is_literal);
	address_format_port(&url.literal, text);
	assert_string_equal(text, "192.0.2.7:443");
	url_done(&url);
}

static void what_is_wrong_is_said_and_the_result_stays(void **state)
{
	static const struct {
		const char *text;
		const char *why;
	} rows[] = {
		{ "", "a URL begins with" },
		{ "example.com/healthz", "a URL begins with" },
		{ "ftp://example.com/", "a URL begins with" },
		{ "file:///etc/passwd", "a URL begins with" },
		{ "https:/example.com/", "a URL begins with" },
		{ "https:///example.com/", "there is no host" },
		{ "https://", "there is no host" },
		{ "https://?q", "there is no host" },
		{ "https://:443/", "there is no host" },
		{ "https://user:secret@h/", "user name or password" },
		{ "https://@h/", "user name or password" },
		{ "https://h/a\nb", "control characters" },
		{ "https://h/a\x7f", "control characters" },
		{ "https://h/a b", "no space" },
		{ "https://h\\@evil/", "backslash" },
		{ "https://h/%00", "percent-encoded NUL" },
		{ "https://b\xc3\xbc" "cher.example/", "plain ASCII" },
		{ "https://h/\xc3\xbc", "plain ASCII" },
		{ "https://%68ost/", "percent-encoding" },
		{ "http://[fe80::1%25eth0]/", "zone" },
		{ "http://h:0/", "a port is a number" },
		{ "http://h:65536/", "a port is a number" },
		{ "http://h:http/", "a port is a number" },
		{ "http://a..b/", "empty label" },
		{ "http://./", "empty label" },
		{ "http://a~b/", "letters, digits" },
		{ "http://10.0.0.256/", "neither a name nor an IPv4 address" },
		{ "http://a.1/", "neither a name nor an IPv4 address" },
		{ "http://[::1/", "not a URL" },
		{ "http://[10.0.0.1]/", "not a URL" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct url url = { .port = 42 };
		const char *why = NULL;

		assert_int_equal(url_parse(rows[i].text, &url, &why), ERR_SYNTAX);
		if (!why || !strstr(why, rows[i].why))
			fail_msg("%s: said \"%s\", not \"%s\"", rows[i].text, why ? why : "", rows[i].why);
		assert_int_equal(url.port, 42);
		assert_null(url.text);
	}
}

static void over_long_input_is_refused(void **state)
{
	static char text[URL_TEXT_MAX + 2];
	struct url url;
	const char *why;

	(void)state;
	memset(text, 'a', sizeof text - 1);
	memcpy(text, "https://h/", 10);
	assert_int_equal(url_parse(text, &url, &why), ERR_SYNTAX);
	assert_non_null(strstr(why, "8000"));
	text[URL_TEXT_MAX] = '\0';
	parse_well(text, &url);
	url_done(&url);
	(void)snprintf(text, sizeof text, "http://%0*d.example/", 64, 0);
	assert_int_equal(url_parse(text, &url, &why), ERR_SYNTAX);
	assert_non_null(strstr(why, "63"));
	memset(text, 'a', 300);
	for (size_t i = 7 + 50; i < 300; i += 50)
		text[i] = '.';
	memcpy(text, "http://", 7);
	text[300] = '\0';
	assert_int_equal(url_parse(text, &url, &why), ERR_SYNTAX);
	assert_non_null(strstr(why, "253"));
}

static void a_location_is_resolved_against_its_base(void **state)
{
	static const struct {
		const char *location;
		const char *text; /* NULL: refused */
	} rows[] = {
		{ "/new?x=1", "https://h:8443/new?x=1" },
		{ "c", "https://h:8443/a/c" },
		{ "../c", "https://h:8443/c" },
		{ "?z", "https://h:8443/a/b?z" },
		{ "//other/x", "https://other/x" },
		{ "http://other:81/x#f", "http://other:81/x" },
		{ "/with space", "https://h:8443/with%20space" },
		{ "ftp://other/x", NULL },
		{ "javascript:alert(1)", NULL },
		{ "https:/x", NULL },
		{ "HTTPS://Other/caf\xc3\xa9", "https://other/caf%c3%a9" },
		{ "http://user:pw@other/", NULL },
		{ "/a\r\nSet-Cookie: x", NULL },
		{ "http:///", NULL },
	};
	struct url base;

	(void)state;
	parse_well("https://h:8443/a/b?q", &base);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct url url = { 0 };
		const char *why = "";
		int err = url_resolve(&base, rows[i].location, &url, &why);

		if (!rows[i].text) {
			if (err != ERR_SYNTAX)
				fail_msg("%s became %s", rows[i].location, url.text);
			continue;
		}
		if (err)
			fail_msg("%s: %s", rows[i].location, why);
		assert_string_equal(url.text, rows[i].text);
		url_done(&url);
	}
	url_done(&base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_url_is_taken_apart),
		cmocka_unit_test(the_shortest_url_gets_path_and_port),
		cmocka_unit_test(urls_are_normalised),
		cmocka_unit_test(a_literal_address_is_known_with_its_port),
		cmocka_unit_test(what_is_wrong_is_said_and_the_result_stays),
		cmocka_unit_test(over_long_input_is_refused),
		cmocka_unit_test(a_location_is_resolved_against_its_base),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
