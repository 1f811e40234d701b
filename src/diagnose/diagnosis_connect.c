/* SPDX-License-Identifier: Apache-2.0 */
/* TCP stays unanswered, is refused, or stands and large packets are lost.
 *
 * Which block is named when the control plane was asked: the claims are read in the order of diagnosis.def,
 * and the first NO is the verdict, since it must be mended whatever the others say. It is certain only when
 * every claim before it is a YES and the route is plain: an unknown one before it might have to be mended
 * first. That Lattice does not work in a zone is AWS's list of one day: it is certain only when nothing
 * after it says NO, either. All YES: nothing is left to name, and the path is silent. An empty list of
 * associations means "none" only to the VPC's owner; an association that was seen counts for anyone. */
#include "lattice-probe/diagnosis.h"

#include <stdio.h>

#include "diagnosis_internal.h"

#define MSS_SAFE_BYTES 1460 /* 1500 less the headers of IPv4 and TCP: passes any Ethernet */

struct claim_row {
	enum diagnosis_verdict verdict;
	enum claim claim;        /* YES: it lets the connection through */
	bool is_association_only;/* an endpoint in the VPC has nothing of it */
	const char *good;        /* of a YES, for what was ruled out */
};

#define CLAIMS 5

/* ---- claims ----------------------------------------------------------------------------------- */

static enum claim association_claim(const struct diagnosis_view *view)
{
	const struct evidence_control *control = &view->evidence->control;

	if (diagnosis_view_other_path(view) || control->is_associated == CLAIM_YES)
		return CLAIM_YES;
	if (control->is_associated != CLAIM_NO || control->ends[CONTROL_VPC_ASSOCIATIONS] != CONTROL_OK)
		return CLAIM_UNKNOWN;
	return control->owns_vpc == CLAIM_YES || control->association_status[0] ? CLAIM_NO : CLAIM_UNKNOWN;
}

static enum claim zone_claim(const struct diagnosis_view *view)
{
	const char *zone = view->evidence->where.facts.availability_zone_id;

	if (diagnosis_view_other_path(view))
		return CLAIM_YES;
	if (control_zone_is_unsupported(zone))
		return CLAIM_NO;
	return zone[0] ? CLAIM_YES : CLAIM_UNKNOWN;
}

static enum claim acl_claim(const struct evidence_control *control)
{
	if (control->nacl_allows_out == CLAIM_NO || control->nacl_allows_back == CLAIM_NO)
		return CLAIM_NO;
	return control->nacl_allows_out == CLAIM_YES && control->nacl_allows_back == CLAIM_YES ?
		CLAIM_YES : CLAIM_UNKNOWN;
}

/* In the order of diagnosis.def. */
static void read_claims(const struct diagnosis_view *view, struct claim_row ret_rows[static CLAIMS])
{
	const struct evidence_control none = { 0 };
	const struct evidence_control *control =
		diagnosis_view_has_control(view) ? &view->evidence->control : &none;
	struct claim_row rows[CLAIMS] = {
		{ DIAGNOSIS_VPC_NOT_ASSOCIATED, diagnosis_view_has_control(view) || diagnosis_view_other_path(view) ?
			association_claim(view) : CLAIM_UNKNOWN, true, "the VPC's association is active" },
		{ DIAGNOSIS_AZ_UNSUPPORTED, zone_claim(view), true, "the zone is not among those without VPC Lattice" },
		{ DIAGNOSIS_INSTANCE_SG_BLOCKS, control->instance_sg_allows, false,
			"the instance's security groups let the connection out" },
		{ DIAGNOSIS_NACL_BLOCKS, acl_claim(control), false,
			"the subnet's network ACL lets packets out and back in" },
		{ DIAGNOSIS_ASSOCIATION_SG_BLOCKS, control->association_sg_allows, true,
			"the association's security groups let this instance in" },
	};

	for (size_t i = 0; i < CLAIMS; i++)
		ret_rows[i] = rows[i];
}

static bool applies(const struct diagnosis_view *view, const struct claim_row *row)
{
	return !row->is_association_only || diagnosis_view_is_association(view->path->class_);
}

