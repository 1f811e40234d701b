/* SPDX-License-Identifier: Apache-2.0 */
/* ~/.aws/credentials and ~/.aws/config, by inih, fed line by line from memory. inih cuts a line at 200
 * bytes, and session tokens are longer; it would also leave keys on its stack. So values never pass
 * through it: the reader keeps the value of the line at hand and gives inih "name=." in its place.
 * Indented lines belong to nested settings (`s3 =`), which are none of ours. A section header that
 * inih would misread becomes [?], so that its keys do not land in the section before. */
#include "lattice-probe/profile.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <ini.h>

#include "aws_internal.h"

#include "lattice-probe/buf.h"
#include "lattice-probe/err.h"

#define FILE_MAX_BYTES (1024 * 1024)
#define PATH_MAX_BYTES 4096
#define LINE_MAX_BYTES 120 /* of what inih gets to see */
#define NAME_MAX_BYTES 40  /* inih keeps 49 bytes of a section's name, "profile " included */

static const char *const key_names[PROFILE_KEY_COUNT] = {
	[PROFILE_ACCESS_KEY_ID] = "aws_access_key_id",
	[PROFILE_SECRET_ACCESS_KEY] = "aws_secret_access_key",
	[PROFILE_SESSION_TOKEN] = "aws_session_token",
	[PROFILE_REGION] = "region",
	[PROFILE_ROLE_ARN] = "role_arn",
	[PROFILE_WEB_IDENTITY_TOKEN_FILE] = "web_identity_token_file",
	[PROFILE_ROLE_SESSION_NAME] = "role_session_name",
	[PROFILE_CREDENTIAL_PROCESS] = "credential_process",
	[PROFILE_SSO_SESSION] = "sso_session",
	[PROFILE_SSO_START_URL] = "sso_start_url",
};

struct reader {
	const char *at;
	const char *end;
	const char *value; /* of the line inih has now */
	size_t value_bytes;
	bool is_config;
	const char *name;
	struct profile *profile;
	int err;
};

