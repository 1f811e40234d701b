/* SPDX-License-Identifier: Apache-2.0 */
/* One diagnosis for people: the verdict, the path drawn hop by hop, why, what else, what to do. */
#include "lattice-probe/diagnose_table.h"

#include <stdint.h>
#include <string.h>

#include "lattice-probe/cli_text.h"
#include "lattice-probe/diagnosis.h"
#include "lattice-probe/evidence.h"
#include "lattice-probe/story.h"
#include "lattice-probe/units.h"

#define INDENT 2
#define ROOM_LEAST 8
#define STEP_COLUMNS 8     /* "publish" and a space */
#define MARK_COLUMNS 2
#define TIME_COLUMNS 12    /* " 12345.6 ms" and one more */
#define GREEN "32"
#define RED "31"
#define YELLOW "33"
#define DIM "2"
#define BOLD "1"

struct page {
	struct cli_text text;
	bool verbose;
};

/* A copy that may be printed here. */
static const char *shown(const struct page *page, const char *words, char ret_text[static STORY_FIX_SIZE])
{
	(void)snprintf(ret_text, STORY_FIX_SIZE, "%s", words);
	story_make_presentable(ret_text, page->verbose);
	cli_text_adapt(&page->text, ret_text);
	return ret_text;
}

static void print_coloured(const struct page *page, const char *code, const char *words)
{
	cli_text_colour(&page->text, code);
	fputs(words, page->text.stream);
	cli_text_colour(&page->text, "0");
}

static void print_heading(const struct page *page, const char *words)
{
	fputc('\n', page->text.stream);
	print_coloured(page, BOLD, words);
	fputc('\n', page->text.stream);
}

/* The first line begins with `lead`, the others below its end. */
static void print_item(const struct page *page, const char *lead, const char *words)
{
	const struct cli_text *text = &page->text;
	char copy[STORY_FIX_SIZE];
	const char *rest = shown(page, words, copy);
	int indent = INDENT + cli_text_columns(lead);
	size_t length = cli_text_fitting(rest, text->terminal->columns - indent);

	fprintf(text->stream, "%*s%s%.*s\n", INDENT, "", lead, (int)length, rest);
	rest += length;
	rest += strspn(rest, " ");
	cli_text_print_wrapped(text, indent, rest);
}

/* ---- the verdict ------------------------------------------------------------------------------ */

static void print_verdict(const struct page *page, const struct evidence *evidence, const struct diagnosis *diagnosis)
{
	const struct cli_text *text = &page->text;
	bool is_good = diagnosis->verdict == DIAGNOSIS_HEALTHY;
	bool is_open = diagnosis->verdict == DIAGNOSIS_UNDETERMINED;
	char copy[STORY_FIX_SIZE];

	print_coloured(page, is_good ? GREEN : is_open ? YELLOW : RED, is_good ? text->good : is_open ? "?" : text->bad);
	fputc(' ', text->stream);
	print_coloured(page, BOLD, diagnosis_name(diagnosis->verdict));
	fprintf(text->stream, " (%s", diagnosis_confidence_name(diagnosis->confidence));
	if (page->verbose)
		fprintf(text->stream, ", %s", diagnosis_basis_name(diagnosis->basis));
	fputs(")\n", text->stream);
	cli_text_print_wrapped(text, INDENT, shown(page, evidence->target.url, copy));
	fputc('\n', text->stream);
	cli_text_print_wrapped(text, INDENT, shown(page, diagnosis->summary, copy));
}

/* ---- the path --------------------------------------------------------------------------------- */

static void print_mark(const struct page *page, enum story_mark mark)
{
	switch (mark) {
	case STORY_GOOD:
		print_coloured(page, GREEN, page->text.good);
		break;
	case STORY_BAD:
		print_coloured(page, RED, page->text.bad);
		break;
	case STORY_UNKNOWN:
		print_coloured(page, YELLOW, "?");
		break;
	case STORY_SKIPPED:
		print_coloured(page, DIM, page->text.skipped);
		break;
	}
	fputc(' ', page->text.stream);
}

/* How wide the subjects of a hop are, so that its answers stand in one column; a subject that would leave
 * them too little room gets a line of its own. */
static int subject_columns(const struct page *page, const struct story *story, size_t first)
{
	int most = page->text.terminal->columns / 4 + 2;
	int widest = 0;

	for (size_t i = first; i < story->count && strcmp(story->steps[i].step, story->steps[first].step) == 0; i++) {
		int columns = cli_text_columns(story->steps[i].subject);

		if (columns <= most && columns > widest)
			widest = columns;
	}
	return widest > 0 ? widest + 2 : 0;
}

static void print_time(const struct page *page, int used, int64_t elapsed_us)
{
	int room = page->text.terminal->columns - used;

	if (elapsed_us >= 0)
		fprintf(page->text.stream, "%*.1f ms", room - 3, (double)elapsed_us / (double)US_PER_MS);
	fputc('\n', page->text.stream);
}

/* The answer in its column, the time at the end of its first line. */
static void print_answer(const struct page *page, int column, const char *words, int64_t elapsed_us)
{
	const struct cli_text *text = &page->text;
	int room = text->terminal->columns - column - (elapsed_us >= 0 ? TIME_COLUMNS : 0);
	bool is_first = true;
	char copy[STORY_FIX_SIZE];

	room = room > ROOM_LEAST ? room : ROOM_LEAST;
	for (const char *rest = shown(page, words, copy); *rest || is_first; is_first = false) {
		size_t length = cli_text_fitting(rest, room);
		char line[STORY_FIX_SIZE];

		(void)snprintf(line, sizeof line, "%.*s", (int)length, rest);
		fprintf(text->stream, "%*s%s", is_first ? 0 : column, "", line);
		print_time(page, column + cli_text_columns(line), is_first ? elapsed_us : -1);
		rest += length;
		rest += strspn(rest, " ");
	}
}

