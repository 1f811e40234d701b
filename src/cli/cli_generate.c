/* SPDX-License-Identifier: Apache-2.0 */
#include "cli_internal.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "lattice-probe/datum.h"
#include "lattice-probe/endpoint.h"
#include "lattice-probe/err.h"
#include "lattice-probe/parse.h"

#define REGION_SIZE 64
#define FACTS_MAX 5

/* What the command line says, borrowed from it. */
struct arguments {
	const char *path;
	const char *region; /* NULL: not given */
	struct conf_static_dimension facts[FACTS_MAX];
	size_t fact_count;
	unsigned part;
	unsigned parts;
};

/* ---- options --------------------------------------------------------------------------------- */

static bool take_region(struct arguments *arguments, const char *value)
{
	if (!endpoint_region_is_valid(value)) {
		fprintf(stderr, "lattice-probe: --region: '%s' is no region; write us-east-1 or the like\n", value);
		return false;
	}
	arguments->region = value;
	return true;
}

/* CloudWatch's rule for values (dimension_set_add); the name must be one that an instance gives a value. */
static bool fact_is_good(const char *name, const char *value)
{
	struct dimension_set *set = dimension_set_new();
	bool is_fact = false;

	for (size_t i = 0; generate_fact_name(i); i++)
		is_fact |= strcmp(generate_fact_name(i), name) == 0;
	is_fact = is_fact && set && dimension_set_add(set, name, value) == 0;
	dimension_set_drop(set);
	return is_fact;
}

static bool take_fact(struct arguments *arguments, char *value)
{
	char *equals = strchr(value, '=');

	if (equals)
		*equals = '\0';
	if (!equals || !fact_is_good(value, equals + 1)) {
		fprintf(stderr, "lattice-probe: --dimension: write NAME=VALUE, NAME one of");
		for (size_t i = 0; generate_fact_name(i); i++)
			fprintf(stderr, "%s %s", i ? "," : "", generate_fact_name(i));
		fputs("\n", stderr);
		return false;
	}
	for (size_t i = 0; i < arguments->fact_count; i++)
		if (strcmp(arguments->facts[i].name, value) == 0) {
			fprintf(stderr, "lattice-probe: --dimension: %s has two values; make a document for each\n", value);
			return false;
		}
	arguments->facts[arguments->fact_count++] = (struct conf_static_dimension){ value, equals + 1 };
	return true;
}

static bool take_part(struct arguments *arguments, char *value)
{
	char *slash = strchr(value, '/');
	int64_t part;
	int64_t parts;

	if (slash)
		*slash = '\0';
	if (!slash || parse_int64(slash + 1, 1, GENERATE_PARTS_MAX, &parts) != 0 ||
	    parse_int64(value, 1, parts, &part) != 0) {
		fprintf(stderr, "lattice-probe: --part: write N/M, such as 1/4; M up to %d\n", GENERATE_PARTS_MAX);
		return false;
	}
	arguments->part = (unsigned)part;
	arguments->parts = (unsigned)parts;
	return true;
}

/* False: what is wrong has been said. */
static bool take_option(const struct cli_generate *command, struct arguments *arguments, int option, char *value)
{
	switch (option) {
	case 'c': arguments->path = value; return true;
	case CLI_GENERATE_REGION: return take_region(arguments, value);
	case CLI_GENERATE_DIMENSION: return take_fact(arguments, value);
	case CLI_GENERATE_PART: return take_part(arguments, value);
	default: return command->take_own(command->user, option, value);
	}
}

/* ---- the region ------------------------------------------------------------------------------ */

/* A service is reached from its own region only; so the names of services tell where the agents are, when
 * they all tell the same. */
static bool region_of_probes(const struct conf *conf, char ret_region[static REGION_SIZE])
{
	char region[REGION_SIZE];
	bool is_found = false;

	for (size_t i = 0; i < conf->target_count; i++) {
		if (!endpoint_is_lattice_host(conf->targets[i]->url.host, region))
			continue;
		if (is_found && strcmp(region, ret_region) != 0)
			return false;
		memcpy(ret_region, region, sizeof region);
		is_found = true;
	}
	return is_found;
}

/* As the agent finds it (region.h), but for what would have to be asked for; "" when it is not known. */
static const char *find_region(const struct cli_generate *command, const struct arguments *arguments,
	const struct conf *conf, char of_probes[static REGION_SIZE])
{
	const char *const candidates[] = { arguments->region, strcmp(conf->region, "auto") == 0 ? NULL : conf->region,
		getenv("AWS_REGION"), getenv("AWS_DEFAULT_REGION") };

	for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++)
		if (candidates[i] && endpoint_region_is_valid(candidates[i]))
			return candidates[i];
	if (!command->needs_region || !region_of_probes(conf, of_probes))
		return "";
	fprintf(stderr, "lattice-probe: note: the region is taken to be %s, where the probed services are\n", of_probes);
	return of_probes;
}

/* ---- the document ---------------------------------------------------------------------------- */

static void print_notes(const char *notes)
{
	while (*notes) {
		int length = (int)strcspn(notes, "\n");

		fprintf(stderr, "lattice-probe: note: %.*s\n", length, notes);
		notes += length + 1;
	}
}

static int finish(int err, const struct buf *text, const struct generate_words *words)
{
	print_notes(buf_text(&words->notes));
	if (!err) {
		fputs(buf_text(text), stdout);
		return CLI_EXIT_OK;
	}
	if (words->refusal.length_bytes > 0) {
		fprintf(stderr, "lattice-probe: %s\n", buf_text(&words->refusal));
		return CLI_EXIT_USAGE;
	}
	fprintf(stderr, "lattice-probe: %s\n", err_text(err));
	return CLI_EXIT_UNKNOWN;
}

static int print_document(const struct cli_generate *command, const struct arguments *arguments)
{
	struct conf *conf = cli_load_conf(arguments->path ? arguments->path : CLI_CONF_PATH);
	struct generate_words words;
	char of_probes[REGION_SIZE] = "";
	struct buf text;
	int code;
	int err;

	if (!conf)
		return CLI_EXIT_USAGE;
	generate_words_init(&words);
	buf_init(&text, GENERATE_TEXT_MAX);
	err = command->make(command->user, conf,
		&(struct generate_options){ .region = find_region(command, arguments, conf, of_probes),
			.facts = arguments->facts, .fact_count = arguments->fact_count, .part = arguments->part,
			.parts = arguments->parts }, &text, &words);
	code = finish(err, &text, &words);
	buf_done(&text);
	generate_words_done(&words);
	conf_free(conf);
	return code;
}

int cli_generate(const struct cli_generate *command, int argc, char **argv)
{
	struct arguments arguments = { 0 };
	int option;

	while ((option = getopt_long(argc, argv, "c:h", command->options, NULL)) != -1) {
		if (option == 'h') {
			command->print_usage(stdout);
			return CLI_EXIT_OK;
		}
		if (option == '?')
			return cli_refuse_option(argv, command->options, command->print_usage);
		if (!take_option(command, &arguments, option, optarg)) {
			command->print_usage(stderr);
			return CLI_EXIT_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "lattice-probe: %s takes no argument '%s'\n", command->name, argv[optind]);
		command->print_usage(stderr);
		return CLI_EXIT_USAGE;
	}
	return print_document(command, &arguments);
}
