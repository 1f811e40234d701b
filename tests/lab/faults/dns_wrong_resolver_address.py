# SPDX-License-Identifier: Apache-2.0
"""The configured resolver gives another address than the VPC resolver.
An on-premises resolver has a record of its own, or a stale one, for the service's name.
"""

from laboratory import CHECKOUT

VERDICT = "dns-wrong-resolver"
CONFIDENCE = "certain"
BASIS = "observed"


def apply(lab):
    lab.names({CHECKOUT: ["198.51.100.7"]}, zone="custom")
    lab.resolv_conf("10.0.0.53")
