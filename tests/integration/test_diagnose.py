# SPDX-License-Identifier: Apache-2.0
"""`lattice-probe diagnose` against real servers in a room of its own (room.py): a configured resolver,
the VPC's resolver, the metadata service and a service at an address of Lattice's.

What needs a kernel's firewall or several hosts is the lab's.
"""

import contextlib
import json
import socket
import threading
import time

import pytest

import dns_server
import gate as gate_server
import http_origin
import imds_server
import probe_command
import room
import service

TIME_MAX_US = 15_000_000
NAME = "checkout.probe.test"
GENERATED = "checkout-0123456789abcdef0.7d67968.vpc-lattice-svcs.us-east-1.on.aws"
SECRET = "Bearer-not-for-anybody-else"
DENIAL = ("AccessDeniedException: User: arn:aws:sts::123456789012:assumed-role/consumer-role/i-0abc is not authorized "
          "to perform: vpc-lattice-svcs:Invoke on resource: arn:aws:vpc-lattice:us-east-1:123456789012:service/"
          "svc-0123456789abcdef0/ because no service-based policy allows the vpc-lattice-svcs:Invoke action")
HEALTHY, PROBLEM, USAGE, UNKNOWN = 0, 1, 2, 3


class Vpc:
    """The servers of the room, and the binary."""

    def __init__(self, command, certificates, stack):
        self.room = stack.enter_context(room.Room())
        self.command = command
        self.certificates = certificates
        self.stack = stack
        self.resolver = stack.enter_context(dns_server.DnsServer(addresses=(f"{room.RESOLVER}:53",)))
        self.vpc_resolver = stack.enter_context(dns_server.DnsServer(addresses=(f"{room.VPC_RESOLVER}:53",)))
        self.imds = stack.enter_context(imds_server.ImdsServer(addresses=(f"{room.IMDS}:80",)))
        self.service = stack.enter_context(http_origin.Origin(
            {"routes": {"*": {"status": 200, "body": "ok"}}}, http=(f"{room.LATTICE}:80", f"{room.ENDPOINT}:80"),
            https=(f"{room.LATTICE}:443",), certificates=certificates))
        self.set(NAME, [room.LATTICE])

    def set(self, name, answer, vpc_answer=None):
        """What both resolvers say, or each of them."""
        self.resolver.set(name, answer)
        self.vpc_resolver.set(name, answer if vpc_answer is None else vpc_answer)

    def route(self, **route):
        self.service.set_script({"routes": {"*": route}})

    def conf(self, url=f"http://{NAME}/", text="", **settings):
        trust = {"tls_ca": self.certificates.ca} if url.startswith("https:") else {}
        return self.command.conf({"it": {"url": url, "resolver": room.RESOLVER, **trust, **settings}}, text=text)

    def diagnose(self, *words, url=f"http://{NAME}/", env=None, **settings):
        """JSON of the probe `it`; within the time, without a secret, and with the exit status that fits."""
        return self.ask("--no-aws", *words, conf=self.conf(url, **settings), env=env)

    def ask(self, *words, conf, env=None):
        began = time.monotonic()
        answer = self.command.command("diagnose", "--json", *words, "-c", conf, "it",
                                      env={"AWS_EC2_METADATA_DISABLED": "false", **(env or {})}, wrap=self.room.wrap)
        assert (time.monotonic() - began) * 1e6 < TIME_MAX_US, answer
        probe_command.check_no_secret(answer.stdout + answer.stderr, SECRET)
        assert answer.stderr == "", answer
        said = answer.json
        assert answer.code == {"healthy": HEALTHY, "undetermined": UNKNOWN}.get(said["verdict"], PROBLEM), answer
        return said

    def requests(self):
        return [request for connection in self.service.connections() for request in connection["requests"]]


@pytest.fixture
def vpc(command, certificates):
    why = room.obstacle()
    if why:
        pytest.skip(why)
    with contextlib.ExitStack() as stack:
        yield Vpc(command, certificates, stack)


def steps(said, word):
    return [step for step in said["evidence"] if step["step"] == word]


# ---- healthy

