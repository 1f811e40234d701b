# SPDX-License-Identifier: Apache-2.0
"""Questions for IPv6 addresses stay unanswered, those for IPv4 do not.
A middlebox drops AAAA questions.
"""

VERDICT = "healthy"
CONFIDENCE = "certain"
BASIS = "observed"


def apply(lab):
    lab.dnsdist("addAction(QTypeRule(DNSQType.AAAA), DropAction())")
