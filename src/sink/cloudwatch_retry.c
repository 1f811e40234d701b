/* SPDX-License-Identifier: Apache-2.0 */
/* Delays grow with decorrelated jitter (https://aws.amazon.com/blogs/architecture/
 * exponential-backoff-and-jitter/): each lies between the base and three times the one before, so
 * that a fleet that failed together does not come back together. */
#include "sink_internal.h"

/* A server may ask for patience, but not for ever. */
#define RETRY_AFTER_MAX_US (300 * US_PER_S)

enum cloudwatch_action cloudwatch_retry_action(enum aws_class class_)
{
	switch (class_) {
	case AWS_CLASS_OK: return CLOUDWATCH_DELIVERED;
	case AWS_CLASS_INVALID:
	case AWS_CLASS_TOO_LARGE: return CLOUDWATCH_SPLIT;
	case AWS_CLASS_EXPIRED:
	case AWS_CLASS_SKEWED: return CLOUDWATCH_AT_ONCE;
	case AWS_CLASS_THROTTLED:
	case AWS_CLASS_SERVER:
	case AWS_CLASS_TIMEOUT:
	case AWS_CLASS_IN_DOUBT:
	case AWS_CLASS_DENIED:
	case AWS_CLASS_TLS:
	case AWS_CLASS_UNREACHABLE:
	case AWS_CLASS_LOCAL:
	default: return CLOUDWATCH_LATER;
	}
}

static int64_t at_most(int64_t value, int64_t max)
{
	return value < max ? value : max;
}

int64_t cloudwatch_retry_delay_us(enum aws_class class_, const struct cloudwatch_pace *pace,
	int64_t previous_us, uint64_t random, int64_t retry_after_us)
{
	int64_t base_us = class_ == AWS_CLASS_THROTTLED ? pace->throttle_base_us : pace->retry_base_us;
	int64_t range_us = 3 * (previous_us > base_us ? previous_us : base_us) - base_us;
	int64_t delay_us = at_most(base_us + (int64_t)(random % (uint64_t)(range_us + 1)), pace->retry_max_us);

	/* A missing permission does not come back within milliseconds. */
	if (class_ == AWS_CLASS_DENIED)
		delay_us = pace->retry_max_us;
	retry_after_us = at_most(retry_after_us, RETRY_AFTER_MAX_US);
	return delay_us > retry_after_us ? delay_us : retry_after_us;
}
