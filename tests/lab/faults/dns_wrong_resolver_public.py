# SPDX-License-Identifier: Apache-2.0
"""A public resolver is asked for a private custom domain: NXDOMAIN.
resolv.conf names a public resolver; the private hosted zone is only seen by the VPC resolver.
"""

from laboratory import CUSTOM_DOMAIN

VERDICT = "dns-wrong-resolver"
CONFIDENCE = "certain"
BASIS = "observed"
ARGUMENTS = ["--no-aws", f"https://{CUSTOM_DOMAIN}/healthz"]


def apply(lab):
    lab.resolv_conf("203.0.113.53")
