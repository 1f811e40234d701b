# SPDX-License-Identifier: Apache-2.0
"""The custom domain is an alias of a generated name that is gone.
The service was deleted and made anew: it has another id, so another name, and the CNAME still holds the
old one.
"""

from laboratory import CUSTOM_DOMAIN, SUFFIX

VERDICT = "dns-dangling-cname"
CONFIDENCE = "likely"
BASIS = "documented"
ARGUMENTS = ["--no-aws", f"https://{CUSTOM_DOMAIN}/healthz"]


def apply(lab):
    lab.names({CUSTOM_DOMAIN: f"checkout-0fedcba9876543210.{SUFFIX}"})
