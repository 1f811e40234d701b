# SPDX-License-Identifier: Apache-2.0
"""The service answers, but the metadata token does not reach this container.
Instance metadata options: hop limit 1. The reply to the token's PUT dies at the bridge of the container
network, everything else is answered.
"""

from laboratory import CHECKOUT

VERDICT = "imds-hop-limit"
CONFIDENCE = "certain"
BASIS = "documented"
ARGUMENTS = ["-c", "{configuration}", "checkout"]
CONFIGURATION = f"""
[probe checkout]
url = https://{CHECKOUT}/healthz
tls_ca = {{ca}}
"""


def apply(lab):
    lab.imds(faults=[{"action": "silent", "method": "PUT"}])
