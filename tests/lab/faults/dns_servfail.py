# SPDX-License-Identifier: Apache-2.0
"""The resolver answers SERVFAIL.
A forwarding rule of Route 53 Resolver points to servers that do not answer, or DNSSEC validation fails.
"""

VERDICT = "dns-servfail"
CONFIDENCE = "certain"
BASIS = "documented"


def apply(lab):
    lab.dnsdist("addAction(AllRule(), RCodeAction(DNSRCode.SERVFAIL))")
