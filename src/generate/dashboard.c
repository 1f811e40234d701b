/* SPDX-License-Identifier: Apache-2.0 */
/* The grid has 24 columns (API Reference, Dashboard Body Structure and Syntax). From the top: what it is about,
 * the availability of all services, the agents, one row for each service and dimension set, the certificates.
 * A dashboard holds 500 widgets, a widget 500 metrics, a dashboard 2,500 (CloudWatch User Guide, quotas). */
#include "dashboard_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lattice-probe/err.h"
#include "lattice-probe/units.h"

#define COLUMNS 24
#define WIDGETS_MAX 500
#define METRICS_MAX 2500
#define LINES_MAX 25 /* in one graph, for the eye's sake */
#define WIDGET_HEIGHT 6
#define TITLE_SIZE 512
#define PHASES (METRIC_DNS_LATENCY | METRIC_CONNECT_LATENCY | METRIC_TLS_LATENCY | METRIC_FIRST_BYTE_LATENCY | \
	METRIC_TRANSFER_LATENCY)

struct board {
	const struct conf *conf;
	const struct generate_options *options;
	struct generate_words *words;
	json_t *widgets;
	int x; /* where the next widget goes */
	int y;
	int row_height;
	size_t metrics;
	bool has_failed; /* no memory */
};

/* ---- widgets --------------------------------------------------------------------------------- */

static void end_row(struct board *board)
{
	board->y += board->row_height;
	board->x = 0;
	board->row_height = 0;
}

/* Takes the properties. */
static void place(struct board *board, const char *type, int width, int height, json_t *properties)
{
	if (board->x + width > COLUMNS)
		end_row(board);
	if (json_array_append_new(board->widgets, json_pack("{s:s, s:i, s:i, s:i, s:i, s:o}", "type", type, "x", board->x,
		    "y", board->y, "width", width, "height", height, "properties", properties)) != 0)
		board->has_failed = true;
	board->x += width;
	if (height > board->row_height)
		board->row_height = height;
}

/* Takes the rows; `axis` and `annotations` may be NULL. */
static void place_graph(struct board *board, int width, const char *title, bool is_stacked, int64_t period_s,
	json_t *rows, json_t *axis, json_t *annotations)
{
	json_t *properties = json_pack("{s:s, s:s, s:b, s:s, s:I, s:o}", "title", title, "view", "timeSeries", "stacked",
		is_stacked, "region", board->options->region, "period", (json_int_t)period_s, "metrics", rows);

	if (axis)
		board->has_failed |= json_object_set_new(properties, "yAxis", axis) != 0;
	if (annotations)
		board->has_failed |= json_object_set_new(properties, "annotations", annotations) != 0;
	board->metrics += json_array_size(rows);
	place(board, "metric", width, WIDGET_HEIGHT, properties);
}

static void add_row(struct board *board, json_t *rows, const struct series *series, enum metric_id id,
	const struct dashboard_look *look)
{
	if (json_array_append_new(rows, dashboard_metric_row(board->conf, series, id, look)) != 0)
		board->has_failed = true;
}

/* The metric with zeros where it was not sent: hidden itself, shown through FILL. */
static void add_filled_row(struct board *board, json_t *rows, const struct series *series, enum metric_id id,
	int64_t period_s)
{
	char hidden[16];
	char shown[16];
	char expression[32];

	(void)snprintf(hidden, sizeof hidden, "m%d", (int)id);
	(void)snprintf(shown, sizeof shown, "e%d", (int)id);
	(void)snprintf(expression, sizeof expression, "FILL(%s, 0)", hidden);
	if (json_array_append_new(rows, json_pack("[{s:s, s:s, s:s}]", "expression", expression, "label",
		    metric_get(id)->name, "id", shown)) != 0)
		board->has_failed = true;
	add_row(board, rows, series, id, &(struct dashboard_look){ .statistic = "Sum", .id = hidden, .is_hidden = true,
		.period_s = period_s });
}

/* So that NULL means "none" from here on. */
static json_t *must(struct board *board, json_t *json)
{
	board->has_failed |= json == NULL;
	return json;
}

static json_t *axis_of(struct board *board, const char *label)
{
	return must(board, json_pack("{s:{s:s, s:b}}", "left", "label", label, "showUnits", 0));
}

static json_t *axis_from_zero(struct board *board, const char *label)
{
	return must(board, json_pack("{s:{s:i, s:s, s:b}}", "left", "min", 0, "label", label, "showUnits", 0));
}

