# SPDX-License-Identifier: Apache-2.0
"""The service answers, but the instance has no role.
EC2 console: no IAM role is attached to the instance.
"""

VERDICT = "no-credentials"
CONFIDENCE = "certain"
BASIS = "documented"
ASKS_PUBLISHING = True


def apply(lab):
    lab.imds(role=None)
