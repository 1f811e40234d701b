# SPDX-License-Identifier: Apache-2.0
"""Nothing answers, and nothing says whether this is an instance at all.
The firmware's strings are hidden and the metadata service is silent, as in a hardened container; the VPC
resolver answers.
"""

VERDICT = "path-silent"
CONFIDENCE = "candidates"
BASIS = "inferred"


def apply(lab):
    lab.identity(sys_vendor="", product_name="", board_asset_tag="")
    lab.nft("svc", "input", "ip daddr 169.254.169.254 drop", "ip6 daddr fd00:ec2::254 drop")
    lab.nft("lattice", "prerouting", "tcp dport { 80, 443 } drop")