static json_t *axis_to_one(struct board *board)
{
	return must(board, json_pack("{s:{s:i, s:i, s:b}}", "left", "min", 0, "max", 1, "showUnits", 0));
}

static json_t *line_at(struct board *board, const char *label, int value)
{
	return must(board, json_pack("{s:[{s:s, s:i}]}", "horizontal", "label", label, "value", value));
}

/* ---- words ----------------------------------------------------------------------------------- */

/* Text of the configuration between backticks of Markdown. */
static void copy_for_code(const char *text, char *copy, size_t size)
{
	(void)snprintf(copy, size, "%s", text);
	for (char *c = copy; *c; c++)
		if (*c == '`')
			*c = '\'';
}

static void place_text(struct board *board)
{
	char namespace_[CONF_NAME_SIZE];
	char fleet[CONF_NAME_SIZE];
	char markdown[2048];

	copy_for_code(board->conf->namespace_, namespace_, sizeof namespace_);
	copy_for_code(board->conf->fleet, fleet, sizeof fleet);
	(void)snprintf(markdown, sizeof markdown,
		"## lattice-probe: namespace `%s`, fleet `%s`\n"
		"**Availability** is the share of runs that gave the expected answer in time; faults of the agent's host do "
		"not count. **Latency** is of successful runs, from the DNS question to the last byte. **Failures** stand "
		"where a run ended: DNS, connect, TLS, or the answer itself (health). **Certificates** appear when 30 days "
		"or fewer are left. `lattice-probe diagnose PROBE` on an agent's host says why one fails.\n\n"
		"Made by `lattice-probe dashboard` from the configuration: make it anew rather than edit it here.",
		namespace_, fleet);
	place(board, "text", COLUMNS, 5, json_pack("{s:s}", "markdown", markdown));
	end_row(board);
}

/* "checkout", "checkout by AvailabilityZoneId", "all probes VpcId=vpc-1". */
static void make_title(const struct series *series, char title[static TITLE_SIZE])
{
	size_t length = (size_t)snprintf(title, TITLE_SIZE, "%s", series->service ? series->service : "all probes");

	for (size_t i = 0; i < series->dimension_count && length < TITLE_SIZE; i++) {
		const struct series_dimension *dimension = &series->dimensions[i];
		bool is_fact = false;

		for (size_t j = 0; generate_fact_name(j); j++)
			is_fact |= strcmp(generate_fact_name(j), dimension->name) == 0;
		if (is_fact && dimension->value)
			length += (size_t)snprintf(title + length, TITLE_SIZE - length, " %s=%s", dimension->name,
				dimension->value);
		else if (is_fact)
			length += (size_t)snprintf(title + length, TITLE_SIZE - length, " by %s", dimension->name);
	}
}

/* ---- services -------------------------------------------------------------------------------- */

/* So long that each point holds a run. */
static int64_t graph_period_s(const struct conf *conf, const struct series *series)
{
	int64_t step_us = conf->period_us < 60 * US_PER_S ? 60 * US_PER_S : conf->period_us;

	if (series->interval_us <= conf->period_us)
		return conf->period_us / US_PER_S;
	return (series->interval_us + step_us - 1) / step_us * step_us / US_PER_S;
}

static void place_availability(struct board *board, const struct series *series, int width, const char *title)
{
	int64_t period_s = graph_period_s(board->conf, series);
	json_t *rows = json_array();
	char text[TITLE_SIZE + 32];

	add_row(board, rows, series, METRIC_ID_SUCCESS, &(struct dashboard_look){ .statistic = "Average",
		.label = series_unknown(series) ? NULL : "availability", .period_s = period_s });
	(void)snprintf(text, sizeof text, "%s: availability", title);
	place_graph(board, width, text, false, period_s, rows, axis_to_one(board), NULL);
}

static void place_latency(struct board *board, const struct series *series, int width, const char *title)
{
	static const char *const percentiles[] = { "p50", "p90", "p99" };
	int64_t period_s = graph_period_s(board->conf, series);
	json_t *rows = json_array();
	char text[TITLE_SIZE + 32];

	for (size_t i = 0; i < sizeof percentiles / sizeof *percentiles; i++)
		add_row(board, rows, series, METRIC_ID_LATENCY, &(struct dashboard_look){ .statistic = percentiles[i],
			.label = series_unknown(series) ? NULL : percentiles[i], .period_s = period_s });
	(void)snprintf(text, sizeof text, "%s: latency of successes", title);
	place_graph(board, width, text, false, period_s, rows, axis_from_zero(board, "ms"), NULL);
}

