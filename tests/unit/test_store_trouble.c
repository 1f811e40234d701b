/* SPDX-License-Identifier: Apache-2.0 */
/* Files and disks that are no use: the store goes on without, says so once, and comes back. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <fcntl.h>
#include <semaphore.h>
#include <sys/stat.h>

#include "store_bench.h"

static struct store_state state_of(const struct store_bench *bench)
{
	struct store_state state;

	store_read_state(bench->store, &state);
	return state;
}

/* ---- files set aside ------------------------------------------------------------------------- */

static void leave_some(struct store_bench *bench)
{
	bench_open(bench);
	bench_put(bench, 0, 1000);
	assert_true(bench_close(bench));
}

static void expect_set_aside(struct store_bench *bench, const char *why)
{
	char path[128];

	bench_open(bench);
	assert_int_equal(bench->ready.outbox_datums, 0);
	assert_int_equal(state_of(bench).set_aside, 1);
	assert_int_equal(bench_logged(bench, why), 1);
	(void)snprintf(path, sizeof path, "%s.aside-1", bench->file);
	assert_int_equal(access(path, F_OK), 0);
	bench_put(bench, 0, 1);
	assert_true(bench_close(bench)); /* the new one is a good one */
}

static void a_file_of_another_agent_is_set_aside(void **state)
{
	struct store_bench bench;

	(void)state;
	bench_init(&bench);
	leave_some(&bench);
	(void)bench_sql(&bench, "UPDATE agent SET id = 'agent-2'");
	expect_set_aside(&bench, "it belongs to another agent");
	bench_done(&bench);
}

static void a_newer_file_is_set_aside(void **state)
{
	struct store_bench bench;

	(void)state;
	bench_init(&bench);
	leave_some(&bench);
	(void)bench_sql(&bench, "PRAGMA user_version = 2");
	expect_set_aside(&bench, "it was written by a newer version");
	bench_done(&bench);
}

static void overwrite(const struct store_bench *bench, off_t from, size_t bytes)
{
	int fd = open(bench->file, O_WRONLY);

	assert_true(fd >= 0);
	for (size_t i = 0; i < bytes; i++)
		assert_int_equal(pwrite(fd, "\xa5", 1, from + (off_t)i), 1);
	(void)close(fd);
}

static void a_corrupt_file_is_set_aside(void **state)
{
	static const struct {
		off_t from;
		size_t bytes;
	} spoiled[] = { { 0, 100 }, { 100, 3000 }, { 2 * 4096, 20 * 4096 } };

	(void)state;
	for (size_t i = 0; i < sizeof spoiled / sizeof *spoiled; i++) {
		struct store_bench bench;

		bench_init(&bench);
		leave_some(&bench);
		overwrite(&bench, spoiled[i].from, spoiled[i].bytes);
		expect_set_aside(&bench, "it is corrupt");
		bench_done(&bench);
	}
}

static void a_file_without_our_tables_is_set_aside(void **state)
{
	struct store_bench bench;

	(void)state;
	bench_init(&bench);
	leave_some(&bench);
	(void)bench_sql(&bench, "ALTER TABLE outbox RENAME TO somewhere_else");
	expect_set_aside(&bench, "it is corrupt");
	bench_done(&bench);
}

static void at_most_three_files_are_kept_aside(void **state)
{
	struct store_bench bench;
	char path[128];

	(void)state;
	bench_init(&bench);
	for (int i = 0; i < 5; i++) {
		leave_some(&bench);
		(void)bench_sql(&bench, "UPDATE agent SET id = 'agent-2'");
	}
	(void)snprintf(path, sizeof path, "%s.aside-3", bench.file);
	assert_int_equal(access(path, F_OK), 0);
	(void)snprintf(path, sizeof path, "%s.aside-4", bench.file);
	assert_int_not_equal(access(path, F_OK), 0);
	bench_done(&bench);
}

/* ---- trouble --------------------------------------------------------------------------------- */