static void print_question(const struct page *page, int column, const char *question)
{
	char words[STORY_TEXT_SIZE + 2];
	char copy[STORY_FIX_SIZE];

	(void)snprintf(words, sizeof words, "(%s)", question);
	cli_text_colour(&page->text, DIM);
	cli_text_print_wrapped(&page->text, column, shown(page, words, copy));
	cli_text_colour(&page->text, "0");
}

static void print_step(const struct page *page, const struct story_step *step, bool is_first, int subject)
{
	const struct cli_text *text = &page->text;
	int column = STEP_COLUMNS + MARK_COLUMNS + subject;
	char copy[STORY_FIX_SIZE];
	int used;

	fprintf(text->stream, "%-*s", STEP_COLUMNS, is_first ? step->step : "");
	print_mark(page, step->mark);
	used = cli_text_columns(shown(page, step->subject, copy));
	fputs(copy, text->stream);
	if (used + 2 > subject && used > 0)
		fprintf(text->stream, "\n%*s", column, "");
	else
		fprintf(text->stream, "%*s", subject - used, "");
	print_answer(page, column, step->answer, step->elapsed_us);
	if (page->verbose)
		print_question(page, column, step->question);
}

/* The hops of the path hang together; what stands beside it does not. */
static bool is_on_path(const struct story_step *step)
{
	static const char *const beside[] = { "aws", "publish", "daemon", "end" };

	for (size_t i = 0; i < sizeof beside / sizeof *beside; i++)
		if (strcmp(step->step, beside[i]) == 0)
			return false;
	return true;
}

static void print_join(const struct page *page, const struct story_step *step)
{
	if (is_on_path(step))
		fprintf(page->text.stream, "  %s\n", page->text.bar);
	else
		fputc('\n', page->text.stream);
}

static void print_path(const struct page *page, const struct evidence *evidence)
{
	static struct story story;
	int subject = 0;

	story_tell(evidence, page->verbose, &story);
	if (story.count > 0)
		fputc('\n', page->text.stream);
	for (size_t i = 0; i < story.count; i++) {
		bool is_first = i == 0 || strcmp(story.steps[i].step, story.steps[i - 1].step) != 0;

		if (is_first && i > 0)
			print_join(page, &story.steps[i]);
		if (is_first)
			subject = subject_columns(page, &story, i);
		print_step(page, &story.steps[i], is_first, subject);
	}
}

/* ---- what follows from it --------------------------------------------------------------------- */

static void print_lines(const struct page *page, const char *heading, const struct diagnosis_lines *lines)
{
	if (lines->count > 0)
		print_heading(page, heading);
	for (size_t i = 0; i < lines->count && i < DIAGNOSIS_LINES_MAX; i++)
		print_item(page, "- ", lines->items[i]);
}

static void print_candidates(const struct page *page, const struct diagnosis *diagnosis)
{
	if (diagnosis->candidate_count > 0)
		print_heading(page, "It may be, likeliest first");
	for (size_t i = 0; i < diagnosis->candidate_count && i < DIAGNOSIS_CANDIDATES_MAX; i++) {
		char words[STORY_FIX_SIZE];

		(void)snprintf(words, sizeof words, "%s: %s", diagnosis_name(diagnosis->candidates[i]),
			diagnosis_words(diagnosis->candidates[i]));
		print_item(page, "- ", words);
	}
}

static void print_ruled_out(const struct page *page, const struct diagnosis *diagnosis)
{
	if (diagnosis->ruled_out_count > 0)
		print_heading(page, "Ruled out");
	for (size_t i = 0; i < diagnosis->ruled_out_count && i < DIAGNOSIS_CANDIDATES_MAX; i++) {
		char words[STORY_FIX_SIZE];

		(void)snprintf(words, sizeof words, "%s: %s", diagnosis_name(diagnosis->ruled_out[i].verdict),
			diagnosis->ruled_out[i].because);
		print_item(page, "- ", words);
	}
}

static void print_fixes(const struct page *page, const struct evidence *evidence, const struct diagnosis *diagnosis)
{
	static struct story_fixes fixes;

	story_advise(evidence, diagnosis, &fixes);
	print_heading(page, "What to do");
	for (size_t i = 0; i < fixes.count; i++) {
		char lead[24];
		char copy[STORY_FIX_SIZE];

		(void)snprintf(lead, sizeof lead, "%zu. ", i + 1);
		print_item(page, lead, fixes.items[i].words);
		if (fixes.items[i].command[0])
			fprintf(page->text.stream, "%*s%s\n", INDENT + 3, "", shown(page, fixes.items[i].command, copy));
	}
}

void diagnose_table_print(FILE *stream, const struct cli_terminal *terminal, const struct evidence *evidence,
	const struct diagnosis *diagnosis, bool verbose)
{
	const struct page page = { cli_text_of(stream, terminal), verbose };

	print_verdict(&page, evidence, diagnosis);
	print_path(&page, evidence);
	print_lines(&page, "Why", &diagnosis->why);
	print_candidates(&page, diagnosis);
	print_ruled_out(&page, diagnosis);
	print_lines(&page, "Also seen", &diagnosis->notes);
	if (diagnosis->verdict != DIAGNOSIS_HEALTHY)
		print_fixes(&page, evidence, diagnosis);
}
