/* SPDX-License-Identifier: Apache-2.0 */
#include "lattice-probe/generate.h"

#include "generate_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lattice-probe/err.h"

#define NOTES_MAX ((size_t)64 * 1024)
#define NOTE_SIZE 1024
#define FNV_PRIME UINT64_C(0x100000001b3)

void generate_words_init(struct generate_words *words)
{
	buf_init(&words->notes, NOTES_MAX);
	buf_init(&words->refusal, NOTE_SIZE);
}

void generate_words_done(struct generate_words *words)
{
	buf_done(&words->notes);
	buf_done(&words->refusal);
}

/* A note that finds no room is lost: the document says what it says without it. */
void generate_note(struct generate_words *words, const char *format, ...)
{
	char note[NOTE_SIZE];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(note, sizeof note - 1, format, arguments);
	va_end(arguments);
	if (length < 0)
		return;
	if ((size_t)length > sizeof note - 2)
		length = sizeof note - 2;
	memcpy(note + length, "\n", 2);
	if (!strstr(buf_text(&words->notes), note))
		(void)buf_append_text(&words->notes, note);
}

void generate_refuse(struct generate_words *words, const char *format, ...)
{
	va_list arguments;

	buf_clear(&words->refusal);
	va_start(arguments, format);
	(void)buf_append_format_v(&words->refusal, format, arguments);
	va_end(arguments);
}

const char *generate_fact_name(size_t place)
{
	static const char *const names[] = { "AvailabilityZone", "AvailabilityZoneId", "VpcId", "SubnetId",
		"InstanceId" };

	return place < sizeof names / sizeof *names ? names[place] : NULL;
}

uint64_t generate_hash(uint64_t hash, const char *text)
{
	do
		hash = (hash ^ (unsigned char)*text) * FNV_PRIME;
	while (*text++);
	return hash;
}

bool generate_is_in_part(const struct generate_options *options, const char *service)
{
	if (options->parts == 0)
		return true;
	if (!service)
		return options->part == 1;
	return generate_hash(GENERATE_HASH_START, service) % options->parts == options->part - 1;
}

static int append(const char *bytes, size_t length_bytes, void *user)
{
	return buf_append(user, bytes, length_bytes);
}

/* Not json_dumps: where its memory is gone it can leave a key out and say nothing (jansson 2.14). A buffer of
 * ours remembers. */
int generate_json(json_t *json, struct buf *ret_text)
{
	int err = json ? json_dump_callback(json, append, ret_text, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : ERR_NOMEM;

	json_decref(json);
	if (err)
		return ret_text->failed ? ret_text->failed : ERR_NOMEM;
	return buf_append_char(ret_text, '\n');
}
