/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a run:
 *   start → lookup (A, AAAA) → one attempt for each address to try → the worst attempt is the result
 * A literal address has no lookup. Attempts of one run go side by side under one deadline, so that a
 * silent address cannot eat the time of its neighbours. Every run ends in finish(). */
#include "probe_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lattice-probe/err.h"
#include "lattice-probe/phases.h"

/* A sample is marked when the loop was away for longer than half a millisecond and 2 % of it. */
#define LAG_SHARE 50

/* ---- the end ------------------------------------------------------------------------------ */

static void free_probe(struct probe *probe)
{
	loop_timer_stop(probe->context->loop, &probe->ending);
	probe_lookup_stop(&probe->lookup);
	for (size_t i = 0; i < probe->attempt_count; i++)
		probe_attempt_done(&probe->attempts[i]);
	free(probe->attempts);
	if (probe->result) {
		result_done(probe->result);
		free(probe->result);
	}
	free(probe);
}

static void note_question(struct result *result, const struct lookup_question *question, int type)
{
	const struct resolver_answer *answer = &question->answer;

	if (!question->is_ended)
		return;
	result->questions[result->question_count++] = (struct result_question){
		.type = type, .outcome = answer->outcome,
		.rcode = answer->has_reply ? answer->message.rcode : -1, .elapsed_us = answer->elapsed_us,
		.ttl_s = answer->has_reply ? answer->message.ttl_s : -1,
		.address_count = answer->has_reply ? answer->message.address_total : 0,
		.server = answer->server, .retransmits = answer->retransmits, .marks = answer->marks,
	};
	result->dns_retransmits += answer->retransmits;
}

/* The answer used (or the failure that ended the run) gives the run its DNS facts. */
static void note_answer(struct result *result, const struct resolver_answer *answer)
{
	result->resolver = answer->server;
	result->wait_us = answer->wait_us;
	result->marks |= answer->marks;
	if (!answer->has_reply)
		return;
	result->rcode = answer->message.rcode;
	result->ttl_s = answer->message.ttl_s;
	for (size_t i = 0; i < answer->message.cname_count; i++)
		if (result_add_cname(result, answer->message.cnames[i]) != 0)
			break; /* out of memory: the chain is cut, the run stands */
}

static void note_lookup(struct probe *probe, int family)
{
	const struct lookup_question *questions = probe->lookup.questions;
	const struct lookup_question *used = probe_lookup_best(&probe->lookup);

	note_question(probe->result, &questions[LOOKUP_A], DNS_TYPE_A);
	note_question(probe->result, &questions[LOOKUP_AAAA], DNS_TYPE_AAAA);
	if (family == 4 && questions[LOOKUP_A].is_ended)
		used = &questions[LOOKUP_A];
	else if (family == 6 && questions[LOOKUP_AAAA].is_ended)
		used = &questions[LOOKUP_AAAA];
	if (used->is_ended)
		note_answer(probe->result, &used->answer);
}

/* A handshake's arithmetic keeps the loop busy too, and is part of what is measured. */
static void note_lag(struct probe *probe)
{
	struct result *result = probe->result;

	if (!mono_is_set(probe->started))
		return;
	result->lag_us = loop_lag_since(probe->context->loop, probe->started);
	for (size_t i = 0; i < probe->attempt_count; i++)
		result->lag_us -= probe->attempts[i].work_us;
	if (result->lag_us < 0)
		result->lag_us = 0;
	if (result->lag_us >= LOOP_LAG_FLOOR_US && result->lag_us > result->total_us / LAG_SHARE)
		result->marks |= RESULT_MARK_LAGGED;
}

static void deliver(void *user)
{
	struct probe *probe = user;
	struct result *result = probe->result;
	void (*finished)(void *, struct result *) = probe->finished;
	void *owner = probe->user;

	probe->result = NULL;
	free_probe(probe);
	finished(owner, result);
	free(result);
}

/* Every run ends here, once. */
static void finish(struct probe *probe)
{
	struct result *result = probe->result;

	assert(result->outcome != OUTCOME_NONE);
	if (!probe->target->url.is_literal)
		note_lookup(probe, result->family);
	note_lag(probe);
	probe->is_finished = true;
	if (!probe->is_starting)
		deliver(probe);
}

static bool is_worse(const struct probe_attempt *a, const struct probe_attempt *b)
{
	if (a->record.outcome != b->record.outcome)
		return outcome_worse(a->record.outcome, b->record.outcome) == a->record.outcome;
	return a->record.total_us > b->record.total_us;
}