/* The first NO; CLAIMS: none. *ret_is_alone: all before it are a YES. */
static size_t find_block(const struct diagnosis_view *view, const struct claim_row rows[static CLAIMS],
	bool *ret_is_alone)
{
	*ret_is_alone = true;
	for (size_t i = 0; i < CLAIMS; i++) {
		if (!applies(view, &rows[i]))
			continue;
		if (rows[i].claim == CLAIM_NO)
			return i;
		if (rows[i].claim == CLAIM_UNKNOWN)
			*ret_is_alone = false;
	}
	return CLAIMS;
}

static bool all_others_allow(const struct diagnosis_view *view, const struct claim_row rows[static CLAIMS],
	size_t block)
{
	for (size_t i = 0; i < CLAIMS; i++)
		if (i != block && applies(view, &rows[i]) && rows[i].claim != CLAIM_YES)
			return false;
	return true;
}

/* A route that sends the packets to the next hop as it should; a zeroconf one only when the link answered. */
static bool is_route_plain(const struct evidence_path *path)
{
	return path->route.kind == ROUTE_UNICAST && (!path->route.is_link_scope ||
		path->neighbour_after == ROUTE_NEIGHBOUR_REACHABLE);
}

/* ---- a block is named -------------------------------------------------------------------------- */

static void say_association(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	const struct evidence_control *control = &view->evidence->control;
	const char *vpc_id = view->evidence->where.facts.vpc_id;

	if (control->association_status[0])
		diagnosis_say_summary(ret_diagnosis, "The association of this VPC with a service network is %s, not ACTIVE: "
			"%s cannot be reached.", control->association_status, view->host);
	else
		diagnosis_say_summary(ret_diagnosis, "This VPC%s%s%s is associated with no service network: %s cannot "
			"be reached.", vpc_id[0] ? ", " : "", vpc_id, vpc_id[0] ? "," : "", view->host);
	if (control->association_failure[0])
		diagnosis_say_why(ret_diagnosis, "AWS says of the association: %s", control->association_failure);
	else
		diagnosis_say_why(ret_diagnosis, "the list of associations, read whole, holds no active one of this VPC");
	if (control->has_route == CLAIM_NO)
		diagnosis_say_why(ret_diagnosis, "the subnet's route table leads VPC Lattice's range nowhere");
}

static void say_acl(const struct diagnosis_view *view, const char *address, struct diagnosis *ret_diagnosis)
{
	const struct evidence_control *control = &view->evidence->control;

	if (control->nacl_allows_out == CLAIM_NO)
		diagnosis_say_why(ret_diagnosis, "outbound: TCP to %s port %u is not allowed", address,
			(unsigned)view->target->port);
	if (control->nacl_allows_back == CLAIM_NO)
		diagnosis_say_why(ret_diagnosis, "inbound: TCP from %s to ports 1025-65535 is not allowed", address);
}

static void say_block(const struct diagnosis_view *view, enum diagnosis_verdict verdict,
	struct diagnosis *ret_diagnosis)
{
	const struct evidence_control *control = &view->evidence->control;
	struct diagnosis_text address = diagnosis_say_address(&view->path->address);
	char by[CONTROL_ID_SIZE + 4] = "";

	if (control->blocked_by[0])
		(void)snprintf(by, sizeof by, " (%s)", control->blocked_by);
	if (verdict == DIAGNOSIS_VPC_NOT_ASSOCIATED)
		say_association(view, ret_diagnosis);
	else if (verdict == DIAGNOSIS_AZ_UNSUPPORTED)
		diagnosis_say_summary(ret_diagnosis, "This instance is in zone %s, where VPC Lattice does not work: %s cannot "
			"be reached.", view->evidence->where.facts.availability_zone_id, view->host);
	else if (verdict == DIAGNOSIS_INSTANCE_SG_BLOCKS)
		diagnosis_say_summary(ret_diagnosis, "The instance's security groups%s do not let TCP out to %s port %u, the "
			"address of %s.", by, address.text, (unsigned)view->target->port, view->host);
	else if (verdict == DIAGNOSIS_NACL_BLOCKS)
		diagnosis_say_summary(ret_diagnosis, "The subnet's network ACL%s does not let the connection to %s port %u "
			"through, the address of %s.", by, address.text, (unsigned)view->target->port, view->host);
	else
		diagnosis_say_summary(ret_diagnosis, "The security groups of the VPC's association%s do not let this instance "
			"in on port %u: %s cannot be reached.", by, (unsigned)view->target->port, view->host);
	if (verdict == DIAGNOSIS_NACL_BLOCKS)
		say_acl(view, address.text, ret_diagnosis);
	diagnosis_say_why(ret_diagnosis, "%s port %u: no answer to the connection attempt", address.text,
		(unsigned)view->target->port);
}

