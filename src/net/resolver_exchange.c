/* SPDX-License-Identifier: Apache-2.0 */
/* An exchange takes one question to the servers. It is
 *
 *   waiting   in the queue, while the budget or the ceiling on open channels holds it back
 *   asking    its servers in order. A server's share of the time is what remains divided by the
 *             servers that remain (timeout / N each when all stay silent). After half of it the
 *             question is sent once more (tries = 2) on a second channel; the first stays open, and
 *             the first answer of either counts
 *   done      the answer is handed out; until a millisecond after its datagram left, the exchange
 *             stays so that late equals still share it
 *
 * An answer (also NXDOMAIN, and NOERROR without an address) ends it. Anything else is a failure of
 * that server, and the next is asked at once; when all have failed, the outcome is the first
 * server's, as it would be without the others, and `detail` names them all.
 * When a limit of time passes, the sockets are looked at once more before it is called a timeout:
 * libuv runs timers before I/O, and a busy loop must not turn an answer into a timeout. What counts
 * is when the answer arrived at this host, not when we found it.
 *
 * Every exchange's timer runs from its birth to its end. Moving a running timer cannot fail, so that
 * none can be left without one. */
#include "lattice-probe/resolver.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lattice-probe/err.h"
#include "lattice-probe/loop.h"
#include "lattice-probe/result.h"
#include "resolver_internal.h"

#define SHARE_WINDOW_US US_PER_MS

static void on_exchange_timer(void *user);
static void on_drain(void *user);

/* ---- small things --------------------------------------------------------------------------- */

static bool may_send(struct resolver *resolver)
{
	return resolver->pool.open_count < RESOLVER_CHANNELS_MAX &&
		resolver_budget_allows(&resolver->budget, mono_now());
}

/* The timer is running, see the top: moving it needs no memory. */
static void move_timer(struct resolver_exchange *exchange, struct mono due)
{
	int err = loop_timer_start(exchange->resolver->loop, &exchange->timer, due, on_exchange_timer, exchange);

	assert(err == 0);
}

/* Sets the drain for when something of what waits can leave. A full pool drains when a question ends. */
static int set_drain(struct resolver *resolver)
{
	struct mono now = mono_now();

	if (resolver->waiting_count == 0 || resolver->pool.open_count >= RESOLVER_CHANNELS_MAX)
		return 0;
	return loop_timer_start(resolver->loop, &resolver->drain, resolver_budget_next(&resolver->budget, now),
		on_drain, resolver);
}

/* "10.0.0.2:53: SERVFAIL; 10.0.0.3:53: no answer in 1000 ms" */
static void add_detail(struct resolver_exchange *exchange, const struct resolver_end *end)
{
	char *detail = exchange->answer.detail;
	size_t length = strlen(detail);
	char server[ADDRESS_TEXT_SIZE];

	address_format_port(&exchange->key.servers[exchange->server], server);
	(void)snprintf(detail + length, sizeof exchange->answer.detail - length, "%s%s: %s",
		length > 0 ? "; " : "", server, end->why);
}

static void stop_waiting(struct resolver_exchange *exchange)
{
	if (exchange->state != RESOLVER_WAITING)
		return;
	TAILQ_REMOVE(&exchange->resolver->waiting, exchange, waiting_link);
	exchange->resolver->waiting_count--;
}

static void drop_channels(struct resolver_exchange *exchange)
{
	for (size_t i = 0; i < 2; i++) {
		resolver_channel_drop(exchange->channels[i]);
		exchange->channels[i] = NULL;
	}
}

void resolver_exchange_free(struct resolver_exchange *exchange)
{
	struct resolver *resolver = exchange->resolver;

	stop_waiting(exchange);
	drop_channels(exchange);
	loop_timer_stop(resolver->loop, &exchange->timer);
	LIST_REMOVE(exchange, bucket_link);
	free(exchange);
	if (resolver->waiting_count == 0)
		loop_timer_stop(resolver->loop, &resolver->drain);
	/* A channel may have become free. Without memory for the timer, the next end tries again. */
	(void)set_drain(resolver);
}

void resolver_exchange_tidy(struct resolver_exchange *exchange)
{
	bool is_joinable = exchange->state == RESOLVER_DONE && mono_now().us < exchange->share_until.us;

	if (exchange->holds > 0)
		return;
	if (!TAILQ_EMPTY(&exchange->queries)) {
		if (exchange->state == RESOLVER_DONE)
			move_timer(exchange, mono_now());
	} else if (is_joinable) {
		move_timer(exchange, exchange->share_until);
	} else {
		resolver_exchange_free(exchange);
	}
}

/* ---- asking ---------------------------------------------------------------------------------- */

