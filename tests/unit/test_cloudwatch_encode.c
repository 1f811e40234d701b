/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>
#include <zlib.h>

#include "lattice-probe/cloudwatch_encode.h"
#include "lattice-probe/err.h"
#include "lattice-probe/metric.h"

#define NOON (INT64_C(1700000040) * US_PER_S)

static struct dimension_set *make_set(void)
{
	struct dimension_set *set = dimension_set_new();

	assert_int_equal(dimension_set_add(set, "Service", "checkout"), 0);
	assert_int_equal(dimension_set_add(set, "Environment", "prod"), 0);
	return set;
}

/* A datum of a metric with `count` values 1.5, 2.5, …, each seen once. */
static struct datum *make_datum(enum metric_id id, size_t count)
{
	const struct metric *metric = metric_get(id);
	struct dimension_set *set = make_set();
	struct datum *datum = datum_new(metric->name, metric->unit, set, (struct wall){ NOON }, 60, count);

	dimension_set_drop(set);
	for (size_t i = 0; i < count; i++) {
		datum->values[i] = (double)i + 1.5;
		datum->counts[i] = 1;
	}
	return datum;
}

/* ---- wire bytes ------------------------------------------------------------------------------ */

#define DIMENSIONS "\"Dimensions\":[{\"Name\":\"Service\",\"Value\":\"checkout\"}," \
		   "{\"Name\":\"Environment\",\"Value\":\"prod\"}],\"Timestamp\":1700000040,"

