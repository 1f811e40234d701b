/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence_examples.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lattice-probe/units.h"

static struct evidence_exchange *exchange_of(struct evidence *evidence, enum evidence_exchange_kind kind)
{
	return &evidence_path(evidence)->exchanges[kind];
}

/* ---- DNS ------------------------------------------------------------------------------------ */

static void undetermined(struct evidence *e)
{
	evidence_failing(e, OUTCOME_LOCAL_FAULT);
}

static void dns_resolver_silent(struct evidence *e)
{
	evidence_resolving(e, OUTCOME_DNS_TIMEOUT, OUTCOME_OK);
}

static void dns_vpc_resolver_silent(struct evidence *e)
{
	evidence_resolving(e, OUTCOME_DNS_TIMEOUT, OUTCOME_DNS_TIMEOUT);
	evidence_add_control(e);
	e->control.dns_support = CLAIM_NO;
}

static void dns_throttled(struct evidence *e)
{
	struct evidence_resolver *resolver = &e->dns.resolvers[0];

	evidence_healthy(e);
	evidence_clear_paths(e);
	evidence_set_resolver(resolver, OUTCOME_DNS_TIMEOUT);
	resolver->asked = 12;
	resolver->answered = 7;
	e->dns.counts_drops = true;
	e->dns.link_local_drops = 431;
}

static void dns_servfail(struct evidence *e)
{
	evidence_resolving(e, OUTCOME_DNS_SERVFAIL, OUTCOME_OK);
}

static void dns_refused(struct evidence *e)
{
	evidence_resolving(e, OUTCOME_DNS_REFUSED, OUTCOME_OK);
}

static void dns_bad_reply(struct evidence *e)
{
	evidence_resolving(e, OUTCOME_DNS_BAD_REPLY, OUTCOME_OK);
}

static void dns_wrong_resolver(struct evidence *e)
{
	evidence_resolving(e, OUTCOME_DNS_NXDOMAIN, OUTCOME_OK);
}

static void dns_rebind_filtered(struct evidence *e)
{
	evidence_resolving(e, OUTCOME_DNS_NODATA, OUTCOME_OK);
}

static void dns_cname_loop(struct evidence *e)
{
	evidence_resolving(e, OUTCOME_DNS_BAD_REPLY, OUTCOME_DNS_BAD_REPLY);
	evidence_set_custom_name(e);
	e->dns.resolvers[0].answers[EVIDENCE_A].is_cname_loop = true;
	e->dns.resolvers[0].answers[EVIDENCE_A].cname_count = 2;
}

static void dns_dangling_cname(struct evidence *e)
{
	struct evidence_resolver *outside;

	evidence_resolving(e, OUTCOME_DNS_NXDOMAIN, OUTCOME_DNS_NXDOMAIN);
	evidence_set_custom_name(e);
	outside = evidence_add_resolver(e, EVIDENCE_OUTSIDE_RESOLVER, OUTCOME_DNS_NXDOMAIN);
	outside->is_outside = true;
	for (size_t i = 0; i < e->dns.resolver_count; i++) {
		struct evidence_answer *answer = &e->dns.resolvers[i].answers[EVIDENCE_A];

		answer->cname_count = 1;
		(void)snprintf(answer->cname, sizeof answer->cname, "%s", EVIDENCE_SERVICE);
	}
}

static void dns_no_private_zone(struct evidence *e)
{
	evidence_resolving(e, OUTCOME_DNS_NXDOMAIN, OUTCOME_DNS_NXDOMAIN);
	evidence_set_custom_name(e);
	(void)snprintf(e->dns.generated_name, sizeof e->dns.generated_name, "%s", EVIDENCE_SERVICE);
	evidence_set_answer(&e->dns.generated[EVIDENCE_A], OUTCOME_OK, EVIDENCE_LATTICE_V4);
}

static void dns_nxdomain(struct evidence *e)
{
	evidence_resolving(e, OUTCOME_DNS_NXDOMAIN, OUTCOME_DNS_NXDOMAIN);
	evidence_add_resolver(e, EVIDENCE_OUTSIDE_RESOLVER, OUTCOME_DNS_NXDOMAIN)->is_outside = true;
}

