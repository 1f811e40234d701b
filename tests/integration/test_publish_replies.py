# SPDX-License-Identifier: Apache-2.0
"""Every reply of CloudWatch by its class, one row each, through the real daemon: what the log says of it, and
that no sample is lost or doubled by it. The classes themselves are tests/unit/test_aws_reply.c's, the delays
those of tests/unit/test_sink.c."""

import collections
import socket

import pytest

import gate as gate_server
import probe_command
import service
from probe_runner import balanced

# fault of the gate -> class in the log, its code, in doubt?
ROWS = {
    "throttle_400": ("throttled", "Throttling", False),
    "throttle_503": ("throttled", "Throttling", False),
    "error_500": ("server", "InternalFailure", False),
    "error_503": ("server", "ServiceUnavailable", False),
    "reset_before": ("in_doubt", "none", True),
    "reset_after": ("in_doubt", "none", True),
    "lose_reply": ("in_doubt", "none", True),
    "silent": ("in_doubt", "none", True),
    "deny": ("denied", "AccessDenied", False),
}
# These are mended at once, and said as a debug line only.
AT_ONCE = {"expire_400": "expired", "expire_403": "expired"}


def delivered_once(gate):
    """Every datum whose reply went out came once."""
    keys = collections.Counter((entry["metric"], str(entry["dimensions"]), entry["timestamp"], str(entry["values"]))
                               for entry in gate.ledger() if entry["reply"] == "sent")
    assert not {key: count for key, count in keys.items() if count > 1}


def publish(runner, world, gate, label, **how):
    daemon = runner.start({"it": world.http(label)}, "--verbose", **how)
    runner.wait_for_samples(daemon, "Success", 1)
    return daemon


def end(runner, daemon, gate):
    counters = balanced(daemon.stop())
    delivered_once(gate)
    assert sum(entry["sample_count"] for entry in runner.entries("Success") if entry["reply"] == "sent") == \
        counters["run"] - counters["local"]
    return counters


@pytest.mark.parametrize("fault", [row for row in ROWS if row not in ("silent", "deny")])
def test_a_failure_is_named_and_tried_again(runner, world, gate, fault):
    class_, code, is_doubtful = ROWS[fault]
    daemon = publish(runner, world, gate, f"reply-{fault}".replace("_", "-"))
    gate.set_faults([{"action": fault, "times": 1}])
    said = probe_command.pairs(daemon.wait_for_line("event=publish_failed"))
    assert (said["class"], said["code"]) == (class_, code) and float(said["retry_in_s"]) <= 3.1
    daemon.wait_for_line("event=publish_recovered")
    counters = end(runner, daemon, gate)
    assert (counters["samples_in_doubt"] > 0) == is_doubtful and counters["samples_dropped"] == 0


def test_silence_ends_after_the_requests_time_and_leaves_doubt(runner, world, gate):
    class_, code, _ = ROWS["silent"]
    daemon = publish(runner, world, gate, "reply-silent")
    gate.set_faults([{"action": "silent", "times": 1}])
    said = probe_command.pairs(daemon.wait_for_line("event=publish_failed"))
    assert (said["class"], said["code"]) == (class_, code)
    daemon.wait_for_line("event=publish_recovered")
    assert end(runner, daemon, gate)["samples_in_doubt"] > 0


def test_a_denial_holds_and_names_the_permission(runner, world, gate):
    daemon = publish(runner, world, gate, "reply-deny")
    gate.set_faults([{"action": "deny"}])
    said = probe_command.pairs(daemon.wait_for_line("event=publish_failed"))
    assert (said["class"], said["code"]) == ROWS["deny"][:2]
    assert said["permission"] == "cloudwatch:PutMetricData" and float(said["retry_in_s"]) == 60
    denied = gate.summary()["faults_served"]["deny"]
    daemon.wait_until(lambda: sum(daemon.runs().values()) >= 5, "probes run on")
    assert gate.summary()["faults_served"]["deny"] == denied, "it did not hold"
    gate.set_faults([])
    assert end(runner, daemon, gate)["samples_dropped"] == 0  # the flush does not wait for the minute


