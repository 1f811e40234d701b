# SPDX-License-Identifier: Apache-2.0
"""The configured resolver answers without an address.
An unbound with private-address (dnsmasq: stop-dns-rebind) takes link-local and private addresses out of
the VPC resolver's answers.
"""

VERDICT = "dns-rebind-filtered"
CONFIDENCE = "certain"
BASIS = "observed"


def apply(lab):
    lab.resolv_conf("10.0.0.54")
