# SPDX-License-Identifier: Apache-2.0
"""What is published once a minute, whatever the period: the heartbeat, and how far the clock is off.

A minute of the wall clock must end while the daemons run, so this takes up to a minute, idle.
"""

import contextlib

import pytest

import gate as gate_server
from probe_runner import FLEET, Runner, balanced

SHIFT_S = 600


@pytest.fixture
def runners(command, world):
    """One whose CloudWatch has our clock, one whose CloudWatch is ten minutes ahead."""
    with contextlib.ExitStack() as stack:
        made = [Runner(command, world, stack.enter_context(gate_server.Gate())) for _ in range(2)]
        made[1].gate.set_clock({"shift_s": SHIFT_S})
        yield made


def test_heartbeat_and_skew(runners):
    daemons = [runner.start({"good": runner.world.http("minute")}) for runner in runners]
    for runner, daemon in zip(runners, daemons):
        daemon.wait_until(lambda: runner.entries("Heartbeat"), "a heartbeat", timeout_s=90)
        balanced(daemon.stop())
        assert runner.total("Heartbeat", FLEET) in (1, 2)  # two when it took longer than a minute
        assert {entry["resolution"] for entry in runner.entries("Heartbeat")} == {60}
        assert {entry["timestamp"] % 60 for entry in runner.entries("Heartbeat")} == {0}
    assert runners[0].entries("ClockSkewSeconds") == []
    skews = [value for entry in runners[1].entries("ClockSkewSeconds", FLEET) for value in entry["values"]]
    assert skews and all(abs(value - SHIFT_S) <= 2 for value in skews)
