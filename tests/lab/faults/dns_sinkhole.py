# SPDX-License-Identifier: Apache-2.0
"""The name leads to 127.0.0.1.
A DNS filter answers with a sinkhole instead of NXDOMAIN.
"""

from laboratory import CHECKOUT

VERDICT = "dns-unexpected-address"
CONFIDENCE = "likely"
BASIS = "inferred"


def apply(lab):
    lab.names({CHECKOUT: ["127.0.0.1"]})