static void take_attempt(struct result *result, const struct probe_attempt *attempt)
{
	const struct attempt *record = &attempt->record;

	result->outcome = record->outcome;
	memcpy(result->phase_us, record->phase_us, sizeof result->phase_us);
	result->total_us = record->total_us;
	result->failed_us = record->outcome == OUTCOME_OK ? PHASE_NONE : attempt->failed_us;
	result->local_errno = attempt->local_errno;
	result->status = record->status;
	result->http_version = attempt->http_version;
	result->address = record->address;
	result->family = record->address.sa.sa_family == AF_INET ? 4 :
			 record->address.sa.sa_family == AF_INET6 ? 6 : 0;
	result->tcp_rtt_us = record->tcp_rtt_us;
	result->tcp_retransmits = record->tcp_retransmits;
	result->certificate_days = attempt->certificate_days;
	result->body_bytes = attempt->body_bytes;
	if (attempt->hops > 0 && attempt->detail[0])
		result_set_detail(result, "after %u redirect%s: %s", attempt->hops,
			attempt->hops > 1 ? "s" : "", attempt->detail);
	else
		result_set_detail(result, "%s", attempt->detail);
}

static void keep_attempts(struct probe *probe)
{
	if (probe->attempt_count < 2)
		return;
	probe->result->attempts = calloc(probe->attempt_count, sizeof *probe->result->attempts);
	if (!probe->result->attempts)
		return; /* out of memory: the worst attempt still is the result */
	for (size_t i = 0; i < probe->attempt_count; i++)
		probe->result->attempts[i] = probe->attempts[i].record;
	probe->result->attempt_count = probe->attempt_count;
}

void probe_attempt_ended(struct probe *probe, struct probe_attempt *attempt)
{
	const struct probe_attempt *worst = &probe->attempts[0];

	assert(attempt->is_ended && probe->attempts_open > 0);
	if (--probe->attempts_open > 0)
		return;
	for (size_t i = 1; i < probe->attempt_count; i++)
		if (is_worse(&probe->attempts[i], worst))
			worst = &probe->attempts[i];
	take_attempt(probe->result, worst);
	keep_attempts(probe);
	finish(probe);
}

/* ---- the addresses ------------------------------------------------------------------------ */

static void init_attempt(struct probe *probe, struct probe_attempt *attempt, const union address *address,
	int64_t dns_us)
{
	attempt->probe = probe;
	attempt->failed_us = PHASE_NONE;
	attempt->spent_us = dns_us == PHASE_NONE ? 0 : dns_us;
	attempt->certificate_days = CERTIFICATE_DAYS_NONE;
	attempt->record = (struct attempt){ .tcp_rtt_us = -1, .tcp_retransmits = -1 };
	for (size_t i = 0; i < PHASE_COUNT; i++)
		attempt->record.phase_us[i] = PHASE_NONE;
	attempt->record.phase_us[PHASE_DNS] = dns_us;
	if (address) {
		attempt->record.address = *address;
		address_set_port(&attempt->record.address, probe->target->url.port);
	}
}

static int compare_addresses(const void *a, const void *b)
{
	const union address *left = a;
	const union address *right = b;

	if (left->sa.sa_family == AF_INET6)
		return memcmp(&left->v6.sin6_addr, &right->v6.sin6_addr, sizeof left->v6.sin6_addr);
	return memcmp(&left->v4.sin_addr, &right->v4.sin_addr, sizeof left->v4.sin_addr);
}

/* Which addresses of one answer are tried. Resolvers shuffle their answers, so rotation goes over
 * the sorted list: each address gets its turn. */
static size_t choose(struct probe *probe, const struct dns_message *message, union address *ret_chosen,
	size_t room)
{
	union address sorted[DNS_ADDRESSES_MAX];

	assert(message->address_count > 0 && room > 0);
	switch (probe->target->addresses) {
	case TARGET_ADDRESSES_ALL:
		if (room > message->address_count)
			room = message->address_count;
		memcpy(ret_chosen, message->addresses, room * sizeof *ret_chosen);
		return room;
	case TARGET_ADDRESSES_ROTATE:
		memcpy(sorted, message->addresses, message->address_count * sizeof *sorted);
		qsort(sorted, message->address_count, sizeof *sorted, compare_addresses);
		ret_chosen[0] = sorted[probe->rotation % message->address_count];
		return 1;
	case TARGET_ADDRESSES_FIRST:
	default:
		ret_chosen[0] = message->addresses[0];
		return 1;
	}
}

enum outcome probe_doubt_timeout(const struct probe *probe, enum outcome outcome)
{
	switch ((int)outcome) {
	case OUTCOME_DNS_TIMEOUT: case OUTCOME_CONNECT_TIMEOUT: case OUTCOME_TLS_TIMEOUT:
	case OUTCOME_HTTP_TIMEOUT:
		if (loop_lag_since(probe->context->loop, probe->started) > probe->context->lag_limit_us)
			return OUTCOME_LOCAL_FAULT;
		return outcome;
	default:
		return outcome;
	}
}

