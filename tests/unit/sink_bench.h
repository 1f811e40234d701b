/* SPDX-License-Identifier: Apache-2.0 */
/* sink_bench: a cloudwatch sink over a carrier that is told how each request ends, and that keeps the
 * ledger CloudWatch would keep. Replies come in a later turn of a real loop. */
#ifndef LATTICE_PROBE_TESTS_SINK_BENCH_H
#define LATTICE_PROBE_TESTS_SINK_BENCH_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <zlib.h>

#include "lattice-probe/aws_call.h"
#include "lattice-probe/cloudwatch_encode.h"
#include "lattice-probe/log.h"
#include "lattice-probe/loop.h"
#include "lattice-probe/sink.h"

#define PATIENCE (20 * US_PER_S) /* a test that waits longer has failed */
#define BAD_VALUE 666            /* a datum with it is refused by the carrier */
#define BENCH_REQUESTS_MAX 8192

/* One request as it arrived. */
struct bench_request {
	struct mono at;
	size_t datums;
	double first_value; /* of its first datum */
	double samples;
	bool has_bad;
};

struct bench {
	struct loop *loop;
	struct sink *sink;
	struct dimension_set *set;
	FILE *log;

	/* How the next request ends; with_class is asked unless NULL. */
	enum aws_class class_;
	enum aws_class (*with_class)(struct bench *bench, const struct bench_request *request);
	int64_t retry_after_us;
	int64_t skew_us;
	bool is_silent;       /* never replies */
	bool refuses_bad;     /* INVALID for a request with a bad datum */
	bool has_no_memory;   /* send fails */
	uint64_t seed;

	struct bench_request requests[BENCH_REQUESTS_MAX];
	size_t request_count;
	size_t reply_count;
	unsigned refreshes;
	unsigned cancels;
	double stored;        /* samples that CloudWatch holds */

	struct loop_timer reply_timer;
	struct loop_timer check_timer;
	void (*finished)(void *user, const struct aws_reply *reply);
	void *finished_user;

	double told_dropped[SINK_DROP_COUNT];
	bool is_flushed;
};

/* ---- the law --------------------------------------------------------------------------------- */

static inline struct sink_counters counters_of(const struct bench *bench)
{
	struct sink_counters counters;

	sink_read_counters(bench->sink, &counters);
	return counters;
}

static inline double all_dropped(const struct sink_counters *counters)
{
	double dropped = 0;

	for (size_t i = 0; i < SINK_DROP_COUNT; i++)
		dropped += counters->dropped[i];
	return dropped;
}

/* taken = delivered + waiting + dropped, and CloudWatch holds what was delivered, at most with what
 * is in doubt. */
static inline void check_accounts(const struct bench *bench)
{
	struct sink_counters counters = counters_of(bench);

	assert_true(counters.taken == counters.delivered + counters.waiting + all_dropped(&counters));
	assert_true(bench->stored >= counters.delivered);
	assert_true(bench->stored <= counters.delivered + counters.in_doubt);
}

/* ---- the carrier ----------------------------------------------------------------------------- */

