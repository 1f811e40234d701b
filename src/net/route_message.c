/* SPDX-License-Identifier: Apache-2.0 */
/* Headers are copied out of the bytes, never pointed at: a length that lies cannot lead outside, and
 * nothing depends on where the bytes lie. Attributes nobody asks for are skipped; one that is asked for
 * and has the wrong size makes the whole message malformed. */
#include "lattice-probe/route_message.h"

#include <stddef.h>
#include <string.h>

#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "lattice-probe/err.h"

#define ERRNO_MAX 4095 /* of the kernel */

/* A part of the message that is still to be read. */
struct span {
	const unsigned char *bytes;
	size_t length;
};

/* Takes `length` bytes and the padding behind them off the front; the last padding may be missing. */
static int take(struct span *from, size_t length, struct span *ret_taken)
{
	size_t padded = NLMSG_ALIGN(length);

	if (length > from->length)
		return ERR_PROTOCOL;
	*ret_taken = (struct span){ from->bytes, length };
	if (padded > from->length)
		padded = from->length;
	from->bytes += padded;
	from->length -= padded;
	return 0;
}

/* Copies a fixed header off the front. */
static int take_header(struct span *from, void *ret_header, size_t length)
{
	struct span taken;

	if (take(from, length, &taken) != 0)
		return ERR_PROTOCOL;
	memcpy(ret_header, taken.bytes, length);
	return 0;
}

/* The next attribute; its type without the flags in the top bits. */
static int take_attribute(struct span *from, unsigned *ret_type, struct span *ret_value)
{
	struct rtattr header;
	struct span whole;

	if (from->length < sizeof header)
		return ERR_PROTOCOL;
	memcpy(&header, from->bytes, sizeof header);
	if (header.rta_len < sizeof header || take(from, header.rta_len, &whole) != 0)
		return ERR_PROTOCOL;
	*ret_type = header.rta_type & (unsigned)NLA_TYPE_MASK;
	*ret_value = (struct span){ whole.bytes + sizeof header, whole.length - sizeof header };
	return 0;
}

static int read_number(struct span value, uint32_t *ret_number)
{
	if (value.length != sizeof *ret_number)
		return ERR_PROTOCOL;
	memcpy(ret_number, value.bytes, sizeof *ret_number);
	return 0;
}

static int read_address(int family, struct span value, union address *ret_address)
{
	if (value.length != (family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr)))
		return ERR_PROTOCOL;
	address_from_bytes(family, value.bytes, 0, ret_address);
	return 0;
}

/* RTA_VIA: a gateway of the other family, with its family in front (an IPv4 route over IPv6). */
static int read_via(struct span value, union address *ret_gateway)
{
	sa_family_t family;
	struct span address;

	if (value.length < sizeof family)
		return ERR_PROTOCOL;
	memcpy(&family, value.bytes, sizeof family);
	if (family != AF_INET && family != AF_INET6)
		return ERR_PROTOCOL;
	address = (struct span){ value.bytes + sizeof family, value.length - sizeof family };
	return read_address(family, address, ret_gateway);
}

/* ---- routes ------------------------------------------------------------------------------- */

static enum route_kind kind_of_type(unsigned char type)
{
	switch (type) {
	case RTN_UNICAST:
		return ROUTE_UNICAST;
	case RTN_LOCAL:
		return ROUTE_LOCAL;
	case RTN_BLACKHOLE:
		return ROUTE_BLACKHOLE;
	case RTN_UNREACHABLE:
		return ROUTE_UNREACHABLE;
	case RTN_PROHIBIT:
		return ROUTE_PROHIBIT;
	default:
		return ROUTE_OTHER;
	}
}

/* struct rta_cacheinfo may grow at its end. Its error is that of the dst entry: 0 or negative. */
static int read_cached_error(struct span value, int *ret_error)
{
	int32_t error;

	if (value.length < sizeof(struct rta_cacheinfo))
		return ERR_PROTOCOL;
	memcpy(&error, value.bytes + offsetof(struct rta_cacheinfo, rta_error), sizeof error);
	if (error > 0 || error < -ERRNO_MAX)
		return ERR_PROTOCOL;
	*ret_error = -error;
	return 0;
}

static int read_next_hop(struct span attributes, struct route_message *message)
{
	while (attributes.length > 0) {
		struct span value;
		unsigned type;
		int err = take_attribute(&attributes, &type, &value);

		if (err == 0 && type == RTA_GATEWAY)
			err = read_address(message->family, value, &message->gateway);
		else if (err == 0 && type == RTA_VIA)
			err = read_via(value, &message->gateway);
		if (err)
			return err;
	}
	return 0;
}

/* RTA_MULTIPATH: the first next hop stands for all. */
static int read_next_hops(struct span value, struct route_message *message)
{
	struct rtnexthop header;

	if (value.length < sizeof header)
		return ERR_PROTOCOL;
	memcpy(&header, value.bytes, sizeof header);
	if (header.rtnh_len < sizeof header || header.rtnh_len > value.length || header.rtnh_ifindex < 0)
		return ERR_PROTOCOL;
	message->device_index = (unsigned)header.rtnh_ifindex;
	return read_next_hop((struct span){ value.bytes + sizeof header, header.rtnh_len - sizeof header },
		message);
}

