# SPDX-License-Identifier: Apache-2.0
"""The service's IPv6 address is silent, its IPv4 address answers.
The association's security group lets IPv4 in and not IPv6. The probe prefers IPv4.
"""

VERDICT = "healthy"
CONFIDENCE = "certain"
BASIS = "observed"


def apply(lab):
    lab.nft("lattice", "input", "meta nfproto ipv6 tcp dport { 80, 443 } drop")
