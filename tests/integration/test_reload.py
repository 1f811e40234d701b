# SPDX-License-Identifier: Apache-2.0
"""SIGHUP: what differs in the file is taken over, and everything else goes on as if nothing had happened."""

import contextlib
import mmap
import os
import pathlib
import random
import signal
import struct
import subprocess
import time

import pytest

import probe_command
import service_manager
from probe_runner import FLEET, balanced, service

SUPPORT = pathlib.Path(probe_command.__file__).parent


@pytest.fixture
def manager():
    with service_manager.ServiceManager() as made:
        yield made


class Reloads:
    """A daemon and the file it reads."""

    def __init__(self, runner, daemon):
        self.runner = runner
        self.daemon = daemon
        self.path = pathlib.Path(daemon.process.args[daemon.process.args.index("-c") + 1])
        self.count = 0
        self.seen = 0

    def write(self, text):
        """As editors do: a new file in the place of the old one."""
        new = self.path.with_suffix(".new")
        new.write_text(text, encoding="utf-8")
        new.chmod(0o600)
        new.rename(self.path)

    def replace(self, old, new):
        text = self.path.read_text(encoding="utf-8")
        assert old in text, text
        self.write(text.replace(old, new))

    def append(self, name, settings):
        self.write(self.path.read_text(encoding="utf-8") + probe_command.section(name, settings))

    def reload(self):
        """The closing line of one reload, as pairs."""
        self.count += 1
        self.daemon.signal(signal.SIGHUP)
        closing = []

        def has_ended():
            # From where the last look ended: a storm leaves many lines.
            new, self.seen = self.daemon.lines[self.seen:], len(self.daemon.lines)
            closing.extend(line for line in new if f" reload={self.count} " in f"{line} " and
                           ("event=reloaded" in line or "event=reload_failed" in line))
            return closing or self.daemon.process.poll() is not None
        with self.daemon.changed:
            self.daemon.changed.wait_for(has_ended, probe_command.TIMEOUT_S)
        assert closing, self.daemon.log
        return probe_command.pairs(closing[0])

    def taken(self, added=0, changed=0, removed=0, unchanged=0, keys=0):
        """Reloads, and this is what it came to."""
        said = self.reload()
        assert said["event"] == "reloaded", self.daemon.log
        assert {key: int(said[key]) for key in ("added", "changed", "removed", "unchanged", "keys")} == {
            "added": added, "changed": changed, "removed": removed, "unchanged": unchanged, "keys": keys}


@pytest.fixture
def start(runner):
    """start(probes, ...) as runner.start; a Reloads."""
    def started(probes, *words, **options):
        daemon = runner.start(probes, *words, **options)
        daemon.wait_for_line("event=started")
        return Reloads(runner, daemon)
    return started


def status(command, socket):
    said = command.command("status", "--socket", socket, "--json")
    assert said.code in (0, 1, 3), said
    return said.json


def probes(command, socket):
    return {probe["probe"]: probe for probe in status(command, socket)["probes"]}


def descriptors(daemon):
    return len(os.listdir(f"/proc/{daemon.process.pid}/fd"))


# ---- what stays

def test_an_unchanged_probe_keeps_phase_streak_and_counters(start, world, command, origin, short_folder):
    """Its requests come a second apart through reloads that change everything around it."""
    def kept():
        return [request for request in origin.requests() if request.get("target") == "/kept"]
    there = start({"kept": {"url": f"http://127.0.0.1:{origin.http_port}/kept"}, "other": world.http("other")},
                  agent={"status_socket": short_folder / "s"})
    there.daemon.wait_until(lambda: len(kept()) >= 2, "two runs")
    before = probes(command, short_folder / "s")["kept"]
    changes = [lambda: there.replace("[probe other]", "[probe another]"),
               lambda: there.replace("fleet = tests", "fleet = others"),
               lambda: there.append("probe extra", {"url": f"http://127.0.0.1:{origin.http_port}/extra"})]
    for change in changes:
        change()
        there.reload()
        seen = len(kept())
        there.daemon.wait_until(lambda seen=seen: len(kept()) >= seen + 2, "two more runs")
    after = probes(command, short_folder / "s")["kept"]
    assert after["streak"] >= before["streak"] + 4 and after["runs_hour"] == after["streak"]
    assert after["state"] == "healthy" and after["streak_of"] == "ok"
    there.daemon.stop()
    at = [request["complete_us"] for request in kept()]
    gaps = [(later - sooner) / 1e6 for sooner, later in zip(at, at[1:])]
    assert all(0.5 < gap < 1.5 for gap in gaps), gaps
    assert balanced(there.daemon.closing())["missed"] == 0


