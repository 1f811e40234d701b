# SPDX-License-Identifier: Apache-2.0
"""`lattice-probe check-config`: what it says, where, and with which exit status."""

import json
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
LONG = "https://checkout-0a1b2c3d4e5f67890.7d67968.vpc-lattice-svcs.us-east-1.on.aws/healthz"
GOOD = f"""[agent]
resolver = 10.0.0.2, [fd00::2]:5353
[cloudwatch]
dimension.Environment = test
expected_agents = 3
dimension_sets = Service | Service,InstanceId
[probe checkout]
url = {LONG}?token=SECRET
interval = 30s
timeout = 1500ms
resolver = vpc
[probe {"n" * 64}]
url = http://10.0.0.1:8080/
[probe off]
url = http://off.example/
enabled = no
"""


@pytest.fixture
def check_config(lattice_probe, tmp_path):
    """check_config(text, *arguments): the text as a file, checked."""
    path = tmp_path / "lattice-probe.conf"

    def run(text, *arguments):
        path.write_text(text, encoding="utf-8")
        return subprocess.run([lattice_probe, "check-config", "-c", path, *arguments], capture_output=True, text=True,
                              timeout=30, check=False)
    run.path = path
    return run


def test_a_right_file_is_shown_as_probes_metrics_and_cost(check_config):
    done = check_config(GOOD)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "checkout: every 30s, timeout 1500ms, resolver vpc"
    assert lines[1].startswith("  https://checkout-0a1b2c3d4e5f67890.7d67968.")
    assert lines[2].startswith("n" * 64 + ": every 10s")
    assert lines[3] == "  http://10.0.0.1:8080/"
    assert lines[4] == "and 1 disabled"
    assert max(len(line) for line in lines) <= 80
    # Two sets of Success, Latency, DnsLatency and of Success, Latency; a heartbeat. Three agents share one set.
    rows = {line.split("  ")[1].strip(): line.split()[-2:] for line in lines if line.startswith("  ") and line.split()}
    assert rows["metrics"] == ["11", "21"]
    assert rows["price of metrics"] == ["$3.30", "$6.30"]
    assert rows["requests"] == ["43800", "131400"]
    assert rows["together"] == ["$3.74", "$7.61"]


def test_json_says_the_same(check_config):
    done = check_config(GOOD, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    said = json.loads(done.stdout)
    assert said["ok"] is True and said["mistakes"] == [] and said["warnings"] == [] and said["disabled"] == 1
    assert said["probes"][0] == {"probe": "checkout", "url": LONG + "?…", "interval_us": 30_000_000,
                                 "timeout_us": 1_500_000, "resolver": "vpc"}
    assert said["probes"][1]["resolver"] == "10.0.0.2:53, [fd00::2]:5353"
    assert said["cost"]["service_metrics"] == 10 and said["cost"]["fleet_metrics"] == 21
    assert said["cost"]["fleet_dollars"] == pytest.approx(7.614)


def test_all_mistakes_are_on_stderr_one_a_line_and_counted(check_config):
    done = check_config("[agent]\ntimout = 3s\ninterval = 5\n[probe a]\n[cloudwatch]\nnamespace = x\n")
    assert done.returncode == 2
    assert done.stdout == ""
    path = check_config.path
    assert done.stderr.splitlines() == [
        f"{path}:2: [agent] timout: there is no such key; did you mean timeout?",
        f'{path}:3: [agent] interval: "5" has no unit; write 5s (ms, s, m, h, d)',
        f"{path}:4: [probe a] url: is missing; write url = https://host/path",
        f"lattice-probe: {path}: 3 mistakes"]


def test_mistakes_as_json_keep_the_exit_status(check_config):
    done = check_config("[agent]\nfleet = a\nfleet\xe9 = b\n", "--json")
    assert done.returncode == 2
    said = json.loads(done.stdout)
    assert said["ok"] is False and said["probes"] == [] and said["cost"] is None
    assert said["mistakes"] == [{"file": str(check_config.path), "line": 3,
                                 "text": "[agent] fleet??: there is no such key; did you mean fleet?"}]


def test_a_warning_is_no_mistake(check_config):
    done = check_config("[probe a]\nurl = http://h/\n")
    assert done.returncode == 0
    assert ": warning: [cloudwatch] dimension.NAME: " in done.stderr
    assert done.stdout.startswith("a: every 10s")


def test_without_a_probe_it_says_how_to_add_one(check_config):
    done = check_config("[cloudwatch]\ndimension.Environment = test\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert "No probe is configured." in done.stdout
    assert "[probe NAME]\n  url = https://host/path" in done.stdout
    assert str(check_config.path) in done.stdout


def test_it_says_when_every_probe_is_disabled(check_config):
    done = check_config("[probe a]\nurl = http://h/\nenabled = no\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Every probe is disabled (enabled = no).\n")


def test_of_very_many_mistakes_the_rest_is_counted(check_config):
    done = check_config("[agent]\n" + "".join(f"nonsense{i} = 1\n" for i in range(1200)))
    lines = done.stderr.splitlines()
    assert done.returncode == 2
    assert lines[1000:] == ["lattice-probe: 200 more are not shown", f"lattice-probe: {check_config.path}: 1200 mistakes"]


def test_the_shipped_file_is_right(lattice_probe):
    done = subprocess.run([lattice_probe, "check-config", "-c", ROOT / "conf" / "lattice-probe.conf"],
                          capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_file_that_is_not_there_is_a_mistake(lattice_probe, tmp_path):
    done = subprocess.run([lattice_probe, "check-config", "-c", tmp_path / "none.conf"], capture_output=True, text=True,
                          timeout=30, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [f"{tmp_path}/none.conf: cannot be opened: No such file or directory",
                                        f"lattice-probe: {tmp_path}/none.conf: 1 mistake"]


@pytest.mark.parametrize("arguments, status", [(["--help"], 0), (["--nonsense"], 2), (["extra"], 2), (["-c"], 2)])
def test_usage_is_explained(lattice_probe, arguments, status):
    done = subprocess.run([lattice_probe, "check-config", *arguments], capture_output=True, text=True, timeout=30,
                          check=False)
    assert done.returncode == status
    assert "usage: lattice-probe check-config" in (done.stderr if status else done.stdout)
