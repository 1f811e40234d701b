/* SPDX-License-Identifier: Apache-2.0 */
/* The request as options of a curl handle. What is left to curl's defaults is left on purpose: no
 * cookies, no Accept-Encoding (so a body arrives as it was sent), no TLS versions of our own. */
#include "config.h"

#include "lattice-probe/http.h"

#include <string.h>
#include <strings.h>

#include "http_internal.h"

#include "lattice-probe/buf.h"
#include "lattice-probe/err.h"
#include "lattice-probe/units.h"

#define NET_US US_PER_S /* curl's own timeouts stand this far behind ours */
#define HEADER_LINE_MAX (64 * 1024)

static const struct {
	CURLoption option;
	long value;
} fixed_options[] = {
	{ CURLOPT_NOSIGNAL, 1 },
	{ CURLOPT_NOPROGRESS, 1 },
	{ CURLOPT_FRESH_CONNECT, 1 },
	{ CURLOPT_FORBID_REUSE, 1 },
	/* A resumed TLS session shows no certificate. */
	{ CURLOPT_SSL_SESSIONID_CACHE, 0 },
	{ CURLOPT_FOLLOWLOCATION, 0 },
	{ CURLOPT_HTTP09_ALLOWED, 0 },
	{ CURLOPT_HTTP_CONTENT_DECODING, 0 },
	{ CURLOPT_NETRC, CURL_NETRC_IGNORED },
	{ CURLOPT_TCP_NODELAY, 1 },
	{ CURLOPT_DNS_CACHE_TIMEOUT, 0 },
	{ CURLOPT_PATH_AS_IS, 1 },
	{ CURLOPT_SUPPRESS_CONNECT_HEADERS, 1 },
#if LIBCURL_VERSION_NUM >= 0x075700
	/* curl must not fill our store with the system's. */
	{ CURLOPT_CA_CACHE_TIMEOUT, 0 },
#endif
};

/* Keeps the first failure of a row of curl_easy_setopt. */
#define SET(option, value) \
	do { \
		if (code == CURLE_OK) \
			code = curl_easy_setopt(transfer->easy, option, value); \
	} while (0)

static CURLcode set_fixed(struct http_transfer *transfer)
{
	CURLcode code = CURLE_OK;

	for (size_t i = 0; i < sizeof fixed_options / sizeof *fixed_options; i++)
		SET(fixed_options[i].option, fixed_options[i].value);
#if LIBCURL_VERSION_NUM >= 0x075500
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
#else
	SET(CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
	return code;
}

static CURLcode set_callbacks(struct http_transfer *transfer)
{
	CURLcode code = CURLE_OK;

	SET(CURLOPT_PRIVATE, transfer);
	SET(CURLOPT_ERRORBUFFER, transfer->error);
	SET(CURLOPT_HEADERFUNCTION, http_response_header);
	SET(CURLOPT_HEADERDATA, transfer);
	SET(CURLOPT_WRITEFUNCTION, http_response_body);
	SET(CURLOPT_WRITEDATA, transfer);
	SET(CURLOPT_OPENSOCKETFUNCTION, http_socket_open);
	SET(CURLOPT_OPENSOCKETDATA, transfer);
	SET(CURLOPT_SOCKOPTFUNCTION, http_socket_configure);
	/* The client, not the transfer: a connection may be closed after its transfer. */
	SET(CURLOPT_CLOSESOCKETFUNCTION, http_socket_close);
	SET(CURLOPT_CLOSESOCKETDATA, transfer->client);
	return code;
}

static CURLcode append(struct curl_slist **list, const char *line)
{
	struct curl_slist *longer = curl_slist_append(*list, line);

	if (!longer)
		return CURLE_OUT_OF_MEMORY;
	*list = longer;
	return CURLE_OK;
}

/* Where the socket leads is decided by http_socket_connect; this keeps every name away from curl's
 * resolver, which would block or start threads. A proxy gets the name instead. */
static CURLcode set_destination(struct http_transfer *transfer)
{
	const struct http_request *request = &transfer->request;
	char host[ADDRESS_TEXT_SIZE];
	char text[ADDRESS_TEXT_SIZE + 2] = "::";
	CURLcode code = CURLE_OK;

	SET(CURLOPT_URL, request->url->text);
	SET(CURLOPT_NOPROXY, request->proxy ? "" : "*");
	SET(CURLOPT_PROXY, request->proxy ? request->proxy : "");
	if (code != CURLE_OK || request->proxy)
		return code;
	address_format_port(&request->address, host);
	memcpy(text + 2, host, sizeof host);
	code = append(&transfer->connect_to, text);
	SET(CURLOPT_CONNECT_TO, transfer->connect_to);
	return code;
}

static CURLcode set_limits(struct http_transfer *transfer)
{
	const struct http_request *request = &transfer->request;
	int64_t remaining_us = mono_since(request->deadline, mono_now());
	CURLcode code = CURLE_OK;

	if (remaining_us < 0)
		remaining_us = 0;
	SET(CURLOPT_TIMEOUT_MS, (long)((remaining_us + NET_US) / US_PER_MS));
	/* curl counts the TLS handshake as connecting. */
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)((request->tls_timeout_us + NET_US) / US_PER_MS));
	return code;
}

