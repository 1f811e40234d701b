/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the configuration as `run` would and says what it means: every mistake, or the probes, the
 * metrics and their price. Nothing is started and nothing is sent. */
#include "cli_internal.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "lattice-probe/conf.h"
#include "lattice-probe/conf_cost.h"
#include "lattice-probe/err.h"
#include "lattice-probe/units.h"

#define COLUMNS 80
#define DURATION_SIZE 32
#define RESOLVERS_SIZE (TARGET_RESOLVERS_MAX * (ADDRESS_TEXT_SIZE + 2))

static void print_usage(FILE *stream)
{
	fputs("usage: lattice-probe check-config [-c FILE] [--json]\n"
	      "\n"
	      "Reads the configuration and prints every mistake, or what it probes, publishes\n"
	      "and costs.\n"
	      "\n"
	      "  -c, --config FILE  the configuration; conf.d/*.conf beside it is read after it\n"
	      "                     (" CLI_CONF_PATH ")\n"
	      "      --json         print one JSON object\n"
	      "  -h, --help         print this\n"
	      "\n"
	      "Exit status: 0 no mistakes, 2 mistakes or wrong usage, 3 no memory.\n",
		stream);
}

/* ---- texts -------------------------------------------------------------------------------- */

static const char *duration_text(int64_t us, char text[static DURATION_SIZE])
{
	if (us % US_PER_S)
		(void)snprintf(text, DURATION_SIZE, "%" PRId64 "ms", us / US_PER_MS);
	else
		(void)snprintf(text, DURATION_SIZE, "%" PRId64 "s", us / US_PER_S);
	return text;
}

static const char *resolver_text(const struct target_resolver *resolver, char text[static RESOLVERS_SIZE])
{
	size_t length = 0;

	if (resolver->mode != TARGET_RESOLVER_LIST) {
		(void)snprintf(text, RESOLVERS_SIZE, "%s",
			resolver->mode == TARGET_RESOLVER_SYSTEM ? "system" : "vpc");
		return text;
	}
	for (size_t i = 0; i < resolver->server_count; i++) {
		char server[ADDRESS_TEXT_SIZE];

		address_format_port(&resolver->servers[i], server);
		length += (size_t)snprintf(text + length, RESOLVERS_SIZE - length, "%s%s", i ? ", " : "", server);
	}
	return text;
}

/* The text cut to that many columns; a character is a byte that continues no other (UTF-8). */
static void print_cut(const char *text, size_t columns)
{
	size_t width = 0;
	size_t kept = 0;
	size_t bytes = 0;

	for (; text[bytes]; bytes++) {
		if (((unsigned char)text[bytes] & 0xc0) == 0x80)
			continue;
		if (++width == columns)
			kept = bytes;
	}
	if (width > columns)
		printf("%.*s…", (int)kept, text);
	else
		fputs(text, stdout);
}

/* ---- for people --------------------------------------------------------------------------- */

static void print_probe(const struct target *target)
{
	char interval[DURATION_SIZE];
	char timeout[DURATION_SIZE];
	char resolver[RESOLVERS_SIZE];
	char *line = NULL;

	if (asprintf(&line, "%s: every %s, timeout %s, resolver %s", target->name,
		    duration_text(target->interval_us, interval), duration_text(target->timeout_us, timeout),
		    resolver_text(&target->resolver, resolver)) < 0)
		return;
	print_cut(line, COLUMNS);
	fputs("\n  ", stdout);
	print_cut(target->url.redacted, COLUMNS - 2);
	fputs("\n", stdout);
	free(line);
}

static void print_no_probe(const struct conf *conf, const char *path)
{
	if (conf->disabled_count > 0) {
		printf("Every probe is disabled (enabled = no).\n");
		return;
	}
	printf("No probe is configured. Add one to\n  %s\nor to a file in conf.d beside it:\n"
	       "\n"
	       "  [probe NAME]\n"
	       "  url = https://host/path\n",
		path);
}

static void print_probes(const struct conf *conf, const char *path)
{
	if (conf->target_count == 0)
		print_no_probe(conf, path);
	for (size_t i = 0; i < conf->target_count; i++)
		print_probe(conf->targets[i]);
	if (conf->target_count > 0 && conf->disabled_count > 0)
		printf("and %zu disabled\n", conf->disabled_count);
}

static void print_row(const char *name, const char *format, double agent, double fleet)
{
	char left[32];
	char right[32];

	(void)snprintf(left, sizeof left, format[0] == '$' ? "$%.2f" : "%.0f", agent);
	(void)snprintf(right, sizeof right, format[0] == '$' ? "$%.2f" : "%.0f", fleet);
	printf("  %-34s %14s %14s\n", name, left, right);
}

static void print_cost(const struct conf *conf, const struct conf_cost *cost)
{
	double agents = conf->expected_agents;
	char period[DURATION_SIZE];
	char fleet[32];

	(void)snprintf(fleet, sizeof fleet, "%d agent%s", conf->expected_agents,
		conf->expected_agents == 1 ? "" : "s");
	printf("\nCloudWatch, namespace ");
	print_cut(conf->namespace_, 30);
	printf(", period %s, a month\n", duration_text(conf->period_us, period));
	printf("  %-34s %14s %14s\n", "", "this agent", fleet);
	print_row("metrics", "", (double)(cost->service_metrics + cost->agent_metrics), (double)cost->fleet_metrics);
	print_row("requests", "", cost->requests_per_month, cost->requests_per_month * agents);
	print_row("price of metrics", "$", cost->metric_dollars,
		cost->fleet_dollars - cost->request_dollars * agents);
	print_row("price of requests", "$", cost->request_dollars, cost->request_dollars * agents);
	print_row("together", "$", cost->metric_dollars + cost->request_dollars, cost->fleet_dollars);
	printf("At list prices of us-east-1, without the free tier. Up to %zu more metrics of\n"
	       "failures, certificates and the agent are billed for the hours they appear in.\n",
		cost->sparse_metrics);
	printf("\nDNS: up to %.1f datagrams/s of the %d that max_dns_rate allows.\n", cost->dns_datagrams_per_s,
		conf->max_dns_rate);
}

