/* SPDX-License-Identifier: Apache-2.0 */
#include "lattice-probe/target.h"

#include <arpa/inet.h>
#include <string.h>

/* Where EC2, ECS and EKS hand out credentials. A name or a redirect that leads a prober there would
 * turn it into a proxy to them. */
static bool is_credential_v4(const uint8_t bytes[static 4])
{
	static const uint8_t denied[][4] = {
		{ 169, 254, 169, 254 }, /* EC2 instance metadata */
		{ 169, 254, 170, 2 },   /* ECS task metadata and credentials */
		{ 169, 254, 170, 23 },  /* EKS Pod Identity agent */
	};

	for (size_t i = 0; i < sizeof denied / sizeof *denied; i++)
		if (memcmp(bytes, denied[i], 4) == 0)
			return true;
	return false;
}

static bool is_credential_v6(const struct in6_addr *address)
{
	static const uint8_t metadata[16] = { 0xfd, 0x00, 0x0e, 0xc2, [14] = 0x02, [15] = 0x54 };
	static const uint8_t pod_identity[16] = { 0xfd, 0x00, 0x0e, 0xc2, [15] = 0x23 };
	static const uint8_t nat64[12] = { 0x00, 0x64, 0xff, 0x9b }; /* 64:ff9b::/96, RFC 6052 */
	static const uint8_t local_nat64[6] = { 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01 }; /* a /96 of it, RFC 8215 */
	static const uint8_t unspecified[12] = { 0 };               /* ::a.b.c.d, deprecated, still routed */

	if (memcmp(address, metadata, 16) == 0 || memcmp(address, pod_identity, 16) == 0)
		return true;
	if (IN6_IS_ADDR_V4MAPPED(address) || memcmp(address, nat64, 12) == 0 ||
	    memcmp(address, local_nat64, 6) == 0 || memcmp(address, unspecified, 12) == 0)
		return is_credential_v4(address->s6_addr + 12);
	return false;
}

bool target_address_is_denied(const union address *address)
{
	uint8_t bytes[4];

	if (address->sa.sa_family == AF_INET6)
		return is_credential_v6(&address->v6.sin6_addr);
	if (address->sa.sa_family != AF_INET)
		return false;
	memcpy(bytes, &address->v4.sin_addr, 4);
	return is_credential_v4(bytes);
}
