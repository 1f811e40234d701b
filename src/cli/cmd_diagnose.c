/* SPDX-License-Identifier: Apache-2.0 */
/* Says why one probe, or one URL, does not answer from here. A URL needs no configuration; whether the
 * agent's own metrics would arrive is asked only where there is one. */
#include "cli_internal.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "lattice-probe/aws_call.h"
#include "lattice-probe/conf.h"
#include "lattice-probe/credentials.h"
#include "lattice-probe/diagnose.h"
#include "lattice-probe/diagnose_table.h"
#include "lattice-probe/diagnosis.h"
#include "lattice-probe/err.h"
#include "lattice-probe/evidence.h"
#include "lattice-probe/http.h"
#include "lattice-probe/imds.h"
#include "lattice-probe/log.h"
#include "lattice-probe/loop.h"
#include "lattice-probe/resolver.h"
#include "lattice-probe/result.h"
#include "lattice-probe/story.h"
#include "lattice-probe/target.h"

struct session {
	struct conf *conf;
	struct target *target;
	bool is_file;
	bool json;
	bool verbose;
	bool asks_aws;
	int code;
	bool is_done;

	struct loop *loop;
	struct resolver *resolver;
	struct http_client *http;
	struct aws_transport *transport;
	struct imds *imds;
	struct credentials *credentials;
	struct diagnose_context context;
};

static void print_usage(FILE *stream)
{
	fputs("usage: lattice-probe diagnose [-c FILE] [--json] [--verbose] [--no-aws]\n"
	      "                              URL|PROBE\n"
	      "\n"
	      "Says why a service does not answer from here: asks each resolver, the routes,\n"
	      "the service and, where the role may, AWS, for at most 15 seconds. Changes\n"
	      "nothing; a request that is not safe to repeat (POST, …) is not sent.\n"
	      "\n"
	      "  -c, --config FILE  the configuration, not needed for a URL\n"
	      "                     (" CLI_CONF_PATH ")\n"
	      "      --json         print one JSON object\n"
	      "      --verbose      show every step's question, and what is masked otherwise:\n"
	      "                     account ids and names of roles\n"
	      "      --no-aws       ask neither the control plane nor CloudWatch\n"
	      "  -h, --help         print this\n"
	      "\n"
	      "Exit status: 0 the service answers as expected, 1 a problem was found, 2 usage\n"
	      "or configuration, 3 the evidence does not say.\n",
		stream);
}

/* ---- the terminal ------------------------------------------------------------------------- */

static void show_progress(void)
{
	if (isatty(STDERR_FILENO))
		fputs("asking…", stderr);
}

static void erase_progress(void)
{
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
}

static bool print_json(const struct evidence *evidence, const struct diagnosis *diagnosis, bool verbose)
{
	json_t *object = story_to_json(evidence, diagnosis, verbose);
	bool good = object && json_dumpf(object, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(15)) == 0;

	if (good)
		putchar('\n');
	else
		fprintf(stderr, "lattice-probe: %s\n", err_text(ERR_NOMEM));
	json_decref(object);
	return good;
}

static int exit_code(const struct diagnosis *diagnosis)
{
	if (diagnosis->verdict == DIAGNOSIS_HEALTHY)
		return CLI_EXIT_OK;
	return diagnosis->verdict == DIAGNOSIS_UNDETERMINED ? CLI_EXIT_UNKNOWN : CLI_EXIT_FAILED;
}

static void on_finished(void *user, const struct evidence *evidence, const struct diagnosis *diagnosis)
{
	struct session *session = user;
	struct cli_terminal terminal = cli_terminal_of(stdout);

	erase_progress();
	session->is_done = true;
	session->code = exit_code(diagnosis);
	if (!session->json)
		diagnose_table_print(stdout, &terminal, evidence, diagnosis, session->verbose);
	else if (!print_json(evidence, diagnosis, session->verbose))
		session->code = CLI_EXIT_UNKNOWN;
}

/* ---- the session -------------------------------------------------------------------------- */

