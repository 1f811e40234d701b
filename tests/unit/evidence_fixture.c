/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence_fixture.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lattice-probe/units.h"

#define TIMEOUT_US (5 * US_PER_S)

#define SET_TEXT(field, text) (void)snprintf((field), sizeof(field), "%s", (text))

union address evidence_address(const char *text, uint16_t port)
{
	union address address = { 0 };
	int err = parse_address(text, port, &address);

	assert(err == 0);
	(void)err;
	return address;
}

/* ---- DNS ------------------------------------------------------------------------------------ */

static int rcode_of(enum outcome outcome)
{
	if (outcome == OUTCOME_DNS_NXDOMAIN)
		return 3;
	if (outcome == OUTCOME_DNS_SERVFAIL)
		return 2;
	if (outcome == OUTCOME_DNS_REFUSED)
		return 5;
	return outcome == OUTCOME_OK || outcome == OUTCOME_DNS_NODATA ? 0 : -1;
}

void evidence_set_answer(struct evidence_answer *answer, enum outcome outcome, const char *address)
{
	bool is_silent = outcome == OUTCOME_DNS_TIMEOUT || outcome == OUTCOME_DNS_UNREACHABLE;

	*answer = (struct evidence_answer){ .is_asked = outcome != OUTCOME_NONE, .outcome = outcome,
		.rcode = rcode_of(outcome), .ttl_s = -1, .elapsed_us = is_silent ? 2 * US_PER_S : 900,
		.retransmits = is_silent ? 1 : 0 };
	if (outcome == OUTCOME_OK) {
		answer->addresses[0] = evidence_address(address, 0);
		answer->address_count = 1;
		answer->ttl_s = 60;
	}
}

void evidence_set_resolver(struct evidence_resolver *resolver, enum outcome outcome)
{
	bool is_ok = outcome == OUTCOME_OK;
	bool is_heard = rcode_of(outcome) >= 0 || outcome == OUTCOME_DNS_BAD_REPLY;

	evidence_set_answer(&resolver->answers[EVIDENCE_A], outcome, EVIDENCE_LATTICE_V4);
	evidence_set_answer(&resolver->answers[EVIDENCE_AAAA], is_ok ? OUTCOME_DNS_NODATA : outcome, NULL);
	resolver->asked = outcome == OUTCOME_NONE ? 0 : 2;
	resolver->answered = is_heard ? resolver->asked : 0;
}

struct evidence_resolver *evidence_add_resolver(struct evidence *evidence, const char *server, enum outcome outcome)
{
	struct evidence_dns *dns = &evidence->dns;
	struct evidence_resolver *resolver;

	if (dns->resolver_count >= EVIDENCE_RESOLVERS_MAX)
		return NULL;
	resolver = &dns->resolvers[dns->resolver_count++];
	*resolver = (struct evidence_resolver){ .server = evidence_address(server, 53) };
	evidence_set_resolver(resolver, outcome);
	return resolver;
}

/* ---- the target ----------------------------------------------------------------------------- */

static void set_target(struct evidence *evidence)
{
	struct evidence_target *target = &evidence->target;

	SET_TEXT(target->url, "https://" EVIDENCE_SERVICE "/health");
	SET_TEXT(target->host, EVIDENCE_SERVICE);
	SET_TEXT(target->method, "GET");
	target->port = 443;
	target->is_tls = true;
	target->name = EVIDENCE_NAME_SERVICE;
	target->is_repeatable = true;
	target->timeout_us = TIMEOUT_US;
}

void evidence_set_custom_name(struct evidence *evidence)
{
	struct evidence_target *target = &evidence->target;

	SET_TEXT(target->url, "https://" EVIDENCE_CUSTOM "/health");
	SET_TEXT(target->host, EVIDENCE_CUSTOM);
	target->name = EVIDENCE_NAME_CUSTOM;
}

