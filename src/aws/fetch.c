/* SPDX-License-Identifier: Apache-2.0 */
/* URL → where to connect (the proxy's host, if one is used) → address, asked of our own resolver unless
 * it is written out → one transfer, pinned to it. Of several addresses each fetch takes the next one, so
 * that a retry by the caller does not meet the same dead host again. */
#include "aws_internal.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "lattice-probe/err.h"
#include "lattice-probe/http.h"
#include "lattice-probe/loop.h"
#include "lattice-probe/parse.h"
#include "lattice-probe/resolver.h"
#include "lattice-probe/url.h"

#define DNS_TIMEOUT_US (3 * US_PER_S)
#define DNS_TRIES 2
#define CONNECT_TIMEOUT_US (3 * US_PER_S)
#define TLS_TIMEOUT_US (5 * US_PER_S)

struct fetch {
	struct fetch_context *context;
	struct url url;
	struct url proxy;  /* only when has_proxy */
	bool has_proxy;
	char proxy_text[ADDRESS_TEXT_SIZE + 8]; /* "http://IP:port", what http takes */
	struct target_header *headers;
	size_t header_count;
	struct fetch_request request; /* its url and headers are not used after the start */
	struct mono deadline;

	struct loop_timer timer;      /* reports what failed at once, or ends the DNS phase */
	enum fetch_end failure;
	const char *why;
	struct resolver_query *query;
	enum dns_type types[2];       /* families in the order they are asked */
	size_t type_at;
	enum outcome dns;             /* of the first question */
	char dns_detail[160];
	struct http_transfer *transfer;

	void (*finished)(void *user, const struct fetch_reply *reply);
	void *user;
};

/* ---- addresses ---------------------------------------------------------------------------- */

