/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "dns_packet.h"
#include "lattice-probe/err.h"

/* ---- what is refused ------------------------------------------------------------------------ */

static void replies_to_other_questions_are_told_apart(void **state)
{
	(void)state;
	packet_begin(0, 0);
	ADD("\x08" "checkouT\x07" "exampld\0" "\0\x01\0\x01");
	assert_int_equal(packet_parse(DNS_TYPE_A), ERR_NOT_FOUND);
	packet_begin(0, 0);
	ADD(ASK_AAAA);
	assert_int_equal(packet_parse(DNS_TYPE_A), ERR_NOT_FOUND);
	packet_begin(0, 0);
	ADD(QNAME "\0\x01\0\x03");
	assert_int_equal(packet_parse(DNS_TYPE_A), ERR_NOT_FOUND);
	packet_begin(0, 0);
	ADD("\x07" "example\0" "\0\x01\0\x01");
	assert_int_equal(packet_parse(DNS_TYPE_A), ERR_NOT_FOUND);
}

static void a_question_is_no_reply(void **state)
{
	(void)state;
	packet_begin(0, 0);
	ADD(ASK_A);
	packet.bytes[2] &= 0x7f;
	assert_int_equal(packet_parse(DNS_TYPE_A), ERR_PROTOCOL);
	packet.bytes[2] = 0x81 | 5 << 3; /* an UPDATE */
	assert_int_equal(packet_parse(DNS_TYPE_A), ERR_PROTOCOL);
}

static void two_questions_are_refused(void **state)
{
	(void)state;
	packet_begin(0, 0);
	packet.bytes[5] = 2;
	ADD(ASK_A);
	ADD(ASK_A);
	assert_int_equal(packet_parse(DNS_TYPE_A), ERR_PROTOCOL);
}

/* One answer with this owner. */
static int parse_owner(const char *owner, size_t length)
{
	packet_begin(0, 1);
	ADD(ASK_A);
	packet_add(owner, length);
	ADD(IN_A TTL("\x3c") "\0\x04" "\xc0\0\x02\x01");
	return packet_parse(DNS_TYPE_A);
}

static void pointers_must_lead_back(void **state)
{
	(void)state;
	/* The answer's owner stands at offset 34. */
	assert_int_equal(parse_owner("\xc0\x0c", 2), 0);
	assert_int_equal(parse_owner("\xc0\x22", 2), ERR_PROTOCOL);        /* to itself */
	assert_int_equal(parse_owner("\xc0\x24", 2), ERR_PROTOCOL);        /* forward */
	assert_int_equal(parse_owner("\xff\xff", 2), ERR_PROTOCOL);        /* far outside */
	assert_int_equal(parse_owner("\x01" "a\xc0\x22", 4), ERR_PROTOCOL);/* round and round */
	assert_int_equal(parse_owner("\x80\x0c", 2), ERR_PROTOCOL);        /* reserved label types */
	assert_int_equal(parse_owner("\x40\x0c", 2), ERR_PROTOCOL);
	/* Labels, then a pointer to them: every jump would be back, and none would end. */
	assert_int_equal(parse_owner("\x01" "a\x01" "b\xc0\x24", 6), ERR_PROTOCOL);
}

static void a_chain_of_pointers_ends(void **state)
{
	size_t at;

	(void)state;
	/* Thousands of names, each a pointer to the one before. */
	packet_begin(0, 4000);
	ADD(ASK_A);
	at = 12;
	for (int i = 0; i < 4000; i++) {
		char pointer[2] = { (char)(0xc0 | at >> 8), (char)at };

		if (packet.length < 0x3fff)
			at = packet.length;
		packet_add(pointer, 2);
		ADD(IN_A TTL("\x3c") "\0\x04" "\xc0\0\x02\x01");
	}
	assert_int_equal(packet_parse(DNS_TYPE_A), 0);
	assert_int_equal(message.address_total, 4000);
}

