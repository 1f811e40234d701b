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
    lab.world(nacl=[{"number": 100, "egress": True, "allow": True, "protocol": "-1", "cidr": "0.0.0.0/0"},
                    {"number": 100, "egress": False, "allow": True, "protocol": "6", "from": 22, "to": 22,
                     "cidr": "0.0.0.0/0"}])