static void dns_nodata(struct evidence *e)
{
	evidence_resolving(e, OUTCOME_DNS_NODATA, OUTCOME_DNS_NODATA);
	evidence_add_resolver(e, EVIDENCE_OUTSIDE_RESOLVER, OUTCOME_DNS_NODATA)->is_outside = true;
}

static void dns_no_usable_family(struct evidence *e)
{
	evidence_healthy(e);
	evidence_set_path_address(e, EVIDENCE_LATTICE_V6);
	evidence_set_exchange(e, EXCHANGE_MAIN, OUTCOME_CONNECT_UNREACHABLE);
	e->where.has_ipv4_default = true;
}

static void dns_unexpected_address(struct evidence *e)
{
	evidence_healthy(e);
	evidence_set_path_address(e, "203.0.113.7");
	evidence_set_exchange(e, EXCHANGE_MAIN, OUTCOME_CONNECT_TIMEOUT);
}

static void dns_denied_address(struct evidence *e)
{
	evidence_healthy(e);
	evidence_set_path_address(e, "169.254.169.254");
	evidence_set_exchange(e, EXCHANGE_MAIN, OUTCOME_LOCAL_DENIED);
}

/* ---- route ---------------------------------------------------------------------------------- */

static void outside_vpc(struct evidence *e)
{
	evidence_failing(e, OUTCOME_CONNECT_TIMEOUT);
	e->dns.resolvers[0].is_vpc = false;
	evidence_add_resolver(e, "169.254.169.253", OUTCOME_DNS_TIMEOUT)->is_vpc = true;
	evidence_set_outside(e);
}

static void route_missing(struct evidence *e)
{
	evidence_failing(e, OUTCOME_CONNECT_UNREACHABLE);
}

static void route_zeroconf(struct evidence *e)
{
	struct evidence_path *path;

	evidence_failing(e, OUTCOME_CONNECT_TIMEOUT);
	path = evidence_path(e);
	path->route.prefix = evidence_address("169.254.0.0", 0);
	path->route.prefix_length = 16;
	path->route.is_link_scope = true;
	path->route.gateway = (union address){ 0 };
	path->neighbour_before = ROUTE_NEIGHBOUR_NONE;
	path->neighbour_after = ROUTE_NEIGHBOUR_FAILED;
}

static void route_diverted(struct evidence *e)
{
	evidence_failing(e, OUTCOME_CONNECT_DENIED);
	evidence_path(e)->exchanges[EXCHANGE_MAIN].os_errno = EINVAL;
	evidence_path(e)->route = (struct route){ .kind = ROUTE_BLACKHOLE, .error = EINVAL, .prefix_length = -1 };
}

static void local_firewall(struct evidence *e)
{
	evidence_failing(e, OUTCOME_CONNECT_DENIED);
}

/* ---- connect -------------------------------------------------------------------------------- */

static void blocked(struct evidence *e)
{
	evidence_failing(e, OUTCOME_CONNECT_TIMEOUT);
	evidence_add_control(e);
}

static void vpc_not_associated(struct evidence *e)
{
	blocked(e);
	e->control.is_associated = CLAIM_NO;
	e->control.has_route = CLAIM_NO;
	e->control.association_sg_allows = CLAIM_UNKNOWN;
	e->control.association_id[0] = '\0';
	e->control.association_status[0] = '\0';
}

static void az_unsupported(struct evidence *e)
{
	blocked(e);
	(void)snprintf(e->where.facts.availability_zone_id, sizeof e->where.facts.availability_zone_id, "euw1-az4");
}

static void instance_sg_blocks(struct evidence *e)
{
	blocked(e);
	e->control.instance_sg_allows = CLAIM_NO;
	(void)snprintf(e->control.blocked_by, sizeof e->control.blocked_by, "sg-0123456789abcdef0");
}

static void nacl_blocks(struct evidence *e)
{
	blocked(e);
	e->control.nacl_allows_back = CLAIM_NO;
	(void)snprintf(e->control.blocked_by, sizeof e->control.blocked_by, "acl-0123456789abcdef0");
}

