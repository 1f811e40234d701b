# SPDX-License-Identifier: Apache-2.0
"""The credential and metadata servers keep the real rules, and each of their faults really happens."""

import calendar
import http.client
import json
import time
import urllib.parse
import xml.etree.ElementTree as xml

import pytest

import credential_servers
import imds_server
import lab_credentials

TOKEN = "/latest/api/token"
TTL = "X-aws-ec2-metadata-token-ttl-seconds"
ROLE = "/latest/meta-data/iam/security-credentials/"


def call(url, method, path, headers=(), body=None, timeout_s=5):
    """One request on a connection of its own: (status, text, headers)."""
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=timeout_s)
    try:
        connection.request(method, path, body, dict(headers))
        response = connection.getresponse()
        return response.status, response.read().decode("latin-1"), response.headers
    finally:
        connection.close()


def new_token(imds, ttl="60"):
    status, token, headers = call(imds.url, "PUT", TOKEN, {TTL: ttl})
    assert status == 200 and headers[TTL.lower()] == ttl
    return token


def get(imds, path, token=None, **more):
    token = new_token(imds) if token is None else token
    return call(imds.url, "GET", path, {"X-aws-ec2-metadata-token": token}, **more)[:2]


def seconds(text):
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))


def test_version_1_is_refused(imds):
    assert call(imds.url, "GET", "/latest/meta-data/instance-id")[0] == 401


@pytest.mark.parametrize("ttl", [None, "", "0", "21601", "-1", "ten", "1.5"])
def test_a_bad_ttl_is_400(imds, ttl):
    assert call(imds.url, "PUT", TOKEN, {} if ttl is None else {TTL: ttl})[0] == 400


@pytest.mark.parametrize("ttl", ["1", "21600"])
def test_the_ends_of_the_ttl_range_are_allowed(imds, ttl):
    assert get(imds, "/latest/meta-data/instance-id", new_token(imds, ttl))[0] == 200


def test_forwarded_requests_and_versioned_token_paths_are_403(imds):
    assert call(imds.url, "PUT", TOKEN, {TTL: "60", "X-Forwarded-For": "203.0.113.1"})[0] == 403
    assert call(imds.url, "PUT", "/2021-07-15/api/token", {TTL: "60"})[0] == 403


def test_unknown_and_expired_tokens_are_401(imds):
    assert get(imds, "/latest/meta-data/instance-id", "made up")[0] == 401
    token = new_token(imds)
    assert get(imds, "/latest/meta-data/instance-id", token)[0] == 200
    imds.expire_tokens()
    assert get(imds, "/latest/meta-data/instance-id", token)[0] == 401


def test_a_token_ends_after_its_ttl(imds):
    token = new_token(imds, "1")
    given = time.monotonic()
    while get(imds, "/latest/meta-data/instance-id", token)[0] == 200:
        assert time.monotonic() - given < 3
        time.sleep(0.05)
    assert time.monotonic() - given >= 0.9


def test_the_items_that_dimensions_and_diagnosis_need(imds):
    token = new_token(imds)
    mac = get(imds, "/latest/meta-data/network/interfaces/macs/", token)[1]
    assert get(imds, "/latest/meta-data/placement/availability-zone-id", token) == (200, "use1-az4")
    assert get(imds, f"/latest/meta-data/network/interfaces/macs/{mac}vpc-id", token)[1].startswith("vpc-")
    assert get(imds, "/latest/meta-data/public-ipv4", token)[0] == 404
    status, document = get(imds, "/latest/dynamic/instance-identity/document", token)
    assert status == 200 and json.loads(document)["accountId"] == "123456789012"
    imds.apply({"metadata": {"public-ipv4": "203.0.113.9", "instance-id": None}})
    assert get(imds, "/latest/meta-data/public-ipv4", token) == (200, "203.0.113.9")
    assert get(imds, "/latest/meta-data/instance-id", token)[0] == 404


def role_credentials(imds):
    token = new_token(imds)
    role = get(imds, ROLE, token)[1]
    status, text = get(imds, ROLE + role, token)
    assert status == 200
    return json.loads(text)


