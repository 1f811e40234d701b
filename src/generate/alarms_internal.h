/* SPDX-License-Identifier: Apache-2.0 */
/* alarms_internal: the alarms of a configuration as plain values, between what decides on them and the two
 * formats they are written in. */
#ifndef LATTICE_PROBE_ALARMS_INTERNAL_H
#define LATTICE_PROBE_ALARMS_INTERNAL_H

#include "lattice-probe/alarms.h"

#include "generate_internal.h"

#define ALARM_NAME_MAX 255        /* API_PutMetricAlarm */
#define ALARM_DESCRIPTION_MAX 1024

struct alarm {
	char name[ALARM_NAME_MAX + 1]; /* unique in the region */
	char kind[24];                 /* "availability", "dns_failures" */
	uint64_t hash;                 /* of all that it watches */
	char description[ALARM_DESCRIPTION_MAX + 1];
	const struct series *series;   /* borrowed from the list of series */
	const char *metric;
	const char *statistic;          /* "Average", "Sum", …; NULL: the percentile */
	const char *extended_statistic; /* "p90" */
	const char *comparison;
	double threshold;
	int64_t period_s;
	int evaluation_periods;
	int datapoints_to_alarm;
	const char *treat_missing;
};

struct alarm_list {
	struct alarm *items;
	size_t count;
};

/* Letters and digits of the alarm's kind and service, each word begun by a capital, and its hash:
 * "AvailabilityCheckout1f0c…". Of the same with '_' between: "availability_checkout_1f0c…". */
#define ALARM_ID_SIZE 128
void alarms_cloudformation_id(const struct alarm *alarm, char ret_id[static ALARM_ID_SIZE]);
void alarms_terraform_id(const struct alarm *alarm, char ret_id[static ALARM_ID_SIZE]);

int alarms_cloudformation_write(const struct conf *conf, const struct alarm_list *alarms, struct buf *ret_text,
	struct generate_words *words);
int alarms_terraform_write(const struct conf *conf, const struct alarm_list *alarms, struct buf *ret_text);

#endif
