# SPDX-License-Identifier: Apache-2.0
"""The configured resolver answers SERVFAIL, the VPC resolver knows the name.
An on-premises resolver whose own forwarding fails.
"""

from laboratory import CHECKOUT

VERDICT = "dns-servfail"
CONFIDENCE = "certain"
BASIS = "documented"


def apply(lab):
    lab.scripted_dns({CHECKOUT: {"*": {"rcode": "SERVFAIL"}}}, takes_over=False)
    lab.resolv_conf("10.0.0.55")
