# SPDX-License-Identifier: Apache-2.0
"""Nothing answers: the association of this VPC is not active yet.
The association was just made: its status is CREATE_IN_PROGRESS.
"""

from laboratory import CHECKOUT

VERDICT = "vpc-not-associated"
CONFIDENCE = "certain"
BASIS = "documented"
ARGUMENTS = [f"https://{CHECKOUT}/healthz"]


def apply(lab):
    lab.nft("lattice", "prerouting", "tcp dport { 80, 443 } drop")
    lab.world(association={"status": "CREATE_IN_PROGRESS", "securityGroupIds": [], "failureMessage": None})
