# SPDX-License-Identifier: Apache-2.0
"""The daemon's own diagnosis: when it looks for a cause, how often, what it sends, and what it says."""


import pytest

import probe_command
from probe_runner import balanced

JITTER_US = 5_000_000
ONE = {"unhealthy_after": 1, "healthy_after": 1}


@pytest.fixture
def path(short_folder):
    return short_folder / "s"


def jitter_us(name):
    """FNV-1a 64 of "agent_id\\0diagnose NAME", as the schedule's phases are made."""
    value = 0xcbf29ce484222325
    for byte in f"agent-1\0diagnose {name}".encode():
        value = (value ^ byte) * 0x100000001b3 % 2**64
    return value % JITTER_US


def name_with(condition):
    """A probe's name whose jitter is as wanted."""
    return next(name for name in (f"p{number}" for number in range(1000)) if condition(jitter_us(name)))


def soon(us):
    return us < 300_000


def late(us):
    return us > 4_000_000


def diagnoses(daemon):
    return [probe_command.pairs(line) for line in daemon.lines if "event=diagnosis " in line]


def wait_for_runs(daemon, name, count):
    """Until that probe has ended so many runs more."""
    def ended():
        return sum(f"target={name} outcome=" in line and "level=debug" in line for line in daemon.lines)
    wanted = ended() + count
    daemon.wait_until(lambda: ended() >= wanted, f"{count} runs of {name}")


def start(runner, probes, path=None, env=None, **agent):
    return runner.start(probes, "--verbose", agent={"status_socket": path or "none", "diagnose": None, **agent}, env=env)


def test_one_diagnosis_is_logged_and_shown(runner, world, command, gate, path):
    name = name_with(soon)
    url = f"http://127.0.0.1:{world.refusing_port()}/"
    env = {**probe_command.STATIC_CREDENTIALS, "AWS_ENDPOINT_URL": gate.url}  # EC2 and Lattice would be there too
    daemon = start(runner, {name: {"url": url}}, path, env=env)
    daemon.wait_for_line(f"target={name} event=unhealthy after=3")
    line = daemon.wait_for_line("event=diagnosis ")
    assert "level=warning" in line
    said = probe_command.pairs(line)
    assert said["target"] == name and said["verdict"] == "connect-refused" and said["confidence"] and said["summary"]
    status = command.command("status", "--socket", path, "--json")
    shown = status.json["probes"][0]["diagnosis"]
    assert status.code == 1 and shown["verdict"] == "connect-refused" and shown["confidence"] == said["confidence"]
    assert shown["summary"].startswith(said["summary"][:60]) and shown["at"]
    table = command.command("status", "--socket", path)
    assert f"connect-refused ({said['confidence']}" in table.stdout, table
    wait_for_runs(daemon, name, 3)
    assert len(diagnoses(daemon)) == 1
    balanced(daemon.stop())
    assert {request["action"] for request in gate.requests()} == {"PutMetricData"} and gate.rejections() == []


def test_a_flapping_probe_is_diagnosed_once(runner, world, origin):
    name = name_with(soon)
    origin.set_script({"routes": {"*": {"sequence": [{"status": 500}] * 4 + [{}]}}})
    daemon = start(runner, {name: {"url": f"http://127.0.0.1:{origin.http_port}/", **ONE}})
    daemon.wait_for_line("event=diagnosis ")
    origin.set_script({"routes": {"*": {}}})
    daemon.wait_for_line("event=healthy")
    origin.set_script({"routes": {"*": {"status": 500}}})
    daemon.wait_until(lambda: sum("event=unhealthy" in line for line in daemon.lines) == 2, "ill again")
    wait_for_runs(daemon, name, 3)
    assert len(diagnoses(daemon)) == 1
    daemon.stop()


def test_who_recovers_in_time_is_not_diagnosed(runner, origin):
    name = name_with(late)
    origin.set_script({"routes": {"*": {"sequence": [{"status": 500}, {}]}}})
    daemon = start(runner, {name: {"url": f"http://127.0.0.1:{origin.http_port}/", **ONE}})
    daemon.wait_for_line("event=unhealthy")
    daemon.wait_for_line("event=healthy")
    wait_for_runs(daemon, name, 6)
    assert diagnoses(daemon) == []
    daemon.stop()


@pytest.mark.parametrize("where", ("agent", "probe"))
def test_no_diagnosis_when_not_wanted(runner, world, where):
    name = name_with(soon)
    settings = {"url": f"http://127.0.0.1:{world.refusing_port()}/", **ONE}
    off = {"diagnose": "no"}
    daemon = start(runner, {name: settings | (off if where == "probe" else {})}, **(off if where == "agent" else {}))
    daemon.wait_for_line("event=unhealthy")
    wait_for_runs(daemon, name, 2)
    assert diagnoses(daemon) == []
    daemon.stop()


def test_six_in_an_hour_and_no_more(runner, world):
    url = f"http://127.0.0.1:{world.refusing_port()}/"
    daemon = start(runner, {f"down{number}": {"url": url, **ONE} for number in range(9)})
    daemon.wait_until(lambda: len(diagnoses(daemon)) == 6, "six diagnoses")
    wait_for_runs(daemon, "down0", 6)
    assert len({said["target"] for said in diagnoses(daemon)}) == len(diagnoses(daemon)) == 6
    daemon.stop()


def test_a_post_is_not_repeated(runner, origin):
    name = name_with(soon)
    origin.set_script({"routes": {"*": {"status": 500}}})
    daemon = start(runner, {name: {"url": f"http://127.0.0.1:{origin.http_port}/order", "method": "POST",
                                   "body": "buy one", **ONE}})
    said = probe_command.pairs(daemon.wait_for_line("event=diagnosis "))
    assert said["verdict"] != "healthy", said
    wait_for_runs(daemon, name, 1)
    counters = balanced(daemon.stop())
    posts = [request for request in origin.requests() if request["method"] == "POST"]
    assert counters["run"] <= len(posts) <= counters["scheduled"]
    assert {request["target"] for request in posts} == {"/order"}


def test_it_stops_in_the_middle_of_a_diagnosis(runner, world, origin):
    name = name_with(soon)
    url = f"http://127.0.0.1:{world.silent_port()}/"
    daemon = start(runner, {name: {"url": url, **ONE}})
    daemon.wait_for_line("event=unhealthy")
    daemon.stop()
    assert diagnoses(daemon) == []


def test_probes_run_on_while_one_is_diagnosed(runner, world):
    """A silent target keeps its diagnosis busy; the healthy neighbour misses nothing."""
    name = name_with(soon)
    daemon = start(runner, {name: {"url": f"http://127.0.0.1:{world.silent_port()}/", **ONE},
                            "well": world.http("well")})
    said = probe_command.pairs(daemon.wait_for_line("event=diagnosis "))
    assert said["target"] == name and said["verdict"] != "healthy"
    counters = balanced(daemon.stop())
    assert counters["missed"] == 0 and "target=well event=unhealthy" not in daemon.log
