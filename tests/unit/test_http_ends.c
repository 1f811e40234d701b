/* SPDX-License-Identifier: Apache-2.0 */
/* Exchanges that end with the handshake and send nothing, and segments of a limited size. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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
static const struct authority_leaf misnamed = { "DNS:other.example", -AUTHORITY_DAY_S,
	90 * AUTHORITY_DAY_S, false };

static void trust_ours(struct http_request *request)
{
	request->tls_ca = trusted.path;
}

static void end_at_tls(struct http_request *request)
{
	trust_ours(request);
	request->ends_at_tls = true;
}

/* ---- servers ------------------------------------------------------------------------------ */

static size_t heard_bytes; /* of what the client sent inside of TLS, or in plain */

static void listen_to_the_end(struct origin_connection *connection)
{
	char bytes[256];
	long count;

	heard_bytes = 0;
	do {
		count = connection->tls ? SSL_read(connection->tls, bytes, sizeof bytes) :
			recv(connection->fd, bytes, sizeof bytes, 0);
		heard_bytes += count > 0 ? (size_t)count : 0;
	} while (count > 0);
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

static unsigned char offered_bytes[64];
static size_t offered_length_bytes;

static int note_offer(SSL *tls, const unsigned char **ret_name, unsigned char *ret_length,
	const unsigned char *offered, unsigned offered_length, void *user)
{
	(void)tls;
	(void)ret_name;
	(void)ret_length;
	(void)user;
	assert(offered_length <= sizeof offered_bytes);
	memcpy(offered_bytes, offered, offered_length);
	offered_length_bytes = offered_length;
	return SSL_TLSEXT_ERR_NOACK;
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

/* ---- ending at TLS ------------------------------------------------------------------------ */

static void expect_no_http(const struct exchange *exchange)
{
	const struct http_reply *reply = &exchange->reply;

	if (reply->end != HTTP_END_DONE)
		fail_msg("end %d stage %d: %s", (int)reply->end, (int)reply->stage, reply->detail);
	assert_int_equal(reply->stage, HTTP_STAGE_DONE);
	assert_int_equal(reply->curl_code, 0);
	assert_int_equal(reply->status, 0);
	assert_int_equal(reply->http_version, 0);
	assert_false(mono_is_set(reply->first_byte));
	assert_true(mono_is_set(reply->connected));
	assert_true(reply->connected.us <= reply->finished.us);
	assert_int_equal(heard_bytes, 0);
}

static void it_ends_when_the_handshake_is_done(void **state)
{
	struct exchange *exchange = *state;
	const struct http_reply *reply = &exchange->reply;

	exchange_with(exchange, &good, NULL, listen_to_the_end, end_at_tls);
	expect_no_http(exchange);
	assert_true(mono_is_set(reply->secured));
	assert_true(reply->secured.us <= reply->finished.us);
	assert_string_equal(reply->tls_version, "TLSv1.3");
	assert_string_equal(reply->certificate_subject, "CN=Test Leaf");
	assert_true(reply->tcp_rtt_us >= 0);
}

static void it_ends_there_with_every_protocol(void **state)
{
	struct exchange *exchange = *state;
	SSL_CTX *context = authority_server(&trusted, &good);

	exchange_with(exchange, &good, select_http2, listen_to_the_end, end_at_tls);
	expect_no_http(exchange);
	assert_int_equal(SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION), 1);
	exchange_scripted(exchange, context, SECURE, listen_to_the_end, NULL, end_at_tls);
	expect_no_http(exchange);
	assert_string_equal(exchange->reply.tls_version, "TLSv1.2");
	SSL_CTX_free(context);
}

static void want_1_1(struct http_request *request)
{
	trust_ours(request);
	request->version = TARGET_HTTP_1_1;
}

static void want_1_1_and_end_at_tls(struct http_request *request)
{
	want_1_1(request);
	request->ends_at_tls = true;
}

static void it_offers_the_same_protocols_as_a_whole_exchange(void **state)
{
	static const struct {
		void (*whole)(struct http_request *request);
		void (*handshake)(struct http_request *request);
	} pairs[] = { { trust_ours, end_at_tls }, { want_1_1, want_1_1_and_end_at_tls } };
	struct exchange *exchange = *state;

	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		unsigned char whole[sizeof offered_bytes];
		size_t whole_bytes;

		exchange_with(exchange, &good, note_offer, origin_answer, pairs[i].whole);
		memcpy(whole, offered_bytes, sizeof whole);
		whole_bytes = offered_length_bytes;
		assert_true(whole_bytes > 0);
		offered_length_bytes = 0;
		exchange_with(exchange, &good, note_offer, listen_to_the_end, pairs[i].handshake);
		expect_no_http(exchange);
		assert_int_equal(offered_length_bytes, whole_bytes);
		assert_memory_equal(offered_bytes, whole, whole_bytes);
	}
}

static void trust_the_system(struct http_request *request)
{
	request->ends_at_tls = true;
}

static void trust_anybody(struct http_request *request)
{
	request->ends_at_tls = true;
	request->tls_verify = false;
}