def test_a_file_that_is_the_same_changes_nothing(start, world):
    there = start({"web": world.http("same")})
    there.taken(unchanged=1)
    there.taken(unchanged=1)
    assert balanced(there.daemon.stop())["missed"] == 0


# ---- probes that come, change and go

def test_probes_come_change_and_go(start, runner, world):
    there = start({"stays": world.http("stays"), "changes": world.http("changes"), "goes": world.http("goes")})
    for name in ("stays", "changes", "goes"):
        runner.wait_for_samples(there.daemon, "Success", 2, service(name))
    there.replace("http://changes.probe.test", "http://changed.probe.test")
    world.name("changed")
    there.replace("[probe goes]", "[probe comes]")
    there.taken(added=1, changed=1, removed=1, unchanged=1)
    for words in ("target=comes event=probe_added", "target=changes event=probe_changed", "target=goes event=probe_removed"):
        assert words in there.daemon.log
    gone = runner.samples("Success", service("goes"))
    runner.wait_for_samples(there.daemon, "Success", 3, service("comes"))
    runner.wait_for_samples(there.daemon, "Success", 5, service("changes"))
    counters = balanced(there.daemon.stop())
    # What the windows of the removed one still held came too: each run is a sample, by the law.
    assert runner.samples("Success", service("goes")) >= gone
    assert runner.samples("Success") == counters["run"] - counters["local"]
    assert sum(entry["sample_count"] for entry in runner.gate.ledger()) == counters["samples_delivered"]
    assert runner.gate.rejections() == []
    assert world.dns.count("changed.probe.test", "A") > 0


@pytest.mark.parametrize("what", ["removed", "changed"])
def test_a_run_that_goes_on_while_its_probe_goes_ends_and_counts(start, runner, origin, what):
    origin.set_script({"routes": {"*": {"first_byte_delay_ms": 600}}})
    there = start({"slow": {"url": f"http://127.0.0.1:{origin.http_port}/slow"}})
    there.daemon.wait_until(lambda: len(origin.requests()) >= 1, "a request in flight")
    there.replace("[probe slow]", "[probe slow]\nenabled = no" if what == "removed" else "[probe slow]\nmethod = HEAD")
    there.taken(**{what: 1})
    counters = {"removed": 1, "changed": 3}[what]
    runner.wait_for_samples(there.daemon, "Success", counters, service("slow"))
    closing = balanced(there.daemon.stop())
    assert runner.samples("Success", service("slow")) + closing["local"] == closing["run"] and closing["missed"] <= 1


def test_an_idle_agent_takes_its_first_probe_and_lets_it_go_again(start, runner, world, manager):
    there = start({}, env={**probe_command.STATIC_CREDENTIALS, **manager.env()})
    manager.wait_for_status("idle: ")
    there.append("probe first", world.http("first"))
    there.taken(added=1)
    runner.wait_for_samples(there.daemon, "Success", 2, service("first"))
    manager.wait_for_status("1 probes: 1 healthy")
    there.replace("[probe first]", "[probe first]\nenabled = no")
    there.taken(removed=1)
    assert manager.wait_for("READY", 3)["STATUS"].startswith("idle: ")
    counters = balanced(there.daemon.stop())
    assert runner.samples("Success") == counters["run"]


