/* SPDX-License-Identifier: Apache-2.0 */
#include "config_internal.h"

#include <stdlib.h>
#include <string.h>

#include "lattice-probe/err.h"
#include "lattice-probe/nearest.h"

/* What a set may name besides the static dimensions: the probe, and facts from IMDS. */
static const char facts[] = "Service|AvailabilityZone|AvailabilityZoneId|VpcId|SubnetId|InstanceId";

/* Names that the agent gives values to, in the sets of services and in its own. */
static bool is_reserved(const char *name)
{
	static const char *const names[] = { "Service", "AvailabilityZone", "AvailabilityZoneId", "VpcId", "SubnetId",
		"InstanceId", "Fleet", "Agent" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static const char *judge_static(const struct conf *conf, const char *name, const char *value)
{
	if (is_reserved(name))
		return "the agent sets this dimension itself";
	if (strlen(name) > 63 || !conf_value_is_printable(name) || name[0] == ':' || strpbrk(name, ",|"))
		return "a dimension's name is 1 to 63 printable ASCII characters, not beginning with a colon, without "
		       "comma and |";
	if (strlen(value) > DATUM_DIMENSION_VALUE_MAX || !conf_value_is_printable(value))
		return "a dimension's value is 1 to 1024 printable ASCII characters";
	if (conf->static_dimension_count == CONF_STATIC_DIMENSIONS_MAX)
		return "there are more than 16 such dimensions";
	return NULL;
}

int conf_dimensions_set_static(struct conf_builder *builder, struct conf_setting *setting)
{
	struct conf *conf = builder->conf;
	const char *name = conf_document_suffix(setting);
	const char *why = judge_static(conf, name, setting->value);
	struct conf_static_dimension *dimension;

	if (why) {
		conf_builder_report(builder, CONF_MISTAKE, setting, "%s", why);
		return 0;
	}
	dimension = &conf->static_dimensions[conf->static_dimension_count++];
	dimension->name = strdup(name);
	dimension->value = strdup(setting->value);
	return dimension->name && dimension->value ? 0 : ERR_NOMEM;
}

static bool is_static(const struct conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->static_dimension_count; i++)
		if (strcmp(conf->static_dimensions[i].name, name) == 0)
			return true;
	return false;
}

static bool is_fact(const char *name)
{
	return is_reserved(name) && strcmp(name, "Fleet") != 0 && strcmp(name, "Agent") != 0;
}

static bool set_has(const struct conf_dimension_set *set, const char *name)
{
	for (size_t i = 0; i < set->count; i++)
		if (strcmp(set->names[i], name) == 0)
			return true;
	return false;
}

static void refuse_name(struct conf_builder *builder, struct conf_setting *setting, const char *name)
{
	char nearest[NEAREST_WORD_SIZE];
	char shown[CONF_SHOWN_SIZE];

	conf_findings_show(name, shown);
	if (nearest_word(name, facts, nearest))
		conf_builder_report(builder, CONF_MISTAKE, setting, "\"%s\" is no dimension; did you mean %s?", shown,
			nearest);
	else
		conf_builder_report(builder, CONF_MISTAKE, setting, "\"%s\" is no dimension; allowed are %s", shown,
			setting->key->choices);
}

/* Takes one set apart; false when it was refused. */
static bool read_set(struct conf_builder *builder, struct conf_setting *setting, const char *text,
	struct conf_dimension_set *ret_set)
{
	struct conf_dimension_set set = { 0 };
	const char *cursor = text;
	char item[CONF_ITEM_SIZE];

	while (conf_value_next_item(&cursor, ',', item)) {
		if (!is_fact(item)) {
			/* Static dimensions are in every set as it is. */
			if (is_static(builder->conf, item))
				continue;
			refuse_name(builder, setting, item);
			return false;
		}
		if (set_has(&set, item)) {
			conf_builder_report(builder, CONF_MISTAKE, setting, "%s stands twice in a set", item);
			return false;
		}
		memcpy(set.names[set.count++], item, strlen(item) + 1);
	}
	*ret_set = set;
	return true;
}

static bool sets_are_equal(const struct conf_dimension_set *a, const struct conf_dimension_set *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (!set_has(b, a->names[i]))
			return false;
	return true;
}

/* Appends to the configuration's sets; false when there is no place for it. */
static bool add_set(struct conf_builder *builder, struct conf_setting *setting,
	const struct conf_dimension_set *set)
{
	struct conf *conf = builder->conf;

	for (size_t i = 0; i < conf->dimension_set_count; i++)
		if (sets_are_equal(&conf->dimension_sets[i], set)) {
			conf_builder_report(builder, CONF_MISTAKE, setting,
				"two sets are the same; the static dimensions are in each of them as it is");
			return false;
		}
	if (conf->dimension_set_count == CONF_DIMENSION_SETS_MAX) {
		conf_builder_report(builder, CONF_MISTAKE, setting, "there are more than %d sets",
			CONF_DIMENSION_SETS_MAX);
		return false;
	}
	conf->dimension_sets[conf->dimension_set_count++] = *set;
	return true;
}

int conf_dimensions_set_sets(struct conf_builder *builder, struct conf_setting *setting)
{
	const char *cursor = setting->value;

	builder->conf->dimension_set_count = 0;
	while (cursor) {
		struct conf_dimension_set set;
		size_t length = strcspn(cursor, "|");
		char *text = strndup(cursor, length);
		bool is_good;

		if (!text)
			return ERR_NOMEM;
		is_good = read_set(builder, setting, text, &set) && add_set(builder, setting, &set);
		free(text);
		if (!is_good)
			return 0;
		cursor = cursor[length] ? cursor + length + 1 : NULL;
	}
	return 0;
}
