# SPDX-License-Identifier: Apache-2.0
"""A rule of this host prohibits VPC Lattice's range.
Policy routing (ip rule) made by a VPN client or a container network.
"""

VERDICT = "route-diverted"
CONFIDENCE = "certain"
BASIS = "observed"


def apply(lab):
    lab.ip("consumer", "rule add to 169.254.171.0/24 prohibit pref 100",
           "-6 rule add to fd00:ec2:80::/64 prohibit pref 100")
