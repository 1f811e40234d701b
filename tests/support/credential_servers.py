#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two more places where credentials come from.

Container endpoint: GET of any path below /v2/credentials answers JSON credentials; with
"authorization" set, only to that Authorization value (else 401).
STS: POST / with Action=AssumeRoleWithWebIdentity (query protocol, XML answer), unsigned as it is at
AWS; with "web_identity_token" set, only for that token (else 400 InvalidIdentityToken).

Script (also POST /script, which merges):
  {"authorization": TEXT, "web_identity_token": TEXT, "lifetime_s": N, "renew_before_s": N,
   "frozen": true, "faults": [FAULT, ..]}
FAULT: {"action": WORD, "times": N}: status (status N)  delay (delay_ms N)  silent  close  reset
  giant (bytes N)  invalid_json (or XML)  missing_field (field NAME)  error (status N, code NAME)
Control port: GET /requests, POST /script, POST /rotate, POST /reset.
As a program: --kind container or sts.
"""

import json
import threading
import urllib.parse
import uuid

import http_service
import lab_credentials
import service
from http_service import Reply

ACTIONS = {"status": ("status",), "delay": ("delay_ms",), "silent": (), "close": (), "reset": (), "giant": (),
           "invalid_json": (), "missing_field": ("field",), "error": ("status", "code")}
SCRIPT_KEYS = frozenset(("authorization", "web_identity_token", "lifetime_s", "renew_before_s", "frozen", "faults"))
XML_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"


class CredentialServer(http_service.HttpService):
    """What both have in common; a subclass says honest(request, missing_field) and error(...)."""

    source = None

    def __init__(self, script=None, addresses=("127.0.0.1:0",), tls=None):
        super().__init__(addresses, tls)
        self.lock = threading.Lock()
        self.issuer = lab_credentials.Issuer(self.source)
        self.faults = service.Faults(ACTIONS)
        self.authorization = None
        self.web_identity_token = None
        self.log = []
        self.apply(script or {})

    def apply(self, script):
        unknown = set(script) - SCRIPT_KEYS
        if unknown:
            raise ValueError(f"unknown keys in the script: {sorted(unknown)}")
        with self.lock:
            self.authorization = script.get("authorization", self.authorization)
            self.web_identity_token = script.get("web_identity_token", self.web_identity_token)
            for key in ("lifetime_s", "renew_before_s", "frozen"):
                if key in script:
                    setattr(self.issuer, key, script[key])
            if "lifetime_s" in script:
                self.issuer.rotate()
        if "faults" in script:
            self.faults.set(script["faults"])
        return {}

    def rotate(self):
        with self.lock:
            self.issuer.rotate()
        return {}

    def requests(self):
        with self.lock:
            return list(self.log)

    def reset(self):
        with self.lock:
            self.log.clear()
        return {}

    def control_routes(self):
        return {("GET", "/requests"): lambda _: self.requests(),
                ("POST", "/script"): self.apply,
                ("POST", "/rotate"): lambda _: self.rotate(),
                ("POST", "/reset"): lambda _: self.reset()}

    def answer(self, request):
        fault = self.faults.take()
        reply = self._honest_or(fault, request)
        with self.lock:
            self.log.append({"at_us": service.mono_us(), "method": request.method, "path": request.path,
                             "status": reply.status if reply.ending == "send" else reply.ending,
                             "fault": fault and fault["action"], "body": request.body.decode("latin-1"),
                             "authorization": request.header("authorization")})
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
            return Reply(200, '{"AccessKeyId": <AssumeRole')
        if action == "error":
            return self.error(fault["status"], fault["code"], "as scripted")
        reply = self.honest(request, fault.get("field") if action == "missing_field" else None)
        if action == "delay":
            reply.delay_s = fault["delay_ms"] / 1000
        return reply

    def credentials(self, token_name, missing_field):
        with self.lock:
            now = self.issuer.get()
        fields = {"AccessKeyId": now["access_key"], "SecretAccessKey": now["secret_key"],
                  token_name: now["token"], "Expiration": lab_credentials.rfc3339(now["expires"])}
        fields.pop(missing_field, None)
        return fields

    def honest(self, request, missing_field):
        raise NotImplementedError

    def error(self, status, code, message):
        raise NotImplementedError


class ContainerServer(CredentialServer):
    source = "container"

    def honest(self, request, missing_field):
        if request.method != "GET" or not request.path.startswith("/v2/credentials"):
            return self.error(404, "NotFound", "no such credentials")
        if self.authorization is not None and request.header("authorization") != self.authorization:
            return self.error(401, "AccessDenied", "the Authorization header is missing or wrong")
        fields = self.credentials("Token", missing_field)
        fields["AccountId"] = "123456789012"
        return Reply(200, json.dumps(fields), content_type="application/json")

    def error(self, status, code, message):
        return Reply(status, json.dumps({"code": code, "message": message}), content_type="application/json")


class StsServer(CredentialServer):
    source = "sts"

    def honest(self, request, missing_field):
        form = dict(urllib.parse.parse_qsl(request.body.decode("latin-1") or request.query))
        if form.get("Action") != "AssumeRoleWithWebIdentity" or form.get("Version") != "2011-06-15":
            return self.error(400, "InvalidAction", "only AssumeRoleWithWebIdentity of 2011-06-15")
        for name in ("RoleArn", "RoleSessionName", "WebIdentityToken"):
            if not form.get(name):
                return self.error(400, "ValidationError", f"{name} is missing")
        if self.web_identity_token is not None and form["WebIdentityToken"] != self.web_identity_token:
            return self.error(400, "InvalidIdentityToken", "the web identity token is not valid")
        return self._assumed(form, self.credentials("SessionToken", missing_field))

    def _assumed(self, form, fields):
        credentials = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items())
        role = form["RoleArn"].rpartition("/")[2]
        arn = f"arn:aws:sts::123456789012:assumed-role/{role}/{form['RoleSessionName']}"
        text = (f'<AssumeRoleWithWebIdentityResponse xmlns="{XML_NAMESPACE}">'
                f"<AssumeRoleWithWebIdentityResult><Credentials>{credentials}</Credentials>"
                f"<SubjectFromWebIdentityToken>probe</SubjectFromWebIdentityToken>"
                f"<AssumedRoleUser><Arn>{arn}</Arn>"
                f"<AssumedRoleId>AROAEXAMPLE:{form['RoleSessionName']}</AssumedRoleId></AssumedRoleUser>"
                f"</AssumeRoleWithWebIdentityResult><ResponseMetadata><RequestId>{uuid.uuid4()}</RequestId>"
                f"</ResponseMetadata></AssumeRoleWithWebIdentityResponse>")
        return Reply(200, text, content_type="text/xml")

    def error(self, status, code, message):
        text = (f'<ErrorResponse xmlns="{XML_NAMESPACE}"><Error><Type>Sender</Type><Code>{code}</Code>'
                f"<Message>{message}</Message></Error><RequestId>{uuid.uuid4()}</RequestId></ErrorResponse>")
        return Reply(status, text, content_type="text/xml")


def main():
    parser = service.program_arguments("container credentials endpoint, or STS", tls=True)
    parser.add_argument("--kind", choices=("container", "sts"), required=True)
    options = parser.parse_args()
    kind = {"container": ContainerServer, "sts": StsServer}[options.kind]
    server = kind(service.read_script(options.script), options.listen or ["127.0.0.1:0"], service.tls_of(options))
    service.run_until_signal(server, options.control)


if __name__ == "__main__":
    main()
