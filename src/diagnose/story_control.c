/* SPDX-License-Identifier: Apache-2.0 */
/* What the control plane says: one step for each thing that can keep a connection away. */
#include "lattice-probe/story.h"

#include <string.h>

#include "story_internal.h"

static enum story_mark mark_of(enum claim claim)
{
	return claim == CLAIM_YES ? STORY_GOOD : claim == CLAIM_NO ? STORY_BAD : STORY_UNKNOWN;
}

/* Why it is not known: what became of the call that would tell. */
static void describe_unknown(const struct evidence_control *control, enum control_call call, struct story_line *line)
{
	line->mark = STORY_UNKNOWN;
	switch (control->ends[call]) {
	case CONTROL_DENIED:
		STORY_ANSWER(*line, "refused: this role may not %s", control_call_action(call));
		break;
	case CONTROL_UNREACHABLE:
		STORY_ANSWER(*line, "the endpoint did not answer in time (%s)", control_call_action(call));
		break;
	case CONTROL_FAILED:
		STORY_ANSWER(*line, "the endpoint answered with an error (%s)", control_call_action(call));
		break;
	case CONTROL_OK:
		STORY_ANSWER(*line, "the answer leaves it open");
		break;
	case CONTROL_NOT_ASKED:
		line->mark = STORY_SKIPPED;
		STORY_ANSWER(*line, "not asked");
		break;
	}
}

struct check {
	const char *subject;
	const char *question;
	enum control_call call;
	size_t claim; /* offset in struct evidence_control */
	const char *yes;
	const char *no;
};

#define CLAIM(field) offsetof(struct evidence_control, field)

static const struct check checks[] = {
	{ "VPC owner", "Does this account own the VPC, so that it sees every association?", CONTROL_VPC,
		CLAIM(owns_vpc), "this account", "another account: its associations may be hidden from here" },
	{ "association", "Is this VPC associated with a service network?", CONTROL_VPC_ASSOCIATIONS,
		CLAIM(is_associated), "there", "no active association of this VPC" },
	{ "service", "Is the service in that service network?", CONTROL_SERVICE_ASSOCIATIONS,
		CLAIM(is_service_in_network), "in the service network", "not in the service network" },
	{ "DNS resolution", "Is DNS resolution on in the VPC (enableDnsSupport)?", CONTROL_DNS_ATTRIBUTES,
		CLAIM(dns_support), "on", "off in this VPC" },
	{ "DNS hostnames", "Are DNS hostnames on in the VPC (enableDnsHostnames)?", CONTROL_DNS_ATTRIBUTES,
		CLAIM(dns_hostnames), "on", "off in this VPC: private hosted zones do not work" },
	{ "instance groups", "Do the instance's security groups let it out?", CONTROL_SECURITY_GROUPS,
		CLAIM(instance_sg_allows), "let it out", "no outbound rule lets it out" },
	{ "association groups", "Do the association's security groups let this instance in?", CONTROL_VPC_ASSOCIATION,
		CLAIM(association_sg_allows), "let this instance in", "no inbound rule lets this instance in" },
	{ "ACL out", "Does the subnet's network ACL let it out?", CONTROL_NETWORK_ACLS,
		CLAIM(nacl_allows_out), "lets it out", "does not let it out" },
	{ "ACL back", "Does the subnet's network ACL let the answer back in?", CONTROL_NETWORK_ACLS,
		CLAIM(nacl_allows_back), "lets the answer in", "does not let the answer in (ports 1025-65535)" },
	{ "route table", "Does the subnet's route table lead to VPC Lattice?", CONTROL_ROUTE_TABLES,
		CLAIM(has_route), "leads to VPC Lattice", "has no route for VPC Lattice's range" },
};

static enum claim claim_of(const struct evidence_control *control, const struct check *check)
{
	enum claim claim;

	memcpy(&claim, (const char *)control + check->claim, sizeof claim);
	return claim;
}

