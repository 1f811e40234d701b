/* SPDX-License-Identifier: Apache-2.0 */
/* store: what must outlive the process, in an SQLite file STATE_DIRECTORY/store.db: the outbox (datums that
 * CloudWatch has not accepted yet) and the samples (each run in short: those of windows still open, to build
 * these anew after a kill, and recent history). Owns the file and the one writer; borrows the loop.
 *
 * The loop never waits for the disk. What is asked for is noted and handed to the loop's thread pool at most
 * commit_us later, at once when somebody waits for an answer, never while an earlier lot is being written.
 * One lot is one transaction, and nothing is handed over from inside a call: what one callback of the loop
 * asks for (a window's datums, and that its samples are covered) is there after a kill as a whole or not at
 * all.
 *
 * What holds: after SIGKILL everything handed over is there, because each lot is written to the WAL before
 * its end is told (synchronous = NORMAL: a commit is a write, the disk is synced at checkpoints). After a
 * power cut the file is sound, but the last lots, those the kernel had not written yet, may be missing.
 *
 * A store in trouble (no directory, no permission, a full disk, another process, a disk that hangs) takes
 * nothing and is tried again every retry_us; a file that is corrupt, newer than this program, or of another
 * agent (a machine image) is renamed to store.db.aside-1, at most three are kept, and a new one begun. The
 * store says so itself, once; whoever uses it goes on in memory.
 *
 * Datums are known by `id`: positive and ascending in this process; those that an earlier one left have
 * lower ids. */
#ifndef LATTICE_PROBE_STORE_H
#define LATTICE_PROBE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lattice-probe/datum.h"
#include "lattice-probe/result.h"
#include "lattice-probe/target.h"
#include "lattice-probe/units.h"

struct loop;
struct store;

#define STORE_PAGE_DATUMS 500
#define STORE_PAGE_SAMPLES 500
#define STORE_WHY_SIZE 160

struct store_options {
	const char *directory;     /* copied; must exist */
	const char *agent_id;      /* copied */
	int64_t retention_us;      /* age at which samples go */
	int64_t samples_max_bytes; /* size at which the oldest go */
	int64_t outbox_max_bytes;  /* for store_outbox_is_full */
	/* For tests; 0 means the default. */
	int64_t commit_us;         /* 500 ms */
	int64_t retry_us;          /* 60 s */
	int64_t stall_us;          /* 5 s: a lot that takes longer means trouble */
	int64_t file_max_bytes;    /* SQLite's own bound of the file; twice what the two sizes ask for */
};

/* What an opened file holds. */
struct store_ready {
	bool is_first;             /* the first time in this process: what it holds is an earlier one's */
	bool is_after_trouble;     /* what was asked for before may not be in it */
	uint64_t outbox_datums;
	double outbox_samples;
	double in_doubt_samples;   /* of those: under way when the process before this one was killed */
	int64_t first_id;          /* of the outbox; meaningless when it is empty */
	int64_t last_id;
};

enum store_condition { STORE_OPENING, STORE_WORKING, STORE_IN_TROUBLE };

struct store_state {
	enum store_condition condition;
	const char *path;          /* of the file; borrowed from the store */
	const char *why;           /* in trouble: what it is; borrowed; else "" */
	int64_t file_bytes;        /* at the last commit */
	int64_t outbox_bytes;
	uint64_t commits;
	uint64_t troubles;
	uint64_t set_aside;        /* files */
};

/* Begins to open; asked for in the meantime is taken. NULL: no memory. */
struct store *store_new(struct loop *loop, const struct store_options *options);

/* Whoever waits for the file; at most two, before the loop turns. `ready` runs each time it works. */
void store_listen(struct store *store, void (*ready)(void *user, const struct store_ready *ready), void *user);

/* Opening or working: it takes what is asked for. */
bool store_takes(const struct store *store);
void store_read_state(const struct store *store, struct store_state *ret_state);

/* Callbacks given to the calls below with that user will not run. */
void store_cancel(struct store *store, const void *user);

/* Writes what was asked for and closes. `closed` runs once, never from inside this call; false: not all of
 * it could be written. Nothing is taken any more. */
void store_close(struct store *store, void (*closed)(void *user, bool is_written), void *user);

/* What was not written yet is lost, as by a kill. NULL is fine. */
void store_free(struct store *store);

/* ---- the outbox ---- */

/* Notes the datum (copied) under datum->id. False, and nothing noted: in trouble, or more waits to be written
 * than memory should hold. */
bool store_put(struct store *store, const struct datum *datum);

/* That the datum is about to be sent, or is not any more. */
void store_mark(struct store *store, const struct datum *datum, bool is_in_flight);
void store_remove(struct store *store, const struct datum *datum);

/* Whether the outbox is larger than outbox_max_bytes. */
bool store_outbox_is_full(const struct store *store);

/* Calls back when all that was asked for before is written (true), or cannot be. Here and below: never from
 * inside the call, once; false: no memory, it will not call back. */
bool store_sync(struct store *store, void (*synced)(void *user, bool is_written), void *user);

struct store_page {
	struct datum *first;       /* given, linked; NULL: none */
	int64_t last_id;           /* of the last row read */
	bool is_end;               /* there is no further row up to to_id */
	uint64_t unreadable;       /* rows that made no sense; they are removed */
	double unreadable_samples;
};

/* Reads up to STORE_PAGE_DATUMS datums with from_id <= id <= to_id, ascending. page NULL: in trouble. */
bool store_read(struct store *store, int64_t from_id, int64_t to_id,
	void (*read)(void *user, const struct store_page *page), void *user);

/* After trouble: keeps from_id <= id <= to_id, removes all others, and calls back with what is left.
 * All samples count as covered: what they gave is in this process's windows. */
bool store_keep(struct store *store, int64_t from_id, int64_t to_id,
	void (*kept)(void *user, bool is_kept, uint64_t datums, double samples), void *user);

/* ---- the samples ---- */

struct store_sample {
	char probe[TARGET_NAME_MAX + 1];
	bool is_tls;
	struct result result;      /* without target; only what aggregate looks at is filled in */
};

void store_add_sample(struct store *store, const struct result *result);

/* The windows of [from, from + length_us) have become datums, those put before this call. */
void store_cover(struct store *store, struct wall from, int64_t length_us);

/* Reads the next samples, in the order of their coming, that an earlier process left without a window; as
 * long as more come, call again. `count` 0: there are no more, or trouble. Borrowed until the callback ends. */
bool store_read_samples(struct store *store,
	void (*read)(void *user, const struct store_sample *samples, size_t count), void *user);

#endif
