# SPDX-License-Identifier: Apache-2.0
"""No resolver answers: a rule of this host drops the questions.
Nothing of AWS: nftables or iptables on the instance itself.
"""

VERDICT = "dns-vpc-resolver-silent"
CONFIDENCE = "candidates"
BASIS = "observed"


def apply(lab):
    lab.nft("consumer", "output", "udp dport 53 drop")
