/* SPDX-License-Identifier: Apache-2.0 */
/* iam_policy: the identity policy that the agent's role needs for one configuration, and no more:
 * PutMetricData into its namespace, vpc-lattice-svcs:Invoke on what signed probes ask for, and, apart,
 * the reads of `diagnose`. Pure. */
#ifndef LATTICE_PROBE_IAM_POLICY_H
#define LATTICE_PROBE_IAM_POLICY_H

#include <stdbool.h>

#include "lattice-probe/generate.h"

/* Appends the policy, JSON. The region decides the partition, and where a signed probe's host does not
 * name one. An account id is not known, so ARNs have "*" in its place. 0, ERR_NOMEM, ERR_LIMIT. */
int iam_policy_generate(const struct conf *conf, const struct generate_options *options, bool with_diagnose,
	struct buf *ret_text, struct generate_words *words);

#endif