static inline json_t *read_body(const void *body, size_t body_bytes)
{
	static char plain[CLOUDWATCH_BODY_MAX + 1];
	z_stream stream = { .next_in = (unsigned char *)(uintptr_t)body, .avail_in = (unsigned)body_bytes,
		.next_out = (unsigned char *)plain, .avail_out = sizeof plain };
	json_t *root;

	assert_int_equal(inflateInit2(&stream, 31), Z_OK);
	assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
	assert_true(stream.total_out <= CLOUDWATCH_BODY_MAX);
	root = json_loadb(plain, stream.total_out, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(root);
	(void)inflateEnd(&stream);
	return root;
}

static inline struct bench_request read_request(const void *body, size_t body_bytes)
{
	struct bench_request request = { .at = mono_now() };
	json_t *root = read_body(body, body_bytes);
	json_t *data = json_object_get(root, "MetricData");
	json_t *datum;
	json_t *number;
	size_t i;
	size_t k;

	assert_string_equal(json_string_value(json_object_get(root, "Namespace")), "LatticeProbe");
	request.datums = json_array_size(data);
	assert_in_range(request.datums, 1, CLOUDWATCH_DATUMS_MAX);
	json_array_foreach(data, i, datum) {
		json_array_foreach(json_object_get(datum, "Counts"), k, number)
			request.samples += json_number_value(number);
		json_array_foreach(json_object_get(datum, "Values"), k, number)
			request.has_bad = request.has_bad || json_number_value(number) == BAD_VALUE;
	}
	request.first_value =
		json_number_value(json_array_get(json_object_get(json_array_get(data, 0), "Values"), 0));
	json_decref(root);
	return request;
}

static inline enum aws_class end_of(struct bench *bench, const struct bench_request *request)
{
	if (bench->with_class)
		return bench->with_class(bench, request);
	if (bench->refuses_bad && request->has_bad)
		return AWS_CLASS_INVALID;
	return bench->class_;
}

static inline void on_reply_time(void *user)
{
	struct bench *bench = user;
	const struct bench_request *request = &bench->requests[bench->request_count - 1];
	struct aws_reply reply = { .class_ = end_of(bench, request), .status = 400, .code = "SomeCode",
		.message = "some words", .retry_after_us = bench->retry_after_us };

	if (reply.class_ == AWS_CLASS_OK)
		bench->stored += request->samples;
	else if (reply.class_ == AWS_CLASS_IN_DOUBT && bench->seed++ % 2)
		bench->stored += request->samples; /* it had arrived: only the reply was lost */
	bench->reply_count++;
	bench->finished(bench->finished_user, &reply);
	if (bench->sink)
		check_accounts(bench);
}

static inline int bench_send(void *user, const void *body, size_t body_bytes,
	void (*finished)(void *finished_user, const struct aws_reply *reply), void *finished_user)
{
	struct bench *bench = user;

	if (bench->has_no_memory)
		return -1;
	assert_true(bench->request_count < BENCH_REQUESTS_MAX);
	assert_false(loop_timer_is_running(&bench->reply_timer)); /* one at a time */
	bench->requests[bench->request_count++] = read_request(body, body_bytes);
	bench->finished = finished;
	bench->finished_user = finished_user;
	if (!bench->is_silent)
		assert_int_equal(loop_timer_start(bench->loop, &bench->reply_timer, mono_now(), on_reply_time, bench), 0);
	return 0;
}

static inline void bench_cancel(void *user)
{
	struct bench *bench = user;

	loop_timer_stop(bench->loop, &bench->reply_timer);
	bench->cancels++;
}

static inline void bench_refresh(void *user)
{
	struct bench *bench = user;

	bench->refreshes++;
}

static inline int64_t bench_skew_us(void *user)
{
	const struct bench *bench = user;

	return bench->skew_us;
}

static inline void bench_carrier_free(void *user)
{
	(void)user;
}

/* ---- the bench ------------------------------------------------------------------------------- */

static inline void on_dropped(void *user, enum sink_drop cause, double samples)
{
	struct bench *bench = user;

	bench->told_dropped[cause] += samples;
}

/* Delays of milliseconds; the queue takes 20,000 datums. What is logged goes to a file. */
static inline struct sink_cloudwatch_options bench_options(void)
{
	return (struct sink_cloudwatch_options){ .namespace_ = "LatticeProbe", .queue_max_datums = 20000,
		.random_seed = 42, .retry_base_us = US_PER_MS, .throttle_base_us = 5 * US_PER_MS,
		.retry_max_us = 40 * US_PER_MS, .backfill_interval_us = 10 * US_PER_MS };
}

static inline struct bench *bench_with(struct sink_cloudwatch_options options)
{
	struct bench *bench = calloc(1, sizeof *bench);

	assert_non_null(bench);
	bench->loop = loop_new();
	bench->set = dimension_set_new();
	bench->class_ = AWS_CLASS_OK;
	bench->log = tmpfile();
	assert_non_null(bench->log);
	log_start(fileno(bench->log), LOG_LEVEL_INFO);
	assert_int_equal(dimension_set_add(bench->set, "Service", "checkout"), 0);
	options.dropped = on_dropped;
	options.user = bench;
	bench->sink = sink_cloudwatch_new_over(bench->loop,
		&(struct sink_carrier){ .send = bench_send, .cancel = bench_cancel, .refresh = bench_refresh,
			.skew_us = bench_skew_us, .free = bench_carrier_free, .user = bench },
		&options);
	assert_non_null(bench->sink);
	return bench;
}

static inline struct bench *bench_new(void)
{
	return bench_with(bench_options());
}

static inline void bench_free(struct bench *bench)
{
	if (bench->sink)
		check_accounts(bench);
	sink_free(bench->sink);
	loop_timer_stop(bench->loop, &bench->check_timer);
	assert_int_equal(bench->set->references, 1); /* no datum is left */
	dimension_set_drop(bench->set);
	loop_free(bench->loop);
	log_flush_repeats();
	log_start(2, LOG_LEVEL_INFO);
	(void)fclose(bench->log);
	free(bench);
}

/* How often a text stands in the log, repeats included. */
static inline unsigned logged(struct bench *bench, const char *text)
{
	char line[4096];
	unsigned times = 0;

	log_flush_repeats();
	rewind(bench->log);
	while (fgets(line, sizeof line, bench->log))
		times += strstr(line, text) != NULL;
	return times;
}

static inline struct datum *make_datum(struct bench *bench, int64_t timestamp_us, double value)
{
	struct datum *datum = datum_new("Latency", DATUM_UNIT_MILLISECONDS, bench->set,
		(struct wall){ timestamp_us / US_PER_S * US_PER_S }, 60, 2);

	datum->values[0] = value;
	datum->counts[0] = 1;
	datum->values[1] = 5000;
	datum->counts[1] = 2; /* three samples each */
	return datum;
}

static inline void put_values(struct bench *bench, double first_value, size_t count)
{
	for (size_t i = 0; i < count; i++)
		sink_put(bench->sink, make_datum(bench, wall_now().us, first_value + (double)i));
	check_accounts(bench);
}

/* ---- waiting --------------------------------------------------------------------------------- */

struct wait {
	struct bench *bench;
	bool (*is_so)(const struct bench *bench, double number);
	double number;
	struct mono patience;
	bool is_over;
};

static inline void on_check(void *user)
{
	struct wait *wait = user;
	struct mono now = mono_now();

	check_accounts(wait->bench);
	assert_true(now.us < wait->patience.us);
	wait->is_over = wait->is_so(wait->bench, wait->number);
	if (!wait->is_over)
		assert_int_equal(loop_timer_start(wait->bench->loop, &wait->bench->check_timer,
					 mono_add(now, US_PER_MS), on_check, wait), 0);
}

/* Runs the loop until the claim holds. */
static inline void wait_until(struct bench *bench, bool (*is_so)(const struct bench *, double), double number)
{
	struct wait wait = { .bench = bench, .is_so = is_so, .number = number };

	wait.patience = mono_add(mono_now(), PATIENCE);
	assert_int_equal(loop_timer_start(bench->loop, &bench->check_timer, mono_now(), on_check, &wait), 0);
	loop_run_until(bench->loop, &wait.is_over);
	loop_timer_stop(bench->loop, &bench->check_timer);
	assert_true(wait.is_over);
}

static inline bool has_requests(const struct bench *bench, double number)
{
	return (double)bench->request_count >= number;
}

static inline bool has_replies(const struct bench *bench, double number)
{
	return (double)bench->reply_count >= number;
}

static inline bool waits_for_at_most(const struct bench *bench, double number)
{
	return counters_of(bench).waiting <= number;
}

static inline bool has_delivered(const struct bench *bench, double number)
{
	return counters_of(bench).delivered >= number;
}

static inline bool is_flushed(const struct bench *bench, double number)
{
	(void)number;
	return bench->is_flushed;
}

static inline void on_flushed(void *user)
{
	struct bench *bench = user;

	assert_false(bench->is_flushed);
	bench->is_flushed = true;
}

static inline void drain(struct bench *bench)
{
	wait_until(bench, waits_for_at_most, 0);
}

#endif
