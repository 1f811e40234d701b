/* SPDX-License-Identifier: Apache-2.0 */
#include "cli_internal.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "lattice-probe/conf.h"
#include "lattice-probe/err.h"
#include "lattice-probe/status_client.h"
#include "lattice-probe/units.h"

#define ASK_TIMEOUT_US (15 * US_PER_S) /* beyond what sixteen clients before us may take */
#define WATCH_PERIOD_US US_PER_S

struct status_options {
	const char *conf_path;   /* NULL: the default one, if it can be read */
	const char *socket_path; /* NULL: the configured one */
	bool is_json;
	bool watches;
};

static volatile sig_atomic_t is_interrupted;

static void print_usage(FILE *stream)
{
	fputs("usage: lattice-probe status [-c FILE] [--socket PATH] [--json] [--watch]\n"
	      "\n"
	      "Asks the running agent for its probes, queue, store and credentials, and whether\n"
	      "the configuration on disk is the one that runs.\n"
	      "\n"
	      "  -c, --config FILE  the configuration that names the agent's socket\n"
	      "                     (" CLI_CONF_PATH ")\n"
	      "      --socket PATH  the socket itself\n"
	      "      --json         the agent's answer as JSON\n"
	      "      --watch        again each second until q or Ctrl-C; a line each second\n"
	      "                     when the output is no terminal\n"
	      "  -h, --help         print this\n"
	      "\n"
	      "Exit status: 0 all probes healthy, 1 some unhealthy, 2 usage or configuration,\n"
	      "3 no agent answers, or it does not know of every probe yet.\n",
		stream);
}

/* ---- one answer --------------------------------------------------------------------------- */

static void explain(const char *path, int err)
{
	fprintf(stderr, "lattice-probe: ");
	switch (err) {
	case ERR_NOT_FOUND:
		fprintf(stderr, "no agent listens at %s; start it (systemctl start lattice-probe), or name the socket "
				"of another with --socket PATH\n", path);
		break;
	case ERR_DENIED:
		fprintf(stderr, "%s may not be used by this user; the agent's own user and group may, and root\n", path);
		break;
	case ERR_TIMEOUT: fprintf(stderr, "the agent at %s did not answer in time\n", path); break;
	case ERR_PROTOCOL: fprintf(stderr, "what answered at %s is no agent, or it broke off\n", path); break;
	default: fprintf(stderr, "%s: %s\n", path, err_text(err)); break;
	}
}

static int exit_of(const json_t *status)
{
	const char *state = json_string_value(json_object_get(status, "state"));
	struct status_tally tally = status_table_tally(status);

	if (tally.unhealthy > 0)
		return CLI_EXIT_FAILED;
	return tally.unknown > 0 || !state || strcmp(state, "starting") == 0 ? CLI_EXIT_UNKNOWN : CLI_EXIT_OK;
}

/* NULL: *ret_err says why. */
static json_t *ask(const char *path, int *ret_err)
{
	json_t *status = NULL;
	int err = status_client_ask(path, ASK_TIMEOUT_US, &status);

	if (!err && !json_is_array(json_object_get(status, "probes"))) {
		json_decref(status);
		status = NULL;
		err = ERR_PROTOCOL;
	}
	*ret_err = err;
	return err ? NULL : status;
}

static void print_json(FILE *stream, const json_t *status, size_t flags)
{
	(void)json_dumpf(status, stream, flags);
	fputc('\n', stream);
}

static int show_once(const char *path, const struct status_options *options)
{
	struct cli_terminal terminal = cli_terminal_of(stdout);
	int err;
	json_t *status = ask(path, &err);
	int code;

	if (!status) {
		explain(path, err);
		return CLI_EXIT_UNKNOWN;
	}
	if (options->is_json)
		print_json(stdout, status, JSON_INDENT(2));
	else
		status_table_print(stdout, &terminal, status, wall_now().us, 0);
	code = exit_of(status);
	json_decref(status);
	return code;
}

/* ---- again and again ---------------------------------------------------------------------- */

static void on_interrupt(int signal_number)
{
	(void)signal_number;
	is_interrupted = 1;
}

static int terminal_rows(void)
{
	struct winsize size;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row >= 10 ? size.ws_row : 24;
}

/* The picture is made in memory and shown in one write, over the one before: no flicker. */
static void show_picture(const char *path, const json_t *status, int err)
{
	struct cli_terminal terminal = cli_terminal_of(stdout);
	char *picture = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&picture, &size);

	if (!stream)
		return;
	if (status)
		status_table_print(stream, &terminal, status, wall_now().us, terminal_rows());
	else
		fprintf(stream, "%s: %s\n", path, err == ERR_NOT_FOUND ? "no agent listens" : err_text(err));
	(void)fclose(stream);
	if (picture)
		printf("\033[H\033[2J%s", picture);
	free(picture);
}

