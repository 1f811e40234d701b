/* SPDX-License-Identifier: Apache-2.0 */
#include "cli_internal.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lattice-probe/conf.h"
#include "lattice-probe/err.h"
#include "lattice-probe/log.h"
#include "lattice-probe/nearest.h"
#include "lattice-probe/target.h"

/* ---- wrong usage -------------------------------------------------------------------------- */

/* NULL: none comes near. */
static const char *nearest_option(const char *name, const struct option *options)
{
	unsigned best = nearest_limit(strlen(name)) + 1;
	const char *nearest = NULL;

	for (; options->name; options++) {
		unsigned distance = nearest_distance(name, options->name, best);

		if (distance < best) {
			best = distance;
			nearest = options->name;
		}
	}
	return nearest;
}

int cli_refuse_option(char *const *argv, const struct option *options, void (*print_usage)(FILE *stream))
{
	/* getopt(3): optopt is 0 when it was a long one, and that is the word it read last. */
	const char *word = optopt == 0 ? argv[optind - 1] : "";

	if (strncmp(word, "--", 2) == 0) {
		char name[NEAREST_WORD_SIZE];
		const char *nearest;

		(void)snprintf(name, sizeof name, "%.*s", (int)strcspn(word + 2, "="), word + 2);
		nearest = nearest_option(name, options);
		if (nearest)
			fprintf(stderr, "lattice-probe: did you mean --%s?\n", nearest);
	}
	fputc('\n', stderr);
	print_usage(stderr);
	return CLI_EXIT_USAGE;
}

/* ---- the configuration -------------------------------------------------------------------- */

void cli_print_finding(const struct conf_finding *finding)
{
	bool is_warning = finding->severity == CONF_WARNING;
	const char *prefix = log_prefix(is_warning ? LOG_LEVEL_WARNING : LOG_LEVEL_ERR);
	const char *severity = is_warning ? "warning: " : "";

	if (finding->line)
		fprintf(stderr, "%s%s:%u: %s%s\n", prefix, finding->file, finding->line, severity, finding->text);
	else
		fprintf(stderr, "%s%s: %s%s\n", prefix, finding->file, severity, finding->text);
}

struct conf *cli_load_conf(const char *path)
{
	struct conf_findings findings;
	struct conf *conf = NULL;
	int err;

	conf_findings_init(&findings);
	err = conf_load(path, &conf, &findings);
	for (size_t i = 0; i < findings.count; i++)
		cli_print_finding(&findings.items[i]);
	if (err)
		fprintf(stderr, "%slattice-probe: %s: %s\n", log_prefix(LOG_LEVEL_ERR), path,
			err == ERR_NOMEM ? err_text(err) : "the configuration has mistakes, nothing was started");
	conf_findings_done(&findings);
	return conf;
}

/* ---- what the words name ------------------------------------------------------------------ */

static bool is_url(const char *word)
{
	return strstr(word, "://") != NULL;
}

static struct target *find_probe(const struct conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->target_count; i++)
		if (strcmp(conf->targets[i]->name, name) == 0)
			return target_hold(conf->targets[i]);
	fprintf(stderr, "lattice-probe: no probe is named '%s' (a URL starts with http:// or https://)\n", name);
	return NULL;
}

/* What cannot be read as a URL may still hold a password or a token. A shell's history has it, but
 * stderr may go further. */
static void print_without_secrets(FILE *stream, const char *word)
{
	const char *authority = strstr(word, "://") + 3;
	const char *host = authority;
	size_t length = strcspn(word, "?");

	for (const char *at = authority; *at && !strchr("/?#", *at); at++)
		if (*at == '@')
			host = at;
	fprintf(stream, "%.*s%s", (int)(authority - word), word, host > authority ? "***" : "");
	if (word + length > host)
		fprintf(stream, "%.*s", (int)(word + length - host), host);
	fputs(word[length] ? "?***" : "", stream);
}

struct target *cli_find_target(const struct conf *conf, const char *word)
{
	const char *why = "";
	struct target *target = NULL;

	if (!is_url(word))
		return find_probe(conf, word);
	if (conf_target_for_url(conf, word, &target, &why) == 0)
		return target;
	fputs("lattice-probe: '", stderr);
	print_without_secrets(stderr, word);
	fprintf(stderr, "' cannot be probed: %s\n", why);
	return NULL;
}

/* The first word that can only be the name of a probe. */
static const char *first_name(int count, char **words)
{
	for (int i = 0; i < count; i++)
		if (!is_url(words[i]))
			return words[i];
	return NULL;
}

static void print_no_conf(const char *command, const char *name)
{
	if (name)
		fprintf(stderr, "lattice-probe: '%s' is no URL (https://… or http://…), and for the name of a probe\n"
			"there is no configuration " CLI_CONF_PATH "\n", name);
	else
		fprintf(stderr, "lattice-probe: there is no configuration " CLI_CONF_PATH "\n"
			"name a URL (lattice-probe %s https://…), or a file with -c\n", command);
}

struct conf *cli_load_conf_for(const char *command, const char *path, int count, char **words, bool *ret_is_file)
{
	const char *name = first_name(count, words);

	*ret_is_file = path || access(CLI_CONF_PATH, count > 0 && !name ? R_OK : F_OK) == 0;
	if (*ret_is_file)
		return cli_load_conf(path ? path : CLI_CONF_PATH);
	if (count > 0 && !name)
		return conf_new_default();
	print_no_conf(command, name);
	return NULL;
}

/* ---- the terminal ------------------------------------------------------------------------- */

struct cli_terminal cli_terminal_of(FILE *stream)
{
	struct cli_terminal terminal = { .columns = 80 };
	const char *no_colour = getenv("NO_COLOR");
	struct winsize size;

	terminal.is_terminal = isatty(fileno(stream));
	terminal.has_colour = terminal.is_terminal && !(no_colour && *no_colour);
	if (terminal.is_terminal && ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col >= 40)
		terminal.columns = size.ws_col;
	return terminal;
}