static void each_kind_of_datum_has_its_wire_bytes(void **state)
{
	static const struct {
		enum metric_id id;
		double values[2]; /* the second is left out when 0 */
		double counts[2];
		const char *text;
	} rows[] = {
		{ METRIC_ID_SUCCESS, { 0, 1 }, { 2, 4 },
			"{\"MetricName\":\"Success\"," DIMENSIONS "\"Values\":[0,1],\"Counts\":[2,4],"
			"\"Unit\":\"None\",\"StorageResolution\":60}" },
		{ METRIC_ID_LATENCY, { 12.345, 48.2 }, { 1, 3 },
			"{\"MetricName\":\"Latency\"," DIMENSIONS "\"Values\":[12.345,48.2],\"Counts\":[1,3],"
			"\"Unit\":\"Milliseconds\",\"StorageResolution\":60}" },
		{ METRIC_ID_DNS_FAILURES, { 7, 0 }, { 1, 0 },
			"{\"MetricName\":\"DnsFailures\"," DIMENSIONS "\"Values\":[7],\"Counts\":[1],"
			"\"Unit\":\"Count\",\"StorageResolution\":60}" },
		{ METRIC_ID_CERTIFICATE_DAYS, { -3, 0 }, { 6, 0 },
			"{\"MetricName\":\"CertificateDaysRemaining\"," DIMENSIONS
			"\"Values\":[-3],\"Counts\":[6],\"Unit\":\"None\",\"StorageResolution\":60}" },
		{ METRIC_ID_CLOCK_SKEW_SECONDS, { -91, 0 }, { 1, 0 },
			"{\"MetricName\":\"ClockSkewSeconds\"," DIMENSIONS
			"\"Values\":[-91],\"Counts\":[1],\"Unit\":\"Seconds\",\"StorageResolution\":60}" },
		{ METRIC_ID_HEARTBEAT, { 1, 0 }, { 1, 0 },
			"{\"MetricName\":\"Heartbeat\"," DIMENSIONS "\"Values\":[1],\"Counts\":[1],"
			"\"Unit\":\"Count\",\"StorageResolution\":60}" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct datum *datum = make_datum(rows[i].id, rows[i].counts[1] > 0 ? 2 : 1);
		struct buf body;

		buf_init(&body, 4096);
		memcpy(datum->values, rows[i].values, datum->value_count * sizeof(double));
		memcpy(datum->counts, rows[i].counts, datum->value_count * sizeof(double));
		assert_int_equal(cloudwatch_encode_datum(&body, datum), 0);
		assert_string_equal(buf_text(&body), rows[i].text);
		buf_done(&body);
		datum_free(datum);
	}
}

static void a_short_period_says_its_resolution_and_fraction(void **state)
{
	struct datum *datum = make_datum(METRIC_ID_SUCCESS, 1);
	struct buf body;

	(void)state;
	buf_init(&body, 4096);
	datum->storage_resolution_s = 1;
	datum->timestamp.us = NOON + 250 * US_PER_MS;
	assert_int_equal(cloudwatch_encode_datum(&body, datum), 0);
	assert_non_null(strstr(buf_text(&body), "\"Timestamp\":1700000040.25,"));
	assert_non_null(strstr(buf_text(&body), "\"StorageResolution\":1}"));
	buf_done(&body);
	datum_free(datum);
}

static void check_number(double value, const char *text)
{
	struct datum *datum = make_datum(METRIC_ID_LATENCY, 1);
	char expected[160];
	struct buf body;

	buf_init(&body, 4096);
	datum->values[0] = value;
	assert_int_equal(cloudwatch_encode_datum(&body, datum), 0);
	(void)snprintf(expected, sizeof expected, "\"Values\":[%s],", text);
	if (!strstr(buf_text(&body), expected))
		fail_msg("no %s in %s", expected, buf_text(&body));
	buf_done(&body);
	datum_free(datum);
}

static void numbers_are_short_and_exact(void **state)
{
	(void)state;
	check_number(0, "0");
	check_number(-0.0, "0");
	check_number(1, "1");
	check_number(1000, "1000");
	check_number(0.001, "0.001");
	check_number(-0.001, "-0.001");
	check_number(0.1, "0.1");
	check_number(-12.05, "-12.05");
	check_number(3000000.999, "3000000.999");
	check_number(4503599627370.495, "4503599627370.495");
	check_number(9007199254740.991, "9007199254740.99"); /* the same number */
	check_number(1e15, "1000000000000000");
	check_number(4611686018427387904.0, "4611686018427387904");
	check_number(0.1 + 0.2, "0.30000000000000004");
	check_number(1.0 / 3, "0.3333333333333333");
	check_number(0.0001, "0.0001");
	check_number(1e30, "1e+30");
}

/* Every microsecond up to ten seconds would take too long: strides that share no factor. */
static void every_number_comes_back(void **state)
{
	struct datum *datum = make_datum(METRIC_ID_LATENCY, 100);
	struct buf body;

	(void)state;
	buf_init(&body, 16384);
	for (int64_t us = 0; us < 10 * US_PER_S; us += 49999) {
		json_t *root;
		json_t *values;

		for (size_t i = 0; i < 100; i++)
			datum->values[i] = (double)(us + (int64_t)i) / 1000;
		buf_clear(&body);
		assert_int_equal(cloudwatch_encode_datum(&body, datum), 0);
		root = json_loadb(body.data, body.length_bytes, 0, NULL);
		values = json_object_get(root, "Values");
		assert_int_equal(json_array_size(values), 100);
		for (size_t i = 0; i < 100; i++)
			assert_true(json_number_value(json_array_get(values, i)) == datum->values[i]);
		json_decref(root);
	}
	buf_done(&body);
	datum_free(datum);
}

/* ---- a whole body ---------------------------------------------------------------------------- */

static void a_body_is_read_back_as_it_was_meant(void **state)
{
	struct datum *first = make_datum(METRIC_ID_LATENCY, 150);
	struct datum *second = make_datum(METRIC_ID_SUCCESS, 1);
	struct buf body;
	json_t *root;
	json_t *data;

	(void)state;
	buf_init(&body, CLOUDWATCH_BODY_MAX);
	assert_int_equal(cloudwatch_encode_begin(&body, "LatticeProbe"), 0);
	assert_int_equal(cloudwatch_encode_add(&body, first, true), 0);
	assert_int_equal(cloudwatch_encode_add(&body, second, false), 0);
	assert_int_equal(cloudwatch_encode_end(&body), 0);
	root = json_loadb(body.data, body.length_bytes, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(root);
	assert_string_equal(json_string_value(json_object_get(root, "Namespace")), "LatticeProbe");
	data = json_object_get(root, "MetricData");
	assert_int_equal(json_array_size(data), 2);
	assert_string_equal(json_string_value(json_object_get(json_array_get(data, 1), "MetricName")), "Success");
	assert_int_equal(json_array_size(json_object_get(json_array_get(data, 0), "Counts")), 150);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(data, 0), "Timestamp")), 1700000040);
	json_decref(root);
	buf_done(&body);
	datum_free(first);
	datum_free(second);
}