static void without_its_directory_it_waits_for_one(void **state)
{
	struct store_bench bench;
	struct datum *datum;

	(void)state;
	bench_init(&bench);
	assert_int_equal(rmdir(bench.folder), 0);
	{
		struct store_options options = bench_store_options(&bench);

		bench_start(&bench, &options);
	}
	datum = bench_datum(&bench, 1);
	assert_true(store_put(bench.store, datum)); /* nobody knows yet */
	bench_wait(&bench, bench_is_in_trouble);
	assert_false(store_takes(bench.store));
	assert_false(store_put(bench.store, datum));
	assert_false(bench_sync(&bench));
	bench.answers = 0;
	bench_read(&bench, 0, 1);
	assert_false(bench.has_page);
	assert_string_equal(state_of(&bench).why, "the directory does not exist");
	assert_int_equal(mkdir(bench.folder, 0700), 0);
	bench_wait(&bench, bench_is_ready);
	assert_true(bench.ready.is_first && bench.ready.is_after_trouble);
	assert_int_equal(state_of(&bench).outbox_bytes, 0);
	assert_true(store_put(bench.store, datum));
	assert_true(bench_sync(&bench));
	assert_int_equal(bench_logged(&bench, "event=store_trouble"), 1); /* once, however often it was tried */
	datum_free(datum);
	bench_done(&bench);
}

static bool is_ready_again(struct store_bench *bench)
{
	return bench->ready_count > 1;
}

static void a_full_disk_is_trouble_until_there_is_room(void **state)
{
	struct store_bench bench;
	struct store_options options;
	int64_t kept_bytes;

	(void)state;
	bench_init(&bench);
	options = bench_store_options(&bench);
	options.file_max_bytes = 16 * 4096; /* SQLite says the same at a bound of its own */
	bench_start(&bench, &options);
	bench_wait(&bench, bench_is_ready);
	bench_put(&bench, 0, 10);
	assert_true(bench_sync(&bench));
	bench_put(&bench, 10, 5000);
	assert_false(bench_sync(&bench));
	assert_true(bench_is_in_trouble(&bench));
	assert_int_equal(bench_logged(&bench, "database or disk is full"), 1);
	bench_wait(&bench, is_ready_again); /* with what was committed before */
	assert_false(bench.ready.is_first);
	assert_int_equal(bench.ready.outbox_datums, 10);
	kept_bytes = state_of(&bench).outbox_bytes;
	bench.answers = 0;
	assert_true(store_keep(bench.store, 3, 7, bench_on_kept, &bench));
	bench_wait(&bench, bench_has_answer);
	assert_int_equal(bench.kept_datums, 5);
	assert_true(bench.kept_samples == 15);
	assert_int_equal(state_of(&bench).outbox_bytes, kept_bytes / 2);
	bench_done(&bench);
}

/* What was delivered from memory while nothing could be written cannot be told from what was not. */
static void after_a_kill_in_trouble_all_is_in_doubt(void **state)
{
	struct store_bench bench;
	struct store_options options;

	(void)state;
	bench_init(&bench);
	options = bench_store_options(&bench);
	options.file_max_bytes = 16 * 4096;
	options.retry_us = 3600 * US_PER_S;
	bench_start(&bench, &options);
	bench_wait(&bench, bench_is_ready);
	bench_put(&bench, 0, 10);
	assert_true(bench_sync(&bench));
	bench_put(&bench, 10, 5000);
	assert_false(bench_sync(&bench));
	store_free(bench.store); /* as a kill */
	bench_open(&bench);
	assert_true(bench.ready.outbox_samples == 30 && bench.ready.in_doubt_samples == 30);
	assert_true(bench_sync(&bench));
	store_free(bench.store);
	bench_open(&bench);
	assert_true(bench.ready.outbox_samples == 30 && bench.ready.in_doubt_samples == 0);
	bench_done(&bench);
}

static void a_second_store_on_the_file_is_refused(void **state)
{
	struct store_bench bench;
	struct store_bench second;
	struct store_options options;

	(void)state;
	bench_init(&bench);
	bench_open(&bench);
	bench_init(&second);
	options = bench_store_options(&bench); /* the first one's folder */
	bench_start(&second, &options);
	bench_wait(&second, bench_is_in_trouble);
	assert_string_equal(state_of(&second).why, "another process uses it");
	assert_int_equal(state_of(&second).set_aside, 0);
	bench_put(&bench, 0, 1);
	assert_true(bench_close(&bench));
	bench_wait(&second, bench_is_ready);
	assert_int_equal(second.ready.outbox_datums, 1);
	store_free(second.store);
	second.store = NULL;
	bench_done(&second);
	bench_done(&bench);
}

