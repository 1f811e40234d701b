# SPDX-License-Identifier: Apache-2.0
"""A more specific route sends VPC Lattice's range into a tunnel.
A VPN client or a container bridge of the instance routes 169.254.171.0/24 to a device of its own.
"""

VERDICT = "route-diverted"
CONFIDENCE = "likely"
BASIS = "observed"


def apply(lab):
    lab.ip("consumer", "link add tunnel0 type veth peer name tunnel1", "link set tunnel0 up", "link set tunnel1 up",
           "addr add 172.20.0.1/24 dev tunnel0", "neigh add 172.20.0.2 lladdr 02:00:00:00:00:02 dev tunnel0",
           "route add 169.254.171.0/24 via 172.20.0.2", "-6 route del default")
