# SPDX-License-Identifier: Apache-2.0
"""Nothing answers at all: the next hop is dead.
Nothing of AWS: a wrong gateway or neighbour entry on the instance. No verdict has a name for it, and none may
be sure of another.
"""

VERDICT = "dns-vpc-resolver-silent"
CONFIDENCE = "candidates"
BASIS = "observed"


def apply(lab):
    lab.nft("router", "prerouting", "iifname consumer drop")
