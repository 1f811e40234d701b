/* SPDX-License-Identifier: Apache-2.0 */
/* Many transfers at once, started and cancelled from each other's callbacks and in every phase. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "../support/exchange.h"
#include "../support/origin.h"

#define OK_EMPTY "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
#define PARALLEL 40
#define SHORT_US (60 * US_PER_MS)

/* ---- many ---------------------------------------------------------------------------------- */

struct count {
	unsigned finished;
	bool is_done;
};

static void count_one(void *user, const struct http_reply *reply)
{
	struct count *count = user;

	assert_int_equal(reply->status, 200);
	count->is_done = ++count->finished == PARALLEL;
}

static void many_transfers_run_side_by_side(void **state)
{
	struct exchange *exchange = *state;
	struct origin *origin = origin_start(AF_INET, NULL, origin_answer, OK_EMPTY);
	struct count count = { 0 };

	exchange_prepare(exchange, "http://service.example/", origin_address(origin));
	for (size_t i = 0; i < PARALLEL; i++)
		assert_non_null(http_start(exchange->client, &exchange->request, count_one, &count));
	loop_run_until(exchange->loop, &count.is_done);
	assert_int_equal(count.finished, PARALLEL);
	origin_free(origin);
}

static void must_not_run(void *user, const struct http_reply *reply)
{
	(void)user;
	(void)reply;
	fail_msg("a cancelled transfer came back");
}

struct member {
	struct crowd *crowd;
	struct http_transfer *transfer;
};

struct crowd {
	struct member members[PARALLEL];
	bool is_done;
};

/* Whoever is first ends it for all the others. */
static void cancel_the_others(void *user, const struct http_reply *reply)
{
	struct member *member = user;
	struct crowd *crowd = member->crowd;

	assert_int_equal(reply->status, 200);
	assert_false(crowd->is_done);
	for (size_t i = 0; i < PARALLEL; i++)
		if (&crowd->members[i] != member)
			http_cancel(crowd->members[i].transfer);
	crowd->is_done = true;
}

/* The server answers one connection after the other, so when the first is over the rest are
 * connected, waiting for an answer, some perhaps over and about to be told. */
static void others_may_be_cancelled_from_a_callback(void **state)
{
	struct exchange *exchange = *state;
	struct origin *origin = origin_start(AF_INET, NULL, origin_answer, OK_EMPTY);
	struct crowd crowd = { .is_done = false };

	exchange_prepare(exchange, "http://service.example/", origin_address(origin));
	for (size_t i = 0; i < PARALLEL; i++) {
		struct member *member = &crowd.members[i];

		member->crowd = &crowd;
		member->transfer = http_start(exchange->client, &exchange->request, cancel_the_others, member);
		assert_non_null(member->transfer);
	}
	loop_run_until(exchange->loop, &crowd.is_done);
	assert_true(crowd.is_done);
	origin_free(origin);
}

static void start_another(void *user, const struct http_reply *reply)
{
	struct exchange *exchange = user;

	assert_int_equal(reply->end, HTTP_END_DONE);
	assert_non_null(http_start(exchange->client, &exchange->request, exchange_finished, exchange));
	assert_false(exchange->is_done);
}

static void a_callback_may_start_the_next_transfer(void **state)
{
	struct exchange *exchange = *state;
	struct origin *origin = origin_start(AF_INET, NULL, origin_answer, OK_EMPTY);

	exchange_prepare(exchange, "http://service.example/", origin_address(origin));
	assert_non_null(http_start(exchange->client, &exchange->request, start_another, exchange));
	loop_run_until(exchange->loop, &exchange->is_done);
	assert_int_equal(exchange->reply.status, 200);
	origin_free(origin);
}

static void a_transfer_may_be_cancelled_at_once(void **state)
{
	struct exchange *exchange = *state;
	struct origin *origin = origin_start(AF_INET, NULL, origin_answer, OK_EMPTY);

	exchange_prepare(exchange, "http://service.example/", origin_address(origin));
	http_cancel(http_start(exchange->client, &exchange->request, must_not_run, exchange));
	exchange_run(exchange);
	assert_int_equal(exchange->reply.status, 200);
	origin_free(origin);
}

/* ---- one, at any moment ------------------------------------------------------------------- */

struct stop {
	struct http_transfer *transfer;
	struct loop_timer timer;
	bool is_done;
};

static void cancel_now(void *user)
{
	struct stop *stop = user;

	http_cancel(stop->transfer);
	stop->is_done = true;
}

static void cancel_after_a_while(struct exchange *exchange)
{
	struct stop stop = { 0 };

	stop.transfer = http_start(exchange->client, &exchange->request, must_not_run, NULL);
	assert_non_null(stop.transfer);
	assert_int_equal(loop_timer_start(exchange->loop, &stop.timer, mono_add(mono_now(), SHORT_US / 2),
		cancel_now, &stop), 0);
	loop_run_until(exchange->loop, &stop.is_done);
	assert_true(stop.is_done);
}

static void say_half_and_wait(struct origin_connection *connection)
{
	if (origin_read_request(connection))
		origin_write_text(connection, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx");
	origin_wait_for_close(connection);
}

static void a_transfer_may_be_cancelled_in_any_phase(void **state)
{
	struct exchange *exchange = *state;
	struct origin_silent_port port;
	struct origin *origin;

	origin_open_silent_port(&port);
	exchange_prepare(exchange, "http://service.example/", port.address);
	cancel_after_a_while(exchange);
	origin_close_silent_port(&port);

	origin = origin_start(AF_INET, NULL, origin_silence, NULL);
	exchange_prepare(exchange, "https://service.example/", origin_address(origin));
	cancel_after_a_while(exchange);
	exchange_prepare(exchange, "http://service.example/", origin_address(origin));
	cancel_after_a_while(exchange);
	origin_free(origin);

	origin = origin_start(AF_INET, NULL, say_half_and_wait, NULL);
	exchange_prepare(exchange, "http://service.example/", origin_address(origin));
	cancel_after_a_while(exchange);
	origin_free(origin);
}

static void a_failed_transfer_may_be_cancelled_before_it_is_told(void **state)
{
	struct exchange *exchange = *state;
	union address address;

	assert_int_equal(parse_address("127.255.255.255:80", 0, &address), 0);
	exchange_prepare(exchange, "http://service.example/", address);
	http_cancel(http_start(exchange->client, &exchange->request, must_not_run, NULL));
	exchange_run(exchange);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, exchange_setup, exchange_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(many_transfers_run_side_by_side),
		TEST(others_may_be_cancelled_from_a_callback),
		TEST(a_callback_may_start_the_next_transfer),
		TEST(a_transfer_may_be_cancelled_at_once),
		TEST(a_transfer_may_be_cancelled_in_any_phase),
		TEST(a_failed_transfer_may_be_cancelled_before_it_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
