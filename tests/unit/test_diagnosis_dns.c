/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "diagnosis_check.h"
#include "evidence_examples.h"

#define CERTAIN DIAGNOSIS_CERTAIN
#define LIKELY DIAGNOSIS_LIKELY
#define CANDIDATES DIAGNOSIS_CANDIDATES
#define DOCUMENTED DIAGNOSIS_BASIS_DOCUMENTED
#define OBSERVED DIAGNOSIS_BASIS_OBSERVED
#define INFERRED DIAGNOSIS_BASIS_INFERRED

#define COUNT(array) (sizeof(array) / sizeof *(array))

static struct evidence_exchange *main_of(struct evidence *e)
{
	return &evidence_path(e)->exchanges[EXCHANGE_MAIN];
}

/* ---- silent resolvers ------------------------------------------------------------------------- */

static void one_lost_question(struct evidence *e)
{
	evidence_example(DIAGNOSIS_DNS_RESOLVER_SILENT, e);
	e->dns.resolvers[0].asked = 1;
	e->dns.resolvers[0].answers[EVIDENCE_A].retransmits = 0;
	e->dns.resolvers[0].answers[EVIDENCE_AAAA].retransmits = 0;
}

static void unreachable_resolver(struct evidence *e)
{
	evidence_resolving(e, OUTCOME_DNS_UNREACHABLE, OUTCOME_OK);
}

static void vpc_resolver_not_asked(struct evidence *e)
{
	evidence_resolving(e, OUTCOME_DNS_TIMEOUT, OUTCOME_NONE);
}

static void all_silent_on_ec2(struct evidence *e)
{
	evidence_resolving(e, OUTCOME_DNS_TIMEOUT, OUTCOME_DNS_TIMEOUT);
}

static void all_silent_elsewhere(struct evidence *e)
{
	evidence_resolving(e, OUTCOME_DNS_TIMEOUT, OUTCOME_DNS_TIMEOUT);
	evidence_set_outside(e);
}

static void all_refused_on_ec2(struct evidence *e)
{
	evidence_resolving(e, OUTCOME_DNS_UNREACHABLE, OUTCOME_DNS_UNREACHABLE);
}

static void all_refused_without_a_default_route(struct evidence *e)
{
	all_refused_on_ec2(e);
	e->where.has_ipv4_default = e->where.has_ipv6_default = false;
}

static void the_vpc_resolver_silent_under_one_address(struct evidence *e)
{
	evidence_resolving(e, OUTCOME_DNS_TIMEOUT, OUTCOME_OK);
	e->dns.resolvers[0].is_vpc = true;
}

static void loss_without_a_counter(struct evidence *e)
{
	evidence_example(DIAGNOSIS_DNS_THROTTLED, e);
	e->dns.counts_drops = false;
}

static void a_counter_that_rose_and_no_reply_at_all(struct evidence *e)
{
	evidence_example(DIAGNOSIS_DNS_THROTTLED, e);
	e->dns.resolvers[0].answered = 0;
}

static void a_foreign_resolver_that_loses_some(struct evidence *e)
{
	evidence_example(DIAGNOSIS_DNS_THROTTLED, e);
	e->dns.resolvers[0].is_vpc = false;
}

static void a_dead_first_and_an_ignorant_second(struct evidence *e)
{
	struct evidence_resolver *second;

	evidence_resolving(e, OUTCOME_DNS_TIMEOUT, OUTCOME_OK);
	second = evidence_add_resolver(e, "192.168.7.54", OUTCOME_DNS_NXDOMAIN);
	second->is_configured = true;
}

