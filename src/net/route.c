/* SPDX-License-Identifier: Apache-2.0 */
/* One route takes two questions. RTM_GETROUTE as such resolves: device, gateway and source of a packet,
 * rules and next-hop choice included, but prefix and scope of the route are gone from the answer (an
 * IPv4 one has /32 and "universe"). With RTM_F_FIB_MATCH it names the route that matched, but not what
 * becomes of a packet. A route that refuses (blackhole, prohibit, unreachable) is an errno to both:
 * which prefix it has cannot be asked this way.
 *
 * The kernel answers within the system call, so that the socket may block: its limit of time is for
 * what cannot happen. */
#include "lattice-probe/route.h"

#include <errno.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "lattice-probe/err.h"
#include "lattice-probe/route_message.h"

#define ATTRIBUTES_MAX_BYTES 64
#define ANSWER_MAX_BYTES (16 * 1024) /* the kernel makes none longer than a page */
#define ANSWERS_MAX 16               /* read for one question, those to others included */
#define WAIT_US 200000
#define DEFAULT_PREFIX_MAX 3         /* 0.0.0.0/1 and 128.0.0.0/1, or 2000::/3, serve as a default route */

struct question {
	struct nlmsghdr header;
	union {
		struct rtmsg route;
		struct ndmsg neighbour;
	} body;
	unsigned char attributes[ATTRIBUTES_MAX_BYTES];
};

_Static_assert(sizeof(struct rtmsg) == sizeof(struct ndmsg), "attributes follow both without a gap");

static void question_init(struct question *question, uint16_t type, uint32_t sequence)
{
	*question = (struct question){ .header = { .nlmsg_len = NLMSG_LENGTH(sizeof question->body),
		.nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST, .nlmsg_seq = sequence } };
}

static void add(struct question *question, unsigned short type, const void *value, size_t length)
{
	struct rtattr header = { .rta_len = (unsigned short)RTA_LENGTH(length), .rta_type = type };
	unsigned char *at = (unsigned char *)question + question->header.nlmsg_len;

	memcpy(at, &header, sizeof header);
	memcpy(at + sizeof header, value, length);
	question->header.nlmsg_len += (uint32_t)RTA_SPACE(length);
}

static void add_address(struct question *question, unsigned short type, const union address *address)
{
	if (address->sa.sa_family == AF_INET6)
		add(question, type, &address->v6.sin6_addr, sizeof address->v6.sin6_addr);
	else
		add(question, type, &address->v4.sin_addr, sizeof address->v4.sin_addr);
}

/* ---- asking ------------------------------------------------------------------------------- */

static int open_kernel(int *ret_fd)
{
	const struct timeval limit = { .tv_usec = WAIT_US };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0)
		return errno == EMFILE || errno == ENFILE ? ERR_NOFD : ERR_IO;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0) {
		(void)close(fd);
		return ERR_IO;
	}
	*ret_fd = fd;
	return 0;
}

/* One datagram of the kernel's; `*ret_length` is 0 for one of somebody else's. */
static int receive(int fd, void *bytes, size_t size, size_t *ret_length)
{
	struct sockaddr_nl sender = { 0 };
	struct iovec place = { bytes, size };
	struct msghdr message = { .msg_name = &sender, .msg_namelen = sizeof sender, .msg_iov = &place,
		.msg_iovlen = 1 };
	ssize_t length = recvmsg(fd, &message, 0);

	if (length < 0 && errno != EINTR)
		return ERR_IO;
	if (message.msg_flags & MSG_TRUNC)
		return ERR_PROTOCOL;
	*ret_length = length > 0 && sender.nl_pid == 0 ? (size_t)length : 0;
	return 0;
}

static int ask(int fd, const struct question *question, struct route_message *ret_answer)
{
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	unsigned char bytes[ANSWER_MAX_BYTES];

	if (sendto(fd, question, question->header.nlmsg_len, 0, (const struct sockaddr *)&kernel,
		    sizeof kernel) < 0)
		return ERR_IO;
	for (int i = 0; i < ANSWERS_MAX; i++) {
		size_t length;
		int err = receive(fd, bytes, sizeof bytes, &length);

		if (err == 0)
			err = route_message_parse(bytes, length, question->header.nlmsg_seq, ret_answer);
		if (err != ERR_NOT_FOUND)
			return err;
	}
	return ERR_PROTOCOL;
}

/* ---- the route ---------------------------------------------------------------------------- */

/* A TCP connection of this process to that address and port, so that rules about users, protocols and
 * ports hold for it too. */
static int ask_route(int fd, const union address *destination, uint32_t flags, uint32_t sequence,
	struct route_message *ret_answer)
{
	const unsigned char protocol = IPPROTO_TCP;
	const uint16_t port = htons(address_port(destination));
	bool is_v6 = destination->sa.sa_family == AF_INET6;
	struct question question;

	question_init(&question, RTM_GETROUTE, sequence);
	question.body.route.rtm_family = (unsigned char)destination->sa.sa_family;
	question.body.route.rtm_dst_len = is_v6 ? 128 : 32;
	question.body.route.rtm_flags = RTM_F_LOOKUP_TABLE | flags;
	add_address(&question, RTA_DST, destination);
	add(&question, RTA_IP_PROTO, &protocol, sizeof protocol);
	if (port)
		add(&question, RTA_DPORT, &port, sizeof port);
	if (is_v6 && destination->v6.sin6_scope_id)
		add(&question, RTA_OIF, &destination->v6.sin6_scope_id, sizeof destination->v6.sin6_scope_id);
	return ask(fd, &question, ret_answer);
}

/* What the kernel's errno says of the route; false: nothing, it is trouble of our own. EAGAIN is a
 * "throw" with no further rule, EOPNOTSUPP a kernel without that family. */
