# SPDX-License-Identifier: Apache-2.0
"""The first SYN of each connection is lost, the second is answered.
A lossy path: the connection stands a second late, and the service answers.
"""

VERDICT = "healthy"
CONFIDENCE = "certain"
BASIS = "observed"


def apply(lab):
    lab.nft("lattice", "prerouting", "ip daddr 169.254.171.0/24 tcp flags syn / syn,ack numgen inc mod 2 0 drop")
