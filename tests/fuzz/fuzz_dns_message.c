/* SPDX-License-Identifier: Apache-2.0 */
/* dns_message: the first byte picks the type asked for (odd: AAAA), the rest is the reply to a question
 * for checkout.example. What is accepted is within its bounds, and what it says of truncation, rcode
 * and counts agrees with itself. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "lattice-probe/dns_message.h"
#include "lattice-probe/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct dns_message *message, enum dns_type type)
{
	size_t kept = message->address_total < DNS_ADDRESSES_MAX ? message->address_total : DNS_ADDRESSES_MAX;

	assert(message->rcode >= 0 && message->rcode < 16);
	assert(message->address_count == kept && message->cname_count <= DNS_CNAMES_MAX);
	assert(message->ttl_s >= -1 && message->ttl_s <= INT32_MAX);
	assert((message->ttl_s == -1) == (message->address_total == 0 && message->cname_count == 0));
	assert(!message->is_truncated || message->ttl_s == -1);
	assert(!message->is_cname_loop || (message->cname_count > 0 && message->address_total == 0));
	for (size_t i = 0; i < message->address_count; i++)
		assert(message->addresses[i].sa.sa_family == (type == DNS_TYPE_A ? AF_INET : AF_INET6));
	for (size_t i = 0; i < message->cname_count; i++) {
		assert(memchr(message->cnames[i], '\0', DNS_NAME_SIZE) && message->cnames[i][0] != '\0');
		for (const char *c = message->cnames[i]; *c; c++)
			assert(*c > ' ' && *c < 0x7f);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum dns_type type;
	struct dns_message message;
	int err;

	if (size == 0)
		return 0;
	type = data[0] & 1 ? DNS_TYPE_AAAA : DNS_TYPE_A;
	err = dns_message_parse(data + 1, size - 1, "checkout.example", type, &message);
	assert(err == 0 || err == ERR_PROTOCOL || err == ERR_NOT_FOUND);
	if (err == 0)
		check(&message, type);
	return 0;
}
