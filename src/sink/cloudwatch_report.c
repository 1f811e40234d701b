/* SPDX-License-Identifier: Apache-2.0 */
/* What is said about publishing: a failure when it begins, when its kind changes and every ten
 * minutes while it lasts; the recovery; what is given up. */
#include "sink_internal.h"

#include <string.h>

#include "lattice-probe/log.h"
#include "lattice-probe/metric.h"

#define REMIND_US (600 * US_PER_S)

void cloudwatch_report_failure(struct cloudwatch_report *report, const struct aws_reply *reply, struct mono now,
	int64_t retry_in_us, uint64_t waiting_datums)
{
	bool is_new = !report->is_failing || report->class_ != reply->class_ ||
		      mono_since(now, report->said) >= REMIND_US;
	double retry_in_s = (double)retry_in_us / (double)US_PER_S;
	char why[LOG_VALUE_SIZE];

	if (!report->is_failing)
		report->since = now;
	report->is_failing = true;
	report->class_ = reply->class_;
	report->failures++;
	if (!is_new) {
		log_debug("event=publish_failed class=%s retry_in_s=%.1f", aws_class_name(reply->class_), retry_in_s);
		return;
	}
	report->said = now;
	log_warning("event=publish_failed class=%s%s status=%d code=%s why=%s retry_in_s=%.1f waiting_datums=%llu",
		aws_class_name(reply->class_),
		reply->class_ == AWS_CLASS_DENIED ? " permission=cloudwatch:PutMetricData" : "", reply->status,
		reply->code[0] ? reply->code : "none", log_value(reply->message[0] ? reply->message : "not said", why),
		retry_in_s, (unsigned long long)waiting_datums);
}

void cloudwatch_report_success(struct cloudwatch_report *report, struct mono now, uint64_t waiting_datums)
{
	if (report->is_failing)
		log_info("event=publish_recovered after_s=%lld failures=%llu waiting_datums=%llu",
			(long long)(mono_since(now, report->since) / US_PER_S),
			(unsigned long long)report->failures, (unsigned long long)waiting_datums);
	report->is_failing = false;
	report->is_full = false;
	report->failures = 0;
}

void cloudwatch_report_full(struct cloudwatch_report *report, uint64_t waiting_datums)
{
	if (!report->is_full)
		log_err("event=samples_dropped cause=%s waiting_datums=%llu action=\"drops the oldest until "
			"publishing works again\"",
			sink_drop_name(SINK_DROP_QUEUE_FULL), (unsigned long long)waiting_datums);
	report->is_full = true;
}

void cloudwatch_report_invalid(struct cloudwatch_report *report, const char *metric, const char *code,
	const char *why)
{
	char text[LOG_VALUE_SIZE];
	uint64_t bit = 0;

	for (unsigned id = 0; id < METRIC_COUNT; id++)
		if (strcmp(metric_get(id)->name, metric) == 0)
			bit = UINT64_C(1) << id;
	if (!(report->named & bit))
		log_err("event=samples_dropped cause=%s metric=%s code=%s why=%s",
			sink_drop_name(SINK_DROP_INVALID), metric, code, log_value(why, text));
	report->named |= bit;
}

void cloudwatch_report_dropped(struct cloudwatch_report *report, enum sink_drop cause, double samples)
{
	if (samples > 0 && !(report->dropped & (1u << cause)))
		log_warning("event=samples_dropped cause=%s samples=%.0f", sink_drop_name(cause), samples);
	report->dropped |= samples > 0 ? 1u << cause : 0;
}
