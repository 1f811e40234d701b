# SPDX-License-Identifier: Apache-2.0
"""Small answers arrive, large ones stall.
A device on the way has a smaller MTU than the interface says (9001), and ICMP "fragmentation needed" is
filtered.
"""

from laboratory import CHECKOUT

VERDICT = "pmtu-blackhole"
CONFIDENCE = "certain"
BASIS = "observed"
ARGUMENTS = ["--no-aws", f"https://{CHECKOUT}/page"]


def apply(lab):
    lab.nft("router", "forward", "iifname lattice meta length > 1500 drop")
