# SPDX-License-Identifier: Apache-2.0
"""The application answers 500.
The target runs and fails: its own body and headers come with it.
"""

VERDICT = "app-status"
CONFIDENCE = "likely"
BASIS = "inferred"


def apply(lab):
    lab.http({"*": {"status": 500, "headers": {"Server": "gunicorn"}, "json": {"error": "no database"}}})