static void text_is_escaped(void **state)
{
	struct datum *datum = make_datum(METRIC_ID_SUCCESS, 1);
	struct dimension_set *set = dimension_set_new();
	struct buf body;
	json_t *root;
	json_t *dimension;

	(void)state;
	assert_int_equal(dimension_set_add(set, "a\"b", "c\\d/e"), 0);
	dimension_set_drop(datum->dimensions);
	datum->dimensions = set;
	buf_init(&body, 4096);
	assert_int_equal(cloudwatch_encode_begin(&body, "a\"b\\\x01\n"), 0);
	assert_int_equal(cloudwatch_encode_add(&body, datum, true), 0);
	assert_int_equal(cloudwatch_encode_end(&body), 0);
	root = json_loadb(body.data, body.length_bytes, 0, NULL);
	assert_string_equal(json_string_value(json_object_get(root, "Namespace")), "a\"b\\\x01\n");
	dimension = json_array_get(
		json_object_get(json_array_get(json_object_get(root, "MetricData"), 0), "Dimensions"), 0);
	assert_string_equal(json_string_value(json_object_get(dimension, "Name")), "a\"b");
	assert_string_equal(json_string_value(json_object_get(dimension, "Value")), "c\\d/e");
	json_decref(root);
	buf_done(&body);
	datum_free(datum);
}

static void a_datum_that_no_longer_fits_leaves_the_body_alone(void **state)
{
	struct datum *datum = make_datum(METRIC_ID_LATENCY, 150);
	size_t before = 0;
	size_t count = 0;
	struct buf body;
	json_t *root;
	int err;

	(void)state;
	buf_init(&body, CLOUDWATCH_BODY_MAX);
	assert_int_equal(cloudwatch_encode_begin(&body, "LatticeProbe"), 0);
	do {
		before = body.length_bytes;
		err = cloudwatch_encode_add(&body, datum, count == 0);
		count += !err;
	} while (!err);
	assert_int_equal(err, ERR_LIMIT);
	assert_int_equal(body.length_bytes, before);
	assert_int_equal(body.failed, 0);
	assert_int_equal(cloudwatch_encode_end(&body), 0);
	assert_true(body.length_bytes <= CLOUDWATCH_BODY_MAX);
	assert_true(body.length_bytes > CLOUDWATCH_BODY_MAX - 2000);
	root = json_loadb(body.data, body.length_bytes, 0, NULL);
	assert_int_equal(json_array_size(json_object_get(root, "MetricData")), count);
	json_decref(root);
	buf_done(&body);
	datum_free(datum);
}

/* Fills a body under a namespace of that length with equal datums; the length without the end. */
static size_t fill(size_t namespace_bytes, size_t *ret_count)
{
	struct datum *datum = make_datum(METRIC_ID_LATENCY, 150);
	char namespace_[4096] = "";
	struct buf body;
	size_t length;

	assert_true(namespace_bytes < sizeof namespace_);
	memset(namespace_, 'n', namespace_bytes);
	buf_init(&body, CLOUDWATCH_BODY_MAX);
	assert_int_equal(cloudwatch_encode_begin(&body, namespace_), 0);
	for (*ret_count = 0; cloudwatch_encode_add(&body, datum, *ret_count == 0) == 0; ++*ret_count)
		;
	length = body.length_bytes;
	assert_int_equal(cloudwatch_encode_end(&body), 0);
	buf_done(&body);
	datum_free(datum);
	return length;
}

static void the_last_byte_can_be_used(void **state)
{
	size_t count;
	size_t again;
	size_t left = CLOUDWATCH_BODY_MAX - 2 - fill(1, &count);

	(void)state;
	assert_int_equal(fill(1 + left, &again), CLOUDWATCH_BODY_MAX - 2);
	assert_int_equal(again, count);
	(void)fill(2 + left, &again);
	assert_int_equal(again, count - 1);
}

/* ---- the rules ------------------------------------------------------------------------------- */

static void what_cloudwatch_takes_is_passed(void **state)
{
	struct datum *datum = make_datum(METRIC_ID_LATENCY, 150);

	(void)state;
	assert_null(cloudwatch_check(datum, (struct wall){ NOON }));
	assert_null(cloudwatch_check(datum, (struct wall){ NOON + CLOUDWATCH_PAST_US }));
	assert_null(cloudwatch_check(datum, (struct wall){ NOON - CLOUDWATCH_FUTURE_US }));
	datum->values[0] = 0x1p360;
	datum->values[1] = -0x1p360;
	assert_null(cloudwatch_check(datum, (struct wall){ NOON }));
	datum->storage_resolution_s = 1;
	assert_null(cloudwatch_check(datum, (struct wall){ NOON }));
	datum_free(datum);
}

static void break_number(struct datum *datum, double *number, double bad)
{
	double good = *number;

	*number = bad;
	assert_non_null(cloudwatch_check(datum, (struct wall){ NOON }));
	*number = good;
	assert_null(cloudwatch_check(datum, (struct wall){ NOON }));
}

static void break_text(struct datum *datum, char **text, char *bad)
{
	char *good = *text;

	*text = bad;
	assert_non_null(cloudwatch_check(datum, (struct wall){ NOON }));
	*text = good;
	assert_null(cloudwatch_check(datum, (struct wall){ NOON }));
}

