# SPDX-License-Identifier: Apache-2.0
"""The certificate is not valid yet.
TLS passthrough to a target with a certificate made for later.
"""

VERDICT = "tls-expired"
CONFIDENCE = "certain"
BASIS = "documented"


def apply(lab):
    lab.http(connection={"certificate": "not_yet_valid"})
