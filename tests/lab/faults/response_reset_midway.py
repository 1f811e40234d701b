# SPDX-License-Identifier: Apache-2.0
"""The connection is reset inside the response.
A target that crashes half-way through its body.
"""

VERDICT = "response-reset"
CONFIDENCE = "certain"
BASIS = "observed"


def apply(lab):
    lab.http({"*": {"body_bytes": 4000, "reset_after": 1000}})
