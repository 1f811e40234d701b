# SPDX-License-Identifier: Apache-2.0
"""No resolver answers, the VPC resolver neither.
VPC settings: DNS resolution (enableDnsSupport) is off. Then 10.0.0.2 and 169.254.169.253 are silent.
"""

VERDICT = "dns-vpc-resolver-silent"
CONFIDENCE = "candidates"
BASIS = "observed"


def apply(lab):
    lab.dnsdist("addAction(AllRule(), DropAction())")
