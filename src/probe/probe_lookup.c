/* SPDX-License-Identifier: Apache-2.0 */
#include "probe_internal.h"

#include <assert.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static const enum dns_type family_type[LOOKUP_FAMILIES] = { DNS_TYPE_A, DNS_TYPE_AAAA };

static bool has_addresses(const struct lookup_question *question)
{
	return question->is_ended && question->answer.outcome == OUTCOME_OK;
}

/* Whether the kernel would send to this address at all: connect() on UDP looks the route up and
 * sends nothing. */
static bool is_routed(const union address *address)
{
	int fd = socket(address->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	union address with_port = *address;
	bool routed;

	if (fd < 0)
		return false;
	address_set_port(&with_port, 9);
	routed = connect(fd, &with_port.sa, address_length(&with_port)) == 0;
	(void)close(fd);
	return routed;
}

/* IPv4 where it is routed; a usable family suffices (RFC 8305 would race them: a prober must say
 * which one it measured, so it chooses). */
static bool preferred_is_known(const struct probe_lookup *lookup)
{
	const struct lookup_question *a = &lookup->questions[LOOKUP_A];

	return has_addresses(a) && is_routed(&a->answer.message.addresses[0]);
}

static bool all_ended(const struct probe_lookup *lookup)
{
	for (size_t i = 0; i < LOOKUP_FAMILIES; i++)
		if (lookup->questions[i].is_wanted && !lookup->questions[i].is_ended)
			return false;
	return true;
}

/* Addresses of a family that this host has no way to are no answer (IPv6 switched off: the connect would
 * end as this host's fault). Then the other family's failure is what went wrong, unless it has no address. */
static const struct lookup_question *usable_or_cause(const struct lookup_question *with,
	const struct lookup_question *without)
{
	if (without->answer.outcome == OUTCOME_DNS_NODATA || is_routed(&with->answer.message.addresses[0]))
		return with;
	return without;
}

const struct lookup_question *probe_lookup_best(const struct probe_lookup *lookup)
{
	const struct lookup_question *a = &lookup->questions[LOOKUP_A];
	const struct lookup_question *aaaa = &lookup->questions[LOOKUP_AAAA];

	if (!aaaa->is_ended)
		return a;
	if (!a->is_ended)
		return aaaa;
	if (has_addresses(a) && has_addresses(aaaa))
		return is_routed(&a->answer.message.addresses[0]) ? a : aaaa;
	if (has_addresses(a) || has_addresses(aaaa))
		return has_addresses(a) ? usable_or_cause(a, aaaa) : usable_or_cause(aaaa, a);
	/* Both failed: "no address of this family" explains less than any other failure. */
	return a->answer.outcome == OUTCOME_DNS_NODATA ? aaaa : a;
}

static void finish(struct probe_lookup *lookup)
{
	if (lookup->is_done)
		return;
	lookup->is_done = true;
	loop_timer_stop(lookup->context->loop, &lookup->limit);
	lookup->done(lookup->user);
}

static void on_started(void *user)
{
	struct lookup_question *question = user;

	question->is_started = true;
	if (question->lookup->started)
		question->lookup->started(question->lookup->user);
}

static void on_answer(void *user, const struct resolver_answer *answer)
{
	struct lookup_question *question = user;
	struct probe_lookup *lookup = question->lookup;

	question->query = NULL;
	question->is_ended = true;
	question->answer = *answer;
	if (all_ended(lookup) || (lookup->ip == TARGET_IP_AUTO && preferred_is_known(lookup)))
		finish(lookup);
}

/* A question that never left was held back by our own budget: that is not the world's answer. */
static void give_up(struct lookup_question *question, int64_t elapsed_us)
{
	resolver_cancel(question->query);
	question->query = NULL;
	question->is_ended = true;
	question->answer = (struct resolver_answer){
		.outcome = question->is_started ? OUTCOME_DNS_TIMEOUT : OUTCOME_LOCAL_FAULT,
		.elapsed_us = elapsed_us, .message = { .rcode = -1, .ttl_s = -1 } };
	(void)snprintf(question->answer.detail, sizeof question->answer.detail, "%s", question->is_started ?
		"the run's time was over" : "the question waited for max_dns_rate until the run's time was over");
}

static void on_limit(void *user)
{
	struct probe_lookup *lookup = user;
	int64_t elapsed_us = mono_since(mono_now(), lookup->asked);

	for (size_t i = 0; i < LOOKUP_FAMILIES; i++)
		if (lookup->questions[i].query)
			give_up(&lookup->questions[i], elapsed_us);
	finish(lookup);
}

static bool ask(struct probe_lookup *lookup, const struct target *target, const char *host,
	int64_t timeout_us, enum lookup_family family)
{
	struct lookup_question *question = &lookup->questions[family];
	const struct resolver_question wire = {
		.name = host, .type = family_type[family], .servers = &target->resolver,
		.timeout_us = timeout_us, .tries = target->dns_tries,
	};

	question->lookup = lookup;
	question->is_wanted = true;
	question->query = resolver_ask(lookup->context->resolver, &wire, on_started, on_answer, question);
	return question->query != NULL;
}

bool probe_lookup_start(struct probe_lookup *lookup, const struct probe_context *context,
	const struct target *target, const char *host, int64_t timeout_us, struct mono deadline,
	void (*started)(void *user), void (*done)(void *user), void *user)
{
	*lookup = (struct probe_lookup){ .context = context, .ip = target->ip, .asked = mono_now(),
		.started = started, .done = done, .user = user };
	if (target->ip != TARGET_IP_V6 && !ask(lookup, target, host, timeout_us, LOOKUP_A))
		goto fail;
	if (target->ip != TARGET_IP_V4 && !ask(lookup, target, host, timeout_us, LOOKUP_AAAA))
		goto fail;
	if (mono_is_set(deadline) &&
	    loop_timer_start(context->loop, &lookup->limit, deadline, on_limit, lookup) != 0)
		goto fail;
	return true;
fail:
	probe_lookup_stop(lookup);
	return false;
}

void probe_lookup_stop(struct probe_lookup *lookup)
{
	if (!lookup->context)
		return;
	loop_timer_stop(lookup->context->loop, &lookup->limit);
	for (size_t i = 0; i < LOOKUP_FAMILIES; i++) {
		if (lookup->questions[i].query)
			resolver_cancel(lookup->questions[i].query);
		lookup->questions[i].query = NULL;
	}
	lookup->is_done = true;
}
