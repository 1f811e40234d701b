/* SPDX-License-Identifier: Apache-2.0 */
#include "lattice-probe/diagnosis.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "diagnosis_internal.h"

/* What came from outside may hold anything: nothing in it may move a terminal's cursor. */
__attribute__((format(printf, 3, 0)))
static void write_text(char *ret_text, size_t size, const char *format, va_list arguments)
{
	(void)vsnprintf(ret_text, size, format, arguments);
	for (char *at = ret_text; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = '?';
}

__attribute__((format(printf, 2, 0)))
static void add_line(struct diagnosis_lines *lines, const char *format, va_list arguments)
{
	if (lines->count < DIAGNOSIS_LINES_MAX)
		write_text(lines->items[lines->count++], DIAGNOSIS_LINE_SIZE, format, arguments);
}

void diagnosis_say_verdict(struct diagnosis *diagnosis, enum diagnosis_verdict verdict,
	enum diagnosis_confidence confidence)
{
	diagnosis->verdict = verdict;
	diagnosis->confidence = confidence;
	diagnosis->basis = diagnosis_basis(verdict);
	diagnosis->candidate_count = 0;
}

static bool is_candidate(const struct diagnosis *diagnosis, enum diagnosis_verdict verdict)
{
	for (size_t i = 0; i < diagnosis->candidate_count; i++)
		if (diagnosis->candidates[i] == verdict)
			return true;
	return false;
}

void diagnosis_say_candidate(struct diagnosis *diagnosis, enum diagnosis_verdict verdict)
{
	diagnosis->confidence = DIAGNOSIS_CANDIDATES;
	if (diagnosis->candidate_count < DIAGNOSIS_CANDIDATES_MAX && !is_candidate(diagnosis, verdict))
		diagnosis->candidates[diagnosis->candidate_count++] = verdict;
}

void diagnosis_say_summary(struct diagnosis *diagnosis, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	write_text(diagnosis->summary, sizeof diagnosis->summary, format, arguments);
	va_end(arguments);
}

void diagnosis_say_why(struct diagnosis *diagnosis, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	add_line(&diagnosis->why, format, arguments);
	va_end(arguments);
}

void diagnosis_say_note(struct diagnosis *diagnosis, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	add_line(&diagnosis->notes, format, arguments);
	va_end(arguments);
}

void diagnosis_say_ruled_out(struct diagnosis *diagnosis, enum diagnosis_verdict verdict, const char *format, ...)
{
	struct diagnosis_ruled_out *line = &diagnosis->ruled_out[diagnosis->ruled_out_count];
	va_list arguments;

	if (diagnosis->ruled_out_count >= DIAGNOSIS_CANDIDATES_MAX || verdict == diagnosis->verdict ||
	    is_candidate(diagnosis, verdict))
		return;
	diagnosis->ruled_out_count++;
	line->verdict = verdict;
	va_start(arguments, format);
	write_text(line->because, sizeof line->because, format, arguments);
	va_end(arguments);
}

struct diagnosis_text diagnosis_say_address(const union address *address)
{
	struct diagnosis_text text;

	address_format(address, text.text);
	if (!text.text[0])
		(void)snprintf(text.text, sizeof text.text, "an unknown address");
	return text;
}

struct diagnosis_text diagnosis_say_time(int64_t duration_us)
{
	struct diagnosis_text text;
	double size = duration_us < 0 ? -(double)duration_us : (double)duration_us;

	if (size >= 7200e6)
		(void)snprintf(text.text, sizeof text.text, "%.1f h", size / 3600e6);
	else if (size >= 120e6)
		(void)snprintf(text.text, sizeof text.text, "%.0f min", size / 60e6);
	else if (size >= 1e6)
		(void)snprintf(text.text, sizeof text.text, "%.1f s", size / 1e6);
	else
		(void)snprintf(text.text, sizeof text.text, "%.1f ms", size / 1e3);
	return text;
}
