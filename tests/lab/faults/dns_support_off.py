# SPDX-License-Identifier: Apache-2.0
"""No resolver answers: DNS resolution is switched off in the VPC.
VPC settings: DNS resolution (enableDnsSupport) is off. The names of AWS's APIs are not resolved either, so
the setting itself cannot be read from here.
"""

from laboratory import CHECKOUT

VERDICT = "dns-vpc-resolver-silent"
CONFIDENCE = "candidates"
BASIS = "observed"
ARGUMENTS = [f"https://{CHECKOUT}/healthz"]


def apply(lab):
    lab.dnsdist("addAction(AllRule(), DropAction())")
    lab.world(dns_support=False)
