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
	bool is_cname_loop;   /* the chain comes back to a name it has passed; then there is no address */
	size_t cname_count;
	char cnames[DNS_CNAMES_MAX][DNS_NAME_SIZE]; /* presentation form, escaped as RFC 4343 */
	int64_t ttl_s;        /* smallest of the chain and the addresses; -1: none.
	                         A TTL with the top bit set counts as 0 (RFC 2181 section 8) */
};

/* Parses a reply to the question (name, A or AAAA); name without trailing dot, valid, compared
 * without case. Of a truncated reply only the header and the question are read. 0; ERR_NOT_FOUND for
 * a reply to another question; ERR_PROTOCOL for anything malformed or no reply. An error may come
 * without the question; NOERROR may not. The id is the caller's to compare. */
int dns_message_parse(const uint8_t *bytes, size_t length_bytes, const char *name, enum dns_type type,
	struct dns_message *ret_message);

/* True for a possible host name to ask for: letters, digits, '-' and '_' in labels of 1–63, 253
 * characters in all (RFC 1035 section 2.3.4), no trailing dot. */
bool dns_message_name_is_valid(const char *name);

#endif