static void show_again(const char *path, const struct status_options *options, const json_t *status, int err)
{
	if (options->is_json && status)
		print_json(stdout, status, JSON_COMPACT);
	else if (!options->is_json && isatty(STDOUT_FILENO))
		show_picture(path, status, err);
	else if (status)
		status_table_print_line(stdout, status, wall_now().us);
	else
		explain(path, err);
	(void)fflush(stdout);
}

/* True when q was pressed, or the interrupt key where the terminal hands it over as a byte. */
static bool read_key(void)
{
	char key = 0;

	return read(STDIN_FILENO, &key, 1) == 1 && (key == 'q' || key == 'Q' || key == 3);
}

/* Waits for the next second. True: the watching is over, also because the terminal or the reader of the
 * output has gone: while no agent answers, nothing is written that would show it. */
static bool wait_for_key(struct mono until, bool has_keys)
{
	while (!is_interrupted) {
		struct pollfd ends[2] = { { .fd = has_keys ? STDIN_FILENO : -1, .events = POLLIN },
			{ .fd = STDOUT_FILENO } };
		int64_t left_us = mono_since(until, mono_now());

		if (left_us <= 0)
			return false;
		if (poll(ends, 2, (int)(left_us / US_PER_MS) + 1) <= 0)
			continue;
		if ((ends[0].revents | ends[1].revents) & (POLLHUP | POLLERR | POLLNVAL) ||
		    read_key())
			return true;
	}
	return true;
}

static int watch_loop(const char *path, const struct status_options *options, bool has_keys)
{
	struct mono next = mono_now();
	int code;
	int err;

	do {
		json_t *status = ask(path, &err);

		code = status ? exit_of(status) : CLI_EXIT_UNKNOWN;
		if (!is_interrupted)
			show_again(path, options, status, err);
		json_decref(status);
		next = mono_add(next, WATCH_PERIOD_US);
		if (next.us < mono_now().us)
			next = mono_now();
	} while (!ferror(stdout) && !wait_for_key(next, has_keys));
	return code;
}

/* Keys come at once and are not echoed; the cursor is hidden. Both are put back whatever ended it. */
static int watch(const char *path, const struct status_options *options)
{
	const struct sigaction action = { .sa_handler = on_interrupt };
	bool draws = !options->is_json && isatty(STDOUT_FILENO);
	struct termios before;
	bool has_keys = draws && tcgetattr(STDIN_FILENO, &before) == 0;
	int code;

	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	(void)sigaction(SIGHUP, &action, NULL);
	if (has_keys) {
		struct termios raw = before;

		raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	}
	if (draws)
		fputs("\033[?25l", stdout);
	code = watch_loop(path, options, has_keys);
	if (draws)
		fputs("\033[?25h", stdout);
	if (has_keys)
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &before);
	return code;
}

/* ---- which agent -------------------------------------------------------------------------- */

/* An unreadable or broken file is no obstacle unless it was named: the agent may run on the one before. */
static struct conf *load_conf(const char *named)
{
	struct conf_findings findings;
	struct conf *conf = NULL;

	if (named)
		return cli_load_conf(named);
	conf_findings_init(&findings);
	if (conf_load(CLI_CONF_PATH, &conf, &findings) != 0)
		conf = conf_new_default();
	conf_findings_done(&findings);
	return conf;
}

static int run(const struct status_options *options)
{
	struct conf *conf = options->socket_path ? NULL : load_conf(options->conf_path);
	const char *path = options->socket_path;
	int code;

	if (!path && !conf)
		return CLI_EXIT_USAGE;
	if (!path)
		path = conf->status_socket;
	if (strcmp(path, "none") == 0) {
		fprintf(stderr, "lattice-probe: the configuration says status_socket = none, so the agent cannot be asked\n");
		code = CLI_EXIT_UNKNOWN;
	} else {
		code = options->watches ? watch(path, options) : show_once(path, options);
	}
	conf_free(conf);
	return code;
}

int cmd_status(int argc, char **argv)
{
	static const struct option options[] = { { "config", required_argument, NULL, 'c' },
		{ "socket", required_argument, NULL, 's' }, { "json", no_argument, NULL, 'j' },
		{ "watch", no_argument, NULL, 'w' }, { "help", no_argument, NULL, 'h' }, { 0 } };
	struct status_options chosen = { 0 };
	int option;

	while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		switch (option) {
		case 'c': chosen.conf_path = optarg; break;
		case 's': chosen.socket_path = optarg; break;
		case 'j': chosen.is_json = true; break;
		case 'w': chosen.watches = true; break;
		case 'h': print_usage(stdout); return CLI_EXIT_OK;
		default: return cli_refuse_option(argv, options, print_usage);
		}
	}
	if (optind < argc) {
		fprintf(stderr, "lattice-probe: status takes no argument '%s'\n", argv[optind]);
		print_usage(stderr);
		return CLI_EXIT_USAGE;
	}
	return run(&chosen);
}
