/* SPDX-License-Identifier: Apache-2.0 */
/* Repeats: each line printed is remembered by its hash for a minute in a small table. A line that
 * comes again within that minute is counted instead; when the minute is over (or its place in the
 * table is needed) the count goes out as one line with repeated=N. Two different lines that take
 * turns are therefore both counted, where comparing with the previous line only would print all. */
#include "lattice-probe/log.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lattice-probe/units.h"

#define LINE_SIZE 2048
#define REMEMBERED 64
#define REPEAT_WINDOW_US (60 * US_PER_S)

struct remembered {
	uint64_t hash;
	struct mono first;
	unsigned repeats;
	enum log_level level;
	char line[LINE_SIZE];
};

static struct {
	int fd;
	enum log_level max_level;
	bool is_journal;
	struct remembered *remembered; /* REMEMBERED of them; NULL: repeats are printed */
} logger = { .fd = STDERR_FILENO, .max_level = LOG_LEVEL_INFO };

/* True when fd is the stream the journal gave us (systemd.exec(5), $JOURNAL_STREAM). */
static bool is_journal_stream(int fd)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device;
	unsigned long long inode;
	struct stat status;

	return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && fstat(fd, &status) == 0 &&
	       (unsigned long long)status.st_dev == device && (unsigned long long)status.st_ino == inode;
}

void log_start(int fd, enum log_level max_level)
{
	logger.fd = fd;
	logger.max_level = max_level;
	logger.is_journal = is_journal_stream(fd);
	if (!logger.remembered)
		logger.remembered = calloc(REMEMBERED, sizeof *logger.remembered);
}

void log_set_level(enum log_level max_level)
{
	logger.max_level = max_level;
}

const char *log_prefix(enum log_level level)
{
	if (!logger.is_journal)
		return "";
	switch (level) {
	case LOG_LEVEL_ERR: return "<3>";
	case LOG_LEVEL_WARNING: return "<4>";
	case LOG_LEVEL_INFO: return "<6>";
	case LOG_LEVEL_DEBUG:
	default: return "<7>";
	}
}

static const char *level_word(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERR: return "error";
	case LOG_LEVEL_WARNING: return "warning";
	case LOG_LEVEL_INFO: return "info";
	case LOG_LEVEL_DEBUG: return "debug";
	default: return "?";
	}
}

static void print_line(enum log_level level, const char *line, unsigned repeats)
{
	char text[LINE_SIZE + 128];
	char when[WALL_TEXT_SIZE];
	char tail[32] = "";
	int length;

	if (repeats)
		(void)snprintf(tail, sizeof tail, " repeated=%u", repeats);
	if (logger.is_journal) {
		length = snprintf(text, sizeof text, "%s%s%s\n", log_prefix(level), line, tail);
	} else {
		wall_format_rfc3339(wall_now(), when);
		length = snprintf(text, sizeof text, "%s level=%s %s%s\n", when, level_word(level), line, tail);
	}
	/* A log that cannot be written has nowhere to be reported. */
	if (length > 0 && write(logger.fd, text, (size_t)length) < 0)
		return;
}

static uint64_t hash_line(const char *line)
{
	uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */

	for (; *line; line++)
		hash = (hash ^ (unsigned char)*line) * UINT64_C(1099511628211);
	return hash ? hash : 1;
}

static void flush_one(struct remembered *entry)
{
	if (entry->hash && entry->repeats)
		print_line(entry->level, entry->line, entry->repeats);
	entry->hash = 0;
	entry->repeats = 0;
}

/* The entry of an equal line within the window; else NULL, and the line is now remembered. */
static struct remembered *find_or_remember(enum log_level level, const char *line, struct mono now)
{
	uint64_t hash = hash_line(line);
	struct remembered *oldest = &logger.remembered[0];

	for (size_t i = 0; i < REMEMBERED; i++) {
		struct remembered *entry = &logger.remembered[i];

		if (entry->hash && mono_since(now, entry->first) > REPEAT_WINDOW_US)
			flush_one(entry);
		if (entry->hash == hash && strcmp(entry->line, line) == 0)
			return entry;
		if (!entry->hash || (oldest->hash && entry->first.us < oldest->first.us))
			oldest = entry;
	}
	flush_one(oldest);
	oldest->hash = hash;
	oldest->first = now;
	oldest->level = level;
	(void)snprintf(oldest->line, sizeof oldest->line, "%s", line);
	return NULL;
}

void log_flush_repeats(void)
{
	if (!logger.remembered)
		return;
	for (size_t i = 0; i < REMEMBERED; i++)
		flush_one(&logger.remembered[i]);
}

static void escape_controls(char *line)
{
	for (; *line; line++)
		if ((unsigned char)*line < 0x20 || *line == 0x7f)
			*line = '?';
}

__attribute__((format(printf, 2, 0))) static void log_line(enum log_level level, const char *format,
	va_list arguments)
{
	char line[LINE_SIZE];
	struct remembered *entry;

	if (level > logger.max_level)
		return;
	(void)vsnprintf(line, sizeof line, format, arguments);
	escape_controls(line);
	entry = logger.remembered ? find_or_remember(level, line, mono_now()) : NULL;
	if (entry)
		entry->repeats++;
	else
		print_line(level, line, 0);
}

#define DEFINE_LOG_FUNCTION(function, level)                  \
	void function(const char *format, ...)                \
	{                                                     \
		va_list arguments;                            \
                                                              \
		va_start(arguments, format);                  \
		log_line(level, format, arguments);           \
		va_end(arguments);                            \
	}

DEFINE_LOG_FUNCTION(log_err, LOG_LEVEL_ERR)
DEFINE_LOG_FUNCTION(log_warning, LOG_LEVEL_WARNING)
DEFINE_LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
DEFINE_LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)

const char *log_value(const char *text, char ret_text[static LOG_VALUE_SIZE])
{
	bool needs_quotes = *text == '\0' || strpbrk(text, " =\"\\\t\r\n");
	size_t length = 0;

	if (needs_quotes)
		ret_text[length++] = '"';
	for (; *text && length < LOG_VALUE_SIZE - 4; text++) {
		if (*text == '"' || *text == '\\')
			ret_text[length++] = '\\';
		ret_text[length++] = (unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text;
	}
	if (needs_quotes)
		ret_text[length++] = '"';
	ret_text[length] = '\0';
	return ret_text;
}
