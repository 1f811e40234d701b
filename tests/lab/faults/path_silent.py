# SPDX-License-Identifier: Apache-2.0
"""Nothing answers the connection attempt.
A missing association, the association's or the instance's security group, a network ACL: without the
control plane they look alike.
"""

VERDICT = "path-silent"
CONFIDENCE = "candidates"
BASIS = "inferred"


def apply(lab):
    lab.nft("lattice", "prerouting", "tcp dport { 80, 443 } drop")