def test_a_secret_in_a_file_is_read_again(start, command, origin):
    secret = command.path("token")

    def set_secret(text):
        secret.write_text(text, encoding="utf-8")
        secret.chmod(0o600)
    set_secret("sesame-one")
    there = start({"web": {"url": f"http://127.0.0.1:{origin.http_port}/", "header_file.X-Token": secret}})

    def sent(value):
        return [request for request in origin.requests()
                if dict((key.lower(), text) for key, text in request["headers"])["x-token"] == value]
    there.daemon.wait_until(lambda: sent("sesame-one"), "the first secret")
    there.taken(unchanged=1)
    set_secret("sesame-two")
    there.taken(changed=1)
    there.daemon.wait_until(lambda: sent("sesame-two"), "the second secret")
    there.daemon.stop()
    probe_command.check_no_secret(there.daemon.log, "sesame-one", "sesame-two")


# ---- settings

def test_windows_are_made_anew_by_new_dimensions(start, runner, world):
    there = start({"web": world.http("dimensions")})
    runner.wait_for_samples(there.daemon, "Success", 2)
    there.replace("dimension.Environment = test", "dimension.Environment = test\ndimension.Team = blue\n"
                  "metrics = Success, Latency, ConnectLatency\nfailure_metrics = always")
    there.replace("fleet = tests", "fleet = others")
    there.taken(unchanged=1, keys=4)
    wide = {**service("web"), "Team": "blue"}
    runner.wait_for_samples(there.daemon, "ConnectLatency", 2, wide)
    counters = balanced(there.daemon.stop())
    assert runner.samples("Success", service("web")) + runner.samples("Success", wide) == counters["run"]
    assert runner.entries("DnsFailures", wide) and not runner.entries("DnsFailures", service("web"))
    assert runner.entries("ConnectLatency", service("web")) == [] and counters["missed"] == 0


def test_a_key_that_takes_a_restart_is_named_and_the_value_stays(start, runner, world):
    there = start({"web": world.http("restart")})
    there.replace("[cloudwatch]", "[cloudwatch]\nnamespace = Another\nproxy = http://127.0.0.1:9")
    there.replace("agent_id = agent-1", "agent_id = agent-2")
    there.taken(unchanged=1, keys=3)
    for section, key in (("cloudwatch", "namespace"), ("cloudwatch", "proxy"), ("agent", "agent_id")):
        assert f"event=key_needs_restart reload=1 section={section} key={key} " in there.daemon.log
    runner.wait_for_samples(there.daemon, "Success", 3)
    there.taken(unchanged=1, keys=3)
    there.daemon.stop()
    assert {entry["namespace"] for entry in runner.gate.ledger()} == {"LatticeProbe"}


def test_facts_that_were_not_asked_for_take_a_restart(start, runner, world):
    there = start({"web": world.http("facts")})
    there.replace("[cloudwatch]", "[cloudwatch]\ndimension_sets = Service, AvailabilityZoneId")
    there.taken(unchanged=1)
    assert "event=key_needs_restart reload=1 section=cloudwatch key=dimension_sets " in there.daemon.log
    runner.wait_for_samples(there.daemon, "Success", 2, service("web"))
    there.daemon.stop()


def test_the_status_socket_moves(start, world, command, short_folder):
    there = start({"web": world.http("socket")}, agent={"status_socket": short_folder / "a"})
    there.replace(f"{short_folder}/a", f"{short_folder}/b")
    there.taken(unchanged=1, keys=1)
    assert status(command, short_folder / "b")["pid"] == there.daemon.process.pid
    assert not (short_folder / "a").exists()
    there.daemon.stop()


# ---- a file with mistakes

