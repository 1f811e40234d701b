# SPDX-License-Identifier: Apache-2.0
"""The handshake for the custom domain is refused.
The custom domain leads to the service, but the listener has no certificate for it (VPC Lattice console:
the service's custom domain configuration).
"""

from laboratory import BARE_DOMAIN, CHECKOUT

VERDICT = "tls-unknown-name"
CONFIDENCE = "certain"
BASIS = "documented"
ARGUMENTS = ["--no-aws", f"https://{BARE_DOMAIN}/healthz"]


def apply(lab):
    lab.names({BARE_DOMAIN: CHECKOUT})
