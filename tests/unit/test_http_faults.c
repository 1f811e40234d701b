/* SPDX-License-Identifier: Apache-2.0 */
/* What goes wrong, made by real sockets on loopback: end, stage and outcome of each fault. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <curl/curl.h>

#include "lattice-probe/outcome.h"

#include "../support/exchange.h"
#include "../support/origin.h"

#define SHORT_US (150 * US_PER_MS)
#define LONG_US (900 * US_PER_MS) /* a second later it would be curl's timeout that ended it */

/* The short limit, less what passed before the clock was read, ended it. */
static void expect_between(struct mono from, struct mono to)
{
	assert_true(mono_since(to, from) >= SHORT_US - 10 * US_PER_MS);
	assert_true(mono_since(to, from) < LONG_US);
}

static void exchange_answered(struct exchange *exchange, const char *answer)
{
	exchange_scripted(exchange, NULL, "http://service.example/", origin_answer, answer, NULL);
}

/* ---- connect ------------------------------------------------------------------------------ */

static void a_closed_port_refuses(void **state)
{
	struct exchange *exchange = *state;
	union address address;
	int fd = origin_closed_port(&address);

	exchange_prepare(exchange, "http://service.example/", address);
	exchange_run(exchange);
	exchange_expect(exchange, HTTP_END_ERROR, HTTP_STAGE_CONNECT, OUTCOME_CONNECT_REFUSED);
	assert_int_equal(exchange->reply.os_errno, ECONNREFUSED);
	assert_int_equal(exchange->reply.curl_code, CURLE_COULDNT_CONNECT);
	assert_false(mono_is_set(exchange->reply.connected));
	assert_int_equal(exchange->reply.tcp_rtt_us, -1);
	assert_int_equal(exchange->reply.tcp_retransmits, 0);
	(void)close(fd);
}

/* The kernel refuses TCP to a broadcast address by itself, also without any network. */
static void an_address_without_a_route_is_unreachable(void **state)
{
	struct exchange *exchange = *state;
	union address address;

	assert_int_equal(parse_address("127.255.255.255:80", 0, &address), 0);
	exchange_prepare(exchange, "http://service.example/", address);
	exchange_run(exchange);
	exchange_expect(exchange, HTTP_END_ERROR, HTTP_STAGE_CONNECT, OUTCOME_CONNECT_UNREACHABLE);
	assert_int_equal(exchange->reply.os_errno, ENETUNREACH);
}

static void an_unanswered_syn_ends_at_the_connect_timeout(void **state)
{
	struct exchange *exchange = *state;
	struct origin_silent_port port;

	origin_open_silent_port(&port);
	exchange_prepare(exchange, "https://service.example/", port.address);
	exchange->request.connect_timeout_us = SHORT_US;
	exchange_run(exchange);
	exchange_expect(exchange, HTTP_END_TIMEOUT, HTTP_STAGE_CONNECT, OUTCOME_CONNECT_TIMEOUT);
	expect_between(exchange->reply.start, exchange->reply.finished);
	assert_int_equal(exchange->reply.tcp_rtt_us, -1);
	assert_int_equal(exchange->reply.tcp_retransmits, 0);
	origin_close_silent_port(&port);
}

static void the_deadline_cuts_the_connect_timeout_short(void **state)
{
	struct exchange *exchange = *state;
	struct origin_silent_port port;

	origin_open_silent_port(&port);
	exchange_prepare(exchange, "http://service.example/", port.address);
	exchange->request.deadline = mono_add(mono_now(), SHORT_US);
	exchange_run(exchange);
	exchange_expect(exchange, HTTP_END_TIMEOUT, HTTP_STAGE_CONNECT, OUTCOME_CONNECT_TIMEOUT);
	assert_true(exchange->reply.finished.us >= exchange->request.deadline.us);
	expect_between(exchange->reply.start, exchange->reply.finished);
	origin_close_silent_port(&port);
}

static void a_deadline_in_the_past_still_calls_back(void **state)
{
	struct exchange *exchange = *state;
	struct origin_silent_port port;

	origin_open_silent_port(&port);
	exchange_prepare(exchange, "http://service.example/", port.address);
	exchange->request.deadline = mono_add(mono_now(), -US_PER_S);
	exchange_run(exchange);
	exchange_expect(exchange, HTTP_END_TIMEOUT, HTTP_STAGE_CONNECT, OUTCOME_CONNECT_TIMEOUT);
	origin_close_silent_port(&port);
}

static void reset_at_once(struct origin_connection *connection)
{
	origin_reset(connection);
}

