/* SPDX-License-Identifier: Apache-2.0 */
/* What an alarm is like stands in one table. Three choices in it are not obvious:
 *
 * A period is never shorter than the interval of the probe, so that each one holds a run, and never shorter
 * than 10 s, the shortest that an alarm can have; 10 and 30 s only over metrics of StorageResolution 1, which
 * are those with a `period` below a minute (API_PutMetricAlarm, Period).
 *
 * Percentiles are evaluated however few samples there are: with "ignore" CloudWatch wants 10 / (1 - 0.9) = 100
 * in a period, and a probe every 10 s has 30 in five minutes, so that the alarm would never leave its state.
 *
 * Success is missing when no agent probes. That says nothing about the service ("missing"), and the heartbeat,
 * where missing is breaching, says it for the agents. */
#include "alarms_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lattice-probe/err.h"
#include "lattice-probe/units.h"

#define DAY_S 86400 /* Period times EvaluationPeriods at most */
#define CERTIFICATE_DAYS_SHOWN 30

struct kind {
	const char *name;
	enum metric_id metric;
	const char *statistic;
	const char *extended_statistic;
	const char *comparison;
	const char *treat_missing;
	int64_t least_period_s;
	int evaluation_periods;
	int datapoints_to_alarm;
	void (*describe)(const struct kind *kind, const struct alarms_options *options, struct alarm *alarm);
};

struct making {
	const struct conf *conf;
	const struct generate_options *options;
	const struct alarms_options *alarms;
	struct generate_words *words;
	struct alarm_list list;
};

/* ---- words ----------------------------------------------------------------------------------- */

static const char *whose(const struct series *series)
{
	return series->service ? series->service : "all probes together";
}

static const char *what_to_ask(const struct series *series)
{
	return series->service ? series->service : "PROBE";
}

static void describe_availability(const struct kind *kind, const struct alarms_options *options,
	struct alarm *alarm)
{
	(void)kind;
	alarm->threshold = options->availability;
	(void)snprintf(alarm->description, sizeof alarm->description,
		"%s: fewer than %.6g%% of the runs succeed, in %d of %d periods of %" PRId64
		" s. lattice-probe diagnose %s on an agent's host says why.", whose(alarm->series),
		options->availability * 100, alarm->datapoints_to_alarm, alarm->evaluation_periods, alarm->period_s,
		what_to_ask(alarm->series));
}

static void describe_latency(const struct kind *kind, const struct alarms_options *options, struct alarm *alarm)
{
	int64_t limit_us = options->latency_us ? options->latency_us : alarm->series->timeout_us / 2;

	(void)kind;
	alarm->threshold = (double)limit_us / US_PER_MS;
	(void)snprintf(alarm->description, sizeof alarm->description,
		"%s: one in ten of the successful runs takes longer than %.6g ms, over %" PRId64
		" s. lattice-probe once %s shows the phases.", whose(alarm->series), alarm->threshold, alarm->period_s,
		what_to_ask(alarm->series));
}

static void describe_certificate(const struct kind *kind, const struct alarms_options *options, struct alarm *alarm)
{
	(void)kind;
	alarm->threshold = options->certificate_days;
	(void)snprintf(alarm->description, sizeof alarm->description,
		"%s: the certificate ends in less than %d days.", whose(alarm->series), options->certificate_days);
}

static void describe_failures(const struct kind *kind, const struct alarms_options *options, struct alarm *alarm)
{
	(void)options;
	alarm->threshold = 0;
	(void)snprintf(alarm->description, sizeof alarm->description,
		"%s: %s in %d of %d periods of %" PRId64 " s. lattice-probe diagnose %s on an agent's host says why.",
		whose(alarm->series), metric_get(kind->metric)->name, alarm->datapoints_to_alarm,
		alarm->evaluation_periods, alarm->period_s, what_to_ask(alarm->series));
}

static const struct kind kinds[] = {
	{ "availability", METRIC_ID_SUCCESS, "Average", NULL, "LessThanThreshold", "missing", 0, 5, 3,
		describe_availability },
	{ "latency", METRIC_ID_LATENCY, NULL, "p90", "GreaterThanThreshold", "notBreaching", 300, 1, 1,
		describe_latency },
	{ "certificate", METRIC_ID_CERTIFICATE_DAYS, "Minimum", NULL, "LessThanThreshold", "notBreaching", 300, 1, 1,
		describe_certificate },
	{ "dns_failures", METRIC_ID_DNS_FAILURES, "Sum", NULL, "GreaterThanThreshold", "notBreaching", 0, 5, 3,
		describe_failures },
	{ "connect_failures", METRIC_ID_CONNECT_FAILURES, "Sum", NULL, "GreaterThanThreshold", "notBreaching", 0, 5, 3,
		describe_failures },
	{ "tls_failures", METRIC_ID_TLS_FAILURES, "Sum", NULL, "GreaterThanThreshold", "notBreaching", 0, 5, 3,
		describe_failures },
	{ "health_failures", METRIC_ID_HEALTH_FAILURES, "Sum", NULL, "GreaterThanThreshold", "notBreaching", 0, 5, 3,
		describe_failures },
};

