# SPDX-License-Identifier: Apache-2.0
"""Nothing answers: the subnet's network ACL lets nothing out on the port.
Network ACL of the subnet: an outbound rule denies port 443 before another allows everything.
"""

from laboratory import CHECKOUT

VERDICT = "nacl-blocks"
CONFIDENCE = "certain"
BASIS = "documented"
ARGUMENTS = [f"https://{CHECKOUT}/healthz"]


def apply(lab):
    lab.nft("lattice", "prerouting", "tcp dport { 80, 443 } drop")
    lab.world(nacl=[{"number": 50, "egress": True, "allow": False, "protocol": "6", "from": 443, "to": 443,
                     "cidr": "0.0.0.0/0"},
                    {"number": 100, "egress": True, "allow": True, "protocol": "-1", "cidr": "0.0.0.0/0"},
                    {"number": 100, "egress": False, "allow": True, "protocol": "-1", "cidr": "0.0.0.0/0"}])
