# SPDX-License-Identifier: Apache-2.0
"""The VPC resolver says NXDOMAIN, a resolver outside knows the name.
A rule group of Route 53 Resolver DNS Firewall blocks the name with the answer NXDOMAIN, or a private
hosted zone stands in its place.
"""

from laboratory import CHECKOUT

VERDICT = "dns-nxdomain"
CONFIDENCE = "likely"
BASIS = "inferred"


def apply(lab):
    lab.resolv_conf("10.0.0.2", "203.0.113.53")
    lab.dnsdist(f"addAction(QNameRule('{CHECKOUT}.'), RCodeAction(DNSRCode.NXDOMAIN))")
