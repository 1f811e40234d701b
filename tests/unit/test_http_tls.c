/* SPDX-License-Identifier: Apache-2.0 */
/* TLS: certificates good and bad, and faults inside of the encrypted stream. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/x509_vfy.h>

#include "lattice-probe/outcome.h"

#include "../support/authority.h"
#include "../support/exchange.h"
#include "../support/origin.h"

#define OK_EMPTY "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
#define SERVICE "https://service.example/"

static struct authority trusted; /* made once: nothing here depends on their being fresh */
static struct authority foreign;

static const struct authority_leaf good = { "DNS:service.example", -AUTHORITY_DAY_S,
	90 * AUTHORITY_DAY_S + 3600, false };
static const struct authority_leaf expired = { "DNS:service.example", -30 * AUTHORITY_DAY_S, -3600, false };
static const struct authority_leaf early = { "DNS:service.example", 3600, 30 * AUTHORITY_DAY_S, false };
static const struct authority_leaf misnamed = { "DNS:other.example", -AUTHORITY_DAY_S,
	90 * AUTHORITY_DAY_S, false };
static const struct authority_leaf self_signed = { "DNS:service.example", -AUTHORITY_DAY_S,
	90 * AUTHORITY_DAY_S, true };
static const struct authority_leaf all_wrong = { "DNS:other.example", -30 * AUTHORITY_DAY_S,
	-AUTHORITY_DAY_S - 3600, true };

static const char *judge(const struct exchange *exchange)
{
	return outcome_name(exchange_judge(exchange));
}

static void trust_ours(struct http_request *request)
{
	request->tls_ca = trusted.path;
}

static void trust_foreign(struct http_request *request)
{
	request->tls_ca = foreign.path;
}

static void trust_anybody(struct http_request *request)
{
	request->tls_verify = false;
}

/* One exchange with a server that has such a certificate. */
static void exchange_with(struct exchange *exchange, const struct authority_leaf *leaf, const char *url,
	void (*change)(struct http_request *request))
{
	SSL_CTX *context = authority_server(&trusted, leaf);

	exchange_scripted(exchange, context, url, origin_answer, OK_EMPTY, change);
	SSL_CTX_free(context);
}

/* ---- certificates ------------------------------------------------------------------------- */

static void a_good_certificate_is_accepted_and_described(void **state)
{
	struct exchange *exchange = *state;
	const struct http_reply *reply = &exchange->reply;

	exchange_with(exchange, &good, SERVICE, trust_ours);
	assert_string_equal(judge(exchange), "ok");
	assert_true(reply->connected.us <= reply->secured.us);
	assert_true(reply->secured.us <= reply->first_byte.us);
	assert_true(reply->has_certificate);
	assert_int_equal(reply->certificate_days, 90);
	assert_true(wall_since(reply->certificate_not_after, wall_now()) > 90 * US_PER_DAY);
	assert_string_equal(reply->certificate_subject, "CN=Test Leaf");
	assert_string_equal(reply->certificate_issuer, "CN=Test CA");
	assert_string_equal(reply->tls_version, "TLSv1.3");
	assert_int_equal(reply->verify_result, 0);
	assert_false(reply->name_mismatch);
}

static void the_client_s_own_ca_file_is_used(void **state)
{
	struct exchange *exchange = *state;

	http_client_free(exchange->client);
	exchange->client = http_client_new(exchange->loop, trusted.path);
	assert_non_null(exchange->client);
	exchange_with(exchange, &good, SERVICE, NULL);
	assert_string_equal(judge(exchange), "ok");
}

