/* SPDX-License-Identifier: Apache-2.0 */
/* cloudwatch_encode: datums to the JSON 1.0 body of PutMetricData, and the rules a datum must keep
 * (https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html). Pure. */
#ifndef LATTICE_PROBE_CLOUDWATCH_ENCODE_H
#define LATTICE_PROBE_CLOUDWATCH_ENCODE_H

#include <stdbool.h>
#include <stddef.h>

#include "lattice-probe/buf.h"
#include "lattice-probe/datum.h"
#include "lattice-probe/units.h"

#define CLOUDWATCH_DATUMS_MAX 1000
#define CLOUDWATCH_BODY_MAX 999000 /* bytes before gzip: 1 MB with room */
#define CLOUDWATCH_PAST_US (14 * US_PER_DAY)
#define CLOUDWATCH_FUTURE_US (2 * 3600 * US_PER_S)

/* NULL when CloudWatch would take it at `now`; else static text that says which rule it breaks. */
const char *cloudwatch_check(const struct datum *datum, struct wall now);

/* {"Namespace":…,"MetricData":[ … ]}: begin, then add until full, then end. `body` holds up to
 * CLOUDWATCH_BODY_MAX at least. add returns ERR_LIMIT and leaves the body as it was when it would no
 * longer end within CLOUDWATCH_BODY_MAX; ERR_NOMEM likewise. */
int cloudwatch_encode_begin(struct buf *body, const char *namespace_);
int cloudwatch_encode_add(struct buf *body, const struct datum *datum, bool is_first);
int cloudwatch_encode_end(struct buf *body);

/* One datum as a JSON object, without anything around it. Numbers are written as short as they are
 * exact, without a locale, and without an exponent below 2^63. */
int cloudwatch_encode_datum(struct buf *body, const struct datum *datum);

/* gzip (RFC 1952) into the empty *ret_compressed; ERR_NOMEM, ERR_LIMIT: it is empty again. */
int cloudwatch_gzip(const struct buf *body, struct buf *ret_compressed);

#endif
