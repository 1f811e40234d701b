# SPDX-License-Identifier: Apache-2.0
"""The name resolves and nothing answers: this host is not in a VPC.
A developer's machine or another cloud: generated names resolve everywhere, their link-local addresses only
work inside an associated VPC.
"""

VERDICT = "outside-vpc"
CONFIDENCE = "certain"
BASIS = "documented"


def apply(lab):
    lab.identity(sys_vendor="Framework", product_name="Laptop 13", board_asset_tag="")
    lab.resolv_conf("203.0.113.53")
    lab.ip("router", "route del 169.254.171.0/24", "route del 169.254.169.253/32", "route del 169.254.169.254/32",
           "-6 route del fd00:ec2:80::/64", "-6 route del fd00:ec2::253/128", "-6 route del fd00:ec2::254/128")
    lab.nft("router", "forward", "ip daddr 10.0.0.2 drop")
