# SPDX-License-Identifier: Apache-2.0
"""The request is taken, the response does not begin.
A target that hangs: the connection and the handshake are VPC Lattice's and work.
"""

VERDICT = "response-timeout"
CONFIDENCE = "certain"
BASIS = "observed"


def apply(lab):
    lab.http({"*": {"first_byte_delay_ms": 30000}})
