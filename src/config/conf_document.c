/* SPDX-License-Identifier: Apache-2.0 */
#include "config_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void conf_document_init(struct conf_document *document)
{
	*document = (struct conf_document){ .agent.section = CONF_SECTION_AGENT,
		.cloudwatch.section = CONF_SECTION_CLOUDWATCH };
}

static void free_block(struct conf_block *block)
{
	for (size_t i = 0; i < block->setting_count; i++) {
		struct conf_setting *setting = &block->settings[i];

		if (setting->value)
			explicit_bzero(setting->value, strlen(setting->value));
		free(setting->value);
		free(setting->name);
	}
	free(block->settings);
	free(block->name);
}

void conf_document_done(struct conf_document *document)
{
	for (size_t i = 0; i < document->probe_count; i++)
		free_block(&document->probes[i]);
	free_block(&document->cloudwatch);
	free_block(&document->agent);
	free(document->probes);
	for (size_t i = 0; i < document->source_count; i++) {
		free(document->sources[i]->path);
		free(document->sources[i]);
	}
	free(document->sources);
	conf_document_init(document);
}

/* Room for one more of the items at *items. */
static bool grow(void **items, size_t count, size_t *capacity, size_t item_bytes)
{
	size_t wanted = *capacity ? *capacity * 2 : 8;
	void *grown;

	if (count < *capacity)
		return true;
	grown = reallocarray(*items, wanted, item_bytes);
	if (!grown)
		return false;
	*items = grown;
	*capacity = wanted;
	return true;
}

struct conf_source *conf_document_add_source(struct conf_document *document, const char *path)
{
	struct conf_source *source = calloc(1, sizeof *source);
	struct conf_source **grown = reallocarray(document->sources, document->source_count + 1,
		sizeof *document->sources);

	if (grown)
		document->sources = grown;
	if (!source || !grown)
		goto fail;
	source->order = (unsigned)document->source_count;
	source->path = strdup(path);
	if (!source->path)
		goto fail;
	document->sources[document->source_count++] = source;
	return source;
fail:
	free(source);
	return NULL;
}

struct conf_block *conf_document_add_probe(struct conf_document *document, const char *name,
	const struct conf_source *source, unsigned line)
{
	struct conf_block block = { .section = CONF_SECTION_PROBE, .source = source, .line = line };
	void *probes = document->probes;

	assert(document->probe_count < CONF_PROBES_MAX);
	if (!grow(&probes, document->probe_count, &document->probe_capacity, sizeof *document->probes))
		return NULL;
	document->probes = probes;
	block.name = strdup(name);
	if (!block.name)
		return NULL;
	document->probes[document->probe_count] = block;
	return &document->probes[document->probe_count++];
}

struct conf_setting *conf_document_add_setting(struct conf_block *block, const struct conf_key *key,
	const char *name, const struct conf_source *source, unsigned line)
{
	struct conf_setting setting = { .key = key, .source = source, .line = line };
	void *settings = block->settings;

	assert(block->setting_count < CONF_BLOCK_SETTINGS_MAX);
	if (!grow(&settings, block->setting_count, &block->setting_capacity, sizeof *block->settings))
		return NULL;
	block->settings = settings;
	setting.name = strdup(name);
	if (!setting.name)
		return NULL;
	block->settings[block->setting_count] = setting;
	return &block->settings[block->setting_count++];
}

/* Header names have no case, so neither has the NAME of a family; keys have. */
struct conf_setting *conf_document_find(const struct conf_block *block, const char *name)
{
	for (size_t i = 0; i < block->setting_count; i++) {
		struct conf_setting *setting = &block->settings[i];
		size_t exact = strlen(setting->key->name);

		if (strncmp(setting->name, name, exact) == 0 && strcasecmp(setting->name + exact, name + exact) == 0)
			return setting;
	}
	return NULL;
}

const char *conf_document_suffix(const struct conf_setting *setting)
{
	return setting->name + strlen(setting->key->name);
}
