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

#include "lattice-probe/units.h"

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

/* ---- routes ----------------------------------------------------------------------------------------- */

static void outside_without_firmware(struct evidence *e)
{
	evidence_example(DIAGNOSIS_OUTSIDE_VPC, e);
	e->where.platform = HOST_PLATFORM_UNKNOWN;
}

static void outside_and_metadata_not_asked(struct evidence *e)
{
	evidence_example(DIAGNOSIS_OUTSIDE_VPC, e);
	e->where.imds = EVIDENCE_IMDS_NOT_ASKED;
}

static void outside_and_the_vpc_resolver_not_asked(struct evidence *e)
{
	outside_without_firmware(e);
	e->dns.resolver_count = 1;
}

static void a_hardened_instance(struct evidence *e)
{
	evidence_failing(e, OUTCOME_CONNECT_TIMEOUT);
	e->where.imds = EVIDENCE_IMDS_SILENT;
}

static void a_guest_on_metal(struct evidence *e)
{
	evidence_failing(e, OUTCOME_CONNECT_TIMEOUT);
	evidence_set_outside(e);
}

static void outside_without_a_route(struct evidence *e)
{
	evidence_example(DIAGNOSIS_OUTSIDE_VPC, e);
	evidence_set_exchange(e, EXCHANGE_MAIN, OUTCOME_CONNECT_UNREACHABLE);
}

static void outside_and_denied(struct evidence *e)
{
	evidence_example(DIAGNOSIS_OUTSIDE_VPC, e);
	evidence_set_exchange(e, EXCHANGE_MAIN, OUTCOME_CONNECT_DENIED);
}

static void no_route_and_nothing_known_of_the_host(struct evidence *e)
{
	evidence_example(DIAGNOSIS_ROUTE_MISSING, e);
	memset(&e->where, 0, sizeof e->where);
}

static void an_unreachable_rule(struct evidence *e)
{
	evidence_example(DIAGNOSIS_ROUTE_MISSING, e);
	e->where.has_ipv4_default = true;
}

static void zeroconf_not_yet_failed(struct evidence *e)
{
	evidence_example(DIAGNOSIS_ROUTE_ZEROCONF, e);
	evidence_path(e)->neighbour_after = ROUTE_NEIGHBOUR_INCOMPLETE;
	main_of(e)->total_us = 200 * US_PER_MS;
}

static void zeroconf_that_the_link_answers(struct evidence *e)
{
	evidence_example(DIAGNOSIS_ROUTE_ZEROCONF, e);
	evidence_path(e)->neighbour_after = ROUTE_NEIGHBOUR_REACHABLE;
}

static void a_blackhole_and_a_timeout(struct evidence *e)
{
	evidence_example(DIAGNOSIS_ROUTE_DIVERTED, e);
	main_of(e)->outcome = OUTCOME_CONNECT_TIMEOUT;
}

static void a_prohibit_rule(struct evidence *e)
{
	evidence_example(DIAGNOSIS_ROUTE_DIVERTED, e);
	main_of(e)->os_errno = EACCES;
	evidence_path(e)->route.kind = ROUTE_PROHIBIT;
	evidence_path(e)->route.error = EACCES;
}

static void another_device(struct evidence *e)
{
	evidence_failing(e, OUTCOME_CONNECT_TIMEOUT);
	evidence_path(e)->has_other_device = true;
	evidence_path(e)->route.prefix_length = 24;
	(void)snprintf(evidence_path(e)->route.device, IF_NAMESIZE, "tun0");
}

static void nobody_heard_without_a_route(struct evidence *e)
{
	outside_without_a_route(e);
	e->where.platform = HOST_PLATFORM_UNKNOWN;
}

static void an_endpoint_by_another_device(struct evidence *e)
{
	another_device(e);
	evidence_set_path_address(e, "10.0.3.4");
}

static void an_address_of_this_host(struct evidence *e)
{
	evidence_failing(e, OUTCOME_CONNECT_REFUSED);
	evidence_path(e)->route.kind = ROUTE_LOCAL;
}

static void denied_with_eacces(struct evidence *e)
{
	evidence_example(DIAGNOSIS_LOCAL_FIREWALL, e);
	main_of(e)->os_errno = EACCES;
}

static void denied_and_no_route_known(struct evidence *e)
{
	evidence_example(DIAGNOSIS_LOCAL_FIREWALL, e);
	memset(&evidence_path(e)->route, 0, sizeof evidence_path(e)->route);
}

static void own_retransmissions_dropped(struct evidence *e)
{
	evidence_failing(e, OUTCOME_CONNECT_TIMEOUT);
	main_of(e)->local_drops = 2;
}

