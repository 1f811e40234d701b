# SPDX-License-Identifier: Apache-2.0
"""Every outcome of outcome.def, produced by a real fault and seen through `lattice-probe once --json`.

A case makes its fault on the servers of `world` (probe_world.py) and returns the probe's settings and
what the result must say. `completed` names the phases that must be there; all others must be null. An
outcome without a case fails the first test.
"""

import pathlib
import re
import sys

import pytest

import probe_command

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SUPPORT = ROOT / "tests" / "support"
EXIT_OF_PHASE = {"NONE": 0, "DNS": 1, "CONNECT": 1, "TLS": 1, "HEALTH": 1, "LOCAL": 3}
DNS, CONNECT, TLS, FIRST_BYTE, TRANSFER = probe_command.PHASES
HTTP_PHASES = (DNS, CONNECT, FIRST_BYTE, TRANSFER)
HTTPS_PHASES = (DNS, CONNECT, TLS, FIRST_BYTE, TRANSFER)
DENIED_ADDRESSES = ("169.254.169.254", "169.254.170.2", "169.254.170.23", "fd00:ec2::254", "fd00:ec2::23",
                    "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe")
CASES = []


def declared_outcomes():
    """{name: phase} of outcome.def."""
    text = (ROOT / "include" / "lattice-probe" / "outcome.def").read_text(encoding="utf-8")
    return dict(re.findall(r"^OUTCOME\(\w+, (\w+), (\w+),", text, re.MULTILINE))


def case(outcome, variant="", **how):
    """Declares a case; `how` goes to Command.once (wrap, env)."""
    def add(make):
        CASES.append(pytest.param(outcome, make, how, id=f"{outcome}-{variant}" if variant else outcome))
        return make
    return add


def failed_in_dns(world, rcode, **more):
    return {"completed": (), "address": None, "family": None, "resolver": world.dns.address, "rcode": rcode,
            "status": None, "http_version": None, "certificate_days": None, **more}


# ---- ok

@case("ok")
def healthy_over_https(world):
    world.dns.set("chain.probe.test", {"A": {"cname": ["one.alias.test", "two.alias.test"],
                                             "addresses": ["127.0.0.1"], "ttl": 17}})
    settings = world.settings(f"https://chain.probe.test:{world.nginx.https_port}/healthz",
                              expect_body='"status":"ok"')
    return settings, {
        "completed": HTTPS_PHASES, "status": 200, "http_version": "1.1", "family": 4, "address": "127.0.0.1",
        "resolver": world.dns.address, "rcode": 0, "cname": ["one.alias.test", "two.alias.test"], "ttl_s": 17,
        "certificate_days": 89, "tcp_retransmits": 0, "dns_retransmits": 0, "bytes": len('{"status":"ok"}')}


@case("ok", "http")
def healthy_in_clear_text(world):
    return world.http("plain"), {
        "completed": HTTP_PHASES, "status": 200, "http_version": "1.1", "cname": [], "ttl_s": 60,
        "certificate_days": None, "bytes": 3}


@case("ok", "literal")
def healthy_without_a_name(world):
    return {"url": f"http://127.0.0.1:{world.nginx.http_port}/"}, {
        "completed": (CONNECT, FIRST_BYTE, TRANSFER), "resolver": None, "rcode": None, "ttl_s": None,
        "address": "127.0.0.1", "status": 200}


@case("ok", "certificate")
def a_certificate_near_its_end(world):
    return world.https("ten-days"), {"completed": HTTPS_PHASES, "certificate_days": 10, "status": 200}


# ---- dns

@case("dns_nxdomain")
def name_does_not_exist(world):
    return world.settings("http://missing.probe.test/"), failed_in_dns(world, 3)


@case("dns_nodata")
def name_without_an_address(world):
    name = world.name("nodata", {"*": {"nodata": True}})
    return world.settings(f"http://{name}/"), failed_in_dns(world, 0)


