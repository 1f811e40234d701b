/* SPDX-License-Identifier: Apache-2.0 */
#include "store_internal.h"

#include <stdlib.h>
#include <string.h>

#include "lattice-probe/metric.h"

static int put(struct store_database *database, const struct store_record *record)
{
	sqlite3_stmt *statement = store_database_statement(database, STORE_SQL_PUT);
	const unsigned char *numbers = record->bytes + record->dimensions_bytes;

	if (!statement)
		return SQLITE_ERROR;
	(void)sqlite3_bind_int64(statement, 1, record->id + store_database_base(database));
	(void)sqlite3_bind_int64(statement, 2, record->timestamp_us);
	(void)sqlite3_bind_double(statement, 3, record->samples);
	(void)sqlite3_bind_text(statement, 4, record->metric, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int(statement, 5, (int)record->unit);
	(void)sqlite3_bind_int(statement, 6, record->storage_resolution_s);
	(void)sqlite3_bind_blob64(statement, 7, record->bytes, record->dimensions_bytes, SQLITE_STATIC);
	(void)sqlite3_bind_blob64(statement, 8, numbers, record->numbers_bytes, SQLITE_STATIC);
	return store_database_step(database, statement);
}

static int remove_id(struct store_database *database, int64_t id)
{
	sqlite3_stmt *statement = store_database_statement(database, STORE_SQL_REMOVE);

	if (!statement)
		return SQLITE_ERROR;
	(void)sqlite3_bind_int64(statement, 1, id + store_database_base(database));
	return store_database_step(database, statement);
}

static int mark(struct store_database *database, const struct store_op *op)
{
	sqlite3_stmt *statement = store_database_statement(database, STORE_SQL_MARK);

	if (!statement)
		return SQLITE_ERROR;
	(void)sqlite3_bind_int64(statement, 1, op->from);
	(void)sqlite3_bind_int64(statement, 2, op->to + store_database_base(database));
	return store_database_step(database, statement);
}

/* ---- reading --------------------------------------------------------------------------------- */

static const char *known_metric(const char *name)
{
	for (unsigned id = 0; id < METRIC_COUNT; id++)
		if (name && strcmp(metric_get(id)->name, name) == 0)
			return metric_get(id)->name;
	return NULL;
}

/* Columns as STORE_SQL_READ has them. What is too long for a datum comes without its bytes. */
static struct store_record *read_row(sqlite3_stmt *row)
{
	size_t dimensions = (size_t)sqlite3_column_bytes(row, 6);
	size_t numbers = (size_t)sqlite3_column_bytes(row, 7);
	size_t dimensions_max = DATUM_DIMENSIONS_MAX * (DATUM_DIMENSION_NAME_MAX + DATUM_DIMENSION_VALUE_MAX + 2);
	bool is_too_long = dimensions > dimensions_max || numbers > 2 * DATUM_VALUES_MAX * sizeof(double);
	struct store_record *record;

	if (is_too_long)
		dimensions = numbers = 0;
	record = calloc(1, sizeof *record + dimensions + numbers);
	if (!record)
		return NULL;
	record->id = sqlite3_column_int64(row, 0);
	record->timestamp_us = sqlite3_column_int64(row, 1);
	record->samples = sqlite3_column_double(row, 2);
	record->metric = known_metric((const char *)sqlite3_column_text(row, 3));
	record->unit = (enum datum_unit)sqlite3_column_int(row, 4);
	record->storage_resolution_s = sqlite3_column_int(row, 5);
	record->dimensions_bytes = dimensions;
	record->numbers_bytes = numbers;
	if (dimensions > 0)
		memcpy(record->bytes, sqlite3_column_blob(row, 6), dimensions);
	if (numbers > 0)
		memcpy(record->bytes + dimensions, sqlite3_column_blob(row, 7), numbers);
	return record;
}

static int read_page(struct store_database *database, struct store_op *op)
{
	sqlite3_stmt *statement = store_database_statement(database, STORE_SQL_READ);
	int64_t base = store_database_base(database);
	struct store_record **last = &op->found;
	int rows = 0;
	int code;

	if (!statement)
		return SQLITE_ERROR;
	(void)sqlite3_bind_int64(statement, 1, op->from + base);
	(void)sqlite3_bind_int64(statement, 2, op->to + base);
	(void)sqlite3_bind_int(statement, 3, STORE_PAGE_DATUMS);
	for (code = sqlite3_step(statement); code == SQLITE_ROW; code = sqlite3_step(statement)) {
		*last = read_row(statement);
		if (!*last)
			return SQLITE_NOMEM;
		(*last)->id -= base;
		op->last_id = (*last)->id;
		last = &(*last)->next;
		rows++;
	}
	op->is_end = rows < STORE_PAGE_DATUMS;
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* ---- what there is --------------------------------------------------------------------------- */

int store_outbox_sum(struct store_database *database, struct store_ready *ret_ready, int64_t *ret_bytes)
{
	sqlite3_stmt *statement = store_database_statement(database, STORE_SQL_SUM);
	int64_t base = store_database_base(database);
	int code;

	if (!statement)
		return SQLITE_ERROR;
	code = sqlite3_step(statement);
	if (code != SQLITE_ROW)
		return code == SQLITE_DONE ? SQLITE_ERROR : code;
	ret_ready->outbox_datums = (uint64_t)sqlite3_column_int64(statement, 0);
	ret_ready->outbox_samples = sqlite3_column_double(statement, 1);
	ret_ready->in_doubt_samples = sqlite3_column_double(statement, 2);
	ret_ready->first_id = sqlite3_column_int64(statement, 3) - base;
	ret_ready->last_id = sqlite3_column_int64(statement, 4) - base;
	*ret_bytes = sqlite3_column_int64(statement, 5);
	(void)sqlite3_reset(statement);
	return SQLITE_OK;
}

static int keep(struct store_database *database, struct store_op *op)
{
	sqlite3_stmt *statement = store_database_statement(database, STORE_SQL_KEEP);
	struct store_ready left = { 0 };
	int64_t bytes;
	int code;

	if (!statement)
		return SQLITE_ERROR;
	(void)sqlite3_bind_int64(statement, 1, op->from + store_database_base(database));
	(void)sqlite3_bind_int64(statement, 2, op->to + store_database_base(database));
	code = store_database_step(database, statement);
	if (code == SQLITE_OK) {
		statement = store_database_statement(database, STORE_SQL_COVER_ALL);
		code = statement ? store_database_step(database, statement) : SQLITE_ERROR;
	}
	if (code == SQLITE_OK)
		code = store_outbox_sum(database, &left, &bytes);
	op->kept_datums = left.outbox_datums;
	op->kept_samples = left.outbox_samples;
	op->last_id = code == SQLITE_OK ? bytes : 0;
	return code;
}

int store_outbox_run(struct store_database *database, struct store_op *op)
{
	switch (op->task) {
	case STORE_TASK_PUT: return put(database, op->record);
	case STORE_TASK_MARK: return mark(database, op);
	case STORE_TASK_REMOVE: return remove_id(database, op->from);
	case STORE_TASK_READ: return read_page(database, op);
	case STORE_TASK_KEEP: return keep(database, op);
	case STORE_TASK_ADD_SAMPLE:
	case STORE_TASK_COVER:
	case STORE_TASK_READ_SAMPLES:
	case STORE_TASK_SYNC:
	default: return SQLITE_OK;
	}
}
