# SPDX-License-Identifier: Apache-2.0
"""No resolver answers: a rule of this host drops the replies.
Nothing of AWS: nftables or iptables on the instance itself. From the outside it looks like DNS support
that is switched off.
"""

VERDICT = "dns-vpc-resolver-silent"
CONFIDENCE = "candidates"
BASIS = "observed"


def apply(lab):
    lab.nft("consumer", "input", "udp sport 53 drop")
