# SPDX-License-Identifier: Apache-2.0
"""The service answers; CloudWatch throttles for the moment.
Too many PutMetricData calls of the account: they are sent again, nothing is lost.
"""

from laboratory import CHECKOUT

VERDICT = "healthy"
CONFIDENCE = "certain"
BASIS = "observed"
ARGUMENTS = ["-c", "{configuration}", "checkout"]
CONFIGURATION = f"""
[probe checkout]
url = https://{CHECKOUT}/healthz
tls_ca = {{ca}}
"""


def apply(lab):
    lab.gate({"action": "throttle_400"})
