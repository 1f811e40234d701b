/* SPDX-License-Identifier: Apache-2.0 */
/* JSON 1.0 of PutMetricData, written by hand: the shape is fixed, and a tree of 150,000 numbers per
 * request would cost more than the request. Instants are epoch seconds, as the JSON protocols of AWS
 * have them (https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html). */
#include "lattice-probe/cloudwatch_encode.h"

#include <inttypes.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "lattice-probe/err.h"

#define METRIC_NAME_MAX 255
#define VALUE_MAX 0x1p360 /* MetricDatum, Values: -2^360 to 2^360 */
#define END "]}"

/* ---- the rules ------------------------------------------------------------------------------- */

static bool is_text(const char *text, size_t max)
{
	size_t length = text ? strnlen(text, max + 1) : 0;

	if (length == 0 || length > max || strspn(text, " ") == length)
		return false;
	for (size_t i = 0; i < length; i++)
		if (text[i] < ' ' || text[i] > '~')
			return false;
	return true;
}

static const char *check_dimensions(const struct dimension_set *set)
{
	if (set->count > DATUM_DIMENSIONS_MAX)
		return "more than 30 dimensions";
	for (size_t i = 0; i < set->count; i++) {
		const struct dimension *dimension = &set->dimensions[i];

		if (!is_text(dimension->name, DATUM_DIMENSION_NAME_MAX))
			return "a dimension's name is not 1 to 255 printable characters";
		if (dimension->name[0] == ':')
			return "a dimension's name begins with a colon";
		if (!is_text(dimension->value, DATUM_DIMENSION_VALUE_MAX))
			return "a dimension's value is not 1 to 1024 printable characters";
	}
	return NULL;
}

static const char *check_values(const struct datum *datum)
{
	if (datum->value_count < 1 || datum->value_count > DATUM_VALUES_MAX)
		return "not 1 to 150 values";
	for (size_t i = 0; i < datum->value_count; i++) {
		if (!isfinite(datum->values[i]) || fabs(datum->values[i]) > VALUE_MAX)
			return "a value is not a number within 2^360";
		if (!isfinite(datum->counts[i]) || datum->counts[i] <= 0)
			return "a count is not above zero";
	}
	return NULL;
}

