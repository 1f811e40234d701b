/* SPDX-License-Identifier: Apache-2.0 */
/* What each resolver says: one step for each family that was asked. */
#include "lattice-probe/story.h"

#include <inttypes.h>
#include <string.h>

#include "story_internal.h"

#define ADDRESSES_SHOWN 3

static const char *family_name(size_t family)
{
	return family == EVIDENCE_A ? "A" : "AAAA";
}

static const char *dns_words(enum outcome outcome)
{
	switch ((int)outcome) {
	case OUTCOME_DNS_NXDOMAIN: return "the name does not exist (NXDOMAIN)";
	case OUTCOME_DNS_SERVFAIL: return "it failed to find out (SERVFAIL)";
	case OUTCOME_DNS_REFUSED: return "it refuses the question (REFUSED)";
	case OUTCOME_DNS_TIMEOUT: return "no answer";
	case OUTCOME_DNS_UNREACHABLE: return "it cannot be reached";
	case OUTCOME_DNS_BAD_REPLY: return "its reply is no valid DNS";
	case OUTCOME_DNS_NODATA: return "no address";
	default: return outcome_words(outcome);
	}
}

static void list_addresses(const struct evidence_answer *answer, struct story_line *line)
{
	char text[ADDRESS_TEXT_SIZE];
	size_t shown = answer->address_count < ADDRESSES_SHOWN ? answer->address_count : ADDRESSES_SHOWN;

	for (size_t i = 0; i < shown; i++) {
		address_format(&answer->addresses[i], text);
		STORY_ANSWER(*line, "%s", text);
	}
	if (answer->address_count > shown)
		STORY_ANSWER(*line, "%zu more", answer->address_count - shown);
}

static void describe_alias(const struct evidence_answer *answer, struct story_line *line)
{
	if (answer->is_cname_loop)
		STORY_ANSWER(*line, "an alias that leads back to itself");
	else if (answer->cname_count > 0 && answer->outcome == OUTCOME_OK)
		STORY_ANSWER(*line, "by way of %s", answer->cname);
	else if (answer->cname_count > 0)
		STORY_ANSWER(*line, "it is an alias of %s", answer->cname);
}

static void describe_answer(const struct evidence_answer *answer, struct story_line *line)
{
	if (answer->outcome == OUTCOME_OK)
		list_addresses(answer, line);
	else
		STORY_ANSWER(*line, "%s", dns_words(answer->outcome));
	describe_alias(answer, line);
	if (answer->outcome == OUTCOME_OK && answer->ttl_s >= 0)
		STORY_ANSWER(*line, "TTL %" PRId64 " s", answer->ttl_s);
	if (answer->retransmits > 0)
		STORY_ANSWER(*line, "asked %d times", answer->retransmits + 1);
	line->elapsed_us = answer->elapsed_us;
}

/* A family without an address is well where the other has one. */
static enum story_mark mark_of(const struct evidence_answer answers[EVIDENCE_FAMILIES], size_t family)
{
	const struct evidence_answer *other = &answers[family == EVIDENCE_A ? EVIDENCE_AAAA : EVIDENCE_A];

	if (answers[family].outcome == OUTCOME_OK)
		return STORY_GOOD;
	if (answers[family].outcome == OUTCOME_DNS_NODATA && other->is_asked && other->outcome == OUTCOME_OK)
		return STORY_GOOD;
	return STORY_BAD;
}

static const char *resolver_kind(const struct evidence_resolver *resolver)
{
	if (resolver->is_vpc)
		return resolver->is_configured ? "the configured resolver, which is the VPC's" : "the VPC resolver";
	if (resolver->is_local)
		return "the configured resolver, a stub on this host";
	return resolver->is_configured ? "the configured resolver" : "a resolver";
}

