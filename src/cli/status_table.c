/* SPDX-License-Identifier: Apache-2.0 */
/* Who is ill comes first. Every value of the reply is looked at as a stranger's: what is not there or of
 * another type shows as nothing, and control characters never reach the terminal. */
#include "cli_internal.h"

#include <inttypes.h>
#include <string.h>

#include "lattice-probe/units.h"

#define NAME_COLUMNS 26    /* in 80; a wider terminal gives names the rest */
#define OTHER_COLUMNS 54
#define DETAIL_INDENT 4
#define FOOTER_ROWS 13     /* head, what was left out, an empty line, the agent's six, three of them folded, the cursor's */
#define WORDS_SIZE 1024
#define REFUSAL_SIZE (2 * WORDS_SIZE)

struct table {
	struct cli_text text;
	const json_t *probes;
	int64_t now_us;
	int name_columns;
	int rows_left;  /* INT32_MAX: as many as it takes */
	size_t left_out;
};

/* ---- values ------------------------------------------------------------------------------- */

static const char *words_of(const json_t *object, const char *key, const char *none, char ret_words[static WORDS_SIZE])
{
	const char *value = json_string_value(json_object_get(object, key));

	(void)snprintf(ret_words, WORDS_SIZE, "%s", value ? value : none);
	for (char *at = ret_words; *at; at++) {
		/* U+0080 to U+009F, which terminals obey like ESC and a letter. JSON's strings are UTF-8. */
		bool is_c1 = (unsigned char)at[0] == 0xc2 && (unsigned char)at[1] >= 0x80 && (unsigned char)at[1] <= 0x9f;

		if ((unsigned char)*at < 0x20 || *at == 0x7f || is_c1)
			*at = '?';
		if (is_c1)
			*++at = '?';
	}
	return ret_words;
}

static int64_t number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* "12.1"; "-" when there is none. */
static void format_ms(const json_t *us, char ret_text[static 32])
{
	if (json_is_integer(us))
		(void)snprintf(ret_text, 32, "%.1f", (double)json_integer_value(us) / (double)US_PER_MS);
	else
		(void)snprintf(ret_text, 32, "-");
}

static void format_age(int64_t age_s, char ret_text[static 32])
{
	if (age_s < 0)
		age_s = 0;
	if (age_s < 100)
		(void)snprintf(ret_text, 32, "%" PRId64 "s", age_s);
	else if (age_s < 100 * 60)
		(void)snprintf(ret_text, 32, "%" PRId64 "m", age_s / 60);
	else if (age_s < 100 * 3600)
		(void)snprintf(ret_text, 32, "%" PRId64 "h", age_s / 3600);
	else
		(void)snprintf(ret_text, 32, "%" PRId64 "d", age_s / 86400);
}

/* How long ago the instant under `key` is; "-" when there is none. */
static const char *age_of(const struct table *table, const json_t *object, const char *key, char ret_text[static 32])
{
	const char *at = json_string_value(json_object_get(object, key));
	struct wall instant;

	if (at && wall_parse_rfc3339(at, &instant) == 0)
		format_age((table->now_us - instant.us) / US_PER_S, ret_text);
	else
		(void)snprintf(ret_text, 32, "-");
	return ret_text;
}

static bool has_state(const json_t *probe, const char *state)
{
	const char *value = json_string_value(json_object_get(probe, "state"));

	return value && strcmp(value, state) == 0;
}

struct status_tally status_table_tally(const json_t *status)
{
	const json_t *probes = json_object_get(status, "probes");
	struct status_tally tally = { 0 };

	for (size_t i = 0; i < json_array_size(probes); i++) {
		const json_t *probe = json_array_get(probes, i);

		if (has_state(probe, "healthy"))
			tally.healthy++;
		else if (has_state(probe, "unhealthy"))
			tally.unhealthy++;
		else
			tally.unknown++;
	}
	return tally;
}

/* ---- lines -------------------------------------------------------------------------------- */

static int count_lines(const struct table *table, const char *words)
{
	int count = 0;

	while (*words) {
		words += cli_text_fitting(words, table->text.terminal->columns - DETAIL_INDENT);
		words += strspn(words, " ");
		count++;
	}
	return count;
}

