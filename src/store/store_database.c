/* SPDX-License-Identifier: Apache-2.0 */
/* The file: its making, its being set aside, and one lot as one transaction.
 *
 * locking_mode = EXCLUSIVE: a second process is refused for as long as we live, and the index of the WAL is
 * in our memory, not in a mapped file that a full disk could take from under us.
 *
 * A commit that fails leaves the file behind what the process goes on to deliver from memory. So an empty file,
 * store.db.behind, is put beside it (that needs no room) until a commit succeeds. Who finds it at the start
 * counts the whole outbox as in doubt, and takes the samples' windows for published. */
#include "store_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SCHEMA_VERSION 1
#define FILE_MODE 0600
#define ASIDE_MAX 3
#define LOCK_PATIENCE_MS 1000 /* the process before this one may still be closing */
#define PRUNE_EVERY_US (2 * US_PER_S)
#define PAGE_BYTES 4096
#define FILE_NAME "store.db"

struct store_database {
	char *path;
	char *behind_path;
	bool is_behind;
	char *agent_id;
	int64_t retention_us;
	int64_t samples_max_bytes;
	int64_t file_max_bytes;
	sqlite3 *handle;
	sqlite3_stmt *statements[STORE_SQL_COUNT];
	bool has_base;
	int64_t base;
	int64_t samples_base;
	struct mono pruned;
};

static const char *const sql[STORE_SQL_COUNT] = {
	[STORE_SQL_PUT] = "INSERT OR REPLACE INTO outbox (id, timestamp_us, samples, metric, unit, resolution_s, "
			  "dimensions, numbers) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	[STORE_SQL_MARK] = "UPDATE outbox SET in_flight = ?1 WHERE id = ?2",
	[STORE_SQL_REMOVE] = "DELETE FROM outbox WHERE id = ?1",
	[STORE_SQL_READ] = "SELECT id, timestamp_us, samples, metric, unit, resolution_s, dimensions, numbers "
			   "FROM outbox WHERE id BETWEEN ?1 AND ?2 ORDER BY id LIMIT ?3",
	[STORE_SQL_KEEP] = "DELETE FROM outbox WHERE id NOT BETWEEN ?1 AND ?2",
	[STORE_SQL_SUM] = "SELECT count(*), coalesce(sum(samples), 0), "
			  "coalesce(sum(CASE WHEN in_flight THEN samples ELSE 0 END), 0), coalesce(min(id), 0), "
			  "coalesce(max(id), 0), "
			  "coalesce(sum(48 + length(metric) + length(dimensions) + length(numbers)), 0) FROM outbox",
	[STORE_SQL_UNMARK_ALL] = "UPDATE outbox SET in_flight = 0 WHERE in_flight <> 0",
	[STORE_SQL_ADD_SAMPLE] = "INSERT INTO samples (probe, is_tls, scheduled_us, outcome, marks, dns_us, connect_us, "
				 "tls_us, first_byte_us, transfer_us, total_us, tcp_retransmits, dns_retransmits, "
				 "certificate_days, status) "
				 "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
	[STORE_SQL_COVER] = "UPDATE samples SET is_covered = 1 WHERE is_covered = 0 AND scheduled_us >= ?1 "
			    "AND scheduled_us < ?2 AND (id <= ?3 OR id > ?4)",
	[STORE_SQL_COVER_ALL] = "UPDATE samples SET is_covered = 1 WHERE is_covered = 0",
	[STORE_SQL_READ_SAMPLES] = "SELECT id, probe, is_tls, scheduled_us, outcome, marks, dns_us, connect_us, tls_us, "
				   "first_byte_us, transfer_us, total_us, tcp_retransmits, dns_retransmits, "
				   "certificate_days, status FROM samples "
				   "WHERE is_covered = 0 AND id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3",
	[STORE_SQL_LAST_SAMPLE] = "SELECT coalesce(max(id), 0) FROM samples",
	[STORE_SQL_PRUNE_OLD] = "DELETE FROM samples WHERE id IN (SELECT id FROM (SELECT id, scheduled_us, is_covered "
				"FROM samples ORDER BY id LIMIT ?2) WHERE scheduled_us < ?1 AND is_covered = 1)",
	[STORE_SQL_PRUNE_MANY] = "DELETE FROM samples WHERE id <= (SELECT max(id) FROM samples) - ?1 "
				 "AND id IN (SELECT id FROM samples ORDER BY id LIMIT ?2)",
};

/* auto_vacuum has to be said before the first table. */
static const char pragmas[] =
	"PRAGMA locking_mode = EXCLUSIVE; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; "
	"PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 1000; PRAGMA journal_size_limit = 4194304; "
	"PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;";

