# SPDX-License-Identifier: Apache-2.0
"""Recomputes a request's AWS signature (version 4) with botocore, the independent signer.

verify() works on the headers and bytes as they were received and raises Denied, saying what is wrong.
"""

import calendar
import hashlib
import hmac
import re
import time

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

import lab_credentials

SKEW_MAX_S = 300
AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/, ]+)/(\d{8})/([^/, ]+)/([^/, ]+)/aws4_request, ?"
    r"SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})")
MUST_SIGN = ("host", "x-amz-date", "content-type")


class Denied(Exception):
    """code as AWS names it in the query protocol; the JSON name has Exception behind it."""

    def __init__(self, code, message, status=403):
        super().__init__(message)
        self.code = code
        self.status = status


class Rules:
    """Who may call what: access keys and their secrets, region, services, and whether a token is needed."""

    def __init__(self, region="us-east-1", services=("monitoring",), require_token=False):
        self.region = region
        self.services = services
        self.require_token = require_token
        self.secrets = dict(lab_credentials.SECRETS)


def check_token(rules, access_key, token, now):
    if token is None:
        if rules.require_token:
            raise Denied("UnrecognizedClient", "The security token included in the request is invalid.")
        return
    facts = lab_credentials.read_token(token)
    if facts is None or facts["access_key"] != access_key:
        raise Denied("UnrecognizedClient", "The security token included in the request is invalid.")
    if facts["expires"] <= now:
        raise Denied("ExpiredToken", "The security token included in the request is expired")


def check_date(stamp, scope_date, now):
    try:
        signed_at = calendar.timegm(time.strptime(stamp, "%Y%m%dT%H%M%SZ"))
    except ValueError:
        raise Denied("IncompleteSignature", f"X-Amz-Date {stamp!r} is no date") from None
    if stamp[:8] != scope_date:
        raise Denied("SignatureDoesNotMatch", f"Date in Credential scope does not match {stamp[:8]}: {scope_date}")
    server = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    if signed_at < now - SKEW_MAX_S:
        raise Denied("SignatureDoesNotMatch", f"Signature expired: {stamp} is now earlier than {server} - 5 min.")
    if signed_at > now + SKEW_MAX_S:
        raise Denied("SignatureDoesNotMatch", f"Signature not yet current: {stamp} is still later than {server} + 5 min.")


def check_signed_headers(request, signed):
    present = {name.lower() for name, _ in request.headers}
    needed = {name for name in present if name in MUST_SIGN or name.startswith("x-amz-")} | {"host", "x-amz-date"}
    missing = sorted(needed - set(signed))
    if missing:
        raise Denied("SignatureDoesNotMatch", f"these headers must be signed: {', '.join(missing)}")
    absent = sorted(set(signed) - present)
    if absent:
        raise Denied("SignatureDoesNotMatch", f"signed but not sent: {', '.join(absent)}")
    if list(signed) != sorted(set(signed)):
        raise Denied("SignatureDoesNotMatch", "SignedHeaders must be sorted, each once")


def expected_signature(request, secret, access_key, region, service, signed, stamp):
    """Runs botocore over exactly the signed headers, in their order of arrival."""
    copy = AWSRequest(method=request.method, url=f"https://{request.header('host')}{request.target}",
                      data=request.body)
    for name, value in request.headers:
        if name.lower() in signed:
            copy.headers.add_header(name, value)
    copy.context["timestamp"] = stamp
    signer = SigV4Auth(Credentials(access_key, secret), service, region)
    return signer.signature(signer.string_to_sign(copy, signer.canonical_request(copy)), copy)


def verify(request, rules, now):
    """Returns the access key of a good request."""
    header = request.header("authorization")
    if header is None:
        raise Denied("MissingAuthenticationToken", "Missing Authentication Token")
    match = AUTHORIZATION.fullmatch(header)
    stamp = request.header("x-amz-date")
    if match is None or stamp is None:
        raise Denied("IncompleteSignature", "Authorization or X-Amz-Date is malformed or missing")
    access_key, scope_date, region, service, signed, signature = match.groups()
    signed = signed.split(";")
    secret = rules.secrets.get(access_key)
    if secret is None:
        raise Denied("UnrecognizedClient", "The security token included in the request is invalid.")
    if region != rules.region or service not in rules.services:
        raise Denied("SignatureDoesNotMatch", f"Credential should be scoped to {rules.region} and to correct "
                     f"service {rules.services}, not {region}/{service}")
    check_date(stamp, scope_date, now)
    check_signed_headers(request, signed)
    claimed = request.header("x-amz-content-sha256")
    if claimed is not None and claimed != hashlib.sha256(request.body).hexdigest():
        raise Denied("SignatureDoesNotMatch", "x-amz-content-sha256 is not the hash of the body")
    wanted = expected_signature(request, secret, access_key, region, service, signed, stamp)
    if not hmac.compare_digest(wanted, signature):
        raise Denied("SignatureDoesNotMatch", "The request signature we calculated does not match the "
                     "signature you provided. Check your AWS Secret Access Key and signing method.")
    check_token(rules, access_key, request.header("x-amz-security-token"), now)
    return access_key
