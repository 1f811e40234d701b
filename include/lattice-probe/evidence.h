/* SPDX-License-Identifier: Apache-2.0 */
/* evidence: all that one diagnosis found out about one target, as plain values without pointers: the
 * questions fill it, diagnosis decides on it, the story tells it. All zero means "nothing was asked":
 * every enum's zero is "not known", and what was measured says so by a flag. Tests write it by hand. */
#ifndef LATTICE_PROBE_EVIDENCE_H
#define LATTICE_PROBE_EVIDENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lattice-probe/address_class.h"
#include "lattice-probe/control.h"
#include "lattice-probe/dns_message.h"
#include "lattice-probe/host.h"
#include "lattice-probe/http.h"
#include "lattice-probe/imds.h"
#include "lattice-probe/outcome.h"
#include "lattice-probe/publishing.h"
#include "lattice-probe/result.h"
#include "lattice-probe/route.h"
#include "lattice-probe/target.h"

#define EVIDENCE_RESOLVERS_MAX (TARGET_RESOLVERS_MAX + 1)
#define EVIDENCE_ADDRESSES_MAX 8
#define EVIDENCE_PATHS_MAX 4
#define EVIDENCE_TEXT_SIZE 256

/* ---- the target --------------------------------------------------------------------------- */

/* What the host name's form says (VPC Lattice User Guide, custom domain names; PrivateLink guide). */
enum evidence_name {
	EVIDENCE_NAME_LITERAL = 1, /* the URL holds an address */
	EVIDENCE_NAME_SERVICE,     /* NAME-ID.PARTITION.vpc-lattice-svcs.REGION.on.aws */
	EVIDENCE_NAME_ENDPOINT,    /* vpce-….HASH.vpc-lattice-svcs.REGION.on.aws */
	EVIDENCE_NAME_RESOURCE,    /* ….vpc-lattice-rsc.REGION.on.aws */
	EVIDENCE_NAME_CUSTOM       /* any other name */
};

struct evidence_target {
	char probe[TARGET_NAME_MAX + 1]; /* "" for a URL of the command line */
	char url[EVIDENCE_TEXT_SIZE];    /* redacted, cut */
	char host[DNS_NAME_SIZE];
	uint16_t port;
	bool is_tls;
	enum evidence_name name;
	enum target_ip ip;
	bool is_signed;                  /* auth = sigv4 */
	bool has_marker;                 /* expect_header tells the application's answers from Lattice's */
	bool is_repeatable;              /* the method is safe (RFC 9110 section 9.2.1); others are never sent */
	char method[16];
	int64_t timeout_us;
};

/* ---- where ---------------------------------------------------------------------------------- */

enum evidence_imds {
	EVIDENCE_IMDS_NOT_ASKED,
	EVIDENCE_IMDS_OK,
	EVIDENCE_IMDS_SILENT,      /* no answer at all */
	EVIDENCE_IMDS_HOP_LIMIT,   /* connects, but the token PUT alone stays unanswered */
	EVIDENCE_IMDS_OFF,         /* 403, or AWS_EC2_METADATA_DISABLED */
	EVIDENCE_IMDS_ODD          /* something answers that is not EC2's IMDSv2 */
};

struct evidence_where {
	bool is_asked;
	enum host_platform platform;
	struct host_identity identity;
	enum evidence_imds imds;
	struct imds_facts facts;
	char account_id[16];             /* of the network interface; "" unknown. A secret to --verbose */
	char public_ipv4[ADDRESS_TEXT_SIZE]; /* "" none or unknown */
	char security_groups[EVIDENCE_TEXT_SIZE]; /* ids, by comma */
	struct address_networks vpc_networks;
	bool has_ipv4_default;
	bool has_ipv6_default;
	char network_namespace[HOST_TEXT_SIZE];
	int64_t elapsed_us;
};

/* ---- DNS ------------------------------------------------------------------------------------ */

struct evidence_answer {
	bool is_asked;
	enum outcome outcome;        /* ok: at least one address; dns_…; local_fault */
	int rcode;                   /* -1: no reply */
	size_t address_count;        /* in the reply; EVIDENCE_ADDRESSES_MAX are kept */
	union address addresses[EVIDENCE_ADDRESSES_MAX];
	size_t cname_count;
	char cname[DNS_NAME_SIZE];   /* the end of the chain; "" none */
	bool is_cname_loop;          /* the chain came back to a name it had passed */
	int64_t ttl_s;               /* -1 none */
	int64_t elapsed_us;
	int retransmits;
	char detail[160];
};

enum evidence_family { EVIDENCE_A, EVIDENCE_AAAA, EVIDENCE_FAMILIES };

struct evidence_resolver {
	union address server;
	bool is_configured;          /* the daemon would ask it, in this order */
	bool is_vpc;                 /* 169.254.169.253, fd00:ec2::253, or the VPC's base + 2 */
	bool is_outside;             /* a public address: a witness of its own */
	bool is_local;               /* on this host; its upstreams are not known */
	struct evidence_answer answers[EVIDENCE_FAMILIES];
	/* Asked again, to see whether replies are lost: counts of all questions to it, the first ones too. */
	int asked;
	int answered;
};