/* False: there is no room for so many more lines. */
static bool take_rows(struct table *table, int count)
{
	if (table->rows_left < count)
		return false;
	if (table->rows_left != INT32_MAX)
		table->rows_left -= count;
	return true;
}

/* A long name keeps both ends: the last part tells instances apart. */
static void print_name(const struct table *table, const char *name)
{
	int length = (int)strlen(name);
	int room = table->name_columns;
	int head = (room - 3) / 2;

	if (length <= room)
		fprintf(table->text.stream, "%-*s ", room, name);
	else
		fprintf(table->text.stream, "%.*s...%s ", head, name, name + length - (room - 3 - head));
}

static void print_row(const struct table *table, const json_t *probe, const char *mark, const char *colour)
{
	FILE *stream = table->text.stream;
	char words[WORDS_SIZE];
	char p50[32];
	char p99[32];
	char age[32];
	char streak[32];

	format_ms(json_object_get(probe, "p50_us"), p50);
	format_ms(json_object_get(probe, "p99_us"), p99);
	(void)snprintf(streak, sizeof streak, "%" PRId64 "x", number_of(probe, "streak"));
	cli_text_colour(&table->text, colour);
	fprintf(stream, "%s ", mark);
	cli_text_colour(&table->text, "0");
	print_name(table, words_of(probe, "probe", "?", words));
	cli_text_colour(&table->text, colour);
	fprintf(stream, "%-19s", words_of(probe, "outcome", "-", words));
	cli_text_colour(&table->text, "0");
	fprintf(stream, "%7s %8s %8s %6s\n", streak, p50, p99, age_of(table, probe, "start", age));
}

/* The cause, or, until it is known, what the last run said. */
static void find_why(const struct table *table, const json_t *probe, char ret_words[static WORDS_SIZE])
{
	const json_t *diagnosis = json_object_get(probe, "diagnosis");
	char verdict[WORDS_SIZE];
	char confidence[WORDS_SIZE];
	char summary[WORDS_SIZE];
	char age[32];

	if (!json_is_object(diagnosis)) {
		(void)words_of(json_object_get(probe, "last"), "detail", "", ret_words);
		return;
	}
	(void)snprintf(ret_words, WORDS_SIZE, "%.60s (%.20s, %s ago): %.800s",
		words_of(diagnosis, "verdict", "?", verdict), words_of(diagnosis, "confidence", "?", confidence),
		age_of(table, diagnosis, "at", age), words_of(diagnosis, "summary", "", summary));
}

static void print_probe(struct table *table, const json_t *probe, const char *state)
{
	bool is_ill = strcmp(state, "unhealthy") == 0;
	bool is_well = strcmp(state, "healthy") == 0;
	char why[WORDS_SIZE] = "";

	if (is_ill)
		find_why(table, probe, why);
	cli_text_adapt(&table->text, why);
	if (!take_rows(table, 1 + count_lines(table, why))) {
		table->left_out++;
		return;
	}
	print_row(table, probe, is_well ? table->text.good : is_ill ? table->text.bad : "?",
		is_well ? "32" : is_ill ? "31" : "33");
	cli_text_print_wrapped(&table->text, DETAIL_INDENT, why);
}

static void print_probes(struct table *table)
{
	static const char *const states[] = { "unhealthy", "unknown", "healthy" };

	fprintf(table->text.stream, "  %-*s %-19s%7s %8s %8s %6s\n", table->name_columns, "PROBE", "OUTCOME", "STREAK",
		"P50 ms", "P99 ms", "AGE");
	for (size_t i = 0; i < sizeof states / sizeof *states; i++)
		for (size_t j = 0; j < json_array_size(table->probes); j++) {
			const json_t *probe = json_array_get(table->probes, j);

			if (has_state(probe, states[i]))
				print_probe(table, probe, states[i]);
		}
	if (table->left_out > 0)
		fprintf(table->text.stream, "  and %zu more, for which this terminal is too low\n", table->left_out);
}

/* ---- the agent ---------------------------------------------------------------------------- */