/* Averages, unlike percentiles, may stand on each other. */
static void place_phases(struct board *board, const struct series *series, int width, const char *title)
{
	int64_t period_s = graph_period_s(board->conf, series);
	json_t *rows = json_array();
	char text[TITLE_SIZE + 32];

	for (unsigned id = 0; id < METRIC_COUNT; id++)
		if (series->metrics & PHASES & 1u << id)
			add_row(board, rows, series, (enum metric_id)id, &(struct dashboard_look){ .statistic = "Average",
				.label = series_unknown(series) ? NULL : metric_get((enum metric_id)id)->name, .period_s = period_s });
	(void)snprintf(text, sizeof text, "%s: average by phase", title);
	place_graph(board, width, text, true, period_s, rows, axis_from_zero(board, "ms"), NULL);
}

static void place_failures(struct board *board, const struct series *series, int width, const char *title)
{
	int64_t period_s = graph_period_s(board->conf, series);
	json_t *rows = json_array();
	char text[TITLE_SIZE + 32];

	for (unsigned id = 0; id < METRIC_COUNT; id++)
		if (metric_get((enum metric_id)id)->scope == METRIC_SCOPE_FAILURE && (series->metrics & 1u << id))
			add_filled_row(board, rows, series, (enum metric_id)id, period_s);
	(void)snprintf(text, sizeof text, "%s: failures by phase", title);
	place_graph(board, width, text, true, period_s, rows, axis_from_zero(board, "runs"), NULL);
}

static bool is_shown(const struct board *board, const struct series *series)
{
	return generate_is_in_part(board->options, series->service) && !dashboard_metric_obstacle(board->conf, series);
}

static void place_services(struct board *board, const struct series_list *services)
{
	for (size_t i = 0; i < services->count; i++) {
		const struct series *series = &services->items[i];
		bool has_latency = series->metrics & METRIC_LATENCY;
		bool has_phases = series->metrics & PHASES;
		int width = COLUMNS / (2 + has_latency + has_phases);
		char title[TITLE_SIZE];

		if (!is_shown(board, series))
			continue;
		make_title(series, title);
		place_availability(board, series, width, title);
		if (has_latency)
			place_latency(board, series, width, title);
		if (has_phases)
			place_phases(board, series, width, title);
		place_failures(board, series, width, title);
		end_row(board);
	}
}

/* One metric of all services, in as many graphs as it takes; `annotations` are made for each. */
static void place_together(struct board *board, const struct series_list *services, enum metric_id id,
	const char *statistic, const char *title, json_t *axis, json_t *annotations)
{
	json_t *rows = NULL;
	int64_t period_s = 0;

	for (size_t i = 0; i <= services->count; i++) {
		const struct series *series = i < services->count ? &services->items[i] : NULL;
		char label[TITLE_SIZE];

		if (rows && (!series || json_array_size(rows) == LINES_MAX)) {
			place_graph(board, COLUMNS / 2, title, false, period_s, rows, json_incref(axis), json_incref(annotations));
			rows = NULL;
			period_s = 0;
		}
		if (!series || !is_shown(board, series) || !(series->metrics & 1u << id))
			continue;
		if (series_unknown(series) && id == METRIC_ID_SUCCESS)
			continue; /* many lines, and each again in its own row */
		rows = rows ? rows : json_array();
		make_title(series, label);
		if (graph_period_s(board->conf, series) > period_s)
			period_s = graph_period_s(board->conf, series);
		add_row(board, rows, series, id, &(struct dashboard_look){ .statistic = statistic,
			.label = series_unknown(series) ? NULL : label, .period_s = graph_period_s(board->conf, series) });
	}
	end_row(board);
	json_decref(axis);
	json_decref(annotations);
}

/* ---- agents ---------------------------------------------------------------------------------- */

static void place_counters(struct board *board, const struct series *series, int64_t period_s)
{
	json_t *rows = json_array();

	for (unsigned id = 0; id < METRIC_COUNT; id++) {
		const struct metric *metric = metric_get((enum metric_id)id);

		if (metric->scope == METRIC_SCOPE_AGENT && metric->unit == DATUM_UNIT_COUNT && id != METRIC_ID_HEARTBEAT)
			add_filled_row(board, rows, series, (enum metric_id)id, period_s);
	}
	place_graph(board, 8, "Agents: misses, faults, losses", true, period_s, rows, axis_from_zero(board, "count"), NULL);
}

