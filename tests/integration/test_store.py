# SPDX-License-Identifier: Apache-2.0
"""What outlives the daemon: kills at random moments, an outage over a restart, files that are no use.

The law, over several lives of one daemon with one state directory: every run that the log tells of is in the
gate's ledger once, but for the last second before each kill; what the gate holds twice was counted in doubt.
"""

import collections
import json
import os
import pathlib
import random
import signal
import sqlite3
import time

import pytest

import probe_command
from probe_runner import balanced, service

SEED = int(os.environ.get("TEST_SEED", "20261125"))
PROBES = 6


def key(entry):
    return json.dumps([entry["metric"], entry["dimensions"], entry["timestamp"], entry["values"], entry["counts"]])


def held(entries, metric=None):
    """Samples as CloudWatch holds them, and as they would be if nothing had come twice."""
    chosen = [entry for entry in entries if metric in (None, entry["metric"])]
    once = {key(entry): entry["sample_count"] for entry in chosen}
    return sum(entry["sample_count"] for entry in chosen), sum(once.values())


class Lives:
    """Daemons one after the other over the same state directory."""

    def __init__(self, runner, folder, **settings):
        self.runner = runner
        self.folder = folder
        self.settings = settings
        self.probes = {f"p{number}": runner.world.http(f"host{number}") for number in range(PROBES)}
        self.daemons = []

    @property
    def file(self):
        return self.folder / "store.db"

    def start(self, wrap=(), **agent):
        daemon = self.runner.start(self.probes, "--verbose", cloudwatch=self.settings, wrap=wrap,
                                   agent={"state_directory": self.folder, "shutdown_timeout": "10s", **agent})
        self.daemons.append(daemon)
        return daemon

    def runs(self):
        return sum(sum(daemon.runs().values()) for daemon in self.daemons)

    def in_doubt(self):
        """Of batches that a kill had caught under way, and of replies that were lost."""
        ready = [probe_command.pairs(line) for daemon in self.daemons for line in daemon.lines
                 if "event=store_ready" in line]
        return sum(int(said["in_doubt"]) for said in ready)


@pytest.fixture
def lives(runner, tmp_path):
    folder = tmp_path / "state"
    folder.mkdir()
    return Lives(runner, folder, backfill_rate="600/min")


def has_run(daemon, runs):
    daemon.wait_until(lambda: sum(daemon.runs().values()) >= runs, f"{runs} runs")


def status_of(daemon, command, socket):
    answer = command.command("status", "--json", "--socket", socket)
    assert answer.code in (0, 1), answer
    return answer.json


def test_kills_at_random_moments_lose_the_last_second_at_most(lives, gate):
    print(f"TEST_SEED={SEED}")
    dice = random.Random(SEED)
    kills = 8
    failing = [{"action": "random", "seed": SEED, "rate": 0.3,
                "actions": ["throttle_400", "error_500", "reset_before", "error_503"]}]
    slow = [{"action": "delay", "delay_ms": 400}]  # a batch is under way most of the time
    for number in range(kills):
        gate.set_faults(failing if number % 2 else slow)
        daemon = lives.start()
        has_run(daemon, PROBES)
        time.sleep(dice.uniform(0, 2.5))  # the moment is what the test is about
        daemon.signal(signal.SIGKILL)
        daemon.wait()
    gate.set_faults([])
    last = lives.start()
    has_run(last, 3 * PROBES)
    counters = balanced(last.stop())
    assert counters["samples_waiting"] == counters["samples_dropped"] == 0
    all_samples, once = held(gate.ledger())
    _, successes = held(gate.ledger(), "Success")
    runs = lives.runs()
    print(f"runs {runs}, in the ledger {successes}, twice {all_samples - once} samples, in doubt {lives.in_doubt()}")
    assert runs - kills * PROBES <= successes <= runs + kills
    assert all_samples - once <= lives.in_doubt()


def test_open_windows_are_built_anew_after_a_kill(runner, tmp_path, gate):
    """A window of a minute, two lives within it or over its end; a probe that is gone by then keeps its samples."""
    (tmp_path / "state").mkdir()
    lives = Lives(runner, tmp_path / "state", period="60s")
    first = lives.start()
    has_run(first, 5 * PROBES)
    first.signal(signal.SIGKILL)
    first.wait()
    runs = sum(first.runs().values())
    del lives.probes["p0"]
    second = lives.start()
    restored = int(probe_command.pairs(second.wait_for_line("event=samples_restored"))["samples"])
    has_run(second, 2 * PROBES)
    balanced(second.stop())
    arrived = sum(entry["sample_count"] for entry in gate.ledger() if entry["metric"] == "Success")
    print(f"runs {runs}, restored {restored}, then {sum(second.runs().values())}, arrived {arrived}")
    # What had been published before the kill, at the end of a minute, is not restored.
    assert runs - PROBES <= arrived - sum(second.runs().values()) <= runs + 1
    assert 3 <= sum(entry["sample_count"] for entry in gate.ledger()
                    if entry["metric"] == "Success" and entry["dimensions"] == service("p0")) <= 6


def test_a_full_disk_never_stops_probing_or_publishing(lives, gate):
    on_tmpfs = ("unshare", "-Urm", "sh", "-c", f"mount -t tmpfs -o size=256k,mode=700 none {lives.folder} && exec \"$@\"",
                "sh")
    daemon = lives.start(wrap=on_tmpfs)
    daemon.wait_for_line("event=store_ready")
    assert "database or disk is full" in daemon.wait_for_line("event=store_trouble")
    has_run(daemon, sum(daemon.runs().values()) + 3 * PROBES)
    counters = balanced(daemon.stop())
    assert counters["samples_waiting"] == counters["samples_dropped"] == counters["missed"] == 0
    everything, once = held(gate.ledger(), "Success")
    assert everything == once == sum(daemon.runs().values())