static const struct diagnosis_case silence[] = {
	{ "one lost question", one_lost_question, DIAGNOSIS_DNS_RESOLVER_SILENT, LIKELY, OBSERVED, { 0 } },
	{ "unreachable", unreachable_resolver, DIAGNOSIS_DNS_RESOLVER_SILENT, CERTAIN, OBSERVED, { 0 } },
	{ "VPC resolver not asked", vpc_resolver_not_asked, DIAGNOSIS_DNS_RESOLVER_SILENT, CANDIDATES, OBSERVED,
		{ DIAGNOSIS_DNS_RESOLVER_SILENT, DIAGNOSIS_DNS_VPC_RESOLVER_SILENT } },
	{ "all silent on EC2", all_silent_on_ec2, DIAGNOSIS_DNS_VPC_RESOLVER_SILENT, CANDIDATES, OBSERVED,
		{ DIAGNOSIS_DNS_RESOLVER_SILENT, DIAGNOSIS_DNS_VPC_RESOLVER_SILENT, DIAGNOSIS_LOCAL_FIREWALL } },
	{ "all silent elsewhere", all_silent_elsewhere, DIAGNOSIS_DNS_VPC_RESOLVER_SILENT, CANDIDATES, OBSERVED,
		{ DIAGNOSIS_DNS_RESOLVER_SILENT, DIAGNOSIS_OUTSIDE_VPC, DIAGNOSIS_DNS_VPC_RESOLVER_SILENT,
			DIAGNOSIS_LOCAL_FIREWALL } },
	{ "all refused on EC2", all_refused_on_ec2, DIAGNOSIS_DNS_VPC_RESOLVER_SILENT, CANDIDATES, OBSERVED,
		{ DIAGNOSIS_LOCAL_FIREWALL, DIAGNOSIS_DNS_RESOLVER_SILENT, DIAGNOSIS_DNS_VPC_RESOLVER_SILENT } },
	{ "no default route", all_refused_without_a_default_route, DIAGNOSIS_DNS_VPC_RESOLVER_SILENT, CANDIDATES,
		OBSERVED, { DIAGNOSIS_ROUTE_MISSING, DIAGNOSIS_LOCAL_FIREWALL, DIAGNOSIS_DNS_RESOLVER_SILENT,
			DIAGNOSIS_DNS_VPC_RESOLVER_SILENT } },
	{ "one address of the VPC resolver", the_vpc_resolver_silent_under_one_address,
		DIAGNOSIS_DNS_RESOLVER_SILENT, CERTAIN, OBSERVED, { 0 } },
	{ "loss without a counter", loss_without_a_counter, DIAGNOSIS_DNS_THROTTLED, LIKELY, DOCUMENTED, { 0 } },
	{ "counter and no reply", a_counter_that_rose_and_no_reply_at_all, DIAGNOSIS_DNS_THROTTLED, LIKELY,
		DOCUMENTED, { 0 } },
	{ "a foreign resolver's loss", a_foreign_resolver_that_loses_some, DIAGNOSIS_DNS_THROTTLED, LIKELY,
		DOCUMENTED, { 0 } },
	{ "dead first, ignorant second", a_dead_first_and_an_ignorant_second, DIAGNOSIS_DNS_RESOLVER_SILENT,
		CANDIDATES, OBSERVED, { DIAGNOSIS_DNS_RESOLVER_SILENT, DIAGNOSIS_DNS_WRONG_RESOLVER } },
};

/* ---- names -------------------------------------------------------------------------------------- */

static void one_witness(struct evidence *e)
{
	evidence_resolving(e, OUTCOME_DNS_NXDOMAIN, OUTCOME_DNS_NXDOMAIN);
}

static void one_witness_that_is_not_the_vpcs(struct evidence *e)
{
	evidence_resolving(e, OUTCOME_DNS_NXDOMAIN, OUTCOME_DNS_TIMEOUT);
}

static void the_list_lacks_it(struct evidence *e)
{
	one_witness(e);
	evidence_add_control(e);
	e->control.is_service_in_network = CLAIM_NO;
}

static void the_list_lacks_it_in_a_shared_subnet(struct evidence *e)
{
	the_list_lacks_it(e);
	e->control.owns_vpc = CLAIM_NO;
}

