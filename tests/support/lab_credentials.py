# SPDX-License-Identifier: Apache-2.0
"""The credentials of the tests: AWS's documented examples, and session tokens that prove themselves.

A token says whose it is, which access key it goes with and when it ends, and carries an HMAC under a
fixed test key. So whoever checks a signature (gate.py) needs no word from whoever handed it out.
"""

import base64
import datetime
import hashlib
import hmac
import json
import time

SECRETS = {"AKIAIOSFODNN7EXAMPLE": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
           "AKIDEXAMPLE": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
ACCESS_KEYS = tuple(SECRETS)
SEAL_KEY = b"lattice-probe tests"


def seal(payload):
    return hmac.new(SEAL_KEY, payload, hashlib.sha256).digest()[:12]


def make_token(source, access_key, expires, serial=0):
    """expires: seconds since the epoch."""
    payload = json.dumps([source, access_key, int(expires), serial]).encode()
    return "EXAMPLE" + base64.b64encode(seal(payload) + payload).decode()


def read_token(token):
    """Returns {source, access_key, expires, serial}, or None for a token that is none of ours."""
    if not token.startswith("EXAMPLE"):
        return None
    try:
        raw = base64.b64decode(token[len("EXAMPLE"):], validate=True)
        sealed, payload = raw[:12], raw[12:]
        if not hmac.compare_digest(sealed, seal(payload)):
            return None
        source, access_key, expires, serial = json.loads(payload)
    except ValueError:
        return None
    return {"source": source, "access_key": access_key, "expires": expires, "serial": serial}


def rfc3339(seconds):
    return datetime.datetime.fromtimestamp(int(seconds), datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class Issuer:
    """Hands out temporary credentials; the access key alternates from one rotation to the next.

    Like the real endpoints it shows the same credentials until they near their end, then new ones.
    frozen=True keeps showing the old ones, as IMDS does when it cannot get fresh ones.
    """

    def __init__(self, source, lifetime_s=21600, renew_before_s=300):
        self.source = source
        self.lifetime_s = lifetime_s
        self.renew_before_s = renew_before_s
        self.frozen = False
        self.serial = 0
        self.current = None

    def rotate(self):
        self.current = None

    def get(self):
        """The present credentials as {access_key, secret_key, token, expires, issued, serial}."""
        now = time.time()
        spare_s = min(self.renew_before_s, self.lifetime_s / 2)
        if self.current is None or (not self.frozen and self.current["expires"] - now < spare_s):
            access_key = ACCESS_KEYS[self.serial % len(ACCESS_KEYS)]
            expires = int(now + self.lifetime_s)
            self.current = {"access_key": access_key, "secret_key": SECRETS[access_key],
                            "token": make_token(self.source, access_key, expires, self.serial),
                            "expires": expires, "issued": int(now), "serial": self.serial}
            self.serial += 1
        return self.current
