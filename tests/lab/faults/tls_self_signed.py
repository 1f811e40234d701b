# SPDX-License-Identifier: Apache-2.0
"""The certificate is self-signed.
TLS passthrough to a target with a certificate of its own making.
"""

VERDICT = "tls-untrusted"
CONFIDENCE = "certain"
BASIS = "documented"


def apply(lab):
    lab.http(connection={"certificate": "self_signed"})
