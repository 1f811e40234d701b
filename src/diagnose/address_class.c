/* SPDX-License-Identifier: Apache-2.0 */
#include "lattice-probe/address_class.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "lattice-probe/err.h"
#include "lattice-probe/target.h"

/* A range as written in a document; bytes beyond the length are zero. */
struct range {
	uint8_t bytes[16];
	int length;
	enum address_class class_;
};

/* Read from the top. The Lattice and resource ranges: User Guide, security groups and resource
 * configurations. */
static const struct range ranges_v4[] = {
	{ { 169, 254, 171 }, 24, ADDRESS_CLASS_LATTICE },
	{ { 129, 224 }, 17, ADDRESS_CLASS_RESOURCE },
	{ { 127 }, 8, ADDRESS_CLASS_LOOPBACK },
	{ { 0, 0, 0, 0 }, 32, ADDRESS_CLASS_LOOPBACK },
	{ { 169, 254 }, 16, ADDRESS_CLASS_LINK_LOCAL },  /* RFC 3927 */
	{ { 10 }, 8, ADDRESS_CLASS_PRIVATE },            /* RFC 1918 section 3 */
	{ { 172, 16 }, 12, ADDRESS_CLASS_PRIVATE },
	{ { 192, 168 }, 16, ADDRESS_CLASS_PRIVATE },
	{ { 100, 64 }, 10, ADDRESS_CLASS_PRIVATE },      /* RFC 6598 section 7 */
};

static const struct range ranges_v6[] = {
	{ { 0xfd, 0x00, 0x0e, 0xc2, 0x00, 0x80 }, 64, ADDRESS_CLASS_LATTICE },
	{ { [15] = 1 }, 128, ADDRESS_CLASS_LOOPBACK },
	{ { 0 }, 128, ADDRESS_CLASS_LOOPBACK },
	{ { 0xfe, 0x80 }, 10, ADDRESS_CLASS_LINK_LOCAL }, /* RFC 4291 section 2.4 */
	{ { 0xfc }, 7, ADDRESS_CLASS_PRIVATE },           /* RFC 4193 */
};

struct row {
	const char *name;
	const char *words;
};

static const struct row rows[] = {
	[ADDRESS_CLASS_NONE] = { "none", "no address" },
	[ADDRESS_CLASS_LATTICE] = { "lattice", "a VPC Lattice address (association)" },
	[ADDRESS_CLASS_RESOURCE] = { "resource", "a VPC Lattice resource address (association)" },
	[ADDRESS_CLASS_VPC] = { "vpc", "an address of this VPC (endpoint)" },
	[ADDRESS_CLASS_CREDENTIALS] = { "credentials", "a metadata or credential endpoint" },
	[ADDRESS_CLASS_LOOPBACK] = { "loopback", "a loopback or null address" },
	[ADDRESS_CLASS_LINK_LOCAL] = { "link-local", "a link-local address that is not VPC Lattice's" },
	[ADDRESS_CLASS_PRIVATE] = { "private", "a private address outside this VPC" },
	[ADDRESS_CLASS_PUBLIC] = { "public", "a public address" },
};

static const uint8_t *bytes_of(const union address *address)
{
	return address->sa.sa_family == AF_INET6 ? address->v6.sin6_addr.s6_addr :
						  (const uint8_t *)&address->v4.sin_addr;
}

static bool share_prefix(const uint8_t *a, const uint8_t *b, int length)
{
	int whole = length / 8;
	int rest = length % 8;
	uint8_t mask = (uint8_t)(0xff00 >> rest);

	if (memcmp(a, b, (size_t)whole) != 0)
		return false;
	return rest == 0 || ((a[whole] ^ b[whole]) & mask) == 0;
}