static void a_reset_right_after_the_handshake_is_no_refusal(void **state)
{
	struct exchange *exchange = *state;

	exchange_scripted(exchange, NULL, "http://service.example/", reset_at_once, NULL, NULL);
	exchange_expect(exchange, HTTP_END_ERROR, HTTP_STAGE_FIRST_BYTE, OUTCOME_HTTP_RESET);
	exchange_scripted(exchange, NULL, "https://service.example/", reset_at_once, NULL, NULL);
	exchange_expect(exchange, HTTP_END_ERROR, HTTP_STAGE_TLS, OUTCOME_TLS_HANDSHAKE);
}

/* ---- this host's own trouble -------------------------------------------------------------- */

static void without_descriptors_it_is_this_hosts_fault(void **state)
{
	struct exchange *exchange = *state;
	struct rlimit saved;
	struct rlimit none;
	union address address;
	int closed = origin_closed_port(&address);
	int next = open("/dev/null", O_RDONLY | O_CLOEXEC);

	exchange_prepare(exchange, "http://service.example/", address);
	exchange_run(exchange); /* everything that needs a descriptor of its own has it now */
	assert_true(next >= 0);
	(void)close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &saved), 0);
	none = saved;
	none.rlim_cur = (rlim_t)next;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	exchange_run(exchange);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &saved), 0);
	exchange_expect(exchange, HTTP_END_ERROR, HTTP_STAGE_SETUP, OUTCOME_LOCAL_FAULT);
	assert_int_equal(exchange->reply.os_errno, EMFILE);
	assert_int_equal(exchange->reply.tcp_retransmits, -1);
	(void)close(closed);
}

static void a_line_break_in_a_header_is_never_sent(void **state)
{
	struct exchange *exchange = *state;
	char name[] = "X-A";
	char value[] = "1\r\nX-B: 2";
	struct target_header header = { .name = name, .value = value };
	union address address;
	int closed = origin_closed_port(&address);

	exchange_prepare(exchange, "http://service.example/", address);
	exchange->request.headers = &header;
	exchange->request.header_count = 1;
	exchange_run(exchange);
	exchange_expect(exchange, HTTP_END_ERROR, HTTP_STAGE_SETUP, OUTCOME_LOCAL_FAULT);
	assert_null(strstr(exchange->reply.detail, "X-B"));
	(void)close(closed);
}

/* ---- TLS without a certificate ------------------------------------------------------------ */

static void shorten_tls(struct http_request *request)
{
	request->tls_timeout_us = SHORT_US;
}

static void a_silent_server_ends_at_the_tls_timeout(void **state)
{
	struct exchange *exchange = *state;

	exchange_scripted(exchange, NULL, "https://service.example/", origin_silence, NULL, shorten_tls);
	exchange_expect(exchange, HTTP_END_TIMEOUT, HTTP_STAGE_TLS, OUTCOME_TLS_TIMEOUT);
	expect_between(exchange->reply.connected, exchange->reply.finished);
	assert_true(exchange->reply.tcp_rtt_us > 0);
	assert_false(exchange->reply.has_certificate);
}