def test_a_bad_file_changes_nothing_and_is_told_everywhere(start, runner, world, command, manager, short_folder):
    """The metric goes out beside the heartbeat, so this takes a minute."""
    socket = short_folder / "s"
    there = start({"web": world.http("good-one")}, agent={"status_socket": socket},
                  env={**probe_command.STATIC_CREDENTIALS, **manager.env()})
    assert status(command, socket)["configuration"]["refused"] is None
    good = there.path.read_text(encoding="utf-8")
    there.write(good.replace("[probe web]", "[probe other]") + "timeout = 5\n[probe second]\nurl = ftp://x\n")
    said = there.reload()
    assert said["event"] == "reload_failed" and int(said["mistakes"]) >= 2
    place = f"{there.path}:{len(good.splitlines()) + 1}: [probe other] timeout: "
    assert there.daemon.log.count("level=error event=configuration reload=1 ") == int(said["mistakes"])
    assert place in there.daemon.log
    refused = status(command, socket)["configuration"]["refused"]
    assert refused["mistakes"] == int(said["mistakes"]) and refused["first"].startswith(place) and refused["at"]
    shown = " ".join(command.command("status", "--socket", socket).stdout.split())
    assert "configuration: the file was refused" in shown and "the one before stays in force" in shown
    assert "the configuration on disk was refused" in manager.wait_for("READY", 2)["STATUS"]
    assert list(probes(command, socket)) == ["web"]
    runner.wait_for_samples(there.daemon, "ConfigReloadFailed", 1, FLEET)
    assert runner.entries("ConfigReloadFailed")[0]["values"] == [1]
    there.write(good)
    there.taken(unchanged=1)
    assert status(command, socket)["configuration"]["refused"] is None
    assert "refused" not in manager.wait_for("READY", 3)["STATUS"]
    counters = balanced(there.daemon.stop())
    assert counters["missed"] == 0 and runner.samples("Success", service("web")) == counters["run"]


def test_a_file_that_is_gone_changes_nothing(start, world):
    there = start({"web": world.http("gone")})
    there.path.rename(there.path.with_suffix(".away"))
    assert there.reload()["event"] == "reload_failed"
    there.path.with_suffix(".away").rename(there.path)
    there.taken(unchanged=1)
    assert balanced(there.daemon.stop())["missed"] == 0


# ---- outages, storms, the manager

@pytest.mark.parametrize("fault", ["error_500", "lose_reply"])
def test_a_reload_during_an_outage_loses_nothing(start, runner, world, gate, fault):
    label = f"outage-{fault}".replace("_", "-")
    gate.set_faults([{"action": fault}])
    there = start({"stays": world.http(f"{label}-a"), "goes": world.http(f"{label}-b")},
                  cloudwatch={"backfill_rate": "60/min"})
    there.daemon.wait_for_line("event=publish_failed")
    there.replace("[probe goes]", "[probe comes]")
    there.replace("dimension.Environment = test", "dimension.Environment = test\ndimension.Team = blue")
    there.replace("backfill_rate = 60/min", "backfill_rate = 600/min")
    there.taken(added=1, removed=1, unchanged=1, keys=2)
    wide = {**service("comes"), "Team": "blue"}
    gate.set_faults([])
    runner.wait_for_samples(there.daemon, "Success", 1, wide)
    counters = balanced(there.daemon.stop(timeout_s=90))
    arrived = sum(entry["sample_count"] for entry in runner.gate.ledger())
    assert counters["samples_dropped"] == counters["samples_waiting"] == 0
    assert counters["samples_delivered"] <= arrived <= counters["samples_delivered"] + counters["samples_in_doubt"]
    sent = [entry for entry in runner.entries("Success") if entry["reply"] == "sent"]
    assert sum(entry["sample_count"] for entry in sent) == counters["run"]


