/* SPDX-License-Identifier: Apache-2.0 */
#include "cli_internal.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <unistd.h>

#include "lattice-probe/agent.h"
#include "lattice-probe/conf.h"
#include "lattice-probe/log.h"
#include "lattice-probe/notify.h"

static void print_usage(FILE *stream)
{
	fputs("usage: lattice-probe run [-c FILE] [--dry-run] [--verbose]\n"
	      "\n"
	      "Probes on schedule and pushes metrics to CloudWatch until SIGTERM or SIGINT.\n"
	      "\n"
	      "  -c, --config FILE  the configuration\n"
	      "                     (" CLI_CONF_PATH ")\n"
	      "      --dry-run      print each datum as a JSON line instead of sending it\n"
	      "      --verbose      log every run\n"
	      "  -h, --help         print this\n"
	      "\n"
	      "Exit status: 0 stopped as asked, 1 it could not start or could not go on,\n"
	      "2 usage or configuration.\n",
		stream);
}

/* For `systemctl status`; each mistake was printed. */
static void tell_manager(const char *conf_path)
{
	struct notify *notify = notify_open(getenv("NOTIFY_SOCKET"));
	char status[NOTIFY_STATUS_SIZE];

	(void)snprintf(status, sizeof status, "not started: %s has mistakes; lattice-probe check-config lists them",
		conf_path);
	(void)notify_failed(notify, EINVAL, status);
	notify_close(notify);
}

int cmd_run(int argc, char **argv)
{
	static const struct option options[] = { { "config", required_argument, NULL, 'c' },
		{ "dry-run", no_argument, NULL, 'n' }, { "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' }, { 0 } };
	struct agent_options agent = { .conf_path = CLI_CONF_PATH, .output = stdout };
	enum log_level level = LOG_LEVEL_INFO;
	struct conf *conf;
	int option;

	while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		switch (option) {
		case 'c': agent.conf_path = optarg; break;
		case 'n': agent.dry_run = true; break;
		case 'v': level = LOG_LEVEL_DEBUG; break;
		case 'h': print_usage(stdout); return CLI_EXIT_OK;
		default: return cli_refuse_option(argv, options, print_usage);
		}
	}
	if (optind < argc) {
		fprintf(stderr, "lattice-probe: run takes no argument '%s'\n", argv[optind]);
		print_usage(stderr);
		return CLI_EXIT_USAGE;
	}
	log_start(STDERR_FILENO, level);
	conf = cli_load_conf(agent.conf_path);
	if (!conf) {
		tell_manager(agent.conf_path);
		return CLI_EXIT_USAGE;
	}
	return agent_run(conf, &agent);
}
