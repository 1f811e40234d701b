# SPDX-License-Identifier: Apache-2.0
"""The name does not exist: NXDOMAIN, and the service network has no such service.
The service, or its association with the service network, was deleted. The whole list of the network is the
second witness.
"""

from laboratory import CHECKOUT

VERDICT = "dns-nxdomain"
CONFIDENCE = "certain"
BASIS = "documented"
ARGUMENTS = [f"https://{CHECKOUT}/healthz"]


def apply(lab):
    lab.names({CHECKOUT: None})
    lab.world(services=[])