static const char schema[] =
	"CREATE TABLE agent (id TEXT NOT NULL); "
	"CREATE TABLE outbox (id INTEGER PRIMARY KEY, timestamp_us INTEGER NOT NULL, samples REAL NOT NULL, "
	"in_flight INTEGER NOT NULL DEFAULT 0, metric TEXT NOT NULL, unit INTEGER NOT NULL, "
	"resolution_s INTEGER NOT NULL, dimensions BLOB NOT NULL, numbers BLOB NOT NULL); "
	"CREATE TABLE samples (id INTEGER PRIMARY KEY, probe TEXT NOT NULL, is_tls INTEGER NOT NULL, "
	"scheduled_us INTEGER NOT NULL, outcome TEXT NOT NULL, marks INTEGER NOT NULL, dns_us INTEGER NOT NULL, "
	"connect_us INTEGER NOT NULL, tls_us INTEGER NOT NULL, first_byte_us INTEGER NOT NULL, "
	"transfer_us INTEGER NOT NULL, total_us INTEGER NOT NULL, tcp_retransmits INTEGER NOT NULL, "
	"dns_retransmits INTEGER NOT NULL, certificate_days INTEGER NOT NULL, status INTEGER NOT NULL, "
	"is_covered INTEGER NOT NULL DEFAULT 0); "
	"CREATE INDEX samples_open ON samples (scheduled_us) WHERE is_covered = 0; "
	"PRAGMA user_version = 1;";

/* ---- statements ------------------------------------------------------------------------------ */

sqlite3_stmt *store_database_statement(struct store_database *database, enum store_statement which)
{
	sqlite3_stmt **statement = &database->statements[which];

	if (!*statement && sqlite3_prepare_v3(database->handle, sql[which], -1, SQLITE_PREPARE_PERSISTENT, statement,
			NULL) != SQLITE_OK)
		return NULL;
	(void)sqlite3_reset(*statement);
	return *statement;
}