static void an_address_of_the_wrong_length_is_refused(void **state)
{
	(void)state;
	packet_begin(0, 1);
	ADD(ASK_A);
	ADD(TO_QNAME IN_A TTL("\x3c") "\0\x05" "\xc0\0\x02\x01\x01");
	assert_int_equal(packet_parse(DNS_TYPE_A), ERR_PROTOCOL);
	packet_begin(0, 1);
	ADD(ASK_AAAA);
	ADD(TO_QNAME IN_AAAA TTL("\x3c") "\0\x04" "\xc0\0\x02\x01");
	assert_int_equal(packet_parse(DNS_TYPE_AAAA), ERR_PROTOCOL);
}

static void an_alias_must_fill_its_record(void **state)
{
	(void)state;
	packet_begin(0, 1);
	ADD(ASK_A);
	ADD(TO_QNAME IN_CNAME TTL("\x3c") "\0\x07" "\x03" "one" TO_EXAMPLE "x");
	assert_int_equal(packet_parse(DNS_TYPE_A), ERR_PROTOCOL);
	packet_begin(0, 1);
	ADD(ASK_A);
	ADD(TO_QNAME IN_CNAME TTL("\x3c") "\0\x05" "\x03" "one" TO_EXAMPLE);
	assert_int_equal(packet_parse(DNS_TYPE_A), ERR_PROTOCOL);
}

static void more_records_announced_than_there_are_is_refused(void **state)
{
	(void)state;
	for (size_t count_at = 7; count_at <= 11; count_at += 2) {
		packet_begin(0, 1);
		ADD(ASK_A);
		ADD(TO_QNAME IN_A TTL("\x3c") "\0\x04" "\xc0\0\x02\x01");
		packet.bytes[count_at]++;
		assert_int_equal(packet_parse(DNS_TYPE_A), ERR_PROTOCOL);
	}
}

static void aliases_in_a_circle_are_told_apart(void **state)
{
	(void)state;
	packet_begin(0, 1);
	ADD(ASK_A);
	ADD(TO_QNAME IN_CNAME TTL("\x3c") "\0\x02" TO_QNAME);
	assert_int_equal(packet_parse(DNS_TYPE_A), 0);
	assert_true(message.is_cname_loop);
	packet_begin(0, 3);
	ADD(ASK_A);
	ADD(TO_QNAME IN_CNAME TTL("\x3c") "\0\x06" "\x03" "one" TO_EXAMPLE);
	ADD("\x03" "one" TO_EXAMPLE IN_CNAME TTL("\x3c") "\0\x02" TO_QNAME);
	ADD(TO_QNAME IN_A TTL("\x3c") "\0\x04" "\xc0\0\x02\x01");
	assert_int_equal(packet_parse(DNS_TYPE_A), 0);
	assert_true(message.is_cname_loop);
	assert_int_equal(message.cname_count, 2);
	assert_string_equal(message.cnames[0], "one.example");
	assert_int_equal(message.address_total, 0);
}

/* The question, then so many aliases in a row: a, b, c, … */
static int parse_chain_of(char count)
{
	packet_begin(0, (unsigned)count + 1);
	ADD(ASK_A);
	for (char i = 0; i < count; i++) {
		char from[2] = { 1, (char)('a' + i - 1) }, to[2] = { 1, (char)('a' + i) };

		if (i == 0)
			ADD(TO_QNAME);
		else
			packet_add(from, 2);
		if (i > 0)
			ADD(TO_EXAMPLE);
		ADD(IN_CNAME TTL("\x3c") "\0\x04");
		packet_add(to, 2);
		ADD(TO_EXAMPLE);
	}
	ADD("\x01");
	packet_add((char[]){ (char)('a' + count - 1) }, 1);
	ADD(TO_EXAMPLE IN_A TTL("\x3c") "\0\x04" "\xc0\0\x02\x01");
	return packet_parse(DNS_TYPE_A);
}

