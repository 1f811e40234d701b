# SPDX-License-Identifier: Apache-2.0
"""The service answers only because a second resolver does: the first is silent.
As dns-resolver-silent, with the VPC resolver second in resolv.conf. Every lookup waits for the first.
"""

VERDICT = "dns-resolver-silent"
CONFIDENCE = "certain"
BASIS = "observed"


def apply(lab):
    lab.resolv_conf("10.0.0.53", "10.0.0.2")
    lab.nft("svc", "input", "ip daddr 10.0.0.53 drop")
