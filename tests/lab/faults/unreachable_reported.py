# SPDX-License-Identifier: Apache-2.0
"""A router says that the host is unreachable.
A reject rule of a firewall on the way, or of this host: the two look alike.
"""

VERDICT = "undetermined"
CONFIDENCE = "candidates"
BASIS = "inferred"


def apply(lab):
    lab.nft("router", "forward", "ip daddr 169.254.171.0/24 reject with icmp host-unreachable",
            "ip6 daddr fd00:ec2:80::/64 reject with icmpv6 addr-unreachable")
