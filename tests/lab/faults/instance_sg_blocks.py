# SPDX-License-Identifier: Apache-2.0
"""Nothing answers: the instance's security group lets nothing out to VPC Lattice.
Security group of the instance: no egress rule to the managed prefix list com.amazonaws.REGION.vpc-lattice.
"""

from laboratory import CHECKOUT

VERDICT = "instance-sg-blocks"
CONFIDENCE = "certain"
BASIS = "documented"
ARGUMENTS = [f"https://{CHECKOUT}/healthz"]


def apply(lab):
    lab.nft("lattice", "prerouting", "tcp dport { 80, 443 } drop")
    lab.world(instance_egress=[{"protocol": "tcp", "from": 5432, "to": 5432, "cidr": "10.0.0.0/16"}])
