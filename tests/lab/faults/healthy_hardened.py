# SPDX-License-Identifier: Apache-2.0
"""The metadata service is switched off, and the service answers.
Instance metadata options: HTTP endpoint disabled. Nothing of the path needs it.
"""

VERDICT = "healthy"
CONFIDENCE = "certain"
BASIS = "observed"


def apply(lab):
    lab.imds(enabled=False)
