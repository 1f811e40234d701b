# SPDX-License-Identifier: Apache-2.0
"""This host has no route to VPC Lattice's range.
The default route of the instance is gone; its own subnet and the DNS server's are still reached.
"""

VERDICT = "route-missing"
CONFIDENCE = "certain"
BASIS = "documented"


def apply(lab):
    lab.ip("consumer", "route add 10.0.0.0/24 via 10.0.1.1", "route add 169.254.169.253 via 10.0.1.1",
           "route add 169.254.169.254 via 10.0.1.1", "route del default", "-6 route del default")
