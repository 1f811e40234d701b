# SPDX-License-Identifier: Apache-2.0
"""The custom domain leads to a public address here, which does not answer.
As dns-no-private-zone, and a public zone of the same name answers in its place.
"""

from laboratory import CUSTOM_DOMAIN

VERDICT = "dns-no-private-zone"
CONFIDENCE = "likely"
BASIS = "documented"
ARGUMENTS = [f"https://{CUSTOM_DOMAIN}/healthz"]


def apply(lab):
    lab.names({CUSTOM_DOMAIN: ["203.0.113.80"]})
