# SPDX-License-Identifier: Apache-2.0
"""The daemon against the gate: what it schedules, runs, misses, publishes and says.

The gate checks every signature with botocore and every limit and unit; a test that scripts no faults
wants no rejection at all.
"""

import json
import os
import signal
import subprocess
import time

import pytest

import probe_command
from probe_runner import FLEET, balanced, service

METRICS_OF_A_GOOD_RUN = {"Success", "Latency", "DnsLatency"}


# ---- publishing

def test_datums_of_services_and_of_the_agent(runner, world, gate):
    daemon = runner.start({"good": world.http("good"), "bad": world.http("bad", "/status/500")})
    runner.wait_for_samples(daemon, "Success", 3, service("good"))
    counters = balanced(daemon.stop())
    assert gate.rejections() == []
    assert counters["missed"] == 0 and counters["local"] == 0
    assert runner.samples("Success") == counters["run"]
    assert runner.total("Success", service("good")) == runner.samples("Success", service("good")) > 0
    assert runner.total("Success", service("bad")) == 0 < runner.samples("Success", service("bad"))
    # A run during which this machine was too busy to look is judged, but its times are not taken.
    assert 0 < runner.samples("Latency", service("good")) <= runner.samples("Success", service("good"))
    assert runner.entries("Latency", service("bad")) == []
    assert runner.total("HealthFailures", service("bad")) == runner.samples("Success", service("bad"))
    assert {entry["metric"] for entry in gate.ledger() if entry["dimensions"] == service("good")} == METRICS_OF_A_GOOD_RUN
    for entry in gate.ledger():
        assert entry["namespace"] == "LatticeProbe" and entry["dimensions"] in (FLEET, service("good"), service("bad"))
        assert entry["resolution"] == (60 if entry["metric"] == "Heartbeat" else 1)
        assert entry["timestamp"] == int(entry["timestamp"]) and abs(entry["timestamp"] - time.time()) < 120
    assert sum(entry["sample_count"] for entry in gate.ledger()) == counters["samples_delivered"]
    assert counters["samples_waiting"] == counters["samples_dropped"] == counters["samples_in_doubt"] == 0