static CURLcode set_version(struct http_transfer *transfer)
{
	const struct http_request *request = &transfer->request;
	bool has_http2 = transfer->client->has_http2;
	long version = CURL_HTTP_VERSION_1_1;
	CURLcode code = CURLE_OK;

	if (request->version == TARGET_HTTP_2 && !has_http2)
		return CURLE_UNSUPPORTED_PROTOCOL;
	if (request->version == TARGET_HTTP_2 && !request->url->is_tls)
		version = CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;
	else if (request->version != TARGET_HTTP_1_1 && request->url->is_tls && has_http2)
		version = CURL_HTTP_VERSION_2TLS;
	SET(CURLOPT_HTTP_VERSION, version);
	return code;
}

/* RFC 9110 section 8.6: these say the length of their content even when it is none. */
static bool has_content(const struct http_request *request)
{
	return request->body || strcmp(request->method, "POST") == 0 ||
	       strcmp(request->method, "PUT") == 0 || strcmp(request->method, "PATCH") == 0;
}

static CURLcode set_method(struct http_transfer *transfer)
{
	const struct http_request *request = &transfer->request;
	CURLcode code = CURLE_OK;

	if (strcmp(request->method, "HEAD") == 0) {
		SET(CURLOPT_NOBODY, 1L);
		return code;
	}
	if (has_content(request)) {
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)(request->body ? request->body_bytes : 0));
		SET(CURLOPT_POSTFIELDS, request->body ? request->body : "");
	}
	SET(CURLOPT_CUSTOMREQUEST, request->method);
	return code;
}

static bool is_printable_line(const char *text)
{
	for (; *text; text++)
		if (*text == '\r' || *text == '\n')
			return false;
	return true;
}

static CURLcode append_header(struct http_transfer *transfer, const struct target_header *header)
{
	struct buf line;
	CURLcode code;

	/* A line break would end this header and begin another. */
	if (!is_printable_line(header->name) || !is_printable_line(header->value))
		return CURLE_BAD_FUNCTION_ARGUMENT;
	buf_init(&line, HEADER_LINE_MAX);
	/* curl takes "Name:" as an order to leave the header out, "Name;" as one without a value. */
	if (header->value[0])
		(void)buf_append_format(&line, "%s: %s", header->name, header->value);
	else
		(void)buf_append_format(&line, "%s;", header->name);
	if (line.failed)
		code = line.failed == ERR_LIMIT ? CURLE_BAD_FUNCTION_ARGUMENT : CURLE_OUT_OF_MEMORY;
	else
		code = append(&transfer->headers, buf_text(&line));
	buf_done_secret(&line);
	return code;
}

static bool has_header(const struct http_request *request, const char *name)
{
	for (size_t i = 0; i < request->header_count; i++)
		if (strcasecmp(request->headers[i].name, name) == 0)
			return true;
	return false;
}

static CURLcode set_headers(struct http_transfer *transfer)
{
	const struct http_request *request = &transfer->request;
	CURLcode code = CURLE_OK;

	SET(CURLOPT_USERAGENT, PACKAGE_NAME "/" PACKAGE_VERSION);
	for (size_t i = 0; code == CURLE_OK && i < request->header_count; i++)
		code = append_header(transfer, &request->headers[i]);
	/* Both would be curl's invention. */
	if (code == CURLE_OK && !has_header(request, "Expect"))
		code = append(&transfer->headers, "Expect:");
	if (code == CURLE_OK && !has_header(request, "Content-Type"))
		code = append(&transfer->headers, "Content-Type:");
	SET(CURLOPT_HTTPHEADER, transfer->headers);
	return code;
}

static CURLcode trust_code(int err)
{
	if (err == 0)
		return CURLE_OK;
	return err == ERR_NOMEM ? CURLE_OUT_OF_MEMORY : CURLE_SSL_CACERT_BADFILE;
}

static CURLcode set_tls(struct http_transfer *transfer)
{
	const struct http_request *request = &transfer->request;
	struct http_client *client = transfer->client;
	const char *ca_file = request->tls_ca ? request->tls_ca : client->ca_file;
	CURLcode code = CURLE_OK;

	if (!request->url->is_tls)
		return CURLE_OK;
	if (request->tls_verify)
		code = trust_code(http_trust_get(&client->trust, ca_file, &transfer->store));
	SET(CURLOPT_CAINFO, NULL);
	SET(CURLOPT_CAPATH, NULL);
	SET(CURLOPT_SSL_VERIFYPEER, request->tls_verify ? 1L : 0L);
	SET(CURLOPT_SSL_VERIFYHOST, request->tls_verify ? 2L : 0L);
	SET(CURLOPT_SSL_CTX_FUNCTION, http_tls_setup);
	SET(CURLOPT_SSL_CTX_DATA, transfer);
	/* Stops after the check of the name, which curl makes after OpenSSL's handshake. But a curl that has
	 * agreed on HTTP/2 begins with it at once: http_tls_setup offers it instead. */
	if (request->ends_at_tls) {
		SET(CURLOPT_CONNECT_ONLY, 1L);
		SET(CURLOPT_SSL_ENABLE_ALPN, 0L);
	}
	return code;
}

CURLcode http_options_apply(struct http_transfer *transfer)
{
	CURLcode (*const steps[])(struct http_transfer *transfer) = { set_fixed, set_callbacks,
		set_destination, set_limits, set_version, set_method, set_headers, set_tls };

	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		CURLcode code = steps[i](transfer);

		if (code != CURLE_OK)
			return code;
	}
	return CURLE_OK;
}

void http_options_done(struct http_transfer *transfer)
{
	for (struct curl_slist *line = transfer->headers; line; line = line->next)
		explicit_bzero(line->data, strlen(line->data));
	curl_slist_free_all(transfer->headers);
	curl_slist_free_all(transfer->connect_to);
	transfer->headers = NULL;
	transfer->connect_to = NULL;
}
