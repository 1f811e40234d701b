# SPDX-License-Identifier: Apache-2.0
"""The application answers 503 with a page of its own.
The target is up and says that it is not ready.
"""

VERDICT = "app-status"
CONFIDENCE = "likely"
BASIS = "inferred"


def apply(lab):
    lab.http({"*": {"status": 503, "headers": {"Server": "gunicorn"}, "json": {"error": "starting"}}})
