/* SPDX-License-Identifier: Apache-2.0 */
/* What a store keeps, over several of them on one file. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <sys/stat.h>

#include "store_bench.h"

/* ---- the outbox ------------------------------------------------------------------------------ */

static void what_is_put_is_read_back_by_the_next_store(void **state)
{
	struct store_bench bench;

	(void)state;
	bench_init(&bench);
	bench_open(&bench);
	assert_true(bench.ready.is_first);
	assert_int_equal(bench.ready.outbox_datums, 0);
	bench_put(&bench, 7.25, 1);
	assert_true(bench_close(&bench));

	bench_open(&bench);
	assert_int_equal(bench.ready.outbox_datums, 1);
	assert_true(bench.ready.outbox_samples == 3 && bench.ready.in_doubt_samples == 0);
	assert_true(bench.ready.last_id <= 0 && bench.ready.first_id == bench.ready.last_id);
	bench_read(&bench, bench.ready.first_id, bench.ready.last_id);
	assert_true(bench.page.is_end);
	assert_non_null(bench.read);
	assert_null(bench.read->next);
	assert_string_equal(bench.read->metric, "Latency");
	assert_int_equal(bench.read->unit, DATUM_UNIT_MILLISECONDS);
	assert_int_equal(bench.read->storage_resolution_s, 60);
	assert_int_equal(bench.read->timestamp.us, 1764090000 * US_PER_S);
	assert_int_equal(bench.read->value_count, 2);
	assert_true(bench.read->values[0] == 7.25 && bench.read->values[1] == 7.75);
	assert_true(bench.read->counts[0] == 1 && bench.read->counts[1] == 2);
	assert_int_equal(bench.read->dimensions->count, 2);
	assert_string_equal(bench.read->dimensions->dimensions[1].value, "test");
	assert_true(bench.read->is_stored && bench.read->id == bench.ready.last_id);
	bench_done(&bench);
}

static void pages_come_in_order_and_end(void **state)
{
	struct store_bench bench;
	int64_t from;
	double value = 0;

	(void)state;
	bench_init(&bench);
	bench_open(&bench);
	bench_put(&bench, 0, 2 * STORE_PAGE_DATUMS + 7);
	assert_true(bench_close(&bench));
	bench_open(&bench);
	from = bench.ready.first_id;
	for (int page = 0; page < 3; page++) {
		bench_read(&bench, from, bench.ready.last_id);
		assert_int_equal(bench.page.is_end, page == 2);
		from = bench.page.last_id + 1;
	}
	for (const struct datum *datum = bench.read; datum; datum = datum->next)
		assert_true(datum->values[0] == value++);
	assert_int_equal(bench_free_read(&bench), 2 * STORE_PAGE_DATUMS + 7);
	bench_done(&bench);
}

static void what_is_removed_is_gone_and_the_size_knows(void **state)
{
	struct store_bench bench;
	struct store_state before;
	struct store_state after;
	struct datum *datum;

	(void)state;
	bench_init(&bench);
	bench_open(&bench);
	bench_put(&bench, 0, 3);
	store_read_state(bench.store, &before);
	datum = bench_datum(&bench, 9);
	assert_true(store_put(bench.store, datum));
	store_remove(bench.store, datum);
	datum_free(datum);
	store_read_state(bench.store, &after);
	assert_int_equal(before.outbox_bytes, after.outbox_bytes);
	assert_true(bench_close(&bench));
	bench_open(&bench);
	assert_int_equal(bench.ready.outbox_datums, 3);
	store_read_state(bench.store, &after);
	assert_int_equal(before.outbox_bytes, after.outbox_bytes); /* as it is counted from the file */
	bench_done(&bench);
}

static void what_was_under_way_at_a_kill_is_in_doubt_once(void **state)
{
	struct store_bench bench;
	struct datum *datum;

	(void)state;
	bench_init(&bench);
	bench_open(&bench);
	bench_put(&bench, 0, 2);
	datum = bench_datum(&bench, 2);
	assert_true(store_put(bench.store, datum));
	store_mark(bench.store, datum, true);
	assert_true(bench_sync(&bench));
	store_free(bench.store); /* as a kill: nothing is closed */
	bench_open(&bench);
	assert_true(bench.ready.outbox_samples == 9 && bench.ready.in_doubt_samples == 3);
	store_free(bench.store);
	bench_open(&bench);
	assert_true(bench.ready.outbox_samples == 9 && bench.ready.in_doubt_samples == 0);
	store_free(bench.store);
	bench.store = NULL;
	datum_free(datum);
	bench_done(&bench);
}

static void what_one_callback_asks_for_is_one_transaction(void **state)
{
	struct store_bench bench;

	(void)state;
	bench_init(&bench);
	bench_open(&bench);
	bench_put(&bench, 0, 100);
	store_free(bench.store); /* before the loop turned: none of it was handed over */
	bench.store = NULL;
	bench_open(&bench);
	assert_int_equal(bench.ready.outbox_datums, 0);
	bench_done(&bench);
}

