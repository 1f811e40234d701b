/* SPDX-License-Identifier: Apache-2.0 */
#include "cli_internal.h"

#include <getopt.h>

#include "lattice-probe/iam_policy.h"

static void print_usage(FILE *stream)
{
	fputs("usage: lattice-probe iam-policy [-c FILE] [--no-diagnose] [--region REGION]\n"
	      "\n"
	      "Prints the identity policy that the agent's role needs for this configuration:\n"
	      "  PublishMetrics      PutMetricData, into the configured namespace only\n"
	      "  InvokeSignedProbes  Invoke on what probes with auth = sigv4 ask for\n"
	      "  DiagnoseReads       what diagnose reads; each action is optional\n"
	      "An account id is not part of the configuration: ARNs have * in its place, which\n"
	      "allows a service shared by another account. Notes go to stderr.\n"
	      "\n"
	      "  -c, --config FILE    the configuration, with conf.d/*.conf beside it\n"
	      "                       (" CLI_CONF_PATH ")\n"
	      "      --no-diagnose    without DiagnoseReads\n"
	      "      --region REGION  for ARNs, where neither the probes nor region in\n"
	      "                       [cloudwatch] nor AWS_REGION name it\n"
	      "  -h, --help           print this\n"
	      "\n"
	      "Exit status: 0 printed, 2 mistakes in the configuration or wrong usage.\n",
		stream);
}

static bool leave_diagnose_out(void *user, int option, const char *value)
{
	bool *with_diagnose = user;

	(void)option;
	(void)value;
	*with_diagnose = false;
	return true;
}

static int make(void *user, const struct conf *conf, const struct generate_options *options, struct buf *ret_text,
	struct generate_words *words)
{
	const bool *with_diagnose = user;

	return iam_policy_generate(conf, options, *with_diagnose, ret_text, words);
}

int cmd_iam_policy(int argc, char **argv)
{
	static const struct option options[] = { { "config", required_argument, NULL, 'c' },
		{ "no-diagnose", no_argument, NULL, CLI_GENERATE_OWN },
		{ "region", required_argument, NULL, CLI_GENERATE_REGION }, { "help", no_argument, NULL, 'h' }, { 0 } };
	bool with_diagnose = true;

	return cli_generate(&(struct cli_generate){ .name = "iam-policy", .options = options,
		.print_usage = print_usage, .take_own = leave_diagnose_out, .make = make, .user = &with_diagnose }, argc, argv);
}