@pytest.mark.parametrize("address", (room.LATTICE, room.ENDPOINT))
def test_a_service_that_answers_is_healthy(vpc, address):
    vpc.set(NAME, [address])
    assert vpc.diagnose()["verdict"] == "healthy"
    assert len(vpc.requests()) == 1


def test_https_with_a_custom_name_is_healthy(vpc):
    vpc.set(NAME, {"A": {"cname": [GENERATED], "addresses": [room.LATTICE]}})
    assert vpc.diagnose(url=f"https://{NAME}/")["verdict"] == "healthy"


def test_an_ipv6_address_of_lattice_is_healthy(vpc):
    vpc.set(NAME, [room.LATTICE_V6])
    vpc.stack.enter_context(http_origin.Origin({"routes": {"*": {"status": 200}}}, http=(f"[{room.LATTICE_V6}]:80",)))
    assert vpc.diagnose()["verdict"] == "healthy"


def test_a_redirect_that_the_probe_follows_is_healthy(vpc):
    vpc.service.set_script({"routes": {"/": {"redirect": f"http://{NAME}/there"}, "/there": {"status": 200}}})
    assert vpc.diagnose(follow_redirects="yes")["verdict"] == "healthy"
    assert vpc.diagnose()["verdict"] == "app-status"


# ---- DNS

def answer_of(**answer):
    return {"*": answer}


@pytest.mark.parametrize("verdict, configured, vpc_says", (
    ("dns-wrong-resolver", answer_of(rcode="NXDOMAIN"), [room.LATTICE]),
    ("dns-nxdomain", answer_of(rcode="NXDOMAIN"), answer_of(rcode="NXDOMAIN")),
    ("dns-rebind-filtered", answer_of(nodata=True), [room.LATTICE]),
    ("dns-resolver-silent", answer_of(drop=True), [room.LATTICE]),
    ("dns-vpc-resolver-silent", answer_of(drop=True), answer_of(drop=True)),
    ("dns-servfail", answer_of(rcode="SERVFAIL"), answer_of(rcode="SERVFAIL")),
    ("dns-refused", answer_of(rcode="REFUSED"), [room.LATTICE]),
    ("dns-bad-reply", answer_of(malformed="garbage"), [room.LATTICE]),
    ("dns-cname-loop", answer_of(cname_loop=True), answer_of(cname_loop=True)),
    ("dns-nodata", answer_of(nodata=True), answer_of(nodata=True)),
))
def test_what_resolvers_say(vpc, verdict, configured, vpc_says):
    vpc.set(NAME, configured, vpc_says)
    said = vpc.diagnose()
    assert said["verdict"] == verdict, json.dumps(said, indent=1)
    assert steps(said, "dns")


def test_an_alias_of_a_name_that_is_gone(vpc):
    vpc.set(NAME, answer_of(rcode="NXDOMAIN", cname=[GENERATED]))
    assert vpc.diagnose()["verdict"] == "dns-dangling-cname"
    assert vpc.vpc_resolver.count(GENERATED, "A") == 1


def test_replies_that_are_lost_now_and_then(vpc):
    lossy = answer_of(sequence=[{"drop": True}, {"addresses": [room.LATTICE]}] * 20)
    vpc.set(NAME, lossy, [room.LATTICE])
    vpc.diagnose()
    assert vpc.resolver.count(NAME, "A") + vpc.resolver.count(NAME, "AAAA") >= 12
    assert vpc.vpc_resolver.count(NAME, "A") == 1


def test_a_credential_endpoint_is_never_connected_to(vpc):
    vpc.set(NAME, [room.IMDS])
    assert vpc.diagnose()["verdict"] == "dns-denied-address"
    assert all(entry["path"].startswith("/latest/") for entry in vpc.imds.requests())


# ---- the way there

def test_a_port_that_nobody_listens_on(vpc):
    assert vpc.diagnose(url=f"http://{NAME}:8081/")["verdict"] == "connect-refused"


def test_an_address_without_a_route(vpc):
    vpc.room.ip("route", "delete", "default")
    vpc.room.ip("-6", "route", "delete", "default")
    for address in (room.RESOLVER, room.VPC_RESOLVER, room.IMDS):
        vpc.room.ip("route", "add", f"{address}/32", "via", "10.0.1.1")
    assert vpc.diagnose()["verdict"] == "route-missing"


