/* SPDX-License-Identifier: Apache-2.0 */
/* One block for each result, in 80 columns: what, how it ended, from where, where the time went. */
#include "cli_internal.h"

#include <langinfo.h>
#include <locale.h>
#include <stdint.h>
#include <string.h>

#include "lattice-probe/outcome.h"
#include "lattice-probe/result.h"
#include "lattice-probe/target.h"

#define BAR_INDENT 2

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

struct table {
	FILE *stream;
	const struct cli_terminal *terminal;
	const char *good;
	const char *bad;
	const char *dot;
};

static struct table table_of(FILE *stream, const struct cli_terminal *terminal)
{
	(void)setlocale(LC_CTYPE, "");
	if (strcmp(nl_langinfo(CODESET), "UTF-8") == 0)
		return (struct table){ stream, terminal, "✓", "✗", " · " };
	return (struct table){ stream, terminal, "+", "x", ", " };
}

static void colour(const struct table *table, const char *code)
{
	if (table->terminal->has_colour)
		fprintf(table->stream, "\033[%sm", code);
}

static double ms(int64_t us)
{
	return (double)us / (double)US_PER_MS;
}

static void print_head(const struct table *table, const struct result *result)
{
	bool is_ok = result->outcome == OUTCOME_OK;
	const char *name = result->target->name;

	colour(table, is_ok ? "32" : "31");
	fprintf(table->stream, "%s", is_ok ? table->good : table->bad);
	colour(table, "0");
	fprintf(table->stream, " %-36.36s ", name);
	colour(table, is_ok ? "32" : "31;1");
	fprintf(table->stream, "%-20s", outcome_name(result->outcome));
	colour(table, "0");
	fprintf(table->stream, "%12.1f ms\n", ms(result->total_us));
}

/* The URL on its own line, cut in the middle when it is wider than the terminal. */
static void print_url(const struct table *table, const struct result *result)
{
	const char *url = result->target->url.redacted;
	int room = table->terminal->columns - 3;
	int length = (int)strlen(url);

	if (length <= room)
		fprintf(table->stream, "  %s\n", url);
	else
		fprintf(table->stream, "  %.*s...%s\n", room * 2 / 3, url, url + length - (room - room * 2 / 3 - 3));
}

static void print_why(const struct table *table, const struct result *result)
{
	if (result->outcome == OUTCOME_OK)
		return;
	fprintf(table->stream, "  %s", outcome_words(result->outcome));
	if (result->detail[0])
		fprintf(table->stream, ": %s", result->detail);
	fputc('\n', table->stream);
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

static void print_facts(const struct table *table, const struct result *result)
{
	char address[ADDRESS_TEXT_SIZE];
	const char *between = "  ";

	if (result->status) {
		fprintf(table->stream, "%s%d %s", between, result->status, http_version_words(result->http_version));
		between = table->dot;
	}
	if (result->family) {
		address_format_port(&result->address, address);
		fprintf(table->stream, "%s%s", between, address);
		between = table->dot;
	}
	if (result->resolver.sa.sa_family != AF_UNSPEC) {
		address_format(&result->resolver, address);
		fprintf(table->stream, "%sresolver %s%s", between, address,
			result->marks & RESULT_MARK_FALLBACK ? " (fallback)" : "");
		between = table->dot;
	}
	if (result->certificate_days != CERTIFICATE_DAYS_NONE) {
		fprintf(table->stream, "%scertificate %d days", between, result->certificate_days);
		between = table->dot;
	}
	if (between == table->dot)
		fputc('\n', table->stream);
}

static void print_phases(const struct table *table, const struct result *result)
{
	const char *between = "  ";

	for (size_t i = 0; i < PHASE_COUNT; i++) {
		if (result->phase_us[i] == PHASE_NONE)
			continue;
		fprintf(table->stream, "%s%s %.1f", between, looks[i].words, ms(result->phase_us[i]));
		between = table->dot;
	}
	if (result->failed_us != PHASE_NONE) {
		fprintf(table->stream, "%sfailed after %.1f", between, ms(result->failed_us));
		between = table->dot;
	}
	if (between == table->dot)
		fputs(" ms\n", table->stream);
}

static void print_attempts(const struct table *table, const struct result *result)
{
	char address[ADDRESS_TEXT_SIZE];

	for (size_t i = 0; i < result->attempt_count; i++) {
		const struct attempt *attempt = &result->attempts[i];

		address_format_port(&attempt->address, address);
		fprintf(table->stream, "    %-34s %-20s%12.1f ms\n", address[0] ? address : "(no address)",
			outcome_name(attempt->outcome), ms(attempt->total_us));
	}
}

/* ---- the bar ------------------------------------------------------------------------------ */

static void print_segment(const struct table *table, char letter, int ansi_colour, int width)
{
	if (width <= 0)
		return;
	if (table->terminal->has_colour)
		fprintf(table->stream, "\033[%dm", ansi_colour);
	for (int i = 0; i < width; i++)
		fputc(table->terminal->has_colour && i > 0 ? ' ' : letter, table->stream);
	colour(table, "0");
}

/* Segments end where their share of the time ends, so that rounding never adds up. */
static void print_bar(const struct table *table, const struct result *result, int64_t longest_us)
{
	int room = table->terminal->columns - BAR_INDENT - 1;
	int64_t end_us = 0;
	int drawn = 0;

	if (longest_us <= 0)
		return;
	fprintf(table->stream, "%*s", BAR_INDENT, "");
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
	fputc('\n', table->stream);
}

static void print_legend(const struct table *table)
{
	fprintf(table->stream, "%*s", BAR_INDENT, "");
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
	const struct table table = table_of(stream, terminal);
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
