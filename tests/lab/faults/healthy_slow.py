# SPDX-License-Identifier: Apache-2.0
"""The service answers slowly, after two seconds, and in time.
A target that works long on a request; the listener and the network are well.
"""

VERDICT = "healthy"
CONFIDENCE = "certain"
BASIS = "observed"


def apply(lab):
    lab.http({"*": {"json": {"status": "ok"}, "first_byte_delay_ms": 2000}})
