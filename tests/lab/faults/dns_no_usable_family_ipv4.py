# SPDX-License-Identifier: Apache-2.0
"""The name has only IPv4 addresses, and this host has IPv6 alone.
The instance is in an IPv6-only subnet; the service has no IPv6 address in the zone.
"""

from laboratory import CATALOG

VERDICT = "dns-no-usable-family"
CONFIDENCE = "certain"
BASIS = "documented"
ARGUMENTS = ["--no-aws", f"https://{CATALOG}/healthz"]


def apply(lab):
    lab.ip("consumer", "-4 addr flush dev eth0")
    lab.resolv_conf("fd00:ec2::253")
