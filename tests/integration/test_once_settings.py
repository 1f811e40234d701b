# SPDX-License-Identifier: Apache-2.0
"""Every key that a [probe] section may hold, shown to work through the binary.

The table is keyed by the names in src/config/conf_keys.c: a key without a case fails the first test.
The servers say what arrived, the result says what was made of it.
"""

import datetime
import json
import pathlib
import re
import time

import pytest

import dns_server
import gate_signature
import http_origin
import http_service
import probe_command

KEYS = pathlib.Path(__file__).resolve().parent.parent.parent / "src" / "config" / "conf_keys.c"
CASES = {}


def probe_keys():
    """The keys that may stand in a [probe] section, from the table."""
    found = re.findall(r'\{ \.name = "([a-z_.]+)", \.sections = ([A-Z |]+),', KEYS.read_text(encoding="utf-8"))
    assert len(found) > 30
    return {name for name, sections in found if "P" in sections.split(" | ")}


def shows(*keys):
    """Declares what shows these keys at work."""
    def add(test):
        for key in keys:
            CASES.setdefault(key, []).append(test)
        return test
    return add


def ok(world, settings, **how):
    answer = world.command.probe(settings, **how)
    assert answer.code == 0 and answer.result["outcome"] == "ok", answer
    return answer.result


def fails(world, settings, outcome, **how):
    answer = world.command.probe(settings, **how)
    assert answer.result["outcome"] == outcome, answer
    return answer.result


def last_request(world, label):
    """The last request that the scripted origin got for that path."""
    return [request for request in world.origin.requests() if request["target"].partition("?")[0] == f"/{label}"][-1]


def header(request, name):
    return [value for key, value in request["headers"] if key.lower() == name.lower()]


# ---- what is sent

@shows("url")
def test_url_with_port_path_and_query(world):
    settings = world.scripted("url", {})
    settings["url"] += "?a=1&b=%20x&secret=hush"
    result = ok(world, settings)
    request = last_request(world, "url")
    assert request["target"] == "/url?a=1&b=%20x&secret=hush"
    assert header(request, "host") == [f"url.probe.test:{world.origin.http_port}"]
    assert "hush" not in json.dumps(result)


@shows("url")
def test_url_over_continuation_lines_is_joined_by_nothing(world):
    settings = world.scripted("joined", {})
    ok(world, settings | {"url": [settings["url"], "?x=1", "&y=2"]})
    assert last_request(world, "joined")["target"] == "/joined?x=1&y=2"


