/* SPDX-License-Identifier: Apache-2.0 */
/* Our hooks in curl's TLS: the shared CA store, a verification that looks at every fault of the
 * chain instead of stopping at the first, the certificate, and the end of the handshake.
 *
 * A connection can outlive its transfer (curl >= 8.9 shuts TLS down in the background), so the hooks
 * find their transfer through the SSL_CTX, which http_tls_done makes forget it. */
#include "lattice-probe/http.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#include "http_internal.h"

#include "lattice-probe/units.h"

static int transfer_index = -1; /* place of the transfer in an SSL_CTX; set once, process-wide */

bool http_tls_init(void)
{
	if (transfer_index < 0)
		transfer_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	return transfer_index >= 0;
}

static struct http_transfer *transfer_of(const SSL *tls)
{
	return SSL_CTX_get_ex_data(SSL_get_SSL_CTX(tls), transfer_index);
}

static struct http_transfer *transfer_of_chain(X509_STORE_CTX *chain)
{
	const SSL *tls = X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx());

	return tls ? transfer_of(tls) : NULL;
}

static bool is_about_time(int fault)
{
	return fault == X509_V_ERR_CERT_HAS_EXPIRED || fault == X509_V_ERR_CERT_NOT_YET_VALID;
}

/* Notes each fault and lets the verification go on; verify_chain does the refusing. */
static int note_fault(int is_fine, X509_STORE_CTX *chain)
{
	struct http_transfer *transfer = transfer_of_chain(chain);
	int fault = X509_STORE_CTX_get_error(chain);

	if (is_fine)
		return 1;
	if (!transfer)
		return 0;
	if (is_about_time(fault) && !transfer->verify_expired)
		transfer->verify_expired = fault;
	if (!is_about_time(fault) && !transfer->verify_other)
		transfer->verify_other = fault;
	return 1;
}

/* Empties OpenSSL's queue of errors, of which curl would take the first for its reason. */
static bool was_out_of_memory(void)
{
	bool is_found = false;
	unsigned long code;

	while ((code = ERR_get_error()) != 0)
		is_found |= ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE;
	return is_found;
}

/* An expired certificate is said to be expired even when nobody trusts it: that is the fault that
 * its owner can see on the calendar. */
static int verify_chain(X509_STORE_CTX *chain, struct http_transfer *transfer)
{
	long fault;

	X509_STORE_CTX_set_verify_cb(chain, note_fault);
	if (X509_verify_cert(chain) <= 0 && !transfer->verify_expired && !transfer->verify_other)
		transfer->verify_other = X509_V_ERR_UNSPECIFIED;
	fault = transfer->verify_expired ? transfer->verify_expired : transfer->verify_other;
	transfer->reply.verify_result = fault;
	X509_STORE_CTX_set_error(chain, (int)fault);
	if (was_out_of_memory() || fault == X509_V_ERR_OUT_OF_MEM)
		transfer->is_out_of_memory = true;
	return fault == X509_V_OK;
}

/* Takes the place of X509_verify_cert in the handshake, so the leaf is seen before it is judged. */
static int on_verify(X509_STORE_CTX *chain, void *user)
{
	struct http_transfer *transfer = transfer_of_chain(chain);
	X509 *leaf = X509_STORE_CTX_get0_cert(chain);

	(void)user;
	if (!transfer || !leaf)
		return 0;
	certificate_capture(leaf, transfer->request.url, wall_now(), &transfer->reply);
	if (transfer->request.tls_verify)
		return verify_chain(chain, transfer);
	X509_STORE_CTX_set_error(chain, X509_V_OK);
	return 1;
}

/* The first alert that ends the connection. TLS 1.3 has no levels: what is neither a farewell nor a
 * user's cancelling is fatal, whatever it says of itself (RFC 8446 section 6). */
static void note_alert(struct http_reply *reply, const SSL *tls, int level, int description)
{
	bool is_fatal = level == SSL3_AL_FATAL;

	if (SSL_version(tls) == TLS1_3_VERSION)
		is_fatal = description != SSL_AD_CLOSE_NOTIFY && description != SSL_AD_USER_CANCELLED;
	if (is_fatal && reply->tls_alert < 0)
		reply->tls_alert = description;
}

