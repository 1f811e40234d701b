# SPDX-License-Identifier: Apache-2.0
"""The response begins and then stalls.
A target that hangs half-way through its body.
"""

VERDICT = "response-stalled"
CONFIDENCE = "certain"
BASIS = "observed"


def apply(lab):
    lab.http({"*": {"body_bytes": 4000, "stall_after": 1000}})
