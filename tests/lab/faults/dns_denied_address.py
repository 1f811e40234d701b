# SPDX-License-Identifier: Apache-2.0
"""The name leads to the metadata service.
A record made by mistake, or an attack that wants the prober to fetch credentials.
"""

from laboratory import CUSTOM_DOMAIN

VERDICT = "dns-denied-address"
CONFIDENCE = "certain"
BASIS = "documented"
ARGUMENTS = ["--no-aws", f"https://{CUSTOM_DOMAIN}/healthz"]


def apply(lab):
    lab.names({CUSTOM_DOMAIN: ["169.254.169.254"]})
