# SPDX-License-Identifier: Apache-2.0
"""Nothing answers, and this role may ask the control plane nothing.
The role lacks vpc-lattice:List… and ec2:Describe….
"""

from laboratory import CHECKOUT

VERDICT = "path-silent"
CONFIDENCE = "candidates"
BASIS = "inferred"
ARGUMENTS = [f"https://{CHECKOUT}/healthz"]


def apply(lab):
    lab.nft("lattice", "prerouting", "tcp dport { 80, 443 } drop")
    lab.world(refuse=["vpc-lattice:ListServiceNetworkVpcAssociations", "vpc-lattice:GetServiceNetworkVpcAssociation",
                      "vpc-lattice:ListServiceNetworkServiceAssociations", "ec2:DescribeVpcs", "ec2:DescribeVpcAttribute",
                      "ec2:DescribeSecurityGroups", "ec2:DescribeRouteTables", "ec2:DescribeNetworkAcls",
                      "ec2:DescribeManagedPrefixLists", "ec2:GetManagedPrefixListEntries"])
