# SPDX-License-Identifier: Apache-2.0
"""The certificate is for another name.
TLS passthrough to a target whose certificate holds another name.
"""

VERDICT = "tls-name-mismatch"
CONFIDENCE = "certain"
BASIS = "documented"


def apply(lab):
    lab.http(connection={"certificate": "wrong_name"})
