/* SPDX-License-Identifier: Apache-2.0 */
/* control_facts: the replies of the control plane as small values (control_lattice reads JSON, control_ec2
 * XML), and what follows from them (control_rules, control_claims). Pure. A NO is only said of what was
 * read whole: whoever is told to open a group that was open has lost an hour. */
#ifndef LATTICE_PROBE_CONTROL_FACTS_H
#define LATTICE_PROBE_CONTROL_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lattice-probe/address_class.h"
#include "lattice-probe/control.h"
#include "lattice-probe/parse.h"

#define CONTROL_TOKEN_SIZE 2049       /* nextToken of VPC Lattice: up to 2048 */
#define CONTROL_ARN_SIZE 256
#define CONTROL_NAME_SIZE 256
#define CONTROL_GROUPS_SIZE 256       /* ids, by comma: a VPC association has up to 5, an interface up to 16 */
#define CONTROL_GROUPS_MAX 24
#define CONTROL_PERMISSIONS_MAX 4096  /* an interface has up to 1000 rules each way (VPC quotas) */
#define CONTROL_ENTRIES_MAX 128       /* of an ACL: 40 each way at most, default rules included */
#define CONTROL_ROUTES_MAX 1024
#define CONTROL_PROTOCOL_ANY (-1)
#define CONTROL_PROTOCOL_OTHER (-2)   /* neither TCP nor any */
#define CONTROL_PROTOCOL_TCP 6

/* ---- values ------------------------------------------------------------------------------- */

/* From one page of a list to the next; "" when it was the last. */
struct control_page {
	char token[CONTROL_TOKEN_SIZE];
};

struct control_association {
	char id[CONTROL_ID_SIZE];         /* "" there is none */
	char arn[CONTROL_ARN_SIZE];
	char status[32];
	char network_id[CONTROL_ID_SIZE];
	char network_arn[CONTROL_ARN_SIZE];
	char groups[CONTROL_GROUPS_SIZE]; /* once asked for */
	char failure[CONTROL_TEXT_SIZE];
};

struct control_service {
	char id[CONTROL_ID_SIZE]; /* "" not found */
	char status[32];
	char name[CONTROL_NAME_SIZE];
};

enum control_peer { CONTROL_PEER_NETWORK, CONTROL_PEER_LIST, CONTROL_PEER_GROUP };

/* One rule of a group towards one peer. */
struct control_permission {
	char group_id[CONTROL_ID_SIZE];
	bool is_egress;
	int protocol;
	int from_port; /* -1 with to_port: all */
	int to_port;
	enum control_peer peer;
	char peer_id[CONTROL_ID_SIZE];  /* of the list or group */
	struct address_network network;
};

struct control_groups {
	char ids[CONTROL_GROUPS_MAX][CONTROL_ID_SIZE]; /* those that were seen */
	size_t id_count;
	struct control_permission *permissions;
	size_t permission_count;
	size_t capacity;
	bool is_cut;                     /* there was more, or something that could not be read */
};

void control_groups_done(struct control_groups *groups);

struct control_acl_entry {
	int number;
	bool is_egress;
	bool is_allowed;
	int protocol;
	int from_port; /* -1 with to_port: all */
	int to_port;
	struct address_network network;
};

struct control_acl {
	char id[CONTROL_ID_SIZE]; /* "" none */
	struct control_acl_entry entries[CONTROL_ENTRIES_MAX];
	size_t count;
	bool is_cut;
};

struct control_route {
	bool is_active;
	char list_id[CONTROL_ID_SIZE]; /* "" it leads to a network */
	struct address_network network;
};

struct control_table {
	char id[CONTROL_ID_SIZE]; /* "" none */
	struct control_route routes[CONTROL_ROUTES_MAX];
	size_t count;
	bool is_cut;
};

#define CONTROL_LISTS 2 /* VPC Lattice's two, IPv4 and IPv6 */
#define CONTROL_AWS_LISTS_SIZE 1024 /* ids, by comma: a region has a dozen */

struct control_list {
	char id[CONTROL_ID_SIZE];
	struct address_networks networks;
	bool is_known; /* every entry was read */
};

