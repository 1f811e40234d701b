# SPDX-License-Identifier: Apache-2.0
"""The service answers, but the instance has no role.
EC2 console: no IAM role is attached to the instance.
"""

from laboratory import CHECKOUT

VERDICT = "no-credentials"
CONFIDENCE = "certain"
BASIS = "documented"
ARGUMENTS = ["-c", "{configuration}", "checkout"]
CONFIGURATION = f"""
[probe checkout]
url = https://{CHECKOUT}/healthz
tls_ca = {{ca}}
"""


def apply(lab):
    lab.imds(role=None)
