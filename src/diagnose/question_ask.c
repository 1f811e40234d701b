/* SPDX-License-Identifier: Apache-2.0 */
#include "question_internal.h"

#include <stdio.h>
#include <string.h>

#include "lattice-probe/err.h"

#define TIMEOUT_US (2500 * US_PER_MS)
#define TRIES 2

bool question_ask_is_wanted(enum target_ip ip, enum evidence_family family)
{
	if (ip == TARGET_IP_V4)
		return family == EVIDENCE_A;
	if (ip == TARGET_IP_V6)
		return family == EVIDENCE_AAAA;
	return true;
}

enum dns_type question_ask_type(enum evidence_family family)
{
	return family == EVIDENCE_A ? DNS_TYPE_A : DNS_TYPE_AAAA;
}

static void note_reply(struct evidence_answer *evidence, const struct dns_message *message)
{
	evidence->rcode = message->rcode;
	evidence->ttl_s = message->ttl_s;
	evidence->is_cname_loop = message->is_cname_loop;
	evidence->cname_count = message->cname_count;
	if (message->cname_count > 0)
		(void)snprintf(evidence->cname, sizeof evidence->cname, "%s",
			message->cnames[message->cname_count - 1]);
	evidence->address_count = message->address_total;
	for (size_t i = 0; i < message->address_count && i < EVIDENCE_ADDRESSES_MAX; i++)
		evidence->addresses[i] = message->addresses[i];
}

static void on_started(void *user)
{
	struct question_ask *ask = user;

	ask->has_left = true;
}

static void on_answer(void *user, const struct resolver_answer *answer)
{
	struct question_ask *ask = user;
	struct evidence_answer *evidence = ask->answer;

	ask->query = NULL;
	evidence->outcome = answer->outcome;
	evidence->elapsed_us = answer->elapsed_us;
	evidence->retransmits = answer->retransmits;
	(void)snprintf(evidence->detail, sizeof evidence->detail, "%s", answer->detail);
	if (answer->has_reply)
		note_reply(evidence, &answer->message);
	ask->ended(ask->user);
}

bool question_ask_start(struct question_ask *ask)
{
	struct target_resolver server = { .mode = TARGET_RESOLVER_LIST, .server_count = 1 };
	const struct resolver_question question = { .name = ask->name, .type = question_ask_type(ask->family),
		.servers = &server, .timeout_us = TIMEOUT_US, .tries = TRIES };

	server.servers[0] = *ask->server;
	*ask->answer = (struct evidence_answer){ .is_asked = true, .rcode = -1, .ttl_s = -1 };
	ask->asked = mono_now();
	ask->has_left = false;
	ask->query = resolver_ask(ask->context->resolver, &question, on_started, on_answer, ask);
	if (!ask->query) {
		ask->answer->outcome = OUTCOME_LOCAL_FAULT;
		(void)snprintf(ask->answer->detail, sizeof ask->answer->detail, "%s", err_text(ERR_NOMEM));
	}
	return ask->query != NULL;
}

void question_ask_stop(struct question_ask *ask)
{
	if (ask->query)
		resolver_cancel(ask->query);
	ask->query = NULL;
}

/* A question that never left was held back by our own budget: that is not the world's answer. */
void question_ask_give_up(struct question_ask *ask)
{
	if (!ask->query)
		return;
	question_ask_stop(ask);
	ask->answer->outcome = ask->has_left ? OUTCOME_DNS_TIMEOUT : OUTCOME_LOCAL_FAULT;
	ask->answer->elapsed_us = ask->has_left ? mono_since(mono_now(), ask->asked) : 0;
	(void)snprintf(ask->answer->detail, sizeof ask->answer->detail, "%s", ask->has_left ?
		"no answer before the time was over" : "the question waited for max_dns_rate until the time was over");
}
