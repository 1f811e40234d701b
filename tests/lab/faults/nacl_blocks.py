# SPDX-License-Identifier: Apache-2.0
"""Nothing answers: the subnet's network ACL does not let the answers in.
Network ACL of the subnet: no inbound rule for the ephemeral ports 1025-65535.
"""

from laboratory import CHECKOUT

VERDICT = "nacl-blocks"
CONFIDENCE = "certain"
BASIS = "documented"
ARGUMENTS = [f"https://{CHECKOUT}/healthz"]


def apply(lab):
    lab.nft("lattice", "prerouting", "tcp dport { 80, 443 } drop")
    lab.world(nacl=[{"rule_number": 100, "protocol": "-1", "rule_action": "allow", "egress": True,
                     "cidr_block": "0.0.0.0/0"},
                    {"rule_number": 100, "protocol": "6", "rule_action": "allow", "egress": False,
                     "cidr_block": "0.0.0.0/0", "port_range_from": 22, "port_range_to": 22}])