static void place_agents(struct board *board, const struct series_list *agents)
{
	int64_t period_s = board->conf->period_us > 60 * US_PER_S ? board->conf->period_us / US_PER_S : 60;

	for (size_t i = 0; i < agents->count; i++) {
		const struct series *series = &agents->items[i];
		const char *label = series_unknown(series) ? NULL : "agents";
		json_t *rows = json_array();

		if (!is_shown(board, series)) {
			json_decref(rows);
			continue;
		}
		add_row(board, rows, series, METRIC_ID_HEARTBEAT, &(struct dashboard_look){ .statistic = "Sum", .label = label,
			.period_s = period_s });
		place_graph(board, 8, "Agents alive", false, period_s, rows, axis_from_zero(board, "agents"),
			series->is_of_fleet ? line_at(board, "expected", board->conf->expected_agents) : NULL);
		place_counters(board, series, period_s);
		rows = json_array();
		add_row(board, rows, series, METRIC_ID_CLOCK_SKEW_SECONDS, &(struct dashboard_look){ .statistic = "Average",
			.label = series_unknown(series) ? NULL : "skew", .period_s = period_s });
		place_graph(board, 8, "Agents: clock off by", false, period_s, rows,
			axis_of(board, "s"), NULL);
		end_row(board);
	}
}

/* ---- the whole ------------------------------------------------------------------------------- */

static void note_obstacles(struct board *board, const struct series_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		const char *obstacle = dashboard_metric_obstacle(board->conf, &list->items[i]);

		if (obstacle)
			generate_note(board->words, "a dimension set is left out: %s", obstacle);
	}
}

static void fill_board(struct board *board, const struct series_list *services, const struct series_list *agents)
{
	note_obstacles(board, services);
	note_obstacles(board, agents);
	place_text(board);
	place_together(board, services, METRIC_ID_SUCCESS, "Average", "Availability",
		axis_to_one(board), NULL);
	place_agents(board, agents);
	place_services(board, services);
	place_together(board, services, METRIC_ID_CERTIFICATE_DAYS, "Minimum", "Certificates: days left",
		axis_of(board, "days"), line_at(board, "expired", 0));
}

static int judge(struct board *board)
{
	size_t widgets = json_array_size(board->widgets);
	size_t parts = widgets * 4 / (WIDGETS_MAX * 3) + 1;

	if (board->metrics * 4 / (METRICS_MAX * 3) + 1 > parts)
		parts = board->metrics * 4 / (METRICS_MAX * 3) + 1;
	if (board->has_failed)
		return ERR_NOMEM;
	if (board->metrics == 0) {
		generate_refuse(board->words, board->options->parts ? "nothing falls into this part" :
			"nothing is published that could be shown; add a probe, or agent_metrics = fleet in [cloudwatch]");
		return ERR_NOT_FOUND;
	}
	if (widgets <= WIDGETS_MAX && board->metrics <= METRICS_MAX)
		return 0;
	generate_refuse(board->words, "a dashboard holds %d widgets and %d metrics, and these are %zu and %zu: make several "
		"with --part 1/%zu, --part 2/%zu and so on", WIDGETS_MAX,
		METRICS_MAX, widgets, board->metrics, parts, parts);
	return ERR_LIMIT;
}

int dashboard_generate(const struct conf *conf, const struct generate_options *options, struct buf *ret_text,
	struct generate_words *words)
{
	struct board board = { .conf = conf, .options = options, .words = words };
	struct series_list services = { 0 };
	struct series_list agents = { 0 };
	int err;

	if (!options->region[0]) {
		generate_refuse(words, "the region is not known, and each graph needs it: set region in [cloudwatch], AWS_REGION, "
			"or --region REGION");
		return ERR_RANGE;
	}
	err = series_of_services(conf, options, &services);
	if (!err)
		err = series_of_agents(conf, &agents);
	board.widgets = err ? NULL : json_array();
	if (!err) {
		fill_board(&board, &services, &agents);
		err = judge(&board);
	}
	if (!err)
		err = generate_json(json_pack("{s:s, s:s, s:O}", "start", "-PT3H", "periodOverride", "inherit", "widgets",
			board.widgets), ret_text);
	json_decref(board.widgets);
	series_done(&services);
	series_done(&agents);
	return err;
}