static bool set_up_aws(struct session *session)
{
	const struct conf *conf = session->conf;
	const struct aws_transport_options options = { .ca_file = getenv("AWS_CA_BUNDLE"),
		.proxy = strcmp(conf->proxy, "none") == 0 ? NULL : conf->proxy,
		.resolver = &conf->defaults.resolver };

	session->transport = aws_transport_new(session->loop, &options);
	if (!session->transport)
		return false;
	session->imds = imds_new(session->loop, aws_transport_http(session->transport));
	if (!session->imds)
		return false;
	session->credentials = credentials_new(session->loop, session->imds, session->transport);
	return session->credentials != NULL;
}

static bool set_up(struct session *session)
{
	const struct conf *conf = session->conf;
	const struct resolver_options options = { .max_rate = conf->max_dns_rate };
	const char *region = strcmp(conf->region, "auto") == 0 ? "" : conf->region;

	session->loop = loop_new();
	if (!session->loop)
		return false;
	session->resolver = resolver_new(session->loop, &options);
	session->http = http_client_new(session->loop, NULL);
	if (!session->resolver || !session->http || !set_up_aws(session))
		return false;
	if (region[0] && credentials_set_region(session->credentials, region) != 0)
		return false;
	session->context = (struct diagnose_context){ .loop = session->loop, .resolver = session->resolver,
		.http = session->http, .transport = session->transport, .imds = session->imds,
		.credentials = session->credentials, .region = region, .endpoint = conf->endpoint,
		.namespace_ = conf->namespace_ };
	return true;
}

static void tear_down(struct session *session)
{
	credentials_free(session->credentials);
	imds_free(session->imds);
	aws_transport_free(session->transport);
	http_client_free(session->http);
	resolver_free(session->resolver);
	loop_free(session->loop);
	target_drop(session->target);
	conf_free(session->conf);
}

static int run(struct session *session)
{
	struct evidence_daemon daemon;
	struct diagnose_options options = { .asks_aws = session->asks_aws,
		.asks_publishing = session->asks_aws && session->is_file, .daemon = &daemon };
	struct result last;
	bool has_started;

	result_init(&last, session->target);
	if (diagnose_daemon_ask(session->conf, session->target, &daemon, &last))
		options.last = &last;
	has_started = set_up(session) &&
		diagnose_start(&session->context, session->target, &options, on_finished, session);
	result_done(&last);
	if (!has_started) {
		fputs("lattice-probe: cannot start: no memory or no file descriptor left\n", stderr);
		return CLI_EXIT_UNKNOWN;
	}
	show_progress();
	loop_run_until(session->loop, &session->is_done);
	return session->code;
}

int cmd_diagnose(int argc, char **argv)
{
	static const struct option options[] = { { "config", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' }, { "verbose", no_argument, NULL, 'v' },
		{ "no-aws", no_argument, NULL, 'n' }, { "help", no_argument, NULL, 'h' }, { 0 } };
	struct session session = { .asks_aws = true };
	const char *path = NULL;
	int code = CLI_EXIT_USAGE;
	int option;

	while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		switch (option) {
		case 'c': path = optarg; break;
		case 'j': session.json = true; break;
		case 'v': session.verbose = true; break;
		case 'n': session.asks_aws = false; break;
		case 'h': print_usage(stdout); return CLI_EXIT_OK;
		default: return cli_refuse_option(argv, options, print_usage);
		}
	}
	if (argc - optind != 1) {
		fprintf(stderr, "lattice-probe: diagnose takes one probe or one URL\n");
		print_usage(stderr);
		return CLI_EXIT_USAGE;
	}
	log_start(STDERR_FILENO, LOG_LEVEL_WARNING);
	session.conf = cli_load_conf_for("diagnose", path, 1, argv + optind, &session.is_file);
	if (session.conf)
		session.target = cli_find_target(session.conf, argv[optind]);
	if (session.target)
		code = run(&session);
	tear_down(&session);
	return code;
}
