/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "dns_packet.h"

#include <stdlib.h>
#include <string.h>

struct packet packet;
struct dns_message message;

void packet_add(const char *bytes, size_t length)
{
	assert_true(sizeof packet.bytes - packet.length >= length);
	memcpy(packet.bytes + packet.length, bytes, length);
	packet.length += length;
}

void packet_begin(unsigned flags, unsigned answers)
{
	uint8_t header[12] = { 0x12, 0x34, (uint8_t)(0x81 | flags >> 8), (uint8_t)(0x80 | flags), 0, 1,
		(uint8_t)(answers >> 8), (uint8_t)answers };

	packet.length = 0;
	packet_add((const char *)header, sizeof header);
}

int packet_parse_bytes(const uint8_t *bytes, size_t length, enum dns_type type)
{
	uint8_t *copy = malloc(length ? length : 1);
	int err;

	assert_non_null(copy);
	if (length)
		memcpy(copy, bytes, length);
	err = dns_message_parse(copy, length, NAME, type, &message);
	free(copy);
	return err;
}

int packet_parse(enum dns_type type)
{
	memset(&message, 0x55, sizeof message);
	return packet_parse_bytes(packet.bytes, packet.length, type);
}

void packet_expect_address(size_t index, const char *text)
{
	char found[ADDRESS_TEXT_SIZE];

	assert_true(index < message.address_count);
	address_format(&message.addresses[index], found);
	assert_string_equal(found, text);
}

void packet_build_chain(void)
{
	packet_begin(0, 5);
	packet.bytes[9] = packet.bytes[11] = 1;
	ADD(ASK_A);
	ADD(TO_QNAME IN_CNAME TTL("\x3c") "\0\x06" "\x03" "one" TO_EXAMPLE);
	ADD("\x03" "one" TO_EXAMPLE IN_CNAME TTL("\x1e") "\0\x0d" "\x03" "Two\x07" "EXAMPLE\0");
	for (char i = 1; i <= 3; i++) {
		ADD("\x03" "two" TO_EXAMPLE IN_A TTL("\x2d") "\0\x04" "\xc0\0\x02");
		packet_add(&i, 1);
	}
	ADD(TO_EXAMPLE "\0\x02\0\x01" TTL("\x05") "\0\x02" TO_EXAMPLE);
	ADD("\0" "\0\x29\x04\xd0" TTL("\0") "\0\0");
}
