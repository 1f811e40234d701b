# SPDX-License-Identifier: Apache-2.0
"""The connection stands, the TLS handshake is not answered.
TLS passthrough to a target that accepts and then does nothing.
"""

VERDICT = "tls-silent"
CONFIDENCE = "certain"
BASIS = "observed"


def apply(lab):
    lab.http(connection={"tls": "silent"})
