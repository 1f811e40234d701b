/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <string.h>

#include "dns_packet.h"
#include "lattice-probe/err.h"

/* ---- what is read --------------------------------------------------------------------------- */

static void addresses_are_read_in_order(void **state)
{
	(void)state;
	packet_begin(0, 2);
	ADD(ASK_A);
	ADD(TO_QNAME IN_A TTL("\x3c") "\0\x04" "\xc0\0\x02\x09");
	ADD(TO_QNAME IN_A TTL("\x1e") "\0\x04" "\xc0\0\x02\x01");
	assert_int_equal(packet_parse(DNS_TYPE_A), 0);
	assert_int_equal(message.rcode, 0);
	assert_false(message.is_truncated);
	assert_int_equal(message.address_total, 2);
	packet_expect_address(0, "192.0.2.9");
	packet_expect_address(1, "192.0.2.1");
	assert_int_equal(address_port(&message.addresses[0]), 0);
	assert_int_equal(message.cname_count, 0);
	assert_int_equal(message.ttl_s, 30);
}

static void ipv6_addresses_are_read(void **state)
{
	(void)state;
	packet_begin(0, 1);
	ADD(ASK_AAAA);
	ADD(TO_QNAME IN_AAAA TTL("\x3c") "\0\x10" "\xfd\0\x0e\xc2\0\x80\0\0\0\0\0\0\0\0\0\x07");
	assert_int_equal(packet_parse(DNS_TYPE_AAAA), 0);
	packet_expect_address(0, "fd00:ec2:80::7");
}

static void a_chain_is_followed_and_written_down(void **state)
{
	(void)state;
	packet_build_chain();
	assert_int_equal(packet_parse(DNS_TYPE_A), 0);
	assert_int_equal(message.cname_count, 2);
	assert_string_equal(message.cnames[0], "one.example");
	assert_string_equal(message.cnames[1], "Two.EXAMPLE");
	assert_int_equal(message.address_count, 3);
	packet_expect_address(2, "192.0.2.3");
	assert_int_equal(message.ttl_s, 30);
}

static void records_may_come_in_any_order(void **state)
{
	(void)state;
	packet_begin(0, 3);
	ADD(ASK_A);
	ADD("\x03" "two" TO_EXAMPLE IN_A TTL("\x0a") "\0\x04" "\xc0\0\x02\x01");
	ADD("\x03" "one" TO_EXAMPLE IN_CNAME TTL("\x1e") "\0\x06" "\x03" "two" TO_EXAMPLE);
	ADD(TO_QNAME IN_CNAME TTL("\x3c") "\0\x06" "\x03" "one" TO_EXAMPLE);
	assert_int_equal(packet_parse(DNS_TYPE_A), 0);
	assert_int_equal(message.cname_count, 2);
	assert_int_equal(message.address_count, 1);
	assert_int_equal(message.ttl_s, 10);
}

static void what_belongs_to_other_names_or_types_is_left_out(void **state)
{
	(void)state;
	packet_begin(0, 5);
	ADD(ASK_A);
	ADD("\x05" "other" TO_EXAMPLE IN_A TTL("\x01") "\0\x04" "\xc0\0\x02\x63");
	ADD(TO_QNAME IN_AAAA TTL("\x01") "\0\x10" "\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x07");
	ADD(TO_QNAME "\0\x01\0\x03" TTL("\x01") "\0\x04" "\xc0\0\x02\x62");
	ADD("\x05" "other" TO_EXAMPLE IN_CNAME TTL("\x01") "\0\x02" TO_QNAME);
	ADD(TO_QNAME IN_A TTL("\x3c") "\0\x04" "\xc0\0\x02\x01");
	assert_int_equal(packet_parse(DNS_TYPE_A), 0);
	assert_int_equal(message.address_total, 1);
	packet_expect_address(0, "192.0.2.1");
	assert_int_equal(message.cname_count, 0);
	assert_int_equal(message.ttl_s, 60);
}

static void a_reply_without_an_address_has_none(void **state)
{
	(void)state;
	packet_begin(0, 0);
	ADD(ASK_A);
	assert_int_equal(packet_parse(DNS_TYPE_A), 0);
	assert_int_equal(message.address_total, 0);
	assert_int_equal(message.ttl_s, -1);
	packet_begin(0, 1);
	ADD(ASK_A);
	ADD(TO_QNAME IN_CNAME TTL("\x3c") "\0\x06" "\x03" "one" TO_EXAMPLE);
	assert_int_equal(packet_parse(DNS_TYPE_A), 0);
	assert_int_equal(message.address_total, 0);
	assert_int_equal(message.cname_count, 1);
	assert_int_equal(message.ttl_s, 60);
}

