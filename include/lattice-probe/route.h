/* SPDX-License-Identifier: Apache-2.0 */
/* route: what the kernel would do with a TCP connection to an address, by rtnetlink(7): the route it
 * chooses, policy rules included, where that leads, and what it knows of the next hop's link address.
 * Asks the kernel of this network namespace; sends nothing, changes nothing, needs no root. Returns;
 * never logs. */
#ifndef LATTICE_PROBE_ROUTE_H
#define LATTICE_PROBE_ROUTE_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "lattice-probe/parse.h"

/* rtm_type of a route, or of one that refuses the lookup's errno, which is also that of connect() (where
 * IPv6 is switched off, connect() may say EADDRNOTAVAIL to ROUTE_NONE). */
enum route_kind {
	ROUTE_NONE,        /* no route: ENETUNREACH. Also an ip rule "unreachable" */
	ROUTE_UNICAST,     /* by a device, directly or over a gateway */
	ROUTE_LOCAL,       /* an address of this host */
	ROUTE_BLACKHOLE,   /* refused here: EINVAL. A route or an ip rule */
	ROUTE_UNREACHABLE, /* refused here: EHOSTUNREACH. In IPv6 also a default route on lo of that type,
	                      as some set it where there is no IPv6 */
	ROUTE_PROHIBIT,    /* refused here: EACCES. A route or an ip rule */
	ROUTE_OTHER        /* broadcast, multicast, … */
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
	int error;                 /* errno of the lookup; 0: a route was found, and all below is filled */
	char device[IF_NAMESIZE];  /* "" when there is none */
	union address gateway;     /* AF_UNSPEC: on the link. May be IPv6 for an IPv4 destination */
	union address source;      /* that the kernel would use; AF_UNSPEC: none said */
	union address prefix;      /* destination of the matching route, port 0; AF_UNSPEC: not known, as of
	                              every route that refuses */
	int prefix_length;         /* bits; 0: the default route; -1: not known */
	uint32_t table;            /* 254 is the main table; 0: not known */
	bool is_link_scope;        /* no gateway: the destination itself is asked for on the link */
};

/* Looks an address up, its port and scope id included where they are not 0. 0 with *ret_route filled,
 * also when there is no route (kind says so); ERR_NOFD, ERR_IO, ERR_PROTOCOL when the kernel could not
 * be asked. */
int route_lookup(const union address *destination, struct route *ret_route);

/* What is known of the next hop on a route of kind UNICAST: its gateway, else the destination. 0, or as
 * above; ERR_IO also when the device is gone meanwhile. */
int route_read_neighbour(const struct route *route, const union address *destination,
	enum route_neighbour *ret_neighbour);

/* Whether this host has a default route of that family (AF_INET, AF_INET6) that leads somewhere: one
 * device for addresses of the whole internet. False also when the kernel could not be asked. */
bool route_has_default(int family);

/* "unicast", "blackhole", …; "reachable", "failed", …. Static text. */
const char *route_kind_name(enum route_kind kind);
const char *route_neighbour_name(enum route_neighbour neighbour);

#endif
