# SPDX-License-Identifier: Apache-2.0
"""Nothing answers: this VPC is not associated with a service network.
VPC Lattice console: the service network has no VPC association for this VPC.
"""

from laboratory import CHECKOUT

VERDICT = "vpc-not-associated"
CONFIDENCE = "certain"
BASIS = "documented"
ARGUMENTS = [f"https://{CHECKOUT}/healthz"]


def apply(lab):
    lab.nft("lattice", "prerouting", "tcp dport { 80, 443 } drop")
    lab.world(association=None)
