/* SPDX-License-Identifier: Apache-2.0 */
/* log: one line per event on stderr, key=value, journald priority in front when stderr is the
 * journal (sd-daemon(3) "<N>" prefixes), else the time and the word. Lines equal within a minute
 * are counted, not printed. Secrets and signed headers are never arguments. Main thread only. */
#ifndef LATTICE_PROBE_LOG_H
#define LATTICE_PROBE_LOG_H

#include <stdbool.h>
#include <stddef.h>

enum log_level {
	LOG_LEVEL_ERR = 3,     /* we gave something up */
	LOG_LEVEL_WARNING = 4, /* we carry on, and the line says how */
	LOG_LEVEL_INFO = 6,    /* a state changed */
	LOG_LEVEL_DEBUG = 7    /* everything else */
};

/* Lines above max_level are dropped. fd is stderr's except in tests. */
void log_start(int fd, enum log_level max_level);
void log_set_level(enum log_level max_level);

/* What goes in front of a line that is printed past these functions: "<3>" and the like when the log is
 * the journal, else "". Static text. */
const char *log_prefix(enum log_level level);

/* Prints what is still counted ("… repeated=12"). At exit, and from a timer each minute. */
void log_flush_repeats(void);

/* One event: the format holds the key=value pairs, the subject first. Newlines and control
 * characters in the finished line are escaped; a line is cut at 2 KiB. */
void log_err(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define LOG_VALUE_SIZE 256

/* A value from outside made safe for key=%s: quoted when it has spaces, '=' or '"', control
 * characters escaped, cut at the size of ret_text. Returns ret_text. */
const char *log_value(const char *text, char ret_text[static LOG_VALUE_SIZE]);

#endif
