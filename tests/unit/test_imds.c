/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../support/canned_server.h"

#include "lattice-probe/buf.h"
#include "lattice-probe/err.h"
#include "lattice-probe/http.h"
#include "lattice-probe/imds.h"
#include "lattice-probe/loop.h"

#define COUNT(array) (sizeof (array) / sizeof *(array))
#define OK_HEAD "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
#define STATUS(line) "HTTP/1.1 " line "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
#define PUT "PUT /latest/api/token "
#define GET "GET /latest/meta-data/"
#define GOOD_PUT { PUT, OK_HEAD "EXAMPLE-token==", 0, 0 }

struct world {
	struct loop *loop;
	struct http_client *http;
	struct canned_server *server;
	struct imds *imds;

	unsigned answers;
	unsigned wanted;
	bool is_done;
	int err;
	char text[64];
	const char *hint;
	struct imds_facts facts;
};

static void clear_environment(void)
{
	(void)unsetenv("AWS_EC2_METADATA_DISABLED");
	(void)unsetenv("AWS_EC2_METADATA_SERVICE_ENDPOINT");
	(void)unsetenv("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
	(void)setenv("http_proxy", "http://127.0.0.1:1", 1); /* must never be used */
}

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof *world);

	assert_non_null(world);
	clear_environment();
	world->loop = loop_new();
	assert_non_null(world->loop);
	world->http = http_client_new(world->loop, NULL);
	assert_non_null(world->http);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	imds_free(world->imds);
	http_client_free(world->http);
	loop_free(world->loop);
	if (world->server)
		canned_server_stop(world->server);
	free(world);
	return 0;
}

