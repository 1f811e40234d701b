# SPDX-License-Identifier: Apache-2.0
"""Whatever a server sends, the agent's memory and time are bounded, it runs on, and no terminal is moved.

The agent has all of them at once, twice over; each is somebody's answer to a probe, to the metadata service, or
to a question about credentials.
"""

import contextlib
import json
import os
import pathlib
import socket
import threading

import pytest

import probe_command
from probe_runner import balanced

MIB = 1024 * 1024
GROWTH_MAX = 24 * MIB  # all hostile probes side by side; one giant alone would be 64 MiB
ESCAPE = "\x1b[2J\x1b]0;owned\x07\x9b31m"
MALFORMED = ("wrong_id", "wrong_question", "other_port", "not_a_reply", "short", "header_only", "garbage",
             "pointer_loop", "bad_rdlength", "count_lies")


class Dripping:
    """A server that sends a header without end, a byte each 20 ms, to whoever asks."""

    def __init__(self, preamble):
        self.preamble = preamble
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.is_over = threading.Event()
        self.threads = [threading.Thread(target=self._accept, daemon=True)]
        self.threads[0].start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while not self.is_over.is_set():
                client, _ = self.listener.accept()
                thread = threading.Thread(target=self._drip, args=(client,), daemon=True)
                self.threads.append(thread)
                thread.start()

    def _drip(self, client):
        with client, contextlib.suppress(OSError):
            client.sendall(self.preamble)
            while not self.is_over.wait(0.02):
                client.sendall(b"x")

    def close(self):
        self.is_over.set()
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self.threads:
            thread.join(5)


@pytest.fixture
def dripping():
    servers = []

    def start(preamble):
        servers.append(Dripping(preamble))
        return servers[-1]
    yield start
    for server in servers:
        server.close()


@pytest.fixture
def path(short_folder):
    return short_folder / "s"


def resident(daemon):
    """(now, highest ever), in bytes."""
    text = pathlib.Path(f"/proc/{daemon.process.pid}/status").read_text(encoding="ascii")
    found = dict(line.split(":", 1) for line in text.splitlines())
    return tuple(int(found[key].split()[0]) * 1024 for key in ("VmRSS", "VmHWM"))


def is_sanitized(command):
    return b"__asan_init" in pathlib.Path(command.binary).read_bytes()


def check_harmless(text):
    """No control character but the end of a line, neither of ASCII nor of Latin-1 (C1)."""
    bad = {character for character in text if (ord(character) < 0x20 and character != "\n") or
           0x7f <= ord(character) <= 0x9f}
    assert not bad, f"{bad} in {text!r}"


