/* SPDX-License-Identifier: Apache-2.0 */
/* What holds for any evidence: over all combinations of what matters at a hop, over random evidence, and
 * when a piece of evidence is taken away. The invariants are in diagnosis_check.c. TEST_SEED=N repeats. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "diagnosis_check.h"
#include "evidence_examples.h"

#include "lattice-probe/units.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define RANDOM_CASES 200000
#define ERASED_CASES 20000

static struct evidence evidence;
static struct diagnosis diagnosis;

static struct evidence_exchange *main_exchange(void)
{
	return &evidence.paths[0].exchanges[EXCHANGE_MAIN];
}

/* ---- products ----------------------------------------------------------------------------------- */

static const enum outcome dns_outcomes[] = {
	OUTCOME_NONE, OUTCOME_OK, OUTCOME_DNS_NXDOMAIN, OUTCOME_DNS_NODATA, OUTCOME_DNS_SERVFAIL,
	OUTCOME_DNS_REFUSED, OUTCOME_DNS_TIMEOUT, OUTCOME_DNS_BAD_REPLY, OUTCOME_DNS_UNREACHABLE,
	OUTCOME_LOCAL_FAULT,
};

static void check_dns(enum outcome configured, enum outcome vpc, enum outcome outside, enum evidence_name name)
{
	for (int platform = HOST_PLATFORM_UNKNOWN; platform <= HOST_PLATFORM_OTHER; platform++)
		for (int imds = EVIDENCE_IMDS_NOT_ASKED; imds <= EVIDENCE_IMDS_ODD; imds++) {
			evidence_resolving(&evidence, configured, vpc);
			if (outside != OUTCOME_NONE)
				evidence_add_resolver(&evidence, EVIDENCE_OUTSIDE_RESOLVER, outside)->is_outside = true;
			evidence.target.name = name;
			evidence.where.platform = (enum host_platform)platform;
			evidence.where.imds = (enum evidence_imds)imds;
			diagnosis_check_decide(&evidence, &diagnosis);
		}
}

static void every_pair_of_dns_answers_keeps_the_rules(void **state)
{
	static const enum outcome outside[] = { OUTCOME_NONE, OUTCOME_OK, OUTCOME_DNS_NXDOMAIN, OUTCOME_DNS_NODATA };

	(void)state;
	for (size_t a = 0; a < COUNT(dns_outcomes); a++)
		for (size_t b = 0; b < COUNT(dns_outcomes); b++)
			for (size_t c = 0; c < COUNT(outside); c++)
				for (int name = EVIDENCE_NAME_LITERAL; name <= EVIDENCE_NAME_CUSTOM; name++)
					check_dns(dns_outcomes[a], dns_outcomes[b], outside[c], (enum evidence_name)name);
}

static void check_path(enum address_class class_, enum route_kind kind, enum outcome outcome, bool is_zeroconf)
{
	struct evidence_path *path;

	evidence_failing(&evidence, outcome);
	path = evidence_path(&evidence);
	path->class_ = class_;
	path->route.kind = kind;
	path->route.error = kind == ROUTE_UNICAST || kind == ROUTE_LOCAL ? 0 : EHOSTUNREACH;
	path->route.is_link_scope = is_zeroconf;
	path->route.prefix = evidence_address("169.254.0.0", 0);
	path->route.prefix_length = is_zeroconf ? 16 : 24;
	for (int neighbour = ROUTE_NEIGHBOUR_NONE; neighbour <= ROUTE_NEIGHBOUR_FAILED; neighbour++)
		for (int platform = HOST_PLATFORM_UNKNOWN; platform <= HOST_PLATFORM_OTHER; platform++)
			for (int imds = EVIDENCE_IMDS_NOT_ASKED; imds <= EVIDENCE_IMDS_ODD; imds++) {
				path->neighbour_after = (enum route_neighbour)neighbour;
				evidence.where.platform = (enum host_platform)platform;
				evidence.where.imds = (enum evidence_imds)imds;
				evidence.dns.resolvers[0].is_vpc = imds % 2 == 0;
				diagnosis_check_decide(&evidence, &diagnosis);
			}
}

static void every_route_and_end_of_a_connection_keeps_the_rules(void **state)
{
	static const enum outcome ends[] = { OUTCOME_OK, OUTCOME_CONNECT_TIMEOUT, OUTCOME_CONNECT_REFUSED,
		OUTCOME_CONNECT_UNREACHABLE, OUTCOME_CONNECT_DENIED, OUTCOME_TLS_TIMEOUT };

	(void)state;
	for (int class_ = ADDRESS_CLASS_NONE; class_ <= ADDRESS_CLASS_PUBLIC; class_++)
		for (int kind = ROUTE_NONE; kind <= ROUTE_OTHER; kind++)
			for (size_t end = 0; end < COUNT(ends); end++)
				for (int zeroconf = 0; zeroconf < 2; zeroconf++)
					check_path((enum address_class)class_, (enum route_kind)kind, ends[end],
						zeroconf != 0);
}

