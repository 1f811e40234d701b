/* SPDX-License-Identifier: Apache-2.0 */
/* route_message: takes the kernel's answer to one rtnetlink(7) question apart, as far as route asks:
 * a route, a neighbour, or an errno. Pure, bounded, trusts no length; needs no alignment. */
#ifndef LATTICE_PROBE_ROUTE_MESSAGE_H
#define LATTICE_PROBE_ROUTE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lattice-probe/parse.h"
#include "lattice-probe/route.h"

enum route_message_kind {
	ROUTE_MESSAGE_REFUSED,   /* NLMSG_ERROR: `error` says why */
	ROUTE_MESSAGE_ROUTE,     /* RTM_NEWROUTE */
	ROUTE_MESSAGE_NEIGHBOUR  /* RTM_NEWNEIGH */
};

struct route_message {
	enum route_message_kind kind;
	int error;               /* errno, positive. Of a route: what it makes a sender fail with; 0: none */
	int family;              /* AF_INET, AF_INET6 */
	enum route_kind route;
	bool is_cloned;          /* RTM_F_CLONED: resolved for one address; prefix and scope say nothing */
	uint32_t table;
	unsigned device_index;   /* 0: none */
	union address gateway;   /* of several next hops the first; AF_UNSPEC: none */
	union address source;    /* AF_UNSPEC: none */
	union address prefix;    /* all zero bytes for the default route */
	int prefix_length;       /* bits */
	enum route_neighbour neighbour;
};

/* Finds the answer with that sequence number in one datagram. 0; ERR_NOT_FOUND when all its messages
 * are answers to other questions; ERR_PROTOCOL for anything malformed. */
int route_message_parse(const void *bytes, size_t length_bytes, uint32_t sequence,
	struct route_message *ret_message);

#endif