/* The attempts for one question: one for each address chosen, or one that failed in DNS. */
static void add_attempts(struct probe *probe, const struct lookup_question *question)
{
	const struct resolver_answer *answer = &question->answer;
	union address chosen[TARGET_ATTEMPTS_MAX];
	size_t room = TARGET_ATTEMPTS_MAX - probe->attempt_count;
	size_t count;

	if (!question->is_wanted || !question->is_ended || room == 0)
		return;
	if (answer->outcome != OUTCOME_OK) {
		struct probe_attempt *attempt = &probe->attempts[probe->attempt_count++];

		init_attempt(probe, attempt, NULL, PHASE_NONE);
		attempt->failed_us = answer->elapsed_us;
		attempt->local_errno = answer->local_errno;
		attempt->record.outcome = probe_doubt_timeout(probe, answer->outcome);
		memcpy(attempt->detail, answer->detail, sizeof attempt->detail);
		return;
	}
	count = choose(probe, &answer->message, chosen, room);
	for (size_t i = 0; i < count; i++)
		init_attempt(probe, &probe->attempts[probe->attempt_count++], &chosen[i], answer->elapsed_us);
}

static void end_failed_lookup(struct probe_attempt *attempt)
{
	attempt->is_ended = true;
	attempt->record.total_us = attempt->failed_us;
	probe_attempt_ended(attempt->probe, attempt);
}

/* Starts them all. An attempt may end at once (a denied address), and the last one to end would free
 * the run inside this loop: hence delivery waits until all were started. */
static void start_attempts(struct probe *probe)
{
	size_t count = probe->attempt_count;
	bool was_starting = probe->is_starting;

	probe->is_starting = true;
	probe->attempts_open = count;
	for (size_t i = 0; i < count; i++) {
		if (probe->attempts[i].record.outcome != OUTCOME_NONE)
			end_failed_lookup(&probe->attempts[i]);
		else
			probe_attempt_start(&probe->attempts[i]);
	}
	probe->is_starting = was_starting;
	if (probe->is_finished && !was_starting)
		deliver(probe);
}

static void fail_locally(struct probe *probe, int err)
{
	probe->result->outcome = OUTCOME_LOCAL_FAULT;
	probe->result->local_errno = err == ERR_NOMEM ? ENOMEM : 0;
	result_set_detail(probe->result, "%s", err_text(err));
	finish(probe);
}

static bool make_room(struct probe *probe, size_t count)
{
	probe->attempts = calloc(count, sizeof *probe->attempts);
	return probe->attempts != NULL;
}

static void on_resolved(void *user)
{
	struct probe *probe = user;
	bool takes_all = probe->target->ip == TARGET_IP_BOTH;

	if (!make_room(probe, TARGET_ATTEMPTS_MAX)) {
		fail_locally(probe, ERR_NOMEM);
		return;
	}
	probe_start_clock(probe);
	if (takes_all) {
		add_attempts(probe, &probe->lookup.questions[LOOKUP_A]);
		add_attempts(probe, &probe->lookup.questions[LOOKUP_AAAA]);
	} else {
		add_attempts(probe, probe_lookup_best(&probe->lookup));
	}
	start_attempts(probe);
}

/* ---- the start ---------------------------------------------------------------------------- */

void probe_start_clock(struct probe *probe)
{
	if (mono_is_set(probe->started))
		return;
	probe->started = mono_now();
	probe->deadline = mono_add(probe->started, probe->target->timeout_us);
}

static void on_first_datagram(void *user)
{
	probe_start_clock(user);
}

static int begin(struct probe *probe)
{
	const struct target *target = probe->target;
	int64_t dns_us = target->dns_timeout_us < target->timeout_us ? target->dns_timeout_us :
								       target->timeout_us;

	if (!target->url.is_literal)
		return probe_lookup_start(&probe->lookup, probe->context, target, target->url.host, dns_us,
			       (struct mono){ 0 }, on_first_datagram, on_resolved, probe) ? 0 : ERR_NOMEM;
	if (!make_room(probe, 1))
		return ERR_NOMEM;
	init_attempt(probe, &probe->attempts[0], &target->url.literal, PHASE_NONE);
	probe->attempt_count = 1;
	start_attempts(probe);
	return 0;
}

struct probe *probe_start(const struct probe_context *context, struct target *target, struct wall scheduled,
	struct mono due, unsigned rotation, void (*finished)(void *user, struct result *result), void *user)
{
	struct probe *probe = calloc(1, sizeof *probe);

	if (!probe)
		return NULL;
	*probe = (struct probe){ .context = context, .target = target, .rotation = rotation,
		.finished = finished, .user = user, .is_starting = true };
	probe->result = calloc(1, sizeof *probe->result);
	if (!probe->result)
		goto fail;
	result_init(probe->result, target);
	probe->result->scheduled = scheduled;
	probe->result->start = wall_now();
	probe->result->late_us = mono_since(mono_now(), due);
	if (begin(probe) != 0)
		goto fail;
	if (probe->is_finished &&
	    loop_timer_start(context->loop, &probe->ending, mono_now(), deliver, probe) != 0)
		goto fail;
	probe->is_starting = false;
	return probe;
fail:
	free_probe(probe);
	return NULL;
}

void probe_cancel(struct probe *probe)
{
	free_probe(probe);
}
