/* SPDX-License-Identifier: Apache-2.0 */
#include "lattice-probe/result.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lattice-probe/err.h"
#include "lattice-probe/target.h"

#define CNAME_MAX_BYTES 1024 /* 255 bytes on the wire, each at most \DDD in text, RFC 1035 section 5.1 */

const char *phase_name(enum phase phase)
{
	switch (phase) {
	case PHASE_DNS: return "dns";
	case PHASE_CONNECT: return "connect";
	case PHASE_TLS: return "tls";
	case PHASE_FIRST_BYTE: return "first_byte";
	case PHASE_TRANSFER: return "transfer";
	case PHASE_COUNT: break;
	}
	assert(!"not a phase");
	return "";
}

void result_init(struct result *result, struct target *target)
{
	*result = (struct result){
		.target = target_hold(target),
		.total_us = PHASE_NONE,
		.failed_us = PHASE_NONE,
		.rcode = -1,
		.ttl_s = -1,
		.tcp_rtt_us = -1,
		.tcp_retransmits = -1,
		.certificate_days = CERTIFICATE_DAYS_NONE,
	};
	for (size_t i = 0; i < PHASE_COUNT; i++)
		result->phase_us[i] = PHASE_NONE;
}

void result_done(struct result *result)
{
	for (size_t i = 0; i < result->cname_count; i++)
		free(result->cnames[i]);
	free(result->attempts);
	target_drop(result->target);
	*result = (struct result){ 0 };
}

bool result_has_dns_latency(const struct result *result)
{
	unsigned not_the_network = RESULT_MARK_DNS_SHARED | RESULT_MARK_DNS_REUSED | RESULT_MARK_LOCAL_CACHE;

	return result->phase_us[PHASE_DNS] != PHASE_NONE && (result->marks & not_the_network) == 0;
}

int result_add_cname(struct result *result, const char *name)
{
	char *copy;

	if (result->cname_count == RESULT_CNAMES_MAX)
		return 0;
	copy = strndup(name, CNAME_MAX_BYTES);
	if (!copy)
		return ERR_NOMEM;
	for (char *c = copy; *c; c++)
		if (*c <= ' ' || *c > '~')
			*c = '?';
	result->cnames[result->cname_count++] = copy;
	return 0;
}

/* The length of the UTF-8 sequence at text (RFC 3629 section 4), 0 when there is none. */
static size_t utf8_length(const unsigned char *text)
{
	size_t length = text[0] < 0x80 ? 1 : text[0] < 0xc2 ? 0 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 :
		text[0] < 0xf5 ? 4 : 0;

	for (size_t i = 1; i < length; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f) ||
	    (text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] > 0x8f))
		return 0;
	return length;
}

/* Control characters, and bytes that are no UTF-8, become '?': the line goes to terminals and JSON. */
static void make_printable(char *text)
{
	unsigned char *c = (unsigned char *)text;

	while (*c) {
		size_t length = utf8_length(c);
		bool is_c1_control = length == 2 && c[0] == 0xc2 && c[1] < 0xa0;

		if (length == 0 || is_c1_control || *c < ' ' || *c == 0x7f) {
			*c++ = '?';
			continue;
		}
		c += length;
	}
}

void result_set_detail(struct result *result, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(result->detail, sizeof result->detail, format, arguments);
	va_end(arguments);
	assert(length >= 0);
	if ((size_t)length >= sizeof result->detail) {
		/* A sequence cut in the middle goes whole. */
		size_t end = sizeof result->detail - 1;

		while (end > 0 && ((unsigned char)result->detail[end - 1] & 0xc0) == 0x80)
			end--;
		if (end > 0 && (unsigned char)result->detail[end - 1] >= 0xc0 &&
		    utf8_length((const unsigned char *)&result->detail[end - 1]) == 0)
			result->detail[end - 1] = '\0';
	}
	make_printable(result->detail);
}