static void print_tally(const struct table *table, const json_t *status)
{
	struct status_tally tally = status_table_tally(status);
	const char *dot = table->text.dot;
	char line[WORDS_SIZE];

	(void)snprintf(line, sizeof line, "probes: %zu healthy%s%zu unhealthy%s%zu unknown", tally.healthy, dot,
		tally.unhealthy, dot, tally.unknown);
	cli_text_print_wrapped(&table->text, 0, line);
}

static void print_runs(const struct table *table, const json_t *runs)
{
	const char *dot = table->text.dot;
	char line[WORDS_SIZE];

	(void)snprintf(line, sizeof line, "runs: %" PRId64 " of %" PRId64 " scheduled%s%" PRId64 " missed%s%" PRId64
		" late%s%" PRId64 " by this host's fault", number_of(runs, "run"), number_of(runs, "scheduled"), dot,
		number_of(runs, "missed"), dot, number_of(runs, "late"), dot, number_of(runs, "local"));
	cli_text_print_wrapped(&table->text, 0, line);
}

/* Nothing while all is well: then there is nothing to do. */
static void print_self_check(const struct table *table, const json_t *check)
{
	char line[WORDS_SIZE];
	char cause[WORDS_SIZE];
	char since[32];

	if (!json_is_false(json_object_get(check, "well")))
		return;
	(void)snprintf(line, sizeof line, "self-check: this host is the sick one for %s: %.60s",
		age_of(table, check, "since", since), words_of(check, "cause", "?", cause));
	cli_text_adapt(&table->text, line);
	cli_text_print_wrapped(&table->text, 0, line);
}

static void print_queue(const struct table *table, const json_t *queue)
{
	const char *dot = table->text.dot;
	char line[WORDS_SIZE];

	(void)snprintf(line, sizeof line, "samples: %" PRId64 " waiting%s%" PRId64 " delivered%s%" PRId64
		" dropped%s%" PRId64 " in doubt%s%" PRId64 " request%s", number_of(queue, "samples_waiting"),
		dot, number_of(queue, "delivered"), dot, number_of(queue, "dropped"), dot,
		number_of(queue, "in_doubt"), dot, number_of(queue, "requests"),
		number_of(queue, "requests") == 1 ? "" : "s");
	cli_text_print_wrapped(&table->text, 0, line);
}

static void print_store(const struct table *table, const json_t *store)
{
	const char *dot = table->text.dot;
	char line[WORDS_SIZE];
	char path[WORDS_SIZE];
	char why[WORDS_SIZE];

	if (!json_is_object(store))
		(void)snprintf(line, sizeof line, "store: none, what waits is in memory only");
	else if (json_is_string(json_object_get(store, "why")))
		(void)snprintf(line, sizeof line, "store: in memory only, %.256s: %.200s", words_of(store, "path", "?", path),
			words_of(store, "why", "?", why));
	else
		(void)snprintf(line, sizeof line, "store: %.20s%s%" PRId64 " KiB%s%" PRId64 " datums on disk only%s%" PRId64
			" samples restored", words_of(store, "state", "?", why), dot, number_of(store, "file_bytes") / 1024,
			dot, number_of(store, "datums_on_disk"), dot, number_of(store, "restored"));
	cli_text_adapt(&table->text, line);
	cli_text_print_wrapped(&table->text, 0, line);
}

static void print_credentials(const struct table *table, const json_t *credentials)
{
	char line[WORDS_SIZE];
	char source[WORDS_SIZE];
	char expires[WORDS_SIZE];

	if (!json_is_object(credentials))
		(void)snprintf(line, sizeof line, "credentials: not needed by a dry run");
	else if (json_is_true(json_object_get(credentials, "usable")) &&
		 json_is_string(json_object_get(credentials, "expires")))
		/* Without the fraction: 2026-11-25T20:21:09 */
		(void)snprintf(line, sizeof line, "credentials: %.60s until %.19sZ",
			words_of(credentials, "source", "?", source), words_of(credentials, "expires", "", expires));
	else if (json_is_true(json_object_get(credentials, "usable")))
		(void)snprintf(line, sizeof line, "credentials: %.60s", words_of(credentials, "source", "?", source));
	else
		(void)snprintf(line, sizeof line, "credentials: none: %.800s", words_of(credentials, "why", "?", source));
	cli_text_adapt(&table->text, line);
	cli_text_print_wrapped(&table->text, 0, line);
}

