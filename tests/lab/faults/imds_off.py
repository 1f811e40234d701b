# SPDX-License-Identifier: Apache-2.0
"""The service answers, but the metadata service is off and gives no credentials.
Instance metadata options: HTTP endpoint disabled, and nothing else gives credentials.
"""

VERDICT = "imds-off"
CONFIDENCE = "certain"
BASIS = "documented"
ASKS_PUBLISHING = True


def apply(lab):
    lab.imds(enabled=False)
