# SPDX-License-Identifier: Apache-2.0
"""The agent knows when it is the sick one: then no service is blamed, and the metric LocalFaults, the log and
status say why. An outage of all services stays an outage."""

import os
import pathlib
import resource
import signal

import pytest

import probe_command
from probe_runner import balanced

UNROUTED = "127.255.255.255"  # TCP to a broadcast address: the kernel sends nothing, ENETUNREACH


@pytest.fixture
def path(short_folder):
    return short_folder / "s"


def of_status(command, path):
    return command.command("status", "--socket", path, "--json").json


def services(world, label, address, count=4, port=80):
    return {f"{label}{number}": world.settings(f"http://{world.name(f'{label}{number}', (address,))}:{port}/")
            for number in range(count)}


def failures(runner):
    return sum(runner.total(metric) for metric in ("DnsFailures", "ConnectFailures", "TlsFailures", "HealthFailures"))


def outcomes(daemon):
    return {outcome for outcome, _ in daemon.runs()}


def test_a_host_without_a_route_blames_no_service(runner, world, command, path):
    probes = services(world, "unrouted", UNROUTED)
    daemon = runner.start(probes, "--verbose", agent={"status_socket": path})
    said = probe_command.pairs(daemon.wait_for_line("event=self_check_failed"))
    assert said["cause"] == "no_route"
    daemon.wait_until(lambda: of_status(command, path)["runs"]["local"] >= 8, "eight local faults")
    status = of_status(command, path)
    assert status["self_check"]["well"] is False and status["self_check"]["cause"] == "no_route"
    assert status["self_check"]["since"] and status["self_check"]["faults"]["no_route"] >= 8
    assert {probe["state"] for probe in status["probes"]} == {"unknown"}
    table = command.command("status", "--socket", path).stdout
    assert "self-check: this host is the sick one" in table and "no_route" in table
    counters = balanced(daemon.stop())
    assert outcomes(daemon) == {"local_fault"}, daemon.log
    assert failures(runner) == 0 and runner.samples("Success") == 0
    assert runner.total("LocalFaults") == counters["local"] == counters["run"] >= 8


def test_a_host_that_may_not_send_its_questions_blames_no_service(runner, world):
    """The resolver's address has no route either: nothing leaves this host."""
    probes = {f"name{number}": {"url": f"http://name{number}.probe.test/", "resolver": "255.255.255.255"}
              for number in range(3)}
    daemon = runner.start(probes, "--verbose")
    said = probe_command.pairs(daemon.wait_for_line("event=self_check_failed"))
    assert said["cause"] in ("refused_here", "no_route")
    counters = balanced(daemon.stop())
    assert failures(runner) == 0 and runner.total("LocalFaults") == counters["local"] == counters["run"] >= 3


def test_one_service_that_answers_proves_the_host_well(runner, world):
    probes = {**services(world, "lonely", UNROUTED), "well": world.http("well-host")}
    daemon = runner.start(probes, "--verbose")
    runner.wait_for_samples(daemon, "ConnectFailures", 2)
    counters = balanced(daemon.stop())
    assert counters["local"] == 0 and outcomes(daemon) == {"ok", "connect_unreachable"}
    assert "event=self_check_failed" not in daemon.log
    assert runner.total("ConnectFailures") == counters["run"] - runner.total("Success")


@pytest.mark.parametrize("outage", ("refused", "silent", "reset"))
def test_an_outage_of_everything_stays_one(runner, world, origin, outage):
    if outage == "refused":
        probes = services(world, "refused", "127.0.0.1", port=world.refusing_port())
    elif outage == "silent":
        probes = {name: {**settings, "connect_timeout": "100ms"} for name, settings in
                  services(world, "silent", "127.0.0.1", port=world.silent_port()).items()}
    else:
        origin.set_script({"routes": {"*": {"fault": "reset"}}})
        probes = services(world, "reset", "127.0.0.1", port=origin.http_port)
    daemon = runner.start(probes, "--verbose")
    daemon.wait_until(lambda: sum(daemon.runs().values()) >= 8, "eight runs")
    counters = balanced(daemon.stop())
    # A machine under load may stop the agent in the middle of a timeout: that run it may take on itself.
    lagged = counters["local"]
    assert failures(runner) == counters["run"] - lagged >= 6 and lagged <= 2
    assert not [line for line in daemon.lines if "event=self_check_failed" in line and "loop_lag" not in line]


def test_two_services_tell_nothing_of_the_host(runner, world):
    daemon = runner.start(services(world, "pair", UNROUTED, count=2), "--verbose")
    daemon.wait_until(lambda: sum(daemon.runs().values()) >= 4, "four runs")
    counters = balanced(daemon.stop())
    assert counters["local"] == 0 and outcomes(daemon) == {"connect_unreachable"}


def test_what_waits_for_the_verdict_is_counted_at_the_end(runner, world):
    """Long intervals: SIGTERM comes before the window of the first failures has passed."""
    probes = {name: {**settings, "interval": "20s"} for name, settings in services(world, "slow", UNROUTED, 9).items()}
    daemon = runner.start(probes, "--verbose", agent={"interval": "20s"})
    daemon.wait_until(lambda: any(world.dns.count(f"slow{number}.probe.test", "A") for number in range(9)), "a run")
    counters = balanced(daemon.stop())
    assert counters["run"] == runner.samples("Success") + counters["local"] >= 1


def test_without_descriptors_the_cause_is_named(runner, world, command, path):
    """Enough to start with; then the limit is taken away below it."""
    daemon = runner.start({"it": world.http("short-of-descriptors")}, "--verbose", agent={"status_socket": path})
    runner.wait_for_samples(daemon, "Success", 1)
    held = len(os.listdir(f"/proc/{daemon.process.pid}/fd"))
    lowest = 3
    resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (lowest, 4096))
    said = probe_command.pairs(daemon.wait_for_line("event=self_check_failed"))
    assert said["cause"] == "descriptors" and held > lowest
    resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (1024, 4096))
    daemon.wait_for_line("event=self_check_passed")
    faults = of_status(command, path)["self_check"]["faults"]
    counters = balanced(daemon.stop())
    assert set(faults) == {"descriptors"} and counters["local"] == faults["descriptors"]
    assert failures(runner) == 0 and runner.total("LocalFaults") == counters["local"]


def test_a_reload_settles_what_waits(runner, world):
    """Runs that are held belong to probes that a reload takes away, and to windows that it renews."""
    probes = {name: {**settings, "interval": "4s"} for name, settings in services(world, "reload", UNROUTED, 12).items()}
    daemon = runner.start(probes, "--verbose", agent={"interval": "4s"})
    daemon.wait_until(lambda: sum(world.dns.count(f"reload{number}.probe.test", "A") for number in range(12)) >= 2, "a run")
    conf = pathlib.Path(daemon.process.args[daemon.process.args.index("-c") + 1])
    text = conf.read_text(encoding="utf-8")
    conf.write_text(text[:text.index("[probe reload1]")].replace("period = 1s", "period = 5s"), encoding="utf-8")
    daemon.signal(signal.SIGHUP)
    daemon.wait_for_line("event=reloaded")
    counters = balanced(daemon.stop())
    assert counters["run"] == runner.samples("Success") + counters["local"] >= 2
