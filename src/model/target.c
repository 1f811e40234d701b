/* SPDX-License-Identifier: Apache-2.0 */
#include "lattice-probe/target.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

struct target *target_new(void)
{
	struct target *target = calloc(1, sizeof *target);

	if (target)
		target->references = 1;
	return target;
}

struct target *target_hold(struct target *target)
{
	assert(target->references > 0 && target->references < UINT_MAX);
	target->references++;
	return target;
}

static void wipe_and_free(char *secret, size_t length_bytes)
{
	if (secret)
		explicit_bzero(secret, length_bytes);
	free(secret);
}

static void free_headers(struct target *target)
{
	for (size_t i = 0; i < target->header_count; i++) {
		struct target_header *header = &target->headers[i];

		free(header->name);
		wipe_and_free(header->value, header->value ? strlen(header->value) : 0);
	}
	free(target->headers);
}

static void free_expectations(struct target *target)
{
	for (size_t i = 0; i < target->expect_body_count; i++)
		target_pattern_done(&target->expect_body[i]);
	for (size_t i = 0; i < target->expect_header_count; i++) {
		free(target->expect_headers[i].name);
		target_pattern_done(&target->expect_headers[i].pattern);
	}
	free(target->expect_body);
	free(target->expect_headers);
}

void target_drop(struct target *target)
{
	if (!target)
		return;
	assert(target->references > 0);
	if (--target->references > 0)
		return;
	free_headers(target);
	free_expectations(target);
	for (size_t i = 0; i < target->sign_host_count; i++)
		free(target->sign_hosts[i]);
	free(target->sign_hosts);
	wipe_and_free(target->body, target->body_bytes);
	free(target->method);
	free(target->tls_ca);
	url_done(&target->url);
	free(target);
}

static bool texts_are_equal(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

bool target_resolver_is_equal(const struct target_resolver *a, const struct target_resolver *b)
{
	if (a->mode != b->mode || a->server_count != b->server_count)
		return false;
	for (size_t i = 0; i < a->server_count; i++)
		if (!address_is_equal(&a->servers[i], &b->servers[i]))
			return false;
	return true;
}

static bool timers_are_equal(const struct target *a, const struct target *b)
{
	return a->interval_us == b->interval_us && a->timeout_us == b->timeout_us &&
	       a->dns_timeout_us == b->dns_timeout_us && a->connect_timeout_us == b->connect_timeout_us &&
	       a->tls_timeout_us == b->tls_timeout_us && a->dns_tries == b->dns_tries;
}

static bool health_rules_are_equal(const struct target *a, const struct target *b)
{
	return a->unhealthy_after == b->unhealthy_after && a->healthy_after == b->healthy_after &&
	       a->is_diagnosed == b->is_diagnosed;
}

static bool sign_hosts_are_equal(const struct target *a, const struct target *b)
{
	if (a->sign_host_count != b->sign_host_count)
		return false;
	for (size_t i = 0; i < a->sign_host_count; i++)
		if (!texts_are_equal(a->sign_hosts[i], b->sign_hosts[i]))
			return false;
	return true;
}

static bool headers_are_equal(const struct target *a, const struct target *b)
{
	if (a->header_count != b->header_count)
		return false;
	for (size_t i = 0; i < a->header_count; i++)
		if (!texts_are_equal(a->headers[i].name, b->headers[i].name) ||
		    !texts_are_equal(a->headers[i].value, b->headers[i].value) ||
		    a->headers[i].is_secret != b->headers[i].is_secret)
			return false;
	return true;
}

static bool requests_are_equal(const struct target *a, const struct target *b)
{
	if (a->body_bytes != b->body_bytes || !a->body != !b->body ||
	    (a->body && memcmp(a->body, b->body, a->body_bytes) != 0))
		return false;
	return a->ip == b->ip && a->addresses == b->addresses && a->auth == b->auth && a->http == b->http &&
	       a->tls_verify == b->tls_verify && a->follow_redirects == b->follow_redirects &&
	       a->max_body_bytes == b->max_body_bytes && texts_are_equal(a->url.text, b->url.text) &&
	       texts_are_equal(a->method, b->method) && texts_are_equal(a->tls_ca, b->tls_ca) &&
	       sign_hosts_are_equal(a, b) && headers_are_equal(a, b);
}

static bool patterns_are_equal(const struct target_pattern *a, const struct target_pattern *b)
{
	return !a->code == !b->code && texts_are_equal(a->text, b->text);
}

static bool expectations_are_equal(const struct target *a, const struct target *b)
{
	if (a->expect_status_count != b->expect_status_count || a->expect_body_count != b->expect_body_count ||
	    a->expect_header_count != b->expect_header_count)
		return false;
	for (size_t i = 0; i < a->expect_status_count; i++)
		if (a->expect_status[i].first != b->expect_status[i].first ||
		    a->expect_status[i].last != b->expect_status[i].last)
			return false;
	for (size_t i = 0; i < a->expect_body_count; i++)
		if (!patterns_are_equal(&a->expect_body[i], &b->expect_body[i]))
			return false;
	for (size_t i = 0; i < a->expect_header_count; i++)
		if (!texts_are_equal(a->expect_headers[i].name, b->expect_headers[i].name) ||
		    !patterns_are_equal(&a->expect_headers[i].pattern, &b->expect_headers[i].pattern))
			return false;
	return true;
}

bool target_is_equal(const struct target *a, const struct target *b)
{
	return strcmp(a->name, b->name) == 0 && timers_are_equal(a, b) && health_rules_are_equal(a, b) &&
	       target_resolver_is_equal(&a->resolver, &b->resolver) && requests_are_equal(a, b) &&
	       expectations_are_equal(a, b);
}
