# SPDX-License-Identifier: Apache-2.0
"""What comes back is not HTTP.
The target group's protocol is HTTP and something else listens on the target's port.
"""

VERDICT = "response-not-http"
CONFIDENCE = "certain"
BASIS = "observed"


def apply(lab):
    lab.http({"*": {"raw": "220 mail.example.com ESMTP\r\n"}})
