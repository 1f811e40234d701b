# SPDX-License-Identifier: Apache-2.0
"""As outside-vpc, on a machine whose firmware says nothing.
A container or another cloud hides the firmware's strings; what is left is the silence of the metadata
service and of the VPC resolver.
"""

VERDICT = "outside-vpc"
CONFIDENCE = "likely"
BASIS = "documented"


def apply(lab):
    lab.identity(sys_vendor="", product_name="", board_asset_tag="")
    lab.resolv_conf("203.0.113.53")
    lab.ip("router", "route del 169.254.171.0/24", "route del 169.254.169.253/32", "route del 169.254.169.254/32",
           "-6 route del fd00:ec2:80::/64", "-6 route del fd00:ec2::253/128", "-6 route del fd00:ec2::254/128")
    lab.nft("router", "forward", "ip daddr 10.0.0.2 drop")
