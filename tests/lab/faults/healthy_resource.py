# SPDX-License-Identifier: Apache-2.0
"""A resource of VPC Lattice answers.
A resource configuration shared into the service network: its name leads to 129.224.0.0/17.
"""

from laboratory import RESOURCE

VERDICT = "healthy"
CONFIDENCE = "certain"
BASIS = "observed"
ARGUMENTS = ["--no-aws", f"http://{RESOURCE}/healthz"]


def apply(lab):
    lab.names({RESOURCE: ["129.224.10.20"]})
