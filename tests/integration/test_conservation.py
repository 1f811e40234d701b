# SPDX-License-Identifier: Apache-2.0
"""Nothing is lost and nothing is invented, over a run with faults on every side.

Probes that are well, fail, hang over their interval and are denied run once a second while the DNS
server, the origin and CloudWatch fail in turn. In the end the closing line of the daemon and the
gate's ledger must agree to the sample:
  scheduled = run + missed                       run = samples of Success + local
  delivered = samples whose reply was sent       in doubt = samples whose reply was lost
  dropped = samples of the one metric that the gate refused
"""

import collections
import json
import signal
import time

from probe_runner import balanced, service

SEED = 20261123
METRICS = "Success, Latency, DnsLatency, ConnectLatency, FirstByteLatency, TransferLatency, FailedLatency"
REFUSED = "TransferLatency"


def key(entry):
    return json.dumps([entry["metric"], entry["dimensions"], entry["timestamp"], entry["values"], entry["counts"]])


def samples_with(entries, reply):
    return sum(entry["sample_count"] for entry in entries if entry["reply"] == reply)


class Ledger:
    """The gate's ledger without what was stored twice because its reply was lost."""

    def __init__(self, entries):
        self.entries = entries
        self.sent = [entry for entry in entries if entry["reply"] == "sent"]
        self.lost = [entry for entry in entries if entry["reply"] == "lost"]

    def check_no_doubles(self):
        doubles = {each: count for each, count in collections.Counter(map(key, self.sent)).items() if count > 1}
        assert not doubles, doubles
        assert {key(entry) for entry in self.lost} <= {key(entry) for entry in self.sent}, "lost, and never sent again"

    def samples(self, metric, dimensions=None, value=None):
        return sum(count for entry in self.sent if entry["metric"] == metric and
                   (dimensions is None or entry["dimensions"] == dimensions)
                   for number, count in zip(entry["values"], entry["counts"]) if value is None or number == value)

    def total(self, metric):
        return sum(number * count for entry in self.sent if entry["metric"] == metric
                   for number, count in zip(entry["values"], entry["counts"]))


def probes(world):
    return {
        "well": world.http("well"),
        "secure": world.https("secure", "/healthz"),
        "flaky": world.scripted("flaky", {"sequence": [{}, {"status": 500}, {"fault": "reset"}] * 20}),
        "moody": world.http("moody"),
        "denied": world.denied(),
        "gone": world.settings("http://gone.probe.test/")}


def more_runs(daemon, runner, runs):
    """Until that many more samples of the undisturbed probe have arrived."""
    target = runner.samples("Success", service("well")) + runs
    daemon.wait_until(lambda: runner.samples("Success", service("well")) >= target, f"{runs} more runs")


def each_fault_once(daemon, runner, gate):
    """One after the other, so that the delay after a failure stays short."""
    for action in ("throttle_400", "error_500", "reset_after", "throttle_503", "lose_reply", "error_503"):
        gate.set_faults([{"action": action, "times": 1}])
        daemon.wait_until(lambda: gate.summary()["faults_served"].get(action), action)
        more_runs(daemon, runner, 1)


def make_trouble(daemon, runner, world, gate):
    more_runs(daemon, runner, 2)
    world.name("moody", {"*": {"drop": True}})                  # DNS fails
    more_runs(daemon, runner, 2)
    world.name("moody", ("127.0.0.9",))                         # the origin is gone
    each_fault_once(daemon, runner, gate)
    world.name("moody")                                         # all is well again
    daemon.signal(signal.SIGSTOP)                               # and the machine is suspended
    time.sleep(2.2)
    daemon.signal(signal.SIGCONT)
    gate.set_faults([{"action": "reject_datum", "metric": REFUSED, "times": 8}])
    daemon.wait_until(lambda: gate.summary()["faults_served"].get("reject_datum", 0) >= 8, "the refusals")
    gate.set_faults([{"action": "random", "seed": SEED, "rate": 0.4,
                      "actions": ["throttle_400", "error_500", "reset_after", "lose_reply"]}])
    more_runs(daemon, runner, 3)
    gate.set_faults([])
    more_runs(daemon, runner, 2)


