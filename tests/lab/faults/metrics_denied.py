# SPDX-License-Identifier: Apache-2.0
"""The service answers, but the role may not publish metrics.
The role's policy lacks cloudwatch:PutMetricData.
"""

VERDICT = "metrics-denied"
CONFIDENCE = "likely"
BASIS = "inferred"
ASKS_PUBLISHING = True


def apply(lab):
    lab.gate({"action": "deny"})
