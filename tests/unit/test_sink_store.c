/* SPDX-License-Identifier: Apache-2.0 */
/* The cloudwatch sink over a store: what waits on disk arrives, once, in order, and is accounted for. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <inttypes.h>
#include <unistd.h>

#include "sink_bench.h"

#include "lattice-probe/store.h"

/* A sink and its store, both the process's; the folder outlives them. */
struct life {
	struct bench *bench;
	struct store *store;
	bool is_closed;
};

static char folder[64];

static int make_folder(void **state)
{
	(void)state;
	(void)snprintf(folder, sizeof folder, "/tmp/lp-sink-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static void remove_file(const char *name)
{
	char path[128];

	(void)snprintf(path, sizeof path, "%s/%s", folder, name);
	(void)unlink(path);
}

static int remove_folder(void **state)
{
	(void)state;
	remove_file("store.db");
	remove_file("store.db-wal");
	remove_file("store.db.behind");
	return rmdir(folder);
}

static struct store_options store_options(void)
{
	return (struct store_options){ .directory = folder, .agent_id = "agent-1", .retention_us = US_PER_DAY,
		.samples_max_bytes = 1 << 20, .outbox_max_bytes = 64 << 20, .commit_us = 2 * US_PER_MS,
		.retry_us = 20 * US_PER_MS };
}

static struct life begin_with(struct sink_cloudwatch_options options, const struct store_options *stored)
{
	struct life life = { .bench = bench_with(options) };

	/* The bench makes a sink of its own, and the store needs the bench's loop. */
	sink_free(life.bench->sink);
	life.store = store_new(life.bench->loop, stored);
	assert_non_null(life.store);
	options.store = life.store;
	options.dropped = on_dropped;
	options.user = life.bench;
	life.bench->sink = sink_cloudwatch_new_over(life.bench->loop,
		&(struct sink_carrier){ .send = bench_send, .cancel = bench_cancel, .refresh = bench_refresh,
			.skew_us = bench_skew_us, .free = bench_carrier_free, .user = life.bench },
		&options);
	assert_non_null(life.bench->sink);
	return life;
}

static struct life begin(void)
{
	struct store_options stored = store_options();

	return begin_with(bench_options(), &stored);
}

static bool is_open(const struct bench *bench, double user)
{
	(void)user;
	return logged((struct bench *)(uintptr_t)bench, "event=store_ready") > 0;
}

static void on_closed(void *user, bool is_written)
{
	struct life *life = user;

	assert_true(is_written);
	life->is_closed = true;
}

/* As SIGTERM; what the sink says in the end. */
static struct sink_counters end_life(struct life *life)
{
	struct sink_counters counters;

	if (!life->bench->is_flushed) {
		sink_flush(life->bench->sink, mono_add(mono_now(), 20 * US_PER_MS), on_flushed, life->bench);
		wait_until(life->bench, is_flushed, 0);
	}
	counters = counters_of(life->bench);
	store_close(life->store, on_closed, life);
	loop_run_until(life->bench->loop, &life->is_closed);
	sink_free(life->bench->sink);
	life->bench->sink = NULL;
	store_free(life->store);
	bench_free(life->bench);
	return counters;
}

/* ---- an outage ------------------------------------------------------------------------------- */

static bool has_on_disk(const struct bench *bench, double datums)
{
	return (double)counters_of(bench).datums_on_disk >= datums;
}

/* Ten publish moments of 600 datums, none of which can be sent. */
static void go_without_cloudwatch(struct life *life)
{
	life->bench->class_ = AWS_CLASS_UNREACHABLE;
	for (int i = 0; i < 10; i++) {
		size_t requests = life->bench->request_count;

		put_values(life->bench, 600 * i, 600);
		wait_until(life->bench, has_requests, (double)requests + 1);
	}
}

static void an_outage_waits_on_disk_and_arrives_in_order(void **state)
{
	struct life life = begin();
	double last = -1;
	size_t from;

	(void)state;
	wait_until(life.bench, is_open, 0);
	go_without_cloudwatch(&life);
	wait_until(life.bench, has_on_disk, 1000);
	assert_true(counters_of(life.bench).bytes_waiting < 4000 * 200);
	life.bench->class_ = AWS_CLASS_OK;
	from = life.bench->request_count;
	drain(life.bench);
	assert_true(counters_of(life.bench).delivered == 18000);
	assert_true(life.bench->stored == 18000); /* each once */
	/* The live ones came first; behind them the oldest. */
	for (size_t i = from + 1; i < life.bench->request_count; i++) {
		assert_true(life.bench->requests[i].first_value > last);
		last = life.bench->requests[i].first_value;
	}
	assert_true(end_life(&life).waiting == 0);
}

static void more_than_memory_may_hold_waits_on_disk(void **state)
{
	struct sink_cloudwatch_options options = bench_options();
	struct store_options stored = store_options();
	struct life life;

	(void)state;
	options.queue_max_datums = 100;
	life = begin_with(options, &stored);
	wait_until(life.bench, is_open, 0);
	go_without_cloudwatch(&life);
	assert_true(counters_of(life.bench).dropped[SINK_DROP_QUEUE_FULL] == 0);
	life.bench->class_ = AWS_CLASS_OK;
	drain(life.bench);
	assert_true(life.bench->stored == 18000);
	(void)end_life(&life);
}

static void more_than_the_outbox_may_hold_drops_the_oldest(void **state)
{
	struct store_options stored = store_options();
	struct life life;
	struct sink_counters counters;

	(void)state;
	stored.outbox_max_bytes = 400 * 1000; /* some three thousand */
	life = begin_with(bench_options(), &stored);
	wait_until(life.bench, is_open, 0);
	go_without_cloudwatch(&life);
	counters = counters_of(life.bench);
	assert_true(counters.dropped[SINK_DROP_QUEUE_FULL] > 0);
	assert_int_equal(logged(life.bench, "cause=queue_full"), 1);
	life.bench->class_ = AWS_CLASS_OK;
	drain(life.bench);
	counters = counters_of(life.bench);
	assert_true(life.bench->stored == counters.delivered);
	assert_true(counters.delivered + counters.dropped[SINK_DROP_QUEUE_FULL] == 18000);
	(void)end_life(&life);
}

/* ---- several processes ----------------------------------------------------------------------- */

static void what_a_stop_leaves_the_next_one_sends(void **state)
{
	struct life life = begin();
	struct sink_counters counters;

	(void)state;
	wait_until(life.bench, is_open, 0);
	go_without_cloudwatch(&life);
	counters = end_life(&life);
	assert_true(counters.waiting == 18000 && all_dropped(&counters) == 0);

	life = begin();
	drain(life.bench);
	wait_until(life.bench, has_delivered, 18000);
	counters = counters_of(life.bench);
	assert_true(counters.restored == 18000 && counters.taken == 18000 && counters.in_doubt == 0);
	assert_true(life.bench->stored == 18000);
	(void)end_life(&life);
}

/* What a kill at this moment would leave. */
static void copy_file(const char *name, const char *copy)
{
	char path[128];
	char buffer[4096];
	size_t bytes;
	FILE *from;
	FILE *to;

	(void)snprintf(path, sizeof path, "%s/%s", folder, name);
	from = fopen(path, "rb");
	(void)snprintf(path, sizeof path, "%s/%s", folder, copy);
	to = fopen(path, "wb");
	assert_true(from && to);
	while ((bytes = fread(buffer, 1, sizeof buffer, from)) > 0)
		assert_int_equal(fwrite(buffer, 1, bytes, to), bytes);
	assert_int_equal(fclose(to), 0);
	(void)fclose(from);
}

static void rename_file(const char *name, const char *new_name)
{
	char path[128];
	char new_path[128];

	(void)snprintf(path, sizeof path, "%s/%s", folder, name);
	(void)snprintf(new_path, sizeof new_path, "%s/%s", folder, new_name);
	assert_int_equal(rename(path, new_path), 0);
}

static void what_is_under_way_at_a_kill_is_sent_again_and_in_doubt(void **state)
{
	struct life life = begin();
	struct sink_counters counters;

	(void)state;
	wait_until(life.bench, is_open, 0);
	life.bench->is_silent = true;
	put_values(life.bench, 0, 5);
	wait_until(life.bench, has_requests, 1);
	put_values(life.bench, 5, 2); /* not under way */
	copy_file("store.db", "copy");
	copy_file("store.db-wal", "copy-wal");
	(void)end_life(&life);
	remove_file("store.db-wal");
	rename_file("copy", "store.db");
	rename_file("copy-wal", "store.db-wal");
	life = begin();
	wait_until(life.bench, has_delivered, 15);
	counters = counters_of(life.bench);
	assert_true(counters.restored == 15 && counters.in_doubt == 15);
	(void)end_life(&life);
}

static void a_stop_before_the_store_is_open_leaves_it_all_the_same(void **state)
{
	struct life life = begin();

	(void)state;
	life.bench->class_ = AWS_CLASS_UNREACHABLE;
	put_values(life.bench, 0, 10);
	assert_true(end_life(&life).waiting == 30);
	life = begin();
	wait_until(life.bench, has_delivered, 30);
	(void)end_life(&life);
}

static void live_data_goes_before_what_an_earlier_process_left(void **state)
{
	struct life life = begin();

	(void)state;
	wait_until(life.bench, is_open, 0);
	go_without_cloudwatch(&life);
	(void)end_life(&life);
	{
		struct sink_cloudwatch_options options = bench_options();
		struct store_options stored = store_options();

		options.backfill_interval_us = 3600 * US_PER_S;
		life = begin_with(options, &stored);
	}
	put_values(life.bench, 100000, 1);
	wait_until(life.bench, has_delivered, 3 + 3000); /* the live one, and one request of the old */
	put_values(life.bench, 100001, 1);
	wait_until(life.bench, has_delivered, 3 + 3000 + 3);
	assert_true(counters_of(life.bench).waiting == 18000 - 3000);
	assert_true(end_life(&life).waiting <= 18000 - 3000);
}

/* ---- two weeks ------------------------------------------------------------------------------- */

static void what_is_younger_than_two_weeks_arrives_and_the_rest_is_said_once(void **state)
{
	struct life life = begin();
	int64_t now_us = wall_now().us;
	struct sink_counters counters;
	double too_old;

	(void)state;
	wait_until(life.bench, is_open, 0);
	life.bench->class_ = AWS_CLASS_UNREACHABLE;
	for (int hour = 0; hour < 24 * 20; hour++)
		sink_put(life.bench->sink, make_datum(life.bench, now_us - hour * 3600 * US_PER_S, hour));
	wait_until(life.bench, has_requests, 1);
	assert_int_equal(logged(life.bench, "cause=too_old"), 1);
	counters = end_life(&life);
	too_old = counters.dropped[SINK_DROP_TOO_OLD];
	life = begin();
	wait_until(life.bench, has_delivered, 3 * (24 * 14));
	drain(life.bench);
	counters = counters_of(life.bench);
	assert_true(counters.delivered == 3 * (24 * 14));
	assert_true(too_old + counters.dropped[SINK_DROP_TOO_OLD] == 3 * (24 * 6));
	(void)end_life(&life);
}

/* ---- throttling ------------------------------------------------------------------------------ */

static enum aws_class throttle_first(struct bench *bench, const struct bench_request *request)
{
	(void)request;
	return bench->reply_count < 4 ? AWS_CLASS_THROTTLED : AWS_CLASS_OK;
}

static void throttling_slows_the_backlog_down(void **state)
{
	struct sink_cloudwatch_options options = bench_options();
	struct store_options stored = store_options();
	struct life life = begin();
	struct mono from;

	(void)state;
	wait_until(life.bench, is_open, 0);
	go_without_cloudwatch(&life);
	(void)end_life(&life);
	options.backfill_interval_us = 4 * US_PER_MS;
	options.throttle_base_us = US_PER_MS;
	options.retry_max_us = US_PER_MS;
	life = begin_with(options, &stored);
	life.bench->with_class = throttle_first;
	from = mono_now();
	wait_until(life.bench, has_delivered, 3 * 4000);
	/* After four refusals 64 ms lie between two requests, then 56, 49 …; four batches have three pauses. */
	assert_true(mono_since(mono_now(), from) >= (64 + 56 + 49) * US_PER_MS);
	(void)end_life(&life);
}

/* ---- trouble --------------------------------------------------------------------------------- */

static void trouble_in_the_middle_loses_nothing(void **state)
{
	struct sink_cloudwatch_options options = bench_options();
	struct store_options stored = store_options();
	struct sink_counters counters;
	struct life life;

	(void)state;
	stored.file_max_bytes = 128 * 4096; /* it will be full */
	life = begin_with(options, &stored);
	wait_until(life.bench, is_open, 0);
	go_without_cloudwatch(&life);
	assert_true(logged(life.bench, "database or disk is full") > 0);
	life.bench->class_ = AWS_CLASS_OK;
	drain(life.bench);
	counters = counters_of(life.bench);
	/* What only the commit that failed would have kept is counted. */
	assert_true(counters.delivered + counters.dropped[SINK_DROP_STORE] == counters.taken);
	assert_true(life.bench->stored <= counters.delivered + counters.in_doubt);
	(void)end_life(&life);
}

/* ---- anything at any time -------------------------------------------------------------------- */

static uint64_t next_random(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *seed >> 33;
}

static enum aws_class at_random(struct bench *bench, const struct bench_request *request)
{
	static const enum aws_class classes[] = { AWS_CLASS_OK, AWS_CLASS_OK, AWS_CLASS_OK, AWS_CLASS_THROTTLED,
		AWS_CLASS_SERVER, AWS_CLASS_UNREACHABLE, AWS_CLASS_IN_DOUBT, AWS_CLASS_INVALID };
	enum aws_class class_ = classes[next_random(&bench->seed) % 8];

	/* A content is refused whenever it comes, or it would be no content that is refused. */
	if (class_ == AWS_CLASS_INVALID)
		return AWS_CLASS_SERVER;
	return request->has_bad ? AWS_CLASS_INVALID : class_;
}

static void the_accounts_are_right_over_many_lives(void **state)
{
	const char *given = getenv("TEST_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)wall_now().us;
	double taken = 0;
	double delivered = 0;
	double stored = 0;
	double in_doubt = 0;
	double dropped = 0;
	double waiting = 0;

	(void)state;
	print_message("TEST_SEED=%" PRIu64 "\n", seed);
	for (int i = 0; i < 12; i++) {
		struct sink_cloudwatch_options options = bench_options();
		struct store_options stored_options = store_options();
		struct sink_counters counters;
		struct life life;

		options.queue_max_datums = 200 + next_random(&seed) % 4000;
		life = begin_with(options, &stored_options);
		life.bench->seed = next_random(&seed);
		life.bench->with_class = at_random;
		for (uint64_t rounds = next_random(&seed) % 12; rounds > 0; rounds--) {
			put_values(life.bench, (double)(next_random(&seed) % 1000), next_random(&seed) % 900);
			wait_until(life.bench, has_requests, (double)life.bench->request_count + (double)(next_random(&seed) % 2));
		}
		sink_flush(life.bench->sink, mono_add(mono_now(), 20 * US_PER_MS), on_flushed, life.bench);
		wait_until(life.bench, is_flushed, 0);
		stored += life.bench->stored;
		counters = end_life(&life);
		assert_true(counters.restored == 0 || counters.restored == waiting);
		taken += counters.taken - counters.restored;
		/* A store that was not open at the end left what it holds. */
		waiting = counters.waiting + (counters.restored == 0 ? waiting : 0);
		delivered += counters.delivered;
		in_doubt += counters.in_doubt;
		dropped += all_dropped(&counters);
	}
	assert_true(taken == delivered + waiting + dropped);
	assert_true(stored >= delivered && stored <= delivered + in_doubt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_outage_waits_on_disk_and_arrives_in_order, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(more_than_memory_may_hold_waits_on_disk, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(more_than_the_outbox_may_hold_drops_the_oldest, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(what_a_stop_leaves_the_next_one_sends, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(what_is_under_way_at_a_kill_is_sent_again_and_in_doubt, make_folder,
			remove_folder),
		cmocka_unit_test_setup_teardown(a_stop_before_the_store_is_open_leaves_it_all_the_same, make_folder,
			remove_folder),
		cmocka_unit_test_setup_teardown(live_data_goes_before_what_an_earlier_process_left, make_folder,
			remove_folder),
		cmocka_unit_test_setup_teardown(what_is_younger_than_two_weeks_arrives_and_the_rest_is_said_once, make_folder,
			remove_folder),
		cmocka_unit_test_setup_teardown(throttling_slows_the_backlog_down, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(trouble_in_the_middle_loses_nothing, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(the_accounts_are_right_over_many_lives, make_folder, remove_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
