# SPDX-License-Identifier: Apache-2.0
"""The application refuses the request (403), not VPC Lattice.
The target wants a session or a header that the request does not have.
"""

VERDICT = "app-forbidden"
CONFIDENCE = "likely"
BASIS = "inferred"


def apply(lab):
    lab.http({"*": {"status": 403, "headers": {"Server": "gunicorn"}, "json": {"error": "login required"}}})