static void add_association(const struct evidence_control *control, struct story_line *line)
{
	if (control->association_id[0])
		STORY_ANSWER(*line, "%s", control->association_id);
	if (control->service_network_id[0])
		STORY_ANSWER(*line, "network %s", control->service_network_id);
	if (control->association_status[0])
		STORY_ANSWER(*line, "%s", control->association_status);
	if (control->association_failure[0])
		STORY_ANSWER(*line, "%s", control->association_failure);
}

static void add_service(const struct evidence_control *control, struct story_line *line)
{
	if (control->service_id[0])
		STORY_ANSWER(*line, "%s", control->service_id);
	if (control->service_status[0])
		STORY_ANSWER(*line, "%s", control->service_status);
}

/* `blocked_by` belongs to the first claim that says no. */
static bool is_first_blocker(const struct evidence_control *control, const struct check *check)
{
	static const size_t blockers[] = { CLAIM(instance_sg_allows), CLAIM(association_sg_allows),
		CLAIM(nacl_allows_out), CLAIM(nacl_allows_back) };

	for (size_t i = 0; i < sizeof blockers / sizeof *blockers; i++) {
		struct check blocker = { .claim = blockers[i] };

		if (claim_of(control, &blocker) == CLAIM_NO)
			return blockers[i] == check->claim;
	}
	return false;
}

static void tell_check(struct story_teller *teller, const struct check *check)
{
	const struct evidence_control *control = &teller->evidence->control;
	enum claim claim = claim_of(control, check);
	struct story_line line = story_line_of("aws", DIAGNOSIS_HOP_CONNECT);

	if (claim == CLAIM_UNKNOWN && control->ends[check->call] == CONTROL_NOT_ASKED && !teller->verbose)
		return;
	if (check->call == CONTROL_VPC && claim == CLAIM_YES && !teller->verbose)
		return;
	line.mark = check->call == CONTROL_VPC && claim == CLAIM_NO ? STORY_UNKNOWN : mark_of(claim);
	STORY_NAME(line, "%s", check->subject);
	STORY_ASK(line, "%s", check->question);
	if (claim == CLAIM_UNKNOWN)
		describe_unknown(control, check->call, &line);
	else
		STORY_ANSWER(line, "%s", claim == CLAIM_YES ? check->yes : check->no);
	if (check->call == CONTROL_VPC_ASSOCIATIONS)
		add_association(control, &line);
	if (check->call == CONTROL_SERVICE_ASSOCIATIONS)
		add_service(control, &line);
	if (is_first_blocker(control, check) && control->blocked_by[0])
		STORY_ANSWER(line, "%s", control->blocked_by);
	story_add(teller, &line);
}

/* Where nothing answers, what the control plane would say is what a reader misses first. */
static void tell_unasked(struct story_teller *teller)
{
	const struct evidence_path *path = evidence_preferred_path(teller->evidence);
	struct story_line line = story_line_of("aws", DIAGNOSIS_HOP_CONNECT);

	if (!path || path->exchanges[EXCHANGE_MAIN].outcome != OUTCOME_CONNECT_TIMEOUT)
		return;
	line.mark = STORY_SKIPPED;
	STORY_ASK(line, "What do associations, security groups and network ACL say?");
	STORY_ANSWER(line, "not asked: it takes credentials and this instance's VPC id");
	story_add(teller, &line);
}

void story_control_tell(struct story_teller *teller)
{
	const struct evidence_control *control = &teller->evidence->control;
	struct story_line line = story_line_of("aws", DIAGNOSIS_HOP_CONNECT);

	if (!control->is_asked) {
		tell_unasked(teller);
		return;
	}
	for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
		tell_check(teller, &checks[i]);
	if (!control->first_refusal[0] || !teller->verbose)
		return;
	line.mark = STORY_UNKNOWN;
	line.elapsed_us = control->elapsed_us;
	STORY_NAME(line, "refusal");
	STORY_ASK(line, "What did the first refusal say?");
	STORY_ANSWER(line, "%s", control->first_refusal);
	story_add(teller, &line);
}
