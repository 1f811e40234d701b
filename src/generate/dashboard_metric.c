/* SPDX-License-Identifier: Apache-2.0 */
/* Search expressions: CloudWatch User Guide, "CloudWatch search expression syntax". How a quote or backslash
 * inside one is escaped is not documented, so such text is not searched for. */
#include "dashboard_internal.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>


const char *dashboard_metric_obstacle(const struct conf *conf, const struct series *series)
{
	bool is_search = series_unknown(series) != NULL;

	if (is_search && strpbrk(conf->namespace_, "\"'\\"))
		return "the namespace has a quote or backslash, which a search cannot have";
	for (size_t i = 0; i < series->dimension_count; i++) {
		const struct series_dimension *dimension = &series->dimensions[i];

		/* Both are short for what the row above has (Dashboard Body Structure, metrics). */
		if (dimension->value && (strcmp(dimension->value, ".") == 0 || strcmp(dimension->value, "...") == 0))
			return "a dashboard takes the values . and ... for something else";
		if (is_search && (strpbrk(dimension->name, "\"'\\") ||
				 (dimension->value && strpbrk(dimension->value, "\"'\\"))))
			return "a dimension has a quote or backslash, which a search cannot have";
	}
	return NULL;
}

static bool is_plain(const char *name)
{
	for (; *name; name++)
		if (!isalnum((unsigned char)*name))
			return false;
	return true;
}

/* {"LatticeProbe","Service","AvailabilityZoneId"} MetricName="Success" Service="checkout". A name that is no
 * plain word cannot stand before an equals sign; its value alone is looked for. */
static void append_query(struct buf *text, const struct conf *conf, const struct series *series,
	enum metric_id id)
{
	(void)buf_append_format(text, "{\"%s\"", conf->namespace_);
	for (size_t i = 0; i < series->dimension_count; i++)
		(void)buf_append_format(text, ",\"%s\"", series->dimensions[i].name);
	(void)buf_append_format(text, "} MetricName=\"%s\"", metric_get(id)->name);
	for (size_t i = 0; i < series->dimension_count; i++) {
		const struct series_dimension *dimension = &series->dimensions[i];

		if (dimension->value && is_plain(dimension->name))
			(void)buf_append_format(text, " %s=\"%s\"", dimension->name, dimension->value);
		else if (dimension->value)
			(void)buf_append_format(text, " \"%s\"", dimension->value);
	}
}

/* Completes the last entry of the row, which is given back; NULL, and the row freed: no memory. */
static json_t *with_look(json_t *row, const struct dashboard_look *look)
{
	json_t *entry = json_array_get(row, json_array_size(row) - 1);
	int err = entry ? 0 : -1;

	if (look->label)
		err |= json_object_set_new(entry, "label", json_string(look->label));
	if (look->id)
		err |= json_object_set_new(entry, "id", json_string(look->id));
	if (look->is_hidden)
		err |= json_object_set_new(entry, "visible", json_false());
	if (!err)
		return row;
	json_decref(row);
	return NULL;
}

static json_t *search_row(const struct conf *conf, const struct series *series, enum metric_id id,
	const struct dashboard_look *look)
{
	json_t *row = NULL;
	struct buf text;

	buf_init(&text, GENERATE_TEXT_MAX);
	(void)buf_append_text(&text, "SEARCH('");
	append_query(&text, conf, series, id);
	(void)buf_append_format(&text, "', '%s', %" PRId64 ")", look->statistic, look->period_s);
	if (!text.failed)
		row = json_pack("[{s:s}]", "expression", buf_text(&text));
	buf_done(&text);
	return with_look(row, look);
}

json_t *dashboard_metric_row(const struct conf *conf, const struct series *series, enum metric_id id,
	const struct dashboard_look *look)
{
	json_t *row;
	int err = 0;

	if (series_unknown(series))
		return search_row(conf, series, id, look);
	row = json_pack("[s, s]", conf->namespace_, metric_get(id)->name);
	for (size_t i = 0; i < series->dimension_count && !err; i++) {
		err |= json_array_append_new(row, json_string(series->dimensions[i].name));
		err |= json_array_append_new(row, json_string(series->dimensions[i].value));
	}
	err |= json_array_append_new(row, json_pack("{s:s}", "stat", look->statistic));
	if (!err)
		return with_look(row, look);
	json_decref(row);
	return NULL;
}
