/* SPDX-License-Identifier: Apache-2.0 */
#include "config_internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lattice-probe/err.h"

#define TCHAR "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

bool conf_header_is_token(const char *text)
{
	return *text && strspn(text, TCHAR) == strlen(text);
}

static bool is_one_of(const char *name, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcasecmp(name, names[i]) == 0)
			return true;
	return false;
}

/* Headers that say how the message itself is framed or where it goes: they follow from the URL, the
 * body and the connection. */
static bool is_framing(const char *name)
{
	static const char *const names[] = { "Host", "Content-Length", "Transfer-Encoding", "Connection" };

	return is_one_of(name, names, sizeof names / sizeof *names);
}

/* Headers whose value lets its holder in. */
static bool is_secret(const char *name)
{
	static const char *const names[] = { "Authorization", "Proxy-Authorization", "Cookie", "X-Api-Key",
		"X-Auth-Token", "X-Amz-Security-Token" };

	return is_one_of(name, names, sizeof names / sizeof *names);
}

static bool has_header(const struct target *target, const char *name)
{
	for (size_t i = 0; i < target->header_count; i++)
		if (strcasecmp(target->headers[i].name, name) == 0)
			return true;
	return false;
}

/* What is wrong with the header whatever its value; NULL: nothing. */
static const char *judge_name(const struct target *target, const char *name)
{
	if (!conf_header_is_token(name))
		return "this is no header name; one is made of letters, digits and !#$%&'*+-.^_`|~";
	if (is_framing(name))
		return "this header follows from the URL and the body; it cannot be set";
	if (has_header(target, name))
		return "the header is set by header.NAME and header_file.NAME both; choose one";
	return NULL;
}

/* Copies name and value into the target's list. */
static int add(struct target *target, const char *name, const char *value, bool secret)
{
	struct target_header *grown = reallocarray(target->headers, target->header_count + 1, sizeof *grown);
	struct target_header header = { .is_secret = secret };

	if (!grown)
		return ERR_NOMEM;
	target->headers = grown;
	header.name = strdup(name);
	header.value = strdup(value);
	target->headers[target->header_count++] = header;
	return header.name && header.value ? 0 : ERR_NOMEM;
}

int conf_header_set_inline(struct conf_builder *builder, struct conf_setting *setting)
{
	const char *name = conf_document_suffix(setting);
	const char *why = judge_name(builder->target, name);

	if (!why && strchr(setting->value, '\n'))
		why = "a header is one line; it cannot go on in an indented one";
	if (!why && strlen(setting->value) > CONF_HEADER_MAX_BYTES)
		why = "the value is longer than 8 KiB";
	if (why) {
		conf_builder_report(builder, CONF_MISTAKE, setting, "%s", why);
		return 0;
	}
	if (is_secret(name) && setting->source->is_world_readable) {
		conf_builder_report(builder, CONF_MISTAKE, setting,
			"the value is a secret and everyone may read this file; chmod 640 %s, or use header_file.%s",
			setting->source->path, name);
		return 0;
	}
	return add(builder->target, name, setting->value, is_secret(name));
}

/* One line, with or without its newline. */
static const char *judge_content(struct buf *content)
{
	char *text = content->data;
	size_t length = content->length_bytes;

	while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '\r'))
		text[--length] = '\0';
	if (length == 0)
		return "is empty";
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)text[i] < ' ' && text[i] != '\t')
			return "holds more than one line or a control character; a header is one line";
	return NULL;
}

int conf_header_set_file(struct conf_builder *builder, struct conf_setting *setting)
{
	const char *wrong = judge_name(builder->target, conf_document_suffix(setting));
	struct conf_file file;
	char *path;
	int err;

	if (wrong) {
		conf_builder_report(builder, CONF_MISTAKE, setting, "%s", wrong);
		return 0;
	}
	err = conf_secret_read(builder, setting, CONF_HEADER_MAX_BYTES, &file, &path);
	if (err)
		return err == ERR_IO ? 0 : err;
	wrong = judge_content(&file.content);
	if (wrong)
		conf_builder_report(builder, CONF_MISTAKE, setting, "%s %s", path, wrong);
	else
		err = add(builder->target, conf_document_suffix(setting), file.content.data, true);
	buf_done_secret(&file.content);
	free(path);
	return err;
}
