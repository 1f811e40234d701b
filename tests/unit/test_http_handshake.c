/* SPDX-License-Identifier: Apache-2.0 */
/* What a handshake tells beside its end: the protocol agreed on, the peer's alert, a peer
 * that speaks no TLS. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "lattice-probe/outcome.h"

#include "../support/authority.h"
#include "../support/exchange.h"
#include "../support/origin.h"

#define OK_EMPTY "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
#define SECURE "https://service.example/"
#define PLAIN "http://service.example/"
#define SILENCE_US (200 * US_PER_MS)

static struct authority trusted;

static const struct authority_leaf good = { "DNS:service.example", -AUTHORITY_DAY_S,
	90 * AUTHORITY_DAY_S, false };

static void trust_ours(struct http_request *request)
{
	request->tls_ca = trusted.path;
}

static void end_soon(struct http_request *request)
{
	trust_ours(request);
	request->deadline = mono_add(mono_now(), SILENCE_US);
}

/* ---- servers ------------------------------------------------------------------------------ */

struct bytes {
	const void *bytes;
	size_t length;
	bool speaks_first;
};

/* Whatever the client says first, in plain; then these bytes, then the end. */
static void say_bytes(struct origin_connection *connection)
{
	const struct bytes *said = connection->data;
	char hello[4096];

	if (!said->speaks_first && recv(connection->fd, hello, sizeof hello, 0) <= 0)
		return;
	origin_write(connection, said->bytes, said->length);
	(void)shutdown(connection->fd, SHUT_WR);
	origin_wait_for_close(connection);
}

