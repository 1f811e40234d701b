/* SPDX-License-Identifier: Apache-2.0 */
#include "store_internal.h"

#include <stdio.h>
#include <stdlib.h>

#define SAMPLE_BYTES 96  /* of a row with a name of usual length, its page's share of the tree included */
#define PRUNE_ROWS 5000  /* at a time: more than come in a second */

static void bind_times(sqlite3_stmt *statement, int column, const struct result *result)
{
	for (int phase = 0; phase < PHASE_COUNT; phase++)
		(void)sqlite3_bind_int64(statement, column + phase, result->phase_us[phase]);
	(void)sqlite3_bind_int64(statement, column + PHASE_COUNT, result->total_us);
}

static int add(struct store_database *database, const struct store_sample *sample)
{
	sqlite3_stmt *statement = store_database_statement(database, STORE_SQL_ADD_SAMPLE);
	const struct result *result = &sample->result;

	if (!statement)
		return SQLITE_ERROR;
	(void)sqlite3_bind_text(statement, 1, sample->probe, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int(statement, 2, sample->is_tls);
	(void)sqlite3_bind_int64(statement, 3, result->scheduled.us);
	(void)sqlite3_bind_text(statement, 4, outcome_name(result->outcome), -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(statement, 5, result->marks);
	bind_times(statement, 6, result);
	(void)sqlite3_bind_int(statement, 12, result->tcp_retransmits);
	(void)sqlite3_bind_int(statement, 13, result->dns_retransmits);
	(void)sqlite3_bind_int(statement, 14, result->certificate_days);
	(void)sqlite3_bind_int(statement, 15, result->status);
	return store_database_step(database, statement);
}

static int cover(struct store_database *database, const struct store_op *op)
{
	sqlite3_stmt *statement = store_database_statement(database, STORE_SQL_COVER);

	if (!statement)
		return SQLITE_ERROR;
	(void)sqlite3_bind_int64(statement, 1, op->from);
	(void)sqlite3_bind_int64(statement, 2, op->to);
	(void)sqlite3_bind_int64(statement, 3, op->last_id);
	(void)sqlite3_bind_int64(statement, 4, store_database_samples_base(database));
	return store_database_step(database, statement);
}

/* Columns as STORE_SQL_READ_SAMPLES has them. An outcome we do not know is OUTCOME_NONE. */
static void read_row(sqlite3_stmt *row, struct store_sample *ret_sample)
{
	const char *probe = (const char *)sqlite3_column_text(row, 1);
	const char *outcome = (const char *)sqlite3_column_text(row, 4);
	struct result *result = &ret_sample->result;

	(void)snprintf(ret_sample->probe, sizeof ret_sample->probe, "%s", probe ? probe : "");
	ret_sample->is_tls = sqlite3_column_int(row, 2) != 0;
	*result = (struct result){ .rcode = -1, .ttl_s = -1, .tcp_rtt_us = -1, .failed_us = PHASE_NONE };
	result->scheduled.us = sqlite3_column_int64(row, 3);
	result->start = result->scheduled;
	result->outcome = outcome_find(outcome ? outcome : "");
	result->marks = (unsigned)sqlite3_column_int(row, 5);
	for (int phase = 0; phase < PHASE_COUNT; phase++)
		result->phase_us[phase] = sqlite3_column_int64(row, 6 + phase);
	result->total_us = sqlite3_column_int64(row, 6 + PHASE_COUNT);
	result->tcp_retransmits = sqlite3_column_int(row, 12);
	result->dns_retransmits = sqlite3_column_int(row, 13);
	result->certificate_days = sqlite3_column_int(row, 14);
	result->status = sqlite3_column_int(row, 15);
}

static int read_page(struct store_database *database, struct store_op *op)
{
	sqlite3_stmt *statement = store_database_statement(database, STORE_SQL_READ_SAMPLES);
	int code;

	op->samples = calloc(STORE_PAGE_SAMPLES, sizeof *op->samples);
	if (!statement || !op->samples)
		return SQLITE_NOMEM;
	(void)sqlite3_bind_int64(statement, 1, op->from);
	(void)sqlite3_bind_int64(statement, 2, store_database_samples_base(database));
	(void)sqlite3_bind_int(statement, 3, STORE_PAGE_SAMPLES);
	for (code = sqlite3_step(statement); code == SQLITE_ROW; code = sqlite3_step(statement)) {
		op->last_id = sqlite3_column_int64(statement, 0);
		read_row(statement, &op->samples[op->sample_count++]);
	}
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

int store_samples_run(struct store_database *database, struct store_op *op)
{
	switch (op->task) {
	case STORE_TASK_ADD_SAMPLE: return add(database, op->samples);
	case STORE_TASK_COVER: return cover(database, op);
	case STORE_TASK_READ_SAMPLES: return read_page(database, op);
	case STORE_TASK_PUT:
	case STORE_TASK_MARK:
	case STORE_TASK_REMOVE:
	case STORE_TASK_READ:
	case STORE_TASK_KEEP:
	case STORE_TASK_SYNC:
	default: return SQLITE_OK;
	}
}

int store_samples_prune(struct store_database *database, struct wall before, int64_t samples_max_bytes)
{
	sqlite3_stmt *statement = store_database_statement(database, STORE_SQL_PRUNE_OLD);
	int code;

	if (!statement)
		return SQLITE_ERROR;
	(void)sqlite3_bind_int64(statement, 1, before.us);
	(void)sqlite3_bind_int(statement, 2, PRUNE_ROWS);
	code = store_database_step(database, statement);
	if (code != SQLITE_OK)
		return code;
	statement = store_database_statement(database, STORE_SQL_PRUNE_MANY);
	if (!statement)
		return SQLITE_ERROR;
	(void)sqlite3_bind_int64(statement, 1, samples_max_bytes / SAMPLE_BYTES);
	(void)sqlite3_bind_int(statement, 2, PRUNE_ROWS);
	return store_database_step(database, statement);
}
