# SPDX-License-Identifier: Apache-2.0
"""The URL holds a VPC Lattice address, and the service answers.
A probe of one zone's address; there is no name to look up.
"""

VERDICT = "healthy"
CONFIDENCE = "certain"
BASIS = "observed"
ARGUMENTS = ["--no-aws", "http://169.254.171.33/healthz"]


def apply(lab):
    """Nothing to do: addresses are asked as names are."""
