# SPDX-License-Identifier: Apache-2.0
"""The custom domain does not exist here: NXDOMAIN.
The private hosted zone is not associated with this VPC, or the domain was never made; without the control
plane the two cannot be told apart.
"""

from laboratory import CUSTOM_DOMAIN

VERDICT = "dns-nxdomain"
CONFIDENCE = "candidates"
BASIS = "inferred"
ARGUMENTS = ["--no-aws", f"https://{CUSTOM_DOMAIN}/healthz"]


def apply(lab):
    lab.names({CUSTOM_DOMAIN: None})
