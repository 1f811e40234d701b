# SPDX-License-Identifier: Apache-2.0
"""The certificate's issuer is not trusted here.
TLS passthrough to a target with a certificate of a private CA that this host does not know.
"""

VERDICT = "tls-untrusted"
CONFIDENCE = "certain"
BASIS = "documented"


def apply(lab):
    lab.http(connection={"certificate": "untrusted"})
