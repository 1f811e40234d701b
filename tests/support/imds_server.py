#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The instance metadata service, version 2 only.

PUT /latest/api/token with a TTL of 1..21600 s; every GET needs a token that has not expired. 400 for a
bad TTL, 401 without a good token, 403 for X-Forwarded-For, a versioned token path or when switched off.

Script (also POST /script, which merges):
  {"role": NAME or null,        null: no instance profile, 404
   "lifetime_s": N, "renew_before_s": N, "frozen": true,    the role's credentials; negative: expired
   "code": "Success",           another word: 200 with that Code and no keys
   "metadata": {PATH: TEXT or null},    below /latest/meta-data/; null removes
   "enabled": false,            403 for everything
   "faults": [FAULT, ..]}
FAULT: {"action": WORD, "method": "PUT", "path": PREFIX, "times": N}; method and path narrow it
  status (status N)  delay (delay_ms N, then the honest answer)  silent (never answers; for the PUT this
  is what hop limit 1 looks like from a container)  close  reset  giant (bytes N, 64 MiB by default)
  invalid_json  missing_field (field NAME, from the credentials)  no_token (200, empty body)
Control port: GET /requests, POST /script, POST /rotate (new credentials),
POST /expire_tokens (session tokens of IMDS, all handed out so far), POST /reset (forgets requests).
"""

import json
import secrets
import threading
import time

import http_service
import lab_credentials
import service
from http_service import Reply

TOKEN_PATH = "/latest/api/token"
ROLE_PATH = "iam/security-credentials/"
TTL_MAX_S = 21600
MAC = "0a:1b:2c:3d:4e:5f"
MAC_PATH = f"network/interfaces/macs/{MAC}"
ACTIONS = {"status": ("status",), "delay": ("delay_ms",), "silent": (), "close": (), "reset": (), "giant": (),
           "invalid_json": (), "missing_field": ("field",), "no_token": ()}
SCRIPT_KEYS = frozenset(("role", "lifetime_s", "renew_before_s", "frozen", "code", "metadata", "enabled", "faults"))

METADATA = {
    "ami-id": "ami-0123456789abcdef0",
    "instance-id": "i-0123456789abcdef0",
    "instance-type": "t3.micro",
    "instance-life-cycle": "on-demand",
    "hostname": "ip-10-0-1-10.ec2.internal",
    "local-hostname": "ip-10-0-1-10.ec2.internal",
    "local-ipv4": "10.0.1.10",
    "mac": MAC,
    "ipv6": "fd00:10:0:1::10",
    "placement/availability-zone": "us-east-1a",
    "placement/availability-zone-id": "use1-az4",
    "placement/region": "us-east-1",
    "services/domain": "amazonaws.com",
    "services/partition": "aws",
    "security-groups": "consumer",
    f"{MAC_PATH}/device-number": "0",
    f"{MAC_PATH}/interface-id": "eni-0123456789abcdef0",
    f"{MAC_PATH}/owner-id": "123456789012",
    f"{MAC_PATH}/subnet-id": "subnet-0123456789abcdef0",
    f"{MAC_PATH}/subnet-ipv4-cidr-block": "10.0.1.0/24",
    f"{MAC_PATH}/subnet-ipv6-cidr-blocks": "fd00:10:0:1::/64",
    f"{MAC_PATH}/vpc-id": "vpc-0123456789abcdef0",
    f"{MAC_PATH}/vpc-ipv4-cidr-block": "10.0.0.0/16",
    f"{MAC_PATH}/vpc-ipv4-cidr-blocks": "10.0.0.0/16",
    f"{MAC_PATH}/vpc-ipv6-cidr-blocks": "fd00:10::/56",
    f"{MAC_PATH}/local-ipv4s": "10.0.1.10",
    f"{MAC_PATH}/ipv6s": "fd00:10:0:1::10",
    f"{MAC_PATH}/security-group-ids": "sg-0123456789abcdef0",
    f"{MAC_PATH}/security-groups": "consumer",
}


def identity_document(metadata):
    """dynamic/instance-identity/document, from the same facts."""
    zone = metadata.get("placement/availability-zone", "us-east-1a")
    return json.dumps({
        "accountId": "123456789012", "architecture": "x86_64", "availabilityZone": zone,
        "imageId": metadata.get("ami-id"), "instanceId": metadata.get("instance-id"),
        "instanceType": metadata.get("instance-type"), "pendingTime": "2026-01-01T00:00:00Z",
        "privateIp": metadata.get("local-ipv4"), "region": metadata.get("placement/region"),
        "version": "2017-09-30"}, indent=2)


def listing(metadata, prefix):
    """What a path with a trailing slash shows: the next level, folders with a slash."""
    found = set()
    for path in metadata:
        if path.startswith(prefix):
            head, slash, _ = path[len(prefix):].partition("/")
            found.add(head + slash)
    return "\n".join(sorted(found))


class ImdsServer(http_service.HttpService):
    def __init__(self, script=None, addresses=("127.0.0.1:0",)):
        super().__init__(addresses)
        self.lock = threading.Lock()
        self.issuer = lab_credentials.Issuer("imds")
        self.metadata = dict(METADATA)
        self.role = "lattice-probe-role"
        self.code = "Success"
        self.enabled = True
        self.faults = service.Faults(ACTIONS)
        self.tokens = {}
        self.log = []
        self.apply(script or {})

    # -- for the test that owns it

    def apply(self, script):
        unknown = set(script) - SCRIPT_KEYS
        if unknown:
            raise ValueError(f"unknown keys in the script: {sorted(unknown)}")
        with self.lock:
            self.role = script.get("role", self.role)
            self.code = script.get("code", self.code)
            self.enabled = script.get("enabled", self.enabled)
            for key in ("lifetime_s", "renew_before_s", "frozen"):
                if key in script:
                    setattr(self.issuer, key, script[key])
            if "lifetime_s" in script:
                self.issuer.rotate()
            for path, text in script.get("metadata", {}).items():
                if text is None:
                    self.metadata.pop(path, None)
                else:
                    self.metadata[path] = text
        if "faults" in script:
            self.faults.set(script["faults"])
        return {}

    def rotate(self):
        with self.lock:
            self.issuer.rotate()
        return {}

    def expire_tokens(self):
        with self.lock:
            self.tokens = dict.fromkeys(self.tokens, 0)
        return {}

    def requests(self):
        with self.lock:
            return list(self.log)

    def count(self, method, path):
        return sum(entry["method"] == method and entry["path"] == path for entry in self.requests())

    def reset(self):
        with self.lock:
            self.log.clear()
        return {}

    def control_routes(self):
        return {("GET", "/requests"): lambda _: self.requests(),
                ("POST", "/script"): self.apply,
                ("POST", "/rotate"): lambda _: self.rotate(),
                ("POST", "/expire_tokens"): lambda _: self.expire_tokens(),
                ("POST", "/reset"): lambda _: self.reset()}

    # -- requests

    def answer(self, request):
        fault = self.faults.take(lambda f: f.get("method", request.method) == request.method and
                                 request.path.startswith(f.get("path", "/")))
        reply = self._honest_or(fault, request)
        with self.lock:
            self.log.append({"at_us": service.mono_us(), "method": request.method, "path": request.path,
                             "status": reply.status if reply.ending == "send" else reply.ending,
                             "fault": fault and fault["action"], "client": request.client,
                             "user_agent": request.header("user-agent")})
        return reply

    def _honest_or(self, fault, request):
        action = fault["action"] if fault else None
        if action in ("silent", "close", "reset"):
            return Reply(ending=action)
        if action == "status":
            return Reply(fault["status"], "")
        if action == "giant":
            return Reply(200, b"x" * fault.get("bytes", 64 * 1024 * 1024))
        if action == "invalid_json":
            return Reply(200, '{"Code" : "Success", "AccessKeyId" : ')
        if action == "no_token":
            return Reply(200, "")
        reply = self._honest(request, fault.get("field") if action == "missing_field" else None)
        if action == "delay":
            reply.delay_s = fault["delay_ms"] / 1000
        return reply

    def _honest(self, request, missing_field):
        if not self.enabled:
            return Reply(403, "")
        if request.method == "PUT":
            return self._new_token(request)
        if request.method not in ("GET", "HEAD"):
            return Reply(405, "")
        if not self._token_is_good(request.header("x-aws-ec2-metadata-token")):
            return Reply(401, "")
        return self._item(request.path, missing_field)

    def _new_token(self, request):
        if request.path != TOKEN_PATH or request.header("x-forwarded-for") is not None:
            return Reply(403, "")
        ttl = request.header("x-aws-ec2-metadata-token-ttl-seconds", "")
        if not ttl.isascii() or not ttl.isdigit() or not 1 <= int(ttl) <= TTL_MAX_S:
            return Reply(400, "")
        token = "EXAMPLE" + secrets.token_urlsafe(33)
        with self.lock:
            self.tokens[token] = time.monotonic() + int(ttl)
        return Reply(200, token, [("x-aws-ec2-metadata-token-ttl-seconds", ttl)])

    def _token_is_good(self, token):
        with self.lock:
            return time.monotonic() < self.tokens.get(token, 0)

    def _item(self, path, missing_field):
        if path == "/latest/dynamic/instance-identity/document":
            return Reply(200, identity_document(self.metadata))
        if not path.startswith("/latest/meta-data/"):
            return Reply(404, "")
        item = path.removeprefix("/latest/meta-data/")
        if item.startswith("iam/"):
            return self._role(item, missing_field)
        if item in self.metadata:
            return Reply(200, self.metadata[item])
        below = listing(self.metadata, item if item == "" or item.endswith("/") else item + "/")
        return Reply(200, below) if below else Reply(404, "")

    def _role(self, item, missing_field):
        if self.role is None:
            return Reply(404, "")
        if item.rstrip("/") == ROLE_PATH.rstrip("/"):
            return Reply(200, self.role)
        if item != ROLE_PATH + self.role:
            return Reply(404, "")
        return Reply(200, json.dumps(self._credentials(missing_field), indent=2))

    def _credentials(self, missing_field):
        if self.code != "Success":
            return {"Code": self.code, "Message": "EC2 cannot assume the role",
                    "LastUpdated": lab_credentials.rfc3339(time.time())}
        with self.lock:
            now = self.issuer.get()
        document = {"Code": "Success", "LastUpdated": lab_credentials.rfc3339(now["issued"]), "Type": "AWS-HMAC",
                    "AccessKeyId": now["access_key"], "SecretAccessKey": now["secret_key"],
                    "Token": now["token"], "Expiration": lab_credentials.rfc3339(now["expires"])}
        document.pop(missing_field, None)
        return document


def main():
    options = service.program_arguments("instance metadata service, version 2").parse_args()
    server = ImdsServer(service.read_script(options.script), options.listen or ["127.0.0.1:0"])
    service.run_until_signal(server, options.control)


if __name__ == "__main__":
    main()
