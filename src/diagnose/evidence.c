/* SPDX-License-Identifier: Apache-2.0 */
#include "lattice-probe/evidence.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

const struct evidence_path *evidence_preferred_path(const struct evidence *evidence)
{
	for (size_t i = 0; i < evidence->path_count && i < EVIDENCE_PATHS_MAX; i++)
		if (evidence->paths[i].is_preferred)
			return &evidence->paths[i];
	return NULL;
}

size_t evidence_count_paths(const struct evidence *evidence)
{
	return evidence->path_count < EVIDENCE_PATHS_MAX ? evidence->path_count : EVIDENCE_PATHS_MAX;
}

/* ---- resolvers ------------------------------------------------------------------------------ */

static size_t count_resolvers(const struct evidence *evidence)
{
	size_t count = evidence->dns.resolver_count;

	return count < EVIDENCE_RESOLVERS_MAX ? count : EVIDENCE_RESOLVERS_MAX;
}

const struct evidence_resolver *evidence_first_resolver(const struct evidence *evidence)
{
	for (size_t i = 0; i < count_resolvers(evidence); i++)
		if (evidence->dns.resolvers[i].is_configured)
			return &evidence->dns.resolvers[i];
	return NULL;
}

const struct evidence_resolver *evidence_answering_resolver(const struct evidence *evidence)
{
	for (size_t i = 0; i < count_resolvers(evidence); i++) {
		const struct evidence_resolver *resolver = &evidence->dns.resolvers[i];

		if (resolver->is_configured &&
		    evidence_resolver_outcome(resolver, evidence->target.ip) == OUTCOME_OK)
			return resolver;
	}
	return NULL;
}

/* 3: gave an address, 2: replied, 1: was asked. */
static int weight(const struct evidence_resolver *resolver, enum target_ip ip)
{
	if (evidence_resolver_outcome(resolver, ip) == OUTCOME_OK)
		return 3;
	for (size_t i = 0; i < EVIDENCE_FAMILIES; i++)
		if (resolver->answers[i].is_asked && (resolver->answers[i].rcode >= 0 ||
		    resolver->answers[i].outcome == OUTCOME_DNS_BAD_REPLY))
			return 2;
	return resolver->answered > 0 ? 2 : 1;
}

/* It may be there under several addresses, which are one witness: the one that said most speaks. */
const struct evidence_resolver *evidence_vpc_resolver(const struct evidence *evidence)
{
	const struct evidence_resolver *best = NULL;

	for (size_t i = 0; i < count_resolvers(evidence); i++) {
		const struct evidence_resolver *resolver = &evidence->dns.resolvers[i];

		if (resolver->is_vpc && (!best ||
		    weight(resolver, evidence->target.ip) > weight(best, evidence->target.ip)))
			best = resolver;
	}
	return best;
}

/* As a run takes it: an address of either family will do; of two failures "no address of this family"
 * explains less than any other. */
enum outcome evidence_resolver_outcome(const struct evidence_resolver *resolver, enum target_ip ip)
{
	const struct evidence_answer *a = &resolver->answers[EVIDENCE_A];
	const struct evidence_answer *aaaa = &resolver->answers[EVIDENCE_AAAA];
	bool asks_a = a->is_asked && ip != TARGET_IP_V6;
	bool asks_aaaa = aaaa->is_asked && ip != TARGET_IP_V4;

	if (!asks_a || !asks_aaaa)
		return asks_a ? a->outcome : asks_aaaa ? aaaa->outcome : OUTCOME_NONE;
	if (a->outcome == OUTCOME_OK || aaaa->outcome == OUTCOME_OK)
		return OUTCOME_OK;
	return a->outcome == OUTCOME_DNS_NODATA ? aaaa->outcome : a->outcome;
}

/* ---- exchanges ------------------------------------------------------------------------------ */

void evidence_exchange_init(struct evidence_exchange *exchange)
{
	*exchange = (struct evidence_exchange){ .tcp_rtt_us = -1, .tcp_retransmits = -1, .tls_alert = -1,
		.certificate_days = CERTIFICATE_DAYS_NONE };
	for (size_t i = 0; i < PHASE_COUNT; i++)
		exchange->phase_us[i] = PHASE_NONE;
}

/* ---- names ---------------------------------------------------------------------------------- */

/* The label that many places before the last, without a trailing dot; false when there are fewer. */
static bool label_is(const char *host, size_t length, size_t from_end, const char *wanted)
{
	size_t end = length;

	for (;;) {
		size_t start = end;

		while (start > 0 && host[start - 1] != '.')
			start--;
		if (from_end-- == 0)
			return end - start == strlen(wanted) && strncasecmp(host + start, wanted, end - start) == 0;
		if (start == 0)
			return false;
		end = start - 1;
	}
}

/* "vpce-" and at least eight hexadecimal digits: a service may be called "vpce-tools". */
static bool begins_with_endpoint(const char *host)
{
	size_t digits = 0;

	if (strncasecmp(host, "vpce-", 5) != 0)
		return false;
	while (isxdigit((unsigned char)host[5 + digits]))
		digits++;
	return digits >= 8 && (host[5 + digits] == '-' || host[5 + digits] == '.');
}

enum evidence_name evidence_name_of(const char *host)
{
	size_t length = strlen(host);
	union address literal;

	if (parse_address(host, 0, &literal) == 0)
		return EVIDENCE_NAME_LITERAL;
	if (length && host[length - 1] == '.')
		length--;
	if (!label_is(host, length, 0, "aws") || !label_is(host, length, 1, "on"))
		return EVIDENCE_NAME_CUSTOM;
	if (label_is(host, length, 3, "vpc-lattice-rsc"))
		return EVIDENCE_NAME_RESOURCE;
	if (!label_is(host, length, 3, "vpc-lattice-svcs"))
		return EVIDENCE_NAME_CUSTOM;
	return begins_with_endpoint(host) ? EVIDENCE_NAME_ENDPOINT : EVIDENCE_NAME_SERVICE;
}
