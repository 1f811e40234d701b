# SPDX-License-Identifier: Apache-2.0
"""The service answers; CloudWatch throttles for the moment.
Too many PutMetricData calls of the account: they are sent again, nothing is lost.
"""

VERDICT = "healthy"
CONFIDENCE = "certain"
BASIS = "observed"
ASKS_PUBLISHING = True


def apply(lab):
    lab.gate({"action": "throttle_400"})
