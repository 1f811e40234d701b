# SPDX-License-Identifier: Apache-2.0
"""As outside-vpc, in another cloud, whose metadata service answers at the same address.
169.254.169.254 answers there too, with something else.
"""

VERDICT = "outside-vpc"
CONFIDENCE = "certain"
BASIS = "documented"


def apply(lab):
    lab.identity(sys_vendor="Google", product_name="Google Compute Engine", board_asset_tag="")
    lab.resolv_conf("203.0.113.53")
    lab.imds(faults=[{"action": "status", "status": 404}])
    lab.ip("router", "route del 169.254.171.0/24", "route del 169.254.169.253/32",
           "-6 route del fd00:ec2:80::/64", "-6 route del fd00:ec2::253/128", "-6 route del fd00:ec2::254/128")
    lab.nft("router", "forward", "ip daddr 10.0.0.2 drop")
