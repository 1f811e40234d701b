# SPDX-License-Identifier: Apache-2.0
"""VPC Lattice itself answers 404.
No rule of the listener matches the request and the default action is a fixed 404, or the service is not in
the network that this VPC is associated with. The body of such an answer is not documented; a bare one is
what is assumed here.
"""

VERDICT = "lattice-no-route"
CONFIDENCE = "likely"
BASIS = "inferred"


def apply(lab):
    lab.http({"*": {"status": 404, "echo_headers": ["x-amzn-requestid"]}})