def check_runs(counters, ledger, runs):
    """Runs, as the log has them, are the samples that the gate has."""
    judged = {key: count for key, count in runs.items() if not key[0].startswith("local_")}
    failed = {key: count for key, count in judged.items() if key[0] != "ok"}
    assert sum(runs.values()) == counters["run"]
    assert sum(judged.values()) == counters["run"] - counters["local"] == ledger.samples("Success")
    assert ledger.samples("Success", value=1) == runs["ok", False] + runs["ok", True]
    assert ledger.samples("Success", value=0) == sum(failed.values())
    assert ledger.samples("Latency") == runs["ok", False]
    for metric, prefix in (("DnsFailures", "dns_"), ("ConnectFailures", "connect_"), ("TlsFailures", "tls_"),
                           ("HealthFailures", "http_")):
        assert ledger.total(metric) == sum(count for key, count in failed.items() if key[0].startswith(prefix)), metric


def test_every_sample_is_accounted_for(runner, world, gate):
    print(f"seed {SEED}")
    daemon = runner.start(probes(world), "--verbose", cloudwatch={"metrics": METRICS}, agent={"shutdown_timeout": "20s"})
    make_trouble(daemon, runner, world, gate)
    counters = balanced(daemon.stop())
    ledger, runs = Ledger(gate.ledger()), daemon.runs()
    print(json.dumps(counters), json.dumps(gate.summary()), runs)
    ledger.check_no_doubles()
    assert {entry["cause"] for entry in gate.rejections()} == {"fault"}, "the gate refused what no fault told it to"
    check_runs(counters, ledger, runs)
    assert ledger.total("RunsMissed") == counters["missed"] > 0
    assert ledger.total("LocalFaults") == counters["local"] > 0
    assert ledger.total("DnsFailures") > 0 and ledger.total("ConnectFailures") > 0 and ledger.total("HealthFailures") > 0
    failed = sum(count for (outcome, lagged), count in runs.items()
                 if outcome != "ok" and not lagged and not outcome.startswith("local_"))
    assert ledger.samples("FailedLatency") == failed > 0
    # publishing
    assert counters["samples_waiting"] == 0
    assert samples_with(ledger.entries, "sent") == counters["samples_delivered"]
    assert samples_with(ledger.entries, "lost") == counters["samples_in_doubt"] > 0
    assert ledger.samples(REFUSED) + counters["samples_dropped"] == runs["ok", False] + health_failures(runs)
    assert ledger.total("SamplesDropped") == counters["samples_dropped"] > 0


def health_failures(runs):
    """Runs that had a whole response all the same, and so a transfer phase."""
    return runs["http_status", False]


def test_a_long_outage_of_cloudwatch_costs_nothing(runner, world, gate):
    """Everything waits, and arrives with its own timestamps when CloudWatch is back."""
    daemon = runner.start({"well": world.http("patient")}, "--verbose", agent={"shutdown_timeout": "20s"})
    gate.set_faults([{"action": "error_503"}])
    daemon.wait_until(lambda: sum(daemon.runs().values()) >= 6, "six runs")
    assert gate.ledger() == []
    gate.set_faults([])
    more_runs(daemon, runner, 6)
    counters = balanced(daemon.stop())
    ledger = Ledger(gate.ledger())
    ledger.check_no_doubles()
    assert ledger.samples("Success") == counters["run"] and counters["samples_dropped"] == 0
    stamps = sorted(entry["timestamp"] for entry in ledger.sent if entry["metric"] == "Success")
    assert len(set(stamps)) == len(stamps) == counters["run"]


def test_what_the_gate_holds_is_what_was_counted_when_nothing_fails(runner, world, gate):
    daemon = runner.start({f"p{number}": world.http(f"calm{number}") for number in range(20)}, "--verbose")
    runner.wait_for_samples(daemon, "Success", 60)
    counters = balanced(daemon.stop())
    ledger = Ledger(gate.ledger())
    ledger.check_no_doubles()
    assert gate.rejections() == [] and ledger.lost == []
    assert counters["missed"] == counters["local"] == counters["samples_dropped"] == counters["samples_in_doubt"] == 0
    check_runs(counters, ledger, daemon.runs())
    assert ledger.total("Success") == counters["run"] == counters["scheduled"]
    assert samples_with(ledger.sent, "sent") == counters["samples_delivered"]