def test_an_address_that_this_host_discards(vpc):
    vpc.room.ip("route", "add", "blackhole", f"{room.LATTICE}/32")
    assert vpc.diagnose()["verdict"] == "route-diverted"


def test_an_address_that_nobody_has(vpc):
    vpc.set(NAME, ["169.254.171.99"])
    said = vpc.diagnose(connect_timeout="1s")
    assert said["verdict"] == "path-silent" and said["confidence"] == "candidates", said


def test_a_port_that_stays_silent(vpc):
    full = vpc.stack.enter_context(http_origin.Origin(http=(f"{room.LATTICE}:8082",), backlog=0))
    full.saturate()
    said = vpc.diagnose(url=f"http://{NAME}:8082/", connect_timeout="1s")
    assert said["verdict"] == "path-silent" and said["confidence"] == "candidates", said


# ---- TLS and HTTP

@pytest.mark.parametrize("verdict, connection", (
    ("tls-expired", {"certificate": "expired"}),
    ("tls-untrusted", {"certificate": "untrusted"}),
    ("tls-name-mismatch", {"certificate": "wrong_name"}),
    ("tls-unknown-name", {"tls": "alert"}),
    ("tls-silent", {"tls": "silent"}),
))
def test_what_a_handshake_comes_to(vpc, verdict, connection):
    vpc.service.set_script({"routes": {"*": {"status": 200}}, "sni": {NAME: connection}})
    said = vpc.diagnose(url=f"https://{NAME}/", tls_timeout="1s")
    assert said["verdict"] == verdict, json.dumps(said, indent=1)


def test_https_to_a_port_that_speaks_http(vpc):
    plain = vpc.stack.enter_context(http_origin.Origin({"routes": {"*": {"status": 200}}}, http=(f"{room.LATTICE}:8083",)))
    assert vpc.diagnose(url=f"https://{NAME}:8083/")["verdict"] == "tls-on-http-port"
    # The other scheme is asked for "/" alone, without anything of the probe's.
    seen = [request for connection in plain.connections() for request in connection["requests"] if "target" in request]
    assert [request["target"] for request in seen] == ["/"], seen


def test_http_to_a_port_that_speaks_tls(vpc):
    assert vpc.diagnose(url=f"http://{NAME}:443/")["verdict"] == "http-on-tls-port"


@pytest.mark.parametrize("verdict, route", (
    ("auth-denied", {"status": 403, "body": DENIAL}),
    ("auth-signature", {"status": 403, "body": "InvalidSignatureException: Signature expired"}),
    ("app-forbidden", {"status": 403, "body": "no", "headers": {"x-app": "1"}}),
    ("app-status", {"status": 500, "headers": {"x-app": "1"}}),
    ("response-timeout", {"first_byte_delay_ms": 8000}),
    ("response-stalled", {"fault": "stall"}),
    ("response-reset", {"fault": "reset"}),
    ("response-not-http", {"fault": "garbage_status"}),
))
def test_what_the_response_comes_to(vpc, verdict, route):
    vpc.route(**route)
    said = vpc.diagnose(timeout="1500ms", **{"expect_header.x-app": "1"})
    assert said["verdict"] == verdict, json.dumps(said, indent=1)


def test_a_refusal_names_nobody_unless_asked(vpc):
    vpc.route(status=403, body=DENIAL)
    said = json.dumps(vpc.diagnose())
    assert "consumer-role" not in said and "123456789012" not in said


# ---- AWS

SILENT = {f"AWS_ENDPOINT_URL_{name}": "https://10.0.0.99" for name in ("CLOUDWATCH", "EC2", "VPC_LATTICE", "STS")}


def test_metrics_that_would_not_arrive_are_told_of_a_healthy_service(vpc):
    said = vpc.ask(conf=vpc.conf(), env=SILENT)
    assert said["verdict"] == "metrics-unreachable", said
    assert steps(said, "publish"), said