static void each_broken_rule_is_found(void **state)
{
	struct datum *datum = make_datum(METRIC_ID_LATENCY, 3);
	struct dimension *dimension = &datum->dimensions->dimensions[1];
	char empty[] = "";
	char blank[] = "  ";
	char colon[] = ":a";
	char control[] = "a\nb";
	char foreign[] = "\xc3\xa9";

	(void)state;
	break_number(datum, &datum->values[2], NAN);
	break_number(datum, &datum->values[2], INFINITY);
	break_number(datum, &datum->values[0], -INFINITY);
	break_number(datum, &datum->values[0], 0x1.8p360);
	break_number(datum, &datum->counts[1], 0);
	break_number(datum, &datum->counts[1], -1);
	break_number(datum, &datum->counts[1], NAN);
	break_text(datum, &dimension->name, empty);
	break_text(datum, &dimension->name, blank);
	break_text(datum, &dimension->name, colon);
	break_text(datum, &dimension->value, empty);
	break_text(datum, &dimension->value, control);
	break_text(datum, &dimension->value, foreign);
	datum->metric = "";
	assert_non_null(cloudwatch_check(datum, (struct wall){ NOON }));
	datum->metric = "Latency";
	datum->storage_resolution_s = 30;
	assert_non_null(cloudwatch_check(datum, (struct wall){ NOON }));
	datum->storage_resolution_s = 60;
	assert_non_null(cloudwatch_check(datum, (struct wall){ NOON + CLOUDWATCH_PAST_US + 1 }));
	assert_non_null(cloudwatch_check(datum, (struct wall){ NOON - CLOUDWATCH_FUTURE_US - 1 }));
	datum_free(datum);
}

/* ---- gzip ------------------------------------------------------------------------------------ */

static void gzip_comes_back(void **state)
{
	static unsigned char plain[CLOUDWATCH_BODY_MAX];
	struct datum *datum = make_datum(METRIC_ID_LATENCY, 150);
	z_stream stream = { 0 };
	struct buf body;
	struct buf compressed;

	(void)state;
	buf_init(&body, CLOUDWATCH_BODY_MAX);
	buf_init(&compressed, CLOUDWATCH_BODY_MAX);
	assert_int_equal(cloudwatch_encode_begin(&body, "LatticeProbe"), 0);
	for (int i = 0; i < 400; i++) {
		datum->values[7] = i;
		assert_int_equal(cloudwatch_encode_add(&body, datum, i == 0), 0);
	}
	assert_int_equal(cloudwatch_encode_end(&body), 0);
	assert_int_equal(cloudwatch_gzip(&body, &compressed), 0);
	assert_true(compressed.length_bytes < body.length_bytes / 5);
	assert_memory_equal(compressed.data, "\x1f\x8b", 2);
	assert_int_equal(inflateInit2(&stream, 31), Z_OK);
	stream.next_in = (unsigned char *)compressed.data;
	stream.avail_in = (unsigned)compressed.length_bytes;
	stream.next_out = plain;
	stream.avail_out = sizeof plain;
	assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
	assert_int_equal(stream.total_out, body.length_bytes);
	assert_memory_equal(plain, body.data, body.length_bytes);
	(void)inflateEnd(&stream);
	buf_done(&body);
	buf_done(&compressed);
	datum_free(datum);
}

static void gzip_that_does_not_fit_is_refused(void **state)
{
	struct buf body;
	struct buf compressed;

	(void)state;
	buf_init(&body, 4096);
	buf_init(&compressed, 16);
	assert_int_equal(buf_append_text(&body, "which is longer than sixteen bytes, gzipped or not"), 0);
	assert_int_equal(cloudwatch_gzip(&body, &compressed), ERR_LIMIT);
	assert_int_equal(compressed.length_bytes, 0);
	buf_done(&body);
	buf_done(&compressed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_of_datum_has_its_wire_bytes),
		cmocka_unit_test(a_short_period_says_its_resolution_and_fraction),
		cmocka_unit_test(numbers_are_short_and_exact),
		cmocka_unit_test(every_number_comes_back),
		cmocka_unit_test(a_body_is_read_back_as_it_was_meant),
		cmocka_unit_test(text_is_escaped),
		cmocka_unit_test(a_datum_that_no_longer_fits_leaves_the_body_alone),
		cmocka_unit_test(the_last_byte_can_be_used),
		cmocka_unit_test(what_cloudwatch_takes_is_passed),
		cmocka_unit_test(each_broken_rule_is_found),
		cmocka_unit_test(gzip_comes_back),
		cmocka_unit_test(gzip_that_does_not_fit_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
