# SPDX-License-Identifier: Apache-2.0
"""The lab is the VPC it claims to be, its faults bite, and nothing of it stays behind."""

import json
import os
import pathlib
import signal
import subprocess

import pytest

import catalogue
import laboratory
import network
from laboratory import CHECKOUT

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


# Runs in the consumer's room: one question for A; what the header and the records say.
ASK = """
import json, socket, struct, sys
name, address = sys.argv[2], (sys.argv[3:] + ["10.0.0.2"])[0]
labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + bytes(1)
asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asker.settimeout(3)
asker.sendto(struct.pack("!6H", 7, 0x0100, 1, 0, 0, 0) + labels + struct.pack("!2H", 1, 1), (address, 53))
reply = asker.recv(4096)
_, flags, _, answers, _, _ = struct.unpack("!6H", reply[:12])
at, ttl, addresses = 12 + len(labels) + 4, None, 0
for _ in range(answers):
    kind, _, ttl, length = struct.unpack("!HHIH", reply[at + 2:at + 12])
    addresses += kind == 1
    at += 12 + length
print(json.dumps({"flags": flags, "rcode": flags & 15, "answers": answers, "ttl": ttl, "addresses": addresses}))
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


def test_a_name_that_is_not_there_is_nxdomain(lab):
    assert curl(lab, "https://gone-0123456789abcdef0." + laboratory.SUFFIX).returncode == CURL_NO_NAME
    lab.names({"gone-0123456789abcdef0." + laboratory.SUFFIX: ["169.254.171.40"]})
    assert curl(lab, "http://gone-0123456789abcdef0." + laboratory.SUFFIX).returncode == 0


def test_each_resolver_address_answers(lab):
    for address in ("10.0.0.2", "169.254.169.253", "fd00:ec2::253"):
        lab.resolv_conf(address)
        assert curl(lab, f"http://{CHECKOUT}/").returncode == 0


def test_the_vpc_resolver_looks_like_one(lab):
    """RA=1, AA=0, a TTL that counts down, and an alias with what is behind it."""
    first = json.loads(lab.run("/usr/bin/python3", "-c", ASK, laboratory.SUPPORT, laboratory.CUSTOM_DOMAIN).stdout)
    assert (first["rcode"], first["flags"] & 0x0480, first["answers"]) == (0, 0x0080, 2)
    later = first
    while later["ttl"] == first["ttl"]:
        later = json.loads(lab.run("/usr/bin/python3", "-c", ASK, laboratory.SUPPORT, laboratory.CUSTOM_DOMAIN).stdout)
    assert later["ttl"] < first["ttl"] <= 60


def test_each_other_resolver_knows_its_part(lab):
    seen = {}
    for address in ("10.0.0.53", "10.0.0.54", "203.0.113.53"):
        for name in (CHECKOUT, laboratory.CUSTOM_DOMAIN, "monitoring.us-east-1.amazonaws.com"):
            answer = json.loads(lab.run("/usr/bin/python3", "-c", ASK, laboratory.SUPPORT, name, address).stdout)
            seen[address, name.partition("-")[0].partition(".")[0]] = (answer["rcode"], answer["addresses"])
    assert seen == {("10.0.0.53", "checkout"): (3, 0), ("10.0.0.53", "shop"): (3, 0), ("10.0.0.53", "monitoring"): (0, 1),
                    ("10.0.0.54", "checkout"): (0, 0), ("10.0.0.54", "shop"): (0, 0), ("10.0.0.54", "monitoring"): (0, 1),
                    ("203.0.113.53", "checkout"): (0, 1), ("203.0.113.53", "shop"): (3, 0),
                    ("203.0.113.53", "monitoring"): (0, 1)}


def test_the_consumer_is_an_instance_by_its_firmware(lab):
    place = "/sys/class/dmi/id/"
    assert lab.run("cat", place + "sys_vendor").stdout == "Amazon EC2\n"
    assert "eth0" in lab.run("ls", "/sys/class/net").stdout
    lab.identity(sys_vendor="Framework", board_asset_tag="")
    assert lab.run("cat", place + "sys_vendor").stdout == "Framework\n"
    assert lab.run("ls", place).stdout.split() == ["product_name", "sys_vendor"]


def test_a_name_without_a_certificate_is_refused_in_the_handshake(lab):
    assert curl(lab, f"https://{laboratory.CUSTOM_DOMAIN}/healthz").returncode == 0
    lab.fault(catalogue.load("tls-unknown-name"))
    assert curl(lab, f"http://{laboratory.BARE_DOMAIN}/healthz").returncode == 0
    assert "unrecognized name" in curl(lab, f"https://{laboratory.BARE_DOMAIN}/healthz").stderr


def test_clear_puts_back_what_faults_changed(lab):
    before = {room: network.picture(lab.room(room)) for room in network.ROOMS}
    for name in ("healthy-ipv6-only", "healthy-zeroconf", "route-diverted-rule", "route-diverted-tunnel", "pmtu-blackhole",
                 "dns-servfail", "dns-nxdomain", "outside-vpc", "imds-off", "clock-skew", "tls-silent"):
        lab.fault(catalogue.load(name))
    assert len(lab.faults()) == 11 and curl(lab, f"https://{CHECKOUT}/healthz").returncode != 0
    lab.clear()
    assert {room: network.picture(lab.room(room)) for room in network.ROOMS} == before
    assert lab.faults() == [] and curl(lab, f"https://{CHECKOUT}/healthz").stdout == '{"status":"ok"}'
    assert lab.run("cat", "/etc/resolv.conf", "/sys/class/dmi/id/sys_vendor").stdout == "nameserver 10.0.0.2\nAmazon EC2\n"
    assert lab.run("/usr/bin/python3", "-c", PUT, laboratory.SUPPORT).stdout == "200\n"


def test_faults_add_up(lab):
    lab.fault(catalogue.load("tls-expired"))
    lab.fault(catalogue.load("app-status"))
    assert "expired" in curl(lab, f"https://{CHECKOUT}/healthz").stderr
    assert json.loads(curl(lab, "-k", f"https://{CHECKOUT}/healthz").stdout) == {"error": "no database"}


def test_a_room_that_cannot_be_put_back_is_an_error(lab):
    space = lab.room("router")
    before = network.picture(space) + "\nwhat no room could show"
    with pytest.raises(RuntimeError, match="is not as it was: what no room could show"):
        network.restore("router", space, before)


def test_every_fault_says_what_it_is():
    for name in catalogue.names():
        fault = catalogue.load(name)
        assert catalogue.headline(fault).endswith("."), name
        assert fault.CONFIDENCE in ("certain", "likely", "candidates"), name
        assert fault.BASIS in ("documented", "observed", "inferred"), name
    with pytest.raises(ValueError, match="no such fault"):
        catalogue.load("../lab")


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
    lab.clear_nft("lattice")
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
    orphan = lab._pid(old, "unbound-vpc")
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
    done = subprocess.run([program, "fault", lab.name, "dns-refused"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("The resolver answers REFUSED.\nask: lab exec ")
    done = subprocess.run([program, "list"], capture_output=True, text=True, check=True)
    assert f"lab {lab.name} is up: dns-refused\n" in done.stdout and "\npath-silent " in done.stdout
    subprocess.run([program, "clear", lab.name], check=True)
    assert lab.faults() == []
    assert subprocess.run([program, "fault", lab.name, "nonsense"], capture_output=True, check=False).returncode == 1
    for mistake in ([], ["up", "a", "b"], ["exec", "--"], ["fly"], ["fault"], ["clear", "a", "b"]):
        assert subprocess.run([program, *mistake], capture_output=True, check=False).returncode == 2
    assert subprocess.run([program, "down", "No-Name"], capture_output=True, check=False).returncode == 1


def test_the_environment_is_made_once(moto_python):
    stamp = pathlib.Path(moto_python).parent.parent / "installed-requirements"
    before = stamp.stat().st_mtime_ns
    again = subprocess.run([laboratory.SUPPORT / "venv", stamp.parent.parent], capture_output=True, text=True, check=True)
    assert again.stdout.strip() == moto_python and stamp.stat().st_mtime_ns == before