static void the_list_has_it(struct evidence *e)
{
	one_witness(e);
	evidence_add_control(e);
}

static void the_outside_knows_it(struct evidence *e)
{
	one_witness(e);
	evidence_add_resolver(e, EVIDENCE_OUTSIDE_RESOLVER, OUTCOME_OK)->is_outside = true;
}

static void a_custom_name_unknown(struct evidence *e)
{
	one_witness(e);
	evidence_set_custom_name(e);
}

static void a_custom_name_unknown_outside_as_well(struct evidence *e)
{
	evidence_example(DIAGNOSIS_DNS_NXDOMAIN, e);
	evidence_set_custom_name(e);
}

static void a_custom_name_that_the_list_lacks(struct evidence *e)
{
	the_list_lacks_it(e);
	evidence_set_custom_name(e);
}

static void a_custom_name_and_dns_hostnames_off(struct evidence *e)
{
	a_custom_name_unknown(e);
	evidence_add_control(e);
	e->control.is_service_in_network = CLAIM_UNKNOWN;
	e->control.dns_hostnames = CLAIM_NO;
}

static void a_custom_name_elsewhere(struct evidence *e)
{
	evidence_resolving(e, OUTCOME_DNS_NXDOMAIN, OUTCOME_DNS_TIMEOUT);
	evidence_set_custom_name(e);
	evidence_set_outside(e);
}

static void a_private_zone_without_the_record(struct evidence *e)
{
	evidence_example(DIAGNOSIS_DNS_NO_PRIVATE_ZONE, e);
	evidence_set_resolver(&e->dns.resolvers[0], OUTCOME_DNS_NODATA);
	evidence_set_resolver(&e->dns.resolvers[1], OUTCOME_DNS_NODATA);
}

static void a_wrong_resolver_and_a_foreign_address(struct evidence *e)
{
	evidence_resolving(e, OUTCOME_DNS_NXDOMAIN, OUTCOME_OK);
	evidence_set_answer(&e->dns.resolvers[1].answers[EVIDENCE_A], OUTCOME_OK, "203.0.113.7");
}

static void no_address_where_a_resource_has_one(struct evidence *e)
{
	evidence_resolving(e, OUTCOME_DNS_NODATA, OUTCOME_OK);
	evidence_set_answer(&e->dns.resolvers[1].answers[EVIDENCE_A], OUTCOME_OK, "129.224.3.4");
}

static void one_filters_and_one_does_not_know(struct evidence *e)
{
	evidence_resolving(e, OUTCOME_DNS_NODATA, OUTCOME_OK);
	evidence_add_resolver(e, "192.168.7.54", OUTCOME_DNS_NXDOMAIN)->is_configured = true;
}

static void no_address_and_nobody_to_compare(struct evidence *e)
{
	evidence_resolving(e, OUTCOME_DNS_NODATA, OUTCOME_DNS_TIMEOUT);
}

static void no_address_says_the_vpc_resolver_too(struct evidence *e)
{
	evidence_resolving(e, OUTCOME_DNS_NODATA, OUTCOME_DNS_NODATA);
}

static void no_address_here_no_name_there(struct evidence *e)
{
	evidence_resolving(e, OUTCOME_DNS_NODATA, OUTCOME_DNS_NXDOMAIN);
}

static void an_alias_by_one_witness(struct evidence *e)
{
	evidence_example(DIAGNOSIS_DNS_DANGLING_CNAME, e);
	e->dns.resolver_count = 2;
}

static void an_alias_and_no_address_and_nobody_to_compare(struct evidence *e)
{
	evidence_resolving(e, OUTCOME_DNS_NODATA, OUTCOME_DNS_TIMEOUT);
	evidence_set_custom_name(e);
	e->dns.resolvers[0].answers[EVIDENCE_A].cname_count = 1;
}