const char *cloudwatch_check(const struct datum *datum, struct wall now)
{
	const char *broken;

	if (!is_text(datum->metric, METRIC_NAME_MAX))
		return "the metric's name is not 1 to 255 printable characters";
	broken = check_dimensions(datum->dimensions);
	if (!broken)
		broken = check_values(datum);
	if (broken)
		return broken;
	if (datum->storage_resolution_s != 1 && datum->storage_resolution_s != 60)
		return "the storage resolution is neither 1 nor 60";
	if (wall_since(now, datum->timestamp) > CLOUDWATCH_PAST_US)
		return "the timestamp is more than two weeks ago";
	if (wall_since(datum->timestamp, now) > CLOUDWATCH_FUTURE_US)
		return "the timestamp is more than two hours ahead";
	return NULL;
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void append_string(struct buf *body, const char *text)
{
	(void)buf_append_char(body, '"');
	for (; *text; text++) {
		unsigned char character = (unsigned char)*text;

		if (character == '"' || character == '\\')
			(void)buf_append_char(body, '\\');
		if (character < ' ')
			(void)buf_append_format(body, "\\u%04x", character);
		else
			(void)buf_append_char(body, *text);
	}
	(void)buf_append_char(body, '"');
}

/* value / 10^digits, without the zeros at the end. By hand: a full batch holds 100,000 numbers, and
 * printf would keep the loop busy five times as long. */
static void append_fixed(struct buf *body, int64_t value, int digits)
{
	uint64_t left = value < 0 ? -(uint64_t)value : (uint64_t)value;
	char text[32];
	char *start = text + sizeof text;
	char *end = start;

	for (int place = 0; left > 0 || place <= digits; place++, left /= 10) {
		if (place == digits && start != end)
			*--start = '.';
		if (left % 10 == 0 && place < digits && start == end)
			continue;
		*--start = (char)('0' + left % 10);
	}
	if (value < 0)
		*--start = '-';
	(void)buf_append(body, start, (size_t)(end - start));
}

/* Any other number: as many digits as bring it back. */
static void append_general(struct buf *body, double value)
{
	char text[40];

	for (int digits = 15; digits <= 17; digits++) {
		(void)snprintf(text, sizeof text, "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	for (char *character = text; *character; character++)
		if (!strchr("0123456789+-e", *character))
			*character = '.'; /* whatever the locale has there */
	(void)buf_append_text(body, text);
}

/* What we measure are whole numbers and thousandths; both are exact below 2^53 thousandths. */
static void append_number(struct buf *body, double value)
{
	if (fabs(value) < 0x1p53 / 1000) {
		int64_t thousandths = (int64_t)(value * 1000 + (value < 0 ? -0.5 : 0.5));

		if ((double)thousandths / 1000 == value) {
			append_fixed(body, thousandths, 3);
			return;
		}
	}
	if (fabs(value) < 0x1p63 && (double)(int64_t)value == value)
		append_fixed(body, (int64_t)value, 0);
	else
		append_general(body, value);
}

static void append_numbers(struct buf *body, const double *numbers, size_t count)
{
	(void)buf_append_char(body, '[');
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			(void)buf_append_char(body, ',');
		append_number(body, numbers[i]);
	}
	(void)buf_append_char(body, ']');
}

static void append_dimensions(struct buf *body, const struct dimension_set *set)
{
	(void)buf_append_char(body, '[');
	for (size_t i = 0; i < set->count; i++) {
		(void)buf_append_text(body, i > 0 ? ",{\"Name\":" : "{\"Name\":");
		append_string(body, set->dimensions[i].name);
		(void)buf_append_text(body, ",\"Value\":");
		append_string(body, set->dimensions[i].value);
		(void)buf_append_char(body, '}');
	}
	(void)buf_append_char(body, ']');
}

int cloudwatch_encode_datum(struct buf *body, const struct datum *datum)
{
	(void)buf_append_text(body, "{\"MetricName\":");
	append_string(body, datum->metric);
	(void)buf_append_text(body, ",\"Dimensions\":");
	append_dimensions(body, datum->dimensions);
	(void)buf_append_text(body, ",\"Timestamp\":");
	append_fixed(body, datum->timestamp.us, 6);
	(void)buf_append_text(body, ",\"Values\":");
	append_numbers(body, datum->values, datum->value_count);
	(void)buf_append_text(body, ",\"Counts\":");
	append_numbers(body, datum->counts, datum->value_count);
	(void)buf_append_format(body, ",\"Unit\":\"%s\",\"StorageResolution\":%d}", datum_unit_name(datum->unit),
		datum->storage_resolution_s);
	return body->failed;
}

int cloudwatch_encode_begin(struct buf *body, const char *namespace_)
{
	(void)buf_append_text(body, "{\"Namespace\":");
	append_string(body, namespace_);
	(void)buf_append_text(body, ",\"MetricData\":[");
	return body->failed;
}

/* Back to an earlier length. */
static void cut(struct buf *body, size_t length_bytes)
{
	body->failed = 0;
	body->length_bytes = length_bytes;
	if (body->data)
		body->data[length_bytes] = '\0';
}

int cloudwatch_encode_add(struct buf *body, const struct datum *datum, bool is_first)
{
	size_t before = body->length_bytes;
	int err;

	if (body->failed)
		return body->failed;
	if (!is_first)
		(void)buf_append_char(body, ',');
	err = cloudwatch_encode_datum(body, datum);
	if (!err && body->length_bytes + strlen(END) > CLOUDWATCH_BODY_MAX)
		err = ERR_LIMIT;
	if (err)
		cut(body, before);
	return err;
}

int cloudwatch_encode_end(struct buf *body)
{
	return buf_append_text(body, END);
}

/* ---- gzip ------------------------------------------------------------------------------------ */

static int deflate_all(z_stream *stream, struct buf *ret_compressed)
{
	unsigned char chunk[16 * 1024];
	int status;

	do {
		stream->next_out = chunk;
		stream->avail_out = sizeof chunk;
		status = deflate(stream, Z_FINISH);
		(void)buf_append(ret_compressed, chunk, sizeof chunk - stream->avail_out);
	} while (status == Z_OK && !ret_compressed->failed);
	return ret_compressed->failed;
}

int cloudwatch_gzip(const struct buf *body, struct buf *ret_compressed)
{
	z_stream stream = { 0 };
	int err;

	/* 31: the largest window, 15, in gzip's wrapping. Level 1 takes a fifth of the default's time for
	 * a fifth more bytes (measured on full batches): the loop waits meanwhile. */
	if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return ERR_NOMEM;
	stream.next_in = (Bytef *)(uintptr_t)buf_text(body);
	stream.avail_in = (uInt)body->length_bytes;
	err = deflate_all(&stream, ret_compressed);
	(void)deflateEnd(&stream);
	if (err)
		buf_clear(ret_compressed);
	return err;
}
