/* SPDX-License-Identifier: Apache-2.0 */
#include "cli_internal.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "lattice-probe/alarms.h"
#include "lattice-probe/parse.h"

enum own_code { FORMAT = CLI_GENERATE_OWN, AVAILABILITY, LATENCY, CERTIFICATE_DAYS, FAILURES };

static void print_usage(FILE *stream)
{
	fputs("usage: lattice-probe alarms [-c FILE] [--format cloudformation|terraform]\n"
	      "                            [--availability SHARE] [--latency DURATION]\n"
	      "                            [--certificate-days DAYS] [--failures]\n"
	      "                            [--dimension NAME=VALUE]… [--part N/M]\n"
	      "\n"
	      "Prints CloudWatch alarms for what this configuration publishes:\n"
	      "  availability  Success below 0.99, in 3 of 5 periods\n"
	      "  latency       p90 of successful runs above half of the timeout, over 5 min\n"
	      "  certificate   less than 14 days left\n"
	      "  heartbeat     fewer agents alive than expected_agents, in 3 of 5 minutes\n"
	      "The topic that hears of them is a parameter. A metric that is not published\n"
	      "gets no alarm. Notes go to stderr.\n"
	      "\n"
	      "  -c, --config FILE    the configuration, with conf.d/*.conf beside it\n"
	      "                       (" CLI_CONF_PATH ")\n"
	      "      --format FORMAT  cloudformation, a template in JSON, or terraform, HCL\n"
	      "                       (cloudformation)\n"
	      "      --availability SHARE\n"
	      "                       above 0 and up to 1 (0.99: with six runs a minute, any\n"
	      "                       failure makes it a bad minute)\n"
	      "      --latency DURATION\n"
	      "                       such as 250ms (half of the probe's timeout)\n"
	      "      --certificate-days DAYS\n"
	      "                       1 to 365; more than 30 needs CertificateDaysRemaining in\n"
	      "                       metrics (14)\n"
	      "      --failures       also for DnsFailures, ConnectFailures, TlsFailures and\n"
	      "                       HealthFailures; needs failure_metrics = always\n"
	      "      --dimension NAME=VALUE\n"
	      "                       value of a dimension that only instances know, such as\n"
	      "                       AvailabilityZoneId; without it such sets get no alarms\n"
	      "      --part N/M       the Nth of M documents, for many services\n"
	      "  -h, --help           print this\n"
	      "\n"
	      "Exit status: 0 printed, 2 mistakes in the configuration, nothing to watch, too\n"
	      "much for one template, or wrong usage.\n",
		stream);
}

static bool take_format(struct alarms_options *alarms, const char *value)
{
	if (strcmp(value, "cloudformation") == 0)
		alarms->format = ALARMS_CLOUDFORMATION;
	else if (strcmp(value, "terraform") == 0)
		alarms->format = ALARMS_TERRAFORM;
	else
		fprintf(stderr, "lattice-probe: --format: '%s' is none; write cloudformation or terraform\n", value);
	return strcmp(value, "cloudformation") == 0 || strcmp(value, "terraform") == 0;
}

static bool take_availability(struct alarms_options *alarms, const char *value)
{
	char *end = NULL;
	double share = strtod(value, &end);

	if (end == value || *end || strspn(value, "0123456789.") != strlen(value) || !(share > 0 && share <= 1)) {
		fprintf(stderr, "lattice-probe: --availability: '%s' is no share; write 0.99 or the like, above 0 and up to 1\n",
			value);
		return false;
	}
	alarms->availability = share;
	return true;
}

static bool take_latency(struct alarms_options *alarms, const char *value)
{
	if (parse_duration(value, &alarms->latency_us) == 0 && alarms->latency_us > 0)
		return true;
	fprintf(stderr, "lattice-probe: --latency: '%s' is no duration; write 250ms or the like (ms, s, m)\n", value);
	return false;
}

static bool take_days(struct alarms_options *alarms, const char *value)
{
	int64_t days;

	if (parse_int64(value, 1, 365, &days) != 0) {
		fprintf(stderr, "lattice-probe: --certificate-days: '%s' is no number from 1 to 365\n", value);
		return false;
	}
	alarms->certificate_days = (int)days;
	return true;
}

static bool take_own(void *user, int option, const char *value)
{
	struct alarms_options *alarms = user;

	switch (option) {
	case FORMAT: return take_format(alarms, value);
	case AVAILABILITY: return take_availability(alarms, value);
	case LATENCY: return take_latency(alarms, value);
	case CERTIFICATE_DAYS: return take_days(alarms, value);
	default: alarms->with_failures = true; return true;
	}
}

static int make(void *user, const struct conf *conf, const struct generate_options *options, struct buf *ret_text,
	struct generate_words *words)
{
	return alarms_generate(conf, options, user, ret_text, words);
}

int cmd_alarms(int argc, char **argv)
{
	static const struct option options[] = { { "config", required_argument, NULL, 'c' },
		{ "format", required_argument, NULL, FORMAT }, { "availability", required_argument, NULL, AVAILABILITY },
		{ "latency", required_argument, NULL, LATENCY },
		{ "certificate-days", required_argument, NULL, CERTIFICATE_DAYS }, { "failures", no_argument, NULL, FAILURES },
		{ "dimension", required_argument, NULL, CLI_GENERATE_DIMENSION },
		{ "part", required_argument, NULL, CLI_GENERATE_PART }, { "help", no_argument, NULL, 'h' }, { 0 } };
	struct alarms_options alarms = { .availability = ALARMS_AVAILABILITY, .certificate_days = ALARMS_CERTIFICATE_DAYS };

	return cli_generate(&(struct cli_generate){ .name = "alarms", .options = options, .print_usage = print_usage,
		.take_own = take_own, .make = make, .user = &alarms }, argc, argv);
}