/* The answer stands in exchange->answer. */
static void finish(struct resolver_exchange *exchange)
{
	stop_waiting(exchange);
	drop_channels(exchange);
	exchange->state = RESOLVER_DONE;
	if (!mono_is_set(exchange->share_until))
		exchange->share_until = mono_now();
	if (exchange->is_new)
		move_timer(exchange, mono_now());
	else
		resolver_query_hand_out(exchange);
}

static void set_elapsed(struct resolver_exchange *exchange, struct mono end)
{
	if (mono_is_set(exchange->answer.sent))
		exchange->answer.elapsed_us = mono_since(end, exchange->answer.sent);
}

static void set_reply(struct resolver_exchange *exchange, const struct resolver_end *end)
{
	exchange->answer.has_reply = end->has_reply;
	if (end->has_reply)
		exchange->answer.message = *end->message;
}

static void remember(struct resolver_exchange *exchange, const struct resolver_end *end)
{
	struct resolver *resolver = exchange->resolver;
	const struct resolver_answer *answer = &exchange->answer;

	if (resolver->budget.max_rate == 0)
		return;
	if (answer->outcome == OUTCOME_OK && answer->message.ttl_s > 0)
		resolver_memory_put(&resolver->memory, &exchange->key, &answer->server, end->reply, end->reply_bytes,
			mono_add(end->received, answer->message.ttl_s * US_PER_S));
	else
		resolver_memory_forget(&resolver->memory, &exchange->key);
}

/* Who answered, and what that says of the answer. */
static void set_server(struct resolver_exchange *exchange, size_t index)
{
	struct resolver_answer *answer = &exchange->answer;

	answer->server = exchange->key.servers[index];
	if (index > 0)
		answer->marks |= RESULT_MARK_FALLBACK;
	if (exchange->mode == TARGET_RESOLVER_SYSTEM && address_is_loopback(&answer->server))
		answer->marks |= RESULT_MARK_LOCAL_CACHE;
}

static void finish_answered(struct resolver_exchange *exchange, const struct resolver_end *end)
{
	struct resolver_answer *answer = &exchange->answer;

	answer->outcome = end->outcome;
	set_reply(exchange, end);
	set_server(exchange, exchange->server);
	set_elapsed(exchange, end->received);
	if (end->outcome == OUTCOME_OK)
		answer->detail[0] = '\0';
	else
		add_detail(exchange, end);
	remember(exchange, end);
	finish(exchange);
}

/* The server being asked has failed. The first failure is the one that counts. */
static void note_failure(struct resolver_exchange *exchange, const struct resolver_end *end)
{
	struct resolver_answer *answer = &exchange->answer;

	add_detail(exchange, end);
	if (answer->outcome == OUTCOME_NONE) {
		answer->outcome = end->outcome;
		answer->server = exchange->key.servers[exchange->server];
		set_reply(exchange, end);
	}
	drop_channels(exchange);
}

static void finish_failed(struct resolver_exchange *exchange)
{
	set_elapsed(exchange, mono_now());
	if (exchange->answer.outcome != OUTCOME_LOCAL_FAULT)
		resolver_memory_forget(&exchange->resolver->memory, &exchange->key);
	finish(exchange);
}

static void on_ended(struct resolver_exchange *exchange, size_t index, const struct resolver_end *end);

static void on_first_ended(void *user, const struct resolver_end *end)
{
	on_ended(user, 0, end);
}

static void on_second_ended(void *user, const struct resolver_end *end)
{
	on_ended(user, 1, end);
}

static void set_server_limits(struct resolver_exchange *exchange, struct mono now)
{
	struct mono end = mono_add(exchange->answer.sent, exchange->timeout_us);
	int64_t share_us = mono_since(end, now) / (int64_t)(exchange->key.server_count - exchange->server);

	exchange->server_start = now;
	exchange->server_end = mono_add(now, share_us);
	exchange->may_retransmit = exchange->tries > 1;
	move_timer(exchange, exchange->may_retransmit ? mono_add(now, share_us / 2) : exchange->server_end);
}

/* The first datagram of the question: its clock starts. */
static void note_departure(struct resolver_exchange *exchange, struct mono sent)
{
	exchange->answer.sent = sent;
	exchange->share_until = mono_add(sent, SHARE_WINDOW_US);
	resolver_query_tell_started(exchange);
}

/* Asks exchange->server. False: nothing left us, and that is noted as its failure. */
static bool ask_server(struct resolver_exchange *exchange)
{
	struct resolver_end end;
	struct mono sent;

	exchange->channels[0] = resolver_channel_ask(&exchange->resolver->pool,
		&exchange->key.servers[exchange->server], exchange->key.name, exchange->key.type,
		on_first_ended, exchange, &end);
	if (!exchange->channels[0]) {
		note_failure(exchange, &end);
		if (exchange->server == 0)
			exchange->answer.local_errno = end.local_errno;
		return false;
	}
	exchange->answer.local_errno = 0;
	sent = resolver_channel_sent(exchange->channels[0]);
	if (!mono_is_set(exchange->answer.sent))
		note_departure(exchange, sent);
	set_server_limits(exchange, sent);
	return true;
}