def test_role_credentials_prove_themselves_and_last_as_long_as_said(imds):
    imds.apply({"lifetime_s": 900})
    document = role_credentials(imds)
    assert document["Code"] == "Success"
    assert lab_credentials.SECRETS[document["AccessKeyId"]] == document["SecretAccessKey"]
    facts = lab_credentials.read_token(document["Token"])
    assert facts["access_key"] == document["AccessKeyId"] and facts["expires"] == seconds(document["Expiration"])
    assert abs(facts["expires"] - time.time() - 900) < 5


def test_credentials_stay_until_rotated_and_then_the_key_changes_too(imds):
    first, again = role_credentials(imds), role_credentials(imds)
    assert first == again
    imds.rotate()
    second = role_credentials(imds)
    assert second["Token"] != first["Token"] and second["AccessKeyId"] != first["AccessKeyId"]


def test_credentials_near_their_end_are_renewed_unless_frozen(imds):
    imds.apply({"lifetime_s": 2, "renew_before_s": 1})
    first = role_credentials(imds)
    imds.apply({"frozen": True})
    while time.time() < seconds(first["Expiration"]):
        time.sleep(0.05)
    assert role_credentials(imds) == first
    imds.apply({"frozen": False})
    assert role_credentials(imds)["Token"] != first["Token"]


def test_a_forged_session_token_is_not_believed():
    token = lab_credentials.make_token("imds", "AKIDEXAMPLE", time.time() + 60)
    forged = token[:10] + ("A" if token[10] != "A" else "B") + token[11:]  # only the seal differs
    assert lab_credentials.read_token(token) is not None
    assert lab_credentials.read_token(forged) is None
    assert lab_credentials.read_token("EXAMPLE!") is None and lab_credentials.read_token("x") is None


def test_no_role_is_404_and_a_misconfigured_role_is_200_without_keys(imds):
    imds.apply({"role": None})
    assert get(imds, ROLE)[0] == 404
    imds.apply({"role": "probe", "code": "AssumeRoleUnauthorizedAccess"})
    document = role_credentials(imds)
    assert document["Code"] == "AssumeRoleUnauthorizedAccess" and "AccessKeyId" not in document


def test_switched_off_is_403_for_all(imds):
    imds.apply({"enabled": False})
    assert call(imds.url, "PUT", TOKEN, {TTL: "60"})[0] == 403


def test_faults_happen_as_often_as_said_and_where_said(imds):
    token = new_token(imds)
    imds.apply({"faults": [{"action": "status", "status": 503, "path": "/latest/meta-data/placement", "times": 1}]})
    assert get(imds, "/latest/meta-data/instance-id", token)[0] == 200
    assert get(imds, "/latest/meta-data/placement/region", token)[0] == 503
    assert get(imds, "/latest/meta-data/placement/region", token)[0] == 200


def test_a_silent_put_is_what_the_hop_limit_looks_like(imds):
    imds.apply({"faults": [{"action": "silent", "method": "PUT"}]})
    with pytest.raises(TimeoutError):
        call(imds.url, "PUT", TOKEN, {TTL: "60"}, timeout_s=0.3)
    assert call(imds.url, "GET", "/latest/meta-data/")[0] == 401


@pytest.mark.parametrize("action, error", [("close", http.client.RemoteDisconnected), ("reset", ConnectionResetError)])
def test_connections_that_end_early(imds, action, error):
    imds.apply({"faults": [{"action": action, "times": 1}]})
    with pytest.raises(error):
        call(imds.url, "PUT", TOKEN, {TTL: "60"})


def test_late_giant_broken_and_empty_replies(imds):
    token = new_token(imds)
    path = ROLE + "lattice-probe-role"
    imds.apply({"faults": [{"action": "delay", "delay_ms": 150, "times": 1}]})
    started = time.monotonic()
    assert get(imds, path, token)[0] == 200 and time.monotonic() - started >= 0.15
    imds.apply({"faults": [{"action": "giant", "bytes": 3_000_000, "times": 1}]})
    assert len(get(imds, path, token)[1]) == 3_000_000
    imds.apply({"faults": [{"action": "invalid_json", "times": 1}]})
    with pytest.raises(ValueError):
        json.loads(get(imds, path, token)[1])
    imds.apply({"faults": [{"action": "missing_field", "field": "Token", "times": 1}]})
    assert "Token" not in json.loads(get(imds, path, token)[1])
    imds.apply({"faults": [{"action": "no_token", "times": 1}]})
    assert call(imds.url, "PUT", TOKEN, {TTL: "60"})[:2] == (200, "")