static void the_name_is_compared_without_case(void **state)
{
	(void)state;
	packet_begin(0, 1);
	ADD("\x08" "CHECKOUT\x07" "eXample\0" "\0\x01\0\x01");
	ADD("\x08" "checkOUT\x07" "Example\0" IN_A TTL("\x3c") "\0\x04" "\xc0\0\x02\x01");
	assert_int_equal(packet_parse(DNS_TYPE_A), 0);
	assert_int_equal(message.address_count, 1);
}

static void every_rcode_is_passed_on(void **state)
{
	(void)state;
	for (unsigned rcode = 0; rcode < 16; rcode++) {
		packet_begin(rcode, 0);
		ADD(ASK_A);
		assert_int_equal(packet_parse(DNS_TYPE_A), 0);
		assert_int_equal(message.rcode, rcode);
	}
}

static void a_ttl_with_the_top_bit_set_counts_as_zero(void **state)
{
	(void)state;
	packet_begin(0, 1);
	ADD(ASK_A);
	ADD(TO_QNAME IN_A "\x80\0\0\x3c" "\0\x04" "\xc0\0\x02\x01");
	assert_int_equal(packet_parse(DNS_TYPE_A), 0);
	assert_int_equal(message.ttl_s, 0);
	memcpy(packet.bytes + packet.length - 10, "\x7f\xff\xff\xff", 4);
	assert_int_equal(packet_parse(DNS_TYPE_A), 0);
	assert_int_equal(message.ttl_s, INT32_MAX);
}

static void of_a_truncated_reply_nothing_but_the_question_is_read(void **state)
{
	(void)state;
	packet_begin(0x200, 40);
	ADD(ASK_A);
	ADD(TO_QNAME IN_A TTL("\x3c") "\0\x04" "\xc0");
	assert_int_equal(packet_parse(DNS_TYPE_A), 0);
	assert_true(message.is_truncated);
	assert_int_equal(message.address_total, 0);
	assert_int_equal(message.ttl_s, -1);
}

static void thousands_of_addresses_are_counted(void **state)
{
	(void)state;
	packet_begin(0, 4000);
	ADD(ASK_A);
	for (unsigned i = 0; i < 4000; i++) {
		char last[2] = { (char)(i >> 8), (char)i };

		ADD(TO_QNAME IN_A TTL("\x3c") "\0\x04" "\x0a\x40");
		packet_add(last, 2);
	}
	assert_int_equal(packet_parse(DNS_TYPE_A), 0);
	assert_int_equal(message.address_total, 4000);
	assert_int_equal(message.address_count, DNS_ADDRESSES_MAX);
	packet_expect_address(DNS_ADDRESSES_MAX - 1, "10.64.0.31");
}

static void an_error_may_come_without_the_question(void **state)
{
	(void)state;
	for (unsigned rcode = 0; rcode < 6; rcode++) {
		packet_begin(rcode, 0);
		packet.bytes[5] = 0;
		assert_int_equal(packet_parse(DNS_TYPE_A), rcode ? 0 : ERR_PROTOCOL);
	}
}

/* ---- names ---------------------------------------------------------------------------------- */

static void odd_bytes_in_a_name_are_escaped(void **state)
{
	(void)state;
	packet_begin(0, 1);
	ADD(ASK_A);
	ADD(TO_QNAME IN_CNAME TTL("\x3c") "\0\x0c" "\x08" "a.\\\n \x7f\xff" "z" "\x01" "b" "\0");
	assert_int_equal(packet_parse(DNS_TYPE_A), 0);
	assert_string_equal(message.cnames[0], "a\\.\\\\\\010\\032\\127\\255z.b");
}

static void an_alias_may_point_to_the_root(void **state)
{
	(void)state;
	packet_begin(0, 1);
	ADD(ASK_A);
	ADD(TO_QNAME IN_CNAME TTL("\x3c") "\0\x01" "\0");
	assert_int_equal(packet_parse(DNS_TYPE_A), 0);
	assert_string_equal(message.cnames[0], ".");
}