/* The name comes from the peer, and OpenSSL leaves it to curl to look whether it was offered. */
static void note_protocol(struct http_reply *reply, const SSL *tls)
{
	const unsigned char *name;
	unsigned length;

	SSL_get0_alpn_selected(tls, &name, &length);
	if (length >= sizeof reply->alpn)
		length = sizeof reply->alpn - 1;
	for (unsigned i = 0; i < length; i++)
		reply->alpn[i] = name[i] > ' ' && name[i] <= '~' ? (char)name[i] : '?';
	reply->alpn[length] = '\0';
}

static void on_info(const SSL *tls, int where, int code)
{
	struct http_transfer *transfer = transfer_of(tls);

	if (!transfer)
		return;
	if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT)
		note_alert(&transfer->reply, tls, code >> 8, code & 0xff);
	if (!(where & SSL_CB_HANDSHAKE_DONE) || mono_is_set(transfer->reply.secured))
		return; /* TLS 1.3 reports each session ticket as one more handshake */
	(void)snprintf(transfer->reply.tls_version, sizeof transfer->reply.tls_version, "%s",
		SSL_get_version(tls));
	note_protocol(&transfer->reply, tls);
	http_secured(transfer);
}

/* The first five bytes of the peer: type, version 3.x, length of a record (RFC 8446 section 5.1), which
 * holds its part of the handshake or an alert. OpenSSL shows them before it judges them. */
static void on_message(int is_written, int version, int type, const void *bytes, size_t length, SSL *tls,
	void *user)
{
	struct http_transfer *transfer = transfer_of(tls);
	const unsigned char *header = bytes;

	(void)version;
	(void)user;
	if (!transfer || is_written || type != SSL3_RT_HEADER || length < 2 || transfer->has_record)
		return;
	transfer->has_record = true;
	transfer->reply.is_not_tls = (header[0] != SSL3_RT_HANDSHAKE && header[0] != SSL3_RT_ALERT) ||
				     header[1] != SSL3_VERSION_MAJOR;
}

/* The protocols that curl offers for such a request (RFC 7301 section 3.1). */
static bool offer_protocols(SSL_CTX *context, const struct http_transfer *transfer)
{
	static const unsigned char protocols[] = { 2, 'h', '2', 8, 'h', 't', 't', 'p', '/', '1', '.', '1' };
	bool has_http2 = transfer->request.version != TARGET_HTTP_1_1 && transfer->client->has_http2;
	unsigned skipped = has_http2 ? 0 : 3;

	return SSL_CTX_set_alpn_protos(context, protocols + skipped, sizeof protocols - skipped) == 0;
}

CURLcode http_tls_setup(CURL *easy, void *context, void *user)
{
	struct http_transfer *transfer = user;

	(void)easy;
	if (transfer->tls_context || SSL_CTX_set_ex_data(context, transfer_index, transfer) != 1 ||
	    SSL_CTX_up_ref(context) != 1)
		return CURLE_OUT_OF_MEMORY;
	transfer->tls_context = context;
	if (transfer->request.ends_at_tls && !offer_protocols(context, transfer))
		return CURLE_OUT_OF_MEMORY;
	if (transfer->store)
		SSL_CTX_set1_cert_store(context, transfer->store);
	SSL_CTX_set_cert_verify_callback(context, on_verify, NULL);
	SSL_CTX_set_info_callback(context, on_info);
	SSL_CTX_set_msg_callback(context, on_message);
	return CURLE_OK;
}

void http_tls_done(struct http_transfer *transfer)
{
	if (transfer->tls_context)
		(void)SSL_CTX_set_ex_data(transfer->tls_context, transfer_index, NULL);
	SSL_CTX_free(transfer->tls_context);
	X509_STORE_free(transfer->store);
	transfer->tls_context = NULL;
	transfer->store = NULL;
	ERR_clear_error();
}
