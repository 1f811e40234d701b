/* SPDX-License-Identifier: Apache-2.0 */
/* Each allocation of the loop's side fails once: whoever was promised an answer gets one, nothing that was
 * taken is lost unsaid, and nothing leaks. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "alloc_fault.h"
#include "store_bench.h"

static void add_sample(struct store_bench *bench, struct target *target)
{
	struct result result;

	result_init(&result, target);
	result.outcome = OUTCOME_OK;
	result.scheduled = wall_now();
	store_add_sample(bench->store, &result);
	result_done(&result);
}

/* Writes three datums and a sample; how many were taken, and whether all was written. */
static int write_some(struct store_bench *bench, struct datum *const *datums, struct target *target,
	bool *ret_is_written)
{
	int taken = 0;

	for (size_t i = 0; i < 3; i++)
		taken += store_put(bench->store, datums[i]);
	store_mark(bench->store, datums[0], true);
	add_sample(bench, target);
	store_cover(bench->store, wall_now(), US_PER_S);
	bench->answers = 0;
	*ret_is_written = false;
	if (store_sync(bench->store, bench_on_synced, bench)) {
		bench_wait(bench, bench_has_answer);
		*ret_is_written = bench->is_written;
	}
	return taken;
}

static void what_is_said_to_be_written_is(void **state)
{
	struct target *target = target_new();
	enum alloc_fault fault;
	uint64_t nth = 0;

	(void)state;
	do {
		struct store_bench bench;
		struct datum *datums[3];
		bool is_written;
		int taken;

		bench_init(&bench);
		bench_open(&bench);
		for (int i = 0; i < 3; i++)
			datums[i] = bench_datum(&bench, i);
		alloc_fault_arm(++nth, ALLOC_FAULT_OURS);
		taken = write_some(&bench, datums, target, &is_written);
		fault = alloc_fault_disarm();
		for (int i = 0; i < 3; i++)
			datum_free(datums[i]);
		store_free(bench.store);
		bench_open(&bench);
		if (is_written)
			assert_int_equal(bench.ready.outbox_datums, taken);
		assert_true(is_written || fault != ALLOC_FAULT_NONE);
		bench_done(&bench);
	} while (fault != ALLOC_FAULT_NONE);
	assert_true(nth > 12);
	target_drop(target);
}

static void a_page_that_found_no_memory_ends_early_and_loses_nothing(void **state)
{
	enum alloc_fault fault;
	uint64_t nth = 0;

	(void)state;
	do {
		struct store_bench bench;
		int64_t from;
		size_t count = 0;

		bench_init(&bench);
		bench_open(&bench);
		bench_put(&bench, 0, 5);
		assert_true(bench_close(&bench));
		bench_open(&bench);
		from = bench.ready.first_id;
		alloc_fault_arm(++nth, ALLOC_FAULT_OURS);
		bench.answers = 0;
		if (store_read(bench.store, from, bench.ready.last_id, bench_on_page, &bench))
			bench_wait(&bench, bench_has_answer);
		fault = alloc_fault_disarm();
		count = bench_free_read(&bench);
		if (bench.answers > 0 && bench.has_page) {
			assert_int_equal(bench.page.unreadable, 0);
			assert_int_equal(bench.page.last_id + 1 - from, count);
			assert_int_equal(bench.page.is_end, count == 5);
		}
		bench_done(&bench);
	} while (fault != ALLOC_FAULT_NONE);
	assert_true(nth > 12);
}

static void a_store_that_found_no_memory_is_none(void **state)
{
	enum alloc_fault fault;
	uint64_t nth = 0;

	(void)state;
	do {
		struct store_bench bench;
		struct store_options options;

		bench_init(&bench);
		options = bench_store_options(&bench);
		alloc_fault_arm(++nth, ALLOC_FAULT_OURS);
		bench.store = store_new(bench.loop, &options);
		fault = alloc_fault_disarm();
		assert_true(bench.store || fault != ALLOC_FAULT_NONE);
		bench_done(&bench);
	} while (fault != ALLOC_FAULT_NONE);
	assert_true(nth > 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_said_to_be_written_is),
		cmocka_unit_test(a_page_that_found_no_memory_ends_early_and_loses_nothing),
		cmocka_unit_test(a_store_that_found_no_memory_is_none),
	};

	alloc_fault_start();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