static void unreachable_by_somebody(struct evidence *e)
{
	evidence_failing(e, OUTCOME_CONNECT_TIMEOUT);
	main_of(e)->outcome = OUTCOME_CONNECT_UNREACHABLE;
	main_of(e)->os_errno = EHOSTUNREACH;
}

static const struct diagnosis_case routes[] = {
	{ "outside, no firmware", outside_without_firmware, DIAGNOSIS_OUTSIDE_VPC, LIKELY, DOCUMENTED, { 0 } },
	{ "outside, IMDS not asked", outside_and_metadata_not_asked, DIAGNOSIS_OUTSIDE_VPC, LIKELY, DOCUMENTED, { 0 } },
	{ "outside, VPC resolver not asked", outside_and_the_vpc_resolver_not_asked, DIAGNOSIS_PATH_SILENT,
		CANDIDATES, INFERRED, { DIAGNOSIS_OUTSIDE_VPC, DIAGNOSIS_VPC_NOT_ASSOCIATED } },
	{ "a hardened instance", a_hardened_instance, DIAGNOSIS_PATH_SILENT, CANDIDATES, INFERRED,
		{ DIAGNOSIS_VPC_NOT_ASSOCIATED, DIAGNOSIS_ASSOCIATION_SG_BLOCKS, DIAGNOSIS_INSTANCE_SG_BLOCKS,
		DIAGNOSIS_NACL_BLOCKS, DIAGNOSIS_LOCAL_FIREWALL } },
	{ "a guest on metal", a_guest_on_metal, DIAGNOSIS_PATH_SILENT, CANDIDATES, INFERRED,
		{ DIAGNOSIS_VPC_NOT_ASSOCIATED } },
	{ "outside, no route", outside_without_a_route, DIAGNOSIS_OUTSIDE_VPC, LIKELY, DOCUMENTED, { 0 } },
	{ "nobody heard, no route", nobody_heard_without_a_route, DIAGNOSIS_ROUTE_MISSING, LIKELY, DOCUMENTED, { 0 } },
	{ "an endpoint by another device", an_endpoint_by_another_device, DIAGNOSIS_ROUTE_DIVERTED, CANDIDATES,
		OBSERVED, { DIAGNOSIS_ROUTE_DIVERTED, DIAGNOSIS_PATH_SILENT } },
	{ "outside, denied", outside_and_denied, DIAGNOSIS_LOCAL_FIREWALL, CERTAIN, OBSERVED, { 0 } },
	{ "no route, unknown host", no_route_and_nothing_known_of_the_host, DIAGNOSIS_ROUTE_MISSING, LIKELY,
		DOCUMENTED, { 0 } },
	{ "an unreachable rule", an_unreachable_rule, DIAGNOSIS_ROUTE_DIVERTED, LIKELY, OBSERVED, { 0 } },
	{ "zeroconf, not yet failed", zeroconf_not_yet_failed, DIAGNOSIS_ROUTE_ZEROCONF, LIKELY, OBSERVED, { 0 } },
	{ "zeroconf, answered", zeroconf_that_the_link_answers, DIAGNOSIS_PATH_SILENT, CANDIDATES, INFERRED, { 0 } },
	{ "a blackhole, timeout", a_blackhole_and_a_timeout, DIAGNOSIS_ROUTE_DIVERTED, LIKELY, OBSERVED, { 0 } },
	{ "prohibit", a_prohibit_rule, DIAGNOSIS_ROUTE_DIVERTED, CERTAIN, OBSERVED, { 0 } },
	{ "another device", another_device, DIAGNOSIS_ROUTE_DIVERTED, LIKELY, OBSERVED, { 0 } },
	{ "this host's address", an_address_of_this_host, DIAGNOSIS_ROUTE_DIVERTED, LIKELY, OBSERVED, { 0 } },
	{ "EACCES", denied_with_eacces, DIAGNOSIS_LOCAL_FIREWALL, LIKELY, OBSERVED, { 0 } },
	{ "denied, no route known", denied_and_no_route_known, DIAGNOSIS_LOCAL_FIREWALL, CANDIDATES, OBSERVED,
		{ DIAGNOSIS_LOCAL_FIREWALL, DIAGNOSIS_ROUTE_DIVERTED } },
	{ "own drops", own_retransmissions_dropped, DIAGNOSIS_LOCAL_FIREWALL, LIKELY, OBSERVED, { 0 } },
	{ "unreachable by somebody", unreachable_by_somebody, DIAGNOSIS_UNDETERMINED, CANDIDATES, INFERRED,
		{ DIAGNOSIS_LOCAL_FIREWALL, DIAGNOSIS_ROUTE_DIVERTED, DIAGNOSIS_VPC_NOT_ASSOCIATED } },
};

/* ---- blocks ------------------------------------------------------------------------------------------- */

