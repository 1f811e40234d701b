/* SPDX-License-Identifier: Apache-2.0 */
#include "config_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lattice-probe/err.h"

#define TEXT_MAX_BYTES (4 * CONF_LINE_MAX_BYTES) /* a message quotes two lines at most */

void conf_findings_init(struct conf_findings *findings)
{
	*findings = (struct conf_findings){ 0 };
}

void conf_findings_done(struct conf_findings *findings)
{
	for (size_t i = 0; i < findings->count; i++) {
		free(findings->items[i].file);
		free(findings->items[i].text);
	}
	free(findings->items);
	conf_findings_init(findings);
}

struct conf_place conf_findings_place_of_block(const struct conf_block *block)
{
	const char *section = block->section == CONF_SECTION_AGENT ? "agent" :
		block->section == CONF_SECTION_CLOUDWATCH ? "cloudwatch" : "probe";

	return (struct conf_place){ .source = block->source, .line = block->line, .section = section,
		.name = block->name };
}

struct conf_place conf_findings_place_of_setting(const struct conf_block *block,
	const struct conf_setting *setting)
{
	struct conf_place place = conf_findings_place_of_block(block);

	place.source = setting->source;
	place.line = setting->line;
	place.key = setting->name;
	return place;
}

static void append_place(struct buf *text, const struct conf_place *place)
{
	char shown[CONF_SHOWN_SIZE];

	if (place->section && place->name)
		(void)buf_append_format(text, "[%s %s] ", place->section, conf_findings_show(place->name, shown));
	else if (place->section)
		(void)buf_append_format(text, "[%s] ", place->section);
	if (place->key)
		(void)buf_append_format(text, "%s: ", conf_findings_show(place->key, shown));
}

static int keep(struct conf_findings *findings, const struct conf_finding *finding)
{
	struct conf_finding *grown;

	/* Sixteen at a time, up to CONF_FINDINGS_MAX. */
	if (findings->count % 16 == 0) {
		grown = reallocarray(findings->items, findings->count + 16, sizeof *findings->items);
		if (!grown)
			return ERR_NOMEM;
		findings->items = grown;
	}
	findings->items[findings->count++] = *finding;
	return 0;
}

void conf_findings_add(struct conf_findings *findings, enum conf_severity severity,
	const struct conf_place *place, const char *format, ...)
{
	struct conf_finding finding = { .severity = severity, .file_order = place->source->order,
		.line = place->line };
	va_list arguments;
	struct buf text;

	if (severity == CONF_MISTAKE)
		findings->mistakes++;
	else
		findings->warnings++;
	if (findings->count >= CONF_FINDINGS_MAX)
		return;
	buf_init(&text, TEXT_MAX_BYTES);
	append_place(&text, place);
	va_start(arguments, format);
	(void)buf_append_format_v(&text, format, arguments);
	va_end(arguments);
	finding.text = buf_take(&text);
	finding.file = strdup(place->source->path);
	buf_done(&text);
	if (finding.text && finding.file && keep(findings, &finding) == 0)
		return;
	free(finding.text);
	free(finding.file);
	findings->failed = ERR_NOMEM;
}

static bool stands_before(const struct conf_finding *a, const struct conf_finding *b)
{
	if (a->file_order != b->file_order)
		return a->file_order < b->file_order;
	/* What concerns the file as a whole, line 0, comes after its lines. */
	return a->line - 1 < b->line - 1;
}

/* By insertion: stable, and at most CONF_FINDINGS_MAX that are nearly in order. */
void conf_findings_sort(struct conf_findings *findings)
{
	for (size_t i = 1; i < findings->count; i++) {
		struct conf_finding finding = findings->items[i];
		size_t j = i;

		for (; j > 0 && stands_before(&finding, &findings->items[j - 1]); j--)
			findings->items[j] = findings->items[j - 1];
		findings->items[j] = finding;
	}
}

const char *conf_findings_show(const char *value, char ret_shown[static CONF_SHOWN_SIZE])
{
	size_t length = strnlen(value, CONF_SHOWN_SIZE);

	if (length >= CONF_SHOWN_SIZE)
		length = CONF_SHOWN_SIZE - 4;
	for (size_t i = 0; i < length; i++)
		ret_shown[i] = value[i] >= ' ' && value[i] <= '~' ? value[i] : '?';
	(void)snprintf(ret_shown + length, CONF_SHOWN_SIZE - length, "%s",
		value[length] ? "..." : "");
	return ret_shown;
}