static void a_loop_that_the_vpc_resolver_does_not_have(struct evidence *e)
{
	evidence_example(DIAGNOSIS_DNS_CNAME_LOOP, e);
	evidence_set_resolver(&e->dns.resolvers[1], OUTCOME_OK);
}

static void a_setting_for_the_other_family(struct evidence *e)
{
	evidence_healthy(e);
	evidence_clear_paths(e);
	e->target.ip = TARGET_IP_V6;
}

static void a_fallback_that_is_not_the_vpcs(struct evidence *e)
{
	evidence_resolving(e, OUTCOME_DNS_NXDOMAIN, OUTCOME_DNS_TIMEOUT);
	evidence_add_resolver(e, "192.168.7.54", OUTCOME_OK)->is_configured = true;
	evidence_set_exchange(e, EXCHANGE_MAIN, OUTCOME_OK);
}

static void the_fallback_knows_what_the_vpcs_resolver_hides(struct evidence *e)
{
	evidence_resolving(e, OUTCOME_DNS_NXDOMAIN, OUTCOME_DNS_NXDOMAIN);
	e->dns.resolvers[0].is_vpc = true;
	evidence_add_resolver(e, EVIDENCE_OUTSIDE_RESOLVER, OUTCOME_OK)->is_configured = true;
	e->dns.resolvers[2].is_outside = true;
	evidence_set_exchange(e, EXCHANGE_MAIN, OUTCOME_OK);
}