static int read_route_attribute(unsigned type, struct span value, struct route_message *message)
{
	switch (type) {
	case RTA_DST:
		return read_address(message->family, value, &message->prefix);
	case RTA_PREFSRC:
		return read_address(message->family, value, &message->source);
	case RTA_GATEWAY:
		return read_address(message->family, value, &message->gateway);
	case RTA_VIA:
		return read_via(value, &message->gateway);
	case RTA_OIF:
		return read_number(value, &message->device_index);
	case RTA_TABLE:
		return read_number(value, &message->table);
	case RTA_CACHEINFO:
		return read_cached_error(value, &message->error);
	case RTA_MULTIPATH:
		return read_next_hops(value, message);
	default:
		return 0;
	}
}

static bool is_link_local(const union address *address)
{
	return address->sa.sa_family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&address->v6.sin6_addr);
}

static int parse_route(struct span body, struct route_message *message)
{
	static const unsigned char nothing[sizeof(struct in6_addr)];
	struct rtmsg header;

	if (take_header(&body, &header, sizeof header) != 0)
		return ERR_PROTOCOL;
	if (header.rtm_family != AF_INET && header.rtm_family != AF_INET6)
		return ERR_PROTOCOL;
	if (header.rtm_dst_len > (header.rtm_family == AF_INET ? 32 : 128))
		return ERR_PROTOCOL;
	message->kind = ROUTE_MESSAGE_ROUTE;
	message->family = header.rtm_family;
	message->route = kind_of_type(header.rtm_type);
	message->is_cloned = header.rtm_flags & RTM_F_CLONED;
	message->table = header.rtm_table; /* RTA_TABLE has those above 255 */
	message->prefix_length = header.rtm_dst_len;
	address_from_bytes(header.rtm_family, nothing, 0, &message->prefix);
	while (body.length > 0) {
		struct span value;
		unsigned type;
		int err = take_attribute(&body, &type, &value);

		if (err == 0)
			err = read_route_attribute(type, value, message);
		if (err)
			return err;
	}
	/* Such a gateway means nothing without the link it is on (RFC 4007 section 6). */
	if (is_link_local(&message->gateway))
		message->gateway.v6.sin6_scope_id = message->device_index;
	return 0;
}

/* ---- neighbours --------------------------------------------------------------------------- */

static enum route_neighbour neighbour_of_state(unsigned state)
{
	if (state & NUD_FAILED)
		return ROUTE_NEIGHBOUR_FAILED;
	if (state & NUD_INCOMPLETE)
		return ROUTE_NEIGHBOUR_INCOMPLETE;
	return state == NUD_NONE ? ROUTE_NEIGHBOUR_NONE : ROUTE_NEIGHBOUR_REACHABLE;
}

static int parse_neighbour(struct span body, struct route_message *message)
{
	struct ndmsg header;

	if (take_header(&body, &header, sizeof header) != 0)
		return ERR_PROTOCOL;
	message->kind = ROUTE_MESSAGE_NEIGHBOUR;
	message->family = header.ndm_family;
	message->device_index = header.ndm_ifindex > 0 ? (unsigned)header.ndm_ifindex : 0;
	message->neighbour = neighbour_of_state(header.ndm_state);
	return 0;
}

/* ---- messages ----------------------------------------------------------------------------- */

/* An error of 0 is an acknowledgement, which nobody asked for. */
static int parse_refusal(struct span body, struct route_message *message)
{
	int32_t error;

	if (take_header(&body, &error, sizeof error) != 0 || error >= 0 || error < -ERRNO_MAX)
		return ERR_PROTOCOL;
	message->kind = ROUTE_MESSAGE_REFUSED;
	message->error = -error;
	return 0;
}

static int parse_body(unsigned type, struct span body, struct route_message *message)
{
	switch (type) {
	case NLMSG_ERROR:
		return parse_refusal(body, message);
	case RTM_NEWROUTE:
		return parse_route(body, message);
	case RTM_NEWNEIGH:
		return parse_neighbour(body, message);
	default:
		return ERR_PROTOCOL;
	}
}

int route_message_parse(const void *bytes, size_t length_bytes, uint32_t sequence,
	struct route_message *ret_message)
{
	struct span datagram = { bytes, length_bytes };

	while (datagram.length > 0) {
		struct route_message message = { 0 };
		struct nlmsghdr header;
		struct span whole;
		int err;

		if (datagram.length < sizeof header)
			return ERR_PROTOCOL;
		memcpy(&header, datagram.bytes, sizeof header);
		if (header.nlmsg_len < sizeof header || take(&datagram, header.nlmsg_len, &whole) != 0)
			return ERR_PROTOCOL;
		if (header.nlmsg_seq != sequence)
			continue;
		err = parse_body(header.nlmsg_type, (struct span){ whole.bytes + sizeof header,
			whole.length - sizeof header }, &message);
		if (err == 0)
			*ret_message = message;
		return err;
	}
	return ERR_NOT_FOUND;
}
