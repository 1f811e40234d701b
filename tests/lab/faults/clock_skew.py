# SPDX-License-Identifier: Apache-2.0
"""The service answers, but this host's clock is off: AWS refuses the signatures.
The instance does not reach a time server. Here AWS's clock runs ahead, which looks the same.
"""

VERDICT = "clock-skew"
CONFIDENCE = "certain"
BASIS = "documented"
ASKS_PUBLISHING = True


def apply(lab):
    lab.aws_clock(1200)
