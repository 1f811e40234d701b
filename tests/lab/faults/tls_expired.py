# SPDX-License-Identifier: Apache-2.0
"""The certificate has expired.
TLS passthrough to a target whose certificate was not renewed.
"""

VERDICT = "tls-expired"
CONFIDENCE = "certain"
BASIS = "documented"


def apply(lab):
    lab.http(connection={"certificate": "expired"})
