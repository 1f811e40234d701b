# SPDX-License-Identifier: Apache-2.0
"""The connection is reset before the response begins.
A target that crashes on the request.
"""

VERDICT = "response-reset"
CONFIDENCE = "certain"
BASIS = "observed"


def apply(lab):
    lab.http({"*": {"fault": "reset"}})
