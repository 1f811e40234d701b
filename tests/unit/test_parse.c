/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <string.h>

#include "lattice-probe/err.h"
#include "lattice-probe/parse.h"
#include "lattice-probe/units.h"

static void integers_are_whole_and_within_range(void **state)
{
	static const struct {
		const char *text;
		int err;
		int64_t value;
	} rows[] = {
		{ "0", 0, 0 }, { "-7", 0, -7 }, { "100", 0, 100 }, { "007", 0, 7 },
		{ "101", ERR_RANGE, 0 }, { "-8", ERR_RANGE, 0 }, { "9223372036854775808", ERR_RANGE, 0 },
		{ "-99999999999999999999", ERR_RANGE, 0 }, { "", ERR_SYNTAX, 0 }, { "-", ERR_SYNTAX, 0 },
		{ "+1", ERR_SYNTAX, 0 }, { " 1", ERR_SYNTAX, 0 }, { "1 ", ERR_SYNTAX, 0 },
		{ "0x10", ERR_SYNTAX, 0 }, { "1.5", ERR_SYNTAX, 0 }, { "--1", ERR_SYNTAX, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int64_t value = 42;

		assert_int_equal(parse_int64(rows[i].text, -7, 100, &value), rows[i].err);
		assert_int_equal(value, rows[i].err ? 42 : rows[i].value);
	}
}

static void the_ends_of_the_64_bits_are_read(void **state)
{
	int64_t value = 0;

	(void)state;
	assert_int_equal(parse_int64("9223372036854775807", INT64_MIN, INT64_MAX, &value), 0);
	assert_true(value == INT64_MAX);
	assert_int_equal(parse_int64("-9223372036854775807", INT64_MIN, INT64_MAX, &value), 0);
	assert_true(value == -INT64_MAX);
}

static void durations_need_their_unit(void **state)
{
	static const struct {
		const char *text;
		int err;
		int64_t us;
	} rows[] = {
		{ "1ms", 0, 1000 }, { "3s", 0, 3 * US_PER_S }, { "5m", 0, 300 * US_PER_S },
		{ "24h", 0, US_PER_DAY }, { "14d", 0, 14 * US_PER_DAY }, { "0s", 0, 0 },
		{ "0", ERR_SYNTAX, 0 }, { "5", ERR_SYNTAX, 0 }, { "s", ERR_SYNTAX, 0 }, { "", ERR_SYNTAX, 0 },
		{ "5 s", ERR_SYNTAX, 0 }, { "5S", ERR_SYNTAX, 0 }, { "1.5s", ERR_SYNTAX, 0 },
		{ "-1s", ERR_SYNTAX, 0 }, { "1us", ERR_SYNTAX, 0 }, { "1s1ms", ERR_SYNTAX, 0 },
		{ "106751992d", ERR_RANGE, 0 }, { "99999999999999999999s", ERR_RANGE, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int64_t us = 42;

		assert_int_equal(parse_duration(rows[i].text, &us), rows[i].err);
		assert_int_equal(us, rows[i].err ? 42 : rows[i].us);
	}
}

static void sizes_need_their_unit(void **state)
{
	static const struct {
		const char *text;
		int err;
		int64_t bytes;
	} rows[] = {
		{ "0B", 0, 0 }, { "64KiB", 0, 65536 }, { "1MiB", 0, 1048576 }, { "2GiB", 0, INT64_C(2147483648) },
		{ "64", ERR_SYNTAX, 0 }, { "64KB", ERR_SYNTAX, 0 }, { "64kib", ERR_SYNTAX, 0 },
		{ "8589934592GiB", ERR_RANGE, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int64_t bytes = 42;

		assert_int_equal(parse_size(rows[i].text, &bytes), rows[i].err);
		assert_int_equal(bytes, rows[i].err ? 42 : rows[i].bytes);
	}
}

static void booleans_are_words(void **state)
{
	static const char *const yes[] = { "yes", "true", "on" };
	static const char *const no[] = { "no", "false", "off" };
	static const char *const neither[] = { "", "1", "0", "Yes", "yes ", "y" };
	bool value;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(parse_bool(yes[i], &value), 0);
		assert_true(value);
		assert_int_equal(parse_bool(no[i], &value), 0);
		assert_false(value);
	}
	for (size_t i = 0; i < sizeof neither / sizeof *neither; i++)
		assert_int_equal(parse_bool(neither[i], &value), ERR_SYNTAX);
}

static void addresses_are_read_and_written_back(void **state)
{
	static const struct {
		const char *text;
		const char *bare;
		const char *with_port;
	} rows[] = {
		{ "10.0.0.2", "10.0.0.2", "10.0.0.2:53" },
		{ "10.0.0.2:5353", "10.0.0.2", "10.0.0.2:5353" },
		{ "::1", "::1", "[::1]:53" },
		{ "fd00:ec2::253", "fd00:ec2::253", "[fd00:ec2::253]:53" },
		{ "[fd00:ec2::253]", "fd00:ec2::253", "[fd00:ec2::253]:53" },
		{ "[fd00:ec2::253]:65535", "fd00:ec2::253", "[fd00:ec2::253]:65535" },
		{ "::ffff:169.254.169.254", "::ffff:169.254.169.254", "[::ffff:169.254.169.254]:53" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		union address address;
		union address again;
		char text[ADDRESS_TEXT_SIZE];

		assert_int_equal(parse_address(rows[i].text, 53, &address), 0);
		address_format(&address, text);
		assert_string_equal(text, rows[i].bare);
		address_format_port(&address, text);
		assert_string_equal(text, rows[i].with_port);
		assert_int_equal(parse_address(text, 1, &again), 0);
		assert_true(address_is_equal(&address, &again));
	}
}

static void what_is_no_address_is_refused(void **state)
{
	static const char *const wrong[] = { "", "10.0.0", "10.0.0.256", "host", "10.0.0.2:", "10.0.0.2:0",
		"10.0.0.2:65536", "10.0.0.2:53x", "[::1", "[]", "[10.0.0.2]", "[::1]x", "[::1]:", "::1%eth0", ":53",
		"10.0.0.2 ", "1111:2222:3333:4444:5555:6666:7777:8888:9999", "[::1]:-1" };

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		union address address = { .sa.sa_family = AF_UNIX };

		if (parse_address(wrong[i], 53, &address) == 0)
			fail_msg("%s was taken for an address", wrong[i]);
		assert_int_equal(address.sa.sa_family, AF_UNIX);
	}
}

static void addresses_are_told_apart(void **state)
{
	union address a;
	union address b;
	union address none = { 0 };
	union address nothing = { 0 };
	char text[ADDRESS_TEXT_SIZE] = "x";

	(void)state;
	assert_int_equal(parse_address("127.0.0.53", 53, &a), 0);
	assert_int_equal(parse_address("127.0.0.53:54", 53, &b), 0);
	assert_false(address_is_equal(&a, &b));
	assert_false(address_is_equal(&a, &none));
	assert_true(address_is_equal(&none, &nothing));
	assert_true(address_is_loopback(&a));
	assert_false(address_is_loopback(&none));
	assert_int_equal(parse_address("::1", 53, &b), 0);
	assert_true(address_is_loopback(&b));
	assert_false(address_is_equal(&a, &b));
	assert_int_equal(parse_address("128.0.0.1", 53, &b), 0);
	assert_false(address_is_loopback(&b));
	address_format_port(&none, text);
	assert_string_equal(text, "");
}

static void an_address_is_made_from_network_bytes(void **state)
{
	static const unsigned char v6[16] = { 0xfd, 0, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0x53 };
	static const unsigned char v4[4] = { 169, 254, 169, 253 };
	union address address;
	char text[ADDRESS_TEXT_SIZE];

	(void)state;
	address_from_bytes(AF_INET6, v6, 53, &address);
	address_format_port(&address, text);
	assert_string_equal(text, "[fd00:ec2::253]:53");
	assert_int_equal(address_length(&address), sizeof(struct sockaddr_in6));
	address_from_bytes(AF_INET, v4, 80, &address);
	address_format_port(&address, text);
	assert_string_equal(text, "169.254.169.253:80");
	assert_int_equal(address_length(&address), sizeof(struct sockaddr_in));
	assert_int_equal(address_port(&address), 80);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers_are_whole_and_within_range),
		cmocka_unit_test(the_ends_of_the_64_bits_are_read),
		cmocka_unit_test(durations_need_their_unit),
		cmocka_unit_test(sizes_need_their_unit),
		cmocka_unit_test(booleans_are_words),
		cmocka_unit_test(addresses_are_read_and_written_back),
		cmocka_unit_test(what_is_no_address_is_refused),
		cmocka_unit_test(addresses_are_told_apart),
		cmocka_unit_test(an_address_is_made_from_network_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
