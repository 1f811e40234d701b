# SPDX-License-Identifier: Apache-2.0
"""The lab is the VPC it claims to be, its faults bite, and nothing of it stays behind."""

import json
import os
import pathlib
import signal
import subprocess

import pytest

import laboratory

CHECKOUT = next(iter(laboratory.SERVICES))
CURL_TIMEOUT, CURL_REFUSED, CURL_NO_NAME = 28, 7, 6

# Runs in the consumer's room: puts three samples.
PUT = """
import sys, time, os
sys.path.insert(0, sys.argv[1])
import signed_call
url = "https://monitoring.us-east-1.amazonaws.com"
datum = {"MetricName": "Latency", "Unit": "Milliseconds", "Values": [10, 40], "Counts": [2, 1],
         "Timestamp": time.time(), "Dimensions": [{"Name": "Service", "Value": "checkout"}]}
print(signed_call.call(url, "PutMetricData", {"Namespace": "LatticeProbe", "MetricData": [datum]}, compress=True,
                       ca=os.environ["AWS_CA_BUNDLE"], connect_to="monitoring.us-east-1.amazonaws.com:443")[0])
"""


def curl(lab, *arguments, room="consumer"):
    return lab.run("curl", "-sS", "-m", "2", "--cacert", lab.ca, *arguments, room=room, check=False)


def rooms_of(name):
    return [line for line in laboratory.run("ip", "netns", "list").stdout.split() if line.startswith(f"{name}-")]


