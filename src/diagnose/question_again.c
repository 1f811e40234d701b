/* SPDX-License-Identifier: Apache-2.0 */
/* One reply that does not come says little; ten questions say whether some are lost or all. A server
 * that lost one is asked again, also one that seems silent: of few questions all may be lost by chance.
 * Spaced, so that equal ones do not travel as one datagram (resolver.h) and a short burst of loss does
 * not look like a lasting one. */
#include "question_internal.h"

#include <stdio.h>

#define SPACING_US (50 * US_PER_MS)
#define TIMEOUT_US (1 * US_PER_S)
#define LIMIT_US (AGAIN_QUESTIONS * SPACING_US + TIMEOUT_US + 500 * US_PER_MS)

static bool has_lost(const struct evidence_resolver *resolver)
{
	for (size_t i = 0; i < EVIDENCE_FAMILIES; i++)
		if (resolver->answers[i].retransmits > 0 || resolver->answers[i].outcome == OUTCOME_DNS_TIMEOUT)
			return true;
	return false;
}

/* The VPC's resolver where nobody uses it, and others answer, is no place to look for losses. */
static bool is_worth_it(const struct evidence_dns *evidence, const struct evidence_resolver *resolver)
{
	if (!has_lost(resolver))
		return false;
	if (resolver->is_configured || resolver->answered > 0)
		return true;
	for (size_t i = 0; i < evidence->resolver_count; i++)
		if (evidence->resolvers[i].is_configured && evidence->resolvers[i].answered > 0)
			return false;
	return true;
}

/* ---- the end ------------------------------------------------------------------------------ */

static void stop_server(struct question_again_server *server)
{
	if (!server->again)
		return;
	loop_timer_stop(server->again->context->loop, &server->next);
	for (size_t i = 0; i < AGAIN_QUESTIONS; i++) {
		if (server->asks[i].query)
			resolver_cancel(server->asks[i].query);
		server->asks[i].query = NULL;
	}
	server->open = 0;
}

void question_again_stop(struct question_again *again)
{
	if (!again->context)
		return;
	loop_timer_stop(again->context->loop, &again->limit);
	for (size_t i = 0; i < EVIDENCE_RESOLVERS_MAX; i++)
		stop_server(&again->servers[i]);
	again->open = 0;
}

static void end(struct question_again *again)
{
	question_again_stop(again);
	again->ended(again->user);
}

static void end_if_done(struct question_again_server *server)
{
	if (server->open > 0 || server->asked < AGAIN_QUESTIONS)
		return;
	if (--server->again->open == 0)
		end(server->again);
}

/* What left and was not answered counts as asked; what waited for the budget as nothing. */
static void on_limit(void *user)
{
	end(user);
}

/* ---- the questions ------------------------------------------------------------------------ */

static void on_started(void *user)
{
	struct question_again_ask *ask = user;

	ask->has_left = true;
	ask->server->evidence->asked++;
}

static void on_answer(void *user, const struct resolver_answer *answer)
{
	struct question_again_ask *ask = user;
	struct question_again_server *server = ask->server;

	ask->query = NULL;
	/* Over the budget an old answer is used again: nothing was asked then. */
	if (answer->marks & RESULT_MARK_DNS_REUSED)
		server->evidence->asked--;
	else
		server->evidence->answered += answer->has_reply;
	server->open--;
	end_if_done(server);
}

/* Both families in turn, where both are wanted. */
static enum evidence_family family_of(const struct question_again_server *server)
{
	if (!server->evidence->answers[EVIDENCE_A].is_asked)
		return EVIDENCE_AAAA;
	if (!server->evidence->answers[EVIDENCE_AAAA].is_asked)
		return EVIDENCE_A;
	return server->asked % 2 ? EVIDENCE_AAAA : EVIDENCE_A;
}

static void ask_next(void *user)
{
	struct question_again_server *server = user;
	struct question_again *again = server->again;
	struct question_again_ask *ask = &server->asks[server->asked];
	struct target_resolver servers = { .mode = TARGET_RESOLVER_LIST, .server_count = 1 };
	const struct resolver_question question = { .name = again->target->url.host,
		.type = question_ask_type(family_of(server)), .servers = &servers, .timeout_us = TIMEOUT_US, .tries = 1 };

	servers.servers[0] = server->evidence->server;
	server->asked++;
	*ask = (struct question_again_ask){ .server = server };
	ask->query = resolver_ask(again->context->resolver, &question, on_started, on_answer, ask);
	server->open += ask->query != NULL;
	if (server->asked == AGAIN_QUESTIONS || loop_timer_start(again->context->loop, &server->next,
		mono_add(mono_now(), SPACING_US), ask_next, server) != 0)
		server->asked = AGAIN_QUESTIONS;
	end_if_done(server);
}

static bool start_server(struct question_again *again, struct question_again_server *server,
	struct evidence_resolver *evidence)
{
	*server = (struct question_again_server){ .again = again, .evidence = evidence };
	return loop_timer_start(again->context->loop, &server->next, mono_add(mono_now(), SPACING_US), ask_next,
		server) == 0;
}

bool question_again_start(struct question_again *again, const struct diagnose_context *context,
	const struct target *target, struct evidence_dns *evidence, void (*ended)(void *user), void *user)
{
	*again = (struct question_again){ .context = context, .target = target, .ended = ended, .user = user };
	for (size_t i = 0; i < evidence->resolver_count; i++)
		if (is_worth_it(evidence, &evidence->resolvers[i]))
			again->open += start_server(again, &again->servers[i], &evidence->resolvers[i]);
	if (again->open > 0 && loop_timer_start(context->loop, &again->limit, mono_add(mono_now(), LIMIT_US),
		on_limit, again) == 0)
		return true;
	question_again_stop(again);
	return false;
}