void evidence_set_plain_http(struct evidence *evidence)
{
	struct evidence_path *path = evidence_path(evidence);

	evidence->target.is_tls = false;
	evidence->target.port = 80;
	SET_TEXT(evidence->target.url, "http://" EVIDENCE_SERVICE "/health");
	address_set_port(&path->address, 80);
	for (size_t i = 0; i < EXCHANGE_KINDS; i++) {
		path->exchanges[i].port = 80;
		path->exchanges[i].phase_us[PHASE_TLS] = PHASE_NONE;
		path->exchanges[i].tls_version[0] = '\0';
		path->exchanges[i].alpn[0] = '\0';
	}
}

static void set_where(struct evidence *evidence)
{
	struct evidence_where *where = &evidence->where;

	where->is_asked = true;
	where->platform = HOST_PLATFORM_EC2;
	SET_TEXT(where->identity.vendor, "Amazon EC2");
	where->imds = EVIDENCE_IMDS_OK;
	SET_TEXT(where->facts.instance_id, "i-0123456789abcdef0");
	SET_TEXT(where->facts.availability_zone, "eu-west-1a");
	SET_TEXT(where->facts.availability_zone_id, "euw1-az1");
	SET_TEXT(where->facts.region, "eu-west-1");
	SET_TEXT(where->facts.vpc_id, "vpc-0123456789abcdef0");
	SET_TEXT(where->facts.subnet_id, "subnet-0123456789abcdef0");
	SET_TEXT(where->account_id, "123456789012");
	SET_TEXT(where->security_groups, "sg-0123456789abcdef0");
	where->has_ipv4_default = true;
	SET_TEXT(where->network_namespace, "net:[4026531840]");
	where->elapsed_us = 1200;
	(void)address_networks_add(&where->vpc_networks, "10.0.0.0/16");
}

void evidence_set_outside(struct evidence *evidence)
{
	struct evidence_where *where = &evidence->where;

	*where = (struct evidence_where){ .is_asked = true, .platform = HOST_PLATFORM_OTHER,
		.imds = EVIDENCE_IMDS_SILENT, .has_ipv4_default = true, .elapsed_us = US_PER_S };
	SET_TEXT(where->identity.vendor, "LENOVO");
	SET_TEXT(where->network_namespace, "net:[4026531840]");
}

/* ---- the path ------------------------------------------------------------------------------- */

static void set_route(struct route *route)
{
	*route = (struct route){ .kind = ROUTE_UNICAST, .gateway = evidence_address("10.0.1.1", 0),
		.source = evidence_address("10.0.1.17", 0), .prefix = evidence_address("0.0.0.0", 0), .table = 254 };
	SET_TEXT(route->device, "ens5");
}

static void add_path(struct evidence *evidence, const char *address)
{
	struct evidence_path *path = &evidence->paths[0];

	*path = (struct evidence_path){ .address = evidence_address(address, evidence->target.port),
		.is_preferred = true, .neighbour_before = ROUTE_NEIGHBOUR_REACHABLE,
		.neighbour_after = ROUTE_NEIGHBOUR_REACHABLE };
	path->class_ = address_class_of(&path->address, NULL, &evidence->where.vpc_networks);
	set_route(&path->route);
	for (size_t i = 0; i < EXCHANGE_KINDS; i++)
		evidence_exchange_init(&path->exchanges[i]);
	evidence->path_count = 1;
}

struct evidence_path *evidence_path(struct evidence *evidence)
{
	if (evidence->path_count == 0)
		add_path(evidence, EVIDENCE_LATTICE_V4);
	return &evidence->paths[0];
}

void evidence_clear_paths(struct evidence *evidence)
{
	memset(evidence->paths, 0, sizeof evidence->paths);
	evidence->path_count = 0;
}

/* The resolvers that gave an address give this one. */
void evidence_set_path_address(struct evidence *evidence, const char *address)
{
	struct evidence_path *path = evidence_path(evidence);

	path->address = evidence_address(address, evidence->target.port);
	path->class_ = address_class_of(&path->address, NULL, &evidence->where.vpc_networks);
	for (size_t i = 0; i < evidence->dns.resolver_count; i++) {
		struct evidence_resolver *resolver = &evidence->dns.resolvers[i];
		bool is_v6 = path->address.sa.sa_family == AF_INET6;

		if (evidence_resolver_outcome(resolver, TARGET_IP_AUTO) != OUTCOME_OK)
			continue;
		evidence_set_answer(&resolver->answers[is_v6 ? EVIDENCE_AAAA : EVIDENCE_A], OUTCOME_OK, address);
		evidence_set_answer(&resolver->answers[is_v6 ? EVIDENCE_A : EVIDENCE_AAAA], OUTCOME_DNS_NODATA, NULL);
	}
}

