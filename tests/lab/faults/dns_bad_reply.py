# SPDX-License-Identifier: Apache-2.0
"""What the resolver sends is no valid DNS reply.
A middlebox or a broken resolver between this host and the VPC resolver mangles the replies.
"""

from laboratory import CHECKOUT

VERDICT = "dns-bad-reply"
CONFIDENCE = "certain"
BASIS = "observed"


def apply(lab):
    lab.scripted_dns({CHECKOUT: {"*": {"malformed": "bad_rdlength", "addresses": ["169.254.171.33"]}}})
