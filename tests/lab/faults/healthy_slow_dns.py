# SPDX-License-Identifier: Apache-2.0
"""DNS answers after half a second, and the service answers.
An on-premises resolver far away.
"""

VERDICT = "healthy"
CONFIDENCE = "certain"
BASIS = "observed"


def apply(lab):
    lab.dnsdist("addAction(AllRule(), DelayAction(500))")
