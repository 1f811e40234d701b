/* SPDX-License-Identifier: Apache-2.0 */
/* Each server is asked by itself: a run asks them in turn and stops at the first answer, which hides
 * what the others would say. The VPC's resolver is asked also where nobody configured it: it is the one
 * witness that knows what this VPC can see. */
#include "question_internal.h"

#include <string.h>
#include <sys/socket.h>

#include "lattice-probe/address_class.h"
#include "lattice-probe/host.h"
#include "lattice-probe/route.h"

#define LIMIT_US (3500 * US_PER_MS) /* of all: what waits for the budget so long is not asked */

/* ---- the servers -------------------------------------------------------------------------- */

static bool is_same_host(const union address *a, const char *text)
{
	union address b;

	return parse_address(text, address_port(a), &b) == 0 && address_is_equal(a, &b);
}

static bool is_vpc_address(const union address *server)
{
	return is_same_host(server, "169.254.169.253") || is_same_host(server, "fd00:ec2::253");
}

static bool is_known(const struct evidence_dns *evidence, const union address *server)
{
	for (size_t i = 0; i < evidence->resolver_count; i++)
		if (address_is_equal(&evidence->resolvers[i].server, server))
			return true;
	return false;
}

static void add_server(struct evidence_dns *evidence, const union address *server, bool is_configured)
{
	if (is_known(evidence, server) || evidence->resolver_count == EVIDENCE_RESOLVERS_MAX)
		return;
	evidence->resolvers[evidence->resolver_count++] = (struct evidence_resolver){
		.server = *server, .is_configured = is_configured,
		.is_vpc = is_vpc_address(server), .is_local = address_is_loopback(server),
		.is_outside = address_class_of(server, NULL, NULL) == ADDRESS_CLASS_PUBLIC };
}

static void find_servers(struct question_dns *dns)
{
	const struct target_resolver vpc = { .mode = TARGET_RESOLVER_VPC };
	union address servers[TARGET_RESOLVERS_MAX];
	bool is_local;
	size_t count = resolver_servers(dns->context->resolver, &dns->target->resolver, servers, &is_local);

	for (size_t i = 0; i < count; i++)
		add_server(dns->evidence, &servers[i], true);
	count = resolver_servers(dns->context->resolver, &vpc, servers, &is_local);
	if (count > 0)
		add_server(dns->evidence, &servers[0], false);
}

/* The VPC's resolver also answers at the base of the network plus two (Amazon VPC User Guide, "Amazon
 * DNS server"). */
static bool is_base_plus_two(const union address *server, const struct address_network *network)
{
	return server->sa.sa_family == AF_INET && network->prefix.sa.sa_family == AF_INET &&
		ntohl(server->v4.sin_addr.s_addr) == ntohl(network->prefix.v4.sin_addr.s_addr) + 2;
}

void question_dns_settle_vpc(struct evidence_dns *evidence, const struct address_networks *vpc_networks)
{
	for (size_t i = 0; i < evidence->resolver_count; i++)
		for (size_t j = 0; j < vpc_networks->count; j++)
			if (is_base_plus_two(&evidence->resolvers[i].server, &vpc_networks->items[j]))
				evidence->resolvers[i].is_vpc = true;
}

/* ---- the questions ------------------------------------------------------------------------ */

void question_dns_stop(struct question_dns *dns)
{
	if (!dns->context)
		return;
	loop_timer_stop(dns->context->loop, &dns->limit);
	for (size_t i = 0; i < EVIDENCE_RESOLVERS_MAX; i++)
		for (size_t j = 0; j < EVIDENCE_FAMILIES; j++)
			question_ask_stop(&dns->asks[i][j]);
	dns->open = 0;
}

/* Datagrams, so that one which had to be sent again counts as lost. An answer that took no time was used
 * again over the budget: nothing was asked. */
static void count_questions(struct evidence_resolver *resolver)
{
	for (size_t i = 0; i < EVIDENCE_FAMILIES; i++) {
		const struct evidence_answer *answer = &resolver->answers[i];

		if (!answer->is_asked || answer->outcome == OUTCOME_LOCAL_FAULT ||
		    (answer->outcome == OUTCOME_OK && answer->elapsed_us == 0))
			continue;
		resolver->asked += 1 + answer->retransmits;
		resolver->answered += answer->rcode >= 0;
	}
}

static void end(struct question_dns *dns)
{
	question_dns_stop(dns);
	for (size_t i = 0; i < dns->evidence->resolver_count; i++)
		count_questions(&dns->evidence->resolvers[i]);
	dns->evidence->elapsed_us = mono_since(mono_now(), dns->started);
	dns->ended(dns->user);
}

static void on_answer(void *user)
{
	struct question_dns *dns = user;

	if (--dns->open == 0)
		end(dns);
}

static void on_limit(void *user)
{
	struct question_dns *dns = user;

	for (size_t i = 0; i < EVIDENCE_RESOLVERS_MAX; i++)
		for (size_t j = 0; j < EVIDENCE_FAMILIES; j++)
			question_ask_give_up(&dns->asks[i][j]);
	end(dns);
}

static void ask(struct question_dns *dns, size_t index, enum evidence_family family)
{
	struct evidence_resolver *resolver = &dns->evidence->resolvers[index];
	struct question_ask *question = &dns->asks[index][family];

	*question = (struct question_ask){ .context = dns->context, .server = &resolver->server,
		.name = dns->target->url.host, .family = family, .answer = &resolver->answers[family],
		.ended = on_answer, .user = dns };
	dns->open += question_ask_start(question);
}

/* The device is that of the way to the VPC's resolver, the last of the servers when nobody configured it. */
static void start_counting(struct question_dns *dns)
{
	struct evidence_dns *evidence = dns->evidence;
	struct route route;

	for (size_t i = 0; i < evidence->resolver_count; i++)
		if (evidence->resolvers[i].is_vpc && route_lookup(&evidence->resolvers[i].server, &route) == 0)
			memcpy(dns->device, route.device, sizeof dns->device);
	evidence->counts_drops = dns->device[0] && host_read_link_local_drops(dns->device, &dns->drops_before);
}

void question_dns_read_drops(const struct question_dns *dns, struct evidence_dns *evidence)
{
	uint64_t drops;

	if (evidence->counts_drops && host_read_link_local_drops(dns->device, &drops) && drops > dns->drops_before)
		evidence->link_local_drops = drops - dns->drops_before;
}

bool question_dns_start(struct question_dns *dns, const struct diagnose_context *context,
	const struct target *target, struct evidence_dns *evidence, void (*ended)(void *user), void *user)
{
	*dns = (struct question_dns){ .context = context, .target = target, .evidence = evidence,
		.started = mono_now(), .ended = ended, .user = user };
	evidence->is_asked = true;
	find_servers(dns);
	start_counting(dns);
	for (size_t i = 0; i < evidence->resolver_count; i++)
		for (size_t j = 0; j < EVIDENCE_FAMILIES; j++)
			if (question_ask_is_wanted(target->ip, (enum evidence_family)j))
				ask(dns, i, (enum evidence_family)j);
	if (dns->open > 0 && loop_timer_start(context->loop, &dns->limit, mono_add(dns->started, LIMIT_US),
		on_limit, dns) == 0)
		return true;
	question_dns_stop(dns);
	return false;
}
