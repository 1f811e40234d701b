/* SPDX-License-Identifier: Apache-2.0 */
/* store_internal: what the files of this room share. store.c lives on the loop: it notes what is asked for
 * (store_ask.c) and hands lots over. store_database.c, store_outbox.c and store_samples.c live on the writer's thread; only one
 * lot is there at a time, so nothing of theirs needs a lock. store_record.c turns datums into what travels
 * between the two. */
#ifndef LATTICE_PROBE_STORE_INTERNAL_H
#define LATTICE_PROBE_STORE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

#include "lattice-probe/store.h"

/* ---- store_record: a datum as bytes; no pointer into the loop's world ---- */

struct store_record {
	struct store_record *next;
	int64_t id;
	const char *metric;          /* static; NULL in a row that names none we know */
	enum datum_unit unit;
	int storage_resolution_s;
	int64_t timestamp_us;
	double samples;
	size_t dimensions_bytes;     /* "Name\0Value\0…" */
	size_t numbers_bytes;        /* values, then counts, as doubles of this machine */
	unsigned char bytes[];
};

/* NULL: no memory. Freed with free. */
struct store_record *store_record_new(const struct datum *datum);

/* Gives the datum; ERR_NOMEM, or any other: it makes no sense. */
int store_record_read(const struct store_record *record, struct datum **ret_datum);

/* What a datum costs in the outbox, its row included; the same for a datum and what is read back. */
int64_t store_record_cost_bytes(const struct datum *datum);

/* ---- a lot ---- */

enum store_task {
	STORE_TASK_PUT,
	STORE_TASK_MARK,
	STORE_TASK_REMOVE,
	STORE_TASK_READ,
	STORE_TASK_KEEP,
	STORE_TASK_ADD_SAMPLE,
	STORE_TASK_COVER,
	STORE_TASK_READ_SAMPLES,
	STORE_TASK_SYNC
};

/* One thing asked for. The writer looks at neither `user` nor the callbacks. */
struct store_op {
	struct store_op *next;
	enum store_task task;
	int64_t from;                  /* an id, or an instant, or, of a mark, 1 for in flight */
	int64_t to;
	struct store_record *record;   /* owned; of a put */
	struct store_sample *samples;  /* owned; one of an add, many of a read */
	size_t sample_count;
	struct store_record *found;    /* owned; of a read */
	uint64_t unreadable;
	double unreadable_samples;
	int64_t last_id;               /* of a read */
	bool is_end;
	uint64_t kept_datums;
	double kept_samples;

	void *user;
	void (*synced)(void *user, bool is_written);
	void (*read)(void *user, const struct store_page *page);
	void (*kept)(void *user, bool is_kept, uint64_t datums, double samples);
	void (*samples_read)(void *user, const struct store_sample *samples, size_t count);
};

void store_op_free(struct store_op *op);
void store_op_free_all(struct store_op *first);

/* ---- store: what store_ask.c needs of it ---- */

/* Takes the op (NULL: there was no memory for it). False: it was not noted, nobody will be told. */
bool store_ask(struct store *store, struct store_op *op);
bool store_is_crowded(const struct store *store); /* so much is pending that datums have to stay where they are */
void store_count_outbox(struct store *store, int64_t bytes);
int64_t store_samples_read_to(const struct store *store);

enum store_end {
	STORE_END_OK,
	STORE_END_TROUBLE,
	STORE_END_CORRUPT  /* the file is no use */
};

/* ---- store_database: the file ---- */

struct store_facts { /* of a file just opened */
	struct store_ready ready;
	int64_t outbox_bytes;
	char set_aside[STORE_WHY_SIZE]; /* why a file was set aside; "" none was */
};

struct store_database;

/* Opens nothing yet. NULL: no memory. */
struct store_database *store_database_new(const struct store_options *options);
void store_database_free(struct store_database *database); /* closes; NULL is fine */
const char *store_database_path(const struct store_database *database);

/* On the writer's thread, one at a time. `ret_why` is filled on another end than OK. */
enum store_end store_database_open(struct store_database *database, bool is_corrupt,
	struct store_facts *ret_facts, char ret_why[static STORE_WHY_SIZE]);
enum store_end store_database_run(struct store_database *database, struct store_op *ops,
	int64_t *ret_file_bytes, char ret_why[static STORE_WHY_SIZE]);
void store_database_close(struct store_database *database);

/* ---- the tasks; each returns an SQLite result code, SQLITE_OK when done ---- */

enum store_statement {
	STORE_SQL_PUT,
	STORE_SQL_MARK,
	STORE_SQL_REMOVE,
	STORE_SQL_READ,
	STORE_SQL_KEEP,
	STORE_SQL_SUM,
	STORE_SQL_UNMARK_ALL,
	STORE_SQL_ADD_SAMPLE,
	STORE_SQL_COVER,
	STORE_SQL_COVER_ALL,
	STORE_SQL_READ_SAMPLES,
	STORE_SQL_LAST_SAMPLE,
	STORE_SQL_PRUNE_OLD,
	STORE_SQL_PRUNE_MANY,
	STORE_SQL_COUNT
};

/* The prepared statement, reset and unbound; NULL: it could not be prepared. */
sqlite3_stmt *store_database_statement(struct store_database *database, enum store_statement which);

/* Steps a statement that returns no row. */
int store_database_step(struct store_database *database, sqlite3_stmt *statement);

/* Of the ids: what is added to ours for those of the file. */
int64_t store_database_base(const struct store_database *database);

/* Of the samples: the last one that an earlier process left. */
int64_t store_database_samples_base(const struct store_database *database);

int store_outbox_run(struct store_database *database, struct store_op *op);
int store_outbox_sum(struct store_database *database, struct store_ready *ret_ready, int64_t *ret_bytes);

int store_samples_run(struct store_database *database, struct store_op *op);

/* Removes what is too old and has had its window, and what is too much; a bounded number of rows. */
int store_samples_prune(struct store_database *database, struct wall before, int64_t samples_max_bytes);

#endif
