# SPDX-License-Identifier: Apache-2.0
"""The custom domain is NXDOMAIN in this VPC: DNS host names are off.
VPC settings: DNS hostnames (enableDnsHostnames) is off, and private hosted zones need it.
"""

from laboratory import CUSTOM_DOMAIN

VERDICT = "dns-no-private-zone"
CONFIDENCE = "certain"
BASIS = "documented"
ARGUMENTS = [f"https://{CUSTOM_DOMAIN}/healthz"]


def apply(lab):
    lab.names({CUSTOM_DOMAIN: None})
    lab.world(dns_hostnames=False)