static void wipe_free(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

void profile_done(struct profile *profile)
{
	for (size_t i = 0; i < PROFILE_KEY_COUNT; i++)
		wipe_free(profile->values[i]);
	*profile = (struct profile){ 0 };
}

/* ---- one file ----------------------------------------------------------------------------- */

static bool is_space(char character)
{
	return character == ' ' || character == '\t' || character == '\r' || character == '\f' || character == '\v';
}

/* The value behind the first = or : of a line, trimmed. */
static size_t keep_value(struct reader *reader, const char *line, size_t length)
{
	size_t name_bytes = 0;

	while (name_bytes < length && line[name_bytes] != '=' && line[name_bytes] != ':')
		name_bytes++;
	if (name_bytes == length || name_bytes > LINE_MAX_BYTES - 4)
		return 0;
	reader->value = line + name_bytes + 1;
	reader->value_bytes = length - name_bytes - 1;
	while (reader->value_bytes > 0 && is_space(*reader->value)) {
		reader->value++;
		reader->value_bytes--;
	}
	while (reader->value_bytes > 0 && is_space(reader->value[reader->value_bytes - 1]))
		reader->value_bytes--;
	return name_bytes;
}

/* What inih reads in place of the line. */
static void replace_line(struct reader *reader, const char *line, size_t length, char shown[static LINE_MAX_BYTES])
{
	size_t name_bytes;

	shown[0] = '\0';
	if (length == 0 || is_space(line[0]) || line[0] == '#' || line[0] == ';')
		return;
	if (line[0] == '[') {
		bool is_whole = length < LINE_MAX_BYTES - 1 && memchr(line, ']', length);

		memcpy(shown, is_whole ? line : "[?]", is_whole ? length : 3);
		shown[is_whole ? length : 3] = '\0';
		return;
	}
	name_bytes = keep_value(reader, line, length);
	if (name_bytes == 0)
		return;
	memcpy(shown, line, name_bytes);
	memcpy(shown + name_bytes, "=.", 3);
}

/* inih's fgets. */
static char *next_line(char *text, int size, void *stream)
{
	struct reader *reader = stream;
	char shown[LINE_MAX_BYTES];
	const char *line = reader->at;
	const char *line_end;
	size_t length;

	if (line == reader->end || size < LINE_MAX_BYTES + 2)
		return NULL;
	line_end = memchr(line, '\n', (size_t)(reader->end - line));
	reader->at = line_end ? line_end + 1 : reader->end;
	replace_line(reader, line, (size_t)((line_end ? line_end : reader->end) - line), shown);
	length = strlen(shown);
	memcpy(text, shown, length);
	memcpy(text + length, "\n", 2);
	return text;
}

/* "profile NAME" or "default" in a config file, with NAME possibly in quotes; the bare name else. */
static bool is_section(const struct reader *reader, const char *section)
{
	size_t length = strlen(reader->name);

	if (!reader->is_config || strcmp(section, "default") == 0)
		return strcmp(section, reader->name) == 0;
	if (strncmp(section, "profile", 7) != 0 || !is_space(section[7]))
		return false;
	section += 8;
	while (is_space(*section))
		section++;
	if ((*section == '"' || *section == '\'') && strlen(section) == length + 2 && section[length + 1] == *section)
		return strncmp(section + 1, reader->name, length) == 0;
	return strcmp(section, reader->name) == 0;
}

/* The value of the line at hand; "" and what holds a NUL count as not set. */
static void set_value(struct reader *reader, char **value)
{
	struct buf copy;

	wipe_free(*value);
	*value = NULL;
	if (reader->value_bytes == 0 || memchr(reader->value, '\0', reader->value_bytes))
		return;
	buf_init(&copy, FILE_MAX_BYTES);
	(void)buf_append(&copy, reader->value, reader->value_bytes);
	*value = buf_take(&copy);
	if (!*value)
		reader->err = ERR_NOMEM;
	buf_done_secret(&copy);
}

static int on_line(void *user, const char *section, const char *name, const char *value)
{
	struct reader *reader = user;
	size_t key = 0;

	(void)value; /* a dot */
	if (!is_section(reader, section))
		return 1;
	reader->profile->is_found = true;
	while (key < PROFILE_KEY_COUNT && strcasecmp(name, key_names[key]) != 0)
		key++;
	if (key < PROFILE_KEY_COUNT)
		set_value(reader, &reader->profile->values[key]);
	return 1;
}

int profile_parse(const char *text, size_t length_bytes, bool is_config, const char *name, struct profile *profile)
{
	struct reader reader = { .at = text, .end = text + length_bytes, .is_config = is_config, .name = name,
		.profile = profile };

	/* Lines that are no settings are not ours to judge: other tools own these files. */
	(void)ini_parse_stream(next_line, &reader, on_line, &reader);
	return reader.err;
}

/* ---- the two files ------------------------------------------------------------------------ */

static const char *environment(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

/* HOME, else the account's; a service may run without either. */
static const char *home(char *buffer, size_t size)
{
	const char *path = environment("HOME");
	struct passwd entry;
	struct passwd *found = NULL;

	if (path)
		return path;
	if (getpwuid_r(geteuid(), &entry, buffer, size, &found) != 0 || !found)
		return NULL;
	return entry.pw_dir;
}

/* The file that `variable` names, else `standard` in the home directory; a leading ~/ is the home's. */
static int find_path(const char *variable, const char *standard, struct buf *ret_path)
{
	const char *path = environment(variable);
	char account[4096];
	const char *directory;

	if (path && strncmp(path, "~/", 2) != 0)
		return buf_append_text(ret_path, path);
	directory = home(account, sizeof account);
	if (!directory)
		return ERR_NOT_FOUND;
	return buf_append_format(ret_path, "%s/%s", directory, path ? path + 2 : standard);
}

static int load_file(const char *variable, const char *standard, bool is_config, const char *name,
	struct profile *profile)
{
	struct buf path;
	struct buf text;
	int err;

	buf_init(&path, PATH_MAX_BYTES);
	buf_init(&text, FILE_MAX_BYTES);
	err = find_path(variable, standard, &path);
	if (!err)
		err = aws_file_read(buf_text(&path), &text);
	if (!err)
		err = profile_parse(buf_text(&text), text.length_bytes, is_config, name, profile);
	buf_done(&path);
	buf_done_secret(&text);
	/* A service's home may be out of its reach: only a file that was asked for must be readable. */
	if (err == ERR_NOT_FOUND || (err == ERR_DENIED && !environment(variable)))
		return 0;
	return err;
}

static void take_value(struct profile *profile, struct profile *other, enum profile_key key)
{
	wipe_free(profile->values[key]);
	profile->values[key] = other->values[key];
	other->values[key] = NULL;
}

/* The credentials file goes before the config file; keys are taken from one of them, never mixed. */
static void merge(struct profile *profile, struct profile *credentials)
{
	bool has_keys = credentials->values[PROFILE_ACCESS_KEY_ID] || credentials->values[PROFILE_SECRET_ACCESS_KEY];

	profile->is_found = profile->is_found || credentials->is_found;
	for (enum profile_key key = 0; key < PROFILE_KEY_COUNT; key++) {
		bool is_key_part = key <= PROFILE_SESSION_TOKEN;

		if (is_key_part ? has_keys : credentials->values[key] != NULL)
			take_value(profile, credentials, key);
	}
}

int profile_load(struct profile *ret_profile)
{
	const char *name = environment("AWS_PROFILE");
	struct profile profile = { .is_explicit = name != NULL };
	struct profile credentials = { 0 };
	int err;

	if (!name)
		name = "default";
	if (strlen(name) > NAME_MAX_BYTES)
		return ERR_LIMIT;
	err = load_file("AWS_CONFIG_FILE", ".aws/config", true, name, &profile);
	if (!err)
		err = load_file("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials", false, name, &credentials);
	if (!err)
		merge(&profile, &credentials);
	profile_done(&credentials);
	if (err)
		profile_done(&profile);
	else
		*ret_profile = profile;
	return err;
}