static void association_sg_blocks(struct evidence *e)
{
	blocked(e);
	e->control.association_sg_allows = CLAIM_NO;
	(void)snprintf(e->control.blocked_by, sizeof e->control.blocked_by, "sg-0fedcba9876543210");
}

static void connect_refused(struct evidence *e)
{
	evidence_failing(e, OUTCOME_CONNECT_REFUSED);
	evidence_set_exchange(e, EXCHANGE_OTHER_PORT, OUTCOME_OK);
	exchange_of(e, EXCHANGE_OTHER_PORT)->port = 80;
}

static void pmtu_blackhole(struct evidence *e)
{
	evidence_failing(e, OUTCOME_TLS_TIMEOUT);
	exchange_of(e, EXCHANGE_MAIN)->mss_bytes = 8961;
	evidence_set_exchange(e, EXCHANGE_SMALL_SEGMENTS, OUTCOME_OK);
}

/* ---- TLS ------------------------------------------------------------------------------------ */

static void tls_on_http_port(struct evidence *e)
{
	evidence_failing(e, OUTCOME_TLS_HANDSHAKE);
	exchange_of(e, EXCHANGE_MAIN)->is_not_tls = true;
	evidence_set_exchange(e, EXCHANGE_OTHER_SCHEME, OUTCOME_OK);
}

static void tls_unknown_name(struct evidence *e)
{
	evidence_failing(e, OUTCOME_TLS_HANDSHAKE);
	evidence_set_custom_name(e);
	exchange_of(e, EXCHANGE_MAIN)->tls_alert = 112;
	evidence_set_exchange(e, EXCHANGE_OTHER_NAME, OUTCOME_OK);
}

static void tls_silent(struct evidence *e)
{
	evidence_failing(e, OUTCOME_TLS_TIMEOUT);
	evidence_set_exchange(e, EXCHANGE_SMALL_SEGMENTS, OUTCOME_TLS_TIMEOUT);
}

static void tls_name_mismatch(struct evidence *e)
{
	evidence_failing(e, OUTCOME_TLS_NAME);
	(void)snprintf(exchange_of(e, EXCHANGE_MAIN)->certificate_subject, 128, "CN=other.example.com");
}

static void tls_expired(struct evidence *e)
{
	evidence_failing(e, OUTCOME_TLS_EXPIRED);
	exchange_of(e, EXCHANGE_MAIN)->certificate_days = -9;
}

static void tls_untrusted(struct evidence *e)
{
	evidence_failing(e, OUTCOME_TLS_UNTRUSTED);
	(void)snprintf(exchange_of(e, EXCHANGE_MAIN)->certificate_issuer, 128, "CN=Example Private CA");
}

static void tls_failed(struct evidence *e)
{
	evidence_failing(e, OUTCOME_TLS_HANDSHAKE);
	exchange_of(e, EXCHANGE_MAIN)->tls_alert = 70;
}

/* ---- HTTP ----------------------------------------------------------------------------------- */

static void http_on_tls_port(struct evidence *e)
{
	evidence_failing(e, OUTCOME_HTTP_RESET);
	evidence_set_plain_http(e);
	evidence_set_exchange(e, EXCHANGE_OTHER_SCHEME, OUTCOME_OK);
}

static void auth_denied(struct evidence *e)
{
	struct evidence_exchange *main;

	evidence_healthy(e);
	evidence_set_status(e, 403);
	main = exchange_of(e, EXCHANGE_MAIN);
	main->outcome = OUTCOME_LATTICE_AUTH_DENIED;
	main->is_bare = false;
	main->received_bytes = 260;
	main->is_lattice_denial = true;
	main->denies_anonymous = true;
	(void)snprintf(main->denied_by, sizeof main->denied_by, "service-based");
}

static void auth_signature(struct evidence *e)
{
	struct evidence_exchange *main;

	evidence_healthy(e);
	evidence_set_status(e, 403);
	main = exchange_of(e, EXCHANGE_MAIN);
	e->target.is_signed = true;
	main->is_bare = false;
	main->received_bytes = 90;
	main->denies_signature = true;
	main->has_date = true;
	main->skew_us = 900 * US_PER_S;
}