/* The IPv4 address inside a v4-mapped or NAT64 one, else the address itself. */
static void decode(const union address *address, union address *ret_address)
{
	static const uint8_t nat64[12] = { 0x00, 0x64, 0xff, 0x9b }; /* 64:ff9b::/96, RFC 6052 section 2.1 */
	const uint8_t *bytes = bytes_of(address);

	*ret_address = *address;
	if (address->sa.sa_family != AF_INET6)
		return;
	if (IN6_IS_ADDR_V4MAPPED(&address->v6.sin6_addr) || memcmp(bytes, nat64, sizeof nat64) == 0)
		address_from_bytes(AF_INET, bytes + 12, address_port(address), ret_address);
}

static enum address_class class_in(const struct range *ranges, size_t count, const uint8_t *bytes)
{
	for (size_t i = 0; i < count; i++)
		if (share_prefix(ranges[i].bytes, bytes, ranges[i].length))
			return ranges[i].class_;
	return ADDRESS_CLASS_PUBLIC;
}

static enum address_class compiled_class(const union address *address)
{
	if (address->sa.sa_family == AF_INET6)
		return class_in(ranges_v6, sizeof ranges_v6 / sizeof *ranges_v6, bytes_of(address));
	return class_in(ranges_v4, sizeof ranges_v4 / sizeof *ranges_v4, bytes_of(address));
}

enum address_class address_class_of(const union address *address, const struct address_networks *lattice,
	const struct address_networks *vpc)
{
	union address decoded;
	enum address_class compiled;

	if (address->sa.sa_family != AF_INET && address->sa.sa_family != AF_INET6)
		return ADDRESS_CLASS_NONE;
	if (target_address_is_denied(address))
		return ADDRESS_CLASS_CREDENTIALS;
	decode(address, &decoded);
	compiled = compiled_class(&decoded);
	if (compiled == ADDRESS_CLASS_LOOPBACK)
		return compiled;
	if (lattice && address_networks_hold(lattice, &decoded))
		return compiled == ADDRESS_CLASS_RESOURCE ? ADDRESS_CLASS_RESOURCE : ADDRESS_CLASS_LATTICE;
	if (vpc && address_networks_hold(vpc, &decoded))
		return ADDRESS_CLASS_VPC;
	return compiled;
}

/* Splits "10.0.0.0/16" and reads both halves. */
static int parse_network(const char *text, struct address_network *ret_network)
{
	char host[ADDRESS_TEXT_SIZE];
	const char *slash = strchr(text, '/');
	union address prefix;
	int64_t length;

	if (!slash || slash == text || (size_t)(slash - text) >= sizeof host || strchr("[]", *text))
		return ERR_SYNTAX;
	(void)snprintf(host, sizeof host, "%.*s", (int)(slash - text), text);
	if (parse_address(host, 0, &prefix) != 0 || address_port(&prefix) != 0)
		return ERR_SYNTAX;
	if (parse_int64(slash + 1, 0, prefix.sa.sa_family == AF_INET6 ? 128 : 32, &length) != 0)
		return ERR_SYNTAX;
	*ret_network = (struct address_network){ .prefix = prefix, .length = (int)length };
	return 0;
}

int address_networks_add(struct address_networks *networks, const char *text)
{
	struct address_network network;
	int err = parse_network(text, &network);

	if (err != 0)
		return err;
	if (networks->count >= ADDRESS_NETWORKS_MAX)
		return ERR_LIMIT;
	networks->items[networks->count++] = network;
	return 0;
}

bool address_networks_hold(const struct address_networks *networks, const union address *address)
{
	for (size_t i = 0; i < networks->count && i < ADDRESS_NETWORKS_MAX; i++) {
		const struct address_network *network = &networks->items[i];

		if (network->prefix.sa.sa_family == address->sa.sa_family &&
		    share_prefix(bytes_of(&network->prefix), bytes_of(address), network->length))
			return true;
	}
	return false;
}

static const struct row *row_of(enum address_class class_)
{
	assert((size_t)class_ < sizeof rows / sizeof *rows);
	return &rows[class_];
}

const char *address_class_words(enum address_class class_)
{
	return row_of(class_)->words;
}

const char *address_class_name(enum address_class class_)
{
	return row_of(class_)->name;
}
