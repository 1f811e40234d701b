/* SPDX-License-Identifier: Apache-2.0 */
#include "sink_internal.h"

#include <stdlib.h>
#include <string.h>

#include "lattice-probe/buf.h"
#include "lattice-probe/cloudwatch_encode.h"
#include "lattice-probe/log.h"

struct json {
	struct sink sink;
	FILE *stream;
	char *namespace_;
	bool is_broken; /* the stream refused; said once */
};

static bool print(struct json *json, const struct datum *datum)
{
	struct buf line;
	bool is_printed;
	int err;

	buf_init(&line, CLOUDWATCH_BODY_MAX);
	(void)cloudwatch_encode_begin(&line, json->namespace_);
	err = cloudwatch_encode_add(&line, datum, true); /* leaves no trace in line when it fails */
	(void)cloudwatch_encode_end(&line);
	(void)buf_append_char(&line, '\n');
	is_printed = !err && !line.failed && fwrite(line.data, 1, line.length_bytes, json->stream) == line.length_bytes &&
		     fflush(json->stream) == 0;
	buf_done(&line);
	return is_printed;
}

static void put(struct sink *sink, struct datum *datum)
{
	struct json *json = (struct json *)sink;
	bool is_printed = print(json, datum);

	if (is_printed) {
		sink_deliver(sink, datum);
		return;
	}
	if (!json->is_broken)
		log_err("event=samples_dropped cause=%s why=\"the output cannot be written\"",
			sink_drop_name(SINK_DROP_WRITE));
	json->is_broken = true;
	sink_drop(sink, SINK_DROP_WRITE, datum);
}

static void flush(struct sink *sink, struct mono deadline, void (*flushed)(void *user), void *user)
{
	(void)sink;
	(void)deadline;
	flushed(user);
}

/* Nothing ever waits. */
static bool is_stuck(const struct sink *sink, struct mono now)
{
	(void)sink;
	(void)now;
	return false;
}

static void json_free(struct sink *sink)
{
	struct json *json = (struct json *)sink;

	free(json->namespace_);
	free(json);
}

struct sink *sink_json_new(FILE *stream, const char *namespace_)
{
	static const struct sink_kind kind = { .put = put, .flush = flush, .is_stuck = is_stuck, .free = json_free };
	struct json *json = calloc(1, sizeof *json);

	if (!json)
		return NULL;
	json->sink.kind = &kind;
	json->stream = stream;
	json->namespace_ = strdup(namespace_);
	if (!json->namespace_)
		goto fail;
	return &json->sink;
fail:
	json_free(&json->sink);
	return NULL;
}
