/* SPDX-License-Identifier: Apache-2.0 */
#include "cli_internal.h"

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lattice-probe/nearest.h"

struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
};

static const struct command commands[] = {
	{ "run", cmd_run, "probe on schedule and push metrics to CloudWatch" },
	{ "once", cmd_once, "run probes or URLs now, once, and show the results" },
	{ "diagnose", cmd_diagnose, "say why one probe or URL does not answer from here" },
	{ "status", cmd_status, "ask the running agent what it sees" },
	{ "check-config", cmd_check_config, "read the configuration; print mistakes, or metrics and cost" },
	{ "iam-policy", cmd_iam_policy, "print the IAM policy that the agent's role needs" },
	{ "alarms", cmd_alarms, "print CloudWatch alarms, for CloudFormation or Terraform" },
	{ "dashboard", cmd_dashboard, "print the body of a CloudWatch dashboard" },
	{ "version", cmd_version, "show the version and the libraries in use" },
};

static void print_usage(FILE *stream)
{
	fputs("usage: lattice-probe COMMAND [OPTION…]\n"
	      "       lattice-probe help [COMMAND]\n"
	      "\n"
	      "Probes Amazon VPC Lattice services from inside a consumer VPC.\n"
	      "\n",
		stream);
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		fprintf(stream, "  %-14s %s\n", commands[i].name, commands[i].help);
	fputs("\n"
	      "lattice-probe help COMMAND says more about each, man lattice-probe all of it.\n"
	      "Try it now: lattice-probe once https://example.com\n",
		stream);
}

/* What could not be written is not an answer: a full disk behind stdout must not look healthy. */
static int after_output(int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	fprintf(stderr, "lattice-probe: the output cannot be written: %s\n", strerror(errno));
	return CLI_EXIT_UNKNOWN;
}

/* getopt begins its messages with argv[0]. */
static int run_named(const struct command *command, int argc, char **argv)
{
	char name[64];

	(void)snprintf(name, sizeof name, "lattice-probe %s", command->name);
	argv[0] = name;
	return command->run(argc, argv);
}

/* NULL: there is none, and that is said. */
static const struct command *find_command(const char *name)
{
	unsigned best = nearest_limit(strlen(name)) + 1;
	const char *nearest = NULL;

	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		unsigned distance = nearest_distance(name, commands[i].name, best);

		if (distance == 0)
			return &commands[i];
		if (distance < best) {
			best = distance;
			nearest = commands[i].name;
		}
	}
	fprintf(stderr, "lattice-probe: there is no command '%s'", name);
	if (nearest)
		fprintf(stderr, "; did you mean %s?", nearest);
	fputs("\n\n", stderr);
	print_usage(stderr);
	return NULL;
}

/* The words behind --help, -h or help: a command, or none; help itself is what the usage says. */
static int run_help(int count, char **words)
{
	char option[] = "--help";
	char *argv[] = { NULL, option, NULL };
	const struct command *command;

	if (count == 0 || strcmp(words[0], "help") == 0) {
		print_usage(stdout);
		return CLI_EXIT_OK;
	}
	command = find_command(words[0]);
	return command ? run_named(command, 2, argv) : CLI_EXIT_USAGE;
}

static int run_command(int argc, char **argv)
{
	const struct command *command;

	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0)
		return run_help(argc - 2, argv + 2);
	command = find_command(strcmp(argv[1], "--version") == 0 ? "version" : argv[1]);
	return command ? run_named(command, argc - 1, argv + 1) : CLI_EXIT_USAGE;
}

/* A socket must not take the number of a stdin, stdout or stderr that came closed: what is written
 * there would go to a server, and libuv ends the process when it is told to close one. Open for
 * reading alone, so that output still fails. */
static void fill_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		(void)close(fd);
}

/* Keys are in memory, and a core file is read by whoever comes by. The filter (core(5)) also empties what
 * is piped to a program, which no limit stops. An administrator can allow both for a process that runs:
 * prlimit --core, /proc/PID/coredump_filter. */
static void keep_memory_out_of_cores(void)
{
	struct rlimit limit;
	int fd = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		(void)!write(fd, "0", 1);
		(void)close(fd);
	}
	if (getrlimit(RLIMIT_CORE, &limit) == 0) {
		limit.rlim_cur = 0;
		(void)setrlimit(RLIMIT_CORE, &limit);
	}
}

int main(int argc, char **argv)
{
	fill_standard_descriptors();
	keep_memory_out_of_cores();
	/* A peer that closes early must give EPIPE, not end the process. */
	(void)signal(SIGPIPE, SIG_IGN);
	(void)umask(0077);
	if (argc < 2) {
		print_usage(stderr);
		return CLI_EXIT_USAGE;
	}
	return after_output(run_command(argc, argv));
}
