/* SPDX-License-Identifier: Apache-2.0 */
#include "config_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lattice-probe/err.h"

/* Where systemd put what LoadCredential= and its like hand over (systemd.exec(5), "Credentials"). */
static const char *credentials_directory(void)
{
	const char *directory = getenv("CREDENTIALS_DIRECTORY");

	return directory && directory[0] == '/' ? directory : NULL;
}

static bool may_be_credential(const char *value)
{
	return !strchr(value, '/');
}

/* Gives; NULL: no memory. */
static char *find(const struct conf_setting *setting)
{
	const char *directory = may_be_credential(setting->value) ? credentials_directory() : NULL;
	char *path = NULL;

	if (directory && asprintf(&path, "%s/%s", directory, setting->value) < 0)
		return NULL;
	if (path && access(path, F_OK) == 0)
		return path;
	free(path);
	return conf_file_beside(setting->source->path, setting->value);
}

static void report(struct conf_builder *builder, struct conf_setting *setting, const char *path, const char *why)
{
	const char *directory = credentials_directory();

	if (!may_be_credential(setting->value) || access(path, F_OK) == 0)
		conf_builder_report(builder, CONF_MISTAKE, setting, "%s %s", path, why);
	else if (directory)
		conf_builder_report(builder, CONF_MISTAKE, setting, "%s %s, and %s holds no credential of that name", path,
			why, directory);
	else
		conf_builder_report(builder, CONF_MISTAKE, setting,
			"%s %s, and without $CREDENTIALS_DIRECTORY it can be no credential; systemd sets it for a service "
			"with LoadCredential=", path, why);
}

int conf_secret_read(struct conf_builder *builder, struct conf_setting *setting, size_t max_bytes,
	struct conf_file *ret_file, char **ret_path)
{
	char *path = find(setting);
	char *why = NULL;
	struct conf_file file;
	int err = path ? conf_file_read(path, max_bytes, false, &file, &why) : ERR_NOMEM;

	if (err == ERR_IO)
		report(builder, setting, path, why);
	free(why);
	if (err)
		goto fail;
	if (file.is_world_readable) {
		conf_builder_report(builder, CONF_MISTAKE, setting, "everyone may read %s; chmod 640 %s", path, path);
		buf_done_secret(&file.content);
		err = ERR_IO;
		goto fail;
	}
	*ret_file = file;
	*ret_path = path;
	return 0;
fail:
	free(path);
	return err;
}