struct evidence_dns {
	bool is_asked;
	struct evidence_resolver resolvers[EVIDENCE_RESOLVERS_MAX]; /* configured ones first, in order; then
	                                                             the VPC resolver where it is not among them */
	size_t resolver_count;
	/* The generated name behind a custom domain, asked of the VPC resolver: known from the alias or from
	 * the control plane. "" when not known or not asked. */
	char generated_name[DNS_NAME_SIZE];
	struct evidence_answer generated[EVIDENCE_FAMILIES];
	bool counts_drops;           /* the device has the ENA counter */
	uint64_t link_local_drops;   /* by which it rose during the diagnosis */
	int64_t elapsed_us;
};

/* ---- the path to one address ---------------------------------------------------------------- */

enum evidence_exchange_kind {
	EXCHANGE_MAIN,           /* as the probe does it */
	EXCHANGE_OTHER_SCHEME,   /* the same port, http for https and the other way round: does it answer? */
	EXCHANGE_OTHER_NAME,     /* the generated name in SNI and Host, at the same address */
	EXCHANGE_SMALL_SEGMENTS, /* with TCP segments that pass any path */
	EXCHANGE_OTHER_PORT,     /* 80 or 443, where the target's port refuses */
	EXCHANGE_KINDS
};

/* One HTTP exchange. SMALL_SEGMENTS repeats MAIN; the others are a handshake alone, or a HEAD of "/"
 * without the target's headers, body and signature. */
struct evidence_exchange {
	bool is_asked;
	bool is_stand_in;        /* ended after the handshake: an unsafe method is never sent */
	bool is_from_daemon;     /* not made now: the daemon's last run */
	enum outcome outcome;
	enum http_stage stage;   /* where it ended */
	int os_errno;
	int64_t phase_us[PHASE_COUNT]; /* PHASE_NONE: not completed; dns is not filled */
	int64_t total_us;
	int64_t tcp_rtt_us;      /* -1 */
	int32_t tcp_retransmits; /* -1 */
	int mss_bytes;           /* largest segment we offered to take; 0 unknown */
	uint64_t local_drops;    /* TCPRetransFail rose by */
	uint16_t port;

	int tls_alert;           /* fatal alert received, RFC 8446 section 6.2; -1: none */
	bool is_not_tls;         /* the peer's first bytes were no TLS */
	char tls_version[16];
	char alpn[16];
	int32_t certificate_days;/* CERTIFICATE_DAYS_NONE */
	char certificate_subject[128];
	char certificate_issuer[128];

	int status;              /* 0: no response */
	int http_version;
	int64_t received_bytes;
	bool has_request_id;     /* x-amzn-requestid in the response */
	bool echoes_request_id;  /* it is the one we sent */
	bool is_bare;            /* no body, no header but date, content-length, connection, request id */
	bool has_marker;         /* every header that expect_header names is there */
	bool is_lattice_denial;  /* 403 with Lattice's refusal of vpc-lattice-svcs:Invoke */
	bool is_explicit_deny;   /* …which speaks of an explicit deny */
	bool denies_anonymous;   /* …to nobody: the request was not signed, or its signature not seen */
	char denied_by[32];      /* "identity-based", "service-based", "network-based"; "" not said */
	bool denies_signature;   /* 403 that complains of signature, token or time */
	char server[64];         /* the Server header; "" none */
	bool has_date;
	int64_t skew_us;         /* Date minus our clock; 0 within its precision */
	char detail[160];
};

struct evidence_path {
	union address address;   /* with the port */
	enum address_class class_;
	bool is_nat64;           /* 64:ff9b::/96: class_ is that of the IPv4 address inside */
	bool is_preferred;       /* the one the probe would use; none has it when no configured resolver gave an
	                            address: the first is then what the VPC's resolver would have led to */
	struct route route;
	enum route_neighbour neighbour_before;
	enum route_neighbour neighbour_after;
	bool has_other_device;   /* leaves by another device than the family's default route */
	struct evidence_exchange exchanges[EXCHANGE_KINDS];
};

/* ---- the daemon beside ------------------------------------------------------------------------ */

struct evidence_daemon {
	bool is_running;          /* its status socket answered */
	bool knows_probe;
	enum outcome last_outcome;
	int64_t age_us;           /* of that result */
	int streak;               /* how many in a row ended like it: failures or successes */
	char credentials[64];     /* "imds", or why there are none */
};

struct evidence {
	struct evidence_target target;
	struct evidence_where where;
	struct evidence_dns dns;
	struct evidence_path paths[EVIDENCE_PATHS_MAX];
	size_t path_count;
	struct evidence_control control;
	struct evidence_publishing publishing;
	struct evidence_daemon daemon;
	bool is_cut_short;        /* the time was over before every question was answered */
	int64_t elapsed_us;
};

/* How many paths there are to look at, whatever path_count says. */
size_t evidence_count_paths(const struct evidence *evidence);

/* The path the probe would take; NULL: it has no address. */
const struct evidence_path *evidence_preferred_path(const struct evidence *evidence);

/* The resolver the daemon asks first, the first configured one that gave an address of a wanted family,
 * the VPC's; NULL: none. */
const struct evidence_resolver *evidence_first_resolver(const struct evidence *evidence);
const struct evidence_resolver *evidence_answering_resolver(const struct evidence *evidence);
const struct evidence_resolver *evidence_vpc_resolver(const struct evidence *evidence);

/* What a resolver's two answers come to for `ip`, as a run would take it. */
enum outcome evidence_resolver_outcome(const struct evidence_resolver *resolver, enum target_ip ip);

/* An exchange with everything "not there": phases PHASE_NONE, numbers -1 as said above. */
void evidence_exchange_init(struct evidence_exchange *exchange);

/* The kind of name in `host`. Pure. */
enum evidence_name evidence_name_of(const char *host);

#endif
