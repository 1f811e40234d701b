/* SPDX-License-Identifier: Apache-2.0 */
/* dns_packet: replies written by hand, byte for byte, to the question for checkout.example, and what
 * dns_message makes of them. Include after cmocka.h. */
#ifndef LATTICE_PROBE_TESTS_DNS_PACKET_H
#define LATTICE_PROBE_TESTS_DNS_PACKET_H

#include <stddef.h>
#include <stdint.h>

#include "lattice-probe/dns_message.h"

#define NAME "checkout.example"
#define QNAME "\x08" "checkout\x07" "example" "\0" /* at offset 12 */
#define ASK_A QNAME "\0\x01\0\x01"
#define ASK_AAAA QNAME "\0\x1c\0\x01"
#define TO_QNAME "\xc0\x0c"
#define TO_EXAMPLE "\xc0\x15" /* "example" inside it */
#define IN_A "\0\x01\0\x01"
#define IN_AAAA "\0\x1c\0\x01"
#define IN_CNAME "\0\x05\0\x01"
#define TTL(seconds) "\0\0\0" seconds

#define ADD(literal) packet_add(literal, sizeof(literal) - 1)

/* The reply under construction, and what came of parsing it. */
extern struct packet {
	uint8_t bytes[65535];
	size_t length;
} packet;
extern struct dns_message message;

void packet_add(const char *bytes, size_t length);

/* Starts over: id 0x1234, QR RD RA and these flags; one question, so many answers. */
void packet_begin(unsigned flags, unsigned answers);

/* Two aliases, three addresses, an authority and an additional record. */
void packet_build_chain(void);

/* Parses a copy of exactly its size, so that a sanitizer sees every byte read past the end. */
int packet_parse_bytes(const uint8_t *bytes, size_t length, enum dns_type type);

/* Parses the packet into a message full of other bytes. */
int packet_parse(enum dns_type type);

void packet_expect_address(size_t index, const char *text);

#endif
