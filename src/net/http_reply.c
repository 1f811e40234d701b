/* SPDX-License-Identifier: Apache-2.0 */
/* What a transfer came to, put into words that do not depend on curl's version. */
#include "lattice-probe/http.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "http_internal.h"

static enum http_stage stage_of(const struct http_transfer *transfer)
{
	const struct http_reply *reply = &transfer->reply;

	if (!transfer->is_attempted)
		return HTTP_STAGE_SETUP;
	if (!mono_is_set(reply->connected))
		return HTTP_STAGE_CONNECT;
	if (transfer->request.url->is_tls && !mono_is_set(reply->secured))
		return HTTP_STAGE_TLS;
	return mono_is_set(reply->first_byte) ? HTTP_STAGE_TRANSFER : HTTP_STAGE_FIRST_BYTE;
}

/* curl checks the name after OpenSSL's end of the handshake, and in TLS 1.3 a server's refusal of
 * ours comes after it, too: neither connection was ever usable. */
static void withdraw_secured(struct http_transfer *transfer, CURLcode code)
{
	struct http_reply *reply = &transfer->reply;

	if (mono_is_set(reply->first_byte))
		return;
	if (reply->tls_alert >= 0 || code == CURLE_PEER_FAILED_VERIFICATION ||
	    code == CURLE_SSL_CONNECT_ERROR)
		reply->secured = (struct mono){ 0 };
	if (code == CURLE_PEER_FAILED_VERIFICATION && reply->verify_result == 0)
		reply->name_mismatch = true;
}

#if LIBCURL_VERSION_NUM < 0x080600
#define CURLE_TOO_LARGE 100
#endif

/* A header line that outgrows curl's buffer, or too many of them: out of memory before curl 8.6. */
static bool is_curls_limit(const struct http_transfer *transfer, CURLcode code)
{
	if ((int)code == CURLE_TOO_LARGE)
		return true;
	return code == CURLE_OUT_OF_MEMORY && !transfer->response.is_header_complete &&
	       transfer->tcp.received_bytes > HTTP_HEADERS_MAX_BYTES;
}

/* Bad chunks come as a failed receive, something other than HTTP/2 as an empty reply. But when a
 * plain socket fails there is an errno, when TLS fails curl says so in words ("OpenSSL SSL_read: …"
 * from 7.76 to 8.14), and an empty reply has no bytes. The kernel counts a FIN as one. */
static bool is_nonsense(const struct http_transfer *transfer, CURLcode code)
{
	if (!transfer->is_measured || transfer->reply.os_errno != 0)
		return false;
	if (code == CURLE_RECV_ERROR)
		return !strstr(transfer->error, "SSL_read");
	return code == CURLE_GOT_NOTHING && !transfer->request.url->is_tls && transfer->tcp.received_bytes > 1;
}

/* curl gives one code for several ends, and not the same in every version; evidence of our own
 * tells them apart. */
static void settle_end(struct http_transfer *transfer, enum http_end end, CURLcode code)
{
	const struct http_response *response = &transfer->response;
	struct http_reply *reply = &transfer->reply;

	/* curl is content with a 101, and with status lines whose number is none. */
	if (code == CURLE_OK && !response->is_header_complete && !transfer->request.ends_at_tls)
		code = CURLE_WEIRD_SERVER_REPLY;
	else if (code == CURLE_OK)
		end = HTTP_END_DONE;
	else if (code == CURLE_OPERATION_TIMEDOUT)
		end = HTTP_END_TIMEOUT;
	if (transfer->is_out_of_memory || strstr(transfer->error, "malloc failure")) { /* OpenSSL's words */
		end = HTTP_END_ERROR;
		code = CURLE_OUT_OF_MEMORY;
	} else if (response->is_too_large || is_curls_limit(transfer, code)) {
		end = HTTP_END_TOO_LARGE;
	} else if (end == HTTP_END_ERROR && reply->verify_result != 0) {
		code = CURLE_PEER_FAILED_VERIFICATION;
	} else if (is_nonsense(transfer, code)) {
		code = CURLE_WEIRD_SERVER_REPLY;
	}
	reply->end = end;
	reply->curl_code = (int)code;
}

/* A peer that said something and closed before OpenSSL had the five bytes of a record's header. The
 * kernel counts the FIN as a byte. */
static bool is_too_short_for_tls(const struct http_transfer *transfer)
{
	const struct http_reply *reply = &transfer->reply;

	return reply->stage == HTTP_STAGE_TLS && reply->end == HTTP_END_ERROR && transfer->tls_context &&
	       !transfer->has_record && transfer->tcp.received_bytes > 1 && !transfer->request.proxy;
}

static void describe(struct http_transfer *transfer)
{
	static const char *const stages[] = { "before connecting", "while connecting",
		"in the TLS handshake", "while waiting for the first byte", "while receiving", "" };
	struct http_reply *reply = &transfer->reply;
	const char *words = transfer->error;

	if (reply->end == HTTP_END_DONE)
		return;
	if (reply->end == HTTP_END_TIMEOUT && reply->stage == HTTP_STAGE_FIRST_BYTE &&
	    !transfer->request.url->is_tls && transfer->tcp.received_bytes > 0)
		words = "what came in time was no response";
	else if (reply->end == HTTP_END_TIMEOUT)
		words = "no answer in time";
	else if (reply->end == HTTP_END_TOO_LARGE)
		words = "the response is larger than allowed";
	else if (!transfer->is_in_multi && reply->os_errno)
		words = strerror(reply->os_errno);
	else if (!*words)
		words = curl_easy_strerror((CURLcode)reply->curl_code);
	(void)snprintf(reply->detail, sizeof reply->detail, "%s%s%.120s", stages[reply->stage], *words ? ": " : "", words);
	for (char *at = reply->detail; *at; at++)
		if (*at < ' ' || *at > '~')
			*at = '?';
}

void http_reply_settle(struct http_transfer *transfer, enum http_end end, CURLcode code)
{
	struct http_reply *reply = &transfer->reply;
	long os_errno = 0;

	if (transfer->is_in_multi && end == HTTP_END_ERROR && code != CURLE_OK &&
	    curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &os_errno) == CURLE_OK)
		reply->os_errno = (int)os_errno;
	if (http_response_finish(transfer) != 0)
		transfer->is_out_of_memory = true;
	withdraw_secured(transfer, code);
	settle_end(transfer, end, code);
	reply->stage = reply->end == HTTP_END_DONE ? HTTP_STAGE_DONE : stage_of(transfer);
	if (transfer->is_measured) {
		reply->tcp_rtt_us = mono_is_set(reply->connected) ? transfer->tcp.rtt_us : -1;
		reply->tcp_retransmits = transfer->tcp.retransmits;
		reply->tcp_mss_bytes = transfer->tcp.mss_bytes;
	}
	reply->is_not_tls |= is_too_short_for_tls(transfer);
	describe(transfer);
}

const char *http_reply_header(const struct http_reply *reply, const char *name)
{
	for (size_t i = 0; i < reply->header_count; i++)
		if (strcasecmp(reply->headers[i].name, name) == 0)
			return reply->headers[i].value;
	return NULL;
}
