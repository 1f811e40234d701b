# SPDX-License-Identifier: Apache-2.0
"""The name does not exist: NXDOMAIN inside the VPC and outside.
As dns-nxdomain, and a resolver outside the VPC is configured beside the VPC's: two witnesses that share
nothing (RFC 2308 section 2.1).
"""

from laboratory import CHECKOUT

VERDICT = "dns-nxdomain"
CONFIDENCE = "certain"
BASIS = "documented"


def apply(lab):
    lab.names({CHECKOUT: None})
    lab.names({CHECKOUT: None}, zone="outside")
    lab.resolv_conf("10.0.0.2", "203.0.113.53")
