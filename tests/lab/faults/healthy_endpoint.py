# SPDX-License-Identifier: Apache-2.0
"""The service answers through a service-network endpoint.
The name of a service-network endpoint (VPC console: Endpoints, type Service network) leads to the
endpoint's own address inside the VPC. No association is needed for it.
"""

from laboratory import ENDPOINT

VERDICT = "healthy"
CONFIDENCE = "certain"
BASIS = "observed"
ARGUMENTS = ["--no-aws", f"https://{ENDPOINT}/healthz"]


def apply(lab):
    lab.nft("lattice", "input", "ip daddr 169.254.171.0/24 drop")
