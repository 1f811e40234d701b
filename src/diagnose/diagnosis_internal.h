/* SPDX-License-Identifier: Apache-2.0 */
/* diagnosis_internal: what the files of the diagnosis share: the evidence with its main threads picked
 * up (view), how a decision is written down (say), and the groups of rules, one for each hop. */
#ifndef LATTICE_PROBE_DIAGNOSIS_INTERNAL_H
#define LATTICE_PROBE_DIAGNOSIS_INTERNAL_H

#include "lattice-probe/diagnosis.h"
#include "lattice-probe/evidence.h"
#include "lattice-probe/units.h"

/* SigV4 accepts a clock that is off by no more
 * (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html). */
#define DIAGNOSIS_SKEW_MAX_US (300 * US_PER_S)

/* ---- view: the evidence, looked at once ------------------------------------------------------- */

struct diagnosis_view {
	const struct evidence *evidence;
	const struct evidence_target *target;
	const char *host;                          /* never "" */
	const struct evidence_path *path;          /* the preferred one; NULL: none */
	const struct evidence_exchange *main;      /* its exchange as the probe does it; NULL: not asked */
	const struct evidence_resolver *first;     /* NULL: none is configured */
	const struct evidence_resolver *answering; /* NULL: no configured one gave an address */
	const struct evidence_resolver *vpc;       /* NULL: not among those asked */
	enum outcome vpc_outcome;                  /* NONE: not asked */
	bool is_vpc_heard;                         /* under any of its addresses */
};

void diagnosis_view_init(struct diagnosis_view *view, const struct evidence *evidence);

size_t diagnosis_view_count_resolvers(const struct diagnosis_view *view);
size_t diagnosis_view_count_paths(const struct diagnosis_view *view);
enum outcome diagnosis_view_outcome(const struct diagnosis_view *view, const struct evidence_resolver *resolver);

/* A run of this target would ask for that family. */
bool diagnosis_view_wants(const struct diagnosis_view *view, enum evidence_family family);

/* It sent something back, whatever it was. */
bool diagnosis_view_is_heard(const struct evidence_resolver *resolver);

/* The first address of a wanted family that a resolver gave; NULL: none. */
const union address *diagnosis_view_address(const struct diagnosis_view *view,
	const struct evidence_resolver *resolver);
enum address_class diagnosis_view_class(const struct diagnosis_view *view, const union address *address);

/* Lattice's own ranges, or an endpoint in this VPC: where a service of Lattice may rightly be. */
bool diagnosis_view_is_expected(enum address_class class_);
bool diagnosis_view_is_association(enum address_class class_);

/* The VPC resolver gave this address, or another of the same expected kind. */
bool diagnosis_view_vpc_agrees(const struct diagnosis_view *view, const struct evidence_path *path);

/* An exchange was made and went beyond that stage. */
bool diagnosis_view_passed(const struct evidence_exchange *exchange, enum http_stage stage);
const struct evidence_exchange *diagnosis_view_exchange(const struct diagnosis_view *view,
	enum evidence_exchange_kind kind);

/* The main exchange was made and ended so. */
bool diagnosis_view_ended(const struct diagnosis_view *view, enum outcome outcome);

/* The main exchange was made, and nobody answered the connection attempt. */
bool diagnosis_view_is_unconnected(const struct diagnosis_view *view);

/* Another address of the same kind got a TCP connection; NULL: none did. */
const struct evidence_path *diagnosis_view_other_path(const struct diagnosis_view *view);

/* Nothing proves that this host is in a VPC: no EC2 firmware, no metadata, no VPC resolver. */
bool diagnosis_view_may_be_outside(const struct diagnosis_view *view);

/* A default route of that address's family leads somewhere. */
bool diagnosis_view_has_default(const struct diagnosis_view *view, bool is_v6);

/* The kernel has no route and, where it was tried, the connection failed for that. */
bool diagnosis_view_is_routeless(const struct diagnosis_view *view);

/* The kernel was asked for the route. */
bool diagnosis_view_knows_route(const struct evidence_path *path);

/* 169.254.0.0/16 on the link (zeroconf, RFC 3927 section 2.6.2). */
bool diagnosis_view_is_zeroconf(const struct route *route);

/* Claims of the control plane count for an instance that knows its VPC by its own metadata. */
bool diagnosis_view_has_control(const struct diagnosis_view *view);

/* Our clock is off by that much, by the surest witness; false: nobody said. */
bool diagnosis_view_skew(const struct diagnosis_view *view, int64_t *ret_skew_us);

/* ---- say: writes a decision down -------------------------------------------------------------- */

/* Sets the verdict with its row's basis and forgets earlier candidates. */
void diagnosis_say_verdict(struct diagnosis *diagnosis, enum diagnosis_verdict verdict,
	enum diagnosis_confidence confidence);
/* Adds a cause to the ranked list, which makes the confidence "candidates". */
void diagnosis_say_candidate(struct diagnosis *diagnosis, enum diagnosis_verdict verdict);
void diagnosis_say_summary(struct diagnosis *diagnosis, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void diagnosis_say_why(struct diagnosis *diagnosis, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void diagnosis_say_note(struct diagnosis *diagnosis, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Only after the verdict: neither it nor a candidate is ever ruled out. */
void diagnosis_say_ruled_out(struct diagnosis *diagnosis, enum diagnosis_verdict verdict, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* An address or a time as text, for the argument list of the above. */
struct diagnosis_text {
	char text[ADDRESS_TEXT_SIZE];
};
struct diagnosis_text diagnosis_say_address(const union address *address);
struct diagnosis_text diagnosis_say_time(int64_t duration_us);

/* ---- rules: each true when it decided ----------------------------------------------------------- */

/* No configured resolver gave an address. */
bool diagnosis_dns_decide(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis);
/* The service answers, but the resolver asked first had failed. */
bool diagnosis_dns_decide_fallback(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis);
/* That resolver says that there is no such name, or no address of it. */
void diagnosis_name_decide(const struct diagnosis_view *view, const struct evidence_resolver *resolver,
	struct diagnosis *ret_diagnosis);
/* There is an address, and it is the wrong one. */
bool diagnosis_address_decide(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis);
bool diagnosis_route_decide(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis);
bool diagnosis_connect_decide(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis);
bool diagnosis_tls_decide(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis);
bool diagnosis_http_decide(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis);
/* The service answers; asks whether metrics would get away. */
bool diagnosis_publish_decide(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis);

/* An exchange of small segments was made, and stalled as well. */
bool diagnosis_connect_excludes_pmtu(const struct diagnosis_view *view);

void diagnosis_notes_add(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis);
void diagnosis_notes_rule_out(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis);

#endif