static void speak_plainly(struct origin_connection *connection)
{
	origin_write_text(connection, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
	origin_wait_for_close(connection);
}

static void a_plain_server_fails_the_handshake(void **state)
{
	struct exchange *exchange = *state;

	exchange_scripted(exchange, NULL, "https://service.example/", speak_plainly, NULL, NULL);
	exchange_expect(exchange, HTTP_END_ERROR, HTTP_STAGE_TLS, OUTCOME_TLS_HANDSHAKE);
}

static void close_after_hello(struct origin_connection *connection)
{
	char hello[1024];

	(void)recv(connection->fd, hello, sizeof hello, 0);
}

static void a_close_in_the_handshake_is_a_failed_handshake(void **state)
{
	struct exchange *exchange = *state;

	exchange_scripted(exchange, NULL, "https://service.example/", close_after_hello, NULL, NULL);
	exchange_expect(exchange, HTTP_END_ERROR, HTTP_STAGE_TLS, OUTCOME_TLS_HANDSHAKE);
}

/* ---- no answer, half an answer ------------------------------------------------------------ */

static void shorten_all(struct http_request *request)
{
	request->deadline = mono_add(mono_now(), SHORT_US);
}

static void silence_ends_at_the_deadline(void **state)
{
	struct exchange *exchange = *state;

	exchange_scripted(exchange, NULL, "http://service.example/", origin_silence, NULL, shorten_all);
	exchange_expect(exchange, HTTP_END_TIMEOUT, HTTP_STAGE_FIRST_BYTE, OUTCOME_HTTP_TIMEOUT);
	expect_between(exchange->reply.start, exchange->reply.finished);
	assert_int_equal(exchange->reply.status, 0);
}

static void answer_late(struct origin_connection *connection)
{
	if (!origin_read_request(connection))
		return;
	origin_pause(connection, 2 * SHORT_US / US_PER_MS);
	origin_write_text(connection, "HTTP/1.1 204 No Content\r\n\r\n");
}

static void shorten_connect(struct http_request *request)
{
	request->connect_timeout_us = SHORT_US;
}

static void the_connect_timeout_ends_with_its_phase(void **state)
{
	struct exchange *exchange = *state;

	exchange_scripted(exchange, NULL, "http://service.example/", answer_late, NULL, shorten_connect);
	exchange_expect(exchange, HTTP_END_DONE, HTTP_STAGE_DONE, OUTCOME_OK);
}

static void say_and_wait(struct origin_connection *connection)
{
	if (origin_read_request(connection))
		origin_write_text(connection, connection->data);
	origin_wait_for_close(connection);
}

static void a_stalled_body_ends_at_the_deadline(void **state)
{
	struct exchange *exchange = *state;

	exchange_scripted(exchange, NULL, "http://service.example/", say_and_wait,
		"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", shorten_all);
	exchange_expect(exchange, HTTP_END_TIMEOUT, HTTP_STAGE_TRANSFER, OUTCOME_HTTP_TIMEOUT);
	assert_int_equal(exchange->reply.status, 200);
	assert_int_equal(exchange->reply.received_bytes, 4);
}

static void a_provisional_response_is_no_response(void **state)
{
	struct exchange *exchange = *state;

	exchange_scripted(exchange, NULL, "http://service.example/", say_and_wait, "HTTP/1.1 100 Continue\r\n\r\n",
		shorten_all);
	exchange_expect(exchange, HTTP_END_TIMEOUT, HTTP_STAGE_TRANSFER, OUTCOME_HTTP_TIMEOUT);
	assert_int_equal(exchange->reply.status, 0);
}

static void drip(struct origin_connection *connection)
{
	if (!origin_read_request(connection))
		return;
	origin_write_text(connection, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
	for (int i = 0; i < 1000; i++) {
		origin_write_text(connection, ".");
		origin_pause(connection, 5);
	}
}

static void a_drip_never_extends_the_deadline(void **state)
{
	struct exchange *exchange = *state;

	exchange_scripted(exchange, NULL, "http://service.example/", drip, NULL, shorten_all);
	exchange_expect(exchange, HTTP_END_TIMEOUT, HTTP_STAGE_TRANSFER, OUTCOME_HTTP_TIMEOUT);
	assert_true(exchange->reply.received_bytes > 0);
	assert_true(exchange->reply.received_bytes < 1000);
}

static void close_after_request(struct origin_connection *connection)
{
	(void)origin_read_request(connection);
}

static void an_empty_reply_is_a_reset(void **state)
{
	struct exchange *exchange = *state;

	exchange_scripted(exchange, NULL, "http://service.example/", close_after_request, NULL, NULL);
	exchange_expect(exchange, HTTP_END_ERROR, HTTP_STAGE_FIRST_BYTE, OUTCOME_HTTP_RESET);
	assert_int_equal(exchange->reply.curl_code, CURLE_GOT_NOTHING);
}

static void reset_after_request(struct origin_connection *connection)
{
	(void)origin_read_request(connection);
	origin_reset(connection);
}

static void a_reset_before_the_answer_is_a_reset(void **state)
{
	struct exchange *exchange = *state;

	exchange_scripted(exchange, NULL, "http://service.example/", reset_after_request, NULL, NULL);
	exchange_expect(exchange, HTTP_END_ERROR, HTTP_STAGE_FIRST_BYTE, OUTCOME_HTTP_RESET);
	assert_int_equal(exchange->reply.os_errno, ECONNRESET);
	assert_true(exchange->reply.tcp_rtt_us > 0);
}

static void reset_in_the_body(struct origin_connection *connection)
{
	if (!origin_read_request(connection))
		return;
	origin_write_text(connection, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
	origin_pause(connection, 20); /* a reset throws away what was not read yet */
	origin_reset(connection);
}

static void a_reset_in_the_body_is_a_reset(void **state)
{
	struct exchange *exchange = *state;

	exchange_scripted(exchange, NULL, "http://service.example/", reset_in_the_body, NULL, NULL);
	exchange_expect(exchange, HTTP_END_ERROR, HTTP_STAGE_TRANSFER, OUTCOME_HTTP_RESET);
	assert_int_equal(exchange->reply.status, 200);
}

static void a_body_shorter_than_promised_is_a_reset(void **state)
{
	struct exchange *exchange = *state;

	exchange_answered(exchange, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
	exchange_expect(exchange, HTTP_END_ERROR, HTTP_STAGE_TRANSFER, OUTCOME_HTTP_RESET);
	exchange_answered(exchange, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel");
	exchange_expect(exchange, HTTP_END_ERROR, HTTP_STAGE_TRANSFER, OUTCOME_HTTP_RESET);
}

/* ---- not HTTP ----------------------------------------------------------------------------- */

static void garbage_is_not_http(void **state)
{
	struct exchange *exchange = *state;

	exchange_answered(exchange, "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n");
	exchange_expect(exchange, HTTP_END_ERROR, HTTP_STAGE_FIRST_BYTE, OUTCOME_HTTP_PROTOCOL);
	exchange_answered(exchange, "\x15\x03\x01\x02\x02\x02\x16\x01\x02 and more of it, to be sure");
	exchange_expect(exchange, HTTP_END_ERROR, HTTP_STAGE_FIRST_BYTE, OUTCOME_HTTP_PROTOCOL);
}

static void a_header_without_a_colon_is_not_http(void **state)
{
	struct exchange *exchange = *state;

	exchange_answered(exchange, "HTTP/1.1 200 OK\r\nthis is no header\r\n\r\n");
	exchange_expect(exchange, HTTP_END_ERROR, HTTP_STAGE_TRANSFER, OUTCOME_HTTP_PROTOCOL);
}

static void broken_chunks_are_not_http(void **state)
{
	struct exchange *exchange = *state;

	exchange_scripted(exchange, NULL, "http://service.example/", say_and_wait,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nabc\r\n", NULL);
	exchange_expect(exchange, HTTP_END_ERROR, HTTP_STAGE_TRANSFER, OUTCOME_HTTP_PROTOCOL);
}

/* Says that no more will come, and listens on. */
static void say_and_half_close(struct origin_connection *connection)
{
	origin_answer(connection);
	(void)shutdown(connection->fd, SHUT_WR);
	origin_wait_for_close(connection);
}

static void plain_text_for_http2_is_not_http(void **state)
{
	struct exchange *exchange = *state;
	struct origin *origin = origin_start(AF_INET, NULL, say_and_half_close,
		"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");

	exchange_prepare(exchange, "http://service.example/", origin_address(origin));
	exchange->request.version = TARGET_HTTP_2;
	exchange_run(exchange);
	exchange_expect(exchange, HTTP_END_ERROR, HTTP_STAGE_FIRST_BYTE, OUTCOME_HTTP_PROTOCOL);
	origin_free(origin);
}

/* SETTINGS, their acknowledgement, then RST_STREAM on stream 1 (RFC 9113 section 6.4). */
static void refuse_in_http2(struct origin_connection *connection)
{
	static const unsigned char frames[] = { 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0,
		0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 2 };

	if (!origin_read_request(connection))
		return;
	origin_write(connection, frames, sizeof frames);
	origin_wait_for_close(connection);
}

static void a_stream_reset_by_http2_is_a_reset(void **state)
{
	struct exchange *exchange = *state;
	struct origin *origin = origin_start(AF_INET, NULL, refuse_in_http2, NULL);

	exchange_prepare(exchange, "http://service.example/", origin_address(origin));
	exchange->request.version = TARGET_HTTP_2;
	exchange_run(exchange);
	exchange_expect(exchange, HTTP_END_ERROR, HTTP_STAGE_FIRST_BYTE, OUTCOME_HTTP_RESET);
	origin_free(origin);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, exchange_setup, exchange_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_closed_port_refuses),
		TEST(an_address_without_a_route_is_unreachable),
		TEST(an_unanswered_syn_ends_at_the_connect_timeout),
		TEST(the_deadline_cuts_the_connect_timeout_short),
		TEST(a_deadline_in_the_past_still_calls_back),
		TEST(a_reset_right_after_the_handshake_is_no_refusal),
		TEST(without_descriptors_it_is_this_hosts_fault),
		TEST(a_line_break_in_a_header_is_never_sent),
		TEST(a_silent_server_ends_at_the_tls_timeout),
		TEST(a_plain_server_fails_the_handshake),
		TEST(a_close_in_the_handshake_is_a_failed_handshake),
		TEST(silence_ends_at_the_deadline),
		TEST(the_connect_timeout_ends_with_its_phase),
		TEST(a_stalled_body_ends_at_the_deadline),
		TEST(a_provisional_response_is_no_response),
		TEST(a_drip_never_extends_the_deadline),
		TEST(an_empty_reply_is_a_reset),
		TEST(a_reset_before_the_answer_is_a_reset),
		TEST(a_reset_in_the_body_is_a_reset),
		TEST(a_body_shorter_than_promised_is_a_reset),
		TEST(garbage_is_not_http),
		TEST(a_header_without_a_colon_is_not_http),
		TEST(broken_chunks_are_not_http),
		TEST(plain_text_for_http2_is_not_http),
		TEST(a_stream_reset_by_http2_is_a_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
