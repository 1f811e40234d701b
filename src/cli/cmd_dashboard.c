/* SPDX-License-Identifier: Apache-2.0 */
#include "cli_internal.h"

#include <getopt.h>

#include "lattice-probe/dashboard.h"

static void print_usage(FILE *stream)
{
	fputs("usage: lattice-probe dashboard [-c FILE] [--region REGION]\n"
	      "                               [--dimension NAME=VALUE]… [--part N/M]\n"
	      "\n"
	      "Prints the body of a CloudWatch dashboard for this configuration: availability,\n"
	      "p50, p90 and p99 of latency, time and failures by phase for each service, the\n"
	      "days left of certificates, and the agents' health. Notes go to stderr. To put\n"
	      "it up:\n"
	      "  lattice-probe dashboard >body.json\n"
	      "  aws cloudwatch put-dashboard --dashboard-name NAME \\\n"
	      "    --dashboard-body file://body.json\n"
	      "\n"
	      "  -c, --config FILE    the configuration, with conf.d/*.conf beside it\n"
	      "                       (" CLI_CONF_PATH ")\n"
	      "      --region REGION  where the metrics are (region in [cloudwatch],\n"
	      "                       AWS_REGION, or where the probed services are)\n"
	      "      --dimension NAME=VALUE\n"
	      "                       value of a dimension that only instances know, such as\n"
	      "                       AvailabilityZoneId; without it all are searched for\n"
	      "      --part N/M       the Nth of M dashboards, for many services\n"
	      "  -h, --help           print this\n"
	      "\n"
	      "Exit status: 0 printed, 2 mistakes in the configuration, nothing to show, too\n"
	      "much for one dashboard, or wrong usage.\n",
		stream);
}

static int make(void *user, const struct conf *conf, const struct generate_options *options, struct buf *ret_text,
	struct generate_words *words)
{
	(void)user;
	return dashboard_generate(conf, options, ret_text, words);
}

int cmd_dashboard(int argc, char **argv)
{
	static const struct option options[] = { { "config", required_argument, NULL, 'c' },
		{ "region", required_argument, NULL, CLI_GENERATE_REGION },
		{ "dimension", required_argument, NULL, CLI_GENERATE_DIMENSION },
		{ "part", required_argument, NULL, CLI_GENERATE_PART }, { "help", no_argument, NULL, 'h' }, { 0 } };

	return cli_generate(&(struct cli_generate){ .name = "dashboard", .options = options, .print_usage = print_usage,
		.needs_region = true, .make = make }, argc, argv);
}
