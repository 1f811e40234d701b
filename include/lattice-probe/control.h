/* SPDX-License-Identifier: Apache-2.0 */
/* control: what AWS's control plane says about the path, where this role may ask: the associations of
 * this VPC, the service behind the name, and whether security groups, network ACL, route table and DNS
 * settings let the connection through. Read-only, every page, each refusal noted and none fatal. Only for
 * `diagnose` at the shell: the daemon never calls it (a fleet would drain the account's API buckets).
 * Owns its calls; borrows the transport. Returns; never logs. */
#ifndef LATTICE_PROBE_CONTROL_H
#define LATTICE_PROBE_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lattice-probe/address_class.h"
#include "lattice-probe/parse.h"

struct aws_transport;
struct credentials;
struct loop;

enum claim { CLAIM_UNKNOWN, CLAIM_NO, CLAIM_YES };

/* Of one question to the control plane. */
enum control_end {
	CONTROL_NOT_ASKED,
	CONTROL_OK,
	CONTROL_DENIED,      /* the role may not */
	CONTROL_UNREACHABLE, /* no way to the endpoint, or no answer in time */
	CONTROL_FAILED       /* an answer that is an error or makes no sense */
};

enum control_call {
	CONTROL_VPC_ASSOCIATIONS,     /* vpc-lattice:ListServiceNetworkVpcAssociations */
	CONTROL_VPC_ASSOCIATION,      /* vpc-lattice:GetServiceNetworkVpcAssociation */
	CONTROL_SERVICE_ASSOCIATIONS, /* vpc-lattice:ListServiceNetworkServiceAssociations */
	CONTROL_VPC,                  /* ec2:DescribeVpcs: the owner */
	CONTROL_DNS_ATTRIBUTES,       /* ec2:DescribeVpcAttribute, both */
	CONTROL_SECURITY_GROUPS,      /* ec2:DescribeSecurityGroups */
	CONTROL_ROUTE_TABLES,         /* ec2:DescribeRouteTables */
	CONTROL_NETWORK_ACLS,         /* ec2:DescribeNetworkAcls */
	CONTROL_PREFIX_LISTS,         /* ec2:DescribeManagedPrefixLists, GetManagedPrefixListEntries */
	CONTROL_CALLS
};

#define CONTROL_ID_SIZE 64
#define CONTROL_TEXT_SIZE 160

struct evidence_control {
	bool is_asked;
	enum control_end ends[CONTROL_CALLS];
	char first_refusal[CONTROL_TEXT_SIZE]; /* masked; "" none */

	enum claim owns_vpc;              /* the VPC's OwnerId is this instance's account: lists are complete.
	                                     In a shared subnet an empty list means unknown, not absent */
	enum claim is_associated;         /* an ACTIVE association of this VPC */
	char association_id[CONTROL_ID_SIZE];
	char association_status[32];      /* "ACTIVE", "CREATE_IN_PROGRESS", "CREATE_FAILED", …; "" none */
	char association_failure[CONTROL_TEXT_SIZE]; /* failureMessage */
	char service_network_id[CONTROL_ID_SIZE];

	enum claim is_service_in_network; /* the name is among the network's service associations, ACTIVE */
	char service_id[CONTROL_ID_SIZE];
	char generated_name[256];         /* dnsEntry of the service whose name or custom domain it is */
	char service_status[32];

	enum claim dns_support;
	enum claim dns_hostnames;

	enum claim instance_sg_allows;    /* egress from the instance to the address and port */
	enum claim association_sg_allows; /* ingress to the association from the instance; YES when it has no
	                                     group, which means no filter (User Guide, security groups) */
	enum claim nacl_allows_out;       /* to the address and port */
	enum claim nacl_allows_back;      /* from the address to ports 1025–65535 */
	enum claim has_route;             /* the subnet's table leads Lattice's range somewhere */
	char blocked_by[CONTROL_ID_SIZE]; /* the groups of the instance (by comma), the ACL, or the groups of the
	                                     association: of the first of these that is a NO */
	struct address_networks lattice_networks; /* of the managed prefix lists */
	int64_t elapsed_us;
};

struct control;

struct control_question {
	const char *region;          /* copied, like all text */
	const char *account_id;      /* of the instance; "" unknown */
	const char *vpc_id;          /* "" unknown: nothing can be asked */
	const char *subnet_id;
	const char *security_groups; /* ids, by comma */
	union address source;        /* the instance's own address on the path; AF_UNSPEC unknown */
	union address destination;   /* with the port; AF_UNSPEC: no address is known yet */
	const char *host;            /* the service's name */
	int64_t timeout_us;          /* of everything */
};

/* Asks all that can be asked, side by side where it can. `finished` runs once, never from inside this
 * call; what is not known by the deadline stays UNKNOWN and its call UNREACHABLE. NULL: no memory. */
struct control *control_start(struct loop *loop, struct aws_transport *transport,
	struct credentials *credentials, const struct control_question *question,
	void (*finished)(void *user, const struct evidence_control *control), void *user);
void control_cancel(struct control *control); /* NULL is fine */

/* The IAM action of a call: "vpc-lattice:ListServiceNetworkVpcAssociations". Static text. */
const char *control_call_action(enum control_call call);

/* Every IAM action that is made use of, by place from 0; NULL beyond the last. Static text. */
const char *control_action(size_t place);

/* Zones in which VPC Lattice is not to be had (User Guide, quotas), by id: "use1-az3". Pure. */
bool control_zone_is_unsupported(const char *availability_zone_id);

#endif
