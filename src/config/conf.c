/* SPDX-License-Identifier: Apache-2.0 */
#include "lattice-probe/conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_internal.h"

#include "lattice-probe/err.h"

struct conf *conf_new_default(void)
{
	struct conf *conf = calloc(1, sizeof *conf);

	if (!conf || conf_builder_set_defaults(conf) == 0)
		return conf;
	conf_free(conf);
	return NULL;
}

void conf_free(struct conf *conf)
{
	if (!conf)
		return;
	for (size_t i = 0; i < conf->target_count; i++)
		target_drop(conf->targets[i]);
	free(conf->targets);
	for (size_t i = 0; i < conf->static_dimension_count; i++) {
		free(conf->static_dimensions[i].name);
		free(conf->static_dimensions[i].value);
	}
	free(conf->defaults.method);
	free(conf);
}

/* The document becomes a conf; frees the document. */
static int finish(struct conf_document *document, int err, struct conf **ret_conf,
	struct conf_findings *findings)
{
	struct conf *conf = err ? NULL : conf_new_default();

	if (!err)
		err = conf ? conf_builder_build(conf, document, findings) : ERR_NOMEM;
	conf_document_done(document);
	conf_findings_sort(findings);
	if (!err)
		err = findings->failed;
	if (!err && findings->mistakes > 0)
		err = ERR_SYNTAX;
	if (err)
		conf_free(conf);
	else
		*ret_conf = conf;
	return err;
}

static void refuse_file(const struct conf_source *source, const char *why, struct conf_findings *findings)
{
	const struct conf_place place = { .source = source };

	conf_findings_add(findings, CONF_MISTAKE, &place, "%s", why);
}

/* Adds one file; what is wrong with it goes to findings. */
static int load_file(struct conf_document *document, const char *path, bool is_main, size_t *total_bytes,
	struct conf_findings *findings)
{
	struct conf_source *source = conf_document_add_source(document, path);
	struct conf_file file;
	char *why = NULL;
	int err = source ? conf_file_read(path, CONF_FILE_MAX_BYTES, is_main, &file, &why) : ERR_NOMEM;

	if (err == ERR_IO) {
		refuse_file(source, why, findings);
		free(why);
		return 0;
	}
	if (err)
		return err;
	source->is_world_readable = file.is_world_readable;
	*total_bytes += file.content.length_bytes;
	if (*total_bytes > CONF_TOTAL_MAX_BYTES)
		refuse_file(source, "with this file the configuration is larger than 64 MiB", findings);
	else
		err = conf_reader_read(document, source, buf_text(&file.content), file.content.length_bytes, findings);
	buf_done_secret(&file.content);
	return err;
}

/* The files of conf.d beside the main one. */
static int load_directory(struct conf_document *document, const char *main_path, size_t *total_bytes,
	struct conf_findings *findings)
{
	char *directory = conf_file_beside(main_path, "conf.d");
	char **paths = NULL;
	size_t count = 0;
	char *why = NULL;
	int err = directory ? conf_file_list(directory, &paths, &count, &why) : ERR_NOMEM;

	if (err == ERR_IO) {
		struct conf_source *source = conf_document_add_source(document, directory);

		err = source ? 0 : ERR_NOMEM;
		if (source)
			refuse_file(source, why, findings);
	}
	for (size_t i = 0; i < count; i++) {
		if (!err && *total_bytes <= CONF_TOTAL_MAX_BYTES)
			err = load_file(document, paths[i], false, total_bytes, findings);
		free(paths[i]);
	}
	free(paths);
	free(why);
	free(directory);
	return err;
}

int conf_load(const char *path, struct conf **ret_conf, struct conf_findings *findings)
{
	struct conf_document document;
	size_t total_bytes = 0;
	int err;

	conf_document_init(&document);
	err = load_file(&document, path, true, &total_bytes, findings);
	if (!err)
		err = load_directory(&document, path, &total_bytes, findings);
	return finish(&document, err, ret_conf, findings);
}

int conf_load_text(const char *name, const char *text, size_t length_bytes, struct conf **ret_conf,
	struct conf_findings *findings)
{
	struct conf_document document;
	const struct conf_source *source;
	int err = ERR_NOMEM;

	conf_document_init(&document);
	source = conf_document_add_source(&document, name);
	if (source)
		err = conf_reader_read(&document, source, text, length_bytes, findings);
	return finish(&document, err, ret_conf, findings);
}

int conf_target_for_url(const struct conf *conf, const char *url, struct target **ret_target,
	const char **ret_why)
{
	struct target *target = conf_builder_new_target(conf);
	int err;

	if (!target)
		return ERR_NOMEM;
	err = url_parse(url, &target->url, ret_why);
	if (!err && target->url.is_literal && target_address_is_denied(&target->url.literal)) {
		*ret_why = "this address hands out credentials and is never probed";
		err = ERR_SYNTAX;
	}
	if (err) {
		target_drop(target);
		return err;
	}
	(void)snprintf(target->name, sizeof target->name, "%.*s", TARGET_NAME_MAX, target->url.host);
	conf_builder_clamp(target);
	*ret_target = target;
	return 0;
}