static bool decide_block(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	struct claim_row rows[CLAIMS];
	bool is_sure;
	size_t block;

	read_claims(view, rows);
	block = find_block(view, rows, &is_sure);
	if (block == CLAIMS || !diagnosis_view_has_control(view))
		return false;
	if (rows[block].verdict == DIAGNOSIS_AZ_UNSUPPORTED)
		is_sure = all_others_allow(view, rows, block);
	diagnosis_say_verdict(ret_diagnosis, rows[block].verdict,
		is_sure && is_route_plain(view->path) ? DIAGNOSIS_CERTAIN : DIAGNOSIS_LIKELY);
	say_block(view, rows[block].verdict, ret_diagnosis);
	for (size_t i = 0; i < CLAIMS; i++) {
		if (i < block && applies(view, &rows[i]) && rows[i].claim == CLAIM_UNKNOWN)
			diagnosis_say_why(ret_diagnosis, "not known: %s", diagnosis_name(rows[i].verdict));
		if (i > block && applies(view, &rows[i]) && rows[i].claim == CLAIM_NO)
			diagnosis_say_note(ret_diagnosis, "To be mended as well: %s", diagnosis_name(rows[i].verdict));
	}
	return true;
}

/* ---- nothing is named -------------------------------------------------------------------------- */

/* From what goes wrong most often to what seldom does; an unsupported zone is known, so it leads. */
static const enum diagnosis_verdict ranking[] = {
	DIAGNOSIS_AZ_UNSUPPORTED, DIAGNOSIS_VPC_NOT_ASSOCIATED, DIAGNOSIS_ASSOCIATION_SG_BLOCKS,
	DIAGNOSIS_INSTANCE_SG_BLOCKS, DIAGNOSIS_NACL_BLOCKS,
};

static bool is_possible(const struct diagnosis_view *view, const struct claim_row rows[static CLAIMS],
	enum diagnosis_verdict verdict)
{
	for (size_t i = 0; i < CLAIMS; i++)
		if (rows[i].verdict == verdict)
			return applies(view, &rows[i]) && (verdict == DIAGNOSIS_AZ_UNSUPPORTED ?
				rows[i].claim == CLAIM_NO : rows[i].claim != CLAIM_YES);
	return false;
}

static bool any_possible(const struct diagnosis_view *view, const struct claim_row rows[static CLAIMS])
{
	for (size_t i = 0; i < CLAIMS; i++)
		if (is_possible(view, rows, rows[i].verdict))
			return true;
	return false;
}

static void add_possible(const struct diagnosis_view *view, const struct claim_row rows[static CLAIMS],
	struct diagnosis *ret_diagnosis)
{
	bool is_association = diagnosis_view_is_association(view->path->class_);

	if (!any_possible(view, rows))
		return;
	/* Of an endpoint, or an address elsewhere, the other end's own filter has no row of its own. */
	if (!is_association)
		diagnosis_say_candidate(ret_diagnosis, DIAGNOSIS_PATH_SILENT);
	if (is_association && diagnosis_view_may_be_outside(view) && !diagnosis_view_other_path(view))
		diagnosis_say_candidate(ret_diagnosis, DIAGNOSIS_OUTSIDE_VPC);
	for (size_t i = 0; i < sizeof ranking / sizeof *ranking; i++)
		if (is_possible(view, rows, ranking[i]))
			diagnosis_say_candidate(ret_diagnosis, ranking[i]);
	diagnosis_say_candidate(ret_diagnosis, DIAGNOSIS_LOCAL_FIREWALL);
}

