# SPDX-License-Identifier: Apache-2.0
"""The name does not exist: NXDOMAIN from the VPC resolver.
The service was deleted, or the name is mistyped. The configured resolver is the VPC resolver: one witness,
asked twice.
"""

from laboratory import CHECKOUT

VERDICT = "dns-nxdomain"
CONFIDENCE = "candidates"
BASIS = "inferred"


def apply(lab):
    lab.names({CHECKOUT: None})
