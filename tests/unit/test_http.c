/* SPDX-License-Identifier: Apache-2.0 */
/* What goes right: the request as the server sees it, the reply as the caller sees it, the marks. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../support/exchange.h"
#include "../support/origin.h"

#define OK_EMPTY "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

static struct target_header make_header(const char *name, const char *value)
{
	return (struct target_header){ .name = (char *)(uintptr_t)name, .value = (char *)(uintptr_t)value };
}

/* One exchange with a server that gives that answer; the server is stopped, not freed. */
static struct origin *exchange_with(struct exchange *exchange, const char *url, const char *answer,
	void (*change)(struct http_request *request))
{
	struct origin *origin = origin_start(AF_INET, NULL, origin_answer, answer);

	exchange_prepare(exchange, url, origin_address(origin));
	if (change)
		change(&exchange->request);
	exchange_run(exchange);
	origin_stop(origin);
	return origin;
}

static void assert_no_line(const char *request, const char *start)
{
	for (const char *line = request; line; line = strstr(line, "\r\n") ? strstr(line, "\r\n") + 2 : NULL)
		if (strncasecmp(line, start, strlen(start)) == 0)
			fail_msg("unexpected: %s", line);
}

static void a_plain_200_has_all_its_marks_in_order(void **state)
{
	struct exchange *exchange = *state;
	const struct http_reply *reply = &exchange->reply;
	struct origin *origin = exchange_with(exchange, "http://service.example/healthz",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Thing:  a b \r\n\r\nhello", NULL);

	assert_int_equal(reply->end, HTTP_END_DONE);
	assert_int_equal(reply->stage, HTTP_STAGE_DONE);
	assert_int_equal(reply->curl_code, 0);
	assert_int_equal(reply->status, 200);
	assert_int_equal(reply->http_version, 11);
	assert_string_equal(reply->body, "hello");
	assert_int_equal(reply->received_bytes, 5);
	assert_string_equal(http_reply_header(reply, "x-thing"), "a b");
	assert_null(http_reply_header(reply, "x-other"));
	assert_true(mono_is_set(reply->start));
	assert_true(reply->start.us <= reply->connected.us);
	assert_false(mono_is_set(reply->secured));
	assert_true(reply->connected.us <= reply->first_byte.us);
	assert_true(reply->first_byte.us <= reply->finished.us);
	assert_true(reply->tcp_rtt_us > 0);
	assert_int_equal(reply->tcp_retransmits, 0);
	assert_false(reply->has_certificate);
	assert_string_equal(reply->tls_version, "");
	assert_string_equal(reply->detail, "");
	origin_free(origin);
}

static void the_request_is_ours_and_nothing_is_invented(void **state)
{
	struct exchange *exchange = *state;
	struct origin *origin = exchange_with(exchange, "http://service.example:8080/a/../b?q=1%20x", OK_EMPTY, NULL);
	const char *request = origin_request(origin, NULL);

	assert_memory_equal(request, "GET ", 4);
	assert_non_null(strstr(request, "\r\nHost: service.example:8080\r\n"));
	assert_non_null(strstr(request, "\r\nUser-Agent: lattice-probe/"));
	assert_non_null(strstr(request, "?q=1%20x HTTP/1.1\r\n"));
	assert_no_line(request, "Expect:");
	assert_no_line(request, "Content-");
	assert_no_line(request, "Accept-Encoding:");
	assert_no_line(request, "Cookie:");
	assert_no_line(request, "Authorization:");
	origin_free(origin);
}

static void the_environment_s_proxy_is_never_used(void **state)
{
	struct exchange *exchange = *state;
	struct origin *origin;

	assert_int_equal(setenv("http_proxy", "http://127.0.0.1:9", 1), 0);
	assert_int_equal(setenv("ALL_PROXY", "socks5://127.0.0.1:9", 1), 0);
	origin = exchange_with(exchange, "http://service.example/", OK_EMPTY, NULL);
	assert_int_equal(exchange->reply.end, HTTP_END_DONE);
	assert_memory_equal(origin_request(origin, NULL), "GET / HTTP/1.1\r\n", 16);
	assert_int_equal(unsetenv("http_proxy"), 0);
	assert_int_equal(unsetenv("ALL_PROXY"), 0);
	origin_free(origin);
}

static void send_custom_headers(struct http_request *request)
{
	static struct target_header headers[4];

	headers[0] = make_header("X-Secret", "s3cr3t value");
	headers[0].is_secret = true;
	headers[1] = make_header("User-Agent", "mine");
	headers[2] = make_header("Host", "other.example");
	headers[3] = make_header("X-Empty", "");
	request->headers = headers;
	request->header_count = 4;
}

static void headers_of_the_caller_go_first(void **state)
{
	struct exchange *exchange = *state;
	struct origin *origin = exchange_with(exchange, "http://service.example/", OK_EMPTY, send_custom_headers);
	const char *request = origin_request(origin, NULL);

	assert_non_null(strstr(request, "\r\nX-Secret: s3cr3t value\r\n"));
	assert_non_null(strstr(request, "\r\nUser-Agent: mine\r\n"));
	assert_non_null(strstr(request, "\r\nHost: other.example\r\n"));
	assert_non_null(strstr(request, "\r\nX-Empty:\r\n"));
	assert_null(strstr(request, "lattice-probe"));
	assert_null(strstr(request, "service.example"));
	origin_free(origin);
}

static void send_nul_bytes(struct http_request *request)
{
	static struct target_header header;

	header = make_header("Content-Type", "application/octet-stream");
	request->headers = &header;
	request->header_count = 1;
	request->method = "POST";
	request->body = "a\0b\0";
	request->body_bytes = 4;
}

static void a_body_with_nul_bytes_arrives_whole(void **state)
{
	struct exchange *exchange = *state;
	struct origin *origin = exchange_with(exchange, "http://service.example/", OK_EMPTY, send_nul_bytes);
	size_t length;
	const char *request = origin_request(origin, &length);

	assert_memory_equal(request, "POST / HTTP/1.1\r\n", 17);
	assert_non_null(strstr(request, "\r\nContent-Length: 4\r\n"));
	assert_non_null(strstr(request, "\r\nContent-Type: application/octet-stream\r\n"));
	assert_memory_equal(request + length - 8, "\r\n\r\na\0b\0", 8);
	origin_free(origin);
}

static char large_body[1500 * 1000]; /* curl asks for a 100 above 1 MiB */

static void send_large_get(struct http_request *request)
{
	memset(large_body, 'x', sizeof large_body);
	request->body = large_body;
	request->body_bytes = sizeof large_body;
}

static void any_method_may_have_a_body_and_waits_for_no_100(void **state)
{
	struct exchange *exchange = *state;
	struct origin *origin = exchange_with(exchange, "http://service.example/", OK_EMPTY, send_large_get);
	const char *request = origin_request(origin, NULL);

	assert_memory_equal(request, "GET / HTTP/1.1\r\n", 16);
	assert_non_null(strstr(request, "\r\nContent-Length: 1500000\r\n"));
	assert_no_line(request, "Expect:");
	assert_no_line(request, "Content-Type:");
	origin_free(origin);
}

static void post_nothing(struct http_request *request)
{
	request->method = "POST";
}

static void delete_nothing(struct http_request *request)
{
	request->method = "DELETE";
}

static void only_methods_with_content_say_that_it_is_empty(void **state)
{
	struct exchange *exchange = *state;
	struct origin *origin = exchange_with(exchange, "http://service.example/", OK_EMPTY, post_nothing);

	assert_memory_equal(origin_request(origin, NULL), "POST / HTTP/1.1\r\n", 17);
	assert_non_null(strstr(origin_request(origin, NULL), "\r\nContent-Length: 0\r\n"));
	origin_free(origin);
	origin = exchange_with(exchange, "http://service.example/", OK_EMPTY, delete_nothing);
	assert_memory_equal(origin_request(origin, NULL), "DELETE / HTTP/1.1\r\n", 19);
	assert_no_line(origin_request(origin, NULL), "Content-Length:");
	origin_free(origin);
}

static void ask_for_head(struct http_request *request)
{
	request->method = "HEAD";
}

static void a_head_waits_for_no_body(void **state)
{
	struct exchange *exchange = *state;
	struct origin *origin = exchange_with(exchange, "http://service.example/",
		"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", ask_for_head);

	assert_memory_equal(origin_request(origin, NULL), "HEAD / HTTP/1.1\r\n", 17);
	assert_int_equal(exchange->reply.end, HTTP_END_DONE);
	assert_int_equal(exchange->reply.status, 200);
	assert_int_equal(exchange->reply.received_bytes, 0);
	origin_free(origin);
}

static void provisional_responses_and_their_headers_are_dropped(void **state)
{
	struct exchange *exchange = *state;
	struct origin *origin = exchange_with(exchange, "http://service.example/",
		"HTTP/1.1 100 Continue\r\nX-A: 1\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
		"HTTP/1.1 204 No Content\r\nX-B: 2\r\n\r\n", NULL);
	const struct http_reply *reply = &exchange->reply;

	assert_int_equal(reply->end, HTTP_END_DONE);
	assert_int_equal(reply->status, 204);
	assert_int_equal(reply->header_count, 1);
	assert_string_equal(http_reply_header(reply, "X-B"), "2");
	origin_free(origin);
}

static void chunks_are_joined_and_trailers_left_out(void **state)
{
	struct exchange *exchange = *state;
	struct origin *origin = exchange_with(exchange, "http://service.example/",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n"
		"3\r\nabc\r\n2\r\nde\r\n0\r\nX-T: late\r\n\r\n", NULL);

	assert_int_equal(exchange->reply.end, HTTP_END_DONE);
	assert_string_equal(exchange->reply.body, "abcde");
	assert_null(http_reply_header(&exchange->reply, "X-T"));
	origin_free(origin);
}

static void a_folded_header_is_one_value(void **state)
{
	struct exchange *exchange = *state;
	struct origin *origin = exchange_with(exchange, "http://service.example/",
		"HTTP/1.1 200 OK\r\nX-A: one\r\n\t two\r\nX-B: b\r\nContent-Length: 0\r\n\r\n", NULL);

	assert_string_equal(http_reply_header(&exchange->reply, "X-A"), "one two");
	assert_string_equal(http_reply_header(&exchange->reply, "X-B"), "b");
	origin_free(origin);
}

/* Nothing to continue: curl 7.88 then wrote into the freed headers of its handle's last response. */
static void a_fold_at_the_very_start_harms_nobody(void **state)
{
	struct exchange *exchange = *state;

	for (int i = 0; i < 20; i++) {
		origin_free(exchange_with(exchange, "http://service.example/",
			"HTTP/1.1 200 OK\r\nX-A: a header to be freed\r\nContent-Length: 0\r\n\r\n", NULL));
		origin_free(exchange_with(exchange, "http://service.example/",
			"HTTP/1.1 200 OK\r\n and something to continue it\r\nContent-Length: 0\r\n\r\n", NULL));
		assert_null(http_reply_header(&exchange->reply, "X-A"));
	}
}

static void http_1_0_ends_with_the_connection(void **state)
{
	struct exchange *exchange = *state;
	struct origin *origin = exchange_with(exchange, "http://service.example/",
		"HTTP/1.0 200 OK\r\n\r\nuntil the end", NULL);

	assert_int_equal(exchange->reply.end, HTTP_END_DONE);
	assert_int_equal(exchange->reply.http_version, 10);
	assert_string_equal(exchange->reply.body, "until the end");
	origin_free(origin);
}

static void keep_nothing(struct http_request *request)
{
	request->keep_body = false;
}

static void an_unwanted_body_is_counted_but_that_of_a_403_is_kept(void **state)
{
	struct exchange *exchange = *state;
	struct origin *origin = exchange_with(exchange, "http://service.example/",
		"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nplenty", keep_nothing);

	assert_int_equal(exchange->reply.body_bytes, 0);
	assert_int_equal(exchange->reply.received_bytes, 6);
	origin_free(origin);
	origin = exchange_with(exchange, "http://service.example/",
		"HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\n\r\ndenied", keep_nothing);
	assert_string_equal(exchange->reply.body, "denied");
	origin_free(origin);
}

static void an_ipv6_address_is_reached(void **state)
{
	struct exchange *exchange = *state;
	struct origin *origin = origin_start(AF_INET6, NULL, origin_answer, OK_EMPTY);

	exchange_prepare(exchange, "http://service.example/", origin_address(origin));
	exchange_run(exchange);
	assert_int_equal(exchange->reply.status, 200);
	origin_stop(origin);
	assert_non_null(strstr(origin_request(origin, NULL), "\r\nHost: service.example\r\n"));
	origin_free(origin);
}

/* The smallest HTTP/2 server there is: our SETTINGS, an acknowledgement of theirs, and on stream 1
 * a HEADERS frame that is ":status: 200" of the static table (RFC 7541 appendix A, index 8). */
static void answer_in_http2(struct origin_connection *connection)
{
	static const unsigned char frames[] = { 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0,
		0, 0, 1, 1, 5, 0, 0, 0, 1, 0x88 };

	if (!origin_read_request(connection)) /* the preface ends like a request */
		return;
	origin_write(connection, frames, sizeof frames);
	origin_wait_for_close(connection);
}

static void http2_is_spoken_with_prior_knowledge(void **state)
{
	struct exchange *exchange = *state;
	struct origin *origin = origin_start(AF_INET, NULL, answer_in_http2, NULL);

	exchange_prepare(exchange, "http://service.example/", origin_address(origin));
	exchange->request.version = TARGET_HTTP_2;
	exchange_run(exchange);
	assert_int_equal(exchange->reply.end, HTTP_END_DONE);
	assert_int_equal(exchange->reply.status, 200);
	assert_int_equal(exchange->reply.http_version, 20);
	origin_stop(origin);
	assert_memory_equal(origin_request(origin, NULL), "PRI * HTTP/2.0\r\n", 16);
	origin_free(origin);
}

static void a_proxy_gets_the_name_not_the_address(void **state)
{
	struct exchange *exchange = *state;
	struct origin *origin = origin_start(AF_INET, NULL, origin_answer, OK_EMPTY);
	union address address = origin_address(origin);
	char text[ADDRESS_TEXT_SIZE];
	char proxy[ADDRESS_TEXT_SIZE + 8];

	address_format_port(&address, text);
	assert_true(snprintf(proxy, sizeof proxy, "http://%s", text) < (int)sizeof proxy);
	exchange_prepare(exchange, "http://service.example/x", (union address){ 0 });
	exchange->request.proxy = proxy;
	exchange_run(exchange);
	assert_int_equal(exchange->reply.status, 200);
	origin_stop(origin);
	assert_memory_equal(origin_request(origin, NULL), "GET http://service.example/x HTTP/1.1\r\n", 39);
	origin_free(origin);
}

/* When the server wrote the first and the last byte; read after it has stopped. */
static struct mono first_written;
static struct mono last_written;

static void answer_in_two_parts(struct origin_connection *connection)
{
	if (!origin_read_request(connection))
		return;
	first_written = mono_now();
	origin_write_text(connection, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na");
	origin_pause(connection, 20);
	last_written = mono_now();
	origin_write_text(connection, "b");
}

/* The server and we share a clock. That a mark is not early holds always; that it is not late can
 * only be asked of a run in which nobody kept us from the processor. */
static void marks_tell_when_the_server_did_it(void **state)
{
	struct exchange *exchange = *state;
	const struct http_reply *reply = &exchange->reply;
	bool is_in_time = false;

	for (int run = 0; run < 20 && !is_in_time; run++) {
		exchange_scripted(exchange, NULL, "http://service.example/", answer_in_two_parts, NULL, NULL);
		assert_true(reply->first_byte.us >= first_written.us);
		assert_true(reply->finished.us >= last_written.us);
		is_in_time = reply->first_byte.us < last_written.us;
	}
	assert_true(is_in_time);
}

static unsigned most_requests; /* on one connection; read after the server has stopped */

static void answer_as_often_as_asked(struct origin_connection *connection)
{
	for (unsigned count = 1; origin_read_request(connection); count++) {
		if (count > most_requests)
			most_requests = count;
		origin_write_text(connection, OK_EMPTY);
	}
}

static void each_transfer_has_a_connection_of_its_own(void **state)
{
	struct exchange *exchange = *state;
	struct origin *origin = origin_start(AF_INET, NULL, answer_as_often_as_asked, NULL);

	exchange_prepare(exchange, "http://service.example/", origin_address(origin));
	for (int i = 0; i < 3; i++) {
		exchange_run(exchange);
		assert_int_equal(exchange->reply.status, 200);
	}
	origin_stop(origin);
	assert_int_equal(origin_accepted(origin), 3);
	assert_int_equal(most_requests, 1);
	origin_free(origin);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, exchange_setup, exchange_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_plain_200_has_all_its_marks_in_order),
		TEST(the_request_is_ours_and_nothing_is_invented),
		TEST(the_environment_s_proxy_is_never_used),
		TEST(headers_of_the_caller_go_first),
		TEST(a_body_with_nul_bytes_arrives_whole),
		TEST(any_method_may_have_a_body_and_waits_for_no_100),
		TEST(only_methods_with_content_say_that_it_is_empty),
		TEST(a_head_waits_for_no_body),
		TEST(provisional_responses_and_their_headers_are_dropped),
		TEST(chunks_are_joined_and_trailers_left_out),
		TEST(a_folded_header_is_one_value),
		TEST(a_fold_at_the_very_start_harms_nobody),
		TEST(http_1_0_ends_with_the_connection),
		TEST(an_unwanted_body_is_counted_but_that_of_a_403_is_kept),
		TEST(an_ipv6_address_is_reached),
		TEST(http2_is_spoken_with_prior_knowledge),
		TEST(a_proxy_gets_the_name_not_the_address),
		TEST(marks_tell_when_the_server_did_it),
		TEST(each_transfer_has_a_connection_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