@pytest.mark.parametrize("family", ["-4", "-6"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_lattice_name_answers_over_both_families_and_schemes(lab, family, scheme):
    done = curl(lab, family, "-w", " %{remote_ip}", f"{scheme}://{CHECKOUT}/healthz")
    body, _, address = done.stdout.partition(" ")
    assert json.loads(body) == {"status": "ok"}, done.stderr
    assert address in laboratory.SERVICES[CHECKOUT]
    assert lab.control("dns", "/queries")["total"] >= 1


def test_a_name_that_is_not_there_is_nxdomain(lab):
    assert curl(lab, "https://gone-0123456789abcdef0." + laboratory.SUFFIX).returncode == CURL_NO_NAME
    lab.control("dns", "/names", {"gone-0123456789abcdef0." + laboratory.SUFFIX: ["169.254.171.40"]})
    assert curl(lab, "http://gone-0123456789abcdef0." + laboratory.SUFFIX).returncode == 0


def test_each_resolver_address_answers(lab):
    for address in ("10.0.0.2", "169.254.169.253", "fd00:ec2::253"):
        lab.resolv.joinpath("resolv.conf").write_text(f"nameserver {address}\n", encoding="utf-8")
        assert curl(lab, f"http://{CHECKOUT}/").returncode == 0
    assert {entry["server"].rpartition(":")[0] for entry in lab.control("dns", "/queries")["log"]} == {
        "10.0.0.2", "169.254.169.253", "[fd00:ec2::253]"}


@pytest.mark.parametrize("host", ["169.254.169.254", "[fd00:ec2::254]"])
def test_imds_answers_version_2_on_both_families(lab, host):
    token = curl(lab, "-X", "PUT", "-H", "X-aws-ec2-metadata-token-ttl-seconds: 60",
                 f"http://{host}/latest/api/token").stdout
    answer = curl(lab, "-H", f"X-aws-ec2-metadata-token: {token}", f"http://{host}/latest/meta-data/placement/region")
    assert answer.stdout == "us-east-1"
    assert curl(lab, "-f", f"http://{host}/latest/meta-data/").returncode == 22


def test_addresses_the_vpc_does_not_know_are_silent(lab):
    assert curl(lab, "http://203.0.113.1/").returncode == CURL_TIMEOUT


def test_faults_drop_and_refuse_and_are_cleared(lab):
    url = f"http://{CHECKOUT}/"
    lab.nft("lattice", "input", "tcp dport 80 drop")
    assert curl(lab, "-4", url).returncode == CURL_TIMEOUT
    lab.nft("lattice", "input", "tcp dport 80 reject with tcp reset")
    assert curl(lab, "-4", url).returncode == CURL_REFUSED
    lab.clear_nft("lattice")
    assert curl(lab, "-4", url).returncode == 0


def test_what_is_put_through_the_gate_can_be_read_back(lab):
    for _ in range(2):
        assert lab.run("/usr/bin/python3", "-c", PUT, laboratory.SUPPORT).stdout == "200\n"
    table = laboratory.HERE / "cloudwatch_table.py"
    (row,) = json.loads(lab.run(table, "--json").stdout)
    assert row["metric"] == "Latency" and row["dimensions"] == {"Service": "checkout"}
    assert (row["samples"], row["average"], row["minimum"], row["maximum"]) == (6, 20, 10, 40)
    lines = lab.run(table).stdout.splitlines()
    assert len(lines) == 3 and max(map(len, lines)) <= 80
    ledger = lab.control("gate", "/ledger")
    assert [entry["sample_count"] for entry in ledger] == [3, 3] and lab.control("gate", "/rejections") == []
    lines = (lab.folder / "ledger").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == ledger


def test_two_labs_stand_side_by_side(lab, moto_python):
    other = laboratory.Lab(lab.name + "b")
    other.up(moto_python)
    try:
        lab.nft("lattice", "input", "tcp dport 80 drop")
        assert curl(other, "-4", f"http://{CHECKOUT}/").returncode == 0
    finally:
        other.down()
    assert rooms_of(other.name) == [] and len(rooms_of(lab.name)) == len(laboratory.ROOMS)


def test_down_leaves_nothing_and_may_be_repeated(lab):
    servers = [lab._pid(lab.folder, server) for server in lab.processes()]
    sleeper = subprocess.Popen(lab.command(["sleep", "600"]))
    lab.down()
    assert sleeper.wait(5) == -signal.SIGTERM
    assert rooms_of(lab.name) == [] and lab.folders() == [] and not lab.resolv.exists()
    assert not any(os.path.exists(f"/proc/{pid}") and not laboratory.is_zombie(pid) for pid in servers)
    lab.down()


def test_up_clears_a_lab_that_was_killed_half_way(lab, moto_python):
    """As after SIGKILL: a folder without ids, servers that still run, rooms that still stand."""
    old = lab.folder
    orphan = lab._pid(old, "dns")
    for path in old.glob("*.pid"):
        path.unlink()
    lab.up(moto_python)
    assert not old.exists() and len(lab.folders()) == 1
    assert not os.path.exists(f"/proc/{orphan}") or laboratory.is_zombie(orphan)
    assert curl(lab, f"http://{CHECKOUT}/").returncode == 0


def test_the_command_line(lab):
    program = laboratory.HERE / "lab"
    done = subprocess.run([program, "exec", lab.name, "--", "sh", "-c", "cat /etc/resolv.conf; echo $AWS_CA_BUNDLE"],
                          capture_output=True, text=True, check=True)
    assert done.stdout == f"nameserver 10.0.0.2\n{lab.ca}\n"
    done = subprocess.run([program, "exec", f"{lab.name}/svc", "--", "ip", "-br", "address"],
                          capture_output=True, text=True, check=True)
    assert "10.0.0.2/24" in done.stdout
    done = subprocess.run([program, "control", lab.name, "imds", "/script", '{"role": null}'],
                          capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {}
    done = subprocess.run([program, "control", lab.name, "imds", "/script", '{"rule": null}'],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "unknown keys" in done.stderr
    for mistake in ([], ["up", "a", "b"], ["exec", "--"], ["fly"]):
        assert subprocess.run([program, *mistake], capture_output=True, check=False).returncode == 2
    assert subprocess.run([program, "down", "No-Name"], capture_output=True, check=False).returncode == 1


def test_the_environment_is_made_once(moto_python):
    stamp = pathlib.Path(moto_python).parent.parent / "installed-requirements"
    before = stamp.stat().st_mtime_ns
    again = subprocess.run([laboratory.SUPPORT / "venv", stamp.parent.parent], capture_output=True, text=True, check=True)
    assert again.stdout.strip() == moto_python and stamp.stat().st_mtime_ns == before
