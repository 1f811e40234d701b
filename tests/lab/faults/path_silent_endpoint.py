# SPDX-License-Identifier: Apache-2.0
"""A service-network endpoint does not answer.
The endpoint's own security group does not let this instance in.
"""

from laboratory import ENDPOINT

VERDICT = "path-silent"
CONFIDENCE = "candidates"
BASIS = "inferred"
ARGUMENTS = ["--no-aws", f"https://{ENDPOINT}/healthz"]


def apply(lab):
    lab.nft("lattice", "input", "ip daddr 10.0.2.50 drop")
