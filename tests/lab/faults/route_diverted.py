# SPDX-License-Identifier: Apache-2.0
"""A blackhole route of this host swallows VPC Lattice's range.
A VPN client or a container network of the instance has claimed 169.254.0.0/16 and throws it away.
"""

VERDICT = "route-diverted"
CONFIDENCE = "certain"
BASIS = "observed"


def apply(lab):
    lab.ip("consumer", "route add blackhole 169.254.171.0/24", "-6 route add blackhole fd00:ec2:80::/64")
