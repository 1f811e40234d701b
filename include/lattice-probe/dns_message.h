/* SPDX-License-Identifier: Apache-2.0 */
/* dns_message: takes a DNS reply apart (RFC 1035 section 4) as far as a prober needs: RCODE, the
 * CNAME chain from the question to the addresses, the addresses, the smallest TTL. Pure, bounded,
 * trusts no length and no pointer. */
#ifndef LATTICE_PROBE_DNS_MESSAGE_H
#define LATTICE_PROBE_DNS_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lattice-probe/parse.h"

enum dns_type { DNS_TYPE_A = 1, DNS_TYPE_CNAME = 5, DNS_TYPE_AAAA = 28 };

#define DNS_NAME_SIZE 256       /* 253 characters, a dot and a NUL */
#define DNS_ADDRESSES_MAX 32    /* further ones are counted, not kept */
#define DNS_CNAMES_MAX 16       /* a longer chain is a bad reply */

struct dns_message {
	int rcode;
	bool is_truncated;
	size_t address_count;
	size_t address_total; /* including those beyond DNS_ADDRESSES_MAX */
	union address addresses[DNS_ADDRESSES_MAX]; /* port 0, in the order of the reply */
	size_t cname_count;
	char cnames[DNS_CNAMES_MAX][DNS_NAME_SIZE]; /* presentation form, escaped as RFC 4343 */
	int64_t ttl_s;        /* smallest of the chain and the addresses; -1: none.
	                         A TTL with the top bit set counts as 0 (RFC 2181 section 8) */
};

/* Parses a reply to the question (name, type); name without trailing dot, compared without case.
 * 0; ERR_PROTOCOL for anything malformed, not a reply, or for another question. */
int dns_message_parse(const uint8_t *bytes, size_t length_bytes, const char *name, enum dns_type type,
	struct dns_message *ret_message);

/* True for a syntactically possible host name to ask for (RFC 1035 2.3.4 lengths). */
bool dns_message_name_is_valid(const char *name);

#endif
