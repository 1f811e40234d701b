/* SPDX-License-Identifier: Apache-2.0 */
/* A template holds 500 resources; it may come with the request up to 51,200 bytes, and lies in S3 beyond
 * (CloudFormation User Guide, quotas). Logical ids are letters and digits. */
#include "alarms_internal.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lattice-probe/err.h"

#define RESOURCES_MAX 500
#define INLINE_BYTES_MAX 51200

/* Letters and digits of the text, what follows another character as a capital. */
static size_t append_words(char *id, size_t length, const char *text)
{
	bool is_start = true;

	for (; *text; text++) {
		unsigned char character = (unsigned char)*text;

		if (isalnum(character) && length < ALARM_ID_SIZE - 17)
			id[length++] = (char)(is_start ? toupper(character) : character);
		is_start = !isalnum(character);
	}
	return length;
}

void alarms_cloudformation_id(const struct alarm *alarm, char ret_id[static ALARM_ID_SIZE])
{
	size_t length = append_words(ret_id, 0, alarm->kind);

	if (alarm->series->service)
		length = append_words(ret_id, length, alarm->series->service);
	(void)snprintf(ret_id + length, ALARM_ID_SIZE - length, "%016" PRIx64, alarm->hash);
}

/* CloudFormation takes {{resolve:…}} in any text for a reference to a secret. */
static bool holds_reference(const struct conf *conf, const struct alarm *alarm)
{
	if (strstr(conf->namespace_, "{{resolve:") || strstr(alarm->description, "{{resolve:"))
		return true;
	for (size_t i = 0; i < alarm->series->dimension_count; i++)
		if (strstr(alarm->series->dimensions[i].value, "{{resolve:") ||
		    strstr(alarm->series->dimensions[i].name, "{{resolve:"))
			return true;
	return false;
}

static int check(const struct conf *conf, const struct alarm_list *alarms, struct generate_words *words)
{
	size_t parts = (alarms->count + RESOURCES_MAX * 3 / 4 - 1) / (RESOURCES_MAX * 3 / 4);

	for (size_t i = 0; i < alarms->count; i++)
		if (holds_reference(conf, &alarms->items[i])) {
			generate_refuse(words, "CloudFormation would take {{resolve: in a name or dimension for a reference of its "
				"own; use --format terraform");
			return ERR_UNSUPPORTED;
		}
	if (alarms->count <= RESOURCES_MAX)
		return 0;
	generate_refuse(words, "a template holds %d resources, and these are %zu alarms: make several with --part 1/%zu, "
		"--part 2/%zu and so on, or use --format terraform", RESOURCES_MAX, alarms->count, parts, parts);
	return ERR_LIMIT;
}

static json_t *number(double value)
{
	json_int_t whole = (json_int_t)value;

	return (double)whole == value ? json_integer(whole) : json_real(value);
}

static json_t *dimensions_of(const struct series *series)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < series->dimension_count; i++)
		if (json_array_append_new(array, json_pack("{s:s, s:s}", "Name", series->dimensions[i].name, "Value",
			    series->dimensions[i].value)) != 0) {
			json_decref(array);
			return NULL;
		}
	return array;
}

static json_t *actions(void)
{
	return json_pack("{s:[s, [{s:s}], {s:s}]}", "Fn::If", "HasAlarmTopic", "Ref", "AlarmTopicArn", "Ref",
		"AWS::NoValue");
}

static json_t *resource_of(const struct conf *conf, const struct alarm *alarm)
{
	json_t *properties = json_pack("{s:s, s:s, s:s, s:s, s:o, s:s, s:s, s:s, s:o, s:I, s:i, s:i, s:o, s:o}",
		"AlarmName", alarm->name, "AlarmDescription", alarm->description, "Namespace", conf->namespace_,
		"MetricName", alarm->metric, "Dimensions", dimensions_of(alarm->series),
		alarm->statistic ? "Statistic" : "ExtendedStatistic",
		alarm->statistic ? alarm->statistic : alarm->extended_statistic, "ComparisonOperator", alarm->comparison,
		"TreatMissingData", alarm->treat_missing, "Threshold", number(alarm->threshold), "Period",
		(json_int_t)alarm->period_s, "EvaluationPeriods", alarm->evaluation_periods, "DatapointsToAlarm",
		alarm->datapoints_to_alarm, "AlarmActions", actions(), "OKActions", actions());

	return json_pack("{s:s, s:o}", "Type", "AWS::CloudWatch::Alarm", "Properties", properties);
}

static json_t *make_template(void)
{
	return json_pack("{s:s, s:s, s:{s:{s:s, s:s, s:s}}, s:{s:{s:[{s:[{s:s}, s]}]}}, s:{}}", "AWSTemplateFormatVersion",
		"2010-09-09", "Description",
		"Made by lattice-probe alarms from its configuration; make it anew rather than edit it.", "Parameters",
		"AlarmTopicArn", "Type", "String", "Default", "", "Description",
		"SNS topic that hears of alarms and their ends; empty for none", "Conditions", "HasAlarmTopic", "Fn::Not",
		"Fn::Equals", "Ref", "AlarmTopicArn", "", "Resources");
}

int alarms_cloudformation_write(const struct conf *conf, const struct alarm_list *alarms, struct buf *ret_text,
	struct generate_words *words)
{
	int err = check(conf, alarms, words);
	json_t *template = err ? NULL : make_template();
	size_t before = ret_text->length_bytes;

	if (err)
		return err;
	for (size_t i = 0; template && i < alarms->count; i++) {
		char id[ALARM_ID_SIZE];

		alarms_cloudformation_id(&alarms->items[i], id);
		if (json_object_set_new(json_object_get(template, "Resources"), id, resource_of(conf, &alarms->items[i]))) {
			json_decref(template);
			return ERR_NOMEM;
		}
	}
	err = generate_json(template, ret_text);
	if (!err && ret_text->length_bytes - before > INLINE_BYTES_MAX)
		generate_note(words, "the template is longer than the %d bytes that a request takes; upload it to S3, as aws "
			"cloudformation deploy --s3-bucket BUCKET does", INLINE_BYTES_MAX);
	return err;
}
