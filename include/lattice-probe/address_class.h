/* SPDX-License-Identifier: Apache-2.0 */
/* address_class: what kind of address a service's name led to. Pure. The ranges are those of the VPC
 * Lattice User Guide (security groups, resource configurations) and of the VPC itself; AWS promises the
 * managed prefix lists, not the numbers, so lists that were read go before what is compiled in. */
#ifndef LATTICE_PROBE_ADDRESS_CLASS_H
#define LATTICE_PROBE_ADDRESS_CLASS_H

#include <stdbool.h>
#include <stddef.h>

#include "lattice-probe/parse.h"

#define ADDRESS_NETWORKS_MAX 16

struct address_network {
	union address prefix;
	int length;
};

struct address_networks {
	struct address_network items[ADDRESS_NETWORKS_MAX];
	size_t count;
};

enum address_class {
	ADDRESS_CLASS_NONE,
	ADDRESS_CLASS_LATTICE,    /* 169.254.171.0/24, fd00:ec2:80::/64: through the VPC's association */
	ADDRESS_CLASS_RESOURCE,   /* 129.224.0.0/17: a Lattice resource, through the association */
	ADDRESS_CLASS_VPC,        /* inside the VPC's own CIDRs: a service-network endpoint */
	ADDRESS_CLASS_CREDENTIALS,/* metadata and credential endpoints, never probed */
	ADDRESS_CLASS_LOOPBACK,   /* also 0.0.0.0 and ::, the sinkholes of filters */
	ADDRESS_CLASS_LINK_LOCAL, /* other link-local */
	ADDRESS_CLASS_PRIVATE,    /* RFC 1918, RFC 6598, other unique local */
	ADDRESS_CLASS_PUBLIC
};

/* `lattice`: networks of the managed prefix lists, `vpc`: CIDRs of the VPC; either may be NULL or empty
 * for unknown. NAT64 (64:ff9b::/96, RFC 6052) and v4-mapped addresses are decoded first. */
enum address_class address_class_of(const union address *address, const struct address_networks *lattice,
	const struct address_networks *vpc);

/* "10.0.0.0/16" or "fd00:10::/56"; ERR_SYNTAX, ERR_LIMIT when the list is full. */
int address_networks_add(struct address_networks *networks, const char *text);
bool address_networks_hold(const struct address_networks *networks, const union address *address);

/* A phrase for people: "a VPC Lattice address (association)". Static text. */
const char *address_class_words(enum address_class class_);

/* One word for JSON: "lattice", "resource", "vpc", …. Static text. */
const char *address_class_name(enum address_class class_);

#endif
