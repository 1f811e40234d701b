# SPDX-License-Identifier: Apache-2.0
"""The service answers over IPv6 alone.
The instance is in an IPv6-only subnet: it has no IPv4 address but those of the link, and asks the VPC
resolver at fd00:ec2::253.
"""

VERDICT = "healthy"
CONFIDENCE = "certain"
BASIS = "observed"


def apply(lab):
    lab.ip("consumer", "addr flush dev eth0 scope global", "addr add fd00:10:0:1::10/64 dev eth0",
           "-6 route replace default via fd00:10:0:1::1")
    lab.resolv_conf("fd00:ec2::253")
    lab.imds(metadata={"local-ipv4": None})