@pytest.mark.parametrize("fault", AT_ONCE)
def test_what_expired_is_renewed_and_tried_again_at_once(runner, world, gate, imds, fault):
    daemon = publish(runner, world, gate, f"reply-{fault}".replace("_", "-"), env={
        "AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.url})
    imds.rotate()
    gate.set_faults([{"action": fault, "times": 1}])
    said = probe_command.pairs(daemon.wait_for_line("event=publish_again"))
    assert (said["class"], said["code"]) == (AT_ONCE[fault], "ExpiredToken")
    runner.wait_for_samples(daemon, "Success", 3)
    assert "event=publish_failed" not in daemon.log
    assert end(runner, daemon, gate)["samples_dropped"] == 0


def test_a_clock_that_is_refused_is_corrected_at_once(runner, world, gate):
    daemon = publish(runner, world, gate, "reply-skewed")
    gate.set_clock({"shift_s": 900})
    said = probe_command.pairs(daemon.wait_for_line("event=publish_again"))
    assert said["class"] == "skewed"
    daemon.wait_for_line("event=clock_skew ")
    assert end(runner, daemon, gate)["samples_dropped"] == 0


def test_what_is_too_large_is_halved(runner, world, gate):
    daemon = publish(runner, world, gate, "reply-large")
    gate.set_faults([{"action": "too_large", "times": 1}])
    daemon.wait_until(lambda: gate.summary()["faults_served"].get("too_large"), "the refusal")
    asked = len(gate.requests())
    daemon.wait_until(lambda: len(gate.requests()) >= asked + 2, "both halves")
    assert end(runner, daemon, gate)["samples_dropped"] == 0


def test_one_bad_datum_is_found_and_left_out(runner, world, gate):
    daemon = publish(runner, world, gate, "reply-invalid")
    gate.set_faults([{"action": "reject_datum", "metric": "DnsLatency"}])
    said = probe_command.pairs(daemon.wait_for_line("event=samples_dropped"))
    assert (said["cause"], said["metric"], said["code"]) == ("invalid", "DnsLatency", "InvalidParameterValue")
    gate.set_faults([])
    counters = end(runner, daemon, gate)
    assert counters["samples_dropped"] >= 1 and counters["samples_in_doubt"] == 0
    # A run that this host held up has no latency.
    assert runner.samples("DnsLatency") + counters["samples_dropped"] == daemon.runs()["ok", False]


def test_an_odd_success_is_a_success(runner, world, gate):
    daemon = publish(runner, world, gate, "reply-odd")
    gate.set_faults([{"action": "odd_body", "times": 2}])
    daemon.wait_until(lambda: gate.summary()["faults_served"].get("odd_body") == 2, "two odd replies")
    counters = end(runner, daemon, gate)
    assert counters["samples_in_doubt"] == counters["samples_dropped"] == 0


# ---- no reply at all: the endpoint cannot be reached

def unreachable(runner, world, label, url, env=None):
    daemon = runner.start({"it": world.http(label)}, "--verbose", agent={"resolver": world.dns.address},
                          env={**probe_command.STATIC_CREDENTIALS, "AWS_ENDPOINT_URL_CLOUDWATCH": url, **(env or {})})
    said = probe_command.pairs(daemon.wait_for_line("event=publish_failed"))
    counters = balanced(daemon.stop())
    # Nothing was in doubt: no request left.
    assert counters["samples_in_doubt"] == counters["samples_delivered"] == 0 and counters["samples_dropped"] > 0
    return said


def test_an_endpoint_without_a_name_is_unreachable(runner, world):
    said = unreachable(runner, world, "endpoint-dns", "https://missing-endpoint.probe.test/")
    assert said["class"] == "unreachable" and "NXDOMAIN" in said["why"]


def test_an_endpoint_that_refuses_is_unreachable(runner, world):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        said = unreachable(runner, world, "endpoint-port", f"http://127.0.0.1:{held.getsockname()[1]}/")
    assert said["class"] == "unreachable" and "refused" in said["why"].lower()


def test_an_endpoint_with_a_strange_certificate_gets_nothing(runner, world, certificates):
    tls = service.server_tls(certificates["self_signed"].chain, certificates["self_signed"].key)
    with gate_server.Gate(tls=tls) as strange:
        said = unreachable(runner, world, "endpoint-tls", f"https://localhost:{strange.port}/")
        assert strange.ledger() == [] and strange.requests() == []
    assert said["class"] == "tls"
