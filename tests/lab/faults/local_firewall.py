# SPDX-License-Identifier: Apache-2.0
"""This host's own firewall drops what it sends to VPC Lattice.
nftables or iptables of the instance: an output rule drops TCP to 169.254.0.0/16.
"""

VERDICT = "local-firewall"
CONFIDENCE = "likely"
BASIS = "observed"


def apply(lab):
    lab.nft("consumer", "output", "ip daddr 169.254.171.0/24 tcp dport { 80, 443 } drop",
            "ip6 daddr fd00:ec2:80::/64 tcp dport { 80, 443 } drop")
