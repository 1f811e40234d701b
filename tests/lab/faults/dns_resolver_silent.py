# SPDX-License-Identifier: Apache-2.0
"""The configured resolver does not answer, the VPC resolver does.
The VPC's DHCP options name an on-premises resolver, and the VPN to it is down.
"""

VERDICT = "dns-resolver-silent"
CONFIDENCE = "certain"
BASIS = "observed"


def apply(lab):
    lab.resolv_conf("10.0.0.53")
    lab.nft("svc", "input", "ip daddr 10.0.0.53 drop")