static void tell_resolver(struct story_teller *teller, const struct evidence_resolver *resolver)
{
	char server[ADDRESS_TEXT_SIZE];

	story_format_server(&resolver->server, server);
	for (size_t i = 0; i < EVIDENCE_FAMILIES; i++) {
		struct story_line line = story_line_of("dns", DIAGNOSIS_HOP_DNS);

		if (!resolver->answers[i].is_asked)
			continue;
		line.mark = mark_of(resolver->answers, i);
		STORY_NAME(line, "%s %s", server, family_name(i));
		STORY_ASK(line, "%s of %s at %s, %s", family_name(i), teller->evidence->target.host, server,
			resolver_kind(resolver));
		describe_answer(&resolver->answers[i], &line);
		if (!resolver->is_configured && resolver->is_vpc)
			story_append(line.answer, sizeof line.answer, " (VPC resolver)");
		else if (resolver->is_outside)
			story_append(line.answer, sizeof line.answer, " (outside this VPC)");
		if (resolver->answers[i].detail[0] && line.mark == STORY_BAD && teller->verbose)
			STORY_ANSWER(line, "%s", resolver->answers[i].detail);
		story_add(teller, &line);
	}
}

/* Silence in the first question is told there; this is about some lost and some not. */
static void tell_losses(struct story_teller *teller, const struct evidence_resolver *resolver)
{
	struct story_line line = story_line_of("dns", DIAGNOSIS_HOP_DNS);
	char server[ADDRESS_TEXT_SIZE];

	if (resolver->answered <= 0 || resolver->answered >= resolver->asked)
		return;
	story_format_server(&resolver->server, server);
	line.mark = STORY_BAD;
	STORY_NAME(line, "%s", server);
	STORY_ASK(line, "Does %s answer every time?", server);
	STORY_ANSWER(line, "%d of %d questions stayed without an answer", resolver->asked - resolver->answered,
		resolver->asked);
	story_add(teller, &line);
}

static void tell_drops(struct story_teller *teller)
{
	const struct evidence_dns *dns = &teller->evidence->dns;
	struct story_line line = story_line_of("dns", DIAGNOSIS_HOP_DNS);

	if (!dns->counts_drops || (dns->link_local_drops == 0 && !teller->verbose))
		return;
	line.mark = dns->link_local_drops > 0 ? STORY_BAD : STORY_GOOD;
	STORY_NAME(line, "allowance");
	STORY_ASK(line, "Did the network card drop packets to link-local services (linklocal_allowance_exceeded)?");
	if (dns->link_local_drops > 0)
		STORY_ANSWER(line, "%" PRIu64 " packets dropped over the link-local allowance meanwhile",
			dns->link_local_drops);
	else
		STORY_ANSWER(line, "none dropped meanwhile");
	story_add(teller, &line);
}

/* The name that AWS generated for the service, behind a custom domain. */
static void tell_generated(struct story_teller *teller)
{
	const struct evidence_dns *dns = &teller->evidence->dns;

	for (size_t i = 0; i < EVIDENCE_FAMILIES; i++) {
		struct story_line line = story_line_of("dns", DIAGNOSIS_HOP_DNS);

		if (!dns->generated[i].is_asked)
			continue;
		line.mark = mark_of(dns->generated, i);
		STORY_NAME(line, "generated %s", family_name(i));
		STORY_ASK(line, "%s of the generated name %s at the VPC resolver", family_name(i), dns->generated_name);
		describe_answer(&dns->generated[i], &line);
		story_add(teller, &line);
	}
}

static void tell_literal(struct story_teller *teller)
{
	struct story_line line = story_line_of("dns", DIAGNOSIS_HOP_DNS);

	line.mark = STORY_SKIPPED;
	STORY_ASK(line, "Which address has %s?", teller->evidence->target.host);
	STORY_ANSWER(line, "nothing to ask: the URL holds an address");
	story_add(teller, &line);
}

void story_dns_tell(struct story_teller *teller)
{
	const struct evidence_dns *dns = &teller->evidence->dns;
	size_t count = dns->resolver_count < EVIDENCE_RESOLVERS_MAX ? dns->resolver_count : EVIDENCE_RESOLVERS_MAX;

	if (teller->evidence->target.name == EVIDENCE_NAME_LITERAL)
		tell_literal(teller);
	if (!dns->is_asked)
		return;
	for (size_t i = 0; i < count; i++) {
		tell_resolver(teller, &dns->resolvers[i]);
		tell_losses(teller, &dns->resolvers[i]);
	}
	tell_generated(teller);
	tell_drops(teller);
}
