# SPDX-License-Identifier: Apache-2.0
"""The configured resolver says NXDOMAIN, the VPC resolver knows the name.
The VPC's DHCP options name an on-premises resolver that has no forwarding rule for
vpc-lattice-svcs.REGION.on.aws.
"""

VERDICT = "dns-wrong-resolver"
CONFIDENCE = "certain"
BASIS = "observed"


def apply(lab):
    lab.resolv_conf("10.0.0.53")
