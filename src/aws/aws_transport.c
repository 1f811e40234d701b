/* SPDX-License-Identifier: Apache-2.0 */
#include "aws_internal.h"

#include <stdlib.h>
#include <string.h>

#include "lattice-probe/aws_call.h"
#include "lattice-probe/http.h"
#include "lattice-probe/resolver.h"

#define DNS_RATE_MAX 10                  /* datagrams a second: a call a second needs two */
#define SKEW_FLOOR_US (1 * US_PER_S)     /* Date has whole seconds: less is no measurement */

struct aws_transport {
	struct loop *loop;
	struct http_client *http;
	struct resolver *resolver;
	struct target_resolver servers;
	char *proxy;
	struct fetch_context fetch;
	int64_t skew_us;
};

struct aws_transport *aws_transport_new(struct loop *loop, const struct aws_transport_options *options)
{
	struct aws_transport *transport = calloc(1, sizeof *transport);

	if (!transport)
		return NULL;
	transport->loop = loop;
	if (options->resolver)
		transport->servers = *options->resolver;
	transport->http = http_client_new(loop, options->ca_file);
	transport->resolver = resolver_new(loop, &(struct resolver_options){ .max_rate = DNS_RATE_MAX });
	if (!transport->http || !transport->resolver)
		goto fail;
	transport->proxy = options->proxy ? strdup(options->proxy) : NULL;
	if (options->proxy && !transport->proxy)
		goto fail;
	transport->fetch = (struct fetch_context){ .loop = loop, .http = transport->http,
		.resolver = transport->resolver, .servers = &transport->servers, .proxy = transport->proxy };
	return transport;
fail:
	aws_transport_free(transport);
	return NULL;
}

void aws_transport_free(struct aws_transport *transport)
{
	if (!transport)
		return;
	resolver_free(transport->resolver);
	http_client_free(transport->http);
	free(transport->proxy);
	free(transport);
}

struct http_client *aws_transport_http(struct aws_transport *transport)
{
	return transport->http;
}

struct loop *aws_transport_loop(struct aws_transport *transport)
{
	return transport->loop;
}

struct fetch_context *aws_transport_fetch(struct aws_transport *transport)
{
	return &transport->fetch;
}

int64_t aws_transport_skew_us(const struct aws_transport *transport)
{
	return transport->skew_us;
}

/* The server read its clock somewhere between `sent` and `answered` and cut the second off: the middle
 * of both is the guess, half of both its uncertainty. */
int64_t aws_transport_estimate_skew_us(struct wall date, struct wall sent, struct wall answered)
{
	int64_t half_us = wall_since(answered, sent) / 2;
	int64_t skew_us = wall_since(wall_add(date, US_PER_S / 2), wall_add(sent, half_us));
	int64_t floor_us = half_us + US_PER_S / 2;

	if (floor_us < SKEW_FLOOR_US)
		floor_us = SKEW_FLOOR_US;
	return skew_us <= floor_us && skew_us >= -floor_us ? 0 : skew_us;
}

void aws_transport_note_date(struct aws_transport *transport, const struct http_reply *reply)
{
	const char *text = reply->status != 0 ? http_reply_header(reply, "Date") : NULL;
	struct mono sent = mono_is_set(reply->secured) ? reply->secured : reply->connected;
	struct wall now = wall_now();
	struct mono mono = mono_now();
	struct wall date;

	if (!text || wall_parse_http_date(text, &date) != 0 || !mono_is_set(sent) || !mono_is_set(reply->first_byte))
		return;
	transport->skew_us = aws_transport_estimate_skew_us(date, wall_add(now, mono_since(sent, mono)),
		wall_add(now, mono_since(reply->first_byte, mono)));
}