/* The verdict that the words of diagnosis.def ask for: the first NO in its order. */
static enum diagnosis_verdict first_block(const struct evidence_control *control, bool is_association)
{
	bool is_absent = control->is_associated == CLAIM_NO && control->owns_vpc == CLAIM_YES;

	if (is_association && is_absent)
		return DIAGNOSIS_VPC_NOT_ASSOCIATED;
	if (control->instance_sg_allows == CLAIM_NO)
		return DIAGNOSIS_INSTANCE_SG_BLOCKS;
	if (control->nacl_allows_out == CLAIM_NO || control->nacl_allows_back == CLAIM_NO)
		return DIAGNOSIS_NACL_BLOCKS;
	if (is_association && control->association_sg_allows == CLAIM_NO)
		return DIAGNOSIS_ASSOCIATION_SG_BLOCKS;
	return DIAGNOSIS_PATH_SILENT;
}

static void every_set_of_claims_names_the_first_block(void **state)
{
	(void)state;
	for (int i = 0; i < 2 * 729; i++) {
		struct evidence_control *control = &evidence.control;
		bool is_association = i < 729;
		int digits = i % 729;
		enum claim *const claims[] = { &control->owns_vpc, &control->is_associated, &control->instance_sg_allows,
			&control->nacl_allows_out, &control->nacl_allows_back, &control->association_sg_allows };

		evidence_example(DIAGNOSIS_PATH_SILENT, &evidence);
		if (!is_association)
			evidence_set_path_address(&evidence, "10.0.3.4");
		control->association_status[0] = '\0';
		for (size_t k = 0; k < COUNT(claims); k++, digits /= 3)
			*claims[k] = (enum claim)(digits % 3);
		diagnosis_check_decide(&evidence, &diagnosis);
		assert_string_equal(diagnosis_name(diagnosis.verdict), diagnosis_name(first_block(control, is_association)));
	}
}

static void check_answer(int status, unsigned bits)
{
	struct evidence_exchange *main;

	evidence_healthy(&evidence);
	evidence_set_status(&evidence, status);
	main = main_exchange();
	main->is_bare = bits & 1;
	main->echoes_request_id = bits & 2;
	main->has_marker = bits & 4;
	evidence.target.has_marker = bits & 8;
	evidence.target.is_signed = bits & 16;
	main->is_lattice_denial = status == 403 && bits & 32;
	main->denies_signature = status == 403 && bits & 64;
	main->denies_anonymous = bits & 128;
	(void)snprintf(main->server, sizeof main->server, "%s", bits & 256 ? "nginx" : "");
	diagnosis_check_decide(&evidence, &diagnosis);
	assert_int_equal(diagnosis_hop(diagnosis.verdict), DIAGNOSIS_HOP_HTTP);
}

static void every_answer_keeps_the_rules(void **state)
{
	static const int statuses[] = { 200, 204, 301, 400, 401, 403, 404, 418, 429, 500, 501, 502, 503, 504, 599 };

	(void)state;
	for (size_t i = 0; i < COUNT(statuses); i++)
		for (unsigned bits = 0; bits < 512; bits++)
			check_answer(statuses[i], bits);
}

/* ---- random evidence ------------------------------------------------------------------------------- */

static uint64_t next_random(uint64_t *seed)
{
	uint64_t mixed = *seed += UINT64_C(0x9e3779b97f4a7c15);

	mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
	return mixed ^ (mixed >> 31);
}

static uint64_t seed_now;

static int pick(int count)
{
	return (int)(next_random(&seed_now) % (uint64_t)count);
}

static bool toss(void)
{
	return next_random(&seed_now) & 1;
}

static const char *const hosts[] = { EVIDENCE_LATTICE_V4, "129.224.3.4", "10.0.3.4", "10.77.0.4", "203.0.113.7",
	"169.254.99.4", "0.0.0.0", EVIDENCE_LATTICE_V6, "2001:db8::7", "64:ff9b::169.254.171.33" };