bool fetch_has_route(const union address *address)
{
	int fd = socket(address->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool has_route;

	if (fd < 0)
		return false;
	/* connect() of a datagram socket only looks up the route. */
	has_route = connect(fd, &address->sa, address_length(address)) == 0;
	(void)close(fd);
	return has_route;
}

bool fetch_is_link_local(const union address *address)
{
	static const uint8_t ec2[4] = { 0xfd, 0x00, 0x0e, 0xc2 }; /* fd00:ec2::/32: IMDS, Pod Identity */

	if (address_is_loopback(address))
		return true;
	if (address->sa.sa_family == AF_INET)
		return ntohl(address->v4.sin_addr.s_addr) >> 16 == 0xa9fe;
	return address->sa.sa_family == AF_INET6 && (IN6_IS_ADDR_LINKLOCAL(&address->v6.sin6_addr) ||
		memcmp(&address->v6.sin6_addr, ec2, sizeof ec2) == 0);
}

/* RFC 6761 section 6.3: localhost is never asked for. */
static bool is_written_out(const struct url *url, union address *ret_address)
{
	static const uint8_t loopback[4] = { 127, 0, 0, 1 };

	if (url->is_literal)
		*ret_address = url->literal;
	else if (strcmp(url->host, "localhost") == 0)
		address_from_bytes(AF_INET, loopback, url->port, ret_address);
	else
		return false;
	return true;
}

/* IPv4 first where it is routed, as everywhere here. */
static void order_families(struct fetch *fetch)
{
	union address v4;
	union address v6;
	bool is_v6_first = false;

	/* Documentation prefixes stand for the internet: routed by a default route only. */
	if (parse_address("192.0.2.1", 443, &v4) == 0 && parse_address("[2001:db8::1]:443", 443, &v6) == 0)
		is_v6_first = !fetch_has_route(&v4) && fetch_has_route(&v6);
	fetch->types[0] = is_v6_first ? DNS_TYPE_AAAA : DNS_TYPE_A;
	fetch->types[1] = is_v6_first ? DNS_TYPE_A : DNS_TYPE_AAAA;
}

/* ---- life --------------------------------------------------------------------------------- */

static void free_headers(struct fetch *fetch)
{
	for (size_t i = 0; i < fetch->header_count; i++) {
		free(fetch->headers[i].name);
		if (fetch->headers[i].value)
			OPENSSL_cleanse(fetch->headers[i].value, strlen(fetch->headers[i].value));
		free(fetch->headers[i].value);
	}
	free(fetch->headers);
}

void fetch_cancel(struct fetch *fetch)
{
	if (!fetch)
		return;
	loop_timer_stop(fetch->context->loop, &fetch->timer);
	if (fetch->query)
		resolver_cancel(fetch->query);
	if (fetch->transfer)
		http_cancel(fetch->transfer);
	free_headers(fetch);
	url_done(&fetch->url);
	url_done(&fetch->proxy);
	free(fetch);
}

static void finish(struct fetch *fetch, const struct fetch_reply *reply)
{
	fetch->finished(fetch->user, reply);
	fetch_cancel(fetch);
}

static void fail(struct fetch *fetch, enum fetch_end end, const char *why)
{
	finish(fetch, &(struct fetch_reply){ .end = end, .dns = fetch->dns, .why = why });
}

static void on_failed_at_once(void *user)
{
	struct fetch *fetch = user;

	fail(fetch, fetch->failure, fetch->why);
}

/* From inside fetch_start the caller may not be called back. */
static int fail_soon(struct fetch *fetch, enum fetch_end end, const char *why)
{
	fetch->failure = end;
	fetch->why = why;
	return loop_timer_start(fetch->context->loop, &fetch->timer, mono_now(), on_failed_at_once, fetch);
}

/* ---- the transfer ------------------------------------------------------------------------- */

static void on_transfer(void *user, const struct http_reply *reply)
{
	struct fetch *fetch = user;

	fetch->transfer = NULL;
	finish(fetch, &(struct fetch_reply){ .end = FETCH_HTTP, .why = reply->detail, .http = reply });
}

static bool start_transfer(struct fetch *fetch, const union address *address)
{
	struct http_request request = {
		.url = &fetch->url, .address = *address, .method = fetch->request.method,
		.headers = fetch->headers, .header_count = fetch->header_count,
		.body = fetch->request.body, .body_bytes = fetch->request.body_bytes,
		.version = TARGET_HTTP_1_1, .tls_verify = true,
		.proxy = fetch->has_proxy ? fetch->proxy_text : NULL,
		.connect_timeout_us = CONNECT_TIMEOUT_US, .tls_timeout_us = TLS_TIMEOUT_US,
		.deadline = fetch->deadline, .max_body_bytes = fetch->request.max_body_bytes, .keep_body = true,
	};

	if (fetch->has_proxy) {
		char place[ADDRESS_TEXT_SIZE];

		address_format_port(address, place);
		(void)snprintf(fetch->proxy_text, sizeof fetch->proxy_text, "http://%s", place);
	}
	fetch->transfer = http_start(fetch->context->http, &request, on_transfer, fetch);
	return fetch->transfer != NULL;
}

/* NULL, or the rule that forbids the address. */
static const char *judge_address(const struct fetch *fetch, const union address *address)
{
	if (!fetch->url.is_tls && (fetch->has_proxy || !fetch_is_link_local(address)))
		return "plain http is only for loopback and link-local addresses: use https";
	return NULL;
}

/* ---- DNS ---------------------------------------------------------------------------------- */

static bool ask(struct fetch *fetch);

static void on_answer(void *user, const struct resolver_answer *answer)
{
	struct fetch *fetch = user;
	size_t count = answer->outcome == OUTCOME_OK ? answer->message.address_count : 0;
	union address address;
	const char *why;

	fetch->query = NULL;
	if (fetch->type_at == 0) {
		fetch->dns = answer->outcome;
		memcpy(fetch->dns_detail, answer->detail, sizeof fetch->dns_detail);
	}
	if (count == 0) {
		if (++fetch->type_at == 2 || answer->outcome == OUTCOME_DNS_NXDOMAIN)
			fail(fetch, FETCH_DNS, fetch->dns_detail);
		else if (!ask(fetch))
			fail(fetch, FETCH_NOMEM, err_text(ERR_NOMEM));
		return;
	}
	loop_timer_stop(fetch->context->loop, &fetch->timer);
	address = answer->message.addresses[fetch->context->rotation++ % count];
	address_set_port(&address, fetch->has_proxy ? fetch->proxy.port : fetch->url.port);
	why = judge_address(fetch, &address);
	if (why)
		fail(fetch, FETCH_REFUSED, why);
	else if (!start_transfer(fetch, &address))
		fail(fetch, FETCH_NOMEM, err_text(ERR_NOMEM));
}

static bool ask(struct fetch *fetch)
{
	/* The deadline stands behind it. */
	const struct resolver_question question = {
		.name = fetch->has_proxy ? fetch->proxy.host : fetch->url.host,
		.type = fetch->types[fetch->type_at], .servers = fetch->context->servers,
		.timeout_us = DNS_TIMEOUT_US, .tries = DNS_TRIES,
	};

	fetch->query = resolver_ask(fetch->context->resolver, &question, NULL, on_answer, fetch);
	return fetch->query != NULL;
}

/* The question may also wait in the datagram budget: that ends here too. */
static void on_dns_deadline(void *user)
{
	struct fetch *fetch = user;

	resolver_cancel(fetch->query);
	fetch->query = NULL;
	fetch->dns = OUTCOME_DNS_TIMEOUT;
	fail(fetch, FETCH_DNS, outcome_words(OUTCOME_DNS_TIMEOUT));
}

static bool resolve(struct fetch *fetch)
{
	if (!fetch->context->resolver)
		return fail_soon(fetch, FETCH_REFUSED, "this endpoint takes an IP address, not a name") == 0;
	order_families(fetch);
	return loop_timer_start(fetch->context->loop, &fetch->timer, fetch->deadline, on_dns_deadline, fetch) == 0 &&
	       ask(fetch);
}

/* ---- start -------------------------------------------------------------------------------- */

static bool copy_headers(struct fetch *fetch, const struct sigv4_header *headers, size_t count)
{
	fetch->headers = calloc(count + 1, sizeof *fetch->headers);
	if (!fetch->headers)
		return false;
	for (size_t i = 0; i < count; i++) {
		fetch->header_count = i + 1;
		fetch->headers[i].name = strdup(headers[i].name);
		fetch->headers[i].value = strdup(headers[i].value);
		fetch->headers[i].is_secret = true;
		if (!fetch->headers[i].name || !fetch->headers[i].value)
			return false;
	}
	return true;
}

static int parse_urls(struct fetch *fetch, const char **ret_why)
{
	const char *proxy = fetch->request.may_use_proxy ? fetch->context->proxy : NULL;
	union address address;
	int err = url_parse(fetch->request.url, &fetch->url, ret_why);

	if (err || !proxy)
		return err;
	if (is_written_out(&fetch->url, &address) && fetch_is_link_local(&address))
		return 0;
	err = url_parse(proxy, &fetch->proxy, ret_why);
	fetch->has_proxy = err == 0;
	return err;
}

static bool begin(struct fetch *fetch)
{
	const char *why = NULL;
	union address address;
	int err = parse_urls(fetch, &why);

	if (err == ERR_NOMEM)
		return false;
	if (err)
		return fail_soon(fetch, FETCH_REFUSED, why) == 0;
	if (!is_written_out(fetch->has_proxy ? &fetch->proxy : &fetch->url, &address))
		return resolve(fetch);
	why = judge_address(fetch, &address);
	if (why)
		return fail_soon(fetch, FETCH_REFUSED, why) == 0;
	return start_transfer(fetch, &address);
}

struct fetch *fetch_start(struct fetch_context *context, const struct fetch_request *request,
	void (*finished)(void *user, const struct fetch_reply *reply), void *user)
{
	struct fetch *fetch = calloc(1, sizeof *fetch);

	if (!fetch)
		return NULL;
	assert(request->timeout_us > 0);
	fetch->context = context;
	fetch->request = *request;
	fetch->deadline = mono_add(mono_now(), request->timeout_us);
	fetch->finished = finished;
	fetch->user = user;
	if (!copy_headers(fetch, request->headers, request->header_count) || !begin(fetch))
		goto fail;
	fetch->request.url = NULL;
	fetch->request.headers = NULL;
	return fetch;
fail:
	fetch_cancel(fetch);
	return NULL;
}
