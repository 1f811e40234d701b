/* SPDX-License-Identifier: Apache-2.0 */
/* Where this host stands: the machine, its VPC, its ways out. */
#include "lattice-probe/story.h"

#include <string.h>

#include "story_internal.h"

static void add_if_known(struct story_line *line, const char *text)
{
	if (*text)
		STORY_ANSWER(*line, "%s", text);
}

static void name_machine(const struct evidence_where *where, struct story_line *line)
{
	const struct host_identity *identity = &where->identity;

	if (where->imds == EVIDENCE_IMDS_OK || where->platform == HOST_PLATFORM_EC2) {
		STORY_ANSWER(*line, "EC2");
		story_append(line->answer, sizeof line->answer, "%s%s", where->facts.instance_id[0] ? " " : "",
			where->facts.instance_id);
	} else if (where->platform == HOST_PLATFORM_OTHER) {
		STORY_ANSWER(*line, "not EC2: the firmware says %s%s%s", identity->vendor,
			identity->product[0] ? " " : "", identity->product);
	} else {
		STORY_ANSWER(*line, "this machine does not say whether it is EC2");
	}
}

/* Lattice's own addresses lead nowhere from a machine that is not in a VPC. */
static bool needs_association(const struct evidence *evidence)
{
	const struct evidence_path *path = evidence_preferred_path(evidence);

	return path && (path->class_ == ADDRESS_CLASS_LATTICE || path->class_ == ADDRESS_CLASS_RESOURCE);
}

static enum story_mark mark_of_machine(const struct evidence *evidence)
{
	const struct evidence_where *where = &evidence->where;

	if (story_is_answered(evidence))
		return STORY_GOOD;
	if (control_zone_is_unsupported(where->facts.availability_zone_id))
		return STORY_BAD;
	if (where->imds == EVIDENCE_IMDS_OK || where->platform == HOST_PLATFORM_EC2)
		return STORY_GOOD;
	if (where->platform == HOST_PLATFORM_OTHER && needs_association(evidence))
		return STORY_BAD;
	return STORY_UNKNOWN;
}

static void tell_machine(struct story_teller *teller)
{
	const struct evidence_where *where = &teller->evidence->where;
	struct story_line line = story_line_of("where", DIAGNOSIS_HOP_ROUTE);

	line.mark = mark_of_machine(teller->evidence);
	line.elapsed_us = where->elapsed_us;
	STORY_NAME(line, "machine");
	STORY_ASK(line, "Which machine is this, and in which VPC, subnet and zone?");
	name_machine(where, &line);
	add_if_known(&line, where->facts.vpc_id);
	add_if_known(&line, where->facts.subnet_id);
	add_if_known(&line, where->facts.availability_zone_id);
	if (control_zone_is_unsupported(where->facts.availability_zone_id))
		STORY_ANSWER(line, "a zone without VPC Lattice");
	if (where->account_id[0] && teller->verbose)
		STORY_ANSWER(line, "account %s", where->account_id);
	story_add(teller, &line);
}

static const char *imds_words(enum evidence_imds imds)
{
	switch (imds) {
	case EVIDENCE_IMDS_OK: return "answers";
	case EVIDENCE_IMDS_SILENT: return "the metadata service does not answer";
	case EVIDENCE_IMDS_HOP_LIMIT: return "connects, but its token never arrives: its hop limit is too low for this container";
	case EVIDENCE_IMDS_OFF: return "the metadata service is switched off";
	case EVIDENCE_IMDS_ODD: return "something answers at the metadata address that is not EC2's";
	case EVIDENCE_IMDS_NOT_ASKED: break;
	}
	return "not asked";
}

/* A hardened instance hides it and is well: only what is broken is marked so. */
static void tell_imds(struct story_teller *teller)
{
	enum evidence_imds imds = teller->evidence->where.imds;
	struct story_line line = story_line_of("where", DIAGNOSIS_HOP_NONE);

	if (imds == EVIDENCE_IMDS_NOT_ASKED || (imds == EVIDENCE_IMDS_OK && !teller->verbose))
		return;
	line.mark = imds == EVIDENCE_IMDS_OK ? STORY_GOOD :
		imds == EVIDENCE_IMDS_HOP_LIMIT ? STORY_BAD : STORY_UNKNOWN;
	STORY_NAME(line, "metadata");
	STORY_ASK(line, "Does the instance metadata service (IMDSv2) answer?");
	STORY_ANSWER(line, "%s", imds_words(imds));
	story_add(teller, &line);
}

/* Whether an address is public matters to AWS's own endpoints, never to VPC Lattice. */
static void tell_network(struct story_teller *teller)
{
	const struct evidence_where *where = &teller->evidence->where;
	struct story_line line = story_line_of("where", DIAGNOSIS_HOP_ROUTE);
	bool has_any = where->has_ipv4_default || where->has_ipv6_default;

	line.mark = has_any || story_is_answered(teller->evidence) ? STORY_GOOD : STORY_BAD;
	STORY_NAME(line, "network");
	STORY_ASK(line, "Which ways out does this host have?");
	STORY_ANSWER(line, "%s", !has_any ? "no default route" : !where->has_ipv6_default ? "IPv4 only" :
		!where->has_ipv4_default ? "IPv6 only" : "IPv4 and IPv6");
	if (where->imds == EVIDENCE_IMDS_OK)
		STORY_ANSWER(line, "%s%s", where->public_ipv4[0] ? "public address " : "no public address",
			where->public_ipv4);
	add_if_known(&line, where->security_groups);
	add_if_known(&line, where->network_namespace);
	story_add(teller, &line);
}

/* Whose eyes the diagnosis looks through. */
static void tell_credentials(struct story_teller *teller)
{
	const struct evidence_publishing *publishing = &teller->evidence->publishing;
	struct story_line line = story_line_of("where", DIAGNOSIS_HOP_NONE);

	if (!publishing->is_asked)
		return;
	STORY_NAME(line, "credentials");
	STORY_ASK(line, "Whose AWS credentials does this diagnosis use?");
	line.mark = publishing->has_credentials ? STORY_GOOD : STORY_UNKNOWN;
	if (publishing->has_credentials)
		STORY_ANSWER(line, "by %s, access key %s", publishing->source, publishing->principal);
	else
		STORY_ANSWER(line, "none%s%s", publishing->why[0] ? ": " : "", publishing->why);
	story_add(teller, &line);
}

void story_where_tell(struct story_teller *teller)
{
	if (!teller->evidence->where.is_asked)
		return;
	tell_machine(teller);
	tell_imds(teller);
	tell_network(teller);
	tell_credentials(teller);
}