/* ---- for programs ------------------------------------------------------------------------- */

/* Paths and keys come as bytes; what is no UTF-8 cannot be JSON. */
static json_t *text_to_json(const char *text)
{
	json_t *json = json_string(text);
	char *copy = json ? NULL : strdup(text);

	if (!copy)
		return json;
	for (char *c = copy; *c; c++)
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	json = json_string(copy);
	free(copy);
	return json;
}

static json_t *findings_to_json(const struct conf_findings *findings, enum conf_severity severity)
{
	json_t *array = json_array();

	for (size_t i = 0; i < findings->count; i++) {
		const struct conf_finding *finding = &findings->items[i];

		if (finding->severity == severity)
			(void)json_array_append_new(array, json_pack("{s:o, s:i, s:o}", "file", text_to_json(finding->file),
				"line", (int)finding->line, "text", text_to_json(finding->text)));
	}
	return array;
}

static json_t *probes_to_json(const struct conf *conf)
{
	json_t *array = json_array();

	for (size_t i = 0; conf && i < conf->target_count; i++) {
		const struct target *target = conf->targets[i];
		char resolver[RESOLVERS_SIZE];

		(void)json_array_append_new(array, json_pack("{s:s, s:s, s:I, s:I, s:s}", "probe", target->name, "url",
			target->url.redacted, "interval_us", (json_int_t)target->interval_us, "timeout_us",
			(json_int_t)target->timeout_us, "resolver", resolver_text(&target->resolver, resolver)));
	}
	return array;
}

static json_t *cost_to_json(const struct conf *conf)
{
	struct conf_cost cost;

	conf_cost_estimate(conf, &cost);
	return json_pack("{s:I, s:I, s:I, s:I, s:i, s:f, s:f, s:f, s:f, s:f}", "service_metrics",
		(json_int_t)cost.service_metrics, "agent_metrics", (json_int_t)cost.agent_metrics, "sparse_metrics",
		(json_int_t)cost.sparse_metrics, "fleet_metrics", (json_int_t)cost.fleet_metrics, "expected_agents",
		conf->expected_agents, "requests_per_month", cost.requests_per_month, "metric_dollars",
		cost.metric_dollars, "request_dollars", cost.request_dollars, "fleet_dollars", cost.fleet_dollars,
		"dns_datagrams_per_s", cost.dns_datagrams_per_s);
}

/* conf is NULL when there are mistakes. */
static void print_json(const char *path, const struct conf *conf, const struct conf_findings *findings)
{
	json_t *object = json_pack("{s:o, s:b, s:o, s:o, s:o, s:I, s:o}", "file", text_to_json(path), "ok", conf != NULL,
		"mistakes", findings_to_json(findings, CONF_MISTAKE), "warnings",
		findings_to_json(findings, CONF_WARNING), "probes", probes_to_json(conf), "disabled",
		conf ? (json_int_t)conf->disabled_count : (json_int_t)0, "cost",
		conf ? cost_to_json(conf) : json_null());

	if (!object || json_dumpf(object, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) != 0)
		fprintf(stderr, "lattice-probe: the JSON could not be written\n");
	fputs("\n", stdout);
	json_decref(object);
}

/* ---- the command -------------------------------------------------------------------------- */

static void print_findings(const char *path, const struct conf_findings *findings)
{
	for (size_t i = 0; i < findings->count; i++)
		cli_print_finding(&findings->items[i]);
	if (findings->mistakes + findings->warnings > findings->count)
		fprintf(stderr, "lattice-probe: %zu more are not shown\n",
			findings->mistakes + findings->warnings - findings->count);
	if (findings->mistakes > 0)
		fprintf(stderr, "lattice-probe: %s: %zu mistake%s\n", path, findings->mistakes,
			findings->mistakes == 1 ? "" : "s");
}

static int check(const char *path, bool as_json)
{
	struct conf_findings findings;
	struct conf *conf = NULL;
	struct conf_cost cost;
	int err;

	conf_findings_init(&findings);
	err = conf_load(path, &conf, &findings);
	if (err == ERR_NOMEM) {
		fprintf(stderr, "lattice-probe: %s: %s\n", path, err_text(err));
		conf_findings_done(&findings);
		return CLI_EXIT_UNKNOWN;
	}
	print_findings(path, &findings);
	if (as_json) {
		print_json(path, conf, &findings);
	} else if (conf) {
		conf_cost_estimate(conf, &cost);
		print_probes(conf, path);
		print_cost(conf, &cost);
	}
	conf_findings_done(&findings);
	conf_free(conf);
	return err ? CLI_EXIT_USAGE : CLI_EXIT_OK;
}

int cmd_check_config(int argc, char **argv)
{
	static const struct option options[] = { { "config", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' }, { "help", no_argument, NULL, 'h' }, { 0 } };
	const char *path = CLI_CONF_PATH;
	bool as_json = false;
	int option;

	while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		switch (option) {
		case 'c': path = optarg; break;
		case 'j': as_json = true; break;
		case 'h': print_usage(stdout); return CLI_EXIT_OK;
		default: return cli_refuse_option(argv, options, print_usage);
		}
	}
	if (optind < argc) {
		fprintf(stderr, "lattice-probe: check-config takes no argument '%s'\n", argv[optind]);
		print_usage(stderr);
		return CLI_EXIT_USAGE;
	}
	return check(path, as_json);
}