/* ---- exchanges ------------------------------------------------------------------------------ */

static enum http_stage stage_of(enum outcome outcome)
{
	if (outcome == OUTCOME_HTTP_TIMEOUT || outcome == OUTCOME_HTTP_RESET || outcome == OUTCOME_HTTP_PROTOCOL)
		return HTTP_STAGE_FIRST_BYTE;
	if (outcome == OUTCOME_HTTP_TOO_LARGE)
		return HTTP_STAGE_TRANSFER;
	if (outcome_phase(outcome) == OUTCOME_PHASE_CONNECT)
		return HTTP_STAGE_CONNECT;
	if (outcome_phase(outcome) == OUTCOME_PHASE_TLS)
		return HTTP_STAGE_TLS;
	return outcome_is_local(outcome) ? HTTP_STAGE_SETUP : HTTP_STAGE_DONE;
}

static int errno_of(enum outcome outcome)
{
	if (outcome == OUTCOME_CONNECT_REFUSED)
		return ECONNREFUSED;
	if (outcome == OUTCOME_CONNECT_UNREACHABLE)
		return ENETUNREACH;
	if (outcome == OUTCOME_CONNECT_DENIED)
		return EPERM;
	return outcome == OUTCOME_HTTP_RESET ? ECONNRESET : 0;
}

static void set_progress(struct evidence_exchange *exchange, bool is_tls)
{
	if (exchange->stage > HTTP_STAGE_CONNECT) {
		exchange->phase_us[PHASE_CONNECT] = 350;
		exchange->tcp_rtt_us = 320;
		exchange->tcp_retransmits = 0;
		exchange->mss_bytes = 1448;
	}
	if (exchange->stage > HTTP_STAGE_TLS && is_tls) {
		exchange->phase_us[PHASE_TLS] = 2100;
		exchange->certificate_days = 200;
		SET_TEXT(exchange->tls_version, "TLSv1.3");
		SET_TEXT(exchange->alpn, "h2");
		SET_TEXT(exchange->certificate_subject, "*.7d67968.vpc-lattice-svcs.eu-west-1.on.aws");
		SET_TEXT(exchange->certificate_issuer, "Amazon RSA 2048 M02");
	}
	if (exchange->stage > HTTP_STAGE_FIRST_BYTE)
		exchange->phase_us[PHASE_FIRST_BYTE] = 4200;
	if (exchange->stage == HTTP_STAGE_DONE)
		exchange->phase_us[PHASE_TRANSFER] = 80;
}

void evidence_set_exchange(struct evidence *evidence, enum evidence_exchange_kind kind, enum outcome outcome)
{
	struct evidence_path *path = evidence_path(evidence);
	struct evidence_exchange *exchange = &path->exchanges[kind];

	evidence_exchange_init(exchange);
	exchange->is_asked = true;
	exchange->outcome = outcome;
	exchange->stage = stage_of(outcome);
	exchange->os_errno = errno_of(outcome);
	exchange->port = evidence->target.port;
	exchange->total_us = outcome == OUTCOME_OK ? 6730 : US_PER_S;
	set_progress(exchange, evidence->target.is_tls != (kind == EXCHANGE_OTHER_SCHEME));
	if (exchange->stage == HTTP_STAGE_DONE) {
		exchange->status = outcome == OUTCOME_OK ? 200 : 418;
		exchange->http_version = 20;
		exchange->received_bytes = 2;
		exchange->has_date = true;
	}
	if (kind == EXCHANGE_MAIN && outcome == OUTCOME_CONNECT_UNREACHABLE) {
		path->route = (struct route){ .kind = ROUTE_NONE, .error = ENETUNREACH, .prefix_length = -1 };
		evidence->where.has_ipv4_default = false;
	}
}

