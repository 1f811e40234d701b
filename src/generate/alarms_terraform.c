/* SPDX-License-Identifier: Apache-2.0 */
/* HCL as `terraform fmt` writes it: the equals signs of lines that follow each other stand below each other.
 * In a quoted template ${ and %{ begin something (Terraform language, strings and templates); doubled they do
 * not. */
#include "alarms_internal.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NAME_COLUMNS 19 /* "comparison_operator" */

/* "availability_checkout_1f0c…" */
void alarms_terraform_id(const struct alarm *alarm, char ret_id[static ALARM_ID_SIZE])
{
	char text[ALARM_ID_SIZE];

	(void)snprintf(text, sizeof text - 17, "%s%s%s", alarm->kind, alarm->series->service ? "_" : "",
		alarm->series->service ? alarm->series->service : "");
	for (char *c = text; *c; c++)
		if (!isalnum((unsigned char)*c))
			*c = '_';
	(void)snprintf(ret_id, ALARM_ID_SIZE, "%.*s_%016" PRIx64, ALARM_ID_SIZE - 18, text, alarm->hash);
}

static size_t append_quoted(struct buf *text, const char *value)
{
	size_t before = text->length_bytes;

	(void)buf_append_char(text, '"');
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			(void)buf_append_char(text, '\\');
		if ((*value == '$' || *value == '%') && value[1] == '{')
			(void)buf_append_char(text, *value);
		(void)buf_append_char(text, *value);
	}
	(void)buf_append_char(text, '"');
	return text->length_bytes - before;
}

static void append_text(struct buf *text, const char *name, const char *value)
{
	(void)buf_append_format(text, "  %-*s = ", NAME_COLUMNS, name);
	(void)append_quoted(text, value);
	(void)buf_append_char(text, '\n');
}

static void append_word(struct buf *text, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void append_word(struct buf *text, const char *name, const char *format, ...)
{
	va_list arguments;

	(void)buf_append_format(text, "  %-*s = ", NAME_COLUMNS, name);
	va_start(arguments, format);
	(void)buf_append_format_v(text, format, arguments);
	va_end(arguments);
	(void)buf_append_char(text, '\n');
}

/* How wide a name is once it is written. */
static size_t quoted_columns(const char *name)
{
	struct buf scratch;
	size_t columns;

	buf_init(&scratch, GENERATE_TEXT_MAX);
	columns = append_quoted(&scratch, name);
	buf_done(&scratch);
	return columns;
}

static void append_dimensions(struct buf *text, const struct series *series)
{
	size_t widest = 0;

	for (size_t i = 0; i < series->dimension_count; i++) {
		size_t columns = quoted_columns(series->dimensions[i].name);

		widest = columns > widest ? columns : widest;
	}
	(void)buf_append_text(text, "\n  dimensions = {\n");
	for (size_t i = 0; i < series->dimension_count; i++) {
		size_t columns;

		(void)buf_append_text(text, "    ");
		columns = append_quoted(text, series->dimensions[i].name);
		(void)buf_append_format(text, "%*s = ", (int)(widest - columns), "");
		(void)append_quoted(text, series->dimensions[i].value);
		(void)buf_append_char(text, '\n');
	}
	(void)buf_append_text(text, "  }\n");
}

static void append_alarm(struct buf *text, const struct conf *conf, const struct alarm *alarm)
{
	char id[ALARM_ID_SIZE];

	alarms_terraform_id(alarm, id);
	(void)buf_append_format(text, "\nresource \"aws_cloudwatch_metric_alarm\" \"%s\" {\n", id);
	append_text(text, "alarm_name", alarm->name);
	append_text(text, "alarm_description", alarm->description);
	append_text(text, "namespace", conf->namespace_);
	append_text(text, "metric_name", alarm->metric);
	if (alarm->statistic)
		append_text(text, "statistic", alarm->statistic);
	else
		append_text(text, "extended_statistic", alarm->extended_statistic);
	append_text(text, "comparison_operator", alarm->comparison);
	append_word(text, "threshold", "%.9g", alarm->threshold);
	append_word(text, "period", "%" PRId64, alarm->period_s);
	append_word(text, "evaluation_periods", "%d", alarm->evaluation_periods);
	append_word(text, "datapoints_to_alarm", "%d", alarm->datapoints_to_alarm);
	append_text(text, "treat_missing_data", alarm->treat_missing);
	append_word(text, "alarm_actions", "var.alarm_topic_arns");
	append_word(text, "ok_actions", "var.alarm_topic_arns");
	append_dimensions(text, alarm->series);
	(void)buf_append_text(text, "}\n");
}

int alarms_terraform_write(const struct conf *conf, const struct alarm_list *alarms, struct buf *ret_text)
{
	(void)buf_append_text(ret_text,
		"# Made by lattice-probe alarms from its configuration; make it anew rather than edit it.\n"
		"\n"
		"variable \"alarm_topic_arns\" {\n"
		"  description = \"SNS topics that hear of alarms and their ends.\"\n"
		"  type        = list(string)\n"
		"  default     = []\n"
		"}\n");
	for (size_t i = 0; i < alarms->count; i++)
		append_alarm(ret_text, conf, &alarms->items[i]);
	return ret_text->failed;
}
