/* SPDX-License-Identifier: Apache-2.0 */
/* Servers that send too much of everything. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "lattice-probe/buf.h"

#include "../support/exchange.h"
#include "../support/origin.h"

static void exchange_answered(struct exchange *exchange, const char *answer)
{
	exchange_scripted(exchange, NULL, "http://service.example/", origin_answer, answer, NULL);
}

static void cap_body(struct http_request *request)
{
	request->max_body_bytes = 10;
}

static void a_body_over_the_limit_ends_the_transfer(void **state)
{
	struct exchange *exchange = *state;

	exchange_scripted(exchange, NULL, "http://service.example/", origin_answer,
		"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n01234567890", cap_body);
	exchange_expect(exchange, HTTP_END_TOO_LARGE, HTTP_STAGE_TRANSFER, OUTCOME_HTTP_TOO_LARGE);
	exchange_scripted(exchange, NULL, "http://service.example/", origin_answer,
		"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789", cap_body);
	exchange_expect(exchange, HTTP_END_DONE, HTTP_STAGE_DONE, OUTCOME_OK);
}

/* Repeats its data until the client goes away. */
static void repeat(struct origin_connection *connection)
{
	const char *text = connection->data;

	if (!origin_read_request(connection))
		return;
	for (int i = 0; i < 1000 * 1000 && send(connection->fd, text, strlen(text), MSG_NOSIGNAL) > 0; i++)
		;
}

static void repeat_after_status(struct origin_connection *connection)
{
	origin_write_text(connection, "HTTP/1.1 200 OK\r\n");
	repeat(connection);
}

static void endless_headers_end_the_transfer(void **state)
{
	struct exchange *exchange = *state;

	exchange_scripted(exchange, NULL, "http://service.example/", repeat_after_status, "X-A: 1\r\n", NULL);
	exchange_expect(exchange, HTTP_END_TOO_LARGE, HTTP_STAGE_TRANSFER, OUTCOME_HTTP_TOO_LARGE);
	exchange_scripted(exchange, NULL, "http://service.example/", repeat, "HTTP/1.1 100 Continue\r\n\r\n", NULL);
	exchange_expect(exchange, HTTP_END_TOO_LARGE, HTTP_STAGE_TRANSFER, OUTCOME_HTTP_TOO_LARGE);
}

static void too_many_headers_are_too_large(void **state)
{
	struct exchange *exchange = *state;
	struct buf answer;

	for (int count = HTTP_HEADERS_MAX_COUNT; count <= HTTP_HEADERS_MAX_COUNT + 1; count++) {
		buf_init(&answer, 64 * 1024);
		(void)buf_append_text(&answer, "HTTP/1.1 204 No Content\r\n");
		for (int i = 0; i < count; i++)
			(void)buf_append_format(&answer, "H%d: v\r\n", i);
		assert_int_equal(buf_append_text(&answer, "\r\n"), 0);
		exchange_answered(exchange, buf_text(&answer));
		if (count <= HTTP_HEADERS_MAX_COUNT)
			exchange_expect(exchange, HTTP_END_DONE, HTTP_STAGE_DONE, OUTCOME_OK);
		else
			exchange_expect(exchange, HTTP_END_TOO_LARGE, HTTP_STAGE_TRANSFER, OUTCOME_HTTP_TOO_LARGE);
		buf_done(&answer);
	}
}

static void one_endless_header_line_ends_the_transfer(void **state)
{
	struct exchange *exchange = *state;

	exchange_scripted(exchange, NULL, "http://service.example/", repeat_after_status,
		"an endless line an endless line an endless line ", NULL);
	exchange_expect(exchange, HTTP_END_TOO_LARGE, HTTP_STAGE_TRANSFER, OUTCOME_HTTP_TOO_LARGE);
}

static void repeat_after_head(struct origin_connection *connection)
{
	origin_write_text(connection, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
	repeat(connection);
}

static void endless_trailers_end_the_transfer(void **state)
{
	struct exchange *exchange = *state;

	exchange_scripted(exchange, NULL, "http://service.example/", repeat_after_head, "X-A: 1\r\n", NULL);
	exchange_expect(exchange, HTTP_END_TOO_LARGE, HTTP_STAGE_TRANSFER, OUTCOME_HTTP_TOO_LARGE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, exchange_setup, exchange_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_body_over_the_limit_ends_the_transfer),
		TEST(endless_headers_end_the_transfer),
		TEST(too_many_headers_are_too_large),
		TEST(one_endless_header_line_ends_the_transfer),
		TEST(endless_trailers_end_the_transfer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
