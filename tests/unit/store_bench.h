/* SPDX-License-Identifier: Apache-2.0 */
/* store_bench: stores in a folder of their own, one after the other, each driven by a real loop until it has
 * answered. */
#ifndef LATTICE_PROBE_TESTS_STORE_BENCH_H
#define LATTICE_PROBE_TESTS_STORE_BENCH_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "lattice-probe/log.h"
#include "lattice-probe/loop.h"
#include "lattice-probe/store.h"

#define STORE_PATIENCE (20 * US_PER_S)

struct store_bench {
	char folder[64];
	char file[96];
	struct loop *loop;
	struct store *store;
	struct dimension_set *set;
	FILE *log;
	int64_t next_id;

	unsigned ready_count;
	struct store_ready ready;
	unsigned answers;        /* callbacks that ran */
	bool is_written;         /* what the last sync or close said */
	struct datum *read;      /* all pages, in the order of reading */
	struct store_page page;  /* the last one, without its datums */
	bool has_page;
	struct store_sample samples[2 * STORE_PAGE_SAMPLES];
	size_t sample_count;
	bool has_all_samples;
	uint64_t kept_datums;
	double kept_samples;
};

static inline struct store_options bench_store_options(const struct store_bench *bench)
{
	return (struct store_options){ .directory = bench->folder, .agent_id = "agent-1", .retention_us = US_PER_DAY,
		.samples_max_bytes = 1 << 20, .outbox_max_bytes = 1 << 20, .commit_us = 5 * US_PER_MS,
		.retry_us = 20 * US_PER_MS };
}

static inline void bench_on_ready(void *user, const struct store_ready *ready)
{
	struct store_bench *bench = user;

	bench->ready_count++;
	bench->ready = *ready;
}

/* Opens nothing yet. */
static inline void bench_init(struct store_bench *bench)
{
	*bench = (struct store_bench){ .next_id = 1 };
	(void)snprintf(bench->folder, sizeof bench->folder, "/tmp/lp-store-XXXXXX");
	assert_non_null(mkdtemp(bench->folder));
	(void)snprintf(bench->file, sizeof bench->file, "%s/store.db", bench->folder);
	bench->loop = loop_new();
	bench->set = dimension_set_new();
	assert_int_equal(dimension_set_add(bench->set, "Service", "checkout"), 0);
	assert_int_equal(dimension_set_add(bench->set, "Environment", "test"), 0);
	bench->log = tmpfile();
	assert_non_null(bench->log);
	log_start(fileno(bench->log), LOG_LEVEL_INFO);
}

static inline void bench_start(struct store_bench *bench, const struct store_options *options)
{
	bench->ready_count = 0;
	bench->next_id = 1;
	bench->store = store_new(bench->loop, options);
	assert_non_null(bench->store);
	store_listen(bench->store, bench_on_ready, bench);
}

/* ---- waiting --------------------------------------------------------------------------------- */

struct store_wait {
	struct store_bench *bench;
	bool (*is_so)(struct store_bench *bench);
	struct mono patience;
	struct loop_timer timer;
	bool is_over;
};

static inline void bench_look(void *user)
{
	struct store_wait *wait = user;
	struct mono now = mono_now();

	assert_true(now.us < wait->patience.us);
	wait->is_over = wait->is_so(wait->bench);
	if (!wait->is_over)
		assert_int_equal(loop_timer_start(wait->bench->loop, &wait->timer, mono_add(now, US_PER_MS), bench_look,
					 wait), 0);
}

static inline void bench_wait(struct store_bench *bench, bool (*is_so)(struct store_bench *bench))
{
	struct store_wait wait = { .bench = bench, .is_so = is_so,
		.patience = mono_add(mono_now(), STORE_PATIENCE) };

	bench_look(&wait);
	loop_run_until(bench->loop, &wait.is_over);
	assert_true(wait.is_over);
}

static inline bool bench_is_ready(struct store_bench *bench)
{
	return bench->ready_count > 0;
}

static inline bool bench_is_in_trouble(struct store_bench *bench)
{
	struct store_state state;

	store_read_state(bench->store, &state);
	return state.condition == STORE_IN_TROUBLE;
}

static inline bool bench_has_answer(struct store_bench *bench)
{
	return bench->answers > 0;
}

static inline void bench_open(struct store_bench *bench)
{
	struct store_options options = bench_store_options(bench);

	bench_start(bench, &options);
	bench_wait(bench, bench_is_ready);
}

/* ---- asking ---------------------------------------------------------------------------------- */

static inline void bench_on_synced(void *user, bool is_written)
{
	struct store_bench *bench = user;

	bench->answers++;
	bench->is_written = is_written;
}

/* Whether all that was asked for is written. */
static inline bool bench_sync(struct store_bench *bench)
{
	bench->answers = 0;
	assert_true(store_sync(bench->store, bench_on_synced, bench));
	assert_int_equal(bench->answers, 0); /* never from inside the call */
	bench_wait(bench, bench_has_answer);
	return bench->is_written;
}

