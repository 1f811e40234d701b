# SPDX-License-Identifier: Apache-2.0
"""Our signer against botocore's, byte for byte, over random requests.

The seed is printed; SIGV4_SEED repeats a run, SIGV4_CASES changes how many requests it has. Both
signers get the same wire form: path and query percent-encoded where they must be. What they are known to
do differently is not generated: botocore passes a query through as it is, ours writes its escapes anew;
older botocore signs hop-by-hop headers that the newest, like ours, leaves out.
"""

import datetime
import gzip
import json
import os
import pathlib
import random
import subprocess
from urllib.parse import quote

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ACCESS_KEY = "AKIDEXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
CASES = int(os.environ.get("SIGV4_CASES", 400))
ODD = "abcXYZ019-._~ !$&'()*+,;=:@%\"<>[]^`{|}\\/é߿ÿ\u1234"
SERVICES = ("monitoring", "vpc-lattice-svcs", "sts", "ec2", "vpc-lattice", "service")
REGIONS = ("us-east-1", "eu-central-2", "us-gov-west-1", "cn-north-1", "ap-southeast-5")
PIECES = ("date", "canonical_request", "string_to_sign", "signature", "authorization")


@pytest.fixture(scope="module")
def tool():
    built = pathlib.Path(os.environ.get("LATTICE_PROBE", "build/lattice-probe")).parent
    path = built / "tests" / "support" / "sigv4_tool"
    if not os.access(path, os.X_OK):
        pytest.fail(f"no sigv4_tool at {path}; make check builds it")
    return path


def sign_all(tool, cases):
    lines = "".join(json.dumps(case) + "\n" for case in cases)
    done = subprocess.run([tool], input=lines, capture_output=True, text=True, timeout=120, check=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(cases)
    return answers


class FixedClock(datetime.datetime):
    """Stands in for datetime inside botocore.auth; `instant` is what both its clocks say."""

    instant = None

    @classmethod
    def utcnow(cls):
        return cls.instant

    @classmethod
    def now(cls, tz=None):
        return cls.instant.replace(tzinfo=tz)


class Recorder:
    """Notes what the signer computed on the way to its Authorization header."""

    def canonical_request(self, request):
        self.seen = {"canonical_request": super().canonical_request(request)}
        return self.seen["canonical_request"]

    def string_to_sign(self, request, canonical_request):
        self.seen["string_to_sign"] = super().string_to_sign(request, canonical_request)
        return self.seen["string_to_sign"]

    def signature(self, string_to_sign, request):
        self.seen["signature"] = super().signature(string_to_sign, request)
        return self.seen["signature"]


class RecordingAuth(Recorder, botocore.auth.SigV4Auth):
    pass


class RecordingS3Auth(Recorder, botocore.auth.S3SigV4Auth):
    pass


def botocore_signs(case, monkeypatch):
    FixedClock.instant = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=case["instant_s"])
    if hasattr(botocore.auth, "get_current_datetime"):
        monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda remove_tzinfo=True: FixedClock.instant)
    else:
        monkeypatch.setattr(botocore.auth.datetime, "datetime", FixedClock)
    host = next(value for name, value in case["headers"] if name.lower() == "host")
    query = "?" + case["query"] if case["query"] else ""
    request = AWSRequest(method=case["method"], url=f"https://{host}{case['path']}{query}",
                         data=bytes.fromhex(case["payload_hex"]))
    for name, value in case["headers"]:
        request.headers.add_header(name, value)
    if case["payload_hash"]:
        request.context["payload_signing_enabled"] = False
    keys = Credentials(case["access_key_id"], case["secret_access_key"], case["session_token"])
    kind = RecordingAuth if case["normalize_path"] else RecordingS3Auth
    signer = kind(keys, case["service"], case["region"])
    signer.add_auth(request)
    return {**signer.seen, "authorization": request.headers["Authorization"], "date": request.headers["X-Amz-Date"]}


def random_text(rng, longest):
    return "".join(rng.choice(ODD) for _ in range(rng.randrange(longest)))


def random_path(rng):
    segments = []
    for _ in range(rng.randrange(6)):
        segments.append(rng.choice((
            quote(random_text(rng, 12), safe=rng.choice(("", "/", ":@!$'()*,;="))),
            ".", "..", "", "...", "healthz",
            quote("arn:aws:vpc-lattice:us-east-1:123456789012:service/svc-0a1b2c3d4e5f67890", safe=""))))
    return "/" + "/".join(segments)


def random_query(rng):
    pairs = []
    for _ in range(rng.randrange(5)):
        name = quote(random_text(rng, 8) or "k", safe="-_.~")
        pairs.append(rng.choice((f"{name}={quote(random_text(rng, 12), safe='-_.~')}", f"{name}=", name)))
    if pairs and rng.random() < 0.3:
        pairs.append(rng.choice(pairs))
    rng.shuffle(pairs)
    return "&".join(pairs) or None