def test_an_outage_over_a_kill_and_a_stop_arrives_afterwards(lives, gate):
    gate.set_faults([{"action": "error_503"}])
    first = lives.start()
    has_run(first, 4 * PROBES)
    first.wait_until(lambda: lives.file.stat().st_size > 0, "the file")
    first.signal(signal.SIGKILL)
    first.wait()
    second = lives.start(shutdown_timeout="1s")
    has_run(second, 4 * PROBES)
    stopped = balanced(second.stop())
    assert stopped["samples_waiting"] > 0 and stopped["samples_dropped"] == 0
    assert gate.ledger() == []
    gate.set_faults([])
    third = lives.start()
    has_run(third, 2 * PROBES)
    assert int(probe_command.pairs(third.wait_for_line("event=store_ready"))["waiting_samples"]) == \
        stopped["samples_waiting"]
    counters = balanced(third.stop())
    assert counters["samples_waiting"] == counters["samples_dropped"] == 0
    everything, once = held(gate.ledger(), "Success")
    assert everything == once, "sent twice"
    assert lives.runs() - PROBES <= once <= lives.runs() + 1
    stamps = collections.Counter(entry["timestamp"] for entry in gate.ledger() if entry["metric"] == "Success"
                                 and entry["dimensions"] == service("p0"))
    assert max(stamps.values()) == 1, "original timestamps"


def test_what_is_written_is_private_and_what_status_says_is_true(lives, gate, command, short_folder):
    os.umask(0o022)
    gate.set_faults([{"action": "error_503"}])
    socket = short_folder / "status.sock"
    daemon = lives.start(status_socket=socket)
    has_run(daemon, 3 * PROBES)
    daemon.wait_until(lambda: status_of(daemon, command, socket)["store"]["file_bytes"] > 0, "a commit")
    store = status_of(daemon, command, socket)["store"]
    assert store["path"] == str(lives.file) and store["state"] == "working" and store["why"] is None
    assert store["outbox_bytes"] > 0 and store["troubles"] == store["set_aside"] == 0
    for path in lives.folder.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600, path
        held_bytes = path.read_bytes()
        assert probe_command.SECRET_KEY.encode() not in held_bytes and probe_command.ACCESS_KEY.encode() not in held_bytes
    text = command.command("status", "--socket", socket).stdout
    assert "store: working" in text, text


def spoil_agent(path):
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE agent SET id = 'i-0123456789abcdef0'")
    connection.close()


def spoil_version(path):
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 2")
    connection.close()


def spoil_bytes(path):
    path.write_bytes(b"no database at all, but long enough to be taken for one" * 100)


@pytest.mark.parametrize("spoil, why", [(spoil_agent, "it belongs to another agent"),
                                        (spoil_version, "it was written by a newer version"),
                                        (spoil_bytes, "it is corrupt")])
def test_a_file_that_is_no_use_is_set_aside(lives, gate, spoil, why):
    gate.set_faults([{"action": "error_503"}])
    first = lives.start(shutdown_timeout="1s")
    has_run(first, 2 * PROBES)
    assert first.stop()["samples_waiting"] > 0
    spoil(lives.file)
    gate.set_faults([])
    second = lives.start()
    assert why in second.wait_for_line("event=store_set_aside")
    assert probe_command.pairs(second.wait_for_line("event=store_ready"))["waiting_datums"] == "0"
    has_run(second, 2 * PROBES)
    counters = balanced(second.stop())
    assert counters["samples_waiting"] == counters["samples_dropped"] == 0
    assert (lives.folder / "store.db.aside-1").exists()
    assert held(gate.ledger(), "Success")[0] == sum(second.runs().values())


def test_a_second_daemon_on_the_directory_goes_on_in_memory(lives, gate):
    first = lives.start()
    first.wait_for_line("event=store_ready")
    second = lives.start()
    assert "another process uses it" in second.wait_for_line("event=store_trouble")
    has_run(second, 2 * PROBES)
    counters = balanced(second.stop())
    assert counters["samples_delivered"] > 0 and counters["samples_waiting"] == counters["samples_dropped"] == 0
    assert balanced(first.stop())["samples_dropped"] == 0


def test_without_a_directory_all_is_in_memory(runner, tmp_path):
    missing = runner.start({"p": runner.world.http("lonely")}, agent={"state_directory": tmp_path / "missing"})
    assert "the directory does not exist" in missing.wait_for_line("event=store_trouble")
    none = runner.start({"p": runner.world.http("lonely")}, agent={"state_directory": "none"})
    assert "so configured" in none.wait_for_line("event=no_store")
    runner.wait_for_samples(none, "Success", 4)
    assert balanced(none.stop())["samples_dropped"] == balanced(missing.stop())["samples_dropped"] == 0


def test_the_service_managers_directory_takes_the_place_of_the_default(runner, tmp_path):
    folder = tmp_path / "managed"
    folder.mkdir()
    daemon = runner.start({"p": runner.world.http("managed")}, agent={"state_directory": None},
                          env={**probe_command.STATIC_CREDENTIALS, "STATE_DIRECTORY": f"{folder}:/elsewhere"})
    assert pathlib.Path(probe_command.pairs(daemon.wait_for_line("event=store_ready"))["path"]).parent == folder
    daemon.stop()