static inline bool bench_close(struct store_bench *bench)
{
	bench->answers = 0;
	store_close(bench->store, bench_on_synced, bench);
	assert_int_equal(bench->answers, 0);
	bench_wait(bench, bench_has_answer);
	store_free(bench->store);
	bench->store = NULL;
	return bench->is_written;
}

static inline void bench_on_page(void *user, const struct store_page *page)
{
	struct store_bench *bench = user;
	struct datum **last = &bench->read;

	bench->answers++;
	bench->has_page = page != NULL;
	if (!page)
		return;
	while (*last)
		last = &(*last)->next;
	*last = page->first;
	bench->page = *page;
}

static inline void bench_read(struct store_bench *bench, int64_t from_id, int64_t to_id)
{
	bench->answers = 0;
	assert_true(store_read(bench->store, from_id, to_id, bench_on_page, bench));
	bench_wait(bench, bench_has_answer);
}

static inline size_t bench_free_read(struct store_bench *bench)
{
	size_t count = 0;

	while (bench->read) {
		struct datum *next = bench->read->next;

		datum_free(bench->read);
		bench->read = next;
		count++;
	}
	return count;
}

/* A datum of three samples, under the next id. */
static inline struct datum *bench_datum(struct store_bench *bench, double value)
{
	struct datum *datum = datum_new("Latency", DATUM_UNIT_MILLISECONDS, bench->set,
		(struct wall){ 1764090000 * US_PER_S }, 60, 2);

	assert_non_null(datum);
	datum->values[0] = value;
	datum->counts[0] = 1;
	datum->values[1] = value + 0.5;
	datum->counts[1] = 2;
	datum->id = bench->next_id++;
	return datum;
}

static inline void bench_put(struct store_bench *bench, double first_value, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct datum *datum = bench_datum(bench, first_value + (double)i);

		assert_true(store_put(bench->store, datum));
		datum_free(datum);
	}
}

static inline void bench_on_samples(void *user, const struct store_sample *samples, size_t count)
{
	struct store_bench *bench = user;

	bench->answers++;
	bench->has_all_samples = count == 0;
	assert_true(bench->sample_count + count <= 2 * STORE_PAGE_SAMPLES);
	if (count > 0)
		memcpy(bench->samples + bench->sample_count, samples, count * sizeof *samples);
	bench->sample_count += count;
}

/* All samples that an earlier store left without a window. */
static inline void bench_read_samples(struct store_bench *bench)
{
	bench->sample_count = 0;
	do {
		bench->answers = 0;
		assert_true(store_read_samples(bench->store, bench_on_samples, bench));
		bench_wait(bench, bench_has_answer);
	} while (!bench->has_all_samples);
}

static inline void bench_on_kept(void *user, bool is_kept, uint64_t datums, double samples)
{
	struct store_bench *bench = user;

	bench->answers++;
	bench->is_written = is_kept;
	bench->kept_datums = datums;
	bench->kept_samples = samples;
}

/* ---- the file, seen from outside ------------------------------------------------------------- */

/* Runs SQL on the closed file; the first number of the first row, or 0. */
static inline int64_t bench_sql(const struct store_bench *bench, const char *sql)
{
	sqlite3 *handle = NULL;
	sqlite3_stmt *statement = NULL;
	int64_t number = 0;

	assert_int_equal(sqlite3_open(bench->file, &handle), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(handle, sql, -1, &statement, NULL), SQLITE_OK);
	if (sqlite3_step(statement) == SQLITE_ROW)
		number = sqlite3_column_int64(statement, 0);
	assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
	assert_int_equal(sqlite3_close(handle), SQLITE_OK);
	return number;
}

static inline void bench_remove(const struct store_bench *bench, const char *name)
{
	char path[160];

	(void)snprintf(path, sizeof path, "%s/%s", bench->folder, name);
	(void)unlink(path);
}

/* How often a text stands in the log. */
static inline unsigned bench_logged(struct store_bench *bench, const char *text)
{
	char line[4096];
	unsigned times = 0;

	log_flush_repeats();
	rewind(bench->log);
	while (fgets(line, sizeof line, bench->log))
		times += strstr(line, text) != NULL;
	return times;
}

static inline void bench_done(struct store_bench *bench)
{
	static const char *const names[] = { "store.db", "store.db-wal", "store.db-journal", "store.db.behind", "store.db.aside-1",
		"store.db.aside-2", "store.db.aside-3", "store.db.aside-1-wal", "store.db.aside-2-wal",
		"store.db.aside-3-wal" };

	store_free(bench->store);
	(void)bench_free_read(bench);
	assert_int_equal(bench->set->references, 1);
	dimension_set_drop(bench->set);
	loop_free(bench->loop);
	log_flush_repeats();
	log_start(2, LOG_LEVEL_INFO);
	(void)fclose(bench->log);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		bench_remove(bench, names[i]);
	assert_int_equal(rmdir(bench->folder), 0); /* nothing else was written */
}

#endif
