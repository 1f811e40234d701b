/* SPDX-License-Identifier: Apache-2.0 */
/* route_message: the bytes are one datagram of the kernel's, the answer looked for has number 7. What
 * is accepted is within its bounds and agrees with itself. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "lattice-probe/err.h"
#include "lattice-probe/route_message.h"

#define SEQUENCE 7
#define ERRNO_MAX 4095

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_route(const struct route_message *message)
{
	int gateway = message->gateway.sa.sa_family;
	int source = message->source.sa.sa_family;

	assert(message->family == AF_INET || message->family == AF_INET6);
	assert(gateway == AF_UNSPEC || gateway == AF_INET || gateway == AF_INET6);
	assert(source == AF_UNSPEC || source == message->family);
	assert(message->prefix.sa.sa_family == message->family);
	assert(message->prefix_length >= 0 && message->prefix_length <= (message->family == AF_INET ? 32 : 128));
	assert(route_kind_name(message->route));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct route_message message;
	int err = route_message_parse(data, size, SEQUENCE, &message);

	assert(err == 0 || err == ERR_PROTOCOL || err == ERR_NOT_FOUND);
	if (err)
		return 0;
	assert(message.error >= 0 && message.error <= ERRNO_MAX);
	assert(message.kind != ROUTE_MESSAGE_REFUSED || message.error > 0);
	assert(route_neighbour_name(message.neighbour));
	if (message.kind == ROUTE_MESSAGE_ROUTE)
		check_route(&message);
	return 0;
}