def test_requests_are_logged_and_mistakes_in_scripts_refused(imds):
    new_token(imds)
    assert imds.count("PUT", TOKEN) == 1 and imds.requests()[0]["status"] == 200
    for script in ({"rôle": 1}, {"faults": [{"action": "melt"}]}, {"faults": [{"action": "status"}]}):
        with pytest.raises(ValueError):
            imds.apply(script)


def test_ipv6():
    with imds_server.ImdsServer(addresses=["[::1]:0"]) as imds:
        assert get(imds, "/latest/meta-data/instance-id")[0] == 200


# -- container endpoint


def test_container_credentials_need_the_authorization_when_one_is_set(container_credentials):
    url = container_credentials.url
    assert call(url, "GET", "/v2/credentials/abc")[0] == 200
    container_credentials.apply({"authorization": "Bearer x"})
    assert call(url, "GET", "/v2/credentials/abc")[0] == 401
    assert call(url, "GET", "/v2/credentials/abc", {"Authorization": "Bearer y"})[0] == 401
    status, text, _ = call(url, "GET", "/v2/credentials/abc", {"Authorization": "Bearer x"})
    assert status == 200
    document = json.loads(text)
    assert lab_credentials.read_token(document["Token"])["source"] == "container"
    assert document["AccountId"] == "123456789012" and seconds(document["Expiration"]) > time.time()
    assert call(url, "GET", "/elsewhere", {"Authorization": "Bearer x"})[0] == 404


def test_container_faults(container_credentials):
    container_credentials.apply({"faults": [{"action": "error", "status": 400, "code": "Throttled", "times": 1}]})
    status, text, _ = call(container_credentials.url, "GET", "/v2/credentials")
    assert status == 400 and json.loads(text)["code"] == "Throttled"
    assert call(container_credentials.url, "GET", "/v2/credentials")[0] == 200


# -- STS

FORM = {"Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15", "WebIdentityToken": "a.b.c",
        "RoleArn": "arn:aws:iam::123456789012:role/probe", "RoleSessionName": "session"}


def assume(sts, **changes):
    form = {**FORM, **changes}
    status, text, _ = call(sts.url, "POST", "/", {"Content-Type": "application/x-www-form-urlencoded"},
                           urllib.parse.urlencode(form))
    return status, xml.fromstring(text)


def text_of(tree, name):
    return tree.findtext(f".//{{{credential_servers.XML_NAMESPACE}}}{name}")


def test_sts_assumes_a_role_with_a_web_identity(sts):
    status, tree = assume(sts)
    assert status == 200
    facts = lab_credentials.read_token(text_of(tree, "SessionToken"))
    assert facts["source"] == "sts" and facts["access_key"] == text_of(tree, "AccessKeyId")
    assert seconds(text_of(tree, "Expiration")) == facts["expires"]
    assert text_of(tree, "Arn").endswith("assumed-role/probe/session")


@pytest.mark.parametrize("changes, code", [
    ({"Action": "AssumeRole"}, "InvalidAction"), ({"Version": "2010-05-08"}, "InvalidAction"),
    ({"RoleArn": ""}, "ValidationError"), ({"RoleSessionName": ""}, "ValidationError"),
    ({"WebIdentityToken": "stolen"}, "InvalidIdentityToken")])
def test_sts_refuses(sts, changes, code):
    sts.apply({"web_identity_token": "a.b.c"})
    status, tree = assume(sts, **changes)
    assert status == 400 and text_of(tree, "Code") == code


def test_sts_faults(sts):
    sts.apply({"faults": [{"action": "error", "status": 403, "code": "AccessDenied", "times": 1},
                          {"action": "missing_field", "field": "SessionToken", "times": 1}]})
    status, tree = assume(sts)
    assert status == 403 and text_of(tree, "Code") == "AccessDenied"
    assert text_of(assume(sts)[1], "SessionToken") is None
    assert text_of(assume(sts)[1], "SessionToken") is not None