static const struct diagnosis_case names[] = {
	{ "a fallback knows what the VPC's own resolver hides", the_fallback_knows_what_the_vpcs_resolver_hides,
		DIAGNOSIS_DNS_NXDOMAIN, LIKELY, INFERRED, { 0 } },
	{ "a fallback", a_fallback_that_is_not_the_vpcs, DIAGNOSIS_DNS_WRONG_RESOLVER, LIKELY, OBSERVED, { 0 } },
	{ "one witness", one_witness, DIAGNOSIS_DNS_NXDOMAIN, CANDIDATES, INFERRED, { DIAGNOSIS_DNS_NXDOMAIN } },
	{ "one witness, not the VPC's", one_witness_that_is_not_the_vpcs, DIAGNOSIS_DNS_NXDOMAIN, CANDIDATES,
		INFERRED, { DIAGNOSIS_DNS_NXDOMAIN, DIAGNOSIS_DNS_WRONG_RESOLVER } },
	{ "the list lacks it", the_list_lacks_it, DIAGNOSIS_DNS_NXDOMAIN, CERTAIN, DOCUMENTED, { 0 } },
	{ "the list of a shared subnet", the_list_lacks_it_in_a_shared_subnet, DIAGNOSIS_DNS_NXDOMAIN, CANDIDATES,
		INFERRED, { DIAGNOSIS_DNS_NXDOMAIN } },
	{ "the list has it", the_list_has_it, DIAGNOSIS_DNS_NXDOMAIN, LIKELY, INFERRED, { 0 } },
	{ "the outside knows it", the_outside_knows_it, DIAGNOSIS_DNS_NXDOMAIN, LIKELY, INFERRED, { 0 } },
	{ "a custom name", a_custom_name_unknown, DIAGNOSIS_DNS_NXDOMAIN, CANDIDATES, INFERRED,
		{ DIAGNOSIS_DNS_NO_PRIVATE_ZONE, DIAGNOSIS_DNS_NXDOMAIN } },
	{ "a custom name, unknown outside", a_custom_name_unknown_outside_as_well, DIAGNOSIS_DNS_NXDOMAIN,
		CANDIDATES, INFERRED, { DIAGNOSIS_DNS_NO_PRIVATE_ZONE, DIAGNOSIS_DNS_NXDOMAIN } },
	{ "a custom name not in the list", a_custom_name_that_the_list_lacks, DIAGNOSIS_DNS_NXDOMAIN, LIKELY,
		INFERRED, { 0 } },
	{ "DNS hostnames off", a_custom_name_and_dns_hostnames_off, DIAGNOSIS_DNS_NO_PRIVATE_ZONE, LIKELY,
		DOCUMENTED, { 0 } },
	{ "a custom name elsewhere", a_custom_name_elsewhere, DIAGNOSIS_DNS_NXDOMAIN, CANDIDATES, INFERRED,
		{ DIAGNOSIS_DNS_NO_PRIVATE_ZONE, DIAGNOSIS_DNS_NXDOMAIN, DIAGNOSIS_DNS_WRONG_RESOLVER,
		DIAGNOSIS_OUTSIDE_VPC } },
	{ "a zone without the record", a_private_zone_without_the_record, DIAGNOSIS_DNS_NO_PRIVATE_ZONE, LIKELY,
		DOCUMENTED, { 0 } },
	{ "a foreign address", a_wrong_resolver_and_a_foreign_address, DIAGNOSIS_DNS_WRONG_RESOLVER, LIKELY,
		OBSERVED, { 0 } },
	{ "a resource", no_address_where_a_resource_has_one, DIAGNOSIS_DNS_WRONG_RESOLVER, CERTAIN, OBSERVED, { 0 } },
	{ "one filters", one_filters_and_one_does_not_know, DIAGNOSIS_DNS_REBIND_FILTERED, LIKELY, OBSERVED, { 0 } },
	{ "nobody to compare", no_address_and_nobody_to_compare, DIAGNOSIS_DNS_NODATA, CANDIDATES, DOCUMENTED,
		{ DIAGNOSIS_DNS_REBIND_FILTERED, DIAGNOSIS_DNS_NODATA } },
	{ "one witness of no address", no_address_says_the_vpc_resolver_too, DIAGNOSIS_DNS_NODATA, LIKELY,
		DOCUMENTED, { 0 } },
	{ "no address, no name", no_address_here_no_name_there, DIAGNOSIS_DNS_NODATA, CANDIDATES, DOCUMENTED,
		{ DIAGNOSIS_DNS_NODATA, DIAGNOSIS_DNS_NXDOMAIN } },
	{ "an alias by one witness", an_alias_by_one_witness, DIAGNOSIS_DNS_DANGLING_CNAME, LIKELY, DOCUMENTED, { 0 } },
	{ "an alias, nobody to compare", an_alias_and_no_address_and_nobody_to_compare, DIAGNOSIS_DNS_DANGLING_CNAME,
		CANDIDATES, DOCUMENTED, { DIAGNOSIS_DNS_REBIND_FILTERED, DIAGNOSIS_DNS_DANGLING_CNAME } },
	{ "a loop in one view", a_loop_that_the_vpc_resolver_does_not_have, DIAGNOSIS_DNS_CNAME_LOOP, LIKELY,
		DOCUMENTED, { 0 } },
	{ "ip = v6", a_setting_for_the_other_family, DIAGNOSIS_DNS_NO_USABLE_FAMILY, CERTAIN, DOCUMENTED, { 0 } },
};

/* ---- addresses ------------------------------------------------------------------------------------ */

static void silent_at(struct evidence *e, const char *address)
{
	evidence_healthy(e);
	evidence_set_path_address(e, address);
	evidence_set_exchange(e, EXCHANGE_MAIN, OUTCOME_CONNECT_TIMEOUT);
}

static void a_public_address_where_the_vpc_has_another(struct evidence *e)
{
	evidence_resolving(e, OUTCOME_OK, OUTCOME_OK);
	evidence_path(e)->address = evidence_address("203.0.113.7", 443);
	evidence_path(e)->class_ = ADDRESS_CLASS_PUBLIC;
	evidence_set_answer(&e->dns.resolvers[0].answers[EVIDENCE_A], OUTCOME_OK, "203.0.113.7");
	evidence_set_exchange(e, EXCHANGE_MAIN, OUTCOME_CONNECT_TIMEOUT);
}

