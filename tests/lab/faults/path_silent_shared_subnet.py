# SPDX-License-Identifier: Apache-2.0
"""Nothing answers in a shared subnet, where an empty list of associations means nothing.
The VPC belongs to another account (RAM): only its owner, and the service network's, see the association.
"""

from laboratory import CHECKOUT

VERDICT = "path-silent"
CONFIDENCE = "candidates"
BASIS = "inferred"
ARGUMENTS = [f"https://{CHECKOUT}/healthz"]


def apply(lab):
    lab.nft("lattice", "prerouting", "tcp dport { 80, 443 } drop")
    lab.world(owner="210987654321", association=None)