/* Asks from exchange->server on until a datagram has left. When this host is short of something, so
 * it will be for the next server. */
static void ask_servers(struct resolver_exchange *exchange)
{
	exchange->holds++;
	while (exchange->server < exchange->key.server_count && !ask_server(exchange)) {
		if (exchange->answer.outcome == OUTCOME_LOCAL_FAULT)
			exchange->server = exchange->key.server_count;
		else
			exchange->server++;
	}
	exchange->holds--;
	if (exchange->server == exchange->key.server_count)
		finish_failed(exchange);
	else
		resolver_exchange_tidy(exchange);
}

static void ask_next_server(struct resolver_exchange *exchange)
{
	exchange->server++;
	ask_servers(exchange);
}

static void start(struct resolver_exchange *exchange)
{
	stop_waiting(exchange);
	exchange->state = RESOLVER_ASKING;
	ask_servers(exchange);
}

/* ---- time ----------------------------------------------------------------------------------- */

/* The same question on a channel of its own. Without a token, over TCP, or when it cannot be sent, the
 * first one goes on alone. */
static void retransmit(struct resolver_exchange *exchange)
{
	struct resolver_end end;

	exchange->may_retransmit = false;
	move_timer(exchange, exchange->server_end);
	if (!may_send(exchange->resolver) || resolver_channel_is_tcp(exchange->channels[0]))
		return;
	exchange->channels[1] = resolver_channel_ask(&exchange->resolver->pool,
		&exchange->key.servers[exchange->server], exchange->key.name, exchange->key.type,
		on_second_ended, exchange, &end);
	if (exchange->channels[1])
		exchange->answer.retransmits++;
}

static void note_timeout(struct resolver_exchange *exchange)
{
	struct resolver_end end = { .outcome = OUTCOME_DNS_TIMEOUT };
	long long waited_ms = mono_since(exchange->server_end, exchange->server_start) / US_PER_MS;
	unsigned forged = 0;
	bool is_tcp = false;

	for (size_t i = 0; i < 2; i++)
		if (exchange->channels[i]) {
			forged += resolver_channel_forged(exchange->channels[i]);
			is_tcp = is_tcp || resolver_channel_is_tcp(exchange->channels[i]);
		}
	if (forged > 0 && !is_tcp) {
		end.outcome = OUTCOME_DNS_BAD_REPLY;
		(void)snprintf(end.why, sizeof end.why, "nothing but %u replies with a wrong id or question in %lld ms",
			forged, waited_ms);
	} else {
		(void)snprintf(end.why, sizeof end.why, "no answer%s in %lld ms",
			is_tcp ? " over TCP after a truncated one" : "", waited_ms);
	}
	note_failure(exchange, &end);
}

static void on_ended(struct resolver_exchange *exchange, size_t index, const struct resolver_end *end)
{
	exchange->channels[index] = NULL;
	exchange->is_new = false;
	if (end->has_reply && end->received.us > exchange->server_end.us) {
		note_timeout(exchange);
	} else if (end->outcome == OUTCOME_OK || end->outcome == OUTCOME_DNS_NXDOMAIN ||
		end->outcome == OUTCOME_DNS_NODATA) {
		finish_answered(exchange, end);
		return;
	} else {
		note_failure(exchange, end);
	}
	ask_next_server(exchange);
}

/* An answer that arrived while the loop was busy is an answer. True: it ended the exchange, which
 * must not be touched again. */
static bool answer_is_there(struct resolver_exchange *exchange)
{
	for (size_t i = 0; i < 2; i++)
		if (exchange->channels[i] && resolver_channel_look(exchange->channels[i]))
			return true;
	return false;
}

static void on_exchange_timer(void *user)
{
	struct resolver_exchange *exchange = user;

	/* Taken back into the heap first, where its place is still free: see the top. */
	move_timer(exchange, mono_add(mono_now(), US_PER_S));
	exchange->is_new = false;
	if (exchange->state == RESOLVER_DONE) {
		resolver_query_hand_out(exchange);
	} else if (exchange->state == RESOLVER_WAITING) {
		(void)set_drain(exchange->resolver);
	} else if (!answer_is_there(exchange)) {
		if (exchange->may_retransmit) {
			retransmit(exchange);
			return;
		}
		note_timeout(exchange);
		ask_next_server(exchange);
	}
}