static void the_vpcs_address_proven(struct evidence *e)
{
	a_public_address_where_the_vpc_has_another(e);
	e->paths[1] = e->paths[0];
	e->paths[1].is_preferred = false;
	e->paths[1].address = evidence_address(EVIDENCE_LATTICE_V4, 443);
	e->paths[1].class_ = ADDRESS_CLASS_LATTICE;
	e->paths[1].exchanges[EXCHANGE_MAIN].outcome = OUTCOME_OK;
	e->paths[1].exchanges[EXCHANGE_MAIN].stage = HTTP_STAGE_DONE;
	e->path_count = 2;
}

static void an_association_where_the_vpc_has_an_endpoint(struct evidence *e)
{
	evidence_resolving(e, OUTCOME_OK, OUTCOME_OK);
	evidence_set_answer(&e->dns.resolvers[1].answers[EVIDENCE_A], OUTCOME_OK, "10.0.3.4");
	evidence_set_exchange(e, EXCHANGE_MAIN, OUTCOME_CONNECT_TIMEOUT);
}

static void a_custom_name_with_a_public_zone(struct evidence *e)
{
	silent_at(e, "203.0.113.7");
	evidence_set_custom_name(e);
	(void)snprintf(e->dns.generated_name, sizeof e->dns.generated_name, "%s", EVIDENCE_SERVICE);
	evidence_set_answer(&e->dns.generated[EVIDENCE_A], OUTCOME_OK, EVIDENCE_LATTICE_V4);
}

static void a_custom_name_at_a_public_address(struct evidence *e)
{
	silent_at(e, "203.0.113.7");
	evidence_set_custom_name(e);
}

static void a_private_address_elsewhere(struct evidence *e)
{
	silent_at(e, "10.77.0.4");
}

static void an_endpoint_elsewhere(struct evidence *e)
{
	silent_at(e, "10.77.0.4");
	e->target.name = EVIDENCE_NAME_ENDPOINT;
}

static void another_link_local_address(struct evidence *e)
{
	silent_at(e, "169.254.99.4");
}

static void a_sinkhole(struct evidence *e)
{
	silent_at(e, "0.0.0.0");
	evidence_set_exchange(e, EXCHANGE_MAIN, OUTCOME_CONNECT_REFUSED);
	evidence_path(e)->route.kind = ROUTE_LOCAL;
}

static void a_public_address_that_refuses(struct evidence *e)
{
	silent_at(e, "203.0.113.7");
	evidence_set_exchange(e, EXCHANGE_MAIN, OUTCOME_CONNECT_REFUSED);
}

static void a_literal_public_address(struct evidence *e)
{
	silent_at(e, "203.0.113.7");
	e->target.name = EVIDENCE_NAME_LITERAL;
	memset(&e->dns, 0, sizeof e->dns);
}

static void one_family_and_the_other_not_heard(struct evidence *e)
{
	evidence_example(DIAGNOSIS_DNS_NO_USABLE_FAMILY, e);
	evidence_set_answer(&e->dns.resolvers[0].answers[EVIDENCE_A], OUTCOME_DNS_TIMEOUT, NULL);
}

static void ipv6_switched_off(struct evidence *e)
{
	evidence_example(DIAGNOSIS_DNS_NO_USABLE_FAMILY, e);
	evidence_set_exchange(e, EXCHANGE_MAIN, OUTCOME_LOCAL_FAULT);
	main_of(e)->os_errno = EADDRNOTAVAIL;
}

static void ipv6_by_an_unreachable_default(struct evidence *e)
{
	evidence_example(DIAGNOSIS_DNS_NO_USABLE_FAMILY, e);
	evidence_path(e)->route.kind = ROUTE_UNREACHABLE;
	evidence_path(e)->route.error = EHOSTUNREACH;
}