static bool find_refusal(int error, enum route_kind *ret_kind)
{
	static const struct {
		int error;
		enum route_kind kind;
	} refusals[] = {
		{ ENETUNREACH, ROUTE_NONE },
		{ EAGAIN, ROUTE_NONE },
		{ EOPNOTSUPP, ROUTE_NONE },
		{ EAFNOSUPPORT, ROUTE_NONE },
		{ ENODEV, ROUTE_NONE },
		{ EINVAL, ROUTE_BLACKHOLE },
		{ EHOSTUNREACH, ROUTE_UNREACHABLE },
		{ EACCES, ROUTE_PROHIBIT },
	};

	for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
		if (refusals[i].error == error) {
			*ret_kind = refusals[i].kind;
			return true;
		}
	}
	return false;
}

static void fill_resolved(const struct route_message *answer, struct route *route)
{
	route->kind = answer->route;
	route->gateway = answer->gateway;
	route->source = answer->source;
	route->table = answer->table;
	route->is_link_scope = answer->route == ROUTE_UNICAST && answer->gateway.sa.sa_family == AF_UNSPEC;
	if (answer->device_index == 0 || !if_indextoname(answer->device_index, route->device))
		route->device[0] = '\0';
}

/* An errno, as an answer of its own or inside of a route. */
static int settle(const struct route_message *answer, struct route *route)
{
	if (answer->kind == ROUTE_MESSAGE_NEIGHBOUR)
		return ERR_PROTOCOL;
	if (answer->kind == ROUTE_MESSAGE_ROUTE)
		fill_resolved(answer, route);
	route->error = answer->error;
	if (answer->error != 0 && !find_refusal(answer->error, &route->kind))
		return ERR_IO;
	return 0;
}

/* The prefix is worth knowing, but the route is one without it. */
static void add_prefix(int fd, const union address *destination, struct route *route)
{
	struct route_message answer;

	if (ask_route(fd, destination, RTM_F_FIB_MATCH, 2, &answer) != 0 ||
	    answer.kind != ROUTE_MESSAGE_ROUTE || answer.is_cloned || answer.table != route->table)
		return;
	route->prefix = answer.prefix;
	route->prefix_length = answer.prefix_length;
}

int route_lookup(const union address *destination, struct route *ret_route)
{
	struct route route = { .prefix_length = -1 };
	struct route_message answer;
	int fd;
	int err = open_kernel(&fd);

	if (err)
		return err;
	err = ask_route(fd, destination, 0, 1, &answer);
	if (err == 0)
		err = settle(&answer, &route);
	if (err == 0 && route.error == 0)
		add_prefix(fd, destination, &route);
	(void)close(fd);
	if (err == 0)
		*ret_route = route;
	return err;
}

/* Asks for an address that is the whole internet's, so that only a route for all of it matches: that of
 * a root name server (a.root-servers.net). The kernel alone hears of it. */
bool route_has_default(int family)
{
	static const unsigned char v4[] = { 198, 41, 0, 4 };
	static const unsigned char v6[] = { 0x20, 0x01, 0x05, 0x03, 0xba, 0x3e, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0x30 };
	union address destination;
	struct route route;

	address_from_bytes(family, family == AF_INET ? v4 : v6, 0, &destination);
	return route_lookup(&destination, &route) == 0 && route.kind == ROUTE_UNICAST &&
	       route.prefix_length <= DEFAULT_PREFIX_MAX;
}

/* ---- the neighbour ------------------------------------------------------------------------ */

int route_read_neighbour(const struct route *route, const union address *destination,
	enum route_neighbour *ret_neighbour)
{
	const union address *next_hop = route->gateway.sa.sa_family == AF_UNSPEC ? destination : &route->gateway;
	unsigned device_index = if_nametoindex(route->device);
	struct route_message answer;
	struct question question;
	int fd;
	int err = open_kernel(&fd);

	if (err)
		return err;
	question_init(&question, RTM_GETNEIGH, 1);
	question.body.neighbour.ndm_family = (unsigned char)next_hop->sa.sa_family;
	question.body.neighbour.ndm_ifindex = (int)device_index;
	add_address(&question, NDA_DST, next_hop);
	err = ask(fd, &question, &answer);
	(void)close(fd);
	if (err)
		return err;
	if (answer.kind == ROUTE_MESSAGE_ROUTE)
		return ERR_PROTOCOL;
	/* ENOENT: never asked for. Anything else is about the question: the device is gone, for one. */
	if (answer.kind == ROUTE_MESSAGE_REFUSED && answer.error != ENOENT)
		return ERR_IO;
	*ret_neighbour = answer.kind == ROUTE_MESSAGE_NEIGHBOUR ? answer.neighbour : ROUTE_NEIGHBOUR_NONE;
	return 0;
}

/* ---- words -------------------------------------------------------------------------------- */

const char *route_kind_name(enum route_kind kind)
{
	static const char *const names[] = {
		[ROUTE_NONE] = "none",
		[ROUTE_UNICAST] = "unicast",
		[ROUTE_LOCAL] = "local",
		[ROUTE_BLACKHOLE] = "blackhole",
		[ROUTE_UNREACHABLE] = "unreachable",
		[ROUTE_PROHIBIT] = "prohibit",
		[ROUTE_OTHER] = "other",
	};

	return names[kind];
}

const char *route_neighbour_name(enum route_neighbour neighbour)
{
	static const char *const names[] = {
		[ROUTE_NEIGHBOUR_NONE] = "none",
		[ROUTE_NEIGHBOUR_INCOMPLETE] = "incomplete",
		[ROUTE_NEIGHBOUR_REACHABLE] = "reachable",
		[ROUTE_NEIGHBOUR_FAILED] = "failed",
	};

	return names[neighbour];
}