static void randomise_answer(struct evidence_answer *answer, bool is_v6)
{
	evidence_set_answer(answer, dns_outcomes[pick((int)COUNT(dns_outcomes))], hosts[is_v6 ? 7 + pick(3) : pick(7)]);
	if (pick(4))
		return;
	answer->cname_count = (size_t)pick(3);
	answer->is_cname_loop = pick(8) == 0;
	(void)snprintf(answer->cname, sizeof answer->cname, "%s", toss() ? EVIDENCE_SERVICE : "");
}

static void randomise_dns(void)
{
	struct evidence_dns *dns = &evidence.dns;

	dns->is_asked = true;
	dns->resolver_count = (size_t)pick(4);
	for (size_t i = 0; i < dns->resolver_count; i++) {
		struct evidence_resolver *resolver = &dns->resolvers[i];

		*resolver = (struct evidence_resolver){ .server = evidence_address("10.0.0.2", 53),
			.is_configured = pick(3) != 0, .is_vpc = toss(), .is_local = pick(8) == 0 };
		resolver->is_outside = !resolver->is_vpc && toss();
		for (size_t family = 0; family < EVIDENCE_FAMILIES; family++)
			randomise_answer(&resolver->answers[family], family == EVIDENCE_AAAA);
		resolver->asked = pick(6);
		resolver->answered = pick(resolver->asked + 1);
	}
	(void)snprintf(dns->generated_name, sizeof dns->generated_name, "%s", toss() ? EVIDENCE_SERVICE : "");
	for (size_t family = 0; family < EVIDENCE_FAMILIES; family++)
		randomise_answer(&dns->generated[family], family == EVIDENCE_AAAA);
	dns->counts_drops = toss();
	dns->link_local_drops = (uint64_t)pick(3);
}

static void randomise_exchange(enum evidence_exchange_kind kind)
{
	static const int errnos[] = { 0, EPERM, EACCES, EINVAL, EHOSTUNREACH, ENETUNREACH, ECONNREFUSED, EADDRNOTAVAIL };
	static const int alerts[] = { -1, -1, 40, 70, 80, 112, 116, 250 };
	static const int statuses[] = { 200, 302, 400, 404, 500, 503, 504 };
	struct evidence_exchange *exchange = &evidence.paths[0].exchanges[kind];
	enum outcome outcome = (enum outcome)(OUTCOME_NONE + pick(OUTCOME_COUNT));

	if (kind != EXCHANGE_MAIN && toss())
		outcome = OUTCOME_OK;
	if (outcome_phase(outcome) == OUTCOME_PHASE_DNS)
		outcome = OUTCOME_CONNECT_TIMEOUT;
	evidence_set_exchange(&evidence, kind, outcome);
	exchange->is_asked = pick(8) != 0;
	exchange->os_errno = errnos[pick((int)COUNT(errnos))];
	exchange->mss_bytes = pick(2) * 8961;
	exchange->local_drops = (uint64_t)(pick(4) == 0);
	exchange->tls_alert = alerts[pick((int)COUNT(alerts))];
	exchange->is_not_tls = pick(4) == 0;
	exchange->is_bare = toss();
	exchange->echoes_request_id = toss();
	exchange->has_marker = pick(4) == 0;
	exchange->has_date = toss();
	exchange->skew_us = pick(3) * 400 * US_PER_S;
	exchange->is_stand_in = pick(8) == 0;
	exchange->is_from_daemon = pick(8) == 0;
	if (outcome == OUTCOME_LATTICE_AUTH_DENIED || (outcome == OUTCOME_HTTP_STATUS && pick(3) == 0)) {
		exchange->status = 403;
		exchange->is_lattice_denial = toss();
		exchange->denies_signature = toss();
	} else if (outcome == OUTCOME_HTTP_STATUS) {
		exchange->status = statuses[pick((int)COUNT(statuses))];
	} else if (outcome == OUTCOME_LATTICE_NO_ROUTE) {
		exchange->status = 404;
		exchange->has_marker = false;
	}
}

