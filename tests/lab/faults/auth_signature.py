# SPDX-License-Identifier: Apache-2.0
"""The signature of the request is refused (403).
The host's clock is off by more than five minutes: the Date of the answer shows it.
"""

import time
from email.utils import formatdate

VERDICT = "auth-signature"
CONFIDENCE = "likely"
BASIS = "inferred"


def apply(lab):
    answer = ("InvalidSignatureException: Signature expired: 20260101T000000Z is now earlier than 20260101T001500Z "
              "(20260101T002000Z - 5 min.)")
    lab.http({"*": {"status": 403, "headers": {"Date": formatdate(time.time() + 1200, usegmt=True)}, "body": answer,
                    "echo_headers": ["x-amzn-requestid"]}})
