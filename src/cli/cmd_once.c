/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the named probes, or URLs, or every probe, once and now. Works without a configuration file
 * as long as only URLs are asked for. */
#include "cli_internal.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "lattice-probe/aws_call.h"
#include "lattice-probe/conf.h"
#include "lattice-probe/credentials.h"
#include "lattice-probe/err.h"
#include "lattice-probe/http.h"
#include "lattice-probe/imds.h"
#include "lattice-probe/log.h"
#include "lattice-probe/loop.h"
#include "lattice-probe/probe.h"
#include "lattice-probe/region.h"
#include "lattice-probe/resolver.h"
#include "lattice-probe/result_json.h"

#define AT_ONCE 8                         /* runs side by side: more would measure our own CPU */
#define GAP_US (10 * US_PER_MS)           /* from the start of one to that of the next */
#define LAG_LIMIT_US (100 * US_PER_MS)

struct once {
	struct conf *conf;
	struct target **targets; /* a reference each */
	size_t count;
	size_t next;
	size_t open;
	struct result *results;
	bool is_done;

	struct loop *loop;
	struct loop_timer gap;
	struct resolver *resolver;
	struct http_client *http;
	struct aws_transport *transport; /* these five only when a probe is signed */
	struct imds *imds;
	struct credentials *credentials;
	struct region_search *region_search;
	char region[64];
	struct probe_context context;
};

struct run {
	struct once *once;
	size_t index;
};

static void print_usage(FILE *stream)
{
	fputs("usage: lattice-probe once [-c FILE] [--json] [PROBE|URL…]\n"
	      "\n"
	      "Runs the named probes, or http(s) URLs, or every configured probe, once and now.\n"
	      "\n"
	      "  -c, --config FILE  the configuration, not needed when only URLs are given\n"
	      "                     (" CLI_CONF_PATH ")\n"
	      "      --json         print {\"results\": […], \"ok\": N, \"failed\": N}\n"
	      "  -h, --help         print this\n"
	      "\n"
	      "Exit status: 0 all ok, 1 a probe failed, 2 usage or configuration, 3 could not\n"
	      "tell (this host's own trouble: descriptors, credentials, a denied address).\n",
		stream);
}

/* ---- which targets ------------------------------------------------------------------------ */

static bool add_word(struct once *once, const char *word)
{
	struct target *target = cli_find_target(once->conf, word);

	if (target)
		once->targets[once->count++] = target;
	return target != NULL;
}

static bool choose_targets(struct once *once, int count, char **words)
{
	size_t wanted = count > 0 ? (size_t)count : once->conf->target_count;
	bool good = true;

	once->targets = calloc(wanted + 1, sizeof(*once->targets));
	once->results = calloc(wanted + 1, sizeof *once->results);
	if (!once->targets || !once->results) {
		fprintf(stderr, "lattice-probe: %s\n", err_text(ERR_NOMEM));
		return false;
	}
	for (int i = 0; i < count; i++)
		good = add_word(once, words[i]) && good;
	for (size_t i = 0; count == 0 && i < wanted; i++)
		once->targets[once->count++] = target_hold(once->conf->targets[i]);
	if (good && once->count == 0)
		fputs("lattice-probe: no probe is configured; name a URL, or add a [probe NAME] section\n", stderr);
	return good && once->count > 0;
}

/* ---- the runs ----------------------------------------------------------------------------- */

static void start_runs(void *user);

static void on_finished(void *user, struct result *result)
{
	struct run *run = user;
	struct once *once = run->once;

	once->results[run->index] = *result;
	free(run);
	once->open--;
	start_runs(once);
}

static void fail_run(struct once *once, size_t index)
{
	result_init(&once->results[index], once->targets[index]);
	once->results[index].outcome = OUTCOME_LOCAL_FAULT;
	result_set_detail(&once->results[index], "%s", err_text(ERR_NOMEM));
}

static void start_one(struct once *once, size_t index)
{
	struct run *run = malloc(sizeof *run);

	if (!run) {
		fail_run(once, index);
		return;
	}
	*run = (struct run){ once, index };
	once->open++;
	if (!probe_start(&once->context, once->targets[index], wall_now(), mono_now(), 0, on_finished, run)) {
		once->open--;
		free(run);
		fail_run(once, index);
	}
}

/* One after the other: runs that begin in the same turn measure each other's handshakes. */
static void start_runs(void *user)
{
	struct once *once = user;

	if (once->open == 0 && once->next == once->count)
		once->is_done = true;
	if (once->next == once->count || once->open == AT_ONCE || loop_timer_is_running(&once->gap))
		return;
	start_one(once, once->next++);
	if (loop_timer_start(once->loop, &once->gap, mono_add(mono_now(), GAP_US), start_runs, once) != 0)
		start_runs(once);
}

static void on_credentials(void *user, int err, const char *why)
{
	struct once *once = user;

	(void)err; /* without any, each signed run says why by itself */
	(void)why;
	once->context.skew_us = aws_transport_skew_us(once->transport);
	start_runs(once);
}

/* Without a region, too, each run says so: a Lattice host names its own. */
static void on_region(void *user, int err, const char *region, const char *source)
{
	struct once *once = user;

	(void)source;
	once->region_search = NULL;
	if (!err)
		(void)snprintf(once->region, sizeof once->region, "%s", region);
	if ((!err && credentials_set_region(once->credentials, region) != 0) ||
	    credentials_wait(once->credentials, on_credentials, once) != 0)
		start_runs(once);
}