static void randomise_path(void)
{
	struct evidence_path *path;

	evidence_clear_paths(&evidence);
	if (pick(4) == 0)
		return;
	path = evidence_path(&evidence);
	path->address = evidence_address(hosts[pick((int)COUNT(hosts))], 443);
	path->class_ = address_class_of(&path->address, NULL, &evidence.where.vpc_networks);
	for (int kind = 0; kind < EXCHANGE_KINDS; kind++)
		randomise_exchange((enum evidence_exchange_kind)kind);
	path->route.kind = (enum route_kind)pick(ROUTE_OTHER + 1);
	path->route.error = path->route.kind == ROUTE_UNICAST || path->route.kind == ROUTE_LOCAL ? 0 : pick(2) * EINVAL;
	path->route.is_link_scope = toss();
	path->route.prefix = evidence_address("169.254.0.0", 0);
	path->route.prefix_length = toss() ? 16 : 0;
	path->neighbour_after = (enum route_neighbour)pick(4);
	path->has_other_device = pick(4) == 0;
	if (toss())
		return;
	evidence.paths[1] = *path;
	evidence.paths[1].is_preferred = false;
	evidence.paths[1].address = evidence_address(hosts[pick((int)COUNT(hosts))], 443);
	evidence.paths[1].class_ = address_class_of(&evidence.paths[1].address, NULL, &evidence.where.vpc_networks);
	evidence.paths[1].exchanges[EXCHANGE_MAIN].outcome = toss() ? OUTCOME_OK : OUTCOME_CONNECT_TIMEOUT;
	evidence.paths[1].exchanges[EXCHANGE_MAIN].stage =
		evidence.paths[1].exchanges[EXCHANGE_MAIN].outcome == OUTCOME_OK ? HTTP_STAGE_DONE : HTTP_STAGE_CONNECT;
	evidence.path_count = 2;
}

static void randomise_aws(void)
{
	struct evidence_control *control = &evidence.control;
	struct evidence_publishing *publishing = &evidence.publishing;
	enum claim *const claims[] = { &control->owns_vpc, &control->is_associated, &control->is_service_in_network,
		&control->dns_support, &control->dns_hostnames, &control->instance_sg_allows,
		&control->association_sg_allows, &control->nacl_allows_out, &control->nacl_allows_back,
		&control->has_route };

	evidence_add_control(&evidence);
	control->is_asked = toss();
	for (size_t i = 0; i < COUNT(claims); i++)
		*claims[i] = (enum claim)pick(3);
	for (size_t i = 0; i < CONTROL_CALLS; i++)
		control->ends[i] = pick(4) ? CONTROL_OK : CONTROL_DENIED;
	if (toss())
		control->association_status[0] = '\0';
	evidence_add_publishing(&evidence);
	publishing->is_asked = toss();
	publishing->has_credentials = pick(3) != 0;
	publishing->is_call_made = pick(3) != 0;
	publishing->class_ = (enum aws_class)pick(AWS_CLASS_LOCAL + 1);
	publishing->skew_us = (pick(5) - 2) * 200 * US_PER_S;
}

static void randomise(void)
{
	static const char *const zones[] = { "", "euw1-az1", "euw1-az4" };
	struct evidence_where *where = &evidence.where;

	evidence.target.name = (enum evidence_name)(EVIDENCE_NAME_LITERAL + pick(5));
	evidence.target.ip = (enum target_ip)pick(4);
	evidence.target.is_tls = toss();
	evidence.target.is_signed = toss();
	evidence.target.has_marker = toss();
	where->is_asked = toss();
	where->platform = (enum host_platform)pick(3);
	where->imds = (enum evidence_imds)pick(6);
	where->has_ipv4_default = toss();
	where->has_ipv6_default = toss();
	(void)snprintf(where->facts.availability_zone_id, sizeof where->facts.availability_zone_id, "%s", zones[pick(3)]);
	randomise_dns();
	randomise_path();
	randomise_aws();
	evidence.is_cut_short = pick(8) == 0;
}

static void begin_random(void)
{
	const char *given = getenv("TEST_SEED");

	seed_now = given ? strtoull(given, NULL, 0) : (uint64_t)wall_now().us;
	print_message("TEST_SEED=%" PRIu64 "\n", seed_now);
	evidence_healthy(&evidence);
}

static void any_evidence_keeps_the_rules(void **state)
{
	(void)state;
	begin_random();
	for (int i = 0; i < RANDOM_CASES; i++) {
		randomise();
		diagnosis_check_decide(&evidence, &diagnosis);
	}
}

/* ---- evidence taken away ----------------------------------------------------------------------------- */

static const size_t claim_offsets[] = {
	offsetof(struct evidence, control.owns_vpc), offsetof(struct evidence, control.is_associated),
	offsetof(struct evidence, control.is_service_in_network), offsetof(struct evidence, control.dns_support),
	offsetof(struct evidence, control.dns_hostnames), offsetof(struct evidence, control.instance_sg_allows),
	offsetof(struct evidence, control.association_sg_allows), offsetof(struct evidence, control.nacl_allows_out),
	offsetof(struct evidence, control.nacl_allows_back),
};

