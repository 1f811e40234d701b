# SPDX-License-Identifier: Apache-2.0
"""The URL says https, the port speaks plain HTTP.
The service's listener on 443 has the protocol HTTP.
"""

VERDICT = "tls-on-http-port"
CONFIDENCE = "certain"
BASIS = "observed"


def apply(lab):
    lab.redirect("lattice", "tcp dport 443 redirect to :80")