def test_metrics_that_would_arrive(vpc):
    valid = vpc.certificates["valid"]
    context = service.server_tls(valid.chain, valid.key)
    gate = vpc.stack.enter_context(gate_server.Gate(addresses=(f"{room.FOREIGN}:8443",), tls=context))
    vpc.set("monitoring.probe.test", [room.FOREIGN])
    conf = vpc.command.conf({"it": {"url": f"http://{NAME}/"}}, agent={"resolver": room.RESOLVER})
    said = vpc.ask(conf=conf, env=SILENT | {"AWS_ENDPOINT_URL_CLOUDWATCH": "https://monitoring.probe.test:8443",
                                            "AWS_CA_BUNDLE": vpc.certificates.ca})
    assert said["verdict"] == "healthy", said
    assert len(gate.requests()) == 1 and gate.ledger() == []


def test_a_metadata_service_that_is_switched_off(vpc):
    said = vpc.ask(conf=vpc.conf(), env=SILENT | {"AWS_EC2_METADATA_DISABLED": "true"})
    assert said["verdict"] == "imds-off", said


def test_a_silent_control_plane_does_not_hold_up_a_silent_path(vpc):
    vpc.set(NAME, ["169.254.171.99"])
    said = vpc.ask(conf=vpc.conf(connect_timeout="1s"), env=SILENT)
    assert said["verdict"] == "path-silent" and said["confidence"] == "candidates", said
    assert steps(said, "aws"), said


def test_a_signed_request_arrives_signed(vpc):
    vpc.service.set_script({"routes": {"*": {"status": 200}}})
    said = vpc.diagnose(url=f"https://{NAME}/", auth="sigv4", sign_host=NAME)
    assert said["verdict"] == "healthy", said
    headers = {name.lower(): value for name, value in vpc.requests()[0]["headers"]}
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 "), headers
    assert "/us-east-1/vpc-lattice-svcs/aws4_request" in headers["authorization"]


# ---- the agent beside

@pytest.fixture
def agent(vpc, short_folder):
    """Starts the daemon as the consumer; its configuration has a status socket."""
    def start(**settings):
        conf = vpc.command.conf({"it": {"url": f"http://{NAME}/", "resolver": room.RESOLVER, "interval": "1s",
                                        "timeout": "500ms", "diagnose": "no", **settings}},
                                agent={"status_socket": short_folder / "s"})
        daemon = vpc.command.run(conf, "--dry-run", "--verbose", wrap=vpc.room.wrap)
        daemon.wait_for_line("target=it outcome=")
        return conf
    return start


def test_the_agents_own_view_stands_beside(vpc, agent):
    said = vpc.ask("--no-aws", conf=agent())
    assert said["verdict"] == "healthy" and steps(said, "daemon"), said


def test_the_agents_last_run_stands_in_for_an_unsafe_request(vpc, agent):
    vpc.service.set_script({"routes": {"POST /": {"status": 418}}})
    conf = agent(method="POST", body="order=1")
    said = vpc.ask("--no-aws", conf=conf)
    assert said["verdict"] == "app-status" and "418" in json.dumps(said), said
    assert "daemon's last run" in json.dumps(steps(said, "http")), said
    assert {request["method"] for request in vpc.requests() if "method" in request} == {"POST"}


@pytest.mark.parametrize("reply", (
    b"", b"not JSON", b"[]", b'{"probes": 7, "credentials": "none"}', None,
    b'{"probes": [{"probe": "it", "streak": "x", "start": 1, "last": {"outcome": 3, "status": "200"}}, 5, null]}',
    b'{"probes": [{"probe": "it", "outcome": "no_such", "start": "yesterday", "streak": 99999999999999, "last": {}}]}',
))
def test_whatever_listens_on_the_socket_hurts_nobody(vpc, short_folder, reply):
    path = short_folder / "s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        accepted = []

        def answer():
            accepted.append(listener.accept()[0])
            if reply is not None:
                accepted[0].sendall(reply)
                accepted[0].close()
        thread = threading.Thread(target=answer)
        thread.start()
        conf = vpc.command.conf({"it": {"url": f"http://{NAME}/", "resolver": room.RESOLVER}},
                                agent={"status_socket": path})
        assert vpc.ask("--no-aws", conf=conf)["verdict"] == "healthy"
        thread.join()
        accepted[0].close()


