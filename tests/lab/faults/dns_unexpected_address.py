# SPDX-License-Identifier: Apache-2.0
"""The name leads to a public address that does not answer.
A stale record or a foreign zone answers for the generated name.
"""

from laboratory import CHECKOUT

VERDICT = "dns-unexpected-address"
CONFIDENCE = "likely"
BASIS = "inferred"


def apply(lab):
    lab.names({CHECKOUT: ["198.51.100.7"]})
