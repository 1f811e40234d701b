# SPDX-License-Identifier: Apache-2.0
"""VPC Lattice answers 500: VPC Lattice cannot connect to the targets.
Target group console: no healthy target. The body of such an answer is not documented; a bare one is what is
assumed here.
"""

VERDICT = "target-unavailable"
CONFIDENCE = "likely"
BASIS = "inferred"


def apply(lab):
    lab.http({"*": {"status": 500, "echo_headers": ["x-amzn-requestid"]}})
