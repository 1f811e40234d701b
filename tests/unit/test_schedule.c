/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lattice-probe/schedule.h"

#define AGENT "i-0123456789abcdef0"
#define INTERVAL (10 * US_PER_S)

/* Both clocks of a simulated host; the wall clock can be stepped. */
struct clocks {
	struct mono mono;
	struct wall wall;
};

static struct clocks clocks_at_noon(void)
{
	return (struct clocks){ { 5000 * US_PER_S }, { INT64_C(1700000000) * US_PER_S } };
}

static void pass_time(struct clocks *clocks, int64_t us)
{
	clocks->mono.us += us;
	clocks->wall.us += us;
}

static uint32_t add(struct schedule *schedule, const struct clocks *clocks, const char *name,
	int64_t interval_us, void *user)
{
	uint32_t id = 0;

	assert_int_equal(schedule_add(schedule, name, interval_us, user, clocks->mono, clocks->wall, &id), 0);
	return id;
}

static bool take(struct schedule *schedule, const struct clocks *clocks, struct schedule_due *ret_due)
{
	return schedule_take(schedule, clocks->mono, clocks->wall, ret_due);
}

/* Lets time run to the next due instant. */
static void run_to_next(struct schedule *schedule, struct clocks *clocks)
{
	struct mono due = { 0 };

	assert_true(schedule_next(schedule, &due));
	assert_true(due.us > clocks->mono.us);
	pass_time(clocks, due.us - clocks->mono.us);
}

static uint64_t next_random(uint64_t *seed)
{
	uint64_t mixed = *seed += UINT64_C(0x9e3779b97f4a7c15);

	mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
	return mixed ^ (mixed >> 31);
}