static void it_judges_the_certificate_as_ever(void **state)
{
	struct exchange *exchange = *state;

	exchange_with(exchange, &misnamed, NULL, listen_to_the_end, end_at_tls);
	exchange_expect(exchange, HTTP_END_ERROR, HTTP_STAGE_TLS, OUTCOME_TLS_NAME);
	assert_int_equal(heard_bytes, 0);
	exchange_with(exchange, &good, NULL, listen_to_the_end, trust_the_system);
	exchange_expect(exchange, HTTP_END_ERROR, HTTP_STAGE_TLS, OUTCOME_TLS_UNTRUSTED);
	exchange_with(exchange, &misnamed, NULL, listen_to_the_end, trust_anybody);
	expect_no_http(exchange);
}

static void be_patient_for_a_moment(struct http_request *request)
{
	trust_ours(request);
	request->tls_timeout_us = SILENCE_US;
}

static void end_at_tls_soon(struct http_request *request)
{
	be_patient_for_a_moment(request);
	request->ends_at_tls = true;
}

static void its_handshake_fails_as_ever(void **state)
{
	struct exchange *exchange = *state;

	exchange_scripted(exchange, NULL, SECURE, origin_reset, NULL, end_at_tls);
	assert_int_equal(exchange->reply.end, HTTP_END_ERROR);
	assert_int_equal(exchange->reply.stage, HTTP_STAGE_TLS);
	exchange_scripted(exchange, NULL, SECURE, origin_silence, NULL, end_at_tls_soon);
	assert_int_equal(exchange->reply.end, HTTP_END_TIMEOUT);
	assert_int_equal(exchange->reply.stage, HTTP_STAGE_TLS);
}

static void without_tls_it_ends_when_connected(void **state)
{
	struct exchange *exchange = *state;

	exchange_scripted(exchange, NULL, PLAIN, listen_to_the_end, NULL, end_at_tls);
	expect_no_http(exchange);
	assert_false(mono_is_set(exchange->reply.secured));
}

static void a_refused_connection_never_gets_there(void **state)
{
	struct exchange *exchange = *state;
	union address address;
	int fd = origin_closed_port(&address);

	exchange_prepare(exchange, PLAIN, address);
	exchange->request.ends_at_tls = true;
	exchange_run(exchange);
	exchange_expect(exchange, HTTP_END_ERROR, HTTP_STAGE_CONNECT, OUTCOME_CONNECT_REFUSED);
	assert_true(close(fd) == 0);
}

/* ---- segments ----------------------------------------------------------------------------- */

static int peers_mss_bytes; /* what the server may send at once */

static void measure_segments(struct origin_connection *connection)
{
	socklen_t length = sizeof peers_mss_bytes;

	assert(getsockopt(connection->fd, IPPROTO_TCP, TCP_MAXSEG, &peers_mss_bytes, &length) == 0);
	origin_answer(connection);
}

static void exchange_segments(struct exchange *exchange, int family, int max_segment_bytes)
{
	struct origin *origin = origin_start(family, NULL, measure_segments, OK_EMPTY);

	exchange_prepare(exchange, PLAIN, origin_address(origin));
	exchange->request.max_segment_bytes = max_segment_bytes;
	exchange_run(exchange);
	origin_free(origin);
}

static void segments_can_be_kept_small_in_both_families(void **state)
{
	static const int families[] = { AF_INET, AF_INET6 };
	struct exchange *exchange = *state;

	for (size_t i = 0; i < 2; i++) {
		exchange_segments(exchange, families[i], 536);
		exchange_expect(exchange, HTTP_END_DONE, HTTP_STAGE_DONE, OUTCOME_OK);
		assert_int_equal(exchange->reply.tcp_mss_bytes, 536);
		assert_true(peers_mss_bytes <= 536 && peers_mss_bytes > 400); /* less its options */
		exchange_segments(exchange, families[i], 0);
		assert_true(exchange->reply.tcp_mss_bytes > 1400 && peers_mss_bytes > 1400);
	}
}

static void nonsense_about_segments_is_no_connection(void **state)
{
	struct exchange *exchange = *state;

	exchange_segments(exchange, AF_INET, 1);
	assert_int_equal(exchange->reply.end, HTTP_END_ERROR);
	assert_int_equal(exchange->reply.stage, HTTP_STAGE_SETUP);
	assert_int_equal(exchange->reply.tcp_mss_bytes, 0);
	assert_string_equal(outcome_name(exchange_judge(exchange)), "local_fault");
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, exchange_setup, exchange_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_ends_when_the_handshake_is_done),
		TEST(it_ends_there_with_every_protocol),
		TEST(it_offers_the_same_protocols_as_a_whole_exchange),
		TEST(it_judges_the_certificate_as_ever),
		TEST(its_handshake_fails_as_ever),
		TEST(without_tls_it_ends_when_connected),
		TEST(a_refused_connection_never_gets_there),
		TEST(segments_can_be_kept_small_in_both_families),
		TEST(nonsense_about_segments_is_no_connection),
	};

	return cmocka_run_group_tests(tests, make_authority, drop_authority);
}
