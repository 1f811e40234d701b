# SPDX-License-Identifier: Apache-2.0
"""The application answers 404.
The path is not one of the application's; its own error page comes with it.
"""

VERDICT = "app-status"
CONFIDENCE = "likely"
BASIS = "inferred"


def apply(lab):
    lab.http({"*": {"status": 404, "headers": {"Server": "gunicorn"}, "json": {"error": "no such page"}}})
