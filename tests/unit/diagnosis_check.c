/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <string.h>

#include <cmocka.h>

#include "diagnosis_check.h"

/* ---- what the evidence shows ------------------------------------------------------------------- */

static const struct evidence_path *path_of(const struct evidence *evidence)
{
	for (size_t i = 0; i < evidence->path_count; i++)
		if (evidence->paths[i].is_preferred)
			return &evidence->paths[i];
	return NULL;
}

static const struct evidence_exchange *main_of(const struct evidence *evidence)
{
	const struct evidence_path *path = path_of(evidence);

	return path && path->exchanges[EXCHANGE_MAIN].is_asked ? &path->exchanges[EXCHANGE_MAIN] : NULL;
}

static bool main_is(const struct evidence *evidence, enum outcome outcome)
{
	const struct evidence_exchange *main = main_of(evidence);

	return main && main->outcome == outcome;
}

static bool main_passed(const struct evidence *evidence, enum http_stage stage)
{
	const struct evidence_exchange *main = main_of(evidence);

	return main && main->stage > stage;
}

static bool any_vpc_resolver_replied(const struct evidence *evidence)
{
	for (size_t i = 0; i < evidence->dns.resolver_count; i++)
		for (size_t family = 0; evidence->dns.resolvers[i].is_vpc && family < EVIDENCE_FAMILIES; family++)
			if (evidence->dns.resolvers[i].answers[family].is_asked &&
			    evidence->dns.resolvers[i].answers[family].rcode >= 0)
				return true;
	return false;
}

static bool any_configured_is(const struct evidence *evidence, enum outcome outcome)
{
	for (size_t i = 0; i < evidence->dns.resolver_count; i++)
		if (evidence->dns.resolvers[i].is_configured &&
		    evidence_resolver_outcome(&evidence->dns.resolvers[i], evidence->target.ip) == outcome)
			return true;
	return false;
}

static bool any_resolver_lacks_replies(const struct evidence *evidence)
{
	for (size_t i = 0; i < evidence->dns.resolver_count; i++)
		if (evidence->dns.resolvers[i].answered < evidence->dns.resolvers[i].asked)
			return true;
	return any_configured_is(evidence, OUTCOME_DNS_TIMEOUT) || any_configured_is(evidence, OUTCOME_DNS_UNREACHABLE);
}

static bool is_lattice(const struct evidence *evidence)
{
	const struct evidence_path *path = path_of(evidence);

	return path && (path->class_ == ADDRESS_CLASS_LATTICE || path->class_ == ADDRESS_CLASS_RESOURCE);
}

/* ---- contradictions ------------------------------------------------------------------------------ */

static bool dns_contradicts(enum diagnosis_verdict verdict, const struct evidence *evidence)
{
	const struct evidence_path *path = path_of(evidence);
	bool is_private = path && path->class_ == ADDRESS_CLASS_VPC;

	switch ((int)verdict) {
	case DIAGNOSIS_DNS_RESOLVER_SILENT:
	case DIAGNOSIS_DNS_THROTTLED:
		return !any_resolver_lacks_replies(evidence);
	case DIAGNOSIS_DNS_VPC_RESOLVER_SILENT:
		return any_vpc_resolver_replied(evidence);
	case DIAGNOSIS_DNS_SERVFAIL:
		return !any_configured_is(evidence, OUTCOME_DNS_SERVFAIL);
	case DIAGNOSIS_DNS_REFUSED:
		return !any_configured_is(evidence, OUTCOME_DNS_REFUSED);
	case DIAGNOSIS_DNS_BAD_REPLY:
		return !any_configured_is(evidence, OUTCOME_DNS_BAD_REPLY);
	case DIAGNOSIS_DNS_NODATA:
	case DIAGNOSIS_DNS_REBIND_FILTERED:
		return !any_configured_is(evidence, OUTCOME_DNS_NODATA);
	case DIAGNOSIS_DNS_NO_PRIVATE_ZONE:
		return evidence->target.name != EVIDENCE_NAME_CUSTOM;
	case DIAGNOSIS_DNS_UNEXPECTED_ADDRESS:
		return is_lattice(evidence) || is_private || main_passed(evidence, HTTP_STAGE_CONNECT);
	case DIAGNOSIS_DNS_NO_USABLE_FAMILY:
		return main_passed(evidence, HTTP_STAGE_CONNECT);
	default:
		return false;
	}
}

