# SPDX-License-Identifier: Apache-2.0
"""The name has only IPv4 addresses, and this host has an IPv6 default route alone.
The instance was moved to an IPv6-only subnet, the zone was not.
"""

from laboratory import CHECKOUT

VERDICT = "dns-no-usable-family"
CONFIDENCE = "certain"
BASIS = "documented"


def apply(lab):
    lab.names({CHECKOUT: ["169.254.171.33"]})
    lab.ip("consumer", "-4 addr flush dev eth0")
    lab.resolv_conf("fd00:ec2::253")
