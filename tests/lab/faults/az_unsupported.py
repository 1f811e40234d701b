# SPDX-License-Identifier: Apache-2.0
"""Nothing answers: the instance is in a zone without VPC Lattice.
The instance runs in use1-az3 (User Guide, quotas).
"""

from laboratory import CHECKOUT

VERDICT = "az-unsupported"
CONFIDENCE = "certain"
BASIS = "documented"
ARGUMENTS = [f"https://{CHECKOUT}/healthz"]


def apply(lab):
    lab.nft("lattice", "prerouting", "tcp dport { 80, 443 } drop")
    lab.imds(metadata={"placement/availability-zone-id": "use1-az3"})
