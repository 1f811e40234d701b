# SPDX-License-Identifier: Apache-2.0
"""The life of the Debian package on one machine: installed, configured, hurt, upgraded, removed, purged."""

import re
import subprocess
import time

import pytest

import agent as agent_module
import laboratory
import lab_credentials
from agent import CONF, CONF_D, DROP_IN, SOCKET
from faults import path_silent
from machine import wait_for

UNIT = "lattice-probe.service"
EDIT = "# edited by an administrator\n"
FOLDERS = ("/etc", "/opt", "/run", "/srv", "/tmp", "/usr", "/var")
# What dpkg, apt, systemd and the user database keep of any package that was here and is gone.
KEPT_BY_OTHERS = re.compile(r"""
    /var/(lib/(dpkg|apt)|cache/(apt|debconf|ldconfig)|log/(apt|dpkg\.log|journal))(/|$)
    | /run/(log/journal|systemd|user|dbus|utmp|mount|lock|lvm|initctl|credentials)(/|$)
    | /(etc|run)/\.?(passwd|group|g?shadow|subuid|subgid)(-|\.lock)?$ | /etc/\.pwd\.lock$
    | /tmp/systemd-private- | /var/tmp/systemd-private- | /var/lib/systemd/""", re.X)


@pytest.fixture(scope="module")
def agent(machine, lab):
    return agent_module.Agent(machine, lab)


@pytest.fixture(scope="module")
def before(machine):
    """Every file there was before the package came."""
    return machine.files(*FOLDERS)


def apt(machine, *words):
    """apt-get without a network and without a question; its words must name no trouble."""
    done = machine.run("apt-get", "-y", "-o", "Dpkg::Use-Pty=0", *words)
    said = done.stdout + done.stderr
    assert not re.search(r"^(W|E|Warning|dpkg: (warning|error)|Failed)\b", said, re.M | re.I), said
    return said


def now_us():
    return time.time_ns() // 1000


def proc_status(machine, pid):
    lines = machine.say("cat", f"/proc/{pid}/status").splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


# ---- installed

def test_it_installs_where_its_dependencies_are(machine, deb, before):
    assert not [path for path in before if "lattice-probe" in path and not path.startswith("/run/")]
    apt(machine, "install", machine.bring(deb))
    assert machine.say("dpkg-query", "-W", "-f", "${db:Status-Status}", "lattice-probe") == "installed"
    assert machine.say("dpkg", "--verify", "lattice-probe") == ""


def test_fresh_it_is_active_and_idle_and_says_how_to_add_a_probe(machine, agent):
    wait_for(agent.is_active, "the unit to be active")
    line = agent.wait_for_line(r"event=idle .*").group()
    assert "[probe NAME]" in line and CONF in line, line
    assert machine.property("NRestarts") == "0" and agent.problems() == []
    assert machine.say("systemctl", "is-enabled", UNIT) == "enabled"


def test_files_are_for_root_and_the_group_alone(machine):
    assert machine.mode(CONF) == "640 root:lattice-probe"
    assert machine.mode("/etc/lattice-probe") in ("750 root:lattice-probe", "755 root:root")
    assert machine.mode(CONF_D) == "750 root:lattice-probe"
    assert machine.mode("/var/lib/lattice-probe") in ("700 lattice-probe:lattice-probe", "750 lattice-probe:lattice-probe")
    assert machine.mode(SOCKET) == "660 lattice-probe:lattice-probe"
    assert machine.mode("/usr/bin/lattice-probe") == "755 root:root"


