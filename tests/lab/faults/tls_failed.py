# SPDX-License-Identifier: Apache-2.0
"""The TLS handshake of the generated name fails with an alert.
TLS passthrough to a target that shares no cipher with this host.
"""

VERDICT = "tls-failed"
CONFIDENCE = "likely"
BASIS = "observed"


def apply(lab):
    lab.http(connection={"tls": "alert"})