@case("dns_nodata", "family")
def name_without_an_address_of_the_family(world):
    return world.settings(f"http://{world.name('v4only')}/", ip="v6"), failed_in_dns(world, 0)


@case("dns_servfail")
def resolver_fails(world):
    name = world.name("servfail", {"*": {"rcode": "SERVFAIL"}})
    return world.settings(f"http://{name}/"), failed_in_dns(world, 2)


@case("dns_refused")
def resolver_refuses(world):
    name = world.name("refused-name", {"*": {"rcode": "REFUSED"}})
    return world.settings(f"http://{name}/"), failed_in_dns(world, 5)


@case("dns_timeout")
def resolver_is_silent(world):
    name = world.name("silent", {"*": {"drop": True}})
    return world.settings(f"http://{name}/", dns_timeout="200ms"), failed_in_dns(
        world, None, total_us=range(200_000, 400_000))


@case("dns_bad_reply")
def resolver_talks_nonsense(world):
    name = world.name("nonsense", {"*": {"malformed": "bad_rdlength", "addresses": ["127.0.0.1"]}})
    return world.settings(f"http://{name}/", dns_timeout="500ms"), failed_in_dns(world, None)


@case("dns_bad_reply", "formerr")
def resolver_does_not_understand(world):
    name = world.name("formerr", {"*": {"rcode": "FORMERR"}})
    return world.settings(f"http://{name}/"), failed_in_dns(world, 1)


@case("dns_unreachable")
def no_resolver_there(world):
    resolver = f"127.0.0.1:{world.unreachable_udp_port()}"
    return (world.settings("http://any.probe.test/") | {"resolver": resolver},
            failed_in_dns(world, None, resolver=resolver))


# ---- connect

def failed_in_connect(world, **more):
    return {"completed": (DNS,), "address": "127.0.0.1", "family": 4, "resolver": world.dns.address, "rcode": 0,
            "status": None, "certificate_days": None, **more}


@case("connect_refused")
def nobody_listens(world):
    return world.settings(f"http://{world.name('closed')}:{world.refusing_port()}/"), failed_in_connect(world)


@case("connect_timeout")
def syn_without_an_answer(world):
    settings = world.settings(f"http://{world.name('full')}:{world.silent_port()}/", connect_timeout="300ms")
    return settings, failed_in_connect(world, total_us=range(300_000, 600_000))


@case("connect_unreachable")
def no_route_to_the_address(world):
    # TCP to a broadcast address is ENETUNREACH by the kernel's own rule, whatever routes there are.
    name = world.name("unreachable", ("127.255.255.255",))
    return world.settings(f"http://{name}/"), failed_in_connect(world, address="127.255.255.255")


@case("connect_denied", "prohibit", wrap=(sys.executable, SUPPORT / "deny_connect.py", "EACCES"))
@case("connect_denied", "firewall", wrap=(sys.executable, SUPPORT / "deny_connect.py", "EPERM"))
def this_host_refuses(world):
    # No name: the filter would refuse the resolver's socket as well.
    return {"url": f"http://127.0.0.1:{world.nginx.http_port}/"}, failed_in_connect(
        world, completed=(), resolver=None, rcode=None)


# ---- tls

def failed_in_tls(world, **more):
    return {"completed": (DNS, CONNECT), "address": "127.0.0.1", "rcode": 0, "status": None,
            "http_version": None, **more}


@case("tls_timeout")
def handshake_does_not_end(world):
    return world.scripted_tls("tls-silent", {"tls": "silent"}, tls_timeout="300ms"), failed_in_tls(
        world, certificate_days=None, total_us=range(300_000, 600_000))


@case("tls_handshake", "alert")
def server_knows_no_such_name(world):
    return world.https("refused"), failed_in_tls(world, certificate_days=None)


@case("tls_handshake", "clear text")
def server_speaks_no_tls(world):
    return world.scripted_tls("tls-plain", {"tls": "plain"}), failed_in_tls(world, certificate_days=None)