static uint64_t print_seed(void)
{
	const char *given = getenv("TEST_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)wall_now().us;

	print_message("TEST_SEED=%" PRIu64 "\n", seed);
	return seed;
}

static void the_phase_is_fnv1a_of_agent_and_name(void **state)
{
	(void)state;
	/* FNV-1a 64 of the bytes is 3440967520209961947, worked out apart from this code. */
	assert_int_equal(schedule_phase_us(AGENT, "checkout", INTERVAL), 9961947);
	assert_int_equal(schedule_phase_us(AGENT, "checkout", 1), 0);
	/* The NUL between them keeps "ab" + "c" apart from "a" + "bc". */
	assert_int_not_equal(schedule_phase_us("ab", "c", INTERVAL), schedule_phase_us("a", "bc", INTERVAL));
}

static int by_value(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a;
	int64_t right = *(const int64_t *)b;

	return (left > right) - (left < right);
}

/* The most phases that lie in any span of the interval, seen as a circle. */
static size_t most_within(int64_t *phases, size_t count, int64_t span_us)
{
	size_t most = 0;
	size_t end = 0;

	qsort(phases, count, sizeof *phases, by_value);
	for (size_t i = 0; i < count; i++) {
		while (end < i + count && phases[end % count] + (end >= count ? INTERVAL : 0) <
			phases[i] + span_us)
			end++;
		if (end - i > most)
			most = end - i;
	}
	return most;
}

static void ten_thousand_probes_do_not_burst(void **state)
{
	static const char *const forms[][2] = {
		{ "service-", "" }, { "", "" }, { "probe-", ".checkout.example" }, { "svc", "-prod" },
	};
	enum { COUNT = 10000 };
	static int64_t phases[COUNT];

	(void)state;
	for (size_t form = 0; form < sizeof forms / sizeof *forms; form++) {
		for (size_t i = 0; i < COUNT; i++) {
			char name[64];

			(void)snprintf(name, sizeof name, "%s%zu%s", forms[form][0], i, forms[form][1]);
			phases[i] = schedule_phase_us(AGENT, name, INTERVAL);
		}
		/* 100 on average; chance alone makes about 140 of it. */
		assert_in_range(most_within(phases, COUNT, 100 * US_PER_MS), 100, 200);
	}
}

static void a_restart_keeps_the_phase(void **state)
{
	struct clocks clocks = clocks_at_noon();
	struct schedule *before = schedule_new(AGENT);
	struct schedule *after = schedule_new(AGENT);
	struct schedule_due first = { 0 };
	struct schedule_due second = { 0 };

	(void)state;
	(void)add(before, &clocks, "checkout", INTERVAL, NULL);
	run_to_next(before, &clocks);
	assert_true(take(before, &clocks, &first));
	/* Another boot: the monotonic clock starts anew, the wall clock goes on. */
	pass_time(&clocks, 1234567);
	clocks.mono.us = 17;
	(void)add(after, &clocks, "checkout", INTERVAL, NULL);
	run_to_next(after, &clocks);
	assert_true(take(after, &clocks, &second));
	assert_int_equal(second.scheduled.us - first.scheduled.us, INTERVAL);
	assert_int_equal(second.scheduled.us % INTERVAL, schedule_phase_us(AGENT, "checkout", INTERVAL));
	schedule_free(before);
	schedule_free(after);
}

static void a_day_of_a_hundred_probes_misses_nothing(void **state)
{
	enum { COUNT = 100 };
	struct clocks clocks = clocks_at_noon();
	struct schedule *schedule = schedule_new(AGENT);
	int64_t end_us = clocks.mono.us + US_PER_DAY;
	unsigned runs[COUNT] = { 0 };
	struct schedule_due due;

	(void)state;
	for (unsigned i = 0; i < COUNT; i++) {
		char name[16];

		(void)snprintf(name, sizeof name, "p%u", i);
		(void)add(schedule, &clocks, name, INTERVAL, &runs[i]);
	}
	for (run_to_next(schedule, &clocks); clocks.mono.us < end_us; run_to_next(schedule, &clocks))
		while (take(schedule, &clocks, &due)) {
			++*(unsigned *)due.user;
			assert_int_equal(due.due.us, clocks.mono.us);
			assert_int_equal(due.scheduled.us, clocks.wall.us);
		}
	for (unsigned i = 0; i < COUNT; i++)
		assert_int_equal(runs[i], US_PER_DAY / INTERVAL);
	assert_int_equal(schedule_skipped(schedule), 0);
	schedule_free(schedule);
}

static void equal_instants_are_handed_out_one_by_one(void **state)
{
	struct clocks clocks = clocks_at_noon();
	struct schedule *schedule = schedule_new(AGENT);
	char users[3];
	struct schedule_due due;
	size_t taken = 0;

	(void)state;
	for (size_t i = 0; i < 3; i++)
		(void)add(schedule, &clocks, "same", INTERVAL, &users[i]);
	assert_false(take(schedule, &clocks, &due));
	run_to_next(schedule, &clocks);
	while (take(schedule, &clocks, &due))
		assert_ptr_equal(due.user, &users[taken++]);
	assert_int_equal(taken, 3);
	schedule_free(schedule);
}

static void a_late_start_is_handed_out_a_stale_one_is_skipped(void **state)
{
	struct clocks clocks = clocks_at_noon();
	struct schedule *schedule = schedule_new(AGENT);
	struct schedule_due due;
	int64_t scheduled_us;

	(void)state;
	(void)add(schedule, &clocks, "checkout", INTERVAL, NULL);
	run_to_next(schedule, &clocks);
	scheduled_us = clocks.wall.us;
	pass_time(&clocks, SCHEDULE_STALE_US);
	assert_true(take(schedule, &clocks, &due));
	assert_int_equal(due.scheduled.us, scheduled_us);
	assert_int_equal(schedule_skipped(schedule), 0);
	run_to_next(schedule, &clocks);
	pass_time(&clocks, SCHEDULE_STALE_US + 1);
	assert_false(take(schedule, &clocks, &due));
	assert_int_equal(schedule_skipped(schedule), 1);
	schedule_free(schedule);
}

static void with_a_short_interval_stale_comes_sooner(void **state)
{
	struct clocks clocks = clocks_at_noon();
	struct schedule *schedule = schedule_new(AGENT);
	struct schedule_due due;

	(void)state;
	(void)add(schedule, &clocks, "checkout", US_PER_S, NULL);
	run_to_next(schedule, &clocks);
	pass_time(&clocks, US_PER_S / 2 + 1);
	assert_false(take(schedule, &clocks, &due));
	assert_int_equal(schedule_skipped(schedule), 1);
	schedule_free(schedule);
}

static void after_a_stall_only_the_latest_instant_may_run(void **state)
{
	struct clocks clocks = clocks_at_noon();
	struct schedule *schedule = schedule_new(AGENT);
	struct schedule_due due;

	(void)state;
	(void)add(schedule, &clocks, "checkout", INTERVAL, NULL);
	run_to_next(schedule, &clocks);
	pass_time(&clocks, 5 * INTERVAL + 300 * US_PER_MS);
	assert_true(take(schedule, &clocks, &due));
	assert_int_equal(due.due.us, clocks.mono.us - 300 * US_PER_MS);
	assert_int_equal(schedule_skipped(schedule), 5);
	assert_false(take(schedule, &clocks, &due));
	schedule_free(schedule);
}

/* A schedule of a hundred probes that has run for a minute. */
static struct schedule *settled(struct clocks *clocks)
{
	struct schedule *schedule = schedule_new(AGENT);
	int64_t end_us = clocks->mono.us + 60 * US_PER_S;
	struct schedule_due due;

	for (unsigned i = 0; i < 100; i++) {
		char name[16];

		(void)snprintf(name, sizeof name, "p%u", i);
		(void)add(schedule, clocks, name, INTERVAL, NULL);
	}
	for (run_to_next(schedule, clocks); clocks->mono.us < end_us; run_to_next(schedule, clocks))
		while (take(schedule, clocks, &due))
			;
	while (take(schedule, clocks, &due))
		;
	return schedule;
}

/* Runs from now through two intervals in steps of 100 ms; the most runs that one step gave. */
static unsigned most_in_a_step(struct schedule *schedule, struct clocks *clocks, unsigned *ret_runs)
{
	struct schedule_due due;
	unsigned most = 0;

	*ret_runs = 0;
	for (int64_t us = 0; us <= 2 * INTERVAL; us += 100 * US_PER_MS) {
		unsigned runs = 0;

		while (take(schedule, clocks, &due))
			runs++;
		most = runs > most ? runs : most;
		*ret_runs += runs;
		pass_time(clocks, 100 * US_PER_MS);
	}
	return most;
}

static void a_step_ahead_skips_without_a_burst(void **state)
{
	struct clocks clocks = clocks_at_noon();
	struct schedule *schedule = settled(&clocks);
	unsigned runs;

	(void)state;
	clocks.wall.us += 3600 * US_PER_S;
	assert_in_range(most_in_a_step(schedule, &clocks, &runs), 1, 10);
	assert_int_equal(schedule_skipped(schedule), 36000); /* an hour of a hundred probes */
	assert_int_equal(runs, 200);
	schedule_free(schedule);
}

static void a_suspend_counts_what_it_slept_through(void **state)
{
	struct clocks clocks = clocks_at_noon();
	struct schedule *schedule = schedule_new(AGENT);
	struct schedule_due due;
	int64_t slept_from;

	(void)state;
	(void)add(schedule, &clocks, "checkout", INTERVAL, NULL);
	run_to_next(schedule, &clocks);
	assert_true(take(schedule, &clocks, &due));
	slept_from = due.scheduled.us;
	pass_time(&clocks, INTERVAL / 2); /* awake */
	clocks.wall.us += 8 * 3600 * US_PER_S; /* the monotonic clock sleeps too */
	assert_false(take(schedule, &clocks, &due));
	run_to_next(schedule, &clocks);
	assert_true(take(schedule, &clocks, &due));
	assert_int_equal((uint64_t)(due.scheduled.us - slept_from) / (uint64_t)INTERVAL,
		schedule_skipped(schedule) + 1);
	schedule_free(schedule);
}

static void a_clock_that_is_set_right_missed_nothing(void **state)
{
	struct clocks clocks = { { 30 * US_PER_S }, { 3600 * US_PER_S } }; /* 1970 */
	struct schedule *schedule = settled(&clocks);
	unsigned runs;

	(void)state;
	clocks.wall.us += INT64_C(1700000000) * US_PER_S;
	assert_in_range(most_in_a_step(schedule, &clocks, &runs), 1, 10);
	assert_int_equal(schedule_skipped(schedule), 0);
	assert_int_equal(runs, 200);
	schedule_free(schedule);
}

static void a_drift_below_a_second_moves_nothing(void **state)
{
	struct clocks clocks = clocks_at_noon();
	struct schedule *schedule = schedule_new(AGENT);
	struct mono before = { 0 };
	struct mono after = { 0 };
	struct schedule_due due;

	(void)state;
	(void)add(schedule, &clocks, "checkout", INTERVAL, NULL);
	assert_true(schedule_next(schedule, &before));
	clocks.wall.us += SCHEDULE_DRIFT_US;
	(void)take(schedule, &clocks, &due);
	assert_true(schedule_next(schedule, &after));
	assert_int_equal(before.us, after.us);
	clocks.wall.us += 1;
	(void)take(schedule, &clocks, &due);
	assert_true(schedule_next(schedule, &after));
	assert_int_equal(before.us - after.us, SCHEDULE_DRIFT_US + 1);
	schedule_free(schedule);
}

/* Runs `schedule` of one probe over a step back by `back_us` and looks at the spacing of its runs. */
static void step_back(int64_t back_us, int64_t after_run_us)
{
	struct clocks clocks = clocks_at_noon();
	struct schedule *schedule = schedule_new(AGENT);
	struct schedule_due before = { 0 };
	struct schedule_due after = { 0 };

	(void)add(schedule, &clocks, "checkout", INTERVAL, NULL);
	run_to_next(schedule, &clocks);
	assert_true(take(schedule, &clocks, &before));
	pass_time(&clocks, after_run_us);
	clocks.wall.us -= back_us;
	assert_false(take(schedule, &clocks, &after));
	run_to_next(schedule, &clocks);
	assert_true(take(schedule, &clocks, &after));
	assert_true(after.due.us - before.due.us >= INTERVAL / 2);
	assert_true(after.due.us - before.due.us < 2 * INTERVAL);
	assert_true(after.scheduled.us != before.scheduled.us || after.due.us - before.due.us >= INTERVAL);
	assert_int_equal(after.scheduled.us, clocks.wall.us);
	assert_int_equal(schedule_skipped(schedule), 0);
	schedule_free(schedule);
}

static void a_step_back_runs_nothing_twice(void **state)
{
	(void)state;
	for (int64_t back_us = 1500 * US_PER_MS; back_us < 35 * US_PER_S; back_us += 777 * US_PER_MS)
		for (int64_t after_us = 1; after_us < INTERVAL; after_us += 999 * US_PER_MS)
			step_back(back_us, after_us);
	step_back(US_PER_DAY * 400, US_PER_S);
}

static void a_removed_probe_is_gone_and_its_place_is_used_again(void **state)
{
	struct clocks clocks = clocks_at_noon();
	struct schedule *schedule = schedule_new(AGENT);
	char kept;
	char removed;
	uint32_t id;
	struct schedule_due due;
	struct mono next;

	(void)state;
	assert_false(schedule_next(schedule, &next));
	id = add(schedule, &clocks, "a", INTERVAL, &removed);
	(void)add(schedule, &clocks, "b", INTERVAL, &kept);
	schedule_remove(schedule, id);
	assert_int_equal(schedule_count(schedule), 1);
	for (int i = 0; i < 10; i++) {
		run_to_next(schedule, &clocks);
		while (take(schedule, &clocks, &due))
			assert_ptr_equal(due.user, &kept);
	}
	assert_int_equal(add(schedule, &clocks, "c", INTERVAL, &kept), id);
	assert_int_equal(schedule_count(schedule), 2);
	schedule_free(schedule);
}

static void a_schedule_without_probes_is_never_due(void **state)
{
	struct clocks clocks = clocks_at_noon();
	struct schedule *schedule = schedule_new("");
	struct schedule_due due;
	struct mono next;

	(void)state;
	assert_false(take(schedule, &clocks, &due));
	assert_false(schedule_next(schedule, &next));
	schedule_free(schedule);
	schedule_free(NULL);
}

/* ---- at random ------------------------------------------------------------------------------- */

enum { RANDOM_PROBES = 40 };

struct random_probe {
	uint32_t id; /* 0: not there */
	int64_t interval_us;
	int64_t phase_us;
	struct wall from;  /* instants after this one count */
	struct wall last;  /* scheduled instant handed out last */
};

static uint64_t instants_between(const struct random_probe *probe, struct wall from, struct wall to)
{
	int64_t first = (from.us - probe->phase_us) / probe->interval_us;
	int64_t last = (to.us - probe->phase_us) / probe->interval_us;

	return (uint64_t)(last - first);
}

static void random_toggle(struct schedule *schedule, struct random_probe *probe, unsigned number,
	const struct clocks *clocks, uint64_t *seed, uint64_t *expected)
{
	char name[16];

	if (probe->id) {
		schedule_remove(schedule, probe->id);
		*expected += instants_between(probe, probe->from, clocks->wall);
		probe->id = 0;
		return;
	}
	(void)snprintf(name, sizeof name, "p%u", number);
	*probe = (struct random_probe){ .from = clocks->wall };
	probe->interval_us = (int64_t)(1 + next_random(seed) % 60) * US_PER_S;
	probe->phase_us = schedule_phase_us(AGENT, name, probe->interval_us);
	probe->id = add(schedule, clocks, name, probe->interval_us, probe);
}

static void random_drain(struct schedule *schedule, const struct clocks *clocks, uint64_t *runs)
{
	struct schedule_due due;

	while (take(schedule, clocks, &due)) {
		struct random_probe *probe = due.user;

		assert_int_equal((due.scheduled.us - probe->phase_us) % probe->interval_us, 0);
		assert_true(due.due.us <= clocks->mono.us);
		assert_true(clocks->mono.us - due.due.us <= SCHEDULE_STALE_US);
		assert_true(due.scheduled.us > probe->last.us);
		probe->last = due.scheduled;
		++*runs;
	}
}

/* Time that passes, stalls, suspends; probes that come and go. Steps back are not in it: the same
 * instant would be lived twice, and the law has no room for that. */
static void instants_are_runs_or_skipped(void **state)
{
	struct clocks clocks = clocks_at_noon();
	struct schedule *schedule = schedule_new(AGENT);
	struct random_probe probes[RANDOM_PROBES] = { 0 };
	uint64_t seed = print_seed();
	uint64_t expected = 0;
	uint64_t runs = 0;

	(void)state;
	for (int step = 0; step < 200000; step++) {
		uint64_t dice = next_random(&seed) % 10000;
		unsigned number = (unsigned)(next_random(&seed) % RANDOM_PROBES);

		pass_time(&clocks, (int64_t)(next_random(&seed) % 50000));
		if (dice < 10)
			pass_time(&clocks, (int64_t)(next_random(&seed) % 600) * US_PER_S); /* stall */
		else if (dice < 20)
			clocks.wall.us += (int64_t)(2 + next_random(&seed) % 86000) * US_PER_S; /* suspend */
		random_drain(schedule, &clocks, &runs);
		if (dice >= 9900)
			random_toggle(schedule, &probes[number], number, &clocks, &seed, &expected);
	}
	for (unsigned i = 0; i < RANDOM_PROBES; i++)
		if (probes[i].id)
			random_toggle(schedule, &probes[i], i, &clocks, &seed, &expected);
	assert_int_equal(runs + schedule_skipped(schedule), expected);
	assert_true(runs > 1000 && schedule_skipped(schedule) > 1000);
	schedule_free(schedule);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_phase_is_fnv1a_of_agent_and_name),
		cmocka_unit_test(ten_thousand_probes_do_not_burst),
		cmocka_unit_test(a_restart_keeps_the_phase),
		cmocka_unit_test(a_day_of_a_hundred_probes_misses_nothing),
		cmocka_unit_test(equal_instants_are_handed_out_one_by_one),
		cmocka_unit_test(a_late_start_is_handed_out_a_stale_one_is_skipped),
		cmocka_unit_test(with_a_short_interval_stale_comes_sooner),
		cmocka_unit_test(after_a_stall_only_the_latest_instant_may_run),
		cmocka_unit_test(a_step_ahead_skips_without_a_burst),
		cmocka_unit_test(a_suspend_counts_what_it_slept_through),
		cmocka_unit_test(a_clock_that_is_set_right_missed_nothing),
		cmocka_unit_test(a_drift_below_a_second_moves_nothing),
		cmocka_unit_test(a_step_back_runs_nothing_twice),
		cmocka_unit_test(a_removed_probe_is_gone_and_its_place_is_used_again),
		cmocka_unit_test(a_schedule_without_probes_is_never_due),
		cmocka_unit_test(instants_are_runs_or_skipped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