int store_database_step(struct store_database *database, sqlite3_stmt *statement)
{
	int code = sqlite3_step(statement);

	(void)database;
	(void)sqlite3_reset(statement);
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

int64_t store_database_base(const struct store_database *database)
{
	return database->base;
}

int64_t store_database_samples_base(const struct store_database *database)
{
	return database->samples_base;
}

static int execute(struct store_database *database, const char *text)
{
	return sqlite3_exec(database->handle, text, NULL, NULL, NULL);
}

/* One number; *ret_number untouched on failure. */
static int ask(struct store_database *database, const char *text, int64_t *ret_number)
{
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(database->handle, text, -1, &statement, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	if (code == SQLITE_ROW)
		*ret_number = sqlite3_column_int64(statement, 0);
	(void)sqlite3_finalize(statement);
	return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

/* ---- what a code means ----------------------------------------------------------------------- */

static enum store_end end_of(struct store_database *database, int code, char ret_why[static STORE_WHY_SIZE])
{
	/* The statement that failed may have lost the code to a later reset. */
	int told = database->handle ? sqlite3_errcode(database->handle) : code;

	if (code == SQLITE_OK)
		return STORE_END_OK;
	code &= 0xff;
	if (code == SQLITE_ERROR && told != SQLITE_OK)
		code = told & 0xff;
	if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
		(void)snprintf(ret_why, STORE_WHY_SIZE, "another process uses it");
	else
		(void)snprintf(ret_why, STORE_WHY_SIZE, "%s", sqlite3_errstr(code));
	/* ERROR: the statements are ours and right, so the tables are not what they should be. */
	return code == SQLITE_CORRUPT || code == SQLITE_NOTADB || code == SQLITE_ERROR ? STORE_END_CORRUPT :
										       STORE_END_TROUBLE;
}

/* ---- setting aside --------------------------------------------------------------------------- */

static void move(const struct store_database *database, int from, int to, const char *suffix)
{
	char old[4096];
	char new[4096];

	if (from == 0)
		(void)snprintf(old, sizeof old, "%s%s", database->path, suffix);
	else
		(void)snprintf(old, sizeof old, "%s.aside-%d%s", database->path, from, suffix);
	(void)snprintf(new, sizeof new, "%s.aside-%d%s", database->path, to, suffix);
	if (rename(old, new) != 0 && errno == ENOENT)
		(void)unlink(new); /* a WAL of an older file must not meet this one */
}

/* The newest becomes number 1; the oldest of ASIDE_MAX goes. False: it is still there. */
static bool set_aside(struct store_database *database)
{
	store_database_close(database);
	for (int number = ASIDE_MAX - 1; number >= 0; number--) {
		move(database, number, number + 1, "-wal");
		move(database, number, number + 1, "");
	}
	return access(database->path, F_OK) != 0 && errno == ENOENT;
}

/* ---- opening --------------------------------------------------------------------------------- */

/* SQLite would make the file with the umask's mode, and says less about why it cannot. */
static bool make_file(const struct store_database *database, char ret_why[static STORE_WHY_SIZE])
{
	int fd = open(database->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);

	if (fd < 0) {
		(void)snprintf(ret_why, STORE_WHY_SIZE, "%s",
			errno == ENOENT ? "the directory does not exist" : strerror(errno));
		return false;
	}
	(void)close(fd);
	return true;
}

static int connect_file(struct store_database *database)
{
	char bound[64];
	int code = sqlite3_open_v2(database->path, &database->handle,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, NULL);

	if (code != SQLITE_OK)
		return code;
	(void)sqlite3_busy_timeout(database->handle, LOCK_PATIENCE_MS);
	code = execute(database, pragmas);
	if (code != SQLITE_OK)
		return code;
	(void)snprintf(bound, sizeof bound, "PRAGMA max_page_count = %" PRId64, database->file_max_bytes / PAGE_BYTES);
	return execute(database, bound);
}

static int make_tables(struct store_database *database)
{
	sqlite3_stmt *statement = NULL;
	int code = execute(database, schema);

	if (code == SQLITE_OK)
		code = sqlite3_prepare_v2(database->handle, "INSERT INTO agent (id) VALUES (?1)", -1, &statement, NULL);
	if (code == SQLITE_OK) {
		(void)sqlite3_bind_text(statement, 1, database->agent_id, -1, SQLITE_STATIC);
		code = store_database_step(database, statement);
	}
	(void)sqlite3_finalize(statement);
	return code;
}

static int is_ours(struct store_database *database, bool *ret_is_ours)
{
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(database->handle, "SELECT id FROM agent", -1, &statement, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	if (code == SQLITE_ROW) {
		const char *id = (const char *)sqlite3_column_text(statement, 0);

		*ret_is_ours = id && strcmp(id, database->agent_id) == 0;
	}
	(void)sqlite3_finalize(statement);
	return code == SQLITE_ROW ? SQLITE_OK : code == SQLITE_DONE ? SQLITE_CORRUPT : code;
}

/* Within a transaction. *ret_strange: why the file is not to be used. */
static int check_file(struct store_database *database, const char **ret_strange)
{
	int64_t version = 0;
	bool ours = false;
	int code = ask(database, "PRAGMA user_version", &version);

	if (code == SQLITE_OK && version == 0)
		return make_tables(database);
	if (code == SQLITE_OK && version != SCHEMA_VERSION) {
		*ret_strange = "it was written by a newer version";
		return SQLITE_OK;
	}
	if (code == SQLITE_OK)
		code = is_ours(database, &ours);
	if (code == SQLITE_OK && !ours)
		*ret_strange = "it belongs to another agent";
	return code;
}

static int64_t larger(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int read_facts(struct store_database *database, struct store_facts *facts)
{
	sqlite3_stmt *unmark;
	int64_t first_base = 0;
	int code = ask(database, "SELECT coalesce(max(id), 0) FROM outbox", &first_base);

	if (code != SQLITE_OK)
		return code;
	database->is_behind = access(database->behind_path, F_OK) == 0;
	if (!database->has_base)
		database->base = larger(first_base, 0);
	code = store_outbox_sum(database, &facts->ready, &facts->outbox_bytes);
	if (code == SQLITE_OK && database->is_behind) {
		facts->ready.in_doubt_samples = facts->ready.outbox_samples;
		code = execute(database, sql[STORE_SQL_COVER_ALL]);
	}
	if (code == SQLITE_OK)
		code = ask(database, sql[STORE_SQL_LAST_SAMPLE], &database->samples_base);
	unmark = code == SQLITE_OK ? store_database_statement(database, STORE_SQL_UNMARK_ALL) : NULL;
	return unmark ? store_database_step(database, unmark) : code == SQLITE_OK ? SQLITE_ERROR : code;
}

/* One attempt. */
static int open_once(struct store_database *database, struct store_facts *facts, const char **ret_strange)
{
	int code = connect_file(database);

	if (code == SQLITE_OK)
		code = execute(database, "BEGIN IMMEDIATE");
	if (code == SQLITE_OK)
		code = check_file(database, ret_strange);
	if (code == SQLITE_OK && !*ret_strange)
		code = read_facts(database, facts);
	if (code == SQLITE_OK && !*ret_strange)
		code = execute(database, "COMMIT");
	return code;
}

enum store_end store_database_open(struct store_database *database, bool is_corrupt,
	struct store_facts *ret_facts, char ret_why[static STORE_WHY_SIZE])
{
	const char *strange = is_corrupt ? "it is corrupt" : NULL;
	enum store_end end;

	*ret_facts = (struct store_facts){ 0 };
	store_database_close(database);
	for (int attempt = 0; attempt < 2; attempt++) {
		if (strange) {
			(void)snprintf(ret_facts->set_aside, sizeof ret_facts->set_aside, "%s", strange);
			if (!set_aside(database)) {
				(void)snprintf(ret_why, STORE_WHY_SIZE, "%s, and cannot be renamed: %s", strange, strerror(errno));
				return STORE_END_TROUBLE;
			}
		}
		strange = NULL;
		if (!make_file(database, ret_why))
			return STORE_END_TROUBLE;
		end = end_of(database, open_once(database, ret_facts, &strange), ret_why);
		if (end == STORE_END_CORRUPT)
			strange = "it is corrupt";
		if (!strange)
			break;
	}
	if (end == STORE_END_OK)
		database->has_base = true;
	else
		store_database_close(database);
	return end;
}

static void set_behind(struct store_database *database)
{
	int fd = open(database->behind_path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);

	if (fd >= 0)
		(void)close(fd);
	database->is_behind = true;
}

static void clear_behind(struct store_database *database)
{
	if (database->is_behind)
		(void)unlink(database->behind_path);
	database->is_behind = false;
}

/* ---- a lot ----------------------------------------------------------------------------------- */

static int run_ops(struct store_database *database, struct store_op *ops)
{
	int code = SQLITE_OK;

	for (struct store_op *op = ops; op && code == SQLITE_OK; op = op->next) {
		code = store_outbox_run(database, op);
		if (code == SQLITE_OK)
			code = store_samples_run(database, op);
	}
	return code;
}

static int prune(struct store_database *database)
{
	struct mono now = mono_now();
	int code;

	if (mono_is_set(database->pruned) && mono_since(now, database->pruned) < PRUNE_EVERY_US)
		return SQLITE_OK;
	database->pruned = now;
	code = store_samples_prune(database, wall_add(wall_now(), -database->retention_us), database->samples_max_bytes);
	return code == SQLITE_OK ? execute(database, "PRAGMA incremental_vacuum(256)") : code;
}

enum store_end store_database_run(struct store_database *database, struct store_op *ops,
	int64_t *ret_file_bytes, char ret_why[static STORE_WHY_SIZE])
{
	int64_t pages = 0;
	enum store_end end;
	int code = database->handle ? execute(database, "BEGIN IMMEDIATE") : SQLITE_CANTOPEN;

	if (code == SQLITE_OK)
		code = run_ops(database, ops);
	if (code == SQLITE_OK)
		code = prune(database);
	if (code == SQLITE_OK)
		code = execute(database, "COMMIT");
	end = end_of(database, code, ret_why);
	if (end != STORE_END_OK) {
		store_database_close(database); /* which rolls back */
		set_behind(database);
		return end;
	}
	clear_behind(database);
	(void)ask(database, "PRAGMA page_count", &pages);
	*ret_file_bytes = pages * PAGE_BYTES;
	return end;
}

/* ---- making and closing ---------------------------------------------------------------------- */

void store_database_close(struct store_database *database)
{
	for (size_t i = 0; i < STORE_SQL_COUNT; i++) {
		(void)sqlite3_finalize(database->statements[i]);
		database->statements[i] = NULL;
	}
	if (database->handle)
		(void)sqlite3_close(database->handle);
	database->handle = NULL;
}

static char *join(const char *directory, const char *name)
{
	size_t size = strlen(directory) + strlen(name) + 2;
	char *path = malloc(size);

	if (path)
		(void)snprintf(path, size, "%s/%s", directory, name);
	return path;
}

struct store_database *store_database_new(const struct store_options *options)
{
	struct store_database *database = calloc(1, sizeof *database);

	if (!database)
		return NULL;
	database->retention_us = options->retention_us;
	database->samples_max_bytes = options->samples_max_bytes;
	database->file_max_bytes = options->file_max_bytes ? options->file_max_bytes :
		2 * (options->samples_max_bytes + options->outbox_max_bytes);
	database->path = join(options->directory, FILE_NAME);
	database->behind_path = join(options->directory, FILE_NAME ".behind");
	database->agent_id = strdup(options->agent_id);
	if (!database->path || !database->behind_path || !database->agent_id)
		goto fail;
	return database;
fail:
	store_database_free(database);
	return NULL;
}

void store_database_free(struct store_database *database)
{
	if (!database)
		return;
	store_database_close(database);
	free(database->path);
	free(database->behind_path);
	free(database->agent_id);
	free(database);
}

const char *store_database_path(const struct store_database *database)
{
	return database->path;
}