@case("tls_handshake", "closed")
def server_closes_in_the_handshake(world):
    return world.scripted_tls("tls-close", {"tls": "close"}), failed_in_tls(world, certificate_days=None)


@case("tls_untrusted")
def issuer_is_unknown(world):
    return world.https("untrusted"), failed_in_tls(world, certificate_days=89)


@case("tls_untrusted", "self signed")
def certificate_signs_itself(world):
    return world.https("self-signed"), failed_in_tls(world, certificate_days=89)


@case("tls_expired")
def certificate_has_expired(world):
    return world.https("expired"), failed_in_tls(world, certificate_days=-4)


@case("tls_expired", "not yet")
def certificate_is_not_valid_yet(world):
    return world.https("not-yet"), failed_in_tls(world, certificate_days=89)


@case("tls_name")
def certificate_is_for_another_name(world):
    return world.https("wrong-name"), failed_in_tls(world, certificate_days=89)


# ---- health

def answered(world, status, **more):
    return {"completed": HTTP_PHASES, "address": "127.0.0.1", "status": status, "http_version": "1.1", **more}


@case("http_timeout", "first byte")
def no_first_byte(world):
    settings = world.scripted("late", {"first_byte_delay_ms": 5000}, timeout="400ms")
    return settings, answered(world, None, completed=(DNS, CONNECT), http_version=None,
                              total_us=range(400_000, 700_000))


@case("http_timeout", "body")
def body_stalls(world):
    settings = world.scripted("stall", {"fault": "stall"}, timeout="400ms")
    return settings, answered(world, 200, completed=(DNS, CONNECT, FIRST_BYTE))


@case("http_reset")
def connection_is_reset(world):
    return world.scripted("reset", {"fault": "reset"}), answered(
        world, None, completed=(DNS, CONNECT), http_version=None)


@case("http_reset", "empty")
def reply_is_empty(world):
    return world.scripted("empty", {"fault": "empty"}), answered(
        world, None, completed=(DNS, CONNECT), http_version=None)


@case("http_reset", "cut")
def body_is_cut(world):
    settings = world.scripted("cut", {"body_bytes": 1000, "close_after": 500})
    return settings, answered(world, 200, completed=(DNS, CONNECT, FIRST_BYTE))


@case("http_protocol")
def answer_is_no_http(world):
    return world.scripted("garbage", {"fault": "garbage_status"}), {"completed": (DNS, CONNECT), "status": None}


@case("http_status")
def status_is_another(world):
    return world.http("status", "/status/503"), answered(world, 503)


@case("http_header")
def header_is_another(world):
    settings = world.http("header", "/headers") | {"expect_header.x-probe-version": "2.0"}
    return settings, answered(world, 200)


@case("http_body")
def body_is_another(world):
    return world.http("body", "/healthz", expect_body='"status":"degraded"'), answered(world, 200)


@case("http_too_large")
def body_is_too_large(world):
    return world.http("large", "/large", max_body="64KiB"), {
        "completed": (DNS, CONNECT, FIRST_BYTE), "status": 200}


@case("http_too_large", "header")
def header_is_too_large(world):
    return world.scripted("huge-header", {"fault": "huge_header"}), {"completed": (DNS, CONNECT, FIRST_BYTE)}


@case("lattice_auth_denied")
def lattice_denies(world):
    return world.https("denied", "/auth-denied"), answered(world, 403, completed=HTTPS_PHASES)


@case("lattice_no_route")
def lattice_knows_no_route(world):
    """A bare 404 that echoes our own request id, and lacks the header the application always sends."""
    request_id = "6f7c1c5e-0000-4000-8000-000000000001"
    settings = world.scripted("no-route", {"status": 404, "headers": {"x-amzn-requestid": request_id}})
    return settings | {"header.x-amzn-requestid": request_id, "expect_header.x-application": "checkout"}, answered(
        world, 404)


