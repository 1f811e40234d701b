# SPDX-License-Identifier: Apache-2.0
"""The service answers, but the credentials have expired.
Keys in the environment, or a role whose trust was taken away: AWS does not accept them any more.
"""

from laboratory import CHECKOUT

VERDICT = "no-credentials"
CONFIDENCE = "likely"
BASIS = "documented"
ARGUMENTS = ["-c", "{configuration}", "checkout"]
CONFIGURATION = f"""
[probe checkout]
url = https://{CHECKOUT}/healthz
tls_ca = {{ca}}
"""


def apply(lab):
    lab.gate({"action": "expire_403"})