def test_a_storm_of_reloads(start, runner, world):
    """Probes come, change and go at random, faster than the runs; the law holds, nothing grows."""
    seed = int(os.environ.get("LATTICE_PROBE_SEED", time.time_ns() % 1_000_000))
    print(f"seed {seed}")
    chance = random.Random(seed)
    urls = [world.http(f"storm-{number}") for number in range(4)]
    there = start({"fixed": urls[0]})
    base = there.path.read_text(encoding="utf-8")
    descriptors_before = descriptors(there.daemon)
    for number in range(int(os.environ.get("LATTICE_PROBE_RELOADS", 100))):
        names = chance.sample(["a", "b", "c", "d", "e"], chance.randrange(6))
        text = base + "".join(probe_command.section(f"probe {name}", chance.choice(urls)) for name in names)
        if chance.random() < 0.1:
            text += "mistake\n"
        if chance.random() < 0.3:
            text = text.replace("fleet = tests", f"fleet = tests-{number}")
        there.write(text)
        there.reload()
    there.write(base)
    there.reload()
    runner.wait_for_samples(there.daemon, "Success", runner.samples("Success", service("fixed")) + 3, service("fixed"))
    assert descriptors(there.daemon) <= descriptors_before + 4
    counters = balanced(there.daemon.stop())
    assert runner.samples("Success") + counters["local"] == counters["run"]
    assert runner.gate.rejections() == [] and counters["samples_dropped"] == 0


def test_each_allocation_of_a_reload_fails_once(command, origin):
    """A reload that finds no memory changes nothing, whichever allocation it was; the next one is taken."""
    library, counter = command.path("fail_allocation.so"), command.path("counter")
    subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-o", library, SUPPORT / "fail_allocation.c"], check=True)
    counter.write_bytes(bytes(4096))
    url = f"http://127.0.0.1:{origin.http_port}/"

    def text(names, fleet, query):
        agent = {"fleet": fleet, "agent_id": "agent-1", "status_socket": "none", "diagnose": "no", "interval": "1d"}
        return "".join([probe_command.section("agent", agent), probe_command.section(
            "cloudwatch", {"region": "us-east-1", "dimension.Environment": "test"})] + [probe_command.section(
                f"probe {name}", {"url": url + (query if name < "c" else "")}) for name in names])
    conf = command.conf()
    conf.write_text(text("abcdef", "fleet", ""), encoding="utf-8")
    is_sanitized = b"__asan_init" in pathlib.Path(command.binary).read_bytes()
    # A sanitizer's allocator takes the place of any other: the reloads are gone through without a failure.
    env = {} if is_sanitized else {"LD_PRELOAD": str(library), "FAIL_ALLOCATION": str(counter)}
    there = Reloads(None, command.run(conf, "--dry-run", env=env))
    there.daemon.wait_for_line("event=started")
    failed = 0
    with open(counter, "r+b") as file, mmap.mmap(file.fileno(), 4096) as left:
        for number in range(1, 1000):
            there.write(text("abcdgh", f"fleet-{number}", "?new"))
            left[:4] = struct.pack("=i", number)
            said = there.reload()["event"]
            is_over = struct.unpack("=i", left[:4])[0] > 0
            left[:4] = bytes(4)
            failed += said == "reload_failed"
            if said == "reload_failed":
                there.taken(added=2, changed=2, removed=2, unchanged=2, keys=1)
            there.write(text("abcdef", "fleet", ""))
            there.taken(added=2, changed=2, removed=2, unchanged=2, keys=1)
            if is_over:
                break
    assert is_over and said == "reloaded" and (failed > 20 or is_sanitized)
    balanced(there.daemon.stop())


