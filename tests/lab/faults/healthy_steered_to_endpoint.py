# SPDX-License-Identifier: Apache-2.0
"""The generated name leads to an endpoint in the VPC, and answers.
A private hosted zone of exactly the generated name steers the whole VPC to a service-network endpoint: a
private address behind a generated name is legitimate.
"""

from laboratory import CHECKOUT, ENDPOINT, ENDPOINT_ADDRESS

VERDICT = "healthy"
CONFIDENCE = "certain"
BASIS = "observed"


def apply(lab):
    lab.names({CHECKOUT: [ENDPOINT_ADDRESS]})