static bool route_contradicts(enum diagnosis_verdict verdict, const struct evidence *evidence)
{
	const struct evidence_path *path = path_of(evidence);

	if (main_passed(evidence, HTTP_STAGE_CONNECT))
		return true;
	switch ((int)verdict) {
	case DIAGNOSIS_OUTSIDE_VPC:
		return evidence->where.platform == HOST_PLATFORM_EC2 || evidence->where.imds == EVIDENCE_IMDS_OK ||
		       any_vpc_resolver_replied(evidence);
	case DIAGNOSIS_ROUTE_MISSING:
		return path && path->route.kind == ROUTE_UNICAST;
	case DIAGNOSIS_ROUTE_ZEROCONF:
		return path && (path->route.kind != ROUTE_UNICAST || path->route.prefix_length != 16 ||
			!path->route.is_link_scope || path->neighbour_after == ROUTE_NEIGHBOUR_REACHABLE);
	default:
		return false;
	}
}

static bool connect_contradicts(enum diagnosis_verdict verdict, const struct evidence *evidence)
{
	const struct evidence_control *control = &evidence->control;

	if (verdict == DIAGNOSIS_PMTU_BLACKHOLE)
		return !main_passed(evidence, HTTP_STAGE_CONNECT) || main_passed(evidence, HTTP_STAGE_TRANSFER);
	if (main_passed(evidence, HTTP_STAGE_CONNECT))
		return true;
	if (verdict == DIAGNOSIS_CONNECT_REFUSED)
		return !main_is(evidence, OUTCOME_CONNECT_REFUSED);
	if (main_is(evidence, OUTCOME_CONNECT_REFUSED))
		return true;
	if (!control->is_asked || evidence->where.imds != EVIDENCE_IMDS_OK)
		return false;
	return (verdict == DIAGNOSIS_VPC_NOT_ASSOCIATED && control->is_associated == CLAIM_YES) ||
	       (verdict == DIAGNOSIS_INSTANCE_SG_BLOCKS && control->instance_sg_allows == CLAIM_YES) ||
	       (verdict == DIAGNOSIS_NACL_BLOCKS && control->nacl_allows_out == CLAIM_YES &&
		control->nacl_allows_back == CLAIM_YES) ||
	       (verdict == DIAGNOSIS_ASSOCIATION_SG_BLOCKS &&
		(control->association_sg_allows == CLAIM_YES || !is_lattice(evidence)));
}

static bool http_contradicts(enum diagnosis_verdict verdict, const struct evidence *evidence)
{
	const struct evidence_exchange *main = main_of(evidence);

	if (!main || outcome_phase(main->outcome) != OUTCOME_PHASE_HEALTH)
		return true;
	switch ((int)verdict) {
	case DIAGNOSIS_APP_FORBIDDEN:
		return main->status != 403 || main->is_lattice_denial;
	case DIAGNOSIS_AUTH_DENIED:
		return main->status != 403;
	case DIAGNOSIS_LATTICE_NO_ROUTE:
		return main->status != 404 || main->has_marker;
	case DIAGNOSIS_TARGET_UNAVAILABLE:
		return main->status < 500 || main->has_marker;
	case DIAGNOSIS_HTTP_ON_TLS_PORT:
		return evidence->target.is_tls;
	default:
		return false;
	}
}

bool diagnosis_check_contradicts(enum diagnosis_verdict verdict, const struct evidence *evidence)
{
	const struct evidence_exchange *main = main_of(evidence);

	switch (diagnosis_hop(verdict)) {
	case DIAGNOSIS_HOP_NONE:
		return verdict == DIAGNOSIS_HEALTHY && !main_is(evidence, OUTCOME_OK);
	case DIAGNOSIS_HOP_DNS:
		return dns_contradicts(verdict, evidence);
	case DIAGNOSIS_HOP_ROUTE:
		return route_contradicts(verdict, evidence);
	case DIAGNOSIS_HOP_CONNECT:
		return connect_contradicts(verdict, evidence);
	case DIAGNOSIS_HOP_TLS:
		return !main || outcome_phase(main->outcome) != OUTCOME_PHASE_TLS;
	case DIAGNOSIS_HOP_HTTP:
		return http_contradicts(verdict, evidence);
	case DIAGNOSIS_HOP_PUBLISH:
		return !main_is(evidence, OUTCOME_OK) || !evidence->publishing.is_asked;
	}
	return true;
}

/* ---- invariants ----------------------------------------------------------------------------------- */

static bool is_text(const char *text, size_t size)
{
	return text[0] != '\0' && memchr(text, '\0', size) != NULL;
}

