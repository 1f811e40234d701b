# SPDX-License-Identifier: Apache-2.0
"""Something answers, and nothing listens on the port.
The service has no listener on 8443.
"""

VERDICT = "connect-refused"
CONFIDENCE = "likely"
BASIS = "documented"


def apply(lab):
    lab.nft("lattice", "prerouting", "tcp dport 443 reject with tcp reset")
