# SPDX-License-Identifier: Apache-2.0
"""The resolver answers REFUSED.
The resolver's access list does not hold this host's address.
"""

VERDICT = "dns-refused"
CONFIDENCE = "certain"
BASIS = "documented"


def apply(lab):
    lab.dnsdist("addAction(AllRule(), RCodeAction(DNSRCode.REFUSED))")