static bool are_lines(const struct diagnosis_lines *lines)
{
	for (size_t i = 0; i < lines->count; i++)
		if (!is_text(lines->items[i], sizeof lines->items[i]))
			return false;
	return lines->count <= DIAGNOSIS_LINES_MAX;
}

static bool is_candidate(const struct diagnosis *diagnosis, enum diagnosis_verdict verdict)
{
	for (size_t i = 0; i < diagnosis->candidate_count; i++)
		if (diagnosis->candidates[i] == verdict)
			return true;
	return false;
}

static const char *broken_form(const struct diagnosis *diagnosis)
{
	if (!is_text(diagnosis->summary, sizeof diagnosis->summary))
		return "the summary is no text";
	if (!are_lines(&diagnosis->why) || !are_lines(&diagnosis->notes))
		return "a line is no text";
	if (diagnosis->why.count == 0)
		return "nothing says why";
	if (diagnosis->candidate_count > DIAGNOSIS_CANDIDATES_MAX ||
	    diagnosis->ruled_out_count > DIAGNOSIS_CANDIDATES_MAX)
		return "a count is beyond its array";
	for (size_t i = 0; i < diagnosis->ruled_out_count; i++) {
		enum diagnosis_verdict verdict = diagnosis->ruled_out[i].verdict;

		if (!is_text(diagnosis->ruled_out[i].because, DIAGNOSIS_LINE_SIZE))
			return "a reason for ruling out is no text";
		if (verdict == diagnosis->verdict || is_candidate(diagnosis, verdict))
			return "a cause is named and ruled out";
	}
	return NULL;
}

static const char *broken_confidence(const struct diagnosis *diagnosis)
{
	if (diagnosis->basis == DIAGNOSIS_BASIS_INFERRED && diagnosis->confidence == DIAGNOSIS_CERTAIN)
		return "inferred, and certain";
	if ((diagnosis->confidence == DIAGNOSIS_CANDIDATES) != (diagnosis->candidate_count > 0))
		return "candidates without the confidence, or the other way round";
	for (size_t i = 0; i < diagnosis->candidate_count; i++)
		for (size_t k = 0; k < i; k++)
			if (diagnosis->candidates[i] == diagnosis->candidates[k])
				return "a candidate stands there twice";
	return NULL;
}

/* The first configured resolver failed, and a later one gave the address. */
static bool has_fallback_trouble(const struct evidence *evidence)
{
	const struct evidence_resolver *first = NULL;
	enum outcome outcome;

	for (size_t i = evidence->dns.resolver_count; i-- > 0;)
		if (evidence->dns.resolvers[i].is_configured)
			first = &evidence->dns.resolvers[i];
	if (!first || evidence->target.name == EVIDENCE_NAME_LITERAL || !any_configured_is(evidence, OUTCOME_OK))
		return false;
	outcome = evidence_resolver_outcome(first, evidence->target.ip);
	return outcome != OUTCOME_NONE && outcome != OUTCOME_OK && !outcome_is_local(outcome);
}

static const char *broken_health(const struct evidence *evidence, const struct diagnosis *diagnosis)
{
	enum diagnosis_hop hop = diagnosis_hop(diagnosis->verdict);

	if (!main_is(evidence, OUTCOME_OK))
		return diagnosis->verdict == DIAGNOSIS_HEALTHY ? "healthy without an answer" : NULL;
	if (diagnosis->verdict == DIAGNOSIS_HEALTHY)
		return has_fallback_trouble(evidence) ? "healthy by a fallback resolver" : NULL;
	if (has_fallback_trouble(evidence))
		return hop == DIAGNOSIS_HOP_DNS ? NULL : "a fallback resolver's work passed over";
	if (hop != DIAGNOSIS_HOP_PUBLISH || !evidence->publishing.is_asked)
		return "it answers, and is not healthy";
	return NULL;
}

static bool vpc_gives(const struct evidence *evidence, const struct evidence_path *path)
{
	char wanted[ADDRESS_TEXT_SIZE];
	char given[ADDRESS_TEXT_SIZE];

	address_format(&path->address, wanted);
	for (size_t i = 0; i < evidence->dns.resolver_count; i++)
		for (size_t family = 0; evidence->dns.resolvers[i].is_vpc && family < EVIDENCE_FAMILIES; family++) {
			const struct evidence_answer *answer = &evidence->dns.resolvers[i].answers[family];

			address_format(&answer->addresses[0], given);
			if (answer->is_asked && answer->outcome == OUTCOME_OK && strcmp(wanted, given) == 0)
				return true;
		}
	return false;
}