def random_headers(rng):
    host = rng.choice(("monitoring.us-east-1.amazonaws.com", "a-0.7d67968.vpc-lattice-svcs.us-east-1.on.aws:8443",
                       "localhost:5000", "[::1]:9443", "192.0.2.7"))
    headers = [[rng.choice(("Host", "host", "HOST")), host]]
    if rng.random() < 0.7:
        headers.append(["Content-Type", rng.choice(("application/x-amz-json-1.0", "text/plain;  charset=utf-8"))])
    for _ in range(rng.randrange(5)):
        name = rng.choice(("X-Amz-Target", "x-amzn-query-mode", "Content-Encoding", "My-Header", "my-header",
                           "MY-HEADER", "User-Agent", "Expect", "X-Amzn-Trace-Id", "x-a_b"))
        words = [rng.choice(("a", "b;c", '"quoted', "two  words", "x=1,y=2", "\ttab\t", ""))
                 for _ in range(rng.randrange(4))]
        headers.append([name, rng.choice((" ", "  ", "\t")).join(words)])
    rng.shuffle(headers)
    return headers


def random_payload(rng):
    raw = rng.randbytes(rng.choice((0, 1, 15, 200, 3000)))
    return rng.choice((b"", raw, gzip.compress(raw, mtime=0), b'{"Namespace":"LatticeProbe"}'))


def random_instant(rng):
    day = rng.randrange(16000, 22000) * 86400
    return day + rng.choice((0, 1, 86399, rng.randrange(86400)))


def random_case(rng):
    lattice = rng.random() < 0.25
    return {
        "method": rng.choice(("GET", "POST", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS")),
        "path": random_path(rng), "query": random_query(rng), "headers": random_headers(rng),
        "payload_hex": random_payload(rng).hex(),
        "payload_hash": "UNSIGNED-PAYLOAD" if lattice else None, "sign_body_header": lattice,
        "access_key_id": ACCESS_KEY, "secret_access_key": SECRET_KEY,
        "session_token": rng.choice((None, "EXAMPLE" + rng.randbytes(rng.choice((20, 700))).hex() + "/+==")),
        "token_is_unsigned": False,
        "region": rng.choice(REGIONS), "service": "vpc-lattice-svcs" if lattice else rng.choice(SERVICES),
        "normalize_path": True, "instant_s": random_instant(rng),
    }


def assert_same(case, ours, theirs):
    assert ours["err"] == 0, case
    for piece in PIECES:
        assert ours[piece] == theirs[piece], f"{piece} differs for {json.dumps(case)}"


def test_random_requests_are_signed_as_botocore_signs_them(tool, monkeypatch):
    seed = int(os.environ.get("SIGV4_SEED", random.SystemRandom().randrange(2**32)))
    print(f"SIGV4_SEED={seed} SIGV4_CASES={CASES}")
    rng = random.Random(seed)
    cases = [random_case(rng) for _ in range(CASES)]
    for case, ours in zip(cases, sign_all(tool, cases)):
        assert_same(case, ours, botocore_signs(case, monkeypatch))


def plain_case(**changes):
    case = {"method": "POST", "path": "/", "query": None, "headers": [["Host", "sts.us-east-1.amazonaws.com"]],
            "payload_hex": "", "payload_hash": None, "access_key_id": ACCESS_KEY, "secret_access_key": SECRET_KEY,
            "session_token": None, "token_is_unsigned": False, "region": "us-east-1", "service": "sts",
            "normalize_path": True, "sign_body_header": False, "instant_s": 1440938160}
    return {**case, **changes}


@pytest.mark.parametrize("changes", [
    {"payload_hex": gzip.compress(b"x" * 5000, mtime=0).hex()},
    {"path": "/services/arn%3Aaws%3Avpc-lattice%3Aus-east-1%3A123456789012%3Aservice%2Fsvc-1"},
    {"headers": [["Host", "localhost:4566"]]},
    {"instant_s": 1451606399}, {"instant_s": 1451606400},
    {"payload_hash": "UNSIGNED-PAYLOAD", "sign_body_header": True, "service": "vpc-lattice-svcs"},
], ids=["gzip", "arn", "port", "last second", "midnight", "unsigned payload"])
def test_the_cases_no_suite_has(tool, monkeypatch, changes):
    case = plain_case(**changes)
    assert_same(case, sign_all(tool, [case])[0], botocore_signs(case, monkeypatch))


@pytest.mark.parametrize("path", ["//a/../b/./c//", "/a%20b%2Fc", "/", "/a/.."])
def test_the_path_rule_of_s3(tool, monkeypatch, path):
    case = plain_case(method="GET", path=path, service="s3", normalize_path=False, sign_body_header=True)
    assert_same(case, sign_all(tool, [case])[0], botocore_signs(case, monkeypatch))


def test_another_secret_gives_another_signature(tool, monkeypatch):
    """The comparison itself can fail."""
    ours = sign_all(tool, [plain_case(secret_access_key=SECRET_KEY[::-1])])[0]
    theirs = botocore_signs(plain_case(), monkeypatch)
    assert ours["string_to_sign"] == theirs["string_to_sign"]
    assert ours["signature"] != theirs["signature"]
