# SPDX-License-Identifier: Apache-2.0
"""Nothing answers: the association's security group does not let this instance in.
Security group of the VPC association: no ingress rule on the listener's port from this VPC or from the
instance's group.
"""

from laboratory import CHECKOUT

VERDICT = "association-sg-blocks"
CONFIDENCE = "certain"
BASIS = "documented"
ARGUMENTS = [f"https://{CHECKOUT}/healthz"]


def apply(lab):
    lab.nft("lattice", "prerouting", "tcp dport { 80, 443 } drop")
    lab.world(association_ingress=[{"protocol": "tcp", "from": 8080, "to": 8080, "cidr": "10.0.0.0/16"}])