def hostile_answers(world, dripping):
    """name: (settings, the outcomes it may end with)"""
    answers = {}
    for fault in ("endless_headers", "endless_body", "huge_header", "gzip_bomb"):
        answers[fault] = (world.scripted(f"h-{fault}".replace("_", "-"), {"fault": fault}, max_body="64KiB",
                                         expect_body="x"),
                          # A bomb that nobody inflates is a small body.
                          {"http_body"} if fault == "gzip_bomb" else {"http_too_large"})
    answers["stall"] = (world.scripted("h-stall", {"fault": "stall"}), {"http_timeout"})
    answers["drip_body"] = (world.scripted("h-drip", {"body_bytes": 4096, "drip": {"bytes": 1, "every_ms": 20}}),
                            {"http_timeout"})
    for name, preamble in (("drip_status", b""), ("drip_header", b"HTTP/1.1 200 OK\r\nX-Long: "),
                           ("drip_chunks", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;")):
        answers[name] = ({"url": f"http://127.0.0.1:{dripping(preamble).port}/"}, {"http_timeout", "http_protocol"})
    raw = f"HTTP/1.1 500 {ESCAPE}\r\nX-Note: {ESCAPE}\r\nContent-Length: 0\r\n\r\n"
    answers["escapes"] = (world.scripted("h-escapes", {"raw": raw}), {"http_status", "http_protocol"})
    answers["escaped_location"] = (world.scripted("h-location", {
        "raw": f"HTTP/1.1 302 Found\r\nLocation: http://{ESCAPE}/\r\nContent-Length: 0\r\n\r\n"},
        follow_redirects="yes"), {"http_status", "http_protocol"})
    answers["not_decoded"] = (world.scripted("h-gzip", {"headers": {"Content-Encoding": "gzip"}, "body": "plain"},
                                             expect_body="plain"), {"ok"})
    for word in MALFORMED:
        name = world.name(f"m-{word}".replace("_", "-"), {"*": {"addresses": ["127.0.0.1"], "malformed": word}})
        answers[f"dns_{word}"] = (world.settings(f"http://{name}/"), {"dns_bad_reply", "dns_timeout"})
    for label, answer, outcomes in (
            ("loop", {"cname_loop": True}, {"dns_bad_reply"}),
            ("chain", {"cname": [f"c{n}.alias.test" for n in range(40)], "addresses": ["127.0.0.1"]}, {"dns_bad_reply"}),
            ("crowd", {"many": 4000}, {"connect_timeout", "connect_refused", "connect_unreachable", "http_status",
                                       "connect_denied"})):
        name = world.name(f"d-{label}", {"A": answer, "AAAA": {"nodata": True}})
        answers[f"dns_{label}"] = (world.settings(f"http://{name}:1/", ip="v4"), outcomes)
    name = world.name("d-ttl", {"A": {"addresses": ["127.0.0.1"], "ttl": 4294967295}})
    answers["dns_ttl"] = (world.settings(f"http://{name}:{world.nginx.http_port}/", ip="v4"), {"ok"})
    return answers


def denied_answers(world):
    """Each way to a metadata or credential endpoint, by name and by redirect."""
    answers = {}
    for number, address in enumerate(("169.254.169.254", "169.254.170.2", "169.254.170.23", "fd00:ec2::254",
                                      "fd00:ec2::23", "::ffff:169.254.169.254", "64:ff9b::169.254.169.254",
                                      "64:ff9b::169.254.170.2", "64:ff9b:1::169.254.170.23")):
        name = world.name(f"denied{number}", (address,))
        answers[f"denied{number}"] = (world.settings(f"http://{name}/"), {"local_denied"})
        route = {"redirect": f"http://{name}/latest/meta-data/"}
        answers[f"hop{number}"] = (world.scripted(f"hop{number}", route, follow_redirects="yes"), {"local_denied"})
        literal = f"[{address}]" if ":" in address else address
        route = {"redirect": f"http://{literal}/latest/meta-data/"}
        answers[f"literal{number}"] = (world.scripted(f"literal{number}", route, follow_redirects="yes"),
                                       {"local_denied", "http_status"})
    return answers


def outcomes_of(command, path):
    status = command.command("status", "--socket", path, "--json").json
    return {probe["probe"]: (probe["outcome"], probe["total_us"]) for probe in status["probes"]}


def test_all_at_once_cost_little_and_last_no_longer_than_their_timeout(runner, world, command, path, dripping):
    answers = {**hostile_answers(world, dripping), **denied_answers(world), "well": (world.http("among-hostile"), {"ok"})}
    daemon = runner.start({name: settings for name, (settings, _) in answers.items()}, "--verbose",
                          agent={"status_socket": path})
    daemon.wait_for_line("event=started")
    before, _ = resident(daemon)
    daemon.wait_until(lambda: all(outcome for outcome, _ in outcomes_of(command, path).values()), "a run of each")
    daemon.wait_until(lambda: sum(daemon.runs().values()) >= 2 * len(answers), "two runs of each")
    found = outcomes_of(command, path)
    for name, (_, expected) in answers.items():
        outcome, total_us = found[name]
        assert outcome in expected | {"local_fault"}, (name, found[name], expected)
        assert total_us <= 1_500_000, (name, found[name])  # 900 ms, and what a machine under load adds
    assert found["well"][0] == "ok"
    print(f"{len(answers)} probes, {sum(daemon.runs().values())} runs: {before} bytes at first, "
          f"{resident(daemon)} now and at most")
    if not is_sanitized(command):
        assert resident(daemon)[1] - before < GROWTH_MAX, f"{before} bytes at first, {resident(daemon)} at the end"
    human = command.command("status", "--socket", path)
    counters = balanced(daemon.stop())
    check_harmless(daemon.log + human.stdout)
    assert counters["run"] >= 2 * len(answers)


def test_no_encoding_is_asked_for(world):
    answer = world.command.probe(world.scripted("accepts", {"echo": True}, expect_body='"path"'))
    assert answer.result["outcome"] == "ok"
    request = [each for each in world.origin.requests() if each["target"] == "/accepts"][-1]
    assert "accept-encoding" not in {name.lower() for name, *_ in request["headers"]}, request


def test_people_see_no_control_characters_of_a_server(world, dripping):
    for name, (settings, _) in hostile_answers(world, dripping).items():
        if "escape" in name:
            conf = world.command.conf({"it": settings})
            for words in (("once", "-c", conf), ("diagnose", "-c", conf, "it", "--verbose")):
                answer = world.command.command(*words)
                check_harmless(answer.stdout + answer.stderr)


# ---- who hands out keys and facts

@pytest.mark.parametrize("fault", ({"action": "giant"}, {"action": "invalid_json"}, {"action": "no_token"},
                                   {"action": "silent"}, {"action": "reset"}), ids=lambda fault: fault["action"])
def test_a_hostile_metadata_service_costs_little(runner, world, imds, fault):
    imds.apply({"faults": [fault]})
    daemon = runner.start({"well": world.http("imds-hostile")}, "--verbose", env={
        "AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.url})
    daemon.wait_for_line("event=started")
    before, _ = resident(daemon)
    daemon.wait_until(lambda: imds.requests() and sum(daemon.runs().values()) >= 3, "runs beside a question to it")
    grown = resident(daemon)[1] - before
    balanced(daemon.stop())
    check_harmless(daemon.log)
    assert is_sanitized(runner.command) or grown < 8 * MIB, f"{grown} bytes more"


@pytest.mark.parametrize("fault", ({"action": "giant"}, {"action": "invalid_json"}, {"action": "silent"}),
                         ids=lambda fault: fault["action"])
def test_a_hostile_container_endpoint_costs_little(runner, world, container_credentials, fault):
    container_credentials.apply({"faults": [fault]})
    daemon = runner.start({"well": world.http("container-hostile")}, "--verbose", env={
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{container_credentials.url}/v2/credentials/1"})
    daemon.wait_for_line("event=started")
    before, _ = resident(daemon)
    daemon.wait_until(lambda: container_credentials.requests() and sum(daemon.runs().values()) >= 3, "runs")
    grown = resident(daemon)[1] - before
    balanced(daemon.stop())
    check_harmless(daemon.log)
    assert is_sanitized(runner.command) or grown < 8 * MIB, f"{grown} bytes more"


# ---- what a configuration may smuggle

INJECTIONS = ("\rX-Evil: 1", "\r\n X-Evil: 1", "\0X-Evil: 1", "\vX-Evil: 1", "\x1bX-Evil: 1", "\x7f", "\x85X-Evil: 1")


@pytest.mark.parametrize("key", ("header.X-Good", "header_file.X-Good", "method", "url", "sign_host", "header.X-\rEvil"))
def test_no_setting_smuggles_a_header_in(world, key):
    for number, injection in enumerate(INJECTIONS):
        label = f"smuggle-{key.strip().replace('.', '-').replace('_', '-').lower()[:14]}-{number}".replace("\r", "")
        settings = world.scripted(label, {})
        if key == "url":
            settings["url"] += injection
        elif key == "header_file.X-Good":
            secret = world.command.path(f"secret-{number}")
            secret.write_bytes(b"good" + injection.encode())
            secret.chmod(0o600)
            settings[key] = secret
        elif key == "method":
            settings[key] = "GET" + injection
        else:
            settings[key] = "good" + injection
        answer = world.command.probe(settings)
        check_harmless(answer.stderr)
        sent = [request for request in world.origin.requests() if request["target"].startswith(f"/{label}")]
        names = {name.lower() for request in sent for name, _ in request["headers"]}
        assert "x-evil" not in names, (key, injection, answer)
        assert answer.code == 2 or len(sent) == 1, (key, injection, answer)


def test_a_status_socket_that_talks_nonsense_moves_no_terminal(command, path):
    """Whoever owns the path may write what he likes to whoever asks it."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.fspath(path))
        listener.listen(4)
        said = json.dumps({"version": ESCAPE, "agent_id": ESCAPE, "state": ESCAPE, "probes": [
            {"probe": ESCAPE, "state": "unhealthy", "outcome": ESCAPE, "last": {"detail": ESCAPE},
             "diagnosis": {"verdict": ESCAPE, "confidence": ESCAPE, "summary": ESCAPE}}],
            "self_check": {"well": False, "cause": ESCAPE, "since": ESCAPE}}, ensure_ascii=False).encode()

        def serve():
            client, _ = listener.accept()
            with client:
                client.sendall(said)
        thread = threading.Thread(target=serve)
        thread.start()
        answer = command.command("status", "--socket", path)
        thread.join(10)
    check_harmless(answer.stdout + answer.stderr)