static bool decide_silent(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	struct diagnosis_text address = diagnosis_say_address(&view->path->address);
	struct claim_row rows[CLAIMS];

	read_claims(view, rows);
	diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_PATH_SILENT, DIAGNOSIS_LIKELY);
	diagnosis_say_summary(ret_diagnosis, "Nothing answers at %s port %u, %s of %s.", address.text,
		(unsigned)view->target->port, address_class_words(view->path->class_), view->host);
	diagnosis_say_why(ret_diagnosis, "%s port %u: no answer to the connection attempt within %s", address.text,
		(unsigned)view->target->port, diagnosis_say_time(view->main->total_us).text);
	if (view->path->class_ == ADDRESS_CLASS_VPC)
		diagnosis_say_why(ret_diagnosis, "the address is an endpoint's: the endpoint's own security groups decide, "
			"not those of an association");
	if (!diagnosis_view_has_control(view))
		diagnosis_say_why(ret_diagnosis, "the control plane was not heard: what blocks cannot be told apart");
	else if (view->evidence->control.has_route == CLAIM_NO)
		diagnosis_say_why(ret_diagnosis, "the subnet's route table leads VPC Lattice's range nowhere");
	add_possible(view, rows, ret_diagnosis);
	if (!diagnosis_view_has_control(view))
		return true;
	for (size_t i = 0; i < CLAIMS; i++)
		if (applies(view, &rows[i]) && rows[i].claim == CLAIM_YES)
			diagnosis_say_ruled_out(ret_diagnosis, rows[i].verdict, "%s", rows[i].good);
	return true;
}

/* ---- refused ------------------------------------------------------------------------------------ */

/* A reject rule of this host's own looks exactly like it, so it is never certain. */
static bool decide_refused(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	const struct evidence_exchange *other = diagnosis_view_exchange(view, EXCHANGE_OTHER_PORT);
	struct diagnosis_text address = diagnosis_say_address(&view->path->address);

	diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_CONNECT_REFUSED, DIAGNOSIS_LIKELY);
	diagnosis_say_summary(ret_diagnosis, "%s refuses connections on port %u: %s has no listener there.", address.text,
		(unsigned)view->target->port, view->host);
	diagnosis_say_why(ret_diagnosis, "%s port %u: connection refused after %s", address.text,
		(unsigned)view->target->port, diagnosis_say_time(view->main->total_us).text);
	if (diagnosis_view_passed(other, HTTP_STAGE_CONNECT))
		diagnosis_say_why(ret_diagnosis, "port %u of the same address takes connections", (unsigned)other->port);
	diagnosis_say_why(ret_diagnosis, "a reject rule of this host's own firewall would look the same");
	return true;
}

/* ---- large packets ------------------------------------------------------------------------------- */

static bool is_stalled(const struct evidence_exchange *exchange)
{
	return exchange && (exchange->outcome == OUTCOME_TLS_TIMEOUT || exchange->outcome == OUTCOME_HTTP_TIMEOUT);
}

bool diagnosis_connect_excludes_pmtu(const struct diagnosis_view *view)
{
	const struct evidence_exchange *small = diagnosis_view_exchange(view, EXCHANGE_SMALL_SEGMENTS);

	return is_stalled(small) && view->main && small->stage <= view->main->stage;
}

static bool decide_pmtu(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	const struct evidence_exchange *small = diagnosis_view_exchange(view, EXCHANGE_SMALL_SEGMENTS);
	bool is_whole;

	if (!is_stalled(view->main) || !small || is_stalled(small) || !diagnosis_view_passed(small, view->main->stage))
		return false;
	is_whole = small->outcome == OUTCOME_OK;
	diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_PMTU_BLACKHOLE,
		is_whole && view->main->mss_bytes > MSS_SAFE_BYTES ? DIAGNOSIS_CERTAIN : DIAGNOSIS_LIKELY);
	diagnosis_say_summary(ret_diagnosis, "Large packets between here and %s are lost, small ones arrive.", view->host);
	diagnosis_say_why(ret_diagnosis, "the exchange stalls with segments of up to %d bytes: %s",
		view->main->mss_bytes, outcome_words(view->main->outcome));
	diagnosis_say_why(ret_diagnosis, "the same with small segments: %s", outcome_words(small->outcome));
	return true;
}

bool diagnosis_connect_decide(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	if (!view->path || !view->main)
		return false;
	if (diagnosis_view_ended(view, OUTCOME_CONNECT_TIMEOUT))
		return decide_block(view, ret_diagnosis) || decide_silent(view, ret_diagnosis);
	if (diagnosis_view_ended(view, OUTCOME_CONNECT_REFUSED))
		return decide_refused(view, ret_diagnosis);
	return decide_pmtu(view, ret_diagnosis);
}
