# SPDX-License-Identifier: Apache-2.0
"""The credential chain, the metadata service and signed calls against servers that are not ours in C.

The chain's answers are also held against botocore's, which resolves the same environment by itself.
"""

import hashlib
import json
import os
import pathlib
import subprocess
import sys
import time

import pytest

import credential_servers
import gate as gate_server
import imds_server
import lab_credentials
import service

KEY = lab_credentials.ACCESS_KEYS[0]
SECRET = lab_credentials.SECRETS[KEY]
ROLES = "/latest/meta-data/iam/security-credentials/"
TOKEN_PATH = "/latest/api/token"
ROLE_ARN = "arn:aws:iam::123456789012:role/probe"


class Tool:
    """tests/support/credentials_tool, one command after the other."""

    def __init__(self, path, environment, arguments=()):
        self.process = subprocess.Popen([path, *arguments], env=environment, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __call__(self, *words):
        self.process.stdin.write(" ".join(words) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"the tool died at {words}"
        assert not any(secret in line for secret in lab_credentials.SECRETS.values()), line
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        status = self.process.wait(timeout=30)
        self.process.stdout.close()
        return status


class Setting:
    """An environment without anything of AWS in it, and the tools started in it."""

    def __init__(self, tool_path, home):
        self.tool_path = tool_path
        self.home = home
        self.tools = []
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(home), "AWS_EC2_METADATA_DISABLED": "true",
                            "http_proxy": "http://127.0.0.1:1", "https_proxy": "http://127.0.0.1:1"}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
            if name in os.environ:
                self.environment[name] = os.environ[name]

    def set(self, **variables):
        for name, value in variables.items():
            if value is None:
                self.environment.pop(name, None)
            else:
                self.environment[name] = str(value)

    def use_imds(self, server):
        self.set(AWS_EC2_METADATA_DISABLED=None, AWS_EC2_METADATA_SERVICE_ENDPOINT=server.url)

    def use_container(self, server):
        self.set(AWS_CONTAINER_CREDENTIALS_FULL_URI=server.url + "/v2/credentials")

    def write(self, name, text):
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def start(self, *arguments):
        tool = Tool(self.tool_path, self.environment, arguments)
        self.tools.append(tool)
        return tool

    def close(self):
        """A tool must end by itself: what it leaves registered would abort it here."""
        assert [tool.close() for tool in self.tools] == [0] * len(self.tools)


@pytest.fixture(scope="module")
def tool_path():
    built = pathlib.Path(os.environ.get("LATTICE_PROBE", "build/lattice-probe")).parent
    path = built / "tests" / "support" / "credentials_tool"
    if not os.access(path, os.X_OK):
        pytest.fail(f"no credentials_tool at {path}; make check builds it")
    return path


@pytest.fixture
def setting(tool_path, tmp_path):
    made = Setting(tool_path, tmp_path)
    yield made
    made.close()


def digest(text):
    return None if text is None else hashlib.sha256(text.encode()).hexdigest()


def assert_issued(answer, issuer, source):
    now = issuer.current
    assert answer["err"] == "success" and answer["why"] == "" and answer["source"] == source, answer
    assert answer["access_key_id"] == now["access_key"]
    assert answer["secret_sha256"] == digest(now["secret_key"])
    assert answer["token_sha256"] == digest(now["token"])
    assert answer["expiration_s"] == now["expires"]


# -- the same as botocore

BOTOCORE = """
import json, botocore.session
keys = botocore.session.Session().get_credentials()
frozen = keys and keys.get_frozen_credentials()
print(json.dumps(frozen and [frozen.access_key, frozen.secret_key, frozen.token]))
"""


def botocore_finds(setting):
    environment = {name: value for name, value in setting.environment.items() if not name.endswith("_proxy")}
    done = subprocess.run([sys.executable, "-c", BOTOCORE], env=environment, check=True, capture_output=True,
                          text=True, timeout=60)
    return json.loads(done.stdout)


FILES = {
    "keys in the environment": ({"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}, {}),
    "with a session token": ({"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET,
                              "AWS_SESSION_TOKEN": "EXAMPLE"}, {}),
    "the environment before a named profile": (
        {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_PROFILE": "other"},
        {".aws/credentials": "[other]\naws_access_key_id = OTHER\naws_secret_access_key = OTHER\n"}),
    "the default profile": ({}, {
        ".aws/credentials": f"[default]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n"}),
    "a named profile": ({"AWS_PROFILE": "probe"}, {
        ".aws/credentials": "[default]\naws_access_key_id = WRONG\naws_secret_access_key = WRONG\n"
                            f"[probe]\naws_access_key_id={KEY}\naws_secret_access_key={SECRET}\n"
                            f"aws_session_token={'T' * 900}\n"}),
    "keys in the config file": ({"AWS_PROFILE": "probe"}, {
        ".aws/config": f"[profile probe]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n"}),
    "the credentials file before the config file": ({}, {
        ".aws/credentials": f"[default]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n",
        ".aws/config": "[default]\naws_access_key_id = WRONG\naws_secret_access_key = WRONG\n"
                       "aws_session_token = WRONG\n"}),
    "a quoted profile name": ({"AWS_PROFILE": "two words"}, {
        ".aws/config": f"[profile \"two words\"]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n"}),
    "nested settings beside the keys": ({}, {
        ".aws/config": f"[default]\ns3 =\n  max_concurrent_requests = 5\naws_access_key_id = {KEY}\n"
                       f"aws_secret_access_key = {SECRET}\nregion = us-east-1\n"}),
    "nothing at all": ({}, {}),
}


@pytest.mark.parametrize("case", FILES.values(), ids=FILES.keys())
def test_the_chain_finds_what_botocore_finds(setting, case):
    variables, files = case
    setting.set(**variables)
    for name, text in files.items():
        setting.write(name, text)
    theirs = botocore_finds(setting)
    ours = setting.start()("wait")
    if theirs is None:
        assert ours["source"] is None and ours["why"]
    else:
        assert [ours["access_key_id"], ours["secret_sha256"], ours["token_sha256"]] == [
            theirs[0], digest(theirs[1]), digest(theirs[2])]


def test_the_instance_role_is_the_one_botocore_finds(setting, imds):
    setting.use_imds(imds)
    assert_issued(setting.start()("wait"), imds.issuer, "imds")
    assert botocore_finds(setting) == [imds.issuer.current[name] for name in ("access_key", "secret_key", "token")]


def test_the_container_keys_are_those_botocore_finds(setting, container_credentials):
    container_credentials.apply({"authorization": "Basic EXAMPLE"})
    setting.use_container(container_credentials)
    setting.set(AWS_CONTAINER_AUTHORIZATION_TOKEN="Basic EXAMPLE")
    assert_issued(setting.start()("wait"), container_credentials.issuer, "container")
    current = container_credentials.issuer.current
    assert botocore_finds(setting) == [current[name] for name in ("access_key", "secret_key", "token")]


# -- what stays in memory

def search(tool, text):
    """Counts copies of the end of text: the beginning of freed memory is overwritten by itself."""
    return tool("search", bytes(byte ^ 0x5A for byte in text.encode()[-24:]).hex())["count"]


def is_sanitized(setting):
    return b"__asan_init" in setting.tool_path.read_bytes()


def test_keys_of_a_file_are_wiped_with_their_credentials(setting, gate):
    token = lab_credentials.make_token("test", KEY, time.time() + 600)
    setting.write(".aws/credentials", f"[default]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n"
                                      f"aws_session_token = {token}\n")
    tool = setting.start()
    tool("wait")
    assert tool("put", gate.url, body())["class"] == "ok"
    assert search(tool, SECRET) == 1
    # Not in a buffer that curl has freed. A sanitizer holds freed memory back, what OpenSSL frees too.
    assert search(tool, token) == 1 or is_sanitized(setting)
    tool("forget")
    assert search(tool, SECRET) == 0


@pytest.mark.parametrize("source", ["imds", "container", "web-identity"])
def test_keys_from_a_server_are_wiped_too(setting, imds, container_credentials, sts, source):
    if source == "imds":
        server = imds
        setting.use_imds(imds)
    elif source == "container":
        server = container_credentials
        setting.use_container(container_credentials)
    else:
        server = sts
        use_web_identity(setting, sts)
    tool = setting.start()
    assert tool("wait")["source"] == source
    # A sanitizer holds freed memory back for a while, curl's receive buffer with what it last held too.
    for text in (server.issuer.current["secret_key"], server.issuer.current["token"]):
        assert search(tool, text) == 1 or is_sanitized(setting)
    kept = search(tool, server.issuer.current["secret_key"])
    tool("forget")
    for text in (server.issuer.current["secret_key"], server.issuer.current["token"]):
        assert search(tool, text) == 0 or is_sanitized(setting)
    assert search(tool, server.issuer.current["secret_key"]) == kept - 1


# -- the metadata service

def test_facts_and_region_come_from_the_instance(setting, imds):
    setting.use_imds(imds)
    tool = setting.start()
    facts = tool("facts")
    wanted = imds_server.METADATA
    assert facts["err"] == "success"
    assert facts["instance_id"] == wanted["instance-id"]
    assert facts["availability_zone"] == wanted["placement/availability-zone"]
    assert facts["availability_zone_id"] == wanted["placement/availability-zone-id"]
    assert facts["vpc_id"] == wanted[imds_server.MAC_PATH + "/vpc-id"]
    assert facts["subnet_id"] == wanted[imds_server.MAC_PATH + "/subnet-id"]
    assert tool("region") == {"err": "success", "region": "us-east-1", "source": "imds"}
    assert imds.count("PUT", TOKEN_PATH) == 1
    assert {entry["status"] for entry in imds.requests()} == {200}


def test_the_metadata_service_is_met_over_ipv6(setting):
    with imds_server.ImdsServer(addresses=("[::1]:0",)) as server:
        setting.use_imds(server)
        assert_issued(setting.start()("wait"), server.issuer, "imds")


def test_new_keys_and_new_tokens_are_fetched_after_a_refusal(setting, imds):
    setting.use_imds(imds)
    tool = setting.start()
    first = tool("wait")
    imds.rotate()
    imds.expire_tokens()
    assert tool("peek")["access_key_id"] == first["access_key_id"]
    tool("refresh")
    assert tool("peek")["source"] is None
    second = tool("wait")
    assert_issued(second, imds.issuer, "imds")
    assert second["token_sha256"] != first["token_sha256"]
    assert imds.count("PUT", TOKEN_PATH) == 2
    assert [entry["status"] for entry in imds.requests()].count(401) == 1


def test_expired_keys_of_a_struggling_service_are_used_on(setting, imds):
    imds.apply({"lifetime_s": -3600, "frozen": True})
    setting.use_imds(imds)
    answer = setting.start()("wait")
    assert answer["err"] == "success" and "15 minutes" in answer["why"]
    assert answer["access_key_id"] == imds.issuer.current["access_key"]
    assert 880 < answer["expiration_s"] - time.time() <= 900


IMDS_FAULTS = {
    "no role": ({"role": None}, "not found", "no role"),
    "a role that cannot be assumed": ({"code": "AssumeRoleUnauthorizedAccess"}, "permission denied", "trust policy"),
    "switched off": ({"enabled": False}, "permission denied", "switched off"),
    "half a document": ({"faults": [{"action": "invalid_json", "path": ROLES + "lattice"}]}, "protocol error", "not valid"),
    "no secret": ({"faults": [{"action": "missing_field", "path": ROLES + "lattice", "field": "SecretAccessKey"}]},
                  "protocol error", "not valid"),
    "no end": ({"faults": [{"action": "missing_field", "path": ROLES + "lattice", "field": "Expiration"}]},
               "protocol error", "not valid"),
    "64 MiB of keys": ({"faults": [{"action": "giant", "path": ROLES + "lattice"}]}, "limit reached", "larger"),
    "64 MiB of token": ({"faults": [{"action": "giant", "method": "PUT"}]}, "limit reached", "larger"),
    "an empty token": ({"faults": [{"action": "no_token", "method": "PUT"}]}, "protocol error", "token"),
    "a silent PUT": ({"faults": [{"action": "silent", "method": "PUT"}]}, "timed out", "hop limit"),
    "a silent GET": ({"faults": [{"action": "silent", "method": "GET"}]}, "timed out", "never answered"),
    "a reset": ({"faults": [{"action": "reset"}]}, "unreachable", "no metadata service"),
    "a close": ({"faults": [{"action": "close", "method": "GET"}]}, "unreachable", "no metadata service"),
    "503": ({"faults": [{"action": "status", "status": 503}]}, "unreachable", "overloaded"),
}


@pytest.mark.parametrize("case", IMDS_FAULTS.values(), ids=IMDS_FAULTS.keys())
def test_what_the_metadata_service_cannot_give_is_said(setting, imds, case):
    script, error, words = case
    imds.apply(script)
    setting.use_imds(imds)
    answer = setting.start()("wait")
    assert answer["source"] is None
    assert answer["err"] == error and words in answer["why"], answer


def test_a_fault_that_passes_leaves_no_trace(setting, imds):
    imds.apply({"faults": [{"action": "status", "status": 401, "method": "GET", "times": 1}]})
    setting.use_imds(imds)
    assert_issued(setting.start()("wait"), imds.issuer, "imds")
    assert imds.count("PUT", TOKEN_PATH) == 2


def test_a_slow_service_is_waited_for_a_second(setting, imds):
    imds.apply({"faults": [{"action": "delay", "delay_ms": 300}]})
    setting.use_imds(imds)
    assert_issued(setting.start()("wait"), imds.issuer, "imds")


# -- containers

def test_a_token_file_is_read_at_each_fetch(setting, container_credentials):
    container_credentials.apply({"authorization": "first"})
    path = setting.write("token", "first")
    setting.use_container(container_credentials)
    setting.set(AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=path, AWS_CONTAINER_AUTHORIZATION_TOKEN="never")
    tool = setting.start()
    assert_issued(tool("wait"), container_credentials.issuer, "container")
    path.write_text("second", encoding="utf-8")
    container_credentials.apply({"authorization": "second"})
    container_credentials.rotate()
    tool("refresh")
    assert_issued(tool("wait"), container_credentials.issuer, "container")
    assert [entry["authorization"] for entry in container_credentials.requests()] == ["first", "second"]


def test_a_container_endpoint_is_met_over_https_by_its_certificate(setting, certificates):
    tls = service.server_tls(certificates["valid"].chain, certificates["valid"].key)
    with credential_servers.ContainerServer(tls=tls) as server:
        uri = f"https://localhost:{server.port}/v2/credentials"
        setting.set(AWS_CONTAINER_CREDENTIALS_FULL_URI=uri, AWS_CA_BUNDLE=certificates.ca)
        assert_issued(setting.start()("wait"), server.issuer, "container")


def test_a_container_endpoint_without_a_trusted_certificate_gets_no_token(setting, certificates):
    tls = service.server_tls(certificates["untrusted"].chain, certificates["untrusted"].key)
    with credential_servers.ContainerServer(tls=tls) as server:
        setting.set(AWS_CONTAINER_CREDENTIALS_FULL_URI=f"https://localhost:{server.port}/v2/credentials",
                    AWS_CA_BUNDLE=certificates.ca, AWS_CONTAINER_AUTHORIZATION_TOKEN="EXAMPLE")
        assert setting.start()("wait")["source"] is None
        assert server.requests() == []


def test_wrong_authorization_is_refused_once(setting, container_credentials):
    container_credentials.apply({"authorization": "right"})
    setting.use_container(container_credentials)
    setting.set(AWS_CONTAINER_AUTHORIZATION_TOKEN="wrong")
    answer = setting.start()("wait")
    assert answer["err"] == "permission denied" and "authorization token" in answer["why"]
    assert len(container_credentials.requests()) == 1


# -- web identity

def use_web_identity(setting, server, token="eyJhbGciOiJSUzI1NiJ9.EXAMPLE.+/="):
    setting.set(AWS_WEB_IDENTITY_TOKEN_FILE=setting.write("identity", token + "\n"), AWS_ROLE_ARN=ROLE_ARN,
                AWS_ROLE_SESSION_NAME="probe-1", AWS_REGION="us-east-1", AWS_ENDPOINT_URL_STS=server.url)
    return token


def test_a_web_identity_is_exchanged_for_keys(setting, sts):
    sts.apply({"web_identity_token": use_web_identity(setting, sts)})
    assert_issued(setting.start()("wait"), sts.issuer, "web-identity")
    (request,) = sts.requests()
    assert request["authorization"] is None


def test_a_rotated_web_identity_is_read_anew(setting, sts):
    use_web_identity(setting, sts, "first")
    tool = setting.start()
    assert_issued(tool("wait"), sts.issuer, "web-identity")
    setting.write("identity", "second")
    sts.apply({"web_identity_token": "second"})
    sts.rotate()
    tool("refresh")
    assert_issued(tool("wait"), sts.issuer, "web-identity")


@pytest.mark.parametrize("script, error, words", [
    ({"web_identity_token": "another"}, "permission denied", "trust policy"),
    ({"faults": [{"action": "error", "status": 403, "code": "AccessDenied"}]}, "permission denied", "trust policy"),
    ({"faults": [{"action": "error", "status": 400, "code": "ExpiredTokenException"}]}, "permission denied", "expired"),
    ({"faults": [{"action": "error", "status": 400, "code": "Throttling"}]}, "unreachable", "overloaded"),
    ({"faults": [{"action": "invalid_json"}]}, "protocol error", "not one of"),
    ({"faults": [{"action": "missing_field", "field": "SessionToken"}]}, "protocol error", "not one of"),
    ({"faults": [{"action": "giant"}]}, "protocol error", "not one of"),
    ({"faults": [{"action": "reset"}]}, "timed out", "in time"),
], ids=["denied", "forbidden", "expired", "throttled", "no XML", "a field missing", "giant", "reset"])
def test_what_sts_refuses_is_said(setting, sts, script, error, words):
    use_web_identity(setting, sts)
    sts.apply(script)
    answer = setting.start()("wait")
    assert answer["source"] is None and answer["err"] == error and words in answer["why"], answer


# -- signed calls through the gate

def body():
    return json.dumps({"Namespace": "LatticeProbe", "MetricData": [
        {"MetricName": "Success", "Unit": "None", "Values": [1], "Counts": [1], "Timestamp": int(time.time()),
         "Dimensions": [{"Name": "Service", "Value": "checkout"}]}]}, separators=(",", ":"))


@pytest.fixture
def caller(setting, imds):
    """A tool with the instance's credentials in hand."""
    setting.use_imds(imds)
    tool = setting.start()
    assert tool("wait")["source"] == "imds"
    return tool


def test_a_call_passes_the_gate(caller, gate):
    answer = caller("put", gate.url, body())
    assert answer["class"] == "ok" and answer["status"] == 200 and answer["skew_us"] == 0
    assert len(gate.ledger()) == 1 and gate.rejections() == []


@pytest.mark.parametrize("shift_s", [1200, -1200])
def test_a_clock_that_is_off_is_noticed_and_corrected(caller, gate, shift_s):
    gate.set_clock({"shift_s": shift_s})
    first = caller("put", gate.url, body())
    assert first["class"] == "skewed", first
    assert abs(first["skew_us"] - shift_s * 1000000) < 1500000
    second = caller("put", gate.url, body())
    assert second["class"] == "ok", second
    gate.set_clock({"shift_s": 0})
    assert caller("put", gate.url, body())["class"] == "skewed"
    assert caller("put", gate.url, body())["skew_us"] == 0


@pytest.mark.parametrize("action, class_, code", [
    ("throttle_400", "throttled", "Throttling"), ("throttle_503", "throttled", "Throttling"),
    ("error_500", "server", "InternalFailure"), ("error_503", "server", "ServiceUnavailable"),
    ("deny", "denied", "AccessDenied"), ("expire_400", "expired", "ExpiredToken"),
    ("expire_403", "expired", "ExpiredToken"), ("too_large", "too_large", "RequestEntityTooLarge"),
    ("reject_any", "invalid", "InvalidParameterValue"), ("reset_before", "in_doubt", ""),
    ("reset_after", "in_doubt", ""), ("lose_reply", "in_doubt", ""), ("silent", "in_doubt", ""),
    ("odd_body", "ok", ""),
])
def test_each_end_of_a_call_has_its_class(caller, gate, action, class_, code):
    gate.set_faults([{"action": action, "times": 1}])
    answer = caller("put", gate.url, body())
    assert answer["class"] == class_, answer
    assert answer["code"].removesuffix("Exception") == code
    assert "123456789012" not in answer["message"]
    assert caller("put", gate.url, body())["class"] == "ok"


def test_a_wrong_secret_is_denied_and_a_strange_token_expired(setting, gate):
    setting.set(AWS_ACCESS_KEY_ID=KEY, AWS_SECRET_ACCESS_KEY=SECRET[::-1])
    tool = setting.start()
    tool("wait")
    assert tool("put", gate.url, body())["class"] == "denied"
    setting.set(AWS_SECRET_ACCESS_KEY=SECRET, AWS_SESSION_TOKEN="EXAMPLEstrange")
    tool = setting.start()
    tool("wait")
    assert tool("put", gate.url, body())["class"] == "expired"


def test_an_endpoint_is_resolved_by_our_resolver_and_met_by_name(setting, imds, dns, certificates):
    dns.set("monitoring.probe.test", ["127.0.0.1"])
    tls = service.server_tls(certificates["valid"].chain, certificates["valid"].key)
    with gate_server.Gate(tls=tls) as gate:
        setting.use_imds(imds)
        setting.set(AWS_CA_BUNDLE=certificates.ca)
        tool = setting.start(dns.address)
        tool("wait")
        answer = tool("put", f"https://monitoring.probe.test:{gate.port}", body())
        assert answer["class"] == "ok", answer
        assert dns.count("monitoring.probe.test", "A") == 1
        unknown = tool("put", f"https://nobody.probe.test:{gate.port}", body())
        assert unknown["class"] == "unreachable", unknown
        assert len(gate.ledger()) == 1


def test_an_endpoint_with_ipv6_only_is_met_there(setting, imds, dns, certificates):
    dns.set("monitoring.probe.test", ["::1"])
    tls = service.server_tls(certificates["valid"].chain, certificates["valid"].key)
    with gate_server.Gate(addresses=("[::1]:0",), tls=tls) as gate:
        setting.use_imds(imds)
        setting.set(AWS_CA_BUNDLE=certificates.ca)
        tool = setting.start(dns.address)
        tool("wait")
        assert tool("put", f"https://monitoring.probe.test:{gate.port}", body())["class"] == "ok"


@pytest.mark.parametrize("kind", ["untrusted", "expired", "wrong_name", "self_signed"])
def test_an_endpoint_with_a_bad_certificate_gets_nothing(setting, imds, certificates, kind):
    tls = service.server_tls(certificates[kind].chain, certificates[kind].key)
    with gate_server.Gate(tls=tls) as gate:
        setting.use_imds(imds)
        setting.set(AWS_CA_BUNDLE=certificates.ca)
        tool = setting.start()
        tool("wait")
        answer = tool("put", f"https://localhost:{gate.port}", body())
        assert answer["class"] == "tls", answer
        assert gate.ledger() == [] and gate.rejections() == []
