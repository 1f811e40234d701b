/* SPDX-License-Identifier: Apache-2.0 */
/* What speaks to AWS, what feeds it and what is fed by it, once for each allocation it makes, with
 * that one failing. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../support/origin.h"
#include "alloc_fault.h"

#include "lattice-probe/aws_call.h"
#include "lattice-probe/credentials.h"
#include "lattice-probe/datum.h"
#include "lattice-probe/http.h"
#include "lattice-probe/imds.h"
#include "lattice-probe/loop.h"
#include "lattice-probe/probe.h"
#include "lattice-probe/region.h"
#include "lattice-probe/resolver.h"
#include "lattice-probe/result.h"
#include "lattice-probe/sink.h"

#define KEY_ID "AKIDEXAMPLE"
#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define PATIENCE_US (30 * US_PER_S)
/* curl 7.88 divides by zero when memory fails it in the middle of a transfer. */
#define NOT_CURL (ALLOC_FAULT_ANY & ~ALLOC_FAULT_CURL)

/* The AWS side of a daemon, as far as it could be made. */
struct side {
	struct loop *loop;
	struct aws_transport *transport;
	struct imds *imds;
	struct credentials *credentials;
};

static bool side_make(struct side *side)
{
	struct target_resolver resolver = { .mode = TARGET_RESOLVER_LIST, .server_count = 1 };
	struct aws_transport_options options = { .ca_file = "/dev/null", .resolver = &resolver };

	*side = (struct side){ .loop = loop_new() };
	assert_int_equal(parse_address("127.0.0.1:9", 0, &resolver.servers[0]), 0);
	if (side->loop)
		side->transport = aws_transport_new(side->loop, &options);
	if (side->transport)
		side->imds = imds_new(side->loop, aws_transport_http(side->transport));
	if (side->imds)
		side->credentials = credentials_new(side->loop, side->imds, side->transport);
	return side->credentials && credentials_set_region(side->credentials, "us-east-1") == 0;
}

static void side_unmake(struct side *side)
{
	credentials_free(side->credentials);
	imds_free(side->imds);
	aws_transport_free(side->transport);
	loop_free(side->loop);
}

static bool the_aws_side(void)
{
	struct side side;
	bool is_made = side_make(&side);

	side_unmake(&side);
	return is_made;
}

struct ending {
	bool is_over;
	bool is_as_expected;
};

/* ---- credentials and region ---------------------------------------------------------------- */

static void on_ready(void *user, int err, const char *why)
{
	struct ending *ending = user;

	(void)why;
	ending->is_over = true;
	ending->is_as_expected = err == 0;
}

static bool get_credentials(const char *source)
{
	struct ending ending = { 0 };
	const struct credentials_set *set = NULL;
	const char *why = NULL;
	struct side side;
	bool is_right;

	if (side_make(&side) && credentials_wait(side.credentials, on_ready, &ending) == 0)
		loop_run_until(side.loop, &ending.is_over);
	if (ending.is_as_expected)
		set = credentials_get(side.credentials, &why);
	is_right = set && strcmp(set->source, source) == 0 && strcmp(set->secret_access_key, SECRET) == 0;
	side_unmake(&side);
	return is_right;
}

static bool credentials_of_the_environment(void)
{
	setenv("AWS_ACCESS_KEY_ID", KEY_ID, 1);
	setenv("AWS_SECRET_ACCESS_KEY", SECRET, 1);
	return get_credentials("environment");
}

static bool credentials_of_a_profile(void)
{
	unsetenv("AWS_ACCESS_KEY_ID");
	unsetenv("AWS_SECRET_ACCESS_KEY");
	return get_credentials("shared-file");
}

static void on_region(void *user, int err, const char *region, const char *source)
{
	struct ending *ending = user;

	(void)source;
	ending->is_over = true;
	ending->is_as_expected = err == 0 && strcmp(region, "eu-central-1") == 0;
}

static bool a_region_of_a_profile(void)
{
	struct ending ending = { 0 };
	struct side side;

	if (side_make(&side) && region_find(side.loop, side.imds, "auto", on_region, &ending))
		loop_run_until(side.loop, &ending.is_over);
	side_unmake(&side);
	return ending.is_as_expected;
}

/* ---- calls and sinks ----------------------------------------------------------------------- */

static int closed;
static union address closed_address;

static void on_reply(void *user, const struct aws_reply *reply)
{
	struct ending *ending = user;

	ending->is_over = true;
	ending->is_as_expected = reply->class_ == AWS_CLASS_UNREACHABLE;
}

static bool a_call_that_reaches_nobody(void)
{
	struct credentials_set set = { .access_key_id = (char[]){ KEY_ID }, .secret_access_key = (char[]){ SECRET } };
	const struct sigv4_header headers[] = { { "content-type", "application/x-amz-json-1.0" } };
	char endpoint[64];
	struct aws_request request = { .endpoint = endpoint, .service = "monitoring", .region = "us-east-1",
		.credentials = &set, .headers = headers, .header_count = 1, .body = "{}", .body_bytes = 2,
		.timeout_us = PATIENCE_US };
	struct ending ending = { 0 };
	struct side side;

	snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%u", (unsigned)address_port(&closed_address));
	if (side_make(&side) && aws_call_start(side.transport, &request, on_reply, &ending))
		loop_run_until(side.loop, &ending.is_over);
	side_unmake(&side);
	return ending.is_as_expected;
}

static struct datum *make_datum(void)
{
	struct dimension_set *set = dimension_set_new();
	struct datum *datum = NULL;

