/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "lattice-probe/diagnosis_queue.h"

#define MINUTE_US (60 * US_PER_S)
#define HOUR_US (60 * MINUTE_US)
#define PROBES 100

static int probes[PROBES];
static const struct mono never = { 0 };

static struct mono at(int64_t us)
{
	return (struct mono){ US_PER_DAY + us };
}

static void a_turn_comes_after_the_jitter(void **state)
{
	struct diagnosis_queue queue = { 0 };
	struct mono due;

	(void)state;
	assert_false(diagnosis_queue_next(&queue, &due));
	assert_null(diagnosis_queue_take(&queue, at(0)));
	assert_true(diagnosis_queue_add(&queue, &probes[0], at(0), 3 * US_PER_S, never));
	assert_true(diagnosis_queue_next(&queue, &due));
	assert_int_equal(due.us, at(3 * US_PER_S).us);
	assert_null(diagnosis_queue_take(&queue, at(3 * US_PER_S - 1)));
	assert_ptr_equal(diagnosis_queue_take(&queue, at(3 * US_PER_S)), &probes[0]);
	assert_null(diagnosis_queue_take(&queue, at(HOUR_US)));
}

static void the_one_due_first_goes_first(void **state)
{
	struct diagnosis_queue queue = { 0 };

	(void)state;
	(void)diagnosis_queue_add(&queue, &probes[0], at(0), 5, never);
	(void)diagnosis_queue_add(&queue, &probes[1], at(0), 3, never);
	(void)diagnosis_queue_add(&queue, &probes[2], at(1), 2, never);
	assert_ptr_equal(diagnosis_queue_take(&queue, at(9)), &probes[1]);
	assert_ptr_equal(diagnosis_queue_take(&queue, at(9)), &probes[2]);
	assert_ptr_equal(diagnosis_queue_take(&queue, at(9)), &probes[0]);
}

static void who_waits_keeps_its_place(void **state)
{
	struct diagnosis_queue queue = { 0 };
	struct mono due;

	(void)state;
	(void)diagnosis_queue_add(&queue, &probes[0], at(0), 5, never);
	assert_true(diagnosis_queue_add(&queue, &probes[0], at(4), 5, never));
	assert_int_equal(queue.count, 1);
	assert_true(diagnosis_queue_next(&queue, &due));
	assert_int_equal(due.us, at(5).us);
}

static void who_recovers_gives_its_place_up(void **state)
{
	struct diagnosis_queue queue = { 0 };

	(void)state;
	(void)diagnosis_queue_add(&queue, &probes[0], at(0), 1, never);
	(void)diagnosis_queue_add(&queue, &probes[1], at(0), 2, never);
	diagnosis_queue_remove(&queue, &probes[0]);
	diagnosis_queue_remove(&queue, &probes[2]);
	assert_ptr_equal(diagnosis_queue_take(&queue, at(9)), &probes[1]);
	assert_null(diagnosis_queue_take(&queue, at(9)));
}

static void one_probe_has_its_turn_every_ten_minutes(void **state)
{
	struct diagnosis_queue queue = { 0 };
	struct mono due;

	(void)state;
	(void)diagnosis_queue_add(&queue, &probes[0], at(MINUTE_US), 5, at(0));
	assert_true(diagnosis_queue_next(&queue, &due));
	assert_int_equal(due.us, at(10 * MINUTE_US).us);
	assert_null(diagnosis_queue_take(&queue, at(10 * MINUTE_US - 1)));
	assert_ptr_equal(diagnosis_queue_take(&queue, at(10 * MINUTE_US)), &probes[0]);
	(void)diagnosis_queue_add(&queue, &probes[0], at(20 * MINUTE_US), 5, at(0));
	assert_true(diagnosis_queue_next(&queue, &due));
	assert_int_equal(due.us, at(20 * MINUTE_US + 5).us);
}

static void a_full_queue_takes_nobody_more(void **state)
{
	struct diagnosis_queue queue = { 0 };

	(void)state;
	for (int i = 0; i < DIAGNOSIS_QUEUE_MAX; i++)
		assert_true(diagnosis_queue_add(&queue, &probes[i], at(0), 0, never));
	assert_false(diagnosis_queue_add(&queue, &probes[DIAGNOSIS_QUEUE_MAX], at(0), 0, never));
	assert_true(diagnosis_queue_add(&queue, &probes[0], at(0), 0, never));
	assert_ptr_equal(diagnosis_queue_take(&queue, at(0)), &probes[0]);
	assert_true(diagnosis_queue_add(&queue, &probes[DIAGNOSIS_QUEUE_MAX], at(0), 0, never));
}

static void the_seventh_waits_for_the_hour_to_pass(void **state)
{
	struct diagnosis_queue queue = { 0 };
	struct mono due;

	(void)state;
	for (int i = 0; i < 8; i++)
		(void)diagnosis_queue_add(&queue, &probes[i], at(0), 0, never);
	for (int i = 0; i < 6; i++)
		assert_ptr_equal(diagnosis_queue_take(&queue, at(i * US_PER_S)), &probes[i]);
	assert_true(diagnosis_queue_next(&queue, &due));
	assert_int_equal(due.us, at(HOUR_US).us);
	assert_null(diagnosis_queue_take(&queue, at(HOUR_US - 1)));
	assert_ptr_equal(diagnosis_queue_take(&queue, at(HOUR_US)), &probes[6]);
	assert_null(diagnosis_queue_take(&queue, at(HOUR_US)));
	assert_ptr_equal(diagnosis_queue_take(&queue, at(HOUR_US + US_PER_S)), &probes[7]);
}

/* Probes that flap for two days at random: the rates hold in every window, and nobody has two turns
 * within ten minutes. */
static void flapping_never_exceeds_the_rates(void **state)
{
	struct diagnosis_queue queue = { 0 };
	struct mono last[PROBES] = { { 0 } };
	static struct mono starts[1000];
	unsigned seed = (unsigned)mono_now().us;
	size_t count = 0;

	(void)state;
	print_message("seed %u\n", seed);
	for (int64_t now_us = 0; now_us < 48 * HOUR_US; now_us += US_PER_S) {
		int i = rand_r(&seed) % PROBES;
		const int *probe;

		if (rand_r(&seed) % 3)
			(void)diagnosis_queue_add(&queue, &probes[i], at(now_us), rand_r(&seed) % 5000000, last[i]);
		else
			diagnosis_queue_remove(&queue, &probes[i]);
		probe = diagnosis_queue_take(&queue, at(now_us));
		if (!probe)
			continue;
		i = (int)(probe - probes);
		if (mono_is_set(last[i]))
			assert_true(at(now_us).us - last[i].us >= DIAGNOSIS_QUEUE_SPACING_US);
		last[i] = starts[count++] = at(now_us);
		if (count > DIAGNOSIS_QUEUE_PER_HOUR)
			assert_true(at(now_us).us - starts[count - 1 - DIAGNOSIS_QUEUE_PER_HOUR].us >= HOUR_US);
	}
	assert_int_equal(count, 48 * DIAGNOSIS_QUEUE_PER_HOUR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_turn_comes_after_the_jitter),
		cmocka_unit_test(the_one_due_first_goes_first),
		cmocka_unit_test(who_waits_keeps_its_place),
		cmocka_unit_test(who_recovers_gives_its_place_up),
		cmocka_unit_test(one_probe_has_its_turn_every_ten_minutes),
		cmocka_unit_test(a_full_queue_takes_nobody_more),
		cmocka_unit_test(the_seventh_waits_for_the_hour_to_pass),
		cmocka_unit_test(flapping_never_exceeds_the_rates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