static void from_lattice(struct evidence *e, int status)
{
	evidence_healthy(e);
	evidence_set_status(e, status);
	exchange_of(e, EXCHANGE_MAIN)->has_request_id = true;
	exchange_of(e, EXCHANGE_MAIN)->echoes_request_id = true;
}

static void lattice_no_route(struct evidence *e)
{
	from_lattice(e, 404);
}

static void target_unavailable(struct evidence *e)
{
	from_lattice(e, 503);
}

static void from_application(struct evidence *e, int status)
{
	from_lattice(e, status);
	exchange_of(e, EXCHANGE_MAIN)->is_bare = false;
	exchange_of(e, EXCHANGE_MAIN)->received_bytes = 41;
	(void)snprintf(exchange_of(e, EXCHANGE_MAIN)->server, 64, "nginx");
}

static void app_forbidden(struct evidence *e)
{
	from_application(e, 403);
}

static void app_status(struct evidence *e)
{
	from_application(e, 404);
}

static void response_timeout(struct evidence *e)
{
	evidence_failing(e, OUTCOME_HTTP_TIMEOUT);
	evidence_set_exchange(e, EXCHANGE_SMALL_SEGMENTS, OUTCOME_HTTP_TIMEOUT);
}

static void response_stalled(struct evidence *e)
{
	response_timeout(e);
	exchange_of(e, EXCHANGE_MAIN)->stage = HTTP_STAGE_TRANSFER;
	exchange_of(e, EXCHANGE_MAIN)->phase_us[PHASE_FIRST_BYTE] = 4200;
	exchange_of(e, EXCHANGE_MAIN)->received_bytes = 1000;
}

static void response_reset(struct evidence *e)
{
	evidence_failing(e, OUTCOME_HTTP_RESET);
}

static void response_not_http(struct evidence *e)
{
	evidence_failing(e, OUTCOME_HTTP_PROTOCOL);
}

/* ---- publishing ------------------------------------------------------------------------------- */

static void unpublished(struct evidence *e, enum evidence_imds imds)
{
	evidence_healthy(e);
	e->where.imds = imds;
	e->publishing.is_asked = true;
	(void)snprintf(e->publishing.why, sizeof e->publishing.why, "no source of credentials is there");
}

static void published(struct evidence *e, enum aws_class class_)
{
	evidence_healthy(e);
	evidence_add_publishing(e);
	e->publishing.class_ = class_;
}

static void clock_skew(struct evidence *e)
{
	published(e, AWS_CLASS_SKEWED);
	e->publishing.skew_us = -3600 * US_PER_S;
}

static void imds_off(struct evidence *e)
{
	unpublished(e, EVIDENCE_IMDS_OFF);
}

static void imds_hop_limit(struct evidence *e)
{
	unpublished(e, EVIDENCE_IMDS_HOP_LIMIT);
}

static void no_credentials(struct evidence *e)
{
	unpublished(e, EVIDENCE_IMDS_OK);
}

static void metrics_unreachable(struct evidence *e)
{
	published(e, AWS_CLASS_UNREACHABLE);
	e->publishing.status = 0;
}

static void metrics_denied(struct evidence *e)
{
	published(e, AWS_CLASS_DENIED);
	e->publishing.status = 403;
}