/* An alias to a name of three labels of 63 and one of `last`, all of one byte. */
static int parse_alias_of_length(char byte, size_t last)
{
	char label[64];
	size_t length = 3 * 64 + 1 + last + 1;
	char rdlength[2] = { (char)(length >> 8), (char)length };

	memset(label, byte, sizeof label);
	packet_begin(0, 1);
	ADD(ASK_A);
	ADD(TO_QNAME IN_CNAME TTL("\x3c"));
	packet_add(rdlength, 2);
	for (int i = 0; i < 3; i++) {
		label[0] = 63;
		packet_add(label, 64);
	}
	label[0] = (char)last;
	packet_add(label, last + 1);
	ADD("\0");
	return packet_parse(DNS_TYPE_A);
}

static void a_name_has_at_most_255_bytes(void **state)
{
	(void)state;
	assert_int_equal(parse_alias_of_length('a', 61), 0);
	assert_int_equal(strlen(message.cnames[0]), 253);
	assert_int_equal(parse_alias_of_length('a', 62), ERR_PROTOCOL);
	assert_int_equal(parse_alias_of_length('\n', 61), ERR_PROTOCOL); /* escaped it does not fit */
}

static void valid_names_are_told_from_others(void **state)
{
	static const char *const valid[] = { "a", "a.b", "A-1_.example", "_service._tcp.example", "1.2.3.x" };
	static const char *const invalid[] = { "", ".", "a.", ".a", "a..b", "a b", "a\\.b", "a/b", "h\xc3\xa4", "a:b" };
	char name[300];

	(void)state;
	for (size_t i = 0; i < sizeof valid / sizeof *valid; i++)
		assert_true(dns_message_name_is_valid(valid[i]));
	for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++)
		assert_false(dns_message_name_is_valid(invalid[i]));
	memset(name, 'a', sizeof name);
	name[63] = '\0';
	assert_true(dns_message_name_is_valid(name));
	name[63] = 'a';
	name[64] = '\0';
	assert_false(dns_message_name_is_valid(name));
	for (size_t i = 63; i < sizeof name; i += 64)
		name[i] = '.';
	name[64] = 'a';
	name[253] = '\0';
	assert_true(dns_message_name_is_valid(name));
	name[253] = 'a';
	name[254] = '\0';
	assert_false(dns_message_name_is_valid(name));
}

static void the_longest_name_can_be_asked_for(void **state)
{
	char name[256];

	(void)state;
	memset(name, 'a', sizeof name);
	for (size_t i = 63; i < sizeof name; i += 64)
		name[i] = '.';
	name[253] = '\0';
	packet_begin(0, 0);
	for (size_t i = 0; i < 4; i++) {
		char length = i < 3 ? 63 : 61;

		packet_add(&length, 1);
		packet_add(name + 64 * i, (size_t)length);
	}
	ADD("\0" "\0\x01\0\x01");
	assert_int_equal(dns_message_parse(packet.bytes, packet.length, name, DNS_TYPE_A, &message), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_read_in_order),
		cmocka_unit_test(ipv6_addresses_are_read),
		cmocka_unit_test(a_chain_is_followed_and_written_down),
		cmocka_unit_test(records_may_come_in_any_order),
		cmocka_unit_test(what_belongs_to_other_names_or_types_is_left_out),
		cmocka_unit_test(a_reply_without_an_address_has_none),
		cmocka_unit_test(the_name_is_compared_without_case),
		cmocka_unit_test(every_rcode_is_passed_on),
		cmocka_unit_test(a_ttl_with_the_top_bit_set_counts_as_zero),
		cmocka_unit_test(of_a_truncated_reply_nothing_but_the_question_is_read),
		cmocka_unit_test(thousands_of_addresses_are_counted),
		cmocka_unit_test(an_error_may_come_without_the_question),
		cmocka_unit_test(odd_bytes_in_a_name_are_escaped),
		cmocka_unit_test(an_alias_may_point_to_the_root),
		cmocka_unit_test(a_name_has_at_most_255_bytes),
		cmocka_unit_test(valid_names_are_told_from_others),
		cmocka_unit_test(the_longest_name_can_be_asked_for),
	};

	return cmocka_run_group_tests_name("dns_message", tests, NULL, NULL);
}