static void describe_heartbeat(const struct conf *conf, struct alarm *alarm)
{
	bool is_of_fleet = alarm->series->is_of_fleet;
	int agents = is_of_fleet ? conf->expected_agents : 1;

	alarm->threshold = agents;
	(void)snprintf(alarm->description, sizeof alarm->description,
		"%s %s: fewer than %d agent%s alive, in %d of %d periods of %" PRId64
		" s. lattice-probe status on their hosts says more.", is_of_fleet ? "fleet" : "agent",
		is_of_fleet ? conf->fleet : conf->agent_id, agents, agents == 1 ? " is" : "s are",
		alarm->datapoints_to_alarm, alarm->evaluation_periods, alarm->period_s);
}

static const struct kind heartbeat = { "heartbeat", METRIC_ID_HEARTBEAT, "Sum", NULL, "LessThanThreshold", "breaching",
	60, 5, 3, NULL };

/* ---- names ----------------------------------------------------------------------------------- */

/* What separates in a name is escaped in what it separates, so that no two alarms have the same. */
static void append_escaped(struct buf *name, const char *text)
{
	for (; *text; text++)
		if (strchr("%,=", *text))
			(void)buf_append_format(name, "%%%02X", (unsigned char)*text);
		else
			(void)buf_append_char(name, *text);
}

/* "LatticeProbe availability Service=checkout, Environment=prod"; a longer one is cut and told apart by the
 * hash. ERR_NOMEM. */
static int make_name(const struct conf *conf, struct alarm *alarm)
{
	struct buf name;
	int err;

	buf_init(&name, GENERATE_TEXT_MAX);
	(void)buf_append_format(&name, "%s %s", conf->namespace_, alarm->kind);
	for (size_t i = 0; i < alarm->series->dimension_count; i++) {
		(void)buf_append_text(&name, i ? ", " : " ");
		append_escaped(&name, alarm->series->dimensions[i].name);
		(void)buf_append_char(&name, '=');
		append_escaped(&name, alarm->series->dimensions[i].value);
	}
	err = name.failed;
	if (name.length_bytes > ALARM_NAME_MAX)
		(void)snprintf(alarm->name, sizeof alarm->name, "%.*s %016" PRIx64, ALARM_NAME_MAX - 17, buf_text(&name),
			alarm->hash);
	else
		(void)snprintf(alarm->name, sizeof alarm->name, "%s", buf_text(&name));
	buf_done(&name);
	return err;
}

/* ---- decisions ------------------------------------------------------------------------------- */

/* The shortest period of an alarm that is made of whole periods of the metric and lasts that long. */
static int64_t alarm_period_s(const struct conf *conf, int64_t at_least_us)
{
	int64_t metric_s = conf->period_us / US_PER_S;
	int64_t step_s = metric_s > 60 ? metric_s : 60;
	int64_t at_least_s = (at_least_us + US_PER_S - 1) / US_PER_S;
	int64_t period_s;

	if (at_least_s < metric_s)
		at_least_s = metric_s;
	if (at_least_s <= 10)
		return 10;
	if (at_least_s <= 30)
		return 30;
	period_s = (at_least_s + step_s - 1) / step_s * step_s;
	return period_s < DAY_S ? period_s : DAY_S;
}

static void set_periods(const struct making *making, const struct kind *kind, struct alarm *alarm)
{
	int64_t at_least_us = kind->least_period_s * US_PER_S;
	int64_t most;

	if (alarm->series->interval_us > at_least_us)
		at_least_us = alarm->series->interval_us;
	alarm->period_s = alarm_period_s(making->conf, at_least_us);
	most = DAY_S / alarm->period_s;
	alarm->evaluation_periods = kind->evaluation_periods < most ? kind->evaluation_periods : (int)most;
	alarm->datapoints_to_alarm = kind->datapoints_to_alarm < alarm->evaluation_periods ?
		kind->datapoints_to_alarm : alarm->evaluation_periods;
}