static void (*const examples[DIAGNOSIS_COUNT])(struct evidence *evidence) = {
	[DIAGNOSIS_UNDETERMINED] = undetermined,
	[DIAGNOSIS_HEALTHY] = evidence_healthy,
	[DIAGNOSIS_DNS_RESOLVER_SILENT] = dns_resolver_silent,
	[DIAGNOSIS_DNS_VPC_RESOLVER_SILENT] = dns_vpc_resolver_silent,
	[DIAGNOSIS_DNS_THROTTLED] = dns_throttled,
	[DIAGNOSIS_DNS_SERVFAIL] = dns_servfail,
	[DIAGNOSIS_DNS_REFUSED] = dns_refused,
	[DIAGNOSIS_DNS_BAD_REPLY] = dns_bad_reply,
	[DIAGNOSIS_DNS_WRONG_RESOLVER] = dns_wrong_resolver,
	[DIAGNOSIS_DNS_REBIND_FILTERED] = dns_rebind_filtered,
	[DIAGNOSIS_DNS_CNAME_LOOP] = dns_cname_loop,
	[DIAGNOSIS_DNS_DANGLING_CNAME] = dns_dangling_cname,
	[DIAGNOSIS_DNS_NO_PRIVATE_ZONE] = dns_no_private_zone,
	[DIAGNOSIS_DNS_NXDOMAIN] = dns_nxdomain,
	[DIAGNOSIS_DNS_NODATA] = dns_nodata,
	[DIAGNOSIS_DNS_NO_USABLE_FAMILY] = dns_no_usable_family,
	[DIAGNOSIS_DNS_UNEXPECTED_ADDRESS] = dns_unexpected_address,
	[DIAGNOSIS_DNS_DENIED_ADDRESS] = dns_denied_address,
	[DIAGNOSIS_OUTSIDE_VPC] = outside_vpc,
	[DIAGNOSIS_ROUTE_MISSING] = route_missing,
	[DIAGNOSIS_ROUTE_ZEROCONF] = route_zeroconf,
	[DIAGNOSIS_ROUTE_DIVERTED] = route_diverted,
	[DIAGNOSIS_LOCAL_FIREWALL] = local_firewall,
	[DIAGNOSIS_VPC_NOT_ASSOCIATED] = vpc_not_associated,
	[DIAGNOSIS_AZ_UNSUPPORTED] = az_unsupported,
	[DIAGNOSIS_INSTANCE_SG_BLOCKS] = instance_sg_blocks,
	[DIAGNOSIS_NACL_BLOCKS] = nacl_blocks,
	[DIAGNOSIS_ASSOCIATION_SG_BLOCKS] = association_sg_blocks,
	[DIAGNOSIS_PATH_SILENT] = blocked,
	[DIAGNOSIS_CONNECT_REFUSED] = connect_refused,
	[DIAGNOSIS_PMTU_BLACKHOLE] = pmtu_blackhole,
	[DIAGNOSIS_TLS_ON_HTTP_PORT] = tls_on_http_port,
	[DIAGNOSIS_TLS_UNKNOWN_NAME] = tls_unknown_name,
	[DIAGNOSIS_TLS_NAME_MISMATCH] = tls_name_mismatch,
	[DIAGNOSIS_TLS_EXPIRED] = tls_expired,
	[DIAGNOSIS_TLS_UNTRUSTED] = tls_untrusted,
	[DIAGNOSIS_TLS_SILENT] = tls_silent,
	[DIAGNOSIS_TLS_FAILED] = tls_failed,
	[DIAGNOSIS_HTTP_ON_TLS_PORT] = http_on_tls_port,
	[DIAGNOSIS_AUTH_DENIED] = auth_denied,
	[DIAGNOSIS_AUTH_SIGNATURE] = auth_signature,
	[DIAGNOSIS_LATTICE_NO_ROUTE] = lattice_no_route,
	[DIAGNOSIS_TARGET_UNAVAILABLE] = target_unavailable,
	[DIAGNOSIS_APP_FORBIDDEN] = app_forbidden,
	[DIAGNOSIS_APP_STATUS] = app_status,
	[DIAGNOSIS_RESPONSE_TIMEOUT] = response_timeout,
	[DIAGNOSIS_RESPONSE_STALLED] = response_stalled,
	[DIAGNOSIS_RESPONSE_RESET] = response_reset,
	[DIAGNOSIS_RESPONSE_NOT_HTTP] = response_not_http,
	[DIAGNOSIS_CLOCK_SKEW] = clock_skew,
	[DIAGNOSIS_IMDS_OFF] = imds_off,
	[DIAGNOSIS_IMDS_HOP_LIMIT] = imds_hop_limit,
	[DIAGNOSIS_NO_CREDENTIALS] = no_credentials,
	[DIAGNOSIS_METRICS_UNREACHABLE] = metrics_unreachable,
	[DIAGNOSIS_METRICS_DENIED] = metrics_denied,
};

void evidence_example(enum diagnosis_verdict verdict, struct evidence *ret_evidence)
{
	assert((size_t)verdict < DIAGNOSIS_COUNT && examples[verdict]);
	examples[verdict](ret_evidence);
}