# ---- what is sent

def test_an_unsafe_request_is_never_sent(vpc):
    vpc.diagnose(method="POST", body="order=1")
    assert vpc.requests() == []
    vpc.diagnose(url=f"https://{NAME}/", method="DELETE")
    assert vpc.requests() == []
    assert vpc.service.connections()


def test_the_probes_own_request_is_sent_once_with_a_request_id(vpc):
    vpc.diagnose(**{"header.Authorization": SECRET})
    requests = vpc.requests()
    assert len(requests) == 1
    headers = {name.lower(): value for name, value in requests[0]["headers"]}
    assert headers["authorization"] == SECRET and len(headers["x-amzn-requestid"]) == 32


def test_follow_ups_carry_nothing_of_the_probes(vpc):
    vpc.service.set_script({"routes": {"*": {"status": 200}}, "sni": {NAME: {"tls": "alert"}}})
    plain = vpc.stack.enter_context(http_origin.Origin({"routes": {"*": {"status": 200}}}, http=(f"{room.FOREIGN}:443",)))
    vpc.set(NAME, [room.FOREIGN])
    vpc.diagnose(url=f"https://{NAME}/path?token={SECRET}", **{"header.Authorization": SECRET})
    seen = [request for connection in plain.connections() for request in connection["requests"]]
    assert seen and SECRET not in json.dumps(seen)


# ---- however broken it is

def test_it_ends_in_time_when_everything_is_silent(vpc):
    vpc.set(NAME, answer_of(drop=True))
    vpc.imds.apply({"faults": [{"action": "silent"}]})
    said = vpc.ask(conf=vpc.conf())
    assert said["verdict"] != "healthy"


def test_it_ends_in_time_when_resolvers_are_half_silent_and_the_service_hangs(vpc):
    vpc.resolver.set(NAME, {"A": {"addresses": [room.LATTICE]}, "AAAA": {"drop": True}})
    vpc.vpc_resolver.set(NAME, answer_of(drop=True))
    vpc.imds.apply({"faults": [{"action": "silent"}]})
    vpc.route(first_byte_delay_ms=30_000)
    vpc.ask(conf=vpc.conf(timeout="20s", interval="60s"))


def test_a_wrong_endpoint_of_the_metadata_service_hurts_nobody(vpc):
    assert vpc.diagnose(env={"AWS_EC2_METADATA_SERVICE_ENDPOINT": "nonsense"})["verdict"] == "healthy"


# ---- the command

def test_a_url_needs_no_configuration(vpc):
    answer = vpc.command.command("diagnose", "--json", f"http://{room.LATTICE}/", wrap=vpc.room.wrap)
    assert answer.code == HEALTHY and answer.json["verdict"] == "healthy", answer


def test_people_get_the_verdict_in_words(vpc):
    answer = vpc.command.command("diagnose", "--no-aws", "-c", vpc.conf(url=f"http://{NAME}:8081/"), "it",
                                 wrap=vpc.room.wrap)
    assert answer.code == PROBLEM and "connect-refused" in answer.stdout and answer.stderr == "", answer


@pytest.mark.parametrize("words, text", (
    ((), "takes one probe or one URL"),
    (("a", "b"), "takes one probe or one URL"),
    (("--nonsense", "a"), "unrecognized option"),
    (("http://169.254.169.254/",), "never probed"),
    (("ftp://x/",), "cannot be probed"),
    (("-c", "/nonexistent.conf", "a"), "/nonexistent.conf"),
))
def test_mistakes_in_the_words_are_told(command, words, text):
    answer = command.command("diagnose", *words)
    assert answer.code == USAGE and answer.stdout == "" and text in answer.stderr, answer


def test_a_probe_that_is_not_there_is_told(command):
    conf = command.conf({"it": {"url": "http://127.0.0.1/"}})
    answer = command.command("diagnose", "-c", conf, "other")
    assert answer.code == USAGE and "no probe is named 'other'" in answer.stderr, answer


def test_help_is_no_mistake(command):
    answer = command.command("diagnose", "--help")
    assert answer.code == HEALTHY and "--no-aws" in answer.stdout, answer