static void serve(struct world *world, const struct canned_reply *replies, size_t count)
{
	world->server = canned_server_start(replies, count);
	assert_int_equal(setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", canned_server_url(world->server), 1), 0);
	world->imds = imds_new(world->loop, world->http);
	assert_non_null(world->imds);
}

static void on_text(void *user, int err, const char *text, const char *hint)
{
	struct world *world = user;

	assert_true(err == 0 || text == NULL);
	assert_non_null(hint);
	world->err = err;
	world->hint = hint;
	(void)snprintf(world->text, sizeof world->text, "%s", text ? text : "");
	world->is_done = ++world->answers >= world->wanted;
}

static void on_facts(void *user, int err, const struct imds_facts *facts, const char *hint)
{
	struct world *world = user;

	world->err = err;
	world->hint = hint;
	world->facts = *facts;
	world->is_done = ++world->answers >= world->wanted;
}

static struct imds_query *start(struct world *world, const char *path)
{
	unsigned before = world->answers;
	struct imds_query *query = imds_get(world->imds, path, on_text, world);

	assert_non_null(query);
	assert_int_equal(world->answers, before); /* never from inside the call */
	return query;
}

static void wait_for(struct world *world, unsigned count)
{
	world->wanted = world->answers + count;
	world->is_done = false;
	loop_run_until(world->loop, &world->is_done);
	assert_true(world->is_done);
}

static int ask(struct world *world, const char *path)
{
	(void)start(world, path);
	wait_for(world, 1);
	return world->err;
}

/* ---- the token ---------------------------------------------------------------------------- */

static void a_token_is_put_first_and_carried_by_the_get(void **state)
{
	static const struct canned_reply replies[] = { GOOD_PUT, { GET "instance-id ", OK_HEAD "i-0123", 0, 0 } };
	struct world *world = *state;

	serve(world, replies, COUNT(replies));
	assert_int_equal(ask(world, "meta-data/instance-id"), 0);
	assert_string_equal(world->text, "i-0123");
	assert_string_equal(world->hint, "");
	assert_non_null(strcasestr(canned_server_last(world->server, PUT),
		"\r\nX-aws-ec2-metadata-token-ttl-seconds: 21600\r\n"));
	assert_null(strcasestr(canned_server_last(world->server, PUT), "\r\nX-Forwarded-For:"));
	assert_non_null(strcasestr(canned_server_last(world->server, GET),
		"\r\nX-aws-ec2-metadata-token: EXAMPLE-token==\r\n"));
}

static void one_token_serves_queries_side_by_side_and_later(void **state)
{
	static const struct canned_reply replies[] = { GOOD_PUT, { GET, OK_HEAD "x", 0, 0 } };
	struct world *world = *state;

	serve(world, replies, COUNT(replies));
	for (int i = 0; i < 5; i++)
		(void)start(world, "meta-data/a");
	wait_for(world, 5);
	assert_int_equal(ask(world, "meta-data/b"), 0);
	assert_int_equal(canned_server_count(world->server, PUT), 1);
	assert_int_equal(canned_server_count(world->server, GET), 6);
}

static void a_token_refused_is_replaced_once(void **state)
{
	static const struct canned_reply replies[] = { { PUT, OK_HEAD "old", 0, 1 }, { PUT, OK_HEAD "new", 0, 0 },
		{ GET, STATUS("401 Unauthorized"), 0, 1 }, { GET, OK_HEAD "x", 0, 0 } };
	struct world *world = *state;

	serve(world, replies, COUNT(replies));
	assert_int_equal(ask(world, "meta-data/a"), 0);
	assert_string_equal(world->text, "x");
	assert_int_equal(canned_server_count(world->server, PUT), 2);
	assert_non_null(strcasestr(canned_server_last(world->server, GET), "\r\nX-aws-ec2-metadata-token: new\r\n"));
}

static void a_service_that_refuses_every_token_is_denied(void **state)
{
	static const struct canned_reply replies[] = { GOOD_PUT, { GET, STATUS("401 Unauthorized"), 0, 0 } };
	struct world *world = *state;

	serve(world, replies, COUNT(replies));
	assert_int_equal(ask(world, "meta-data/a"), ERR_DENIED);
	assert_int_equal(canned_server_count(world->server, PUT), 2);
	assert_int_equal(canned_server_count(world->server, GET), 2);
}

static void several_refused_at_once_share_the_new_token(void **state)
{
	static const struct canned_reply replies[] = { { PUT, OK_HEAD "old", 0, 1 }, { PUT, OK_HEAD "new", 0, 0 },
		{ GET, STATUS("401 Unauthorized"), 0, 4 }, { GET, OK_HEAD "x", 0, 0 } };
	struct world *world = *state;

	serve(world, replies, COUNT(replies));
	for (int i = 0; i < 4; i++)
		(void)start(world, "meta-data/a");
	wait_for(world, 4);
	assert_int_equal(world->err, 0);
	assert_int_equal(canned_server_count(world->server, PUT), 2);
}

/* The TTL is the server's word, and a tenth of it is left when the token is renewed. */
static void a_token_is_renewed_before_its_end(void **state)
{
	static const struct canned_reply replies[] = {
		{ PUT, "HTTP/1.1 200 OK\r\nX-aws-ec2-metadata-token-ttl-seconds: 1\r\nConnection: close\r\n\r\nt", 0, 0 },
		{ GET, OK_HEAD "x", 0, 0 } };
	struct world *world = *state;
	struct mono begun = mono_now();

	serve(world, replies, COUNT(replies));
	while (canned_server_count(world->server, PUT) < 2 && mono_since(mono_now(), begun) < 10 * US_PER_S)
		assert_int_equal(ask(world, "meta-data/a"), 0);
	assert_int_equal(canned_server_count(world->server, PUT), 2);
	assert_true(mono_since(mono_now(), begun) >= 900 * US_PER_MS);
	assert_true(mono_since(mono_now(), begun) < 5 * US_PER_S);
}

static void what_is_no_token_is_never_sent(void **state)
{
	static const struct canned_reply tokens[] = {
		{ PUT, OK_HEAD "abc\r\nX-Injected: yes", 0, 0 }, { PUT, OK_HEAD "abc\n", 0, 0 }, { PUT, OK_HEAD, 0, 0 },
		{ PUT, OK_HEAD "two words", 0, 0 }, { PUT, OK_HEAD "abc\0def", sizeof OK_HEAD + 6, 0 },
		{ PUT, OK_HEAD "\xc3\xa9", 0, 0 } };
	struct world *world = *state;

	for (size_t i = 0; i < COUNT(tokens); i++) {
		serve(world, &tokens[i], 1);
		assert_int_equal(ask(world, "meta-data/a"), ERR_PROTOCOL);
		assert_int_equal(canned_server_count(world->server, "GET"), 0);
		imds_free(world->imds);
		world->imds = NULL;
		canned_server_stop(world->server);
		world->server = NULL;
	}
}

/* ---- what can go wrong -------------------------------------------------------------------- */

static void each_status_has_its_error(void **state)
{
	static const struct canned_reply replies[] = { GOOD_PUT,
		{ GET "gone ", STATUS("404 Not Found"), 0, 0 }, { GET "off ", STATUS("403 Forbidden"), 0, 0 },
		{ GET "busy ", STATUS("503 Service Unavailable"), 0, 0 }, { GET "odd ", STATUS("302 Found"), 0, 0 },
		{ GET "bad ", STATUS("400 Bad Request"), 0, 0 }, { GET "nul ", OK_HEAD "a\0b", sizeof OK_HEAD + 2, 0 },
		{ GET "cut ", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", 0, 0 }, { GET "none ", "", 0, 0 } };
	static const struct { const char *path; int err; } wanted[] = {
		{ "meta-data/gone", ERR_NOT_FOUND }, { "meta-data/off", ERR_DENIED }, { "meta-data/busy", ERR_UNREACHABLE },
		{ "meta-data/odd", ERR_PROTOCOL }, { "meta-data/bad", ERR_PROTOCOL }, { "meta-data/nul", ERR_PROTOCOL },
		{ "meta-data/cut", ERR_UNREACHABLE }, { "meta-data/none", ERR_UNREACHABLE } };
	struct world *world = *state;

	serve(world, replies, COUNT(replies));
	for (size_t i = 0; i < COUNT(wanted); i++) {
		assert_int_equal(ask(world, wanted[i].path), wanted[i].err);
		assert_true(strlen(world->hint) > 10);
	}
	assert_int_equal(canned_server_count(world->server, PUT), 1);
}

static void a_put_that_stays_silent_points_at_the_hop_limit(void **state)
{
	static const struct canned_reply replies[] = { { PUT, NULL, 0, 0 } };
	struct world *world = *state;
	struct mono begun = mono_now();

	serve(world, replies, COUNT(replies));
	assert_int_equal(ask(world, "meta-data/a"), ERR_TIMEOUT);
	assert_non_null(strstr(world->hint, "hop limit"));
	assert_in_range(mono_since(mono_now(), begun), IMDS_TIMEOUT_US, 3 * IMDS_TIMEOUT_US);
	assert_int_equal(canned_server_count(world->server, "GET"), 0);
}

static void a_get_that_stays_silent_does_not(void **state)
{
	static const struct canned_reply replies[] = { GOOD_PUT, { GET, NULL, 0, 0 } };
	struct world *world = *state;

	serve(world, replies, COUNT(replies));
	assert_int_equal(ask(world, "meta-data/a"), ERR_TIMEOUT);
	assert_null(strstr(world->hint, "hop limit"));
}

static void a_giant_reply_is_refused(void **state)
{
	struct world *world = *state;
	struct buf bytes;
	struct canned_reply replies[] = { GOOD_PUT, { GET, NULL, 0, 0 } };

	buf_init(&bytes, 1024 * 1024);
	assert_int_equal(buf_append_text(&bytes, OK_HEAD), 0);
	for (int i = 0; i < IMDS_REPLY_MAX_BYTES / 16 + 1; i++)
		assert_int_equal(buf_append_text(&bytes, "0123456789abcdef"), 0);
	replies[1].bytes = bytes.data;
	serve(world, replies, COUNT(replies));
	assert_int_equal(ask(world, "meta-data/a"), ERR_LIMIT);
	buf_done(&bytes);
}

static void a_host_without_the_service_is_asked_once(void **state)
{
	static const struct canned_reply replies[] = { { PUT, "", 0, 0 } };
	struct world *world = *state;

	serve(world, replies, COUNT(replies));
	for (int i = 0; i < 5; i++) {
		assert_int_equal(ask(world, "meta-data/a"), ERR_UNREACHABLE);
		assert_non_null(strstr(world->hint, "no metadata service"));
	}
	assert_int_equal(canned_server_count(world->server, ""), 1);
}

static void a_closed_port_is_unreachable(void **state)
{
	struct world *world = *state;
	char url[64];

	(void)snprintf(url, sizeof url, "http://127.0.0.1:%u", canned_server_closed_port());
	(void)setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", url, 1);
	world->imds = imds_new(world->loop, world->http);
	assert_int_equal(ask(world, "meta-data/a"), ERR_UNREACHABLE);
}

/* At boot the network may come after us. */
static void a_service_that_comes_late_is_asked_again_soon(void **state)
{
	static const struct canned_reply none[] = { { PUT, "", 0, 0 } };
	static const struct canned_reply well[] = { GOOD_PUT, { GET, OK_HEAD "x", 0, 0 } };
	struct world *world = *state;
	struct mono begun = mono_now();

	serve(world, none, COUNT(none));
	assert_int_equal(ask(world, "meta-data/a"), ERR_UNREACHABLE);
	canned_server_change(world->server, well, COUNT(well));
	while (ask(world, "meta-data/a") != 0)
		assert_true(mono_since(mono_now(), begun) < 5 * US_PER_S);
}

/* A failure is followed by a second's pause, not a minute's. */
static void a_service_that_answered_before_is_asked_again_soon(void **state)
{
	static const struct canned_reply first[] = { { PUT, OK_HEAD "t", 0, 0 }, { GET, STATUS("401 Unauthorized"), 0, 0 } };
	static const struct canned_reply broken[] = { { PUT, STATUS("503 Service Unavailable"), 0, 0 } };
	static const struct canned_reply well[] = { GOOD_PUT, { GET, OK_HEAD "x", 0, 0 } };
	struct world *world = *state;
	struct mono begun;

	serve(world, first, COUNT(first));
	assert_int_equal(ask(world, "meta-data/a"), ERR_DENIED);
	canned_server_change(world->server, broken, COUNT(broken));
	assert_int_equal(ask(world, "meta-data/a"), ERR_UNREACHABLE);
	assert_int_equal(ask(world, "meta-data/a"), ERR_UNREACHABLE);
	assert_int_equal(canned_server_count(world->server, PUT), 3);
	begun = mono_now();
	canned_server_change(world->server, well, COUNT(well));
	while (ask(world, "meta-data/a") != 0)
		assert_true(mono_since(mono_now(), begun) < 5 * US_PER_S);
}

/* ---- settings ----------------------------------------------------------------------------- */

static void a_disabled_service_is_never_asked(void **state)
{
	static const struct canned_reply replies[] = { GOOD_PUT, { GET, OK_HEAD "x", 0, 0 } };
	struct world *world = *state;

	(void)setenv("AWS_EC2_METADATA_DISABLED", "True", 1);
	serve(world, replies, COUNT(replies));
	assert_int_equal(ask(world, "meta-data/a"), ERR_DENIED);
	assert_non_null(strstr(world->hint, "AWS_EC2_METADATA_DISABLED"));
	assert_int_equal(canned_server_count(world->server, ""), 0);
}

static void an_endpoint_is_an_address_on_the_link(void **state)
{
	static const char *const wrong[] = { "http://imds.example", "169.254.169.254", "ftp://169.254.169.254",
		"http://192.0.2.1", "http://10.0.0.1", "http://[2001:db8::1]",
		"http://127.0.0.1/00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
		"00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
		"000000000000000000000000000000000000000000000000000000000000000000000000000000" };
	struct world *world = *state;

	for (size_t i = 0; i < COUNT(wrong); i++) {
		(void)setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", wrong[i], 1);
		world->imds = imds_new(world->loop, world->http);
		assert_non_null(world->imds);
		assert_int_equal(ask(world, "meta-data/a"), ERR_SYNTAX);
		imds_free(world->imds);
		world->imds = NULL;
	}
}

static void an_endpoint_may_end_with_a_slash(void **state)
{
	static const struct canned_reply replies[] = { GOOD_PUT, { GET, OK_HEAD "x", 0, 0 } };
	struct world *world = *state;
	char url[80];

	serve(world, replies, COUNT(replies));
	imds_free(world->imds);
	(void)snprintf(url, sizeof url, "%s/", canned_server_url(world->server));
	(void)setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", url, 1);
	world->imds = imds_new(world->loop, world->http);
	assert_int_equal(ask(world, "meta-data/a"), 0);
	assert_int_equal(canned_server_count(world->server, "GET /latest/meta-data/a "), 1);
}

/* ---- cancelling and ceilings -------------------------------------------------------------- */

static void a_cancelled_query_is_never_answered(void **state)
{
	static const struct canned_reply replies[] = { GOOD_PUT, { GET, OK_HEAD "x", 0, 0 } };
	struct world *world = *state;
	struct imds_query *waiting;

	serve(world, replies, COUNT(replies));
	waiting = start(world, "meta-data/a");
	(void)start(world, "meta-data/b");
	imds_cancel(waiting);
	imds_cancel(NULL);
	wait_for(world, 1);
	assert_int_equal(canned_server_count(world->server, GET "a"), 0);
	assert_int_equal(world->answers, 1);
	(void)start(world, "meta-data/c"); /* left to imds_free */
	assert_non_null(imds_get_facts(world->imds, on_facts, world));
}

static void queries_have_a_ceiling(void **state)
{
	static const struct canned_reply replies[] = { GOOD_PUT, { GET, OK_HEAD "x", 0, 0 } };
	struct world *world = *state;
	char path[400];

	serve(world, replies, COUNT(replies));
	memset(path, 'a', sizeof path - 1);
	path[sizeof path - 1] = '\0';
	assert_null(imds_get(world->imds, path, on_text, world));
	for (int i = 0; i < 64; i++)
		(void)start(world, "meta-data/a");
	assert_null(imds_get(world->imds, "meta-data/a", on_text, world));
	wait_for(world, 64);
	assert_int_equal(ask(world, "meta-data/a"), 0);
}

/* ---- facts -------------------------------------------------------------------------------- */

#define MACS GET "network/interfaces/macs/0a:1b:2c:3d:4e:5f/"

static void fetch_facts(struct world *world)
{
	assert_non_null(imds_get_facts(world->imds, on_facts, world));
	wait_for(world, 1);
}

static void the_facts_come_together(void **state)
{
	static const struct canned_reply replies[] = { GOOD_PUT, { GET "mac ", OK_HEAD "0a:1b:2c:3d:4e:5f", 0, 0 },
		{ GET "instance-id ", OK_HEAD "i-0123456789abcdef0", 0, 0 },
		{ GET "placement/availability-zone ", OK_HEAD "us-east-1a", 0, 0 },
		{ GET "placement/availability-zone-id ", OK_HEAD "use1-az4", 0, 0 },
		{ GET "placement/region ", OK_HEAD "us-east-1", 0, 0 }, { MACS "vpc-id ", OK_HEAD "vpc-0123", 0, 0 },
		{ MACS "subnet-id ", OK_HEAD "subnet-0123", 0, 0 } };
	struct world *world = *state;

	serve(world, replies, COUNT(replies));
	fetch_facts(world);
	assert_int_equal(world->err, 0);
	assert_string_equal(world->facts.instance_id, "i-0123456789abcdef0");
	assert_string_equal(world->facts.availability_zone, "us-east-1a");
	assert_string_equal(world->facts.availability_zone_id, "use1-az4");
	assert_string_equal(world->facts.region, "us-east-1");
	assert_string_equal(world->facts.vpc_id, "vpc-0123");
	assert_string_equal(world->facts.subnet_id, "subnet-0123");
	assert_int_equal(canned_server_count(world->server, PUT), 1);
}

static void a_fact_that_is_missing_or_odd_is_empty(void **state)
{
	static const struct canned_reply replies[] = { GOOD_PUT, { GET "mac ", OK_HEAD "../../user-data", 0, 0 },
		{ GET "instance-id ", OK_HEAD "i-0123", 0, 0 },
		{ GET "placement/availability-zone ", OK_HEAD "us-east-1a\nsecond", 0, 0 },
		{ GET "placement/availability-zone-id ", OK_HEAD "0123456789012345678901234567890123456789012345678901234567890123", 0, 0 } };
	struct world *world = *state;

	serve(world, replies, COUNT(replies));
	fetch_facts(world);
	assert_int_equal(world->err, 0);
	assert_string_equal(world->facts.instance_id, "i-0123");
	assert_string_equal(world->facts.availability_zone, "");
	assert_string_equal(world->facts.availability_zone_id, "");
	assert_string_equal(world->facts.region, "");
	assert_string_equal(world->facts.vpc_id, "");
	assert_int_equal(canned_server_count(world->server, GET "network"), 0);
}

static void without_any_fact_the_first_error_is_told(void **state)
{
	static const struct canned_reply replies[] = { { PUT, STATUS("403 Forbidden"), 0, 0 } };
	struct world *world = *state;

	serve(world, replies, COUNT(replies));
	fetch_facts(world);
	assert_int_equal(world->err, ERR_DENIED);
	assert_non_null(strstr(world->hint, "switched off"));
	assert_string_equal(world->facts.instance_id, "");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_token_is_put_first_and_carried_by_the_get),
		CASE(one_token_serves_queries_side_by_side_and_later),
		CASE(a_token_refused_is_replaced_once),
		CASE(a_service_that_refuses_every_token_is_denied),
		CASE(several_refused_at_once_share_the_new_token),
		CASE(a_token_is_renewed_before_its_end),
		CASE(what_is_no_token_is_never_sent),
		CASE(each_status_has_its_error),
		CASE(a_put_that_stays_silent_points_at_the_hop_limit),
		CASE(a_get_that_stays_silent_does_not),
		CASE(a_giant_reply_is_refused),
		CASE(a_host_without_the_service_is_asked_once),
		CASE(a_closed_port_is_unreachable),
		CASE(a_service_that_answered_before_is_asked_again_soon),
		CASE(a_service_that_comes_late_is_asked_again_soon),
		CASE(a_disabled_service_is_never_asked),
		CASE(an_endpoint_is_an_address_on_the_link),
		CASE(an_endpoint_may_end_with_a_slash),
		CASE(a_cancelled_query_is_never_answered),
		CASE(queries_have_a_ceiling),
		CASE(the_facts_come_together),
		CASE(a_fact_that_is_missing_or_odd_is_empty),
		CASE(without_any_fact_the_first_error_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
