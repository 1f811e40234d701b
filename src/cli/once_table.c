/* SPDX-License-Identifier: Apache-2.0 */
/* One block for each result, in 80 columns: what, how it ended, from where, where the time went. */
#include "cli_internal.h"

#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include "lattice-probe/outcome.h"
#include "lattice-probe/result.h"
#include "lattice-probe/target.h"

#define INDENT 2

struct phase_look {
	const char *words;
	char letter;
	int colour; /* ANSI background */
};

static const struct phase_look looks[PHASE_COUNT] = {
	[PHASE_DNS] = { "dns", 'D', 44 },
	[PHASE_CONNECT] = { "connect", 'C', 46 },
	[PHASE_TLS] = { "tls", 'T', 45 },
	[PHASE_FIRST_BYTE] = { "first byte", 'F', 42 },
	[PHASE_TRANSFER] = { "transfer", 'X', 43 },
};

static double ms(int64_t us)
{
	return (double)us / (double)US_PER_MS;
}

static void print_head(const struct cli_text *table, const struct result *result)
{
	bool is_ok = result->outcome == OUTCOME_OK;
	const char *name = result->target->name;

	cli_text_colour(table, is_ok ? "32" : "31");
	fprintf(table->stream, "%s", is_ok ? table->good : table->bad);
	cli_text_colour(table, "0");
	fprintf(table->stream, " %-36.36s ", name);
	cli_text_colour(table, is_ok ? "32" : "31;1");
	fprintf(table->stream, "%-20s", outcome_name(result->outcome));
	cli_text_colour(table, "0");
	fprintf(table->stream, "%12.1f ms\n", ms(result->total_us));
}

/* The URL on its own line, cut in the middle when it is wider than the terminal. */
static void print_url(const struct cli_text *table, const struct result *result)
{
	const char *url = result->target->url.redacted;
	int room = table->terminal->columns - 3;
	int length = (int)strlen(url);

	if (length <= room)
		fprintf(table->stream, "  %s\n", url);
	else
		fprintf(table->stream, "  %.*s...%s\n", room * 2 / 3, url, url + length - (room - room * 2 / 3 - 3));
}

static void print_why(const struct cli_text *table, const struct result *result)
{
	char text[RESULT_DETAIL_SIZE + 128];

	if (result->outcome == OUTCOME_OK)
		return;
	(void)snprintf(text, sizeof text, "%s%s%s", outcome_words(result->outcome), result->detail[0] ? ": " : "",
		result->detail);
	cli_text_print_wrapped(table, INDENT, text);
}

/* ---- lines of facts ----------------------------------------------------------------------- */

/* Parts with dots between them; one that does not fit goes to the next line. */
struct line {
	const struct cli_text *table;
	int used; /* columns; 0: nothing stands there yet */
};

#define DOT_COLUMNS 3
#define TAIL_COLUMNS 3 /* " ms" */

__attribute__((format(printf, 2, 3))) static void add_part(struct line *line, const char *format, ...)
{
	const struct cli_text *table = line->table;
	char part[128];
	va_list arguments;
	int columns;

	va_start(arguments, format);
	columns = vsnprintf(part, sizeof part, format, arguments);
	va_end(arguments);
	if (line->used > 0 && line->used + DOT_COLUMNS + columns + TAIL_COLUMNS > table->terminal->columns) {
		fputc('\n', table->stream);
		line->used = 0;
	}
	fprintf(table->stream, "%s%s", line->used > 0 ? table->dot : "  ", part);
	line->used += (line->used > 0 ? DOT_COLUMNS : INDENT) + columns;
}

static void end_line(const struct line *line, const char *tail)
{
	if (line->used > 0)
		fprintf(line->table->stream, "%s\n", tail);
}

static const char *http_version_words(int version)
{
	switch (version) {
	case 10: return "HTTP/1.0";
	case 11: return "HTTP/1.1";
	case 20: return "HTTP/2";
	default: return "HTTP";
	}
}

static void print_facts(const struct cli_text *table, const struct result *result)
{
	struct line line = { .table = table };
	char address[ADDRESS_TEXT_SIZE];

	if (result->status)
		add_part(&line, "%d %s", result->status, http_version_words(result->http_version));
	if (result->family) {
		address_format_port(&result->address, address);
		add_part(&line, "%s", address);
	}
	if (result->resolver.sa.sa_family != AF_UNSPEC) {
		address_format(&result->resolver, address);
		add_part(&line, "resolver %s%s", address, result->marks & RESULT_MARK_FALLBACK ? " (fallback)" : "");
	}
	if (result->certificate_days != CERTIFICATE_DAYS_NONE)
		add_part(&line, "certificate %d days", result->certificate_days);
	end_line(&line, "");
}

