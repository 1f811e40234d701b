/* SPDX-License-Identifier: Apache-2.0 */
#include "lattice-probe/units.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lattice-probe/err.h"

static int64_t clock_us(clockid_t clock)
{
	struct timespec now;

	/* Both clocks exist on every Linux we support; the call fails only for a wrong id or pointer. */
	(void)clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

struct mono mono_now(void)
{
	return (struct mono){ clock_us(CLOCK_MONOTONIC) };
}

struct wall wall_now(void)
{
	return (struct wall){ clock_us(CLOCK_REALTIME) };
}

static int64_t floor_divide(int64_t value, int64_t divisor)
{
	int64_t quotient = value / divisor;

	return value % divisor < 0 ? quotient - 1 : quotient;
}

/* Broken-down UTC; years outside 0..9999 are clamped so that every format keeps its width. */
static struct tm broken_down(struct wall instant)
{
	time_t seconds = (time_t)floor_divide(instant.us, US_PER_S);
	struct tm utc = { 0 };

	if (!gmtime_r(&seconds, &utc) || utc.tm_year < -1900 || utc.tm_year > 8099)
		utc = (struct tm){ .tm_year = 70, .tm_mday = 1 };
	return utc;
}

void wall_format_rfc3339(struct wall instant, char ret_text[static WALL_TEXT_SIZE])
{
	struct tm utc = broken_down(instant);
	int64_t fraction = instant.us - floor_divide(instant.us, US_PER_S) * US_PER_S;
	size_t length = strftime(ret_text, WALL_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &utc);

	(void)snprintf(ret_text + length, WALL_TEXT_SIZE - length, ".%06dZ", (int)fraction);
}

void wall_format_amz(struct wall instant, char ret_text[static WALL_TEXT_SIZE])
{
	struct tm utc = broken_down(instant);

	(void)strftime(ret_text, WALL_TEXT_SIZE, "%Y%m%dT%H%M%SZ", &utc);
}

/* Exactly `width` digits at text. */
static bool digits(const char *text, int width, int *ret_value)
{
	int value = 0;

	for (int i = 0; i < width; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		value = value * 10 + (text[i] - '0');
	}
	*ret_value = value;
	return true;
}

static bool is_calendar_time(const struct tm *utc)
{
	static const int days[12] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return utc->tm_year >= 70 && utc->tm_mon >= 0 && utc->tm_mon < 12 && utc->tm_mday >= 1 &&
	       utc->tm_mday <= days[utc->tm_mon] && utc->tm_hour < 24 && utc->tm_min < 60 &&
	       utc->tm_sec <= 60;
}

/* "06 Nov 1994 08:49:37" style fields to a calendar time. */
static int month_from_name(const char *name)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	for (int i = 0; i < 12; i++)
		if (memcmp(months + (size_t)i * 3, name, 3) == 0)
			return i;
	return -1;
}

int wall_parse_http_date(const char *text, struct wall *ret_instant)
{
	static const char pattern[] = "aaa, 00 aaa 0000 00:00:00 GMT";
	struct tm utc = { 0 };

	if (strlen(text) != sizeof pattern - 1)
		return ERR_SYNTAX;
	for (size_t i = 0; pattern[i]; i++)
		if (pattern[i] != 'a' && pattern[i] != '0' && pattern[i] != text[i])
			return ERR_SYNTAX;
	if (!digits(text + 5, 2, &utc.tm_mday) || !digits(text + 12, 4, &utc.tm_year) ||
	    !digits(text + 17, 2, &utc.tm_hour) || !digits(text + 20, 2, &utc.tm_min) ||
	    !digits(text + 23, 2, &utc.tm_sec))
		return ERR_SYNTAX;
	utc.tm_mon = month_from_name(text + 8);
	utc.tm_year -= 1900;
	if (!is_calendar_time(&utc))
		return ERR_SYNTAX;
	ret_instant->us = (int64_t)timegm(&utc) * US_PER_S;
	return 0;
}

/* ".123456789" to microseconds; *text moves behind it. */
static bool fraction_us(const char **text, int64_t *ret_us)
{
	int64_t us = 0;
	int64_t scale = US_PER_S / 10;

	*ret_us = 0;
	if (**text != '.')
		return true;
	(*text)++;
	if (**text < '0' || **text > '9')
		return false;
	for (; **text >= '0' && **text <= '9'; (*text)++) {
		us += (**text - '0') * scale;
		scale /= 10;
	}
	*ret_us = us;
	return true;
}

/* "Z" or "+hh:mm" up to the end of the text. */
static bool offset_us(const char *text, int64_t *ret_us)
{
	int hours;
	int minutes;

	if ((text[0] == 'Z' || text[0] == 'z') && text[1] == '\0') {
		*ret_us = 0;
		return true;
	}
	if (strlen(text) != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':' ||
	    !digits(text + 1, 2, &hours) || !digits(text + 4, 2, &minutes) || hours > 23 || minutes > 59)
		return false;
	*ret_us = (hours * 60 + minutes) * 60 * US_PER_S * (text[0] == '-' ? -1 : 1);
	return true;
}

int wall_parse_rfc3339(const char *text, struct wall *ret_instant)
{
	struct tm utc = { 0 };
	int64_t fraction = 0;
	int64_t offset = 0;

	if (strnlen(text, 20) < 20 || text[4] != '-' || text[7] != '-' ||
	    (text[10] != 'T' && text[10] != 't') || text[13] != ':' || text[16] != ':' ||
	    !digits(text, 4, &utc.tm_year) || !digits(text + 5, 2, &utc.tm_mon) ||
	    !digits(text + 8, 2, &utc.tm_mday) || !digits(text + 11, 2, &utc.tm_hour) ||
	    !digits(text + 14, 2, &utc.tm_min) || !digits(text + 17, 2, &utc.tm_sec))
		return ERR_SYNTAX;
	utc.tm_year -= 1900;
	utc.tm_mon -= 1;
	text += 19;
	if (!is_calendar_time(&utc) || !fraction_us(&text, &fraction) || !offset_us(text, &offset))
		return ERR_SYNTAX;
	ret_instant->us = (int64_t)timegm(&utc) * US_PER_S + fraction - offset;
	return 0;
}