def test_the_manager_hears_of_a_reload_and_of_its_end(start, world, manager):
    there = start({"web": world.http("heard")}, env={**probe_command.STATIC_CREDENTIALS, **manager.env()})
    manager.wait_for("READY")
    before_us = time.monotonic_ns() // 1000
    there.taken(unchanged=1)
    begun = manager.wait_for("RELOADING")
    ended = manager.wait_for("READY", 2)
    assert before_us <= int(begun["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
    assert manager.messages.index(begun) < manager.messages.index(ended)
    there.daemon.stop()


# ---- moments: the configuration is a pipe, so that a reload lasts until somebody writes

@pytest.fixture
def pipe(command):
    """start(text) starts a daemon whose configuration is a pipe; feed(text) lets one reading end."""
    path = command.path("conf.pipe")
    os.mkfifo(path, 0o600)

    class Pipe:
        def start(self, text, *words, **options):
            daemon = command.run(path, *words, **options)
            self.feed(text)
            daemon.wait_for_line("event=started")
            return daemon

        def open(self):
            """The writing end, once somebody reads."""
            deadline = time.monotonic() + probe_command.TIMEOUT_S
            while time.monotonic() < deadline:
                with contextlib.suppress(OSError):
                    return os.fdopen(os.open(path, os.O_WRONLY | os.O_NONBLOCK), "w", encoding="utf-8")
                time.sleep(0.01)
            raise AssertionError("nobody reads the pipe")

        def feed(self, text):
            with self.open() as writer:
                writer.write(text)
    return Pipe()


def pipe_conf(names, origin):
    agent = {"fleet": "tests", "agent_id": "agent-1", "status_socket": "none", "diagnose": "no"}
    return probe_command.section("agent", agent) + probe_command.section(
        "cloudwatch", {"region": "us-east-1", "dimension.Environment": "test"}) + "".join(
            probe_command.section(f"probe {name}", {"url": f"http://127.0.0.1:{origin.http_port}/"}) for name in names)


def test_a_signal_during_a_reload_is_not_lost(pipe, origin):
    daemon = pipe.start(pipe_conf(["a"], origin), "--dry-run")
    daemon.signal(signal.SIGHUP)
    daemon.wait_for_line("event=reloading reload=1")
    for _ in range(5):
        daemon.signal(signal.SIGHUP)
    pipe.feed(pipe_conf(["a", "b"], origin))
    daemon.wait_for_line("event=reloaded reload=1 added=1")
    daemon.wait_for_line("event=reloading reload=2")
    pipe.feed(pipe_conf(["a", "b", "c"], origin))
    daemon.wait_for_line("event=reloaded reload=2 added=1")
    daemon.stop()
    assert "reload=3" not in daemon.log


def test_the_end_does_not_take_over_a_reload(pipe, origin):
    daemon = pipe.start(pipe_conf(["a"], origin), "--dry-run")
    daemon.signal(signal.SIGHUP)
    with pipe.open() as writer:
        daemon.signal(signal.SIGTERM)
        daemon.wait_for_line("event=stopping")
        daemon.signal(signal.SIGHUP)
        writer.write(pipe_conf(["a", "b"], origin))
    assert daemon.wait() == 0
    balanced(daemon.closing())
    assert "event=reloaded" not in daemon.log and "reload=2" not in daemon.log


def test_an_agent_that_does_not_know_its_region_takes_one(command, gate, world, manager):
    conf = command.conf({"web": {**world.http("region"), "interval": "1s", "timeout": "900ms"}}, cloudwatch={
        "region": "auto", "period": "1s"})
    daemon = command.run(conf, env={**probe_command.STATIC_CREDENTIALS, **manager.env(),
                                    "AWS_ENDPOINT_URL_CLOUDWATCH": gate.url})
    daemon.wait_for_line("event=identity_unknown")
    there = Reloads(None, daemon)
    there.replace("region = auto", "region = us-east-1")
    there.taken(unchanged=1, keys=1)
    daemon.wait_for_line("event=started")
    manager.wait_for_status("1 probes: ")
    daemon.wait_until(gate.ledger, "a datum")
    balanced(daemon.stop())


def test_the_signal_is_taken_at_every_moment_of_the_start(command, origin):
    """From the first line of the log on; whatever was going on then, the agent starts."""
    conf = command.conf({"web": {"url": f"http://127.0.0.1:{origin.http_port}/"}})
    daemon = command.run(conf, "--dry-run")
    with contextlib.suppress(AssertionError):
        daemon.wait_for_line("event=", 10)
    for _ in range(20):
        daemon.signal(signal.SIGHUP)
    daemon.wait_for_line("event=started")
    daemon.wait_for_line("event=reloaded")
    balanced(daemon.stop())