static bool needs_signing(const struct once *once)
{
	for (size_t i = 0; i < once->count; i++)
		if (once->targets[i]->auth == TARGET_AUTH_SIGV4)
			return true;
	return false;
}

static bool set_up_signing(struct once *once)
{
	const struct conf *conf = once->conf;
	const struct aws_transport_options options = { .ca_file = getenv("AWS_CA_BUNDLE"),
		.proxy = strcmp(conf->proxy, "none") == 0 ? NULL : conf->proxy,
		.resolver = &conf->defaults.resolver };

	once->transport = aws_transport_new(once->loop, &options);
	if (!once->transport)
		return false;
	once->imds = imds_new(once->loop, aws_transport_http(once->transport));
	if (!once->imds)
		return false;
	once->credentials = credentials_new(once->loop, once->imds, once->transport);
	if (!once->credentials)
		return false;
	once->context.credentials = once->credentials;
	once->region_search = region_find(once->loop, once->imds, conf->region, on_region, once);
	return once->region_search != NULL;
}

/* Before the first run: loading a bundle would be measured as part of those that go beside it. */
static void load_trust(const struct once *once)
{
	for (size_t i = 0; i < once->count; i++)
		if (once->targets[i]->url.is_tls && once->targets[i]->tls_verify)
			http_client_load_trust(once->http, once->targets[i]->tls_ca);
}

static bool set_up(struct once *once)
{
	const struct resolver_options options = { .max_rate = once->conf->max_dns_rate };

	once->loop = loop_new();
	if (!once->loop)
		return false;
	once->resolver = resolver_new(once->loop, &options);
	once->http = http_client_new(once->loop, NULL);
	if (!once->resolver || !once->http)
		return false;
	once->context = (struct probe_context){ .loop = once->loop, .resolver = once->resolver,
		.http = once->http, .region = once->region, .lag_limit_us = LAG_LIMIT_US };
	load_trust(once);
	if (needs_signing(once))
		return set_up_signing(once);
	start_runs(once);
	return true;
}

static void tear_down(struct once *once)
{
	region_cancel(once->region_search);
	if (once->loop)
		loop_timer_stop(once->loop, &once->gap);
	credentials_free(once->credentials);
	imds_free(once->imds);
	aws_transport_free(once->transport);
	http_client_free(once->http);
	resolver_free(once->resolver);
	loop_free(once->loop);
	for (size_t i = 0; i < once->count; i++) {
		result_done(&once->results[i]);
		target_drop(once->targets[i]);
	}
	free(once->results);
	free(once->targets);
	conf_free(once->conf);
}

/* ---- the results -------------------------------------------------------------------------- */

static int exit_code(const struct once *once)
{
	int code = CLI_EXIT_OK;

	for (size_t i = 0; i < once->count; i++) {
		if (outcome_is_local(once->results[i].outcome) && code == CLI_EXIT_OK)
			code = CLI_EXIT_UNKNOWN;
		else if (outcome_is_judged(once->results[i].outcome) && once->results[i].outcome != OUTCOME_OK)
			code = CLI_EXIT_FAILED;
	}
	return code;
}

static size_t count_ok(const struct once *once)
{
	size_t count = 0;

	for (size_t i = 0; i < once->count; i++)
		count += once->results[i].outcome == OUTCOME_OK;
	return count;
}

static void print_json(const struct once *once)
{
	json_t *object = json_object();
	json_t *list = json_array();
	size_t ok = count_ok(once);

	for (size_t i = 0; i < once->count; i++)
		(void)json_array_append_new(list, result_to_json(&once->results[i]));
	if (json_object_set_new(object, "results", list) != 0 ||
	    json_object_set_new(object, "ok", json_integer((json_int_t)ok)) != 0 ||
	    json_object_set_new(object, "failed", json_integer((json_int_t)(once->count - ok))) != 0)
		fprintf(stderr, "lattice-probe: %s\n", err_text(ERR_NOMEM));
	(void)json_dumpf(object, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
	putchar('\n');
	json_decref(object);
}

static void print_table(const struct once *once)
{
	struct cli_terminal terminal = cli_terminal_of(stdout);

	once_table_print(stdout, &terminal, once->results, once->count, terminal.is_terminal);
	if (once->count > 1)
		printf("%zu probes, %zu ok, %zu failed\n", once->count, count_ok(once),
			once->count - count_ok(once));
}

static int run_once(struct once *once, bool json)
{
	int code;

	if (!set_up(once)) {
		fputs("lattice-probe: cannot start: no memory or no file descriptor left\n", stderr);
		return CLI_EXIT_UNKNOWN;
	}
	loop_run_until(once->loop, &once->is_done);
	code = exit_code(once);
	if (json)
		print_json(once);
	else
		print_table(once);
	return code;
}

int cmd_once(int argc, char **argv)
{
	static const struct option options[] = { { "config", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' }, { "help", no_argument, NULL, 'h' }, { 0 } };
	struct once once = { 0 };
	const char *path = NULL;
	bool json = false;
	bool is_file;
	int code = CLI_EXIT_USAGE;
	int option;

	while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		switch (option) {
		case 'c': path = optarg; break;
		case 'j': json = true; break;
		case 'h': print_usage(stdout); return CLI_EXIT_OK;
		default: return cli_refuse_option(argv, options, print_usage);
		}
	}
	log_start(STDERR_FILENO, LOG_LEVEL_WARNING);
	once.conf = cli_load_conf_for("once", path, argc - optind, argv + optind, &is_file);
	if (once.conf && choose_targets(&once, argc - optind, argv + optind))
		code = run_once(&once, json);
	tear_down(&once);
	return code;
}