static void an_unknown_issuer_is_untrusted_and_the_days_are_known(void **state)
{
	struct exchange *exchange = *state;
	const struct http_reply *reply = &exchange->reply;

	exchange_with(exchange, &good, SERVICE, NULL);
	assert_string_equal(judge(exchange), "tls_untrusted");
	assert_int_equal(reply->stage, HTTP_STAGE_TLS);
	assert_false(mono_is_set(reply->secured));
	assert_int_equal(reply->certificate_days, 90);
	assert_int_equal(reply->verify_result, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
	exchange_with(exchange, &good, SERVICE, trust_foreign);
	assert_string_equal(judge(exchange), "tls_untrusted");
}

static void a_self_signed_certificate_is_untrusted(void **state)
{
	struct exchange *exchange = *state;

	exchange_with(exchange, &self_signed, SERVICE, trust_ours);
	assert_string_equal(judge(exchange), "tls_untrusted");
	assert_int_equal(exchange->reply.verify_result, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT);
}

static void an_expired_certificate_has_negative_days(void **state)
{
	struct exchange *exchange = *state;

	exchange_with(exchange, &expired, SERVICE, trust_ours);
	assert_string_equal(judge(exchange), "tls_expired");
	assert_int_equal(exchange->reply.verify_result, X509_V_ERR_CERT_HAS_EXPIRED);
	assert_int_equal(exchange->reply.certificate_days, -1);
}

static void a_certificate_of_tomorrow_is_no_better(void **state)
{
	struct exchange *exchange = *state;

	exchange_with(exchange, &early, SERVICE, trust_ours);
	assert_string_equal(judge(exchange), "tls_expired");
	assert_int_equal(exchange->reply.verify_result, X509_V_ERR_CERT_NOT_YET_VALID);
}

static void a_certificate_for_another_name_never_completes_tls(void **state)
{
	struct exchange *exchange = *state;

	exchange_with(exchange, &misnamed, SERVICE, trust_ours);
	assert_string_equal(judge(exchange), "tls_name");
	assert_true(exchange->reply.name_mismatch);
	assert_int_equal(exchange->reply.verify_result, 0);
	assert_int_equal(exchange->reply.stage, HTTP_STAGE_TLS);
	assert_false(mono_is_set(exchange->reply.secured));
}

static void of_several_faults_expiry_is_told_first_then_trust(void **state)
{
	struct exchange *exchange = *state;

	exchange_with(exchange, &all_wrong, SERVICE, trust_ours);
	assert_string_equal(judge(exchange), "tls_expired");
	assert_true(exchange->reply.name_mismatch);
	assert_int_equal(exchange->reply.certificate_days, -2);
	exchange_with(exchange, &misnamed, SERVICE, trust_foreign);
	assert_string_equal(judge(exchange), "tls_untrusted");
	assert_true(exchange->reply.name_mismatch);
}

static void without_verification_the_certificate_is_still_read(void **state)
{
	struct exchange *exchange = *state;

	exchange_with(exchange, &all_wrong, SERVICE, trust_anybody);
	assert_string_equal(judge(exchange), "ok");
	assert_int_equal(exchange->reply.certificate_days, -2);
	assert_int_equal(exchange->reply.verify_result, 0);
	assert_true(exchange->reply.name_mismatch);
}

static void an_address_in_the_url_must_be_in_the_certificate(void **state)
{
	struct exchange *exchange = *state;
	struct authority_leaf leaf = good;

	leaf.names = "IP:127.0.0.1";
	exchange_with(exchange, &leaf, "https://127.0.0.1/", trust_ours);
	assert_string_equal(judge(exchange), "ok");
	assert_false(exchange->reply.name_mismatch);
	exchange_with(exchange, &good, "https://127.0.0.1/", trust_ours);
	assert_string_equal(judge(exchange), "tls_name");
}

/* One port all along: a session is only ever resumed with the server that it was made with. */
static void each_connection_shows_its_certificate(void **state)
{
	struct exchange *exchange = *state;
	SSL_CTX *context = authority_server(&trusted, &good);
	struct origin *origin = origin_start(AF_INET, context, origin_answer, OK_EMPTY);

	exchange_prepare(exchange, SERVICE, origin_address(origin));
	trust_ours(&exchange->request);
	for (int i = 0; i < 3; i++) {
		exchange_run(exchange);
		assert_string_equal(judge(exchange), "ok");
		assert_true(exchange->reply.has_certificate);
	}
	origin_free(origin);
	assert_int_equal(SSL_CTX_sess_hits(context), 0);
	SSL_CTX_free(context);
}

static void tls_1_2_is_spoken_too(void **state)
{
	struct exchange *exchange = *state;
	SSL_CTX *context = authority_server(&trusted, &good);

	assert_int_equal(SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION), 1);
	exchange_scripted(exchange, context, SERVICE, origin_answer, OK_EMPTY, trust_ours);
	assert_string_equal(judge(exchange), "ok");
	assert_string_equal(exchange->reply.tls_version, "TLSv1.2");
	SSL_CTX_free(context);
}