static void what_is_asked_for_while_opening_is_taken(void **state)
{
	struct store_bench bench;
	struct store_options options;

	(void)state;
	bench_init(&bench);
	options = bench_store_options(&bench);
	bench_start(&bench, &options);
	bench_put(&bench, 0, 5);
	assert_true(bench_close(&bench));
	bench_open(&bench);
	assert_int_equal(bench.ready.outbox_datums, 5);
	bench_done(&bench);
}

/* ---- rows that make no sense ----------------------------------------------------------------- */

static void a_row_that_makes_no_sense_is_removed_and_counted(void **state)
{
	static const char *const spoils[] = {
		"UPDATE outbox SET metric = 'NoSuchMetric' WHERE id = 2",
		"UPDATE outbox SET numbers = x'00' WHERE id = 2",
		"UPDATE outbox SET numbers = zeroblob(16) WHERE id = 2",
		"UPDATE outbox SET numbers = zeroblob(1000000) WHERE id = 2",
		"UPDATE outbox SET dimensions = x'410042' WHERE id = 2",
		"UPDATE outbox SET dimensions = x'4100420041004300' WHERE id = 2",
		"UPDATE outbox SET dimensions = zeroblob(100000) WHERE id = 2",
		"UPDATE outbox SET unit = 77 WHERE id = 2",
		"UPDATE outbox SET unit = -1 WHERE id = 2",
		"UPDATE outbox SET resolution_s = 3 WHERE id = 2",
		"UPDATE outbox SET metric = x'ff00ff', numbers = 'text', dimensions = 5 WHERE id = 2",
	};

	(void)state;
	for (size_t i = 0; i < sizeof spoils / sizeof *spoils; i++) {
		struct store_bench bench;

		bench_init(&bench);
		bench_open(&bench);
		bench_put(&bench, 0, 3);
		assert_true(bench_close(&bench));
		(void)bench_sql(&bench, spoils[i]);
		bench_open(&bench);
		bench_read(&bench, bench.ready.first_id, bench.ready.last_id);
		assert_int_equal(bench.page.unreadable, 1);
		assert_true(bench.page.unreadable_samples == 3);
		assert_int_equal(bench_free_read(&bench), 2);
		assert_true(bench_close(&bench));
		assert_int_equal(bench_sql(&bench, "SELECT count(*) FROM outbox"), 2);
		bench_done(&bench);
	}
}

/* ---- samples --------------------------------------------------------------------------------- */

static void add_sample(struct store_bench *bench, struct target *target, int64_t scheduled_s)
{
	struct result result;

	result_init(&result, target);
	result.outcome = scheduled_s % 2 ? OUTCOME_OK : OUTCOME_DNS_NXDOMAIN;
	result.scheduled.us = scheduled_s * US_PER_S;
	result.phase_us[PHASE_DNS] = 1000 + scheduled_s;
	result.total_us = 5000 + scheduled_s;
	result.marks = RESULT_MARK_DNS_SHARED;
	result.certificate_days = 12;
	result.tcp_retransmits = 3;
	result.dns_retransmits = 1;
	result.status = 204;
	store_add_sample(bench->store, &result);
	result_done(&result);
}

static struct target *new_target(void)
{
	struct target *target = target_new();

	assert_non_null(target);
	(void)snprintf(target->name, sizeof target->name, "checkout");
	target->url.is_tls = true;
	return target;
}

static void samples_without_a_window_come_back(void **state)
{
	struct target *target = new_target();
	struct store_bench bench;
	const struct result *result;

	(void)state;
	bench_init(&bench);
	bench_open(&bench);
	for (int64_t second = 0; second < 120; second++)
		add_sample(&bench, target, 1764090000 + second);
	store_cover(bench.store, (struct wall){ 1764090000 * US_PER_S }, 60 * US_PER_S);
	add_sample(&bench, target, 1764090007); /* late: its window is still to come */
	assert_true(bench_close(&bench));
	bench_open(&bench);
	bench_read_samples(&bench);
	assert_int_equal(bench.sample_count, 61);
	assert_string_equal(bench.samples[0].probe, "checkout");
	assert_true(bench.samples[0].is_tls);
	result = &bench.samples[1].result;
	assert_int_equal(result->scheduled.us, 1764090061 * US_PER_S);
	assert_int_equal(result->outcome, OUTCOME_OK);
	assert_int_equal(result->phase_us[PHASE_DNS], 1000 + 1764090061);
	assert_int_equal(result->phase_us[PHASE_TLS], PHASE_NONE);
	assert_int_equal(result->total_us, 5000 + 1764090061);
	assert_int_equal(result->marks, RESULT_MARK_DNS_SHARED);
	assert_int_equal(result->certificate_days, 12);
	assert_int_equal(result->tcp_retransmits, 3);
	assert_int_equal(result->dns_retransmits, 1);
	assert_int_equal(result->status, 204);
	assert_int_equal(bench.samples[60].result.scheduled.us, 1764090007 * US_PER_S);
	target_drop(target);
	bench_done(&bench);
}

