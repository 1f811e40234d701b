# SPDX-License-Identifier: Apache-2.0
"""NXDOMAIN for a service that the network lists.
A DNS firewall or a shadowing private zone hides the name from this VPC.
"""

from laboratory import CHECKOUT

VERDICT = "dns-nxdomain"
CONFIDENCE = "likely"
BASIS = "inferred"
ARGUMENTS = [f"https://{CHECKOUT}/healthz"]


def apply(lab):
    lab.names({CHECKOUT: None})
