# SPDX-License-Identifier: Apache-2.0
"""The custom domain is NXDOMAIN in this VPC, the generated name resolves.
Route 53: the private hosted zone is not associated with this VPC. The service's custom domain is known
from the control plane.
"""

from laboratory import CUSTOM_DOMAIN

VERDICT = "dns-no-private-zone"
CONFIDENCE = "certain"
BASIS = "documented"
ARGUMENTS = [f"https://{CUSTOM_DOMAIN}/healthz"]


def apply(lab):
    lab.names({CUSTOM_DOMAIN: None})