@shows("method")
@pytest.mark.parametrize("method", ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"))
def test_method(world, method):
    label = f"method-{method.lower()}"
    result = ok(world, world.scripted(label, {"body": "twelve bytes"}, method=method))
    assert last_request(world, label)["method"] == method
    assert result["bytes"] == (0 if method == "HEAD" else 12)


@shows("header.")
def test_headers(world):
    settings = world.scripted("headers", {}) | {"header.X-One": "1; two", "header.Accept": "application/json"}
    ok(world, settings)
    request = last_request(world, "headers")
    assert header(request, "x-one") == ["1; two"] and header(request, "accept") == ["application/json"]


@shows("header_file.")
def test_a_secret_header_comes_from_a_file_and_is_never_shown(world):
    secret = world.command.path("secret-header")
    secret.write_text("Bearer hush-hush\n", encoding="utf-8")
    secret.chmod(0o600)
    settings = world.scripted("secret", {"status": 500}) | {"header_file.Authorization": secret}
    answer = world.command.probe(settings)
    assert header(last_request(world, "secret"), "authorization") == ["Bearer hush-hush"]
    assert "hush-hush" not in answer.stdout + answer.stderr


@shows("body")
def test_body(world):
    settings = world.scripted("body", {}, method="POST", body=['{"a": 1,', '"b": 2}'])
    ok(world, settings)
    request = last_request(world, "body")
    assert request["body"] == '{"a": 1,\n"b": 2}'
    assert header(request, "content-length") == [str(len(request["body"]))]


@shows("body_file")
def test_body_file(world):
    path = world.command.path("request-body")
    path.write_bytes(b"binary \x00\xff ; and\r\nlines\n")
    path.chmod(0o600)
    ok(world, world.scripted("body-file", {}, method="PUT", body_file=path))
    assert last_request(world, "body-file")["body"] == "binary \x00\xff ; and\r\nlines\n"


# ---- what is expected

@shows("expect_status")
@pytest.mark.parametrize("status, expected, good", (
    (200, "200-299", True), (204, "200-299", True), (301, "200-299", False), (404, "404", True),
    (503, "200, 500-599", True), (418, "200, 500-599", False), (299, "200-299", True), (300, "200-299", False)))
def test_expect_status(world, status, expected, good):
    settings = world.scripted(f"status-{status}", {"status": status}, expect_status=expected)
    if good:
        assert ok(world, settings)["status"] == status
    else:
        assert fails(world, settings, "http_status")["status"] == status


@shows("expect_status")
@pytest.mark.parametrize("status, good", ((199, False), (200, True), (299, True), (300, False)))
def test_a_2xx_is_expected_unless_said(world, status, good):
    settings = world.scripted(f"default-{status}", {"status": status})
    assert world.command.probe(settings | {"timeout": "1s"}).code == (0 if good else 1)


@shows("expect_body")
def test_expect_body(world):
    settings = world.scripted("text", {"body": '{"status":"ok", "n": [1]}'})
    ok(world, settings | {"expect_body": '"status":"ok"'})
    fails(world, settings | {"expect_body": '"STATUS":"ok"'}, "http_body")
    fails(world, settings | {"expect_body": '"n": .1.'}, "http_body")


@shows("expect_body_regex")
def test_expect_body_regex(world):
    settings = world.scripted("regex", {"body": "version 1.24.3\nready"})
    ok(world, settings | {"expect_body_regex": r"version 1\.\d+\.\d+"})
    ok(world, settings | {"expect_body_regex": r"(?m)^ready$"})
    fails(world, settings | {"expect_body_regex": r"version 2\."}, "http_body")


@shows("expect_body_regex")
def test_a_pattern_that_explodes_is_stopped(world):
    settings = world.scripted("explode", {"body": "x" * 16384 + "!y"}, expect_body_regex="(x+x+)+y")
    started = time.monotonic()
    result = fails(world, settings, "http_body")
    assert time.monotonic() - started < 5 and "limit" in result["detail"], result


@shows("expect_header.")
def test_expect_header(world):
    settings = world.scripted("response-header", {"headers": {"X-Version": "release 1.2.3"}})
    ok(world, settings | {"expect_header.x-version": "1.2.3"})
    fails(world, settings | {"expect_header.X-Version": "1.2.4"}, "http_header")
    fails(world, settings | {"expect_header.X-Missing": "1"}, "http_header")


@shows("expect_header_regex.")
def test_expect_header_regex(world):
    settings = world.scripted("response-pattern", {"headers": {"X-Version": "release 1.2.3"}})
    ok(world, settings | {"expect_header_regex.x-version": r"^release \d+\.\d+\.\d+$"})
    fails(world, settings | {"expect_header_regex.x-version": r"^\d"}, "http_header")


@shows("max_body")
def test_max_body(world):
    settings = world.scripted("size", {"body_bytes": 10 * 1024})
    assert ok(world, settings | {"max_body": "10KiB"})["bytes"] == 10 * 1024
    fails(world, settings | {"max_body": "9KiB"}, "http_too_large")


@shows("max_body")
@pytest.mark.parametrize("fault", ("endless_body", "endless_headers", "gzip_bomb"))
def test_no_answer_is_taken_without_end(world, fault):
    settings = world.scripted(fault.replace("_", "-"), {"fault": fault}, max_body="32KiB", timeout="5s")
    started = time.monotonic()
    fails(world, settings, "http_too_large")
    assert time.monotonic() - started < 4


# ---- where to

@shows("ip")
def test_ip_family(world):
    both = world.stack.enter_context(dual_origin())
    url = f"http://{world.name('dual', ('127.0.0.1', '::1'))}:{both.http_port}/"
    for ip, address, family in (("v4", "127.0.0.1", 4), ("v6", "::1", 6), ("auto", "127.0.0.1", 4)):
        result = ok(world, world.settings(url, ip=ip))
        assert (result["address"], result["family"], result["attempts"]) == (address, family, [])


@shows("ip")
@pytest.mark.parametrize("failure, outcome", (({"rcode": "SERVFAIL"}, "dns_servfail"), ({"drop": True}, "dns_timeout"),
                                              ({"nodata": True}, "connect_unreachable")))
def test_a_family_that_this_host_cannot_use_hides_no_failure_of_the_other(world, failure, outcome):
    # Of a broadcast address: as good as a family that is switched off.
    name = world.name(outcome.replace("_", "-") + "-one", {"A": {"addresses": ["127.255.255.255"]}, "AAAA": failure})
    fails(world, world.settings(f"http://{name}/", dns_timeout="300ms"), outcome)


@shows("ip")
def test_ip_both_is_one_run_with_the_worse_result(world):
    both = world.stack.enter_context(dual_origin())
    settings = world.settings(f"http://{world.name('dual2', ('127.0.0.1', '::1'))}:{both.http_port}/", ip="both")
    result = ok(world, settings)
    assert {each["address"] for each in result["attempts"]} == {"127.0.0.1", "::1"}
    settings["url"] = f"http://{world.name('dual2')}:{both.http_port}/"
    result = fails(world, settings, "dns_nodata")
    assert {each["outcome"] for each in result["attempts"]} == {"ok", "dns_nodata"}


def dual_origin():
    """An origin on both loopback addresses, one port."""
    for _ in range(20):
        first = http_origin.Origin(http=("127.0.0.1:0",))
        first.start()
        port = first.http_port
        first.stop()
        try:
            origin = http_origin.Origin(http=(f"127.0.0.1:{port}", f"[::1]:{port}"))
            origin.start()
            return Started(origin)
        except OSError:
            origin.stop()
    raise RuntimeError("no port is free on both loopback addresses")


class Started:
    """A server that was started already, to be stopped with the block."""

    def __init__(self, server):
        self.server = server

    def __enter__(self):
        return self.server

    def __exit__(self, *_):
        self.server.stop()


@shows("addresses")
def test_addresses_first_and_all(world):
    port = world.nginx.http_port
    name = world.name("many", ("127.0.0.1", "127.0.0.2", "127.0.0.3"))  # nginx listens on the first only
    first = world.settings(f"http://{name}:{port}/", addresses="first")
    result = ok(world, first)
    assert (result["address"], result["attempts"]) == ("127.0.0.1", [])
    result = fails(world, first | {"addresses": "all"}, "connect_refused")
    assert {each["address"]: each["outcome"] for each in result["attempts"]} == {
        "127.0.0.1": "ok", "127.0.0.2": "connect_refused", "127.0.0.3": "connect_refused"}
    assert result["address"] in ("127.0.0.2", "127.0.0.3")


@shows("resolver")
def test_resolvers_in_their_order(world):
    with dns_server.DnsServer() as second:
        second.set("fallback.probe.test", ["127.0.0.1"])
        settings = world.http("fallback") | {"resolver": f"{world.dns.address}, {second.address}"}
        result = ok(world, settings)
        assert result["resolver"] == world.dns.address and "fallback" not in result["marks"]
        assert second.count("fallback.probe.test", "A") == 0


@shows("resolver")
def test_a_silent_resolver_is_followed_by_the_next(world):
    with dns_server.DnsServer() as second:
        second.set("second.probe.test", ["127.0.0.1"])
        settings = world.http("second") | {"resolver": f"{world.dns.address}, {second.address}"}
        world.name("second", {"*": {"drop": True}})
        result = ok(world, settings | {"dns_timeout": "400ms"})
        assert result["resolver"] == second.address and "fallback" in result["marks"]
        assert result["dns_us"] >= 200_000


@shows("resolver")
def test_a_resolver_on_ipv6(world):
    with dns_server.DnsServer(addresses=("[::1]:0",)) as six:
        six.set("six.probe.test", ["127.0.0.1"])
        result = ok(world, world.http("six") | {"resolver": six.address})
        assert result["resolver"] == six.address and six.address.startswith("[::1]:")


# ---- time

@shows("dns_timeout")
def test_dns_timeout(world):
    settings = world.http("slow-dns", dns_timeout="300ms")
    world.name("slow-dns", {"*": {"addresses": ["127.0.0.1"], "delay_ms": 600}})
    result = fails(world, settings, "dns_timeout")
    assert 300_000 <= result["total_us"] < 550_000
    ok(world, settings | {"dns_timeout": "2s"})


@shows("dns_tries")
def test_dns_tries(world):
    answer = {"*": {"addresses": ["127.0.0.1"], "drop_first": 1}}
    settings = world.http("lossy", dns_timeout="600ms", ip="v4")
    world.name("lossy", answer)
    fails(world, settings | {"dns_tries": 1}, "dns_timeout")
    assert world.dns.count("lossy.probe.test", "A") == 1
    world.name("lossy", answer)
    result = ok(world, settings | {"dns_tries": 2})
    assert world.dns.count("lossy.probe.test", "A") == 3
    assert result["dns_retransmits"] == 1 and result["dns_us"] >= 200_000


@shows("connect_timeout")
def test_connect_timeout(world):
    settings = world.settings(f"http://{world.name('syn')}:{world.silent_port()}/")
    for limit_ms in (150, 400):
        result = fails(world, settings | {"connect_timeout": f"{limit_ms}ms"}, "connect_timeout")
        assert limit_ms * 1000 <= result["total_us"] - result["dns_us"] < (limit_ms + 150) * 1000


@shows("tls_timeout")
def test_tls_timeout(world):
    settings = world.scripted_tls("slow-tls", {"tls_delay_ms": 600}, tls_timeout="250ms")
    result = fails(world, settings, "tls_timeout")
    assert 250_000 <= result["total_us"] < 550_000
    ok(world, settings | {"tls_timeout": "2s"})


@shows("timeout")
def test_timeout_spans_all_phases(world):
    """Each phase stays below its own limit; the sum does not."""
    settings = world.scripted("slow-all", {"first_byte_delay_ms": 300}, timeout="400ms", dns_timeout="390ms")
    world.name("slow-all", {"*": {"addresses": ["127.0.0.1"], "delay_ms": 250}})
    result = fails(world, settings, "http_timeout")
    # What a busy host takes between two phases is in none of them, but within the timeout.
    assert 380_000 <= result["total_us"] < 500_000
    ok(world, settings | {"timeout": "2s"})


# ---- tls and http

@shows("tls_ca")
def test_tls_ca(world):
    settings = world.https("ca")
    assert ok(world, settings)["certificate_days"] == 89
    del settings["tls_ca"]
    assert fails(world, settings, "tls_untrusted")["certificate_days"] == 89


@shows("tls_verify")
@pytest.mark.parametrize("host, days", (("expired", -4), ("wrong-name", 89), ("untrusted", 89), ("self-signed", 89)))
def test_tls_verify_off(world, host, days):
    result = ok(world, world.https(host, tls_verify="no"))
    assert result["certificate_days"] == days


@shows("http")
@pytest.mark.parametrize("http, port, version", (
    ("1.1", "https_port", "1.1"), ("1.1", "h2_port", "1.1"), ("auto", "https_port", "1.1"), ("auto", "h2_port", "2"),
    ("2", "h2_port", "2")))
def test_http_version(world, http, port, version):
    settings = world.settings(f"https://{world.name('version')}:{getattr(world.nginx, port)}/healthz", http=http,
                              expect_body="ok")
    assert ok(world, settings)["http_version"] == version


@shows("http")
def test_http_2_is_demanded(world):
    """A server that only speaks HTTP/1.1 does not pass for one that speaks HTTP/2."""
    settings = world.https("only1", http="2")
    result = world.command.probe(settings).result
    assert result["outcome"] in ("http_protocol", "tls_handshake"), result


@shows("follow_redirects")
def test_redirects_are_not_followed_unless_asked(world):
    settings = world.scripted("hop0", {"redirect": "/hop-end"})
    world.scripted("hop-end", {"body": "arrived"})
    assert fails(world, settings, "http_status")["status"] == 302
    ok(world, settings | {"follow_redirects": "yes", "expect_body": "arrived"})


@shows("follow_redirects")
def test_five_hops_and_no_more(world):
    for number in range(1, 7):
        world.scripted(f"count{number}", {"redirect": f"/count{number - 1}"})
    settings = world.scripted("count0", {"body": "arrived"}, follow_redirects="yes", expect_body="arrived")
    base = settings["url"].removesuffix("/count0")
    result = ok(world, settings | {"url": f"{base}/count5"})
    assert result["total_us"] == sum(probe_command.check_phases(result).values())
    assert fails(world, settings | {"url": f"{base}/count6"}, "http_status")["status"] == 302


@shows("follow_redirects")
def test_a_redirect_loop_ends(world):
    result = fails(world, world.http("loop", "/redirect-loop", follow_redirects="yes"), "http_status")
    assert result["status"] == 302 and "5 redirects" in result["detail"]


@shows("follow_redirects")
def test_a_redirect_to_another_host_is_resolved_and_gets_no_headers(world):
    other = world.scripted("landing", {"body": "arrived"})
    settings = world.scripted("leave", {"redirect": other["url"]}, follow_redirects="yes") | {
        "header.X-Secret": "hush", "expect_body": "arrived"}
    ok(world, settings)
    assert header(last_request(world, "leave"), "x-secret") == ["hush"]
    assert header(last_request(world, "landing"), "x-secret") == []
    assert world.dns.count("landing.probe.test", "A") == 1


@shows("follow_redirects")
def test_a_redirect_from_https_to_http_is_refused(world):
    world.origin.script.routes["/down"] = {"redirect": f"http://down.probe.test:{world.origin.http_port}/plain-end"}
    settings = world.scripted_tls("down", {}, follow_redirects="yes")
    settings["url"] += "down"
    result = fails(world, settings, "http_status")
    assert "https to http" in result["detail"]
    assert not [request for request in world.origin.requests() if request["target"] == "/plain-end"]


@shows("follow_redirects")
@pytest.mark.parametrize("status, method, body", ((301, "GET", ""), (302, "GET", ""), (303, "GET", ""),
                                                  (307, "POST", "payload"), (308, "POST", "payload")))
def test_the_method_after_a_redirect(world, status, method, body):
    world.scripted(f"after-{status}", {})
    settings = world.scripted(f"from-{status}", {"redirect": f"/after-{status}", "status": status},
                              follow_redirects="yes", method="POST", body="payload")
    ok(world, settings)
    request = last_request(world, f"after-{status}")
    assert (request["method"], request["body"]) == (method, body)


# ---- signing

def verified(world, label, region="us-east-1", **how):
    """Signs a probe of the scripted origin over TLS; botocore judges what arrived there."""
    world.origin.script.routes[f"/{label}"] = {}
    settings = world.scripted_tls(label, {}, auth="sigv4", sign_host=f"{label}.probe.test")
    settings["url"] += label
    settings |= how.pop("settings", {})
    ok(world, settings, env={**probe_command.STATIC_CREDENTIALS, **how.pop("env", {})}, **how)
    request = last_request(world, label)
    received = http_service.Request(request["method"], request["target"], request["headers"], b"", None)
    claimed = header(request, "x-amz-content-sha256")
    assert claimed == ["UNSIGNED-PAYLOAD"]
    rules = gate_signature.Rules(region, ("vpc-lattice-svcs",))
    return check_unsigned_payload(received, rules)


def check_unsigned_payload(received, rules):
    """verify() of the gate wants the body's hash, which Lattice does not support: so its parts."""
    match = gate_signature.AUTHORIZATION.fullmatch(received.header("authorization"))
    access_key, date, region, service_name, signed, signature = match.groups()
    assert (region, service_name) == (rules.region, rules.services[0])
    stamp = received.header("x-amz-date")
    gate_signature.check_date(stamp, date, time.time())
    gate_signature.check_signed_headers(received, signed.split(";"))
    wanted = gate_signature.expected_signature(received, rules.secrets[access_key], access_key, region,
                                               service_name, signed.split(";"), stamp)
    assert signature == wanted
    return signed.split(";")


@shows("auth", "sign_host")
def test_a_signed_probe_is_what_botocore_would_sign(world):
    signed = verified(world, "signed")
    assert {"host", "x-amz-content-sha256", "x-amz-date"} <= set(signed)


@shows("auth")
def test_the_signature_covers_path_query_and_method(world):
    settings = {"url": f"https://query.probe.test:{world.origin.https_port}/query?b=2&a=%20x&a=1&empty=",
                "method": "POST", "body": "not signed"}
    verified(world, "query", settings=settings)


@shows("auth")
def test_the_session_token_is_sent_and_signed(world):
    assert "x-amz-security-token" in verified(world, "token", env={"AWS_SESSION_TOKEN": "EXAMPLEtoken"})


@shows("auth")
def test_a_lattice_host_is_signed_for_its_own_region(world):
    host = "web-0a1b2c3d4e5f67890.7d67968.vpc-lattice-svcs.us-east-1.on.aws"
    world.dns.set(host, ["127.0.0.1"])
    settings = world.settings(f"https://{host}:{world.origin.https_port}/lattice", auth="sigv4")
    world.origin.script.routes["/lattice"] = {}
    ok(world, settings, cloudwatch={"region": "eu-central-1"}, env=probe_command.STATIC_CREDENTIALS)
    request = last_request(world, "lattice")
    assert "/us-east-1/vpc-lattice-svcs/aws4_request" in header(request, "authorization")[0]


@shows("auth")
def test_the_region_comes_from_where_the_daemon_finds_it(world, tmp_path):
    profile = tmp_path / "aws-config"
    profile.write_text("[default]\nregion = eu-west-3\n")
    profile.chmod(0o600)
    verified(world, "profile", region="eu-west-3", cloudwatch={"region": "auto"},
             env={"AWS_CONFIG_FILE": str(profile)})


@shows("auth")
def test_nothing_is_signed_unasked(world):
    ok(world, world.scripted("clear", {}, auth="none"), env=probe_command.STATIC_CREDENTIALS)
    assert header(last_request(world, "clear"), "authorization") == []


@shows("auth", "sign_host")
def test_a_host_that_must_not_be_signed_for_is_refused_at_once(world):
    for settings in (world.https("other", auth="sigv4"), world.https("other", auth="sigv4", sign_host="another.test"),
                     world.http("other", auth="sigv4", sign_host="other.probe.test")):
        answer = world.command.probe(settings, env=probe_command.STATIC_CREDENTIALS)
        assert answer.code == 2 and answer.stdout == "" and "auth" in answer.stderr, answer


@shows("auth")
def test_a_signature_never_crosses_a_redirect(world):
    world.origin.script.routes["/signed-hop"] = {"redirect": "/signed-end"}
    world.origin.script.routes["/signed-end"] = {}
    settings = world.scripted_tls("hop-signed", {}, auth="sigv4", sign_host="hop-signed.probe.test",
                                  follow_redirects="yes")
    settings["url"] += "signed-hop"
    ok(world, settings, env=probe_command.STATIC_CREDENTIALS)
    assert header(last_request(world, "signed-hop"), "authorization") != []
    for name in ("authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"):
        assert header(last_request(world, "signed-end"), name) == []


# ---- when

@shows("interval", "addresses")
def test_interval_and_rotation(world):
    """A run a second, in turns by the three addresses; nginx listens on the first alone."""
    name = world.name("rotate", ("127.0.0.3", "127.0.0.1", "127.0.0.2"))
    settings = world.settings(f"http://{name}:{world.nginx.http_port}/", interval="1s", timeout="500ms",
                              addresses="rotate")
    conf = world.command.conf({"it": settings}, cloudwatch={"period": "1s"})
    daemon = world.command.run(conf, "--dry-run", "--verbose")
    try:
        daemon.wait_until(lambda: sum(daemon.runs().values()) >= 4, "four runs")
        counters = daemon.stop()
    finally:
        daemon.kill()
    runs = [line for line in daemon.lines if "level=debug target=it" in line][:4]
    assert [probe_command.pairs(line)["outcome"] for line in runs] == [
        "ok", "connect_refused", "connect_refused", "ok"]
    assert counters["scheduled"] >= 4
    seconds = [datetime.datetime.fromisoformat(line.split()[0].replace("Z", "+00:00")).timestamp() for line in runs]
    assert 2.5 < seconds[3] - seconds[0] < 3.5, seconds


@shows("unhealthy_after", "healthy_after", "diagnose")
@pytest.mark.parametrize("unhealthy_after, healthy_after, diagnose", ((2, 1, "no"), (1, 2, "yes")))
def test_health_and_diagnosis(world, unhealthy_after, healthy_after, diagnose):
    """The service fails until it is diagnosed, or has failed for long enough that it would have been."""
    settings = world.scripted("ill", {"status": 500}, interval="1s", timeout="500ms", diagnose=diagnose,
                              unhealthy_after=unhealthy_after, healthy_after=healthy_after)
    daemon = world.command.run(world.command.conf({"it": settings}), "--dry-run", "--verbose")
    try:
        assert f"after={unhealthy_after} " in daemon.wait_for_line("target=it event=unhealthy")
        if diagnose == "yes":
            daemon.wait_for_line("target=it event=diagnosis verdict=")
        world.origin.script.routes["/ill"] = {}
        assert daemon.wait_for_line("target=it event=healthy").endswith(f"after={healthy_after}")
        if diagnose == "no":
            daemon.wait_until(lambda: sum(daemon.runs().values()) >= 8, "time for a diagnosis")
        daemon.stop()
    finally:
        daemon.kill()
    assert ("event=diagnosis" in daemon.log) == (diagnose == "yes")


@shows("enabled")
def test_a_disabled_probe_does_not_run(world):
    conf = world.command.conf({"on": world.http("on"), "off": world.http("off", enabled="no")})
    assert [result["probe"] for result in world.command.once(conf=conf).results] == ["on"]
    assert world.dns.count("off.probe.test", "A") == 0
    assert world.command.once("off", conf=conf).code == 2


def test_every_probe_key_has_a_case():
    assert set(CASES) == probe_keys()