void evidence_set_status(struct evidence *evidence, int status)
{
	struct evidence_exchange *exchange;

	evidence_set_exchange(evidence, EXCHANGE_MAIN, OUTCOME_HTTP_STATUS);
	exchange = &evidence_path(evidence)->exchanges[EXCHANGE_MAIN];
	exchange->status = status;
	exchange->received_bytes = 0;
	exchange->is_bare = true;
}

/* ---- whole worlds --------------------------------------------------------------------------- */

void evidence_healthy(struct evidence *ret_evidence)
{
	struct evidence_resolver *resolver;

	memset(ret_evidence, 0, sizeof *ret_evidence);
	set_target(ret_evidence);
	set_where(ret_evidence);
	ret_evidence->dns.is_asked = true;
	ret_evidence->dns.elapsed_us = 1900;
	resolver = evidence_add_resolver(ret_evidence, EVIDENCE_VPC_RESOLVER, OUTCOME_OK);
	resolver->is_configured = true;
	resolver->is_vpc = true;
	evidence_set_exchange(ret_evidence, EXCHANGE_MAIN, OUTCOME_OK);
	ret_evidence->elapsed_us = 12000;
}

void evidence_failing(struct evidence *ret_evidence, enum outcome outcome)
{
	evidence_healthy(ret_evidence);
	evidence_set_exchange(ret_evidence, EXCHANGE_MAIN, outcome);
}

void evidence_resolving(struct evidence *ret_evidence, enum outcome configured, enum outcome vpc)
{
	struct evidence_resolver *resolver;

	evidence_healthy(ret_evidence);
	ret_evidence->dns.resolver_count = 0;
	resolver = evidence_add_resolver(ret_evidence, EVIDENCE_OTHER_RESOLVER, configured);
	resolver->is_configured = true;
	if (vpc != OUTCOME_NONE) {
		resolver = evidence_add_resolver(ret_evidence, "169.254.169.253", vpc);
		resolver->is_vpc = true;
	}
	if (configured != OUTCOME_OK)
		evidence_clear_paths(ret_evidence);
}

/* ---- the AWS side --------------------------------------------------------------------------- */

void evidence_add_control(struct evidence *evidence)
{
	struct evidence_control *control = &evidence->control;

	*control = (struct evidence_control){ .is_asked = true, .owns_vpc = CLAIM_YES, .is_associated = CLAIM_YES,
		.is_service_in_network = CLAIM_YES, .dns_support = CLAIM_YES, .dns_hostnames = CLAIM_YES,
		.instance_sg_allows = CLAIM_YES, .association_sg_allows = CLAIM_YES, .nacl_allows_out = CLAIM_YES,
		.nacl_allows_back = CLAIM_YES, .has_route = CLAIM_YES, .elapsed_us = 310000 };
	for (size_t i = 0; i < CONTROL_CALLS; i++)
		control->ends[i] = CONTROL_OK;
	SET_TEXT(control->association_id, "snva-0123456789abcdef0");
	SET_TEXT(control->association_status, "ACTIVE");
	SET_TEXT(control->service_network_id, "sn-0123456789abcdef0");
	SET_TEXT(control->service_id, "svc-0123456789abcdef0");
	SET_TEXT(control->service_status, "ACTIVE");
	SET_TEXT(control->generated_name, EVIDENCE_SERVICE);
	(void)address_networks_add(&control->lattice_networks, "169.254.171.0/24");
}

void evidence_add_publishing(struct evidence *evidence)
{
	struct evidence_publishing *publishing = &evidence->publishing;

	*publishing = (struct evidence_publishing){ .is_asked = true, .has_credentials = true, .is_call_made = true,
		.class_ = AWS_CLASS_INVALID, .status = 400, .elapsed_us = 42000 };
	SET_TEXT(publishing->source, "imds");
	SET_TEXT(publishing->principal, "…MPLE");
	SET_TEXT(publishing->code, "MissingParameter");
	SET_TEXT(publishing->endpoint, "https://monitoring.eu-west-1.amazonaws.com");
}
