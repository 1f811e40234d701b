# SPDX-License-Identifier: Apache-2.0
"""The name exists and has no address.
The record of the custom domain is there with another type (TXT) only.
"""

from laboratory import CHECKOUT

VERDICT = "dns-nodata"
CONFIDENCE = "likely"
BASIS = "documented"


def apply(lab):
    lab.scripted_dns({CHECKOUT: {"*": {"nodata": True}}})