/* A security group is never called a DNS problem. */
static const char *broken_blame(const struct evidence *evidence, const struct diagnosis *diagnosis)
{
	const struct evidence_path *path = path_of(evidence);
	const struct evidence_exchange *main = main_of(evidence);
	enum outcome outcome = main ? main->outcome : OUTCOME_NONE;

	if (path && outcome_is_local(outcome) && outcome != OUTCOME_LOCAL_DENIED && path->route.error == 0 &&
	    diagnosis->verdict != DIAGNOSIS_UNDETERMINED)
		return "this host's trouble is made a verdict";
	if (diagnosis_hop(diagnosis->verdict) != DIAGNOSIS_HOP_DNS || outcome == OUTCOME_OK ||
	    outcome == OUTCOME_LOCAL_DENIED || !path ||
	    path->route.kind != ROUTE_UNICAST || !(is_lattice(evidence) || path->class_ == ADDRESS_CLASS_VPC))
		return NULL;
	return vpc_gives(evidence, path) ? "DNS is blamed, and the VPC resolver agrees with it" : NULL;
}

static const char *broken_by_contradiction(const struct evidence *evidence, const struct diagnosis *diagnosis)
{
	if (diagnosis->confidence != DIAGNOSIS_CANDIDATES && diagnosis_check_contradicts(diagnosis->verdict, evidence))
		return "the evidence contradicts the verdict";
	for (size_t i = 0; i < diagnosis->candidate_count; i++)
		if (diagnosis_check_contradicts(diagnosis->candidates[i], evidence))
			return "the evidence contradicts a candidate";
	return NULL;
}

static const char *what_is_broken(const struct evidence *evidence, const struct diagnosis *diagnosis)
{
	const char *broken = broken_form(diagnosis);

	if (!broken)
		broken = broken_confidence(diagnosis);
	if (!broken)
		broken = broken_health(evidence, diagnosis);
	if (!broken)
		broken = broken_blame(evidence, diagnosis);
	return broken ? broken : broken_by_contradiction(evidence, diagnosis);
}

static void print_diagnosis(const struct diagnosis *diagnosis)
{
	print_message("%s, %s, %s: %s\n", diagnosis_name(diagnosis->verdict),
		diagnosis_confidence_name(diagnosis->confidence), diagnosis_basis_name(diagnosis->basis),
		diagnosis->summary);
	for (size_t i = 0; i < diagnosis->candidate_count; i++)
		print_message("  candidate %s\n", diagnosis_name(diagnosis->candidates[i]));
	for (size_t i = 0; i < diagnosis->why.count; i++)
		print_message("  why: %s\n", diagnosis->why.items[i]);
}

void diagnosis_check_decide(const struct evidence *evidence, struct diagnosis *ret_diagnosis)
{
	const char *broken;

	memset(ret_diagnosis, 0x55, sizeof *ret_diagnosis);
	diagnosis_decide(evidence, ret_diagnosis);
	broken = what_is_broken(evidence, ret_diagnosis);
	if (!broken)
		return;
	print_diagnosis(ret_diagnosis);
	fail_msg("%s", broken);
}

/* ---- cases ----------------------------------------------------------------------------------------- */

static bool is_as_wanted(const struct diagnosis_case *wanted, const struct diagnosis *diagnosis)
{
	if (diagnosis->verdict != wanted->verdict || diagnosis->confidence != wanted->confidence ||
	    diagnosis->basis != wanted->basis)
		return false;
	for (size_t i = 0; i < sizeof wanted->candidates / sizeof *wanted->candidates && wanted->candidates[i]; i++)
		if (i >= diagnosis->candidate_count || diagnosis->candidates[i] != wanted->candidates[i])
			return false;
	return true;
}

void diagnosis_check_cases(const struct diagnosis_case *cases, size_t count)
{
	static struct evidence evidence;
	static struct diagnosis diagnosis;

	for (size_t i = 0; i < count; i++) {
		cases[i].build(&evidence);
		diagnosis_check_decide(&evidence, &diagnosis);
		if (is_as_wanted(&cases[i], &diagnosis))
			continue;
		print_message("%s: wanted %s, %s, %s, got\n", cases[i].what, diagnosis_name(cases[i].verdict),
			diagnosis_confidence_name(cases[i].confidence), diagnosis_basis_name(cases[i].basis));
		print_diagnosis(&diagnosis);
		fail();
	}
}
