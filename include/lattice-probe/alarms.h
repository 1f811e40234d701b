/* SPDX-License-Identifier: Apache-2.0 */
/* alarms: CloudWatch alarms for what one configuration publishes, and for nothing else: availability,
 * latency and certificate of each service and dimension set, the fleet's heartbeat. Names and ids depend on
 * what an alarm watches only, so that probes can be added and reordered. Pure. */
#ifndef LATTICE_PROBE_ALARMS_H
#define LATTICE_PROBE_ALARMS_H

#include <stdbool.h>
#include <stdint.h>

#include "lattice-probe/generate.h"

enum alarms_format { ALARMS_CLOUDFORMATION, ALARMS_TERRAFORM };

#define ALARMS_AVAILABILITY 0.99 /* with 6 runs a minute: any failure in a minute makes it a bad one */
#define ALARMS_CERTIFICATE_DAYS 14

struct alarms_options {
	enum alarms_format format;
	double availability;  /* above 0, up to 1 */
	int64_t latency_us;   /* 0: half of the probe's timeout */
	int certificate_days;
	bool with_failures;   /* also for DnsFailures and the like */
};

/* Appends a CloudFormation template (JSON) or Terraform configuration. 0; ERR_NOT_FOUND: nothing is
 * published that can be watched; ERR_UNSUPPORTED, ERR_RANGE: the options do not fit the configuration;
 * ERR_LIMIT: more than one document can hold; ERR_NOMEM. Of all but the last, words.refusal says what to
 * do. */
int alarms_generate(const struct conf *conf, const struct generate_options *options,
	const struct alarms_options *alarms, struct buf *ret_text, struct generate_words *words);

#endif