/* ---- CA files ----------------------------------------------------------------------------- */

static void trust_a_missing_file(struct http_request *request)
{
	request->tls_ca = "/nonexistent/ca.pem";
}

static void trust_a_file_without_certificates(struct http_request *request)
{
	request->tls_ca = "/proc/self/status";
}

static char pipe_path[] = "/tmp/lattice-probe-pipe-XXXXXX";

static void trust_a_pipe(struct http_request *request)
{
	request->tls_ca = pipe_path;
}

/* Opening it would wait for a writer. */
static void a_ca_file_that_is_none_does_not_block(void **state)
{
	struct exchange *exchange = *state;
	int fd = mkstemp(pipe_path);

	assert_true(fd >= 0);
	(void)close(fd);
	assert_int_equal(unlink(pipe_path), 0);
	assert_int_equal(mkfifo(pipe_path, 0600), 0);
	exchange_with(exchange, &good, SERVICE, trust_a_pipe);
	assert_string_equal(judge(exchange), "local_fault");
	assert_int_equal(unlink(pipe_path), 0);
}

static void an_unusable_ca_file_is_this_hosts_fault(void **state)
{
	struct exchange *exchange = *state;

	exchange_with(exchange, &good, SERVICE, trust_a_missing_file);
	assert_string_equal(judge(exchange), "local_fault");
	assert_int_equal(exchange->reply.stage, HTTP_STAGE_SETUP);
	exchange_with(exchange, &good, SERVICE, trust_a_file_without_certificates);
	assert_string_equal(judge(exchange), "local_fault");
}

static char changing_path[] = "/tmp/lattice-probe-bundle-XXXXXX";

static void trust_the_changing_file(struct http_request *request)
{
	request->tls_ca = changing_path;
}

static void a_new_ca_bundle_is_noticed(void **state)
{
	struct exchange *exchange = *state;
	int fd = mkstemp(changing_path);

	assert_true(fd >= 0);
	(void)close(fd);
	authority_write(&foreign, changing_path);
	exchange_with(exchange, &good, SERVICE, trust_the_changing_file);
	assert_string_equal(judge(exchange), "tls_untrusted");
	/* A new file in its place, as package managers do it. */
	assert_int_equal(unlink(changing_path), 0);
	authority_write(&trusted, changing_path);
	exchange_with(exchange, &good, SERVICE, trust_the_changing_file);
	assert_string_equal(judge(exchange), "ok");
	/* While it is away, what was read last goes on. */
	assert_int_equal(unlink(changing_path), 0);
	exchange_with(exchange, &good, SERVICE, trust_the_changing_file);
	assert_string_equal(judge(exchange), "ok");
}

/* ---- handshakes --------------------------------------------------------------------------- */

