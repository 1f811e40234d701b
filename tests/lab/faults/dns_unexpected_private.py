# SPDX-License-Identifier: Apache-2.0
"""The name leads to a private address of another network that does not answer.
It may be an endpoint in another VPC, reached over a transit gateway or a peering that is not there.
"""

from laboratory import CHECKOUT

VERDICT = "dns-unexpected-address"
CONFIDENCE = "candidates"
BASIS = "inferred"


def apply(lab):
    lab.names({CHECKOUT: ["10.9.8.7"]})
