/* SPDX-License-Identifier: Apache-2.0 */
#include "config_internal.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lattice-probe/err.h"

#define MESSAGE_SIZE 1024

void conf_builder_report(struct conf_builder *builder, enum conf_severity severity,
	struct conf_setting *setting, const char *format, ...)
{
	struct conf_place place = conf_findings_place_of_setting(builder->block, setting);
	char message[MESSAGE_SIZE];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(message, sizeof message, format, arguments);
	va_end(arguments);
	conf_findings_add(builder->findings, severity, &place, "%s", message);
	if (severity == CONF_MISTAKE)
		setting->is_wrong = true;
}

/* Quotes are part of a value; outside of text to look for they are hardly ever meant. */
static void judge_quotes(struct conf_builder *builder, struct conf_setting *setting)
{
	const char *value = setting->value;
	size_t length = strlen(value);

	if (setting->key->join != CONF_JOIN_NEWLINE && length >= 2 && (value[0] == '"' || value[0] == '\'') &&
	    value[length - 1] == value[0])
		conf_builder_report(builder, CONF_WARNING, setting, "the quotes are part of the value; values are "
								    "written without");
}

static int apply(struct conf_builder *builder, struct conf_setting *setting)
{
	if (setting->is_wrong)
		return 0;
	judge_quotes(builder, setting);
	if (setting->key->set)
		return setting->key->set(builder, setting);
	conf_value_set(builder, setting);
	return 0;
}

int conf_builder_set_defaults(struct conf *conf)
{
	struct conf_findings findings;
	struct conf_source source = { .path = NULL };
	struct conf_block block = { .section = CONF_SECTION_AGENT, .source = &source };
	struct conf_builder builder = { .conf = conf, .findings = &findings, .block = &block,
		.target = &conf->defaults };
	int err = 0;

	conf_findings_init(&findings);
	for (size_t i = 0; i < conf_keys_count && !err; i++) {
		const struct conf_key *key = &conf_keys[i];
		char value[CONF_ITEM_SIZE];
		struct conf_setting setting = { .key = key, .value = value, .source = &source };

		if (!*key->default_text)
			continue;
		(void)snprintf(value, sizeof value, "%s", key->default_text);
		err = apply(&builder, &setting);
		assert(!setting.is_wrong);
	}
	conf_findings_done(&findings);
	return err;
}

/* dimension_sets speaks of the dimensions that other lines make known. */
static int apply_block(struct conf_builder *builder, struct conf_block *block)
{
	int err = 0;

	builder->block = block;
	for (size_t i = 0; i < block->setting_count && !err; i++)
		if (block->settings[i].key->set != conf_dimensions_set_sets)
			err = apply(builder, &block->settings[i]);
	for (size_t i = 0; i < block->setting_count && !err; i++)
		if (block->settings[i].key->set == conf_dimensions_set_sets)
			err = apply(builder, &block->settings[i]);
	return err;
}

struct target *conf_builder_new_target(const struct conf *conf)
{
	struct target *target = target_new();
	unsigned references;

	if (!target)
		return NULL;
	references = target->references;
	*target = conf->defaults;
	target->references = references;
	target->method = strdup(conf->defaults.method);
	if (target->method)
		return target;
	target_drop(target);
	return NULL;
}

static void clamp(int64_t *timeout_us, int64_t max_us)
{
	if (*timeout_us > max_us)
		*timeout_us = max_us;
}

void conf_builder_clamp(struct target *target)
{
	clamp(&target->dns_timeout_us, target->timeout_us);
	clamp(&target->connect_timeout_us, target->timeout_us);
	clamp(&target->tls_timeout_us, target->timeout_us);
}

/* Takes the target over. */
static void keep(struct conf_builder *builder, struct target *target)
{
	if (builder->is_enabled) {
		builder->conf->targets[builder->conf->target_count++] = target;
		return;
	}
	builder->conf->disabled_count++;
	if (builder->last_ca == target->tls_ca)
		builder->last_ca = NULL;
	target_drop(target);
}

static int build_probe(struct conf_builder *builder, struct conf_block *block, const struct conf_block *agent)
{
	struct target *target = conf_builder_new_target(builder->conf);
	int err;

	if (!target)
		return ERR_NOMEM;
	(void)snprintf(target->name, sizeof target->name, "%s", block->name);
	builder->target = target;
	builder->is_enabled = true;
	err = apply_block(builder, block);
	if (err) {
		target_drop(target);
		return err;
	}
	conf_check_probe(builder, agent);
	conf_builder_clamp(target);
	keep(builder, target);
	return 0;
}

int conf_builder_build(struct conf *conf, struct conf_document *document, struct conf_findings *findings)
{
	struct conf_builder builder = { .conf = conf, .findings = findings, .target = &conf->defaults };
	int err = apply_block(&builder, &document->agent);

	if (!err) {
		conf_check_agent(&builder);
		err = apply_block(&builder, &document->cloudwatch);
	}
	if (!err && document->probe_count > 0) {
		conf->targets = calloc(document->probe_count, sizeof *conf->targets);
		err = conf->targets ? 0 : ERR_NOMEM;
	}
	for (size_t i = 0; i < document->probe_count && !err; i++)
		err = build_probe(&builder, &document->probes[i], &document->agent);
	return err ? err : conf_check_whole(conf, document, findings);
}