static void print_phases(const struct cli_text *table, const struct result *result)
{
	struct line line = { .table = table };

	for (size_t i = 0; i < PHASE_COUNT; i++)
		if (result->phase_us[i] != PHASE_NONE)
			add_part(&line, "%s %.1f", looks[i].words, ms(result->phase_us[i]));
	if (result->failed_us != PHASE_NONE)
		add_part(&line, "failed after %.1f", ms(result->failed_us));
	if (result->marks & RESULT_MARK_LAGGED)
		add_part(&line, "with this host busy for %.1f", ms(result->lag_us));
	end_line(&line, " ms");
}

static void print_attempts(const struct cli_text *table, const struct result *result)
{
	char address[ADDRESS_TEXT_SIZE];

	for (size_t i = 0; i < result->attempt_count; i++) {
		const struct attempt *attempt = &result->attempts[i];

		address_format(&attempt->address, address);
		fprintf(table->stream, "    %-39s %-20s%12.1f ms\n", address[0] ? address : "(no address)",
			outcome_name(attempt->outcome), ms(attempt->total_us));
	}
}

/* ---- the bar ------------------------------------------------------------------------------ */

static void print_segment(const struct cli_text *table, char letter, int ansi_colour, int width)
{
	if (width <= 0)
		return;
	if (table->terminal->has_colour)
		fprintf(table->stream, "\033[%dm", ansi_colour);
	for (int i = 0; i < width; i++)
		fputc(table->terminal->has_colour && i > 0 ? ' ' : letter, table->stream);
	cli_text_colour(table, "0");
}

/* One column for a run that is short beside the longest: where it failed, else its longest phase. */
static void print_shortest_bar(const struct cli_text *table, const struct result *result)
{
	size_t longest = PHASE_DNS;

	for (size_t i = 0; i < PHASE_COUNT; i++)
		if (result->phase_us[i] > result->phase_us[longest])
			longest = i;
	if (result->failed_us != PHASE_NONE)
		print_segment(table, '!', 41, 1);
	else
		print_segment(table, looks[longest].letter, looks[longest].colour, 1);
}

/* Segments end where their share of the time ends, so that rounding never adds up. */
static void print_bar(const struct cli_text *table, const struct result *result, int64_t longest_us)
{
	int room = table->terminal->columns - INDENT - 1;
	int64_t end_us = 0;
	int drawn = 0;

	if (longest_us <= 0)
		return;
	fprintf(table->stream, "%*s", INDENT, "");
	for (size_t i = 0; i < PHASE_COUNT; i++) {
		int end;

		if (result->phase_us[i] == PHASE_NONE)
			continue;
		end_us += result->phase_us[i];
		end = (int)(end_us * room / longest_us);
		print_segment(table, looks[i].letter, looks[i].colour, end - drawn);
		drawn = end > drawn ? end : drawn;
	}
	if (result->failed_us != PHASE_NONE)
		print_segment(table, '!', 41, (int)((end_us + result->failed_us) * room / longest_us) - drawn);
	if (result->total_us * room / longest_us == 0)
		print_shortest_bar(table, result);
	fputc('\n', table->stream);
}

static void print_legend(const struct cli_text *table)
{
	fprintf(table->stream, "%*s", INDENT, "");
	for (size_t i = 0; i < PHASE_COUNT; i++) {
		print_segment(table, looks[i].letter, looks[i].colour, 1);
		fprintf(table->stream, " %s   ", looks[i].words);
	}
	print_segment(table, '!', 41, 1);
	fputs(" where it failed\n", table->stream);
}

void once_table_print(FILE *stream, const struct cli_terminal *terminal, const struct result *results,
	size_t count, bool bars)
{
	const struct cli_text table = cli_text_of(stream, terminal);
	int64_t longest_us = 0;

	for (size_t i = 0; i < count; i++)
		if (results[i].total_us > longest_us)
			longest_us = results[i].total_us;
	for (size_t i = 0; i < count; i++) {
		print_head(&table, &results[i]);
		print_url(&table, &results[i]);
		print_why(&table, &results[i]);
		print_facts(&table, &results[i]);
		print_phases(&table, &results[i]);
		print_attempts(&table, &results[i]);
		if (bars)
			print_bar(&table, &results[i], longest_us);
	}
	if (bars && count > 0)
		print_legend(&table);
}
