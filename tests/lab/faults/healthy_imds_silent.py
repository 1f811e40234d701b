# SPDX-License-Identifier: Apache-2.0
"""The metadata service is silent, and the service answers.
A firewall of the instance keeps all processes from 169.254.169.254.
"""

VERDICT = "healthy"
CONFIDENCE = "certain"
BASIS = "observed"


def apply(lab):
    lab.nft("svc", "input", "ip daddr 169.254.169.254 drop", "ip6 daddr fd00:ec2::254 drop")
