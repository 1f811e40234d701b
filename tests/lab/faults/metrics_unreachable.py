# SPDX-License-Identifier: Apache-2.0
"""The service answers, but CloudWatch cannot be reached.
A public subnet, an instance without a public address, and no endpoint for CloudWatch: VPC Lattice works,
AWS's APIs do not.
"""

VERDICT = "metrics-unreachable"
CONFIDENCE = "likely"
BASIS = "documented"
ASKS_PUBLISHING = True


def apply(lab):
    lab.nft("router", "forward", "ip daddr 10.0.0.10 drop", "ip6 daddr fd00:10::10 drop")
