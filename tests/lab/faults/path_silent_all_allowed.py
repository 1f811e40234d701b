# SPDX-License-Identifier: Apache-2.0
"""Nothing answers, and nothing that AWS shows forbids it.
Association, security groups, network ACL and route are all right: what is silent is beyond what this role
can see.
"""

from laboratory import CHECKOUT

VERDICT = "path-silent"
CONFIDENCE = "likely"
BASIS = "inferred"
ARGUMENTS = [f"https://{CHECKOUT}/healthz"]


def apply(lab):
    lab.nft("lattice", "prerouting", "tcp dport { 80, 443 } drop")