/* A link planted in the directory must not make us write elsewhere. */
static void a_symbolic_link_is_not_followed(void **state)
{
	struct store_bench bench;
	struct store_options options;

	(void)state;
	bench_init(&bench);
	assert_int_equal(symlink("/tmp/lp-store-nowhere", bench.file), 0);
	options = bench_store_options(&bench);
	bench_start(&bench, &options);
	bench_wait(&bench, bench_is_in_trouble);
	assert_int_not_equal(access("/tmp/lp-store-nowhere", F_OK), 0);
	bench_done(&bench);
}

/* The thread cannot keep up: datums are refused before the store would have to give up all that waits. */
static void more_than_can_be_written_is_refused_without_trouble(void **state)
{
	struct store_bench bench;
	struct store_options options;
	struct datum *datum;
	size_t taken = 0;

	(void)state;
	bench_init(&bench);
	options = bench_store_options(&bench);
	options.outbox_max_bytes = 256 << 20;
	bench_start(&bench, &options);
	bench_wait(&bench, bench_is_ready);
	datum = bench_datum(&bench, 1);
	while (store_put(bench.store, datum)) { /* the loop does not turn meanwhile */
		datum->id++;
		taken++;
	}
	assert_in_range(taken, 10000, 1000000);
	assert_true(bench_sync(&bench));
	assert_true(store_put(bench.store, datum));
	assert_int_equal(state_of(&bench).troubles, 0);
	assert_true(bench_close(&bench));
	assert_int_equal(bench_sql(&bench, "SELECT count(*) FROM outbox"), taken + 1);
	datum_free(datum);
	bench_done(&bench);
}

/* ---- a disk that hangs ----------------------------------------------------------------------- */

#define POOL_THREADS 4 /* of libuv */

static sem_t released;

static void wait_for_release(void *user)
{
	(void)user;
	assert_int_equal(sem_wait(&released), 0);
}

static void a_thread_that_hangs_is_trouble_and_nobody_waits_for_it(void **state)
{
	struct store_bench bench;
	struct store_options options;

	(void)state;
	assert_int_equal(sem_init(&released, 0, 0), 0);
	bench_init(&bench);
	options = bench_store_options(&bench);
	options.stall_us = 50 * US_PER_MS;
	bench_start(&bench, &options);
	bench_wait(&bench, bench_is_ready);
	for (int i = 0; i < POOL_THREADS; i++)
		assert_non_null(loop_work_start(bench.loop, wait_for_release, NULL, NULL, NULL));
	bench_put(&bench, 0, 1);
	assert_false(bench_sync(&bench));
	assert_string_equal(state_of(&bench).why, "the disk does not answer");
	assert_false(bench_sync(&bench)); /* told at once, the thread is not needed for it */
	for (int i = 0; i < POOL_THREADS; i++)
		assert_int_equal(sem_post(&released), 0);
	bench_wait(&bench, is_ready_again);
	bench_put(&bench, 0, 1);
	assert_true(bench_sync(&bench));
	bench_done(&bench);
	assert_int_equal(sem_destroy(&released), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_of_another_agent_is_set_aside),
		cmocka_unit_test(a_newer_file_is_set_aside),
		cmocka_unit_test(a_corrupt_file_is_set_aside),
		cmocka_unit_test(a_file_without_our_tables_is_set_aside),
		cmocka_unit_test(at_most_three_files_are_kept_aside),
		cmocka_unit_test(without_its_directory_it_waits_for_one),
		cmocka_unit_test(a_full_disk_is_trouble_until_there_is_room),
		cmocka_unit_test(after_a_kill_in_trouble_all_is_in_doubt),
		cmocka_unit_test(a_second_store_on_the_file_is_refused),
		cmocka_unit_test(a_symbolic_link_is_not_followed),
		cmocka_unit_test(more_than_can_be_written_is_refused_without_trouble),
		cmocka_unit_test(a_thread_that_hangs_is_trouble_and_nobody_waits_for_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