def test_the_process_has_no_rights_to_lose(machine):
    said = proc_status(machine, machine.pid())
    assert {said[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert said["NoNewPrivs"] == "1" and said["Seccomp"] == "2" and said["Umask"] == "0077"
    assert set(said["Uid"].split()) == {machine.say("id", "-u", "lattice-probe")} != {"0"}


def test_members_of_the_group_may_ask_and_others_may_not(machine):
    machine.run("useradd", "--groups", "lattice-probe", "member")
    machine.run("useradd", "stranger")
    assert "probes: 0 healthy" in machine.say("lattice-probe", "status", user="member")
    assert machine.run("lattice-probe", "check-config", user="member", check=False).returncode == 0
    refused = machine.run("lattice-probe", "status", user="stranger", check=False)
    assert refused.returncode == 3 and "may not be used by this user" in refused.stderr
    assert machine.run("lattice-probe", "check-config", user="stranger", check=False).returncode == 2


# ---- configured

def test_a_probe_publishes_with_the_credentials_of_the_instances_role(machine, lab, agent):
    since = now_us()
    agent.trust_the_lab()
    agent.pace()
    agent.probe("checkout", laboratory.CHECKOUT)
    machine.run("systemctl", "restart", UNIT)
    datum = agent.wait_for_datum("checkout", since)
    assert datum["values"] == [1] or datum["values"] == [1.0], datum
    calls = [each for each in lab.control("gate", "/requests") if each["action"] == "PutMetricData"]
    assert {each["access_key"] for each in calls} <= set(lab_credentials.ACCESS_KEYS)
    assert agent.status()["credentials"]["source"] == "imds" and agent.refusals() == []


def test_a_reload_adds_a_probe_and_keeps_the_process(machine, lab, agent):
    pid, since = machine.pid(), now_us()
    agent.probe("endpoint", laboratory.ENDPOINT)
    machine.run("systemctl", "reload", UNIT)
    agent.wait_for_probes("checkout", "endpoint")
    agent.wait_for_datum("endpoint", since)
    assert machine.pid() == pid and agent.is_active()


def test_a_bad_configuration_is_refused_and_the_old_one_goes_on(machine, agent):
    pid, since = machine.pid(), now_us()
    agent.configure("zz-bad", "[probe bad]\nurl = gopher://nowhere\n")
    machine.run("systemctl", "reload", UNIT, check=False)
    agent.wait_for_line(r"event=reload_failed")
    assert re.search(r"zz-bad\.conf:2: \[probe bad\] url: ", machine.journal())
    agent.wait_for_datum("checkout", since)
    assert machine.pid() == pid and agent.is_active() and set(agent.probes()) == {"checkout", "endpoint"}
    assert "zz-bad.conf:2" in machine.run("lattice-probe", "status", check=False).stdout
    machine.path(f"{CONF_D}/zz-bad.conf").unlink()
    machine.run("systemctl", "reload", UNIT)
    wait_for(lambda: "zz-bad" not in machine.run("lattice-probe", "status", check=False).stdout, "the reload to be good")


# ---- hurt

def replaced(machine, agent, pid):
    """Waits until systemd has started another process in place of this one, and it publishes."""
    since = now_us()
    wait_for(lambda: machine.pid() not in (None, pid) and agent.is_active(), "another process")
    agent.wait_for_probes("checkout", "endpoint")
    agent.wait_for_datum("checkout", since)


def test_a_killed_agent_comes_back(machine, agent):
    pid = machine.pid()
    machine.run("kill", "-KILL", pid)
    replaced(machine, agent, pid)
    assert machine.property("NRestarts") == "1"


def test_a_stuck_agent_is_replaced_by_the_watchdog(machine, agent):
    pid, at = machine.pid(), machine.cursor()
    machine.run("kill", "-STOP", pid)
    replaced(machine, agent, pid)
    assert "Watchdog timeout" in machine.journal(f"--after-cursor={at}")
    assert machine.property("NRestarts") == "2"


def test_the_sandbox_lets_the_diagnosis_see(machine, lab, agent):
    """The verdict, and every hop of its story, as the same binary reaches them with all rights."""
    since = machine.cursor()
    path_silent.apply(lab)
    found = wait_for(lambda: agent.probes()["checkout"]["diagnosis"], "a diagnosis")
    assert found["verdict"] == "path-silent", found
    text = agent.status_text()
    outside = machine.run("lattice-probe", "diagnose", "--no-aws", "--json", f"https://{laboratory.CHECKOUT}/healthz", check=False)
    lab.clear()
    agent.wait_for_probes("checkout", "endpoint")
    said = machine.journal(f"--after-cursor={since}")
    for word in ("EPERM", "EACCES", "not permitted", "ermission denied"):
        assert word not in said and word not in text
    assert '"path-silent"' in outside.stdout


def test_it_stops_in_time_and_starts_at_boot(machine, agent):
    machine.run("systemctl", "stop", UNIT)
    assert machine.property("Result") == "success" and machine.pid() is None
    assert not machine.files("/run/lattice-probe") if machine.run("test", "-e", "/run/lattice-probe", check=False).returncode == 0 else True
    machine.halt()
    machine.boot()
    wait_for(agent.is_active, "the unit to be active after the boot")
    agent.wait_for_probes("checkout", "endpoint")


# ---- removed, purged

def test_removed_it_runs_no_more_and_leaves_the_configuration(machine, agent):
    machine.path(CONF).write_text(machine.read(CONF) + EDIT, encoding="utf-8")
    apt(machine, "remove", "lattice-probe")
    assert machine.run("pgrep", "-x", "lattice-probe", check=False).returncode == 1
    assert not agent.is_active() and not machine.path("/usr/bin/lattice-probe").exists()
    assert machine.read(CONF).endswith(EDIT) and machine.path(f"{CONF_D}/checkout.conf").exists()


def test_purged_it_leaves_nothing(machine, before):
    for mine in (f"{CONF_D}/checkout.conf", f"{CONF_D}/endpoint.conf", f"{CONF_D}/pace.conf", DROP_IN):
        machine.path(mine).unlink()
    apt(machine, "purge", "lattice-probe")
    left = {path for path in machine.files(*FOLDERS) if path not in before and not KEPT_BY_OTHERS.match(path)}
    assert left <= {machine.BROUGHT}, left


# ---- upgraded

def test_an_upgrade_keeps_edits_and_restarts(machine, agent, deb, previous_deb):
    apt(machine, "install", machine.bring(previous_deb))
    assert machine.say("dpkg-query", "-W", "-f", "${Version}", "lattice-probe") == ""
    machine.path(CONF).write_text(machine.read(CONF) + EDIT, encoding="utf-8")
    pid = machine.pid()
    apt(machine, "install", machine.bring(deb))
    wait_for(lambda: machine.pid() not in (None, pid) and agent.is_active(), "the new process")
    assert machine.read(CONF).endswith(EDIT)