	if (set && dimension_set_add(set, "Service", "checkout") == 0)
		datum = datum_new("Success", DATUM_UNIT_NONE, set, wall_now(), 60, 1);
	if (datum)
		datum->counts[0] = datum->values[0] = 1;
	dimension_set_drop(set);
	return datum;
}

static bool a_sink_to_cloudwatch(void)
{
	struct sink_cloudwatch_options options = { .endpoint = "https://monitoring.us-east-1.amazonaws.com",
		.region = "us-east-1", .namespace_ = "LatticeProbe", .queue_max_datums = 10, .spread_us = US_PER_S };
	struct sink_counters counters = { 0 };
	struct sink *sink = NULL;
	struct side side;
	struct datum *datum;

	if (side_make(&side))
		sink = sink_cloudwatch_new(side.loop, side.transport, side.credentials, &options);
	datum = sink ? make_datum() : NULL;
	if (datum) {
		sink_put(sink, datum);
		sink_read_counters(sink, &counters);
	}
	sink_free(sink);
	side_unmake(&side);
	return counters.waiting > 0;
}

static bool a_sink_to_a_stream(void)
{
	FILE *stream = fopen("/dev/null", "w");
	struct sink *sink = sink_json_new(stream, "LatticeProbe");
	struct sink_counters counters = { 0 };
	struct datum *datum = sink ? make_datum() : NULL;

	assert_non_null(stream);
	if (datum) {
		sink_put(sink, datum);
		sink_read_counters(sink, &counters);
	}
	sink_free(sink);
	assert_int_equal(fclose(stream), 0);
	return counters.delivered > 0;
}

/* ---- a run --------------------------------------------------------------------------------- */

static void on_result(void *user, struct result *result)
{
	struct ending *ending = user;

	ending->is_over = true;
	ending->is_as_expected = result->outcome == OUTCOME_CONNECT_REFUSED;
	result_done(result);
}

static struct target *make_target(void)
{
	struct target *target = target_new();
	const char *why = NULL;
	char text[64];

	if (!target)
		return NULL;
	snprintf(text, sizeof text, "http://127.0.0.1:%u/", (unsigned)address_port(&closed_address));
	target->method = strdup("GET");
	target->timeout_us = target->dns_timeout_us = target->connect_timeout_us = target->tls_timeout_us = PATIENCE_US;
	target->dns_tries = 1;
	target->max_body_bytes = 1024;
	if (target->method && url_parse(text, &target->url, &why) == 0)
		return target;
	target_drop(target);
	return NULL;
}

static bool a_run(void)
{
	struct ending ending = { 0 };
	struct loop *loop = loop_new();
	struct http_client *http = loop ? http_client_new(loop, "/dev/null") : NULL;
	struct resolver *resolver = loop ? resolver_new(loop, &(struct resolver_options){ 0 }) : NULL;
	struct probe_context context = { .loop = loop, .resolver = resolver, .http = http, .region = "",
		.lag_limit_us = PATIENCE_US };
	struct target *target = make_target();

	if (http && resolver && target &&
	    probe_start(&context, target, wall_now(), mono_now(), 0, on_result, &ending))
		loop_run_until(loop, &ending.is_over);
	target_drop(target);
	resolver_free(resolver);
	http_client_free(http);
	loop_free(loop);
	return ending.is_as_expected;
}

ALLOC_FAULT_TEST(the_aws_side, ALLOC_FAULT_ANY, ALLOC_FAULT_SURVIVED)
ALLOC_FAULT_TEST(credentials_of_the_environment, ALLOC_FAULT_ANY, ALLOC_FAULT_SURVIVED)
ALLOC_FAULT_TEST(credentials_of_a_profile, ALLOC_FAULT_ANY, ALLOC_FAULT_SURVIVED)
ALLOC_FAULT_TEST(a_region_of_a_profile, ALLOC_FAULT_ANY, ALLOC_FAULT_SURVIVED)
ALLOC_FAULT_TEST(a_call_that_reaches_nobody, NOT_CURL, ALLOC_FAULT_SURVIVED)
ALLOC_FAULT_TEST(a_sink_to_cloudwatch, ALLOC_FAULT_ANY, ALLOC_FAULT_SURVIVED)
ALLOC_FAULT_TEST(a_sink_to_a_stream, ALLOC_FAULT_ANY, ALLOC_FAULT_REPORTED)
ALLOC_FAULT_TEST(a_run, NOT_CURL, ALLOC_FAULT_SURVIVED)

static char profile_path[] = "/tmp/lattice-probe-profile-XXXXXX";

static int set_up(void **state)
{
	static const char profile[] = "[default]\naws_access_key_id = " KEY_ID "\naws_secret_access_key = " SECRET
		"\nregion = eu-central-1\n";
	int fd = mkstemp(profile_path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, profile, sizeof profile - 1), sizeof profile - 1);
	assert_int_equal(close(fd), 0);
	setenv("AWS_SHARED_CREDENTIALS_FILE", profile_path, 1);
	setenv("AWS_CONFIG_FILE", profile_path, 1);
	setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
	closed = origin_closed_port(&closed_address);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	assert_int_equal(close(closed), 0);
	return unlink(profile_path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_aws_side_survives),
		cmocka_unit_test(credentials_of_the_environment_survives),
		cmocka_unit_test(credentials_of_a_profile_survives),
		cmocka_unit_test(a_region_of_a_profile_survives),
		cmocka_unit_test(a_call_that_reaches_nobody_survives),
		cmocka_unit_test(a_sink_to_cloudwatch_survives),
		cmocka_unit_test(a_sink_to_a_stream_survives),
		cmocka_unit_test(a_run_survives),
	};

	alloc_fault_start();
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
