# SPDX-License-Identifier: Apache-2.0
"""The VPC resolver does not answer at 169.254.169.253, and does at 10.0.0.2.
A firewall keeps this host from the link-local address; nothing needs it.
"""

VERDICT = "healthy"
CONFIDENCE = "certain"
BASIS = "observed"


def apply(lab):
    lab.nft("svc", "input", "ip daddr 169.254.169.253 drop")