static int refuse_name(SSL *tls, int *alert, void *user)
{
	(void)tls;
	(void)user;
	*alert = SSL_AD_UNRECOGNIZED_NAME;
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static void a_refused_name_is_a_failed_handshake(void **state)
{
	struct exchange *exchange = *state;
	SSL_CTX *context = authority_server(&trusted, &good);

	SSL_CTX_set_tlsext_servername_callback(context, refuse_name);
	exchange_scripted(exchange, context, SERVICE, origin_answer, OK_EMPTY, trust_ours);
	assert_string_equal(judge(exchange), "tls_handshake");
	assert_false(exchange->reply.has_certificate);
	SSL_CTX_free(context);
}

/* In TLS 1.3 the refusal comes after the client's end of the handshake. */
static void a_missing_client_certificate_is_a_failed_handshake(void **state)
{
	struct exchange *exchange = *state;
	SSL_CTX *context = authority_server(&trusted, &good);

	SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	exchange_scripted(exchange, context, SERVICE, origin_answer, OK_EMPTY, trust_ours);
	assert_string_equal(judge(exchange), "tls_handshake");
	assert_int_equal(exchange->reply.stage, HTTP_STAGE_TLS);
	assert_false(mono_is_set(exchange->reply.secured));
	SSL_CTX_free(context);
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

/* SETTINGS, acknowledgement, HEADERS with ":status: 200" on stream 1. */
static void answer_in_http2(struct origin_connection *connection)
{
	static const unsigned char frames[] = { 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0,
		0, 0, 1, 1, 5, 0, 0, 0, 1, 0x88 };

	if (!origin_read_request(connection))
		return;
	origin_write(connection, frames, sizeof frames);
	origin_wait_for_close(connection);
}

static void want_1_1(struct http_request *request)
{
	request->tls_ca = trusted.path;
	request->version = TARGET_HTTP_1_1;
}

static void http2_is_agreed_on_in_the_handshake(void **state)
{
	struct exchange *exchange = *state;
	SSL_CTX *context = authority_server(&trusted, &good);

	SSL_CTX_set_alpn_select_cb(context, select_http2, NULL);
	exchange_scripted(exchange, context, SERVICE, answer_in_http2, NULL, trust_ours);
	assert_string_equal(judge(exchange), "ok");
	assert_int_equal(exchange->reply.http_version, 20);
	exchange_scripted(exchange, context, SERVICE, origin_answer, OK_EMPTY, want_1_1);
	assert_string_equal(judge(exchange), "ok");
	assert_int_equal(exchange->reply.http_version, 11);
	SSL_CTX_free(context);
}

#define SHORT_MS 60

static void answer_late(struct origin_connection *connection)
{
	if (!origin_read_request(connection))
		return;
	origin_pause(connection, 2 * SHORT_MS);
	origin_write_text(connection, OK_EMPTY);
}

static void shorten_phases(struct http_request *request)
{
	request->tls_ca = trusted.path;
	request->connect_timeout_us = request->tls_timeout_us = SHORT_MS * US_PER_MS;
}

static void the_limits_of_phases_end_with_them(void **state)
{
	struct exchange *exchange = *state;
	SSL_CTX *context = authority_server(&trusted, &good);

	exchange_scripted(exchange, context, SERVICE, answer_late, NULL, shorten_phases);
	assert_string_equal(judge(exchange), "ok");
	SSL_CTX_free(context);
}

/* ---- faults inside ------------------------------------------------------------------------ */

static void say_half_and_vanish(struct origin_connection *connection)
{
	if (!origin_read_request(connection))
		return;
	origin_write_text(connection, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
	(void)shutdown(connection->fd, SHUT_WR); /* no close_notify */
	origin_wait_for_close(connection);
}

static void a_cut_off_body_is_a_reset(void **state)
{
	struct exchange *exchange = *state;
	SSL_CTX *context = authority_server(&trusted, &good);

	exchange_scripted(exchange, context, SERVICE, say_half_and_vanish, NULL, trust_ours);
	assert_string_equal(judge(exchange), "http_reset");
	assert_int_equal(exchange->reply.stage, HTTP_STAGE_TRANSFER);
	SSL_CTX_free(context);
}

static void say_nonsense_and_wait(struct origin_connection *connection)
{
	if (origin_read_request(connection))
		origin_write_text(connection, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n");
	origin_wait_for_close(connection);
}

static void broken_chunks_are_not_http(void **state)
{
	struct exchange *exchange = *state;
	SSL_CTX *context = authority_server(&trusted, &good);

	exchange_scripted(exchange, context, SERVICE, say_nonsense_and_wait, NULL, trust_ours);
	assert_string_equal(judge(exchange), "http_protocol");
	SSL_CTX_free(context);
}

static void close_after_request(struct origin_connection *connection)
{
	(void)origin_read_request(connection);
}

static void an_empty_reply_is_a_reset(void **state)
{
	struct exchange *exchange = *state;
	SSL_CTX *context = authority_server(&trusted, &good);

	exchange_scripted(exchange, context, SERVICE, close_after_request, NULL, trust_ours);
	assert_string_equal(judge(exchange), "http_reset");
	assert_int_equal(exchange->reply.stage, HTTP_STAGE_FIRST_BYTE);
	assert_true(mono_is_set(exchange->reply.secured));
	SSL_CTX_free(context);
}

/* ---- a proxy ------------------------------------------------------------------------------ */

struct tunnel {
	SSL_CTX *context; /* NULL: refused */
	char asked[64];
};

static struct tunnel tunnel;

static void serve_tunnel(struct origin_connection *connection)
{
	if (!origin_read_request(connection))
		return;
	(void)snprintf(tunnel.asked, sizeof tunnel.asked, "%.40s", origin_peek(connection));
	if (!tunnel.context) {
		origin_write_text(connection, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
		return;
	}
	origin_write_text(connection, "HTTP/1.1 200 Connection established\r\nX-Proxy: 1\r\n\r\n");
	connection->tls = SSL_new(tunnel.context);
	if (SSL_set_fd(connection->tls, connection->fd) == 1 && SSL_accept(connection->tls) == 1)
		origin_answer(connection);
}

static void exchange_through_proxy(struct exchange *exchange)
{
	struct origin *origin = origin_start(AF_INET, NULL, serve_tunnel, OK_EMPTY);
	union address address = origin_address(origin);
	char text[ADDRESS_TEXT_SIZE];
	char proxy[ADDRESS_TEXT_SIZE + 8];

	address_format_port(&address, text);
	(void)snprintf(proxy, sizeof proxy, "http://%s", text);
	exchange_prepare(exchange, SERVICE, (union address){ 0 });
	exchange->request.proxy = proxy;
	exchange->request.tls_ca = trusted.path;
	exchange_run(exchange);
	origin_free(origin);
}

static void a_proxy_is_asked_for_a_tunnel_by_name(void **state)
{
	struct exchange *exchange = *state;

	tunnel.context = authority_server(&trusted, &good);
	exchange_through_proxy(exchange);
	assert_string_equal(judge(exchange), "ok");
	assert_memory_equal(tunnel.asked, "CONNECT service.example:443 HTTP/1.1\r\n", 38);
	assert_null(http_reply_header(&exchange->reply, "X-Proxy"));
	assert_true(exchange->reply.has_certificate);
	SSL_CTX_free(tunnel.context);
	tunnel.context = NULL;
}

static void a_refused_tunnel_never_reaches_tls(void **state)
{
	struct exchange *exchange = *state;

	exchange_through_proxy(exchange);
	assert_int_equal(exchange->reply.end, HTTP_END_ERROR);
	assert_int_equal(exchange->reply.stage, HTTP_STAGE_TLS);
	assert_int_equal(exchange->reply.status, 0);
}

static int make_authorities(void **state)
{
	(void)state;
	authority_init(&trusted);
	authority_init(&foreign);
	return 0;
}

static int drop_authorities(void **state)
{
	(void)state;
	authority_done(&trusted);
	authority_done(&foreign);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, exchange_setup, exchange_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_good_certificate_is_accepted_and_described),
		TEST(the_client_s_own_ca_file_is_used),
		TEST(an_unknown_issuer_is_untrusted_and_the_days_are_known),
		TEST(a_self_signed_certificate_is_untrusted),
		TEST(an_expired_certificate_has_negative_days),
		TEST(a_certificate_of_tomorrow_is_no_better),
		TEST(a_certificate_for_another_name_never_completes_tls),
		TEST(of_several_faults_expiry_is_told_first_then_trust),
		TEST(without_verification_the_certificate_is_still_read),
		TEST(an_address_in_the_url_must_be_in_the_certificate),
		TEST(each_connection_shows_its_certificate),
		TEST(tls_1_2_is_spoken_too),
		TEST(an_unusable_ca_file_is_this_hosts_fault),
		TEST(a_ca_file_that_is_none_does_not_block),
		TEST(a_new_ca_bundle_is_noticed),
		TEST(a_refused_name_is_a_failed_handshake),
		TEST(a_missing_client_certificate_is_a_failed_handshake),
		TEST(http2_is_agreed_on_in_the_handshake),
		TEST(the_limits_of_phases_end_with_them),
		TEST(a_cut_off_body_is_a_reset),
		TEST(broken_chunks_are_not_http),
		TEST(an_empty_reply_is_a_reset),
		TEST(a_proxy_is_asked_for_a_tunnel_by_name),
		TEST(a_refused_tunnel_never_reaches_tls),
	};

	return cmocka_run_group_tests(tests, make_authorities, drop_authorities);
}
