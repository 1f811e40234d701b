# SPDX-License-Identifier: Apache-2.0
"""The URL says http, the port speaks TLS.
The service's listener on port 80 has the protocol HTTPS.
"""

from laboratory import CHECKOUT

VERDICT = "http-on-tls-port"
CONFIDENCE = "certain"
BASIS = "observed"
ARGUMENTS = ["--no-aws", f"http://{CHECKOUT}/healthz"]


def apply(lab):
    lab.redirect("lattice", "tcp dport 80 redirect to :443")