/* A window that closes while the pages are still coming covers what has been read, not what has not. */
static void a_cover_spares_what_was_not_read_yet(void **state)
{
	struct target *target = new_target();
	struct store_bench bench;

	(void)state;
	bench_init(&bench);
	bench_open(&bench);
	for (int i = 0; i < STORE_PAGE_SAMPLES + 10; i++)
		add_sample(&bench, target, 1764090000);
	assert_true(bench_close(&bench));
	bench_open(&bench);
	bench.answers = 0;
	assert_true(store_read_samples(bench.store, bench_on_samples, &bench));
	bench_wait(&bench, bench_has_answer);
	assert_int_equal(bench.sample_count, STORE_PAGE_SAMPLES);
	store_cover(bench.store, (struct wall){ 1764090000 * US_PER_S }, 60 * US_PER_S);
	assert_true(bench_sync(&bench));
	assert_true(bench_close(&bench));
	bench_open(&bench);
	bench_read_samples(&bench);
	assert_int_equal(bench.sample_count, 10);
	store_cover(bench.store, (struct wall){ 1764090000 * US_PER_S }, 60 * US_PER_S);
	assert_true(bench_close(&bench));
	bench_open(&bench);
	bench_read_samples(&bench);
	assert_int_equal(bench.sample_count, 0);
	target_drop(target);
	bench_done(&bench);
}

static void old_samples_and_too_many_are_removed(void **state)
{
	struct target *target = new_target();
	int64_t now_s = wall_now().us / US_PER_S;
	struct store_bench bench;
	struct store_options options;

	(void)state;
	bench_init(&bench);
	options = bench_store_options(&bench);
	options.samples_max_bytes = 96 * 100;
	bench_start(&bench, &options);
	for (int i = 0; i < 40; i++)
		add_sample(&bench, target, now_s - 90000 + i); /* older than a day */
	add_sample(&bench, target, now_s - 180000); /* older still, but without a window */
	store_cover(bench.store, (struct wall){ (now_s - 90000) * US_PER_S }, 3600 * US_PER_S);
	for (int i = 0; i < 50; i++)
		add_sample(&bench, target, now_s);
	assert_true(bench_close(&bench));
	assert_int_equal(bench_sql(&bench, "SELECT count(*) FROM samples"), 51);
	bench_start(&bench, &options);
	for (int i = 0; i < 130; i++)
		add_sample(&bench, target, now_s);
	assert_true(bench_close(&bench));
	assert_int_equal(bench_sql(&bench, "SELECT count(*) FROM samples"), 100);
	target_drop(target);
	bench_done(&bench);
}

/* ---- the file -------------------------------------------------------------------------------- */

static void the_file_is_for_its_owner_only(void **state)
{
	struct store_bench bench;
	struct stat found;
	char wal[128];

	(void)state;
	(void)umask(0);
	bench_init(&bench);
	bench_open(&bench);
	bench_put(&bench, 0, 1);
	assert_true(bench_sync(&bench));
	(void)snprintf(wal, sizeof wal, "%s-wal", bench.file);
	assert_int_equal(stat(bench.file, &found), 0);
	assert_int_equal(found.st_mode & 0777, 0600);
	assert_int_equal(stat(wal, &found), 0);
	assert_int_equal(found.st_mode & 0777, 0600);
	bench_done(&bench);
}

static void cancelled_callbacks_never_run(void **state)
{
	struct store_bench bench;

	(void)state;
	bench_init(&bench);
	bench_open(&bench);
	bench.answers = 0;
	assert_true(store_sync(bench.store, bench_on_synced, &bench));
	assert_true(store_read(bench.store, 0, 10, bench_on_page, &bench));
	store_cancel(bench.store, &bench);
	assert_true(bench_sync(&bench)); /* which comes after them */
	assert_int_equal(bench.answers, 1);
	bench_done(&bench);
}

static void nothing_at_all_is_freed_like_anything_else(void **state)
{
	struct store_bench bench;
	struct store_options options;

	(void)state;
	store_free(NULL);
	bench_init(&bench);
	options = bench_store_options(&bench);
	bench_start(&bench, &options); /* freed while the thread is at it */
	bench_done(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_put_is_read_back_by_the_next_store),
		cmocka_unit_test(pages_come_in_order_and_end),
		cmocka_unit_test(what_is_removed_is_gone_and_the_size_knows),
		cmocka_unit_test(what_was_under_way_at_a_kill_is_in_doubt_once),
		cmocka_unit_test(what_one_callback_asks_for_is_one_transaction),
		cmocka_unit_test(what_is_asked_for_while_opening_is_taken),
		cmocka_unit_test(a_row_that_makes_no_sense_is_removed_and_counted),
		cmocka_unit_test(samples_without_a_window_come_back),
		cmocka_unit_test(a_cover_spares_what_was_not_read_yet),
		cmocka_unit_test(old_samples_and_too_many_are_removed),
		cmocka_unit_test(the_file_is_for_its_owner_only),
		cmocka_unit_test(cancelled_callbacks_never_run),
		cmocka_unit_test(nothing_at_all_is_freed_like_anything_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
