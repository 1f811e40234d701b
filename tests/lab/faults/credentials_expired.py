# SPDX-License-Identifier: Apache-2.0
"""The service answers, but the credentials have expired.
Keys in the environment, or a role whose trust was taken away: AWS does not accept them any more.
"""

VERDICT = "no-credentials"
CONFIDENCE = "likely"
BASIS = "documented"
ASKS_PUBLISHING = True


def apply(lab):
    lab.gate({"action": "expire_403"})
