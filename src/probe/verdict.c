/* SPDX-License-Identifier: Apache-2.0 */
/* First the exchange: `failures` is read from the top, the first row that fits decides. Then, on a
 * complete response, what the target expects.
 *
 * Who wins when a certificate has several faults: expired, then untrusted, then for another name.
 * http finds all of them and puts the first of that order into verify_result and name_mismatch. */
#include "lattice-probe/verdict.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>
#include <openssl/x509_vfy.h>

#include "lattice-probe/http.h"
#include "lattice-probe/target.h"
#include "lattice-probe/verdict_lattice.h"

#define ANY (-1)

struct failure {
	int stage;     /* enum http_stage */
	int curl_code;
	int os_errno;
	enum outcome outcome;
};

static const struct failure failures[] = {
	/* What this host lacks, wherever it is noticed. */
	{ ANY, ANY, EMFILE, OUTCOME_LOCAL_FAULT },
	{ ANY, ANY, ENFILE, OUTCOME_LOCAL_FAULT },
	{ ANY, ANY, ENOMEM, OUTCOME_LOCAL_FAULT },
	{ ANY, ANY, ENOBUFS, OUTCOME_LOCAL_FAULT },
	{ ANY, CURLE_OUT_OF_MEMORY, ANY, OUTCOME_LOCAL_FAULT },
	{ ANY, CURLE_FAILED_INIT, ANY, OUTCOME_LOCAL_FAULT },
	{ ANY, CURLE_NOT_BUILT_IN, ANY, OUTCOME_LOCAL_FAULT },
	{ ANY, CURLE_BAD_FUNCTION_ARGUMENT, ANY, OUTCOME_LOCAL_FAULT },
	{ ANY, CURLE_UNKNOWN_OPTION, ANY, OUTCOME_LOCAL_FAULT },
	{ ANY, CURLE_URL_MALFORMAT, ANY, OUTCOME_LOCAL_FAULT },
	{ ANY, CURLE_ABORTED_BY_CALLBACK, ANY, OUTCOME_LOCAL_FAULT },
	{ ANY, CURLE_READ_ERROR, ANY, OUTCOME_LOCAL_FAULT },
	{ ANY, CURLE_WRITE_ERROR, ANY, OUTCOME_LOCAL_FAULT },
	{ ANY, CURLE_SSL_CACERT_BADFILE, ANY, OUTCOME_LOCAL_FAULT },
	{ ANY, CURLE_SSL_ENGINE_INITFAILED, ANY, OUTCOME_LOCAL_FAULT },
	{ HTTP_STAGE_SETUP, ANY, ANY, OUTCOME_LOCAL_FAULT },

	{ HTTP_STAGE_CONNECT, ANY, ECONNREFUSED, OUTCOME_CONNECT_REFUSED },
	{ HTTP_STAGE_CONNECT, ANY, ENOPROTOOPT, OUTCOME_CONNECT_REFUSED }, /* ICMP protocol unreachable */
	{ HTTP_STAGE_CONNECT, ANY, EHOSTUNREACH, OUTCOME_CONNECT_UNREACHABLE },
	{ HTTP_STAGE_CONNECT, ANY, ENETUNREACH, OUTCOME_CONNECT_UNREACHABLE },
	{ HTTP_STAGE_CONNECT, ANY, EHOSTDOWN, OUTCOME_CONNECT_UNREACHABLE },
	{ HTTP_STAGE_CONNECT, ANY, ENETDOWN, OUTCOME_CONNECT_UNREACHABLE },
	{ HTTP_STAGE_CONNECT, ANY, EAFNOSUPPORT, OUTCOME_CONNECT_UNREACHABLE }, /* a kernel without IPv6 */
	{ HTTP_STAGE_CONNECT, ANY, ETIMEDOUT, OUTCOME_CONNECT_TIMEOUT },
	{ HTTP_STAGE_CONNECT, ANY, EACCES, OUTCOME_CONNECT_DENIED }, /* prohibit route */
	{ HTTP_STAGE_CONNECT, ANY, EPERM, OUTCOME_CONNECT_DENIED },  /* rejected by the output chain */
	{ HTTP_STAGE_CONNECT, ANY, EINVAL, OUTCOME_CONNECT_DENIED }, /* blackhole route */
	{ HTTP_STAGE_CONNECT, ANY, EADDRNOTAVAIL, OUTCOME_LOCAL_FAULT }, /* no source address or port left */
	{ HTTP_STAGE_CONNECT, ANY, EAGAIN, OUTCOME_LOCAL_FAULT },
	{ HTTP_STAGE_CONNECT, CURLE_OPERATION_TIMEDOUT, ANY, OUTCOME_CONNECT_TIMEOUT },
	{ HTTP_STAGE_CONNECT, ANY, ANY, OUTCOME_CONNECT_UNREACHABLE },

	{ HTTP_STAGE_TLS, CURLE_OPERATION_TIMEDOUT, ANY, OUTCOME_TLS_TIMEOUT },
	{ HTTP_STAGE_TLS, ANY, ANY, OUTCOME_TLS_HANDSHAKE },

	{ HTTP_STAGE_FIRST_BYTE, CURLE_OPERATION_TIMEDOUT, ANY, OUTCOME_HTTP_TIMEOUT },
	{ HTTP_STAGE_TRANSFER, CURLE_OPERATION_TIMEDOUT, ANY, OUTCOME_HTTP_TIMEOUT },
	{ ANY, CURLE_GOT_NOTHING, ANY, OUTCOME_HTTP_RESET },
	{ ANY, CURLE_RECV_ERROR, ANY, OUTCOME_HTTP_RESET },
	{ ANY, CURLE_SEND_ERROR, ANY, OUTCOME_HTTP_RESET },
	{ ANY, CURLE_SEND_FAIL_REWIND, ANY, OUTCOME_HTTP_RESET },
	{ ANY, CURLE_PARTIAL_FILE, ANY, OUTCOME_HTTP_RESET },
	{ ANY, CURLE_HTTP2_STREAM, ANY, OUTCOME_HTTP_RESET },     /* RST_STREAM, GOAWAY */
	{ ANY, CURLE_COULDNT_CONNECT, ANY, OUTCOME_HTTP_RESET },  /* curl wanted a second connection */
	{ ANY, ANY, ANY, OUTCOME_HTTP_PROTOCOL },
};