/* Appends an alarm; the list has room. */
static int add_alarm(struct making *making, const struct kind *kind, const struct series *series)
{
	struct alarm *alarm = &making->list.items[making->list.count];

	*alarm = (struct alarm){ .series = series, .metric = metric_get(kind->metric)->name,
		.hash = generate_hash(series_hash(making->conf, series), kind->name),
		.statistic = kind->statistic, .extended_statistic = kind->extended_statistic,
		.comparison = kind->comparison, .treat_missing = kind->treat_missing };
	(void)snprintf(alarm->kind, sizeof alarm->kind, "%s", kind->name);
	set_periods(making, kind, alarm);
	if (kind->describe)
		kind->describe(kind, making->alarms, alarm);
	else
		describe_heartbeat(making->conf, alarm);
	making->list.count++;
	return make_name(making->conf, alarm);
}

static bool is_wanted(const struct making *making, const struct kind *kind, const struct series *series)
{
	if (metric_get(kind->metric)->scope == METRIC_SCOPE_FAILURE && !making->alarms->with_failures)
		return false;
	if (series->metrics & 1u << kind->metric)
		return true;
	if (kind->metric == METRIC_ID_LATENCY)
		generate_note(making->words, "no alarms on latency: Latency is not among the metrics of [cloudwatch]");
	return false;
}

static int add_service(struct making *making, const struct series *series)
{
	const char *unknown = series_unknown(series);
	int err = 0;

	if (!generate_is_in_part(making->options, series->service))
		return 0;
	if (unknown) {
		generate_note(making->words, "no alarms on dimension sets with %s: only an instance knows its value; name it "
			"with --dimension %s=VALUE", unknown, unknown);
		return 0;
	}
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds && !err; i++)
		if (is_wanted(making, &kinds[i], series))
			err = add_alarm(making, &kinds[i], series);
	return err;
}

/* One heartbeat says it: that of the fleet, else that of the agent with a configured name. */
static int add_heartbeat(struct making *making, const struct series_list *agents)
{
	if (!generate_is_in_part(making->options, NULL))
		return 0;
	if (agents->count == 0)
		generate_note(making->words, "no alarm on the heartbeat: agent_metrics = none in [cloudwatch]");
	else if (series_unknown(&agents->items[0]))
		generate_note(making->words, "no alarm on the heartbeat: with agent_metrics = agent it has the name of each "
			"agent, which is not configured; set agent_metrics = fleet or both, or agent_id");
	else
		return add_alarm(making, &heartbeat, &agents->items[0]);
	return 0;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static int check(const struct conf *conf, const struct alarms_options *alarms, struct generate_words *words)
{
	if (alarms->with_failures && !conf->failure_metrics_always) {
		generate_refuse(words, "alarms on failure metrics need zeros in the periods without a failure: set "
			"failure_metrics = always in [cloudwatch]; the alarm on availability needs nothing");
		return ERR_UNSUPPORTED;
	}
	if (alarms->certificate_days > CERTIFICATE_DAYS_SHOWN && !(conf->metrics & METRIC_CERTIFICATE_DAYS)) {
		generate_refuse(words, "CertificateDaysRemaining is published only when %d days or fewer are left: ask for at "
			"most that many, or add it to metrics in [cloudwatch]", CERTIFICATE_DAYS_SHOWN);
		return ERR_RANGE;
	}
	return 0;
}

static int make_alarms(struct making *making, const struct series_list *services, const struct series_list *agents)
{
	size_t most = services->count * (sizeof kinds / sizeof *kinds) + 1;
	int err = 0;

	making->list.items = calloc(most, sizeof *making->list.items);
	if (!making->list.items)
		return ERR_NOMEM;
	for (size_t i = 0; i < services->count && !err; i++)
		err = add_service(making, &services->items[i]);
	if (!err)
		err = add_heartbeat(making, agents);
	if (!err && making->list.count == 0) {
		generate_refuse(making->words, making->options->parts ? "nothing falls into this part" :
			"nothing is published that an alarm could watch; add a probe, or agent_metrics = fleet in [cloudwatch]");
		err = ERR_NOT_FOUND;
	}
	return err;
}

int alarms_generate(const struct conf *conf, const struct generate_options *options,
	const struct alarms_options *alarms, struct buf *ret_text, struct generate_words *words)
{
	struct making making = { .conf = conf, .options = options, .alarms = alarms, .words = words };
	struct series_list services = { 0 };
	struct series_list agents = { 0 };
	int err = check(conf, alarms, words);

	if (!err)
		err = series_of_services(conf, options, &services);
	if (!err)
		err = series_of_agents(conf, &agents);
	if (!err)
		err = make_alarms(&making, &services, &agents);
	if (!err && conf->target_count == 0)
		generate_note(words, "no probe is configured: the heartbeat is all there is to watch");
	if (!err)
		err = alarms->format == ALARMS_TERRAFORM ? alarms_terraform_write(conf, &making.list, ret_text) :
			alarms_cloudformation_write(conf, &making.list, ret_text, words);
	free(making.list.items);
	series_done(&services);
	series_done(&agents);
	return err;
}