/* One group of evidence after the other; false: there is no such group any more. */
static bool erase(struct evidence *e, size_t group)
{
	const struct { void *at; size_t size; } groups[] = {
		{ &e->where, sizeof e->where },
		{ &e->where.facts, sizeof e->where.facts },
		{ &e->where.platform, sizeof e->where.platform },
		{ &e->where.imds, sizeof e->where.imds },
		{ &e->dns, sizeof e->dns },
		{ &e->dns.resolvers[0].answers, sizeof e->dns.resolvers[0].answers },
		{ &e->dns.resolvers[1].answers, sizeof e->dns.resolvers[1].answers },
		{ &e->dns.resolvers[2].answers, sizeof e->dns.resolvers[2].answers },
		{ &e->dns.resolvers[0].answers[1], sizeof e->dns.resolvers[0].answers[1] },
		{ &e->dns.generated, sizeof e->dns.generated },
		{ &e->dns.link_local_drops, sizeof e->dns.link_local_drops },
		{ &e->paths[0].route, sizeof e->paths[0].route },
		{ &e->paths[0].neighbour_after, sizeof e->paths[0].neighbour_after },
		{ &e->paths[0].exchanges[0], sizeof e->paths[0].exchanges[0] },
		{ &e->paths[0].exchanges[1], sizeof e->paths[0].exchanges[1] },
		{ &e->paths[0].exchanges[2], sizeof e->paths[0].exchanges[2] },
		{ &e->paths[0].exchanges[3], sizeof e->paths[0].exchanges[3] },
		{ &e->paths[0].exchanges[4], sizeof e->paths[0].exchanges[4] },
		{ &e->paths[0].exchanges[0].local_drops, sizeof e->paths[0].exchanges[0].local_drops },
		{ &e->control, sizeof e->control },
		{ &e->publishing, sizeof e->publishing },
	};

	if (group < COUNT(groups)) {
		memset(groups[group].at, 0, groups[group].size);
		return true;
	}
	group -= COUNT(groups);
	if (group >= COUNT(claim_offsets))
		return false;
	memset((char *)e + claim_offsets[group], 0, sizeof(enum claim));
	return true;
}

/* "Healthy" answers another question: it rests on the exchange alone. */
static bool is_certain_fault(const struct diagnosis *decided)
{
	return decided->confidence == DIAGNOSIS_CERTAIN && decided->verdict != DIAGNOSIS_HEALTHY;
}

static void check_erasures(void)
{
	static struct evidence less;
	static struct diagnosis other;

	diagnosis_check_decide(&evidence, &diagnosis);
	if (!is_certain_fault(&diagnosis))
		return;
	for (size_t group = 0;; group++) {
		less = evidence;
		if (!erase(&less, group))
			return;
		diagnosis_decide(&less, &other);
		if (!is_certain_fault(&other) || other.verdict == diagnosis.verdict)
			continue;
		print_message("without group %zu %s becomes %s\n", group, diagnosis_name(diagnosis.verdict),
			diagnosis_name(other.verdict));
		fail();
	}
}

static void less_evidence_never_makes_another_certain_verdict_of_an_example(void **state)
{
	(void)state;
	for (enum diagnosis_verdict verdict = 0; verdict < DIAGNOSIS_COUNT; verdict++) {
		evidence_example(verdict, &evidence);
		check_erasures();
	}
}

/* A host that has no route to the address, with nobody to tell, would look the same. */
static void outside_the_vpc_is_never_certain_without_a_known_route(void **state)
{
	(void)state;
	evidence_example(DIAGNOSIS_OUTSIDE_VPC, &evidence);
	diagnosis_check_decide(&evidence, &diagnosis);
	assert_int_equal(diagnosis.confidence, DIAGNOSIS_CERTAIN);
	memset(&evidence.paths[0].route, 0, sizeof evidence.paths[0].route);
	diagnosis_check_decide(&evidence, &diagnosis);
	assert_int_equal(diagnosis.verdict, DIAGNOSIS_OUTSIDE_VPC);
	assert_int_equal(diagnosis.confidence, DIAGNOSIS_LIKELY);
}

static void less_evidence_never_makes_another_certain_verdict(void **state)
{
	(void)state;
	begin_random();
	for (int i = 0; i < ERASED_CASES; i++) {
		randomise();
		check_erasures();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_pair_of_dns_answers_keeps_the_rules),
		cmocka_unit_test(every_route_and_end_of_a_connection_keeps_the_rules),
		cmocka_unit_test(every_set_of_claims_names_the_first_block),
		cmocka_unit_test(every_answer_keeps_the_rules),
		cmocka_unit_test(any_evidence_keeps_the_rules),
		cmocka_unit_test(less_evidence_never_makes_another_certain_verdict_of_an_example),
		cmocka_unit_test(outside_the_vpc_is_never_certain_without_a_known_route),
		cmocka_unit_test(less_evidence_never_makes_another_certain_verdict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
