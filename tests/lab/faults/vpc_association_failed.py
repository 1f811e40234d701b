# SPDX-License-Identifier: Apache-2.0
"""Nothing answers: the association of this VPC failed.
The association is there with the status CREATE_FAILED.
"""

from laboratory import CHECKOUT

VERDICT = "vpc-not-associated"
CONFIDENCE = "certain"
BASIS = "documented"
ARGUMENTS = [f"https://{CHECKOUT}/healthz"]


def apply(lab):
    lab.nft("lattice", "prerouting", "tcp dport { 80, 443 } drop")
    lab.world(association={"status": "CREATE_FAILED", "securityGroupIds": [],
                           "failureMessage": "The VPC is associated with another service network"})