static int select_http2(SSL *tls, const unsigned char **ret_name, unsigned char *ret_length,
	const unsigned char *offered, unsigned offered_length, void *user)
{
	static const unsigned char wanted[] = { 2, 'h', '2' };
	unsigned char *name;

	(void)tls;
	(void)user;
	if (SSL_select_next_proto(&name, ret_length, wanted, sizeof wanted, offered, offered_length) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_NOACK;
	*ret_name = name;
	return SSL_TLSEXT_ERR_OK;
}

/* Names what nobody offered, with bytes that do not belong into a log. */
static int select_oddity(SSL *tls, const unsigned char **ret_name, unsigned char *ret_length,
	const unsigned char *offered, unsigned offered_length, void *user)
{
	static const unsigned char odd[] = "a\nb\x7f\xff d-and-so-on-and-so-on";

	(void)tls;
	(void)offered;
	(void)offered_length;
	(void)user;
	*ret_name = odd;
	*ret_length = sizeof odd - 1;
	return SSL_TLSEXT_ERR_OK;
}

static int refuse_name(SSL *tls, int *alert, void *user)
{
	(void)tls;
	(void)user;
	*alert = SSL_AD_UNRECOGNIZED_NAME;
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* One exchange with a TLS server that has that leaf and, if not NULL, that choice of protocol. */
static void exchange_with(struct exchange *exchange, const struct authority_leaf *leaf,
	SSL_CTX_alpn_select_cb_func choose, origin_script script, void (*change)(struct http_request *request))
{
	SSL_CTX *context = authority_server(&trusted, leaf);

	SSL_CTX_set_alpn_select_cb(context, choose, NULL);
	exchange_scripted(exchange, context, SECURE, script, OK_EMPTY, change);
	SSL_CTX_free(context);
}

/* One https exchange with a plain server. */
static void exchange_with_plain(struct exchange *exchange, const void *bytes, size_t length,
	bool speaks_first)
{
	const struct bytes said = { bytes, length, speaks_first };

	exchange_scripted(exchange, NULL, SECURE, say_bytes, &said, trust_ours);
	assert_int_equal(exchange->reply.end, HTTP_END_ERROR);
	assert_int_equal(exchange->reply.stage, HTTP_STAGE_TLS);
}

/* ---- the protocol ------------------------------------------------------------------------- */

static void the_protocol_agreed_on_is_told(void **state)
{
	struct exchange *exchange = *state;

	exchange_with(exchange, &good, select_http2, origin_silence, end_soon);
	assert_string_equal(exchange->reply.alpn, "h2");
	exchange_with(exchange, &good, NULL, origin_answer, trust_ours);
	assert_string_equal(exchange->reply.alpn, "");
	assert_int_equal(exchange->reply.end, HTTP_END_DONE);
	assert_false(exchange->reply.is_not_tls);
}

/* Newer releases of OpenSSL (3.0.19, for one) refuse what was not offered. */
static void an_odd_protocol_is_made_printable_and_cut(void **state)
{
	struct exchange *exchange = *state;

	exchange_with(exchange, &good, select_oddity, origin_answer, trust_ours);
	if (exchange->reply.stage == HTTP_STAGE_TLS)
		assert_string_equal(exchange->reply.alpn, "");
	else
		assert_string_equal(exchange->reply.alpn, "a?b???d-and-so-");
}

/* ---- alerts ------------------------------------------------------------------------------- */

static void the_alert_of_a_refused_name_is_told(void **state)
{
	struct exchange *exchange = *state;
	SSL_CTX *context = authority_server(&trusted, &good);

	SSL_CTX_set_tlsext_servername_callback(context, refuse_name);
	exchange_scripted(exchange, context, SECURE, origin_answer, OK_EMPTY, trust_ours);
	assert_int_equal(exchange->reply.tls_alert, SSL_AD_UNRECOGNIZED_NAME);
	assert_false(exchange->reply.is_not_tls);
	SSL_CTX_free(context);
}

static void the_alert_of_a_missing_client_certificate_is_told(void **state)
{
	struct exchange *exchange = *state;
	SSL_CTX *context = authority_server(&trusted, &good);

	SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	exchange_scripted(exchange, context, SECURE, origin_answer, OK_EMPTY, trust_ours);
	assert_int_equal(exchange->reply.tls_alert, SSL_AD_CERTIFICATE_REQUIRED);
	assert_int_equal(SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION), 1);
	exchange_scripted(exchange, context, SECURE, origin_answer, OK_EMPTY, trust_ours);
	assert_int_equal(exchange->reply.tls_alert, SSL_AD_HANDSHAKE_FAILURE);
	SSL_CTX_free(context);
}

static void an_alert_that_is_all_the_peer_says_is_tls(void **state)
{
	static const unsigned char failure[] = { 21, 3, 3, 0, 2, SSL3_AL_FATAL, SSL_AD_HANDSHAKE_FAILURE };
	struct exchange *exchange = *state;

	exchange_with_plain(exchange, failure, sizeof failure, false);
	assert_int_equal(exchange->reply.tls_alert, SSL_AD_HANDSHAKE_FAILURE);
	assert_false(exchange->reply.is_not_tls);
	assert_string_equal(outcome_name(exchange_judge(exchange)), "tls_handshake");
}

static void a_farewell_is_no_fatal_alert(void **state)
{
	static const unsigned char farewell[] = { 21, 3, 3, 0, 2, SSL3_AL_WARNING, SSL_AD_CLOSE_NOTIFY };
	struct exchange *exchange = *state;

	exchange_with_plain(exchange, farewell, sizeof farewell, false);
	assert_int_equal(exchange->reply.tls_alert, -1);
	assert_false(exchange->reply.is_not_tls);
	exchange_with(exchange, &good, NULL, origin_answer, trust_ours);
	assert_int_equal(exchange->reply.tls_alert, -1);
}

static void without_tls_there_is_no_alert(void **state)
{
	struct exchange *exchange = *state;

	exchange_scripted(exchange, NULL, PLAIN, origin_answer, OK_EMPTY, NULL);
	assert_int_equal(exchange->reply.tls_alert, -1);
	assert_string_equal(exchange->reply.alpn, "");
	assert_false(exchange->reply.is_not_tls);
}

/* ---- no TLS at all ------------------------------------------------------------------------ */

static void a_plain_http_server_is_no_tls(void **state)
{
	static const char bad[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
	struct exchange *exchange = *state;

	exchange_with_plain(exchange, bad, sizeof bad - 1, false);
	assert_true(exchange->reply.is_not_tls);
	assert_int_equal(exchange->reply.tls_alert, -1);
	assert_string_equal(outcome_name(exchange_judge(exchange)), "tls_handshake");
}

static void a_server_that_speaks_first_is_no_tls(void **state)
{
	static const char banner[] = "220 mail.example ESMTP\r\n";
	struct exchange *exchange = *state;

	exchange_with_plain(exchange, banner, sizeof banner - 1, true);
	assert_true(exchange->reply.is_not_tls);
}

static void garbage_is_no_tls(void **state)
{
	static const unsigned char high[] = { 0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0xfa, 0xf9, 0xf8 };
	static const unsigned char zero[64];
	static const unsigned char version_2[] = { 22, 2, 0, 0, 4, 2, 0, 0, 0 };
	static const unsigned char data_first[] = { 23, 3, 3, 0, 4, 1, 2, 3, 4 };
	struct exchange *exchange = *state;

	exchange_with_plain(exchange, high, sizeof high, false);
	assert_true(exchange->reply.is_not_tls);
	exchange_with_plain(exchange, zero, sizeof zero, false);
	assert_true(exchange->reply.is_not_tls);
	exchange_with_plain(exchange, version_2, sizeof version_2, false);
	assert_true(exchange->reply.is_not_tls);
	exchange_with_plain(exchange, data_first, sizeof data_first, false);
	assert_true(exchange->reply.is_not_tls);
}

static void less_than_the_header_of_a_record_is_no_tls(void **state)
{
	struct exchange *exchange = *state;

	exchange_with_plain(exchange, "no", 2, false);
	assert_true(exchange->reply.is_not_tls);
	exchange_with_plain(exchange, "n", 1, false);
	assert_true(exchange->reply.is_not_tls);
}

static void a_broken_record_is_tls_nevertheless(void **state)
{
	static const unsigned char broken[] = { 22, 3, 3, 0, 4, 99, 0, 0, 0 };
	struct exchange *exchange = *state;

	exchange_with_plain(exchange, broken, sizeof broken, false);
	assert_false(exchange->reply.is_not_tls);
}

static void a_close_says_nothing_of_tls(void **state)
{
	struct exchange *exchange = *state;

	exchange_with_plain(exchange, "", 0, false);
	assert_false(exchange->reply.is_not_tls);
	exchange_scripted(exchange, NULL, SECURE, origin_reset, NULL, trust_ours);
	assert_int_equal(exchange->reply.end, HTTP_END_ERROR);
	assert_false(exchange->reply.is_not_tls);
}

static void be_patient_for_a_moment(struct http_request *request)
{
	trust_ours(request);
	request->tls_timeout_us = SILENCE_US;
}

static void silence_says_nothing_of_tls(void **state)
{
	struct exchange *exchange = *state;

	exchange_scripted(exchange, NULL, SECURE, origin_silence, NULL, be_patient_for_a_moment);
	assert_int_equal(exchange->reply.end, HTTP_END_TIMEOUT);
	assert_int_equal(exchange->reply.stage, HTTP_STAGE_TLS);
	assert_false(exchange->reply.is_not_tls);
	assert_int_equal(exchange->reply.tls_alert, -1);
}

static void say_no_tls_in_the_tunnel(struct origin_connection *connection)
{
	const char *said = connection->data;
	char hello[4096];

	if (!origin_read_request(connection))
		return;
	origin_write_text(connection, "HTTP/1.1 200 Connection established\r\n\r\n");
	if (recv(connection->fd, hello, sizeof hello, 0) > 0)
		origin_write_text(connection, said);
	(void)shutdown(connection->fd, SHUT_WR);
	origin_wait_for_close(connection);
}

static void exchange_in_tunnel(struct exchange *exchange, const char *said)
{
	struct origin *origin = origin_start(AF_INET, NULL, say_no_tls_in_the_tunnel, said);
	union address address = origin_address(origin);
	char text[ADDRESS_TEXT_SIZE];
	char proxy[ADDRESS_TEXT_SIZE + 8];

	address_format_port(&address, text);
	(void)snprintf(proxy, sizeof proxy, "http://%s", text);
	exchange_prepare(exchange, SECURE, (union address){ 0 });
	exchange->request.proxy = proxy;
	exchange_run(exchange);
	origin_free(origin);
}

/* What the proxy says is HTTP, and none of the peer's words. */
static void in_a_tunnel_the_peer_behind_it_counts(void **state)
{
	struct exchange *exchange = *state;

	exchange_in_tunnel(exchange, "HTTP/1.1 400 Bad Request\r\n\r\n");
	assert_int_equal(exchange->reply.stage, HTTP_STAGE_TLS);
	assert_true(exchange->reply.is_not_tls);
	exchange_in_tunnel(exchange, "");
	assert_int_equal(exchange->reply.stage, HTTP_STAGE_TLS);
	assert_false(exchange->reply.is_not_tls);
}

static int make_authority(void **state)
{
	(void)state;
	authority_init(&trusted);
	return 0;
}

static int drop_authority(void **state)
{
	(void)state;
	authority_done(&trusted);
	return 0;
}

/* ---- a transfer that is given up ----------------------------------------------------------- */

/* Answers the hello when the test says so, and says when the answer is on its way. */
struct held_answer {
	SSL_CTX *context;
	atomic_bool has_hello;
	atomic_bool may_answer;
	atomic_bool has_answered;
};

static void wait_for(atomic_bool *condition)
{
	while (!atomic_load(condition))
		(void)poll(NULL, 0, 1);
}

static void hold_answer(struct origin_connection *connection)
{
	struct held_answer *held = (struct held_answer *)(uintptr_t)connection->data;
	SSL *tls = SSL_new(held->context);
	BIO *in = BIO_new(BIO_s_mem());
	BIO *out = BIO_new(BIO_s_mem());
	char bytes[16 * 1024];
	ssize_t length = recv(connection->fd, bytes, sizeof bytes, 0);

	SSL_set_bio(tls, in, out);
	if (length > 0)
		(void)BIO_write(in, bytes, (int)length);
	(void)SSL_accept(tls); /* wants more: the client's end of the handshake */
	atomic_store(&held->has_hello, true);
	wait_for(&held->may_answer);
	length = BIO_read(out, bytes, sizeof bytes);
	if (length > 0)
		origin_write(connection, bytes, (size_t)length);
	atomic_store(&held->has_answered, true);
	origin_wait_for_close(connection);
	SSL_free(tls);
}

struct watch {
	struct loop *loop;
	struct loop_timer timer;
	struct held_answer *held;
	bool is_seen;
};

static void look(void *user)
{
	struct watch *watch = user;

	watch->is_seen = atomic_load(&watch->held->has_hello);
	if (!watch->is_seen)
		(void)loop_timer_start(watch->loop, &watch->timer, mono_now(), look, watch);
}

/* curl reads once more before it closes, and finds the answer that ends the handshake: the hooks of a
 * transfer that is gone must not hear of it. A timer left behind ends the program in the teardown. */
static void a_cancelled_transfer_hears_of_no_handshake(void **state)
{
	struct exchange *exchange = *state;
	struct held_answer held = { .context = authority_server(&trusted, &good) };
	struct watch watch = { .loop = exchange->loop, .held = &held };
	struct origin *origin = origin_start(AF_INET, NULL, hold_answer, &held);
	struct http_transfer *transfer;

	exchange_prepare(exchange, SECURE, origin_address(origin));
	exchange->request.tls_ca = trusted.path;
	transfer = http_start(exchange->client, &exchange->request, exchange_finished, exchange);
	assert_non_null(transfer);
	look(&watch);
	loop_run_until(exchange->loop, &watch.is_seen);
	atomic_store(&held.may_answer, true);
	wait_for(&held.has_answered);
	http_cancel(transfer);
	assert_int_equal(exchange->calls, 0);
	origin_free(origin);
	SSL_CTX_free(held.context);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, exchange_setup, exchange_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_protocol_agreed_on_is_told),
		TEST(an_odd_protocol_is_made_printable_and_cut),
		TEST(the_alert_of_a_refused_name_is_told),
		TEST(the_alert_of_a_missing_client_certificate_is_told),
		TEST(an_alert_that_is_all_the_peer_says_is_tls),
		TEST(a_farewell_is_no_fatal_alert),
		TEST(without_tls_there_is_no_alert),
		TEST(a_plain_http_server_is_no_tls),
		TEST(a_server_that_speaks_first_is_no_tls),
		TEST(garbage_is_no_tls),
		TEST(less_than_the_header_of_a_record_is_no_tls),
		TEST(a_broken_record_is_tls_nevertheless),
		TEST(a_close_says_nothing_of_tls),
		TEST(silence_says_nothing_of_tls),
		TEST(in_a_tunnel_the_peer_behind_it_counts),
		TEST(a_cancelled_transfer_hears_of_no_handshake),
	};

	return cmocka_run_group_tests(tests, make_authority, drop_authority);
}