static void print_agent(const struct table *table, const json_t *status)
{
	const char *dot = table->text.dot;
	char id[WORDS_SIZE];
	char fleet[WORDS_SIZE];
	char state[WORDS_SIZE];
	char version[WORDS_SIZE];
	char line[WORDS_SIZE];
	char up[32];

	format_age(number_of(status, "uptime_s"), up);
	(void)snprintf(line, sizeof line, "agent: %.256s%s%s for %s%sfleet %.256s%spid %" PRId64 "%sversion %.40s",
		words_of(status, "agent_id", "?", id), dot, words_of(status, "state", "?", state), up, dot,
		words_of(status, "fleet", "?", fleet), dot, number_of(status, "pid"), dot,
		words_of(status, "version", "?", version));
	cli_text_print_wrapped(&table->text, 0, line);
}

/* The file on disk is not what runs; "" when it is. */
static void describe_refusal(const struct table *table, const json_t *configuration,
	char ret_line[static REFUSAL_SIZE])
{
	const json_t *refused = json_object_get(configuration, "refused");
	char first[WORDS_SIZE];
	char age[32];

	ret_line[0] = '\0';
	if (!json_is_object(refused))
		return;
	(void)snprintf(ret_line, REFUSAL_SIZE, "configuration: the file was refused %s ago with %" PRId64 " mistake%s, and "
		"the one before stays in force: %.800s", age_of(table, refused, "at", age), number_of(refused, "mistakes"),
		number_of(refused, "mistakes") == 1 ? "" : "s", words_of(refused, "first", "?", first));
	cli_text_adapt(&table->text, ret_line);
}

void status_table_print(FILE *stream, const struct cli_terminal *terminal, const json_t *status, int64_t now_us,
	int rows)
{
	int spare = terminal->columns > 80 ? terminal->columns - 80 : 0;
	struct table table = { .text = cli_text_of(stream, terminal), .probes = json_object_get(status, "probes"),
		.now_us = now_us, .name_columns = NAME_COLUMNS + (spare < 38 ? spare : 38),
		.rows_left = rows > 0 ? rows - FOOTER_ROWS : INT32_MAX };
	char refusal[REFUSAL_SIZE];

	describe_refusal(&table, json_object_get(status, "configuration"), refusal);
	if (!take_rows(&table, count_lines(&table, refusal)))
		table.rows_left = 0;
	if (json_array_size(table.probes) > 0) {
		print_probes(&table);
		fputc('\n', stream);
	}
	print_tally(&table, status);
	print_runs(&table, json_object_get(status, "runs"));
	print_self_check(&table, json_object_get(status, "self_check"));
	print_queue(&table, json_object_get(status, "queue"));
	print_store(&table, json_object_get(status, "store"));
	print_credentials(&table, json_object_get(status, "credentials"));
	cli_text_print_wrapped(&table.text, 0, refusal);
	print_agent(&table, status);
}

void status_table_print_line(FILE *stream, const json_t *status, int64_t now_us)
{
	const json_t *runs = json_object_get(status, "runs");
	const json_t *queue = json_object_get(status, "queue");
	struct status_tally tally = status_table_tally(status);
	char now[WALL_TEXT_SIZE];

	wall_format_rfc3339((struct wall){ now_us }, now);
	fprintf(stream, "%s healthy=%zu unhealthy=%zu unknown=%zu run=%" PRId64 " missed=%" PRId64 " local=%" PRId64
		" samples_waiting=%" PRId64 " samples_dropped=%" PRId64 "\n", now, tally.healthy, tally.unhealthy,
		tally.unknown, number_of(runs, "run"), number_of(runs, "missed"), number_of(runs, "local"),
		number_of(queue, "samples_waiting"), number_of(queue, "dropped"));
}
