/* SPDX-License-Identifier: Apache-2.0 */
#include "config_internal.h"

#include <stdio.h>
#include <string.h>

#include "lattice-probe/err.h"
#include "lattice-probe/metric.h"
#include "lattice-probe/nearest.h"
#include "lattice-probe/parse.h"
#include "lattice-probe/units.h"
#include "lattice-probe/url.h"

static void refuse(struct conf_builder *builder, struct conf_setting *setting, const char *what)
{
	char shown[CONF_SHOWN_SIZE];

	conf_builder_report(builder, CONF_MISTAKE, setting, "\"%s\" %s; allowed: %s",
		conf_findings_show(setting->value, shown), what, setting->key->choices);
}

/* API_PutMetricData: 1 to 255 ASCII characters, [^:].*; AWS/ is Amazon's own. */
int conf_cloudwatch_set_namespace(struct conf_builder *builder, struct conf_setting *setting)
{
	const char *value = setting->value;

	if (strlen(value) >= sizeof builder->conf->namespace_ || !conf_value_is_printable(value) || value[0] == ':' ||
	    strncmp(value, "AWS/", 4) == 0)
		refuse(builder, setting, "is no namespace that CloudWatch takes");
	else
		memcpy(builder->conf->namespace_, value, strlen(value) + 1);
	return 0;
}

/* A period shorter than a minute is high resolution, and CloudWatch knows four of those. Up to an hour:
 * every sample of a period is held until it ends. */
int conf_cloudwatch_set_period(struct conf_builder *builder, struct conf_setting *setting)
{
	int64_t us;
	int64_t s;
	int err = parse_duration(setting->value, &us);

	if (err) {
		refuse(builder, setting, err == ERR_RANGE ? "is out of range" : "is no duration");
		return 0;
	}
	s = us / US_PER_S;
	if (us % US_PER_S != 0 || s > 3600 || !(s == 1 || s == 5 || s == 10 || s == 30 || (s >= 60 && s % 60 == 0)))
		refuse(builder, setting, "is no period of CloudWatch");
	else
		builder->conf->period_us = us;
	return 0;
}

/* "6/min": as an interval, which is what the sink keeps to. */
int conf_cloudwatch_set_backfill_rate(struct conf_builder *builder, struct conf_setting *setting)
{
	const char *slash = strstr(setting->value, "/min");
	char number[8] = "";
	int64_t rate = 0;

	if (slash && slash[4] == '\0' && (size_t)(slash - setting->value) < sizeof number)
		memcpy(number, setting->value, (size_t)(slash - setting->value));
	if (parse_int64(number, 1, 600, &rate) != 0)
		refuse(builder, setting, "is no rate");
	else
		builder->conf->backfill_interval_us = 60 * US_PER_S / rate;
	return 0;
}

/* The shape of us-east-1, us-gov-west-1, eusc-de-east-1: words of small letters, then a number. */
static bool is_region(const char *text)
{
	size_t words = 0;

	while (*text >= 'a' && *text <= 'z') {
		text += strspn(text, "abcdefghijklmnopqrstuvwxyz");
		if (*text++ != '-')
			return false;
		words++;
	}
	return words >= 2 && *text && strlen(text) <= 2 && strspn(text, "0123456789") == strlen(text);
}

int conf_cloudwatch_set_region(struct conf_builder *builder, struct conf_setting *setting)
{
	const char *value = setting->value;

	if (strlen(value) >= sizeof builder->conf->region || (strcmp(value, "auto") != 0 && !is_region(value)))
		refuse(builder, setting, "is no region");
	else
		memcpy(builder->conf->region, value, strlen(value) + 1);
	return 0;
}

static bool is_loopback(const struct url *url)
{
	return strcmp(url->host, "localhost") == 0 || (url->is_literal && address_is_loopback(&url->literal));
}

/* NULL when the URL names a host and nothing below it. */
static const char *judge_endpoint(const struct url *url)
{
	if (strcmp(url->path, "/") != 0 || url->query)
		return "has a path; only scheme, host and port belong here";
	if (!url->is_tls && !is_loopback(url))
		return "would send signed requests in the clear";
	if (url->is_literal && target_address_is_denied(&url->literal))
		return "is an address that hands out credentials";
	return NULL;
}

static const char *judge_proxy(const struct url *url)
{
	if (url->is_tls)
		return "is an HTTPS proxy, which is not supported";
	if (strcmp(url->path, "/") != 0 || url->query)
		return "has a path; only host and port belong here";
	return NULL;
}

/* endpoint and proxy: one word, or a URL that `judge` finds no fault with. */
static int set_url(struct conf_builder *builder, struct conf_setting *setting, const char *word,
	const char *(*judge)(const struct url *url), char field[static CONF_NAME_SIZE])
{
	struct url url = { 0 };
	const char *why = NULL;
	size_t length;
	int err;

	if (strcmp(setting->value, word) == 0) {
		(void)snprintf(field, CONF_NAME_SIZE, "%s", word);
		return 0;
	}
	err = url_parse(setting->value, &url, &why);
	if (err == ERR_NOMEM)
		return err;
	if (err) {
		conf_builder_report(builder, CONF_MISTAKE, setting, "%s; allowed: %s", why, setting->key->choices);
		return 0;
	}
	why = judge(&url);
	length = strlen(url.text) - 1; /* without the slash */
	if (!why && length >= CONF_NAME_SIZE)
		why = "is longer than 255 characters";
	if (why)
		refuse(builder, setting, why);
	else
		(void)snprintf(field, CONF_NAME_SIZE, "%.*s", (int)length, url.text);
	url_done(&url);
	return 0;
}

int conf_cloudwatch_set_endpoint(struct conf_builder *builder, struct conf_setting *setting)
{
	return set_url(builder, setting, "auto", judge_endpoint, builder->conf->endpoint);
}

int conf_cloudwatch_set_proxy(struct conf_builder *builder, struct conf_setting *setting)
{
	return set_url(builder, setting, "none", judge_proxy, builder->conf->proxy);
}

static void refuse_metric(struct conf_builder *builder, struct conf_setting *setting, const char *name)
{
	const char *nearest = NULL;
	unsigned best = nearest_limit(strlen(name)) + 1;
	char shown[CONF_SHOWN_SIZE];

	for (unsigned id = 0; id < METRIC_COUNT; id++) {
		const struct metric *metric = metric_get((enum metric_id)id);
		unsigned distance = nearest_distance(name, metric->name, best);

		if (metric->scope == METRIC_SCOPE_CHOSEN && distance < best) {
			best = distance;
			nearest = metric->name;
		}
	}
	conf_findings_show(name, shown);
	if (nearest)
		conf_builder_report(builder, CONF_MISTAKE, setting, "\"%s\" is no metric; did you mean %s?", shown, nearest);
	else
		conf_builder_report(builder, CONF_MISTAKE, setting, "\"%s\" is no metric to choose; allowed: %s", shown,
			setting->key->choices);
}

int conf_cloudwatch_set_metrics(struct conf_builder *builder, struct conf_setting *setting)
{
	const char *cursor = setting->value;
	char item[CONF_ITEM_SIZE];
	unsigned metrics = 0;

	while (conf_value_next_item(&cursor, ',', item)) {
		unsigned bit = metric_find(item);

		if (!bit)
			refuse_metric(builder, setting, item);
		else if (metrics & bit)
			conf_builder_report(builder, CONF_MISTAKE, setting, "%s stands twice in the list", item);
		metrics |= bit;
	}
	/* Availability and the number of judged runs come from it, and so do the alarms. */
	builder->conf->metrics = metrics | METRIC_SUCCESS;
	return 0;
}
