/* SPDX-License-Identifier: Apache-2.0 */
/* Text that is fit to be shown. What comes from servers, files and firmware may hold anything. */
#include "lattice-probe/story.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lattice-probe/units.h"

#include "story_internal.h"

#define ACCOUNT_DIGITS 12
#define KEY_ID_CHARACTERS 20 /* of an access key id: AKIA… for users, ASIA… for sessions */
#define DNS_PORT 53
#define NAME_MASK "***"

void story_append(char *text, size_t size_bytes, const char *format, ...)
{
	size_t length = strlen(text);
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text + length, size_bytes - length, format, arguments);
	va_end(arguments);
}

void story_append_part(char *text, size_t size_bytes, const char *format, ...)
{
	size_t length = strlen(text);
	va_list arguments;

	if (length > 0) {
		story_append(text, size_bytes, ", ");
		length = strlen(text);
	}
	va_start(arguments, format);
	(void)vsnprintf(text + length, size_bytes - length, format, arguments);
	va_end(arguments);
}

void story_format_ms(int64_t us, char ret_text[static STORY_TIME_SIZE])
{
	(void)snprintf(ret_text, STORY_TIME_SIZE, "%.1f ms", (double)us / (double)US_PER_MS);
}

void story_format_server(const union address *server, char ret_text[static ADDRESS_TEXT_SIZE])
{
	if (address_port(server) == DNS_PORT)
		address_format(server, ret_text);
	else
		address_format_port(server, ret_text);
}

/* ---- what cannot be shown --------------------------------------------------------------------- */

/* The code point at `text` and its bytes; 0 bytes: no UTF-8 (RFC 3629 section 4). */
static size_t decode(const unsigned char *text, uint32_t *ret_point)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t length = text[0] < 0x80 ? 1 : text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;
	uint32_t point = length == 1 ? text[0] : text[0] & (0xffu >> (length + 1));

	if ((text[0] >= 0x80 && text[0] < 0xc2) || text[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (text[i] & 0x3f);
	}
	if (point < least[length] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
		return 0;
	*ret_point = point;
	return length;
}

/* Controls, line and paragraph separators, and what turns or hides text (Unicode TR36 section 2.11). */
static bool is_showable(uint32_t point)
{
	return point >= 0x20 && !(point >= 0x7f && point < 0xa0) && point != 0xad && point != 0x61c &&
		!(point >= 0x200b && point <= 0x200f) && !(point >= 0x2028 && point <= 0x202e) &&
		!(point >= 0x2060 && point <= 0x206f) && point != 0xfeff && !(point >= 0xfff0 && point <= 0xffff) &&
		!(point >= 0xe000 && point <= 0xf8ff) && point < 0xe0000;
}

static void make_showable(char *text)
{
	char *to = text;

	for (const char *from = text; *from;) {
		uint32_t point = 0;
		size_t length = decode((const unsigned char *)from, &point);

		if (length > 0 && is_showable(point)) {
			memmove(to, from, length);
			to += length;
		} else {
			*to++ = '?';
		}
		from += length > 0 ? length : 1;
	}
	*to = '\0';
}

/* ---- what is nobody's business ---------------------------------------------------------------- */

/* Replaces `length` bytes at `at` by what is not longer. */
static void replace(char *at, size_t length, const char *with)
{
	size_t kept = strlen(with) < length ? strlen(with) : length;

	memcpy(at, with, kept);
	memmove(at + kept, at + length, strlen(at + length) + 1);
}

static bool is_inside_word(const char *text, const char *at)
{
	return at > text && isalnum((unsigned char)at[-1]);
}

static size_t count_while(const char *text, int (*is)(int))
{
	size_t count = 0;

	while (is((unsigned char)text[count]))
		count++;
	return count;
}

static int is_upper_or_digit(int character)
{
	return isupper(character) || isdigit(character);
}

static void mask_accounts(char *text)
{
	for (char *at = text; *at;) {
		size_t digits = count_while(at, isdigit);

		if (digits == ACCOUNT_DIGITS && !is_inside_word(text, at) && !isalpha((unsigned char)at[digits]))
			memset(at, '*', digits);
		at += digits > 0 ? digits : 1;
	}
}

static void mask_keys(char *text)
{
	for (char *at = text; *at; at++)
		if ((strncmp(at, "AKIA", 4) == 0 || strncmp(at, "ASIA", 4) == 0) && !is_inside_word(text, at) &&
		    count_while(at, is_upper_or_digit) >= KEY_ID_CHARACTERS)
			replace(at, count_while(at, is_upper_or_digit) - 4, "***");
}

/* What follows is a name, with a session's behind a slash. */
static void mask_principals(char *text)
{
	static const char *const kinds[] = { ":assumed-role/", ":role/", ":user/", ":federated-user/",
		":instance-profile/" };

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		for (char *at = strstr(text, kinds[i]); at; at = strstr(at, kinds[i])) {
			at += strlen(kinds[i]);
			replace(at, strcspn(at, " \t\"'<>()[]{},;"), NAME_MASK);
		}
}

/* Half a character would be no UTF-8: a query too short for the sign goes without it. */
static void cut_queries(char *text)
{
	static const char sign[] = "…";

	for (char *at = strstr(text, "://"); at; at = strstr(at, "://")) {
		size_t length = strcspn(at, " \"'<>");
		char *query = memchr(at, '?', length);

		if (query) {
			size_t rest = (size_t)(at + length - query - 1);

			replace(query + 1, rest, rest < strlen(sign) ? "" : sign);
		}
		at += strlen("://");
	}
}

void story_make_presentable(char *text, bool verbose)
{
	make_showable(text);
	cut_queries(text);
	if (verbose)
		return;
	mask_keys(text);
	mask_principals(text);
	mask_accounts(text);
}
