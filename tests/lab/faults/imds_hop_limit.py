# SPDX-License-Identifier: Apache-2.0
"""The service answers, but the metadata token does not reach this container.
Instance metadata options: hop limit 1. The reply to the token's PUT dies at the bridge of the container
network, everything else is answered.
"""

VERDICT = "imds-hop-limit"
CONFIDENCE = "certain"
BASIS = "documented"
ASKS_PUBLISHING = True


def apply(lab):
    lab.imds(faults=[{"action": "silent", "method": "PUT"}])