static bool fits(const struct failure *row, const struct http_reply *reply)
{
	return (row->stage == ANY || row->stage == (int)reply->stage) &&
	       (row->curl_code == ANY || row->curl_code == reply->curl_code) &&
	       (row->os_errno == ANY || row->os_errno == reply->os_errno);
}

static bool is_expired(long verify_result)
{
	return verify_result == X509_V_ERR_CERT_HAS_EXPIRED ||
	       verify_result == X509_V_ERR_CERT_NOT_YET_VALID;
}

/* The handshake failed because of the certificate: which of its faults? */
static enum outcome certificate_outcome(const struct http_reply *reply)
{
	if (is_expired(reply->verify_result))
		return OUTCOME_TLS_EXPIRED;
	if (reply->verify_result != X509_V_OK || !reply->name_mismatch)
		return OUTCOME_TLS_UNTRUSTED;
	return OUTCOME_TLS_NAME;
}

static enum outcome failure_outcome(const struct http_reply *reply)
{
	const struct failure *row = failures;

	if (reply->end == HTTP_END_TOO_LARGE)
		return OUTCOME_HTTP_TOO_LARGE;
	if (reply->stage == HTTP_STAGE_TLS && reply->curl_code == CURLE_PEER_FAILED_VERIFICATION)
		return certificate_outcome(reply);
	while (!fits(row, reply))
		row++;
	return row->outcome;
}

static void describe_failure(const struct http_reply *reply, enum outcome outcome, char *ret_detail,
	size_t detail_size)
{
	if (outcome == OUTCOME_TLS_NAME)
		(void)snprintf(ret_detail, detail_size, "the certificate is for %s", reply->certificate_subject);
	else if (outcome == OUTCOME_TLS_EXPIRED || outcome == OUTCOME_TLS_UNTRUSTED)
		(void)snprintf(ret_detail, detail_size, "%s, issued by %s",
			X509_verify_cert_error_string(reply->verify_result), reply->certificate_issuer);
	else
		(void)snprintf(ret_detail, detail_size, "%s", reply->detail);
}

/* ---- expectations ------------------------------------------------------------------------- */