static const struct diagnosis_case addresses[] = {
	{ "public, the VPC has another", a_public_address_where_the_vpc_has_another, DIAGNOSIS_DNS_WRONG_RESOLVER,
		LIKELY, OBSERVED, { 0 } },
	{ "the VPC's proven", the_vpcs_address_proven, DIAGNOSIS_DNS_WRONG_RESOLVER, CERTAIN, OBSERVED, { 0 } },
	{ "an endpoint in the VPC's view", an_association_where_the_vpc_has_an_endpoint, DIAGNOSIS_DNS_WRONG_RESOLVER,
		LIKELY, OBSERVED, { 0 } },
	{ "a public zone", a_custom_name_with_a_public_zone, DIAGNOSIS_DNS_NO_PRIVATE_ZONE, LIKELY, DOCUMENTED, { 0 } },
	{ "a custom name, public", a_custom_name_at_a_public_address, DIAGNOSIS_DNS_UNEXPECTED_ADDRESS, CANDIDATES,
		INFERRED, { DIAGNOSIS_DNS_NO_PRIVATE_ZONE, DIAGNOSIS_DNS_UNEXPECTED_ADDRESS, DIAGNOSIS_PATH_SILENT } },
	{ "private elsewhere", a_private_address_elsewhere, DIAGNOSIS_DNS_UNEXPECTED_ADDRESS, CANDIDATES, INFERRED,
		{ DIAGNOSIS_DNS_UNEXPECTED_ADDRESS, DIAGNOSIS_PATH_SILENT } },
	{ "an endpoint elsewhere", an_endpoint_elsewhere, DIAGNOSIS_PATH_SILENT, CANDIDATES, INFERRED,
		{ DIAGNOSIS_PATH_SILENT, DIAGNOSIS_INSTANCE_SG_BLOCKS } },
	{ "link-local", another_link_local_address, DIAGNOSIS_DNS_UNEXPECTED_ADDRESS, CANDIDATES, INFERRED,
		{ DIAGNOSIS_DNS_UNEXPECTED_ADDRESS, DIAGNOSIS_PATH_SILENT } },
	{ "a sinkhole", a_sinkhole, DIAGNOSIS_DNS_UNEXPECTED_ADDRESS, LIKELY, INFERRED, { 0 } },
	{ "public, refuses", a_public_address_that_refuses, DIAGNOSIS_CONNECT_REFUSED, LIKELY, DOCUMENTED, { 0 } },
	{ "a literal", a_literal_public_address, DIAGNOSIS_PATH_SILENT, CANDIDATES, INFERRED,
		{ DIAGNOSIS_PATH_SILENT, DIAGNOSIS_INSTANCE_SG_BLOCKS } },
	{ "the other family not heard", one_family_and_the_other_not_heard, DIAGNOSIS_DNS_NO_USABLE_FAMILY, LIKELY,
		DOCUMENTED, { 0 } },
	{ "IPv6 switched off", ipv6_switched_off, DIAGNOSIS_DNS_NO_USABLE_FAMILY, CERTAIN, DOCUMENTED, { 0 } },
	{ "IPv6 by an unreachable default", ipv6_by_an_unreachable_default, DIAGNOSIS_DNS_NO_USABLE_FAMILY, CERTAIN,
		DOCUMENTED, { 0 } },
};

static void silent_resolvers_are_told_apart(void **state)
{
	(void)state;
	diagnosis_check_cases(silence, COUNT(silence));
}

static void missing_names_are_told_apart(void **state)
{
	(void)state;
	diagnosis_check_cases(names, COUNT(names));
}

static void wrong_addresses_are_told_apart(void **state)
{
	(void)state;
	diagnosis_check_cases(addresses, COUNT(addresses));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(silent_resolvers_are_told_apart),
		cmocka_unit_test(missing_names_are_told_apart),
		cmocka_unit_test(wrong_addresses_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