/* What is judged. */
struct control_flow {
	union address source;      /* AF_UNSPEC unknown */
	union address destination; /* with the port; AF_UNSPEC unknown */
	const char *own_groups;    /* of the instance, by comma */
	const struct control_list *lists; /* CONTROL_LISTS of them */
	const char *aws_lists;     /* of AWS's other lists, by comma */
};

/* ---- reading: 0, ERR_PROTOCOL, ERR_NOMEM --------------------------------------------------- */

/* Of the items, the one that says most of the VPC: an ACTIVE one before others. Earlier pages' find is in
 * *association. */
int control_lattice_read_associations(const char *text, size_t length_bytes, const char *vpc_id,
	struct control_association *association, struct control_page *ret_page);
/* Fills in groups and failure. */
int control_lattice_read_association(const char *text, size_t length_bytes, struct control_association *association);
/* The item whose generated name or custom domain is `host`. */
int control_lattice_read_services(const char *text, size_t length_bytes, const char *host,
	struct control_service *service, struct control_page *ret_page);

int control_ec2_read_owner(const char *text, size_t length_bytes, const char *vpc_id, char ret_owner[static 16]);
int control_ec2_read_attribute(const char *text, size_t length_bytes, const char *name, enum claim *ret_claim);
int control_ec2_read_groups(const char *text, size_t length_bytes, struct control_groups *groups,
	struct control_page *ret_page);
int control_ec2_read_table(const char *text, size_t length_bytes, struct control_table *table,
	struct control_page *ret_page);
int control_ec2_read_acl(const char *text, size_t length_bytes, struct control_acl *acl, struct control_page *ret_page);
/* VPC Lattice's own among the lists, by their names, and the ids of AWS's others, as far as they fit. */
int control_ec2_read_lists(const char *text, size_t length_bytes, const char *region,
	struct control_list lists[static CONTROL_LISTS], char aws_lists[static CONTROL_AWS_LISTS_SIZE],
	struct control_page *ret_page);
int control_ec2_read_entries(const char *text, size_t length_bytes, struct control_list *list,
	struct control_page *ret_page);

/* ---- judging, pure ------------------------------------------------------------------------ */

bool control_rules_holds_id(const char *ids, const char *id); /* ids by comma */
/* Of several groups one that allows is enough. `ids` "" is unknown. */
enum claim control_rules_groups_allow(const struct control_groups *groups, const char *ids, bool is_egress,
	const struct control_flow *flow);
enum claim control_rules_acl_allows_out(const struct control_acl *acl, const struct control_flow *flow);
enum claim control_rules_acl_allows_back(const struct control_acl *acl, const struct control_flow *flow);
enum claim control_rules_table_leads(const struct control_table *table, const struct control_flow *flow);

/* ---- all together ------------------------------------------------------------------------- */

/* The questions, in an order in which each comes after what it needs. */
enum control_job {
	JOB_VPC_ASSOCIATIONS,
	JOB_VPC_ASSOCIATION,
	JOB_SERVICES,
	JOB_VPC,
	JOB_DNS_SUPPORT,
	JOB_DNS_HOSTNAMES,
	JOB_INSTANCE_GROUPS,
	JOB_ASSOCIATION_GROUPS,
	JOB_SUBNET_TABLE,
	JOB_MAIN_TABLE,
	JOB_ACL,
	JOB_LISTS,
	JOB_ENTRIES_IPV4,
	JOB_ENTRIES_IPV6,
	JOB_COUNT
};

/* All that was asked with and all that was learnt. */
struct control_facts {
	char region[64];
	char account_id[16];
	char vpc_id[CONTROL_ID_SIZE];
	char subnet_id[CONTROL_ID_SIZE];
	char own_groups[CONTROL_GROUPS_SIZE];
	char host[CONTROL_NAME_SIZE];
	union address source;
	union address destination;

	bool is_known[JOB_COUNT]; /* answered whole, every page */
	struct control_association association;
	struct control_service service;
	char owner_id[16];
	enum claim dns_support;
	enum claim dns_hostnames;
	struct control_groups groups; /* of the instance and of the association */
	struct control_table table;
	struct control_acl acl;
	struct control_list lists[CONTROL_LISTS];
	char aws_lists[CONTROL_AWS_LISTS_SIZE];
};

/* What the facts come to. */
void control_claims_fill(const struct control_facts *facts, struct evidence_control *control);

#endif
