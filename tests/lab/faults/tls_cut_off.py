# SPDX-License-Identifier: Apache-2.0
"""The connection is reset in the middle of the handshake.
A firewall on the way reads the name in the handshake and does not like it.
"""

VERDICT = "tls-failed"
CONFIDENCE = "likely"
BASIS = "observed"


def apply(lab):
    lab.nft("router", "forward", "iifname consumer oifname lattice ct original packets > 2 reject with tcp reset")