static bool is_expected_status(const struct target *target, int status)
{
	if (target->expect_status_count == 0)
		return status >= 200 && status <= 299;
	for (size_t i = 0; i < target->expect_status_count; i++)
		if (status >= target->expect_status[i].first && status <= target->expect_status[i].last)
			return true;
	return false;
}

static enum outcome judge_version(const struct target *target, const struct http_reply *reply,
	char *ret_detail, size_t detail_size)
{
	if (target->http != TARGET_HTTP_2 || reply->http_version == 20)
		return OUTCOME_OK;
	(void)snprintf(ret_detail, detail_size, "HTTP/2 was asked for, the answer came in HTTP/%d.%d",
		reply->http_version / 10, reply->http_version % 10);
	return OUTCOME_HTTP_PROTOCOL;
}

static enum outcome judge_status(const struct target *target, const struct http_reply *reply,
	char *ret_detail, size_t detail_size)
{
	if (is_expected_status(target, reply->status))
		return OUTCOME_OK;
	if (verdict_lattice_is_auth_denied(reply)) {
		verdict_lattice_describe_denial(reply, ret_detail, detail_size);
		return OUTCOME_LATTICE_AUTH_DENIED;
	}
	if (verdict_lattice_is_no_route(target, reply)) {
		(void)snprintf(ret_detail, detail_size,
			"404 with our own request id and none of the application's headers");
		return OUTCOME_LATTICE_NO_ROUTE;
	}
	(void)snprintf(ret_detail, detail_size, "status %d", reply->status);
	return OUTCOME_HTTP_STATUS;
}

/* One header line of that name that holds the pattern is enough. */
static bool header_holds(const struct target_header_expectation *expectation,
	const struct http_reply *reply, bool *ret_is_present, bool *ret_is_limited)
{
	for (size_t i = 0; i < reply->header_count; i++) {
		const char *value = reply->headers[i].value;

		if (strcasecmp(reply->headers[i].name, expectation->name) != 0)
			continue;
		*ret_is_present = true;
		if (target_pattern_matches(&expectation->pattern, value, strlen(value), ret_is_limited))
			return true;
	}
	return false;
}

static enum outcome judge_headers(const struct target *target, const struct http_reply *reply,
	char *ret_detail, size_t detail_size)
{
	for (size_t i = 0; i < target->expect_header_count; i++) {
		const struct target_header_expectation *expectation = &target->expect_headers[i];
		bool is_present = false;
		bool is_limited = false;

		if (header_holds(expectation, reply, &is_present, &is_limited))
			continue;
		(void)snprintf(ret_detail, detail_size, "header %s %s", expectation->name,
			!is_present ? "is missing" :
			is_limited ? "is too costly for its pattern" : "is not as expected");
		return OUTCOME_HTTP_HEADER;
	}
	return OUTCOME_OK;
}

static enum outcome judge_body(const struct target *target, const struct http_reply *reply,
	char *ret_detail, size_t detail_size)
{
	for (size_t i = 0; i < target->expect_body_count; i++) {
		const struct target_pattern *pattern = &target->expect_body[i];
		bool is_limited = false;

		if (target_pattern_matches(pattern, reply->body, reply->body_bytes, &is_limited))
			continue;
		if (is_limited)
			(void)snprintf(ret_detail, detail_size,
				"the pattern ran into its match limit on a body of %zu bytes", reply->body_bytes);
		else
			(void)snprintf(ret_detail, detail_size,
				"expected %s number %zu is not in the body of %zu bytes",
				pattern->code ? "pattern" : "text", i + 1, reply->body_bytes);
		return OUTCOME_HTTP_BODY;
	}
	return OUTCOME_OK;
}

enum outcome verdict_of_reply(const struct target *target, const struct http_reply *reply,
	char *ret_detail, size_t detail_size)
{
	enum outcome (*const judges[])(const struct target *, const struct http_reply *, char *, size_t) = {
		judge_version, judge_status, judge_headers, judge_body
	};
	enum outcome outcome = OUTCOME_OK;

	if (reply->end != HTTP_END_DONE) {
		outcome = failure_outcome(reply);
		describe_failure(reply, outcome, ret_detail, detail_size);
		return outcome;
	}
	for (size_t i = 0; outcome == OUTCOME_OK && i < sizeof judges / sizeof *judges; i++)
		outcome = judges[i](target, reply, ret_detail, detail_size);
	return outcome;
}
