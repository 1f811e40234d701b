# SPDX-License-Identifier: Apache-2.0
"""The custom domain is an alias that leads back to itself.
Two records of the private hosted zone point at each other.
"""

from laboratory import CUSTOM_DOMAIN

VERDICT = "dns-cname-loop"
CONFIDENCE = "certain"
BASIS = "documented"
ARGUMENTS = ["--no-aws", f"https://{CUSTOM_DOMAIN}/healthz"]


def apply(lab):
    lab.scripted_dns({CUSTOM_DOMAIN: {"*": {"cname_loop": True}}})
