# SPDX-License-Identifier: Apache-2.0
"""A zeroconf route covers VPC Lattice's range, and the service answers all the same.
The instance has the route 169.254.0.0/16 dev eth0 (RHEL's old default, NOZEROCONF unset), and the network
answers ARP for what is behind it.
"""

VERDICT = "healthy"
CONFIDENCE = "certain"
BASIS = "observed"


def apply(lab):
    lab.ip("router", *(f"neigh add proxy {address} dev consumer" for address in
                       ("169.254.171.33", "169.254.169.253", "169.254.169.254")))
    lab.ip("consumer", "route add 169.254.0.0/16 dev eth0 scope link")
