# SPDX-License-Identifier: Apache-2.0
"""The name has only IPv6 addresses, and this host has no IPv6.
The instance is in a subnet without an IPv6 block, the zone holds only an AAAA record.
"""

from laboratory import CHECKOUT

VERDICT = "dns-no-usable-family"
CONFIDENCE = "certain"
BASIS = "documented"


def apply(lab):
    lab.names({CHECKOUT: ["fd00:ec2:80::a9fe:ab21"]})
    lab.ip("consumer", "-6 addr flush dev eth0", "-6 route flush default")
