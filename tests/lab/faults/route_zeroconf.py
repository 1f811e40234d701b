# SPDX-License-Identifier: Apache-2.0
"""A zeroconf route keeps VPC Lattice's range on the link, where nobody answers.
The instance has the route 169.254.0.0/16 dev eth0 (NOZEROCONF unset), and ARP for the address fails.
"""

VERDICT = "route-zeroconf"
CONFIDENCE = "certain"
BASIS = "observed"


def apply(lab):
    lab.ip("router", "neigh add proxy 169.254.169.253 dev consumer", "neigh add proxy 169.254.169.254 dev consumer")
    lab.ip("consumer", "route add 169.254.0.0/16 dev eth0 scope link", "-6 route del default")