@case("http_status", "404")
def an_application_that_says_404(world):
    return world.https("not-found", "/no-route"), answered(world, 404, completed=HTTPS_PHASES)


# ---- local

@case("local_credentials")
def nobody_to_sign_as(world):
    settings = world.https("signed", auth="sigv4", sign_host="signed.probe.test")
    return settings, {"completed": (DNS,), "status": None}


@case("local_denied", "redirect")
def redirect_to_the_metadata_service(world):
    return world.http("hop", "/redirect-imds", follow_redirects="yes"), {
        "completed": HTTP_PHASES, "address": "169.254.169.254"}


def denied(address):
    @case("local_denied", address)
    def name_of_a_credential_endpoint(world):
        name = world.name("denied", (address,))
        return world.settings(f"http://{name}/latest/meta-data/"), {
            "completed": (DNS,), "address": address, "status": None}
    return name_of_a_credential_endpoint


for denied_address in DENIED_ADDRESSES:
    denied(denied_address)


def test_every_outcome_has_a_case():
    produced = {parameters.values[0] for parameters in CASES} | {"local_fault"}  # below, with prlimit
    assert produced == set(declared_outcomes())


@pytest.mark.parametrize("outcome, make, how", CASES)
def test_outcome(world, outcome, make, how):
    settings, expected = make(world)
    answer = world.command.probe(settings, **how)
    assert answer.stdout, answer.stderr
    check_result(answer.result, outcome, expected)
    assert answer.code == EXIT_OF_PHASE[declared_outcomes()[outcome]], answer
    assert answer.json["ok"] == (outcome == "ok") and answer.json["failed"] == (outcome != "ok")


def check_result(result, outcome, expected):
    expected = dict(expected)
    assert result["outcome"] == outcome, result
    assert set(probe_command.check_phases(result)) == set(expected.pop("completed")), result
    for key, wanted in expected.items():
        good = result[key] in wanted if isinstance(wanted, range) else result[key] == wanted
        assert good, f"{key}: {result[key]}, want {wanted}\n{result}"
    if outcome != "ok":
        assert result.get("detail"), result


@pytest.mark.parametrize("address", DENIED_ADDRESSES)
def test_a_denied_literal_is_refused_before_anything_starts(world, address):
    url = f"http://[{address}]/" if ":" in address else f"http://{address}/"
    for answer in (world.command.probe({"url": url}), world.command.once(url)):
        assert answer.code == 2 and answer.stdout == "" and "never probed" in answer.stderr, answer


def test_a_host_without_descriptors_never_blames_the_service(world):
    """At every limit: it cannot start, it cannot open the connection (local_fault), or it works."""
    conf = world.command.conf({"it": {"url": f"http://127.0.0.1:{world.nginx.http_port}/"}})
    seen = set()
    for limit in range(4, 32):
        answer = world.command.once(conf=conf, wrap=("prlimit", f"--nofile={limit}:{limit}"))
        outcome = answer.result["outcome"] if answer.stdout else "nothing"
        seen.add(outcome)
        if outcome == "nothing":
            assert answer.code in (2, 3, 127) and answer.stderr, f"limit {limit}: {answer}"
        else:
            assert (outcome, answer.code) in (("local_fault", 3), ("ok", 0)), f"limit {limit}: {answer}"
    assert {"local_fault", "ok"} <= seen


def test_the_worst_of_several_results_is_the_exit_status(world):
    good, bad = world.http("good"), world.http("bad", "/status/500")
    conf = world.command.conf({"good": good, "bad": bad, "local": world.denied()})
    assert world.command.once("good", conf=conf).code == 0
    assert world.command.once("good", "local", conf=conf).code == 3
    answer = world.command.once(conf=conf)
    assert answer.code == 1
    assert [result["probe"] for result in answer.results] == ["good", "bad", "local"]
    assert (answer.json["ok"], answer.json["failed"]) == (1, 2)