static void silent_with_claims(struct evidence *e)
{
	evidence_example(DIAGNOSIS_PATH_SILENT, e);
}

static void not_associated_in_a_shared_subnet(struct evidence *e)
{
	evidence_example(DIAGNOSIS_VPC_NOT_ASSOCIATED, e);
	e->control.owns_vpc = CLAIM_NO;
}

static void an_association_that_failed(struct evidence *e)
{
	not_associated_in_a_shared_subnet(e);
	(void)snprintf(e->control.association_status, sizeof e->control.association_status, "CREATE_FAILED");
}

static void a_list_that_was_refused(struct evidence *e)
{
	evidence_example(DIAGNOSIS_VPC_NOT_ASSOCIATED, e);
	e->control.ends[CONTROL_VPC_ASSOCIATIONS] = CONTROL_DENIED;
}

static void a_zone_and_nothing_else_known(struct evidence *e)
{
	evidence_example(DIAGNOSIS_AZ_UNSUPPORTED, e);
	e->control.nacl_allows_back = CLAIM_UNKNOWN;
}

static void a_zone_without_the_control_plane(struct evidence *e)
{
	evidence_example(DIAGNOSIS_AZ_UNSUPPORTED, e);
	memset(&e->control, 0, sizeof e->control);
}

static void a_group_and_an_unknown_association(struct evidence *e)
{
	evidence_example(DIAGNOSIS_INSTANCE_SG_BLOCKS, e);
	e->control.is_associated = CLAIM_UNKNOWN;
}

static void a_group_and_an_unknown_acl(struct evidence *e)
{
	evidence_example(DIAGNOSIS_ASSOCIATION_SG_BLOCKS, e);
	e->control.nacl_allows_out = CLAIM_UNKNOWN;
}

static void two_blocks(struct evidence *e)
{
	evidence_example(DIAGNOSIS_ASSOCIATION_SG_BLOCKS, e);
	e->control.instance_sg_allows = CLAIM_NO;
}

static void a_group_and_an_odd_route(struct evidence *e)
{
	evidence_example(DIAGNOSIS_INSTANCE_SG_BLOCKS, e);
	memset(&evidence_path(e)->route, 0, sizeof evidence_path(e)->route);
}

static void an_acl_that_blocks_the_way_out(struct evidence *e)
{
	evidence_example(DIAGNOSIS_NACL_BLOCKS, e);
	e->control.nacl_allows_back = CLAIM_YES;
	e->control.nacl_allows_out = CLAIM_NO;
}

static void a_silent_endpoint(struct evidence *e)
{
	evidence_example(DIAGNOSIS_PATH_SILENT, e);
	evidence_set_path_address(e, "10.0.3.4");
}

static void a_silent_endpoint_without_claims(struct evidence *e)
{
	a_silent_endpoint(e);
	memset(&e->control, 0, sizeof e->control);
}

static void an_endpoint_of_a_vpc_without_association(struct evidence *e)
{
	a_silent_endpoint(e);
	e->control.is_associated = CLAIM_NO;
	e->control.association_sg_allows = CLAIM_NO;
}

static void another_address_connects(struct evidence *e)
{
	evidence_example(DIAGNOSIS_VPC_NOT_ASSOCIATED, e);
	e->paths[1] = e->paths[0];
	e->paths[1].is_preferred = false;
	e->paths[1].exchanges[EXCHANGE_MAIN].outcome = OUTCOME_OK;
	e->paths[1].exchanges[EXCHANGE_MAIN].stage = HTTP_STAGE_DONE;
	e->path_count = 2;
}

static void claims_of_a_host_without_metadata(struct evidence *e)
{
	evidence_example(DIAGNOSIS_INSTANCE_SG_BLOCKS, e);
	e->where.imds = EVIDENCE_IMDS_SILENT;
}

static void refused_everywhere(struct evidence *e)
{
	evidence_failing(e, OUTCOME_CONNECT_REFUSED);
}

static void small_segments_that_end_otherwise(struct evidence *e)
{
	evidence_example(DIAGNOSIS_PMTU_BLACKHOLE, e);
	evidence_path(e)->exchanges[EXCHANGE_SMALL_SEGMENTS].outcome = OUTCOME_HTTP_STATUS;
}

static void small_segments_against_an_ordinary_mtu(struct evidence *e)
{
	evidence_example(DIAGNOSIS_PMTU_BLACKHOLE, e);
	main_of(e)->mss_bytes = 1460;
}

static void a_large_response_that_stalls(struct evidence *e)
{
	evidence_example(DIAGNOSIS_RESPONSE_STALLED, e);
	main_of(e)->mss_bytes = 8961;
	evidence_set_exchange(e, EXCHANGE_SMALL_SEGMENTS, OUTCOME_OK);
}

