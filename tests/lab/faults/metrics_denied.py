# SPDX-License-Identifier: Apache-2.0
"""The service answers, but the role may not publish metrics.
The role's policy lacks cloudwatch:PutMetricData.
"""

from laboratory import CHECKOUT

VERDICT = "metrics-denied"
CONFIDENCE = "likely"
BASIS = "inferred"
ARGUMENTS = ["-c", "{configuration}", "checkout"]
CONFIGURATION = f"""
[probe checkout]
url = https://{CHECKOUT}/healthz
tls_ca = {{ca}}
"""


def apply(lab):
    lab.gate({"action": "deny"})
