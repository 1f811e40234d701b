# SPDX-License-Identifier: Apache-2.0
"""The service answers, but the metadata service is off and gives no credentials.
Instance metadata options: HTTP endpoint disabled, and nothing else gives credentials.
"""

from laboratory import CHECKOUT

VERDICT = "imds-off"
CONFIDENCE = "certain"
BASIS = "documented"
ARGUMENTS = ["-c", "{configuration}", "checkout"]
CONFIGURATION = f"""
[probe checkout]
url = https://{CHECKOUT}/healthz
tls_ca = {{ca}}
"""


def apply(lab):
    lab.imds(enabled=False)