static void a_chain_longer_than_sixteen_is_refused(void **state)
{
	(void)state;
	assert_int_equal(parse_chain_of(DNS_CNAMES_MAX), 0);
	assert_int_equal(message.cname_count, DNS_CNAMES_MAX);
	assert_string_equal(message.cnames[15], "p.example");
	assert_int_equal(message.address_count, 1);
	assert_int_equal(parse_chain_of(DNS_CNAMES_MAX + 1), ERR_PROTOCOL);
}

static void a_refused_reply_leaves_the_result_alone(void **state)
{
	struct dns_message untouched;

	(void)state;
	memset(&untouched, 0x55, sizeof untouched);
	packet_build_chain();
	packet.bytes[7]++;
	assert_int_equal(packet_parse(DNS_TYPE_A), ERR_PROTOCOL);
	assert_memory_equal(&message, &untouched, sizeof message);
}

/* ---- all lengths, all sorts of damage ------------------------------------------------------- */

static void every_shorter_piece_of_a_reply_is_refused(void **state)
{
	(void)state;
	packet_build_chain();
	assert_int_equal(packet_parse(DNS_TYPE_A), 0);
	for (size_t length = 0; length < packet.length; length++)
		assert_int_equal(packet_parse_bytes(packet.bytes, length, DNS_TYPE_A), ERR_PROTOCOL);
}

static void check_bounds(void)
{
	assert_true(message.address_count <= DNS_ADDRESSES_MAX);
	assert_true(message.address_count <= message.address_total);
	assert_true(message.cname_count <= DNS_CNAMES_MAX);
	assert_true(message.ttl_s >= -1);
	for (size_t i = 0; i < message.cname_count; i++)
		assert_non_null(memchr(message.cnames[i], '\0', DNS_NAME_SIZE));
}

static void every_single_changed_byte_is_survived(void **state)
{
	(void)state;
	packet_build_chain();
	for (size_t i = 0; i < packet.length; i++) {
		uint8_t saved = packet.bytes[i];

		for (unsigned value = 0; value < 256; value++) {
			packet.bytes[i] = (uint8_t)value;
			if (packet_parse_bytes(packet.bytes, packet.length, DNS_TYPE_A) == 0)
				check_bounds();
		}
		packet.bytes[i] = saved;
	}
}

static void random_damage_is_survived(void **state)
{
	const char *given = getenv("LATTICE_PROBE_TEST_SEED");
	uint64_t random = given ? strtoull(given, NULL, 10) : 20261123;
	unsigned accepted = 0;

	(void)state;
	print_message("seed %llu\n", (unsigned long long)random);
	for (int round = 0; round < 100000; round++) {
		size_t length;

		packet_build_chain();
		length = packet.length;
		for (int i = round % 7; i >= 0; i--) {
			random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
			packet.bytes[(random >> 33) % length] = (uint8_t)(random >> 25);
		}
		if (round % 5 == 0)
			length = (random >> 40) % (length + 1);
		if (packet_parse_bytes(packet.bytes, length, DNS_TYPE_A) == 0) {
			check_bounds();
			accepted++;
		}
	}
	assert_true(accepted > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies_to_other_questions_are_told_apart),
		cmocka_unit_test(a_question_is_no_reply),
		cmocka_unit_test(two_questions_are_refused),
		cmocka_unit_test(pointers_must_lead_back),
		cmocka_unit_test(a_chain_of_pointers_ends),
		cmocka_unit_test(an_address_of_the_wrong_length_is_refused),
		cmocka_unit_test(an_alias_must_fill_its_record),
		cmocka_unit_test(more_records_announced_than_there_are_is_refused),
		cmocka_unit_test(aliases_in_a_circle_are_told_apart),
		cmocka_unit_test(a_chain_longer_than_sixteen_is_refused),
		cmocka_unit_test(a_refused_reply_leaves_the_result_alone),
		cmocka_unit_test(every_shorter_piece_of_a_reply_is_refused),
		cmocka_unit_test(every_single_changed_byte_is_survived),
		cmocka_unit_test(random_damage_is_survived),
	};

	return cmocka_run_group_tests_name("dns_message: what is refused", tests, NULL, NULL);
}
