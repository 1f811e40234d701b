/* SPDX-License-Identifier: Apache-2.0 */
/* route: what the kernel would do with a packet to an address, by rtnetlink(7): the route it chooses,
 * where that leads, and what it knows of the next hop's link address. Asks the kernel of this network
 * namespace; sends nothing, changes nothing, needs no root. Returns; never logs. */
#ifndef LATTICE_PROBE_ROUTE_H
#define LATTICE_PROBE_ROUTE_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "lattice-probe/parse.h"

/* RTM_GETROUTE's rtm_type, as far as it matters to a sender. */
enum route_kind {
	ROUTE_NONE,        /* no route: ENETUNREACH */
	ROUTE_UNICAST,     /* by a device, directly or over a gateway */
	ROUTE_LOCAL,       /* an address of this host */
	ROUTE_BLACKHOLE,   /* dropped here in silence (the lookup says EINVAL) */
	ROUTE_UNREACHABLE, /* refused here: EHOSTUNREACH */
	ROUTE_PROHIBIT,    /* refused here: EACCES */
	ROUTE_OTHER
};

/* NUD states of a neighbour (rtnetlink(7), RTM_NEWNEIGH). */
enum route_neighbour {
	ROUTE_NEIGHBOUR_NONE,       /* the kernel knows nothing of it yet */
	ROUTE_NEIGHBOUR_INCOMPLETE, /* asked for (ARP, neighbour discovery), not answered yet */
	ROUTE_NEIGHBOUR_REACHABLE,  /* reachable, stale, delay, probe, permanent or noarp: an address is known */
	ROUTE_NEIGHBOUR_FAILED      /* asked for, never answered */
};

struct route {
	enum route_kind kind;
	int error;                 /* errno of the lookup; 0: a route was found */
	char device[IF_NAMESIZE];  /* "" when there is none */
	union address gateway;     /* AF_UNSPEC: on the link */
	union address source;      /* that the kernel would use; AF_UNSPEC: none said */
	union address prefix;      /* destination of the matching route, port 0; AF_UNSPEC: not known */
	int prefix_length;         /* 0: the default route; -1: not known */
	uint32_t table;            /* 254 is the main table */
	bool is_link_scope;        /* RT_SCOPE_LINK: the destination itself is asked for on the link */
};

/* Looks an address up. 0 with *ret_route filled, also when there is no route (kind says so); ERR_NOFD,
 * ERR_IO, ERR_PROTOCOL when the kernel could not be asked. */
int route_lookup(const union address *destination, struct route *ret_route);

/* What is known of the next hop on a route of kind UNICAST: its gateway, else the destination. 0, or as
 * above. */
int route_read_neighbour(const struct route *route, const union address *destination,
	enum route_neighbour *ret_neighbour);

/* Whether this host has a default route of that family (AF_INET, AF_INET6) that leads somewhere. */
bool route_has_default(int family);

/* "unicast", "blackhole", …; "reachable", "failed", …. Static text. */
const char *route_kind_name(enum route_kind kind);
const char *route_neighbour_name(enum route_neighbour neighbour);

#endif