/* Not more than wait now: one that fails at once may have its caller ask again. */
static void on_drain(void *user)
{
	struct resolver *resolver = user;

	for (size_t left = resolver->waiting_count; left > 0 && may_send(resolver); left--) {
		struct resolver_exchange *exchange = TAILQ_FIRST(&resolver->waiting);

		if (!exchange)
			break;
		start(exchange);
	}
	(void)set_drain(resolver);
}

/* ---- beginning ------------------------------------------------------------------------------ */

static struct resolver_bucket *bucket_of(struct resolver *resolver, const struct resolver_key *key)
{
	return &resolver->buckets[resolver_key_hash(key) % RESOLVER_BUCKETS];
}

struct resolver_exchange *resolver_exchange_new(struct resolver *resolver, const struct resolver_question *question,
	const struct resolver_key *key)
{
	struct resolver_exchange *exchange = calloc(1, sizeof *exchange);

	if (!exchange)
		return NULL;
	exchange->resolver = resolver;
	exchange->key = *key;
	exchange->mode = question->servers->mode;
	exchange->timeout_us = question->timeout_us;
	exchange->tries = question->tries;
	exchange->answer.message.ttl_s = -1;
	TAILQ_INIT(&exchange->queries);
	if (loop_timer_start(resolver->loop, &exchange->timer, mono_add(mono_now(), US_PER_S), on_exchange_timer,
		exchange) != 0) {
		free(exchange);
		return NULL;
	}
	LIST_INSERT_HEAD(bucket_of(resolver, key), exchange, bucket_link);
	exchange->state = RESOLVER_ASKING;
	exchange->is_new = true;
	return exchange;
}

struct resolver_exchange *resolver_exchange_find(struct resolver *resolver, const struct resolver_question *question,
	const struct resolver_key *key)
{
	struct mono now = mono_now();
	struct resolver_exchange *exchange;

	LIST_FOREACH(exchange, bucket_of(resolver, key), bucket_link)
		if ((exchange->state == RESOLVER_WAITING || now.us < exchange->share_until.us) &&
		    exchange->timeout_us == question->timeout_us && exchange->tries == question->tries &&
		    exchange->mode == question->servers->mode && resolver_key_is_equal(&exchange->key, key))
			return exchange;
	return NULL;
}

/* Over the budget: an answer that is still good. */
static bool reuse(struct resolver_exchange *exchange)
{
	struct resolver *resolver = exchange->resolver;
	struct resolver_answer *answer = &exchange->answer;
	struct mono now = mono_now();
	const struct resolver_remembered *old = resolver_memory_find(&resolver->memory, &exchange->key, now);

	if (!old || dns_message_parse(old->reply, old->length_bytes, exchange->key.name, exchange->key.type,
		&answer->message) != 0)
		return false;
	answer->outcome = OUTCOME_OK;
	answer->has_reply = true;
	answer->message.ttl_s = mono_since(old->expires, now) / US_PER_S;
	for (size_t i = 0; i < exchange->key.server_count; i++)
		if (address_is_equal(&exchange->key.servers[i], &old->server))
			set_server(exchange, i);
	answer->marks |= RESULT_MARK_DNS_REUSED;
	resolver->counters.reused++;
	resolver_query_tell_started(exchange);
	finish(exchange);
	return true;
}

static void fail_at_once(struct resolver_exchange *exchange, enum outcome outcome, const char *why)
{
	exchange->answer.outcome = outcome;
	(void)snprintf(exchange->answer.detail, sizeof exchange->answer.detail, "%s", why);
	finish(exchange);
}

static int wait_for_budget(struct resolver_exchange *exchange)
{
	struct resolver *resolver = exchange->resolver;

	if (resolver->waiting_count == RESOLVER_WAITING_MAX) {
		fail_at_once(exchange, OUTCOME_LOCAL_FAULT, "too many questions wait to be sent");
		return 0;
	}
	exchange->state = RESOLVER_WAITING;
	exchange->has_waited = true;
	TAILQ_INSERT_TAIL(&resolver->waiting, exchange, waiting_link);
	resolver->waiting_count++;
	resolver->counters.waited++;
	return set_drain(resolver);
}

int resolver_exchange_begin(struct resolver_exchange *exchange)
{
	struct resolver *resolver = exchange->resolver;

	if (!dns_message_name_is_valid(exchange->key.name))
		fail_at_once(exchange, OUTCOME_DNS_NXDOMAIN, "not a possible host name");
	else if (exchange->key.server_count == 0)
		fail_at_once(exchange, OUTCOME_LOCAL_FAULT, "resolv.conf cannot be read");
	else if (resolver->waiting_count == 0 && may_send(resolver))
		start(exchange);
	else if (!reuse(exchange))
		return wait_for_budget(exchange);
	return 0;
}
