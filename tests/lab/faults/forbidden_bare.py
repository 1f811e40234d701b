# SPDX-License-Identifier: Apache-2.0
"""A 403 without a body: VPC Lattice or the application.
VPC Lattice's own refusals have a body; something on the way may have cut it.
"""

VERDICT = "auth-denied"
CONFIDENCE = "candidates"
BASIS = "observed"


def apply(lab):
    lab.http({"*": {"status": 403, "echo_headers": ["x-amzn-requestid"]}})