static const struct diagnosis_case blocks[] = {
	{ "all claims hold", silent_with_claims, DIAGNOSIS_PATH_SILENT, LIKELY, INFERRED, { 0 } },
	{ "a shared subnet", not_associated_in_a_shared_subnet, DIAGNOSIS_PATH_SILENT, CANDIDATES, INFERRED,
		{ DIAGNOSIS_VPC_NOT_ASSOCIATED, DIAGNOSIS_ASSOCIATION_SG_BLOCKS, DIAGNOSIS_LOCAL_FIREWALL } },
	{ "a failed association", an_association_that_failed, DIAGNOSIS_VPC_NOT_ASSOCIATED, CERTAIN, DOCUMENTED, { 0 } },
	{ "a refused list", a_list_that_was_refused, DIAGNOSIS_PATH_SILENT, CANDIDATES, INFERRED,
		{ DIAGNOSIS_VPC_NOT_ASSOCIATED } },
	{ "a zone, not all known", a_zone_and_nothing_else_known, DIAGNOSIS_AZ_UNSUPPORTED, LIKELY, DOCUMENTED, { 0 } },
	{ "a zone alone", a_zone_without_the_control_plane, DIAGNOSIS_PATH_SILENT, CANDIDATES, INFERRED,
		{ DIAGNOSIS_AZ_UNSUPPORTED, DIAGNOSIS_VPC_NOT_ASSOCIATED } },
	{ "a group, association unknown", a_group_and_an_unknown_association, DIAGNOSIS_INSTANCE_SG_BLOCKS, LIKELY,
		DOCUMENTED, { 0 } },
	{ "a group, ACL unknown", a_group_and_an_unknown_acl, DIAGNOSIS_ASSOCIATION_SG_BLOCKS, LIKELY, DOCUMENTED,
		{ 0 } },
	{ "two blocks", two_blocks, DIAGNOSIS_INSTANCE_SG_BLOCKS, CERTAIN, DOCUMENTED, { 0 } },
	{ "a group, route unknown", a_group_and_an_odd_route, DIAGNOSIS_INSTANCE_SG_BLOCKS, LIKELY, DOCUMENTED, { 0 } },
	{ "ACL, the way out", an_acl_that_blocks_the_way_out, DIAGNOSIS_NACL_BLOCKS, CERTAIN, DOCUMENTED, { 0 } },
	{ "a silent endpoint", a_silent_endpoint, DIAGNOSIS_PATH_SILENT, LIKELY, INFERRED, { 0 } },
	{ "a silent endpoint, no claims", a_silent_endpoint_without_claims, DIAGNOSIS_PATH_SILENT, CANDIDATES,
		INFERRED, { DIAGNOSIS_PATH_SILENT, DIAGNOSIS_INSTANCE_SG_BLOCKS, DIAGNOSIS_NACL_BLOCKS,
		DIAGNOSIS_LOCAL_FIREWALL } },
	{ "an endpoint, no association", an_endpoint_of_a_vpc_without_association, DIAGNOSIS_PATH_SILENT, LIKELY,
		INFERRED, { 0 } },
	{ "another address connects", another_address_connects, DIAGNOSIS_PATH_SILENT, CANDIDATES, INFERRED,
		{ DIAGNOSIS_ASSOCIATION_SG_BLOCKS, DIAGNOSIS_LOCAL_FIREWALL } },
	{ "claims without metadata", claims_of_a_host_without_metadata, DIAGNOSIS_PATH_SILENT, CANDIDATES, INFERRED,
		{ DIAGNOSIS_VPC_NOT_ASSOCIATED } },
	{ "refused everywhere", refused_everywhere, DIAGNOSIS_CONNECT_REFUSED, LIKELY, DOCUMENTED, { 0 } },
	{ "small segments, another end", small_segments_that_end_otherwise, DIAGNOSIS_PMTU_BLACKHOLE, LIKELY,
		OBSERVED, { 0 } },
	{ "small segments, ordinary MTU", small_segments_against_an_ordinary_mtu, DIAGNOSIS_PMTU_BLACKHOLE, LIKELY,
		OBSERVED, { 0 } },
	{ "a large response", a_large_response_that_stalls, DIAGNOSIS_PMTU_BLACKHOLE, CERTAIN, OBSERVED, { 0 } },
};

static void this_hosts_own_faults_are_told_apart(void **state)
{
	(void)state;
	diagnosis_check_cases(routes, COUNT(routes));
}

static void blocks_on_the_way_are_told_apart(void **state)
{
	(void)state;
	diagnosis_check_cases(blocks, COUNT(blocks));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(this_hosts_own_faults_are_told_apart),
		cmocka_unit_test(blocks_on_the_way_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
