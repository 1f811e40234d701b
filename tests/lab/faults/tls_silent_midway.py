# SPDX-License-Identifier: Apache-2.0
"""The connection stands, and nothing comes back after it.
A firewall on the way that keeps state lets the handshake of TCP through and nothing else.
"""

VERDICT = "tls-silent"
CONFIDENCE = "certain"
BASIS = "observed"


def apply(lab):
    lab.nft("router", "forward", "iifname lattice ct reply packets > 1 drop")
