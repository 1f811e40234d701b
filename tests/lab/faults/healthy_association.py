# SPDX-License-Identifier: Apache-2.0
"""The service answers: nothing is wrong.
The VPC is associated with the service network, and the name leads to VPC Lattice's link-local range.
"""

VERDICT = "healthy"
CONFIDENCE = "certain"
BASIS = "observed"


def apply(lab):
    """Nothing to do: a lab that came up is healthy."""