def test_chosen_metrics_and_dimension_sets(runner, world, imds):
    daemon = runner.start({"web": world.https("web")}, cloudwatch={
        "metrics": "Success, Latency, DnsLatency, ConnectLatency, TlsLatency, FirstByteLatency, TransferLatency, "
                   "FailedLatency, TcpRetransmits, DnsRetransmits, CertificateDaysRemaining",
        "failure_metrics": "always", "dimension_sets": "Service | Service, AvailabilityZoneId", "dimension.Team": "blue"},
        env={**probe_command.STATIC_CREDENTIALS, "AWS_EC2_METADATA_DISABLED": "false",
             "AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.url})
    runner.wait_for_samples(daemon, "Success", 4)
    counters = balanced(daemon.stop())
    wide = {"Service": "web", "Environment": "test", "Team": "blue"}
    narrow = {**wide, "AvailabilityZoneId": "use1-az4"}
    assert {json.dumps(entry["dimensions"], sort_keys=True) for entry in runner.gate.ledger()} >= {
        json.dumps(each, sort_keys=True) for each in (wide, narrow)}
    assert runner.samples("Success", wide) == runner.samples("Success", narrow) == counters["run"]
    names = {entry["metric"] for entry in runner.gate.ledger() if entry["dimensions"] == narrow}
    assert {"ConnectLatency", "TlsLatency", "FirstByteLatency", "TransferLatency", "TcpRetransmits",
            "DnsRetransmits", "CertificateDaysRemaining", "DnsFailures", "HealthFailures"} <= names
    phases = sum(runner.total(name, wide) for name in (
        "DnsLatency", "ConnectLatency", "TlsLatency", "FirstByteLatency", "TransferLatency"))
    assert phases == pytest.approx(runner.total("Latency", wide), abs=0.002 * counters["run"])
    assert runner.gate.rejections() == []


def test_dry_run_prints_what_would_be_sent(runner, world, gate):
    daemon = runner.start({"good": world.http("dry")}, "--dry-run")
    daemon.wait_until(lambda: any(each["MetricName"] == "Success" for each in daemon.datums()), "a datum")
    counters = balanced(daemon.stop())
    datums = daemon.datums()
    assert daemon.stdout.count("\n") == len(datums)
    successes = [each for each in datums if each["MetricName"] == "Success"]
    assert sum(sum(each["Counts"]) for each in successes) == counters["run"]
    assert successes[0]["Dimensions"] == [{"Name": "Service", "Value": "good"}, {"Name": "Environment", "Value": "test"}]
    assert {each["MetricName"] for each in datums} >= METRICS_OF_A_GOOD_RUN
    assert gate.requests() == [] and gate.rejections() == []


def test_a_dry_run_ends_when_nobody_reads_it(command, world):
    conf = command.conf({"good": world.http("unread")}, {"interval": "1s", "timeout": "900ms"}, {"period": "1s"})
    reader, writer = os.pipe()
    process = subprocess.Popen([command.binary, "run", "-c", conf, "--dry-run"], stdin=subprocess.DEVNULL, stdout=writer,
                               stderr=subprocess.PIPE, text=True, env=command.environment())
    os.close(writer)
    os.close(reader)
    _, log = process.communicate(timeout=60)
    assert process.returncode != 0 and "cause=write" in log and "event=stopped" in log, log


def test_a_partial_window_is_published_on_sigterm(runner, world, gate):
    """A period of an hour that nobody waits for."""
    daemon = runner.start({"good": world.http("partial")}, "--verbose", cloudwatch={"period": "3600s"})
    daemon.wait_until(lambda: sum(daemon.runs().values()) >= 2, "two runs")
    assert gate.ledger() == []
    counters = balanced(daemon.stop())
    assert runner.samples("Success") == counters["run"] >= 2 and gate.rejections() == []
    assert {entry["timestamp"] % 3600 for entry in runner.entries("Success")} == {0}


def test_without_probes_it_stays_ready_and_says_how_to_add_one(runner, gate):
    daemon = runner.start({})
    assert "[probe NAME]" in daemon.wait_for_line("event=idle")
    counters = balanced(daemon.stop())
    assert counters["scheduled"] == 0 and gate.rejections() == []


# ---- missed, late, local

def test_a_run_that_overlaps_the_next_is_a_counted_miss(runner, world, gate):
    """Each run needs a datagram and there is one a second for all three, so runs wait for their turn
    (before their timeout begins) until the next is due. TTL 0 leaves no answer to use again."""
    answer = {"A": {"addresses": ["127.0.0.1"], "ttl": 0}}
    probes = {f"p{number}": world.http(f"queue{number}", ip="v4", dns_tries=1) for number in range(3)}
    for number in range(3):
        world.name(f"queue{number}", answer)
    daemon = runner.start(probes, "--verbose", agent={"max_dns_rate": 1})
    daemon.wait_for_line("event=missed cause=still_running")
    counters = balanced(daemon.stop())
    assert counters["missed"] >= 1 and counters["run"] >= 1
    assert runner.total("RunsMissed", FLEET) == counters["missed"]
    assert runner.samples("Success") == counters["run"] and gate.rejections() == []


def test_runs_above_max_in_flight_are_counted_misses(runner, world):
    route = {"first_byte_delay_ms": 700}
    probes = {f"p{number}": world.scripted(f"crowd{number}", route) for number in range(4)}
    daemon = runner.start(probes, "--verbose", agent={"max_in_flight": 1})
    daemon.wait_for_line("event=missed cause=max_in_flight")
    counters = balanced(daemon.stop())
    assert runner.total("RunsMissed", FLEET) == counters["missed"] >= 1


def test_late_runs_and_instants_slept_through(runner, world):
    """The process is stopped for a while: what was due within its last interval runs late, what came
    before that is missed."""
    daemon = runner.start({"good": world.http("late")}, "--verbose")
    daemon.wait_until(daemon.runs, "a run")
    daemon.signal(signal.SIGSTOP)
    time.sleep(3.3)  # the fault itself: three instants pass, whatever the phase
    daemon.signal(signal.SIGCONT)
    before = sum(daemon.runs().values())
    daemon.wait_until(lambda: sum(daemon.runs().values()) > before + 1, "two more runs")
    counters = balanced(daemon.stop())
    assert counters["missed"] in (2, 3) and counters["late"] in (0, 1)
    assert counters["missed"] + counters["late"] >= 3
    assert runner.total("RunsMissed", FLEET) == counters["missed"]
    assert runner.total("RunsLate", FLEET) == counters["late"]
    assert runner.samples("Success") == counters["run"]


def test_a_run_that_was_slept_through_is_no_failure_of_the_service(runner, world, origin):
    """Stopped while a healthy service thinks: its answer is there in time, and nobody to see it. Whether
    the answer or the limit is met first when it goes on is chance; a time it has none."""
    origin.set_script({"routes": {"/slept": {"first_byte_delay_ms": 500}}})
    url = f"http://127.0.0.1:{origin.http_port}/slept"
    daemon = runner.start({"slow": {"url": url, "interval": "3s"}}, "--verbose")
    for seen in (1, 2):
        daemon.wait_until(lambda seen=seen: len(origin.requests()) == seen, "a request")
        daemon.signal(signal.SIGSTOP)
        time.sleep(1.5)  # the fault itself: the run's time passes
        daemon.signal(signal.SIGCONT)
        daemon.wait_until(lambda seen=seen: sum(daemon.runs().values()) == seen, "its end")
    counters = balanced(daemon.stop())
    assert set(daemon.runs()) <= {("ok", True), ("local_fault", True)}, daemon.log
    assert counters["run"] == 2 and runner.entries("HealthFailures") == runner.entries("Latency") == []


def test_the_standard_streams_may_come_closed(runner, world, gate):
    """The first socket would be the log, and the log would go into it."""
    conf = runner.command.conf({"web": world.http("closed")}, {"interval": "1s", "timeout": "900ms",
        "dns_timeout": "400ms", "connect_timeout": "500ms", "tls_timeout": "500ms"}, {"period": "1s"})
    env = {**probe_command.STATIC_CREDENTIALS, "AWS_ENDPOINT_URL_CLOUDWATCH": gate.url}
    daemon = runner.command.run(conf, env=env, wrap=("sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-'))
    runner.wait_for_samples(daemon, "Success", 2)
    daemon.signal(signal.SIGTERM)
    assert daemon.wait() == 0 and gate.rejections() == []


def test_a_local_fault_is_no_failure_of_the_service(runner, world):
    daemon = runner.start({"denied": world.denied(), "good": world.http("beside")})
    runner.wait_for_samples(daemon, "LocalFaults", 2)
    counters = balanced(daemon.stop())
    assert runner.entries("Success", service("denied")) == []
    assert runner.total("LocalFaults", FLEET) == counters["local"] >= 2
    assert runner.samples("Success") == counters["run"] - counters["local"]


def test_sigterm_lets_a_run_end(runner, world, origin):
    origin.set_script({"routes": {"*": {"first_byte_delay_ms": 800}}})
    daemon = runner.start({"slow": {"url": f"http://127.0.0.1:{origin.http_port}/"}})
    daemon.wait_until(origin.requests, "a request")
    counters = balanced(daemon.stop())
    assert counters["run"] >= 1 and counters["missed"] == 0
    assert runner.samples("Success") == counters["run"]


def stuck(origin):
    """A probe that is answered too late for anybody."""
    origin.set_script({"routes": {"*": {"first_byte_delay_ms": 20_000}}})
    return {"stuck": {"url": f"http://127.0.0.1:{origin.http_port}/", "interval": "5s", "timeout": "4900ms"}}


def test_sigterm_does_not_wait_for_a_run_for_ever(runner, origin):
    daemon = runner.start(stuck(origin),
                          agent={"shutdown_timeout": "1s"})
    daemon.wait_until(origin.requests, "a request")
    started = time.monotonic()
    counters = balanced(daemon.stop())
    assert time.monotonic() - started < 2
    assert counters["run"] == 0 and counters["missed"] == counters["scheduled"] >= 1
    assert runner.total("RunsMissed", FLEET) == counters["missed"]


def test_a_second_signal_ends_it_at_once(runner, origin):
    daemon = runner.start(stuck(origin),
                          agent={"shutdown_timeout": "60s"})
    daemon.wait_until(origin.requests, "a request")
    daemon.signal(signal.SIGINT)
    daemon.wait_for_line("event=stopping")
    time.sleep(0.3)  # two signals closer together are one
    started = time.monotonic()
    counters = balanced(daemon.stop())
    assert time.monotonic() - started < 2 and counters["missed"] >= 1


def test_a_second_signal_loses_no_window(runner, world, origin):
    probes = {"good": world.http("good"), **stuck(origin)}
    daemon = runner.start(probes, "--dry-run", "--verbose", agent={"shutdown_timeout": "60s"}, cloudwatch={"period": "60s"})
    daemon.wait_until(lambda: origin.requests() and sum(daemon.runs().values()) >= 2, "runs, and one that is stuck")
    daemon.signal(signal.SIGINT)
    daemon.wait_for_line("event=stopping")
    time.sleep(0.3)  # two signals closer together are one
    counters = balanced(daemon.stop())
    datums = [datum for line in daemon.stdout.splitlines() for datum in json.loads(line)["MetricData"]]
    assert sum(sum(datum["Counts"]) for datum in datums if datum["MetricName"] == "Success") == counters["run"] >= 2


def test_two_signals_at_the_same_time_are_one(runner, origin):
    """As timeout(1) sends them: to the process, then to its group."""
    origin.set_script({"routes": {"*": {"first_byte_delay_ms": 800}}})
    daemon = runner.start({"slow": {"url": f"http://127.0.0.1:{origin.http_port}/"}})
    daemon.wait_until(origin.requests, "a request")
    daemon.signal(signal.SIGINT)
    counters = balanced(daemon.stop())
    assert counters["run"] >= 1 and counters["missed"] == 0
    assert runner.samples("Success") == counters["run"]


def test_a_signal_while_the_region_is_unknown(runner, world):
    daemon = runner.start({"good": world.http("good")}, cloudwatch={"region": "auto"})
    daemon.wait_for_line("event=identity_unknown")
    counters = balanced(daemon.stop())
    assert counters["scheduled"] == 0


def test_a_dead_cloudwatch_does_not_hold_up_the_end(runner, world, gate):
    gate.set_faults([{"action": "silent"}])
    daemon = runner.start({"good": world.http("dead")}, agent={"shutdown_timeout": "1s"})
    daemon.wait_until(gate.requests, "a request")
    started = time.monotonic()
    counters = balanced(daemon.stop())
    assert time.monotonic() - started < 3
    assert counters["samples_delivered"] == 0
    assert counters["samples_waiting"] + counters["samples_dropped"] >= counters["run"] > 0
