# SPDX-License-Identifier: Apache-2.0
"""Calls CloudWatch's JSON 1.0 API with a signature by botocore, the way the gate wants it.

For tests that must be wrong in one place: `sign` makes a good request, `send` sends any.
"""

import gzip
import http.client
import json
import ssl
import time
import urllib.parse

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

import lab_credentials

TARGET = "GraniteServiceVersion20100801."


def sign(url, operation, body, credentials=None, compress=False, region="us-east-1", service="monitoring", now=None):
    """Returns (headers, bytes). credentials: (access key, secret, token or None)."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Host": urllib.parse.urlsplit(url).netloc, "Content-Type": "application/x-amz-json-1.0",
               "X-Amz-Target": TARGET + operation, "x-amzn-query-mode": "true"}
    if compress:
        data = gzip.compress(data)
        headers["Content-Encoding"] = "gzip"
    access_key = lab_credentials.ACCESS_KEYS[0]
    credentials = credentials or (access_key, lab_credentials.SECRETS[access_key], None)
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() if now is None else now))
    headers["X-Amz-Date"] = stamp
    if credentials[2] is not None:
        headers["X-Amz-Security-Token"] = credentials[2]
    request = AWSRequest(method="POST", url=url + "/", data=data, headers=headers)
    request.context["timestamp"] = stamp
    signer = SigV4Auth(Credentials(*credentials[:2]), service, region)
    canonical = signer.canonical_request(request)
    signature = signer.signature(signer.string_to_sign(request, canonical), request)
    signed = signer.signed_headers(signer.headers_to_sign(request))
    headers["Authorization"] = (f"AWS4-HMAC-SHA256 Credential={signer.scope(request)}, "
                                f"SignedHeaders={signed}, Signature={signature}")
    return headers, data


def send(url, headers, data, ca=None, connect_to=None, timeout_s=10):
    """Returns (status, headers, decoded JSON or bytes); connect_to is "ADDR:PORT" instead of the URL's."""
    parts = urllib.parse.urlsplit(url)
    host, _, port = (connect_to or parts.netloc).rpartition(":")
    if parts.scheme == "https":
        context = ssl.create_default_context(cafile=ca)
        connection = http.client.HTTPSConnection(host.strip("[]"), int(port), timeout=timeout_s, context=context)
    else:
        connection = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=timeout_s)
    try:
        connection.putrequest("POST", "/", skip_host=True, skip_accept_encoding=True)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            connection.putheader(name, value)
        connection.endheaders(data)
        response = connection.getresponse()
        text = response.read()
    finally:
        connection.close()
    try:
        return response.status, dict(response.getheaders()), json.loads(text)
    except ValueError:
        return response.status, dict(response.getheaders()), text


def call(url, operation, body, ca=None, connect_to=None, **how):
    """Signs and sends; returns (status, headers, body)."""
    headers, data = sign(url, operation, body, **how)
    return send(url, headers, data, ca, connect_to)
