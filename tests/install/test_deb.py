# SPDX-License-Identifier: Apache-2.0
"""The life of the Debian package on one machine: installed, configured, hurt, upgraded, removed, purged."""

import json
import re

import pytest

import agent as agent_module
import laboratory
import lab_credentials
from agent import CONF, CONF_D, DROP_IN, PERIOD_S, SOCKET
from faults import path_silent
from machine import CA, LUGGAGE, now_us, wait_for

UNIT = "lattice-probe.service"
KEEP_EDITED = ("-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold")
PREVIOUS_LINE = "a line of the previous release"  # tests/install/run puts it into the older package's file
DROP_INS = {DROP_IN, DROP_IN.rpartition("/")[0]}
EDIT = "# edited by an administrator\n"
FOLDERS = ("/etc", "/opt", "/run", "/srv", "/tmp", "/usr", "/var")
# Each that works says so; only the first ought to. What Debian has without another package has to do.
ESCAPES = """
try() { what=$1; shift; if "$@" >/dev/null 2>&1; then echo "$what: yes"; fi; }
try state touch /var/lib/lattice-probe/escape
rm -f /var/lib/lattice-probe/escape
try "write configuration" touch /etc/lattice-probe/escape
try "write system" touch /usr/escape /etc/escape /var/escape
try "write beside state" touch /var/lib/escape
try "write where all may" touch /opt/open/escape
rm -f /opt/open/escape
try "see homes" test -e ~stranger
try "read passwords" cat /etc/shadow
try "new namespace" unshare --user --map-root-user true
try "mount" mount -t tmpfs tmpfs /tmp
try "host name" hostname escape
try "see others" test -d /proc/1
try "kernel's settings" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
echo end
"""
# What dpkg, apt, systemd and the user database write while any package comes and goes.
KEPT_BY_OTHERS = re.compile(r"""
    /var/(lib/(dpkg|apt)|cache/(apt|debconf|ldconfig)|log/(apt|dpkg\.log|journal))(/|$)
    | /run/(log/journal|systemd|user|dbus|utmp|mount|lock|lvm|initctl|credentials)(/|$)
    | /(etc|run)/\.?(passwd|group|g?shadow|subuid|subgid)(-|\.lock)?$ | /etc/\.pwd\.lock$
    | /tmp/systemd-private- | /var/tmp/systemd-private- | /var/lib/systemd/""", re.X)


@pytest.fixture(scope="module")
def agent(machine, lab):
    """The drop-in that it needs in the lab is there before the package."""
    made = agent_module.Agent(machine, lab)
    made.trust_the_lab()
    return made


@pytest.fixture(scope="module")
def before(machine, agent):
    """Every file there was before the package came."""
    return machine.files(*FOLDERS)


def apt(machine, *words):
    """apt-get without a network and without a question; its words must name no trouble."""
    done = machine.run("apt-get", "-y", "-o", "Dpkg::Use-Pty=0", *words)
    said = done.stdout + done.stderr
    assert not re.search(r"^(W|E|Warning|dpkg: (warning|error)|Failed)\b", said, re.M | re.I), said
    return said


def proc_status(machine, pid):
    lines = machine.say("cat", f"/proc/{pid}/status").splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


# ---- installed

def test_it_installs_where_its_dependencies_are(machine, deb, before):
    assert {path for path in before if "lattice-probe" in path} == DROP_INS
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
    assert machine.mode("/etc/lattice-probe") == "750 root:lattice-probe"
    assert machine.mode(CONF_D) == "750 root:lattice-probe"
    assert machine.mode("/var/lib/lattice-probe") == "700 lattice-probe:lattice-probe"
    assert machine.mode(SOCKET) == "660 lattice-probe:lattice-probe"
    assert machine.mode("/usr/bin/lattice-probe") == "755 root:root"


def test_the_process_has_no_rights_to_lose(machine):
    said = proc_status(machine, machine.pid())
    assert {said[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert said["NoNewPrivs"] == "1" and said["Seccomp"] == "2" and said["Umask"] == "0077"
    assert set(said["Uid"].split()) == {machine.say("id", "-u", "lattice-probe")} != {"0"}


def test_members_of_the_group_may_ask_and_others_may_not(machine):
    machine.run("useradd", "--groups", "lattice-probe", "member")
    machine.run("useradd", "--create-home", "stranger")
    assert "probes: 0 healthy" in machine.say("lattice-probe", "status", user="member")
    assert machine.run("lattice-probe", "check-config", user="member", check=False).returncode == 0
    refused = machine.run("lattice-probe", "status", user="stranger", check=False)
    assert refused.returncode == 3 and "may not be used by this user" in refused.stderr
    assert machine.run("lattice-probe", "check-config", user="stranger", check=False).returncode == 2


# ---- configured

def test_a_probe_publishes_with_the_credentials_of_the_instances_role(machine, lab, agent):
    since = now_us()
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
    assert "zz-bad.conf:2" in agent.status_text()
    machine.path(f"{CONF_D}/zz-bad.conf").unlink()
    machine.run("systemctl", "reload", UNIT)
    wait_for(lambda: "zz-bad" not in agent.status_text(), "the reload to be good")


def test_secrets_come_as_credentials_of_the_unit(machine, lab, agent):
    """As the shipped example of a drop-in says: static keys, and a header's value; the account reads neither file."""
    since, token = now_us(), "Bearer of-the-lab"
    key = lab_credentials.ACCESS_KEYS[0]
    agent.secrets(**{"aws": f"[default]\naws_access_key_id = {key}\n"
                            f"aws_secret_access_key = {lab_credentials.SECRETS[key]}\n", "checkout.token": token})
    lab.http(routes={"*": {"echo": True}})
    agent.probe("checkout", laboratory.CHECKOUT, "header_file.Authorization = checkout.token",
                f"expect_body = {token}")
    machine.run("systemctl", "restart", UNIT)
    agent.wait_for_probes("checkout", "endpoint")
    agent.wait_for_datum("checkout", since)
    assert agent.status()["credentials"]["source"] == "shared-file"
    assert token not in machine.journal() and lab_credentials.SECRETS[key] not in machine.journal()
    lab.clear()
    agent.forget_secrets()
    agent.probe("checkout", laboratory.CHECKOUT)
    machine.run("systemctl", "restart", UNIT)
    agent.wait_for_probes("checkout", "endpoint")


# ---- hurt

def replaced(machine, agent, signal_name):
    """Sends a signal; waits until systemd has started another process instead, once, and that one publishes."""
    pid, since, restarts = machine.pid(), now_us(), int(machine.property("NRestarts"))
    machine.kill(signal_name, pid)
    wait_for(lambda: machine.pid() not in (None, pid) and agent.is_active(), "another process")
    agent.wait_for_probes("checkout", "endpoint")
    agent.wait_for_datum("checkout", since)
    assert int(machine.property("NRestarts")) == restarts + 1


def test_a_killed_agent_comes_back(machine, agent):
    replaced(machine, agent, "KILL")


def test_a_stuck_agent_is_replaced_by_the_watchdog(machine, agent):
    since = now_us()
    replaced(machine, agent, "STOP")
    assert "Watchdog timeout" in machine.journal(since_us=since)


def test_what_an_outage_holds_back_outlives_a_kill(machine, lab, agent):
    """Whole windows close while CloudWatch refuses everything; the next process has them from the store."""
    lab.gate({"action": "error_503"})
    first_s = (now_us() // 1000000 // PERIOD_S + 1) * PERIOD_S
    held = {first_s, first_s + PERIOD_S}
    # A window is closed, and in the store, two periods after its end at the latest.
    wait_for(lambda: now_us() >= (first_s + 4 * PERIOD_S) * 1000000, "two windows to close")
    assert agent.status()["queue"]["samples_waiting"] >= 2 * PERIOD_S
    killed_us = now_us()
    machine.kill("KILL", machine.pid())
    lab.clear()
    wait_for(lambda: held <= {each["timestamp"] for each in agent.datums("checkout", killed_us)}, "what was held back")
    files = [path for path, kind in machine.files("/var/lib/lattice-probe").items() if kind == "f"]
    assert set(machine.say("stat", "-c", "%a %U", *files).splitlines()) == {"600 lattice-probe"}
    agent.wait_for_probes("checkout", "endpoint")


def test_the_sandbox_holds(machine, agent):
    """Nothing but the state works in it, of which some does for the same account outside."""
    machine.run("install", "-d", "-m", "1777", "/opt/open")
    machine.write(f"{LUGGAGE}/escape", ESCAPES)
    outside = machine.say("sh", f"{LUGGAGE}/escape", user="lattice-probe").splitlines()
    assert {"state: yes", "write where all may: yes", "see homes: yes", "see others: yes", "end"} <= set(outside)
    assert agent.run_in_sandbox("/bin/sh", f"{LUGGAGE}/escape").splitlines() == ["state: yes", "end"]
    machine.run("rmdir", "/opt/open")


def hops(story):
    """What was seen on the way, without what differs from one look to the next."""
    return [(step["step"], step["mark"], re.sub(r"\d+", "N", step["answer"])) for step in story["evidence"]]


def test_inside_the_sandbox_a_diagnosis_sees_what_it_sees_outside(machine, lab, agent):
    since = now_us()
    path_silent.apply(lab)
    found = wait_for(lambda: agent.probes()["checkout"]["diagnosis"], "a diagnosis")
    question = ["/usr/bin/lattice-probe", "diagnose", "--json", "--verbose", "checkout"]
    outside = json.loads(machine.run("env", f"AWS_CA_BUNDLE={CA}", *question, check=False).stdout)
    inside = json.loads(agent.run_in_sandbox(*question))
    lab.clear()
    assert (found["verdict"], inside["verdict"], outside["verdict"]) == ("path-silent",) * 3
    assert hops(inside) == hops(outside)
    agent.wait_for_probes("checkout", "endpoint")
    assert not re.search(r"EPERM|EACCES|not permitted|permission denied", machine.journal(since_us=since), re.I)


def test_stopped_in_time_it_starts_again_at_boot(machine, agent):
    machine.run("systemctl", "stop", UNIT)
    assert machine.property("Result") == "success" and machine.pid() is None
    assert machine.run("ls", "/run/lattice-probe", check=False).stdout == ""
    machine.halt()
    machine.boot()
    wait_for(agent.is_active, "the unit to be active after the boot")
    agent.wait_for_probes("checkout", "endpoint")


# ---- removed, purged

def test_removed_it_runs_no_more_and_leaves_the_configuration(machine, agent):
    agent.edit(EDIT)
    apt(machine, "remove", "lattice-probe")
    assert "lattice-probe" not in machine.programs()
    assert not agent.is_active() and not machine.path("/usr/bin/lattice-probe").exists()
    assert machine.read(CONF).endswith(EDIT) and machine.path(f"{CONF_D}/checkout.conf").exists()


def test_purged_it_leaves_nothing(machine, before):
    for mine in ("checkout", "endpoint", "pace"):
        machine.path(f"{CONF_D}/{mine}.conf").unlink()
    apt(machine, "purge", "lattice-probe")
    now = {path for path in machine.files(*FOLDERS) if not path.startswith(LUGGAGE)}
    assert {path for path in now - set(before) if not KEPT_BY_OTHERS.match(path)} == set()
    assert {path for path in now if "lattice-probe" in path} == DROP_INS


# ---- upgraded

def version(machine):
    return machine.say("dpkg-query", "-W", "-f", "${Version}", "lattice-probe")


def replaced_by(machine, agent, deb):
    """Installs over what is there, as unattended-upgrades does; the agent that ran is another one afterwards."""
    pid, was, since = machine.pid(), version(machine), now_us()
    apt(machine, *KEEP_EDITED, "install", machine.bring(deb))
    assert version(machine) != was
    assert machine.pid() not in (None, pid) and agent.is_active() and agent.problems(since) == []


def test_an_upgrade_restarts_and_brings_the_new_configuration_file(machine, agent, deb, previous):
    apt(machine, "install", machine.bring(previous))
    wait_for(agent.is_active, "the previous release to be active")
    assert PREVIOUS_LINE in machine.read(CONF)
    replaced_by(machine, agent, deb)
    assert PREVIOUS_LINE not in machine.read(CONF)


def test_an_upgrade_keeps_what_an_administrator_edited(machine, agent, deb, previous):
    machine.run("apt-get", "-y", "--allow-downgrades", "install", machine.bring(previous))
    agent.edit(EDIT)
    edited = machine.read(CONF)
    agent.probe("checkout", laboratory.CHECKOUT)
    replaced_by(machine, agent, deb)
    assert machine.read(CONF) == edited and machine.mode(CONF) == "640 root:lattice-probe"
    assert PREVIOUS_LINE not in machine.read(f"{CONF}.dpkg-dist")
    agent.wait_for_probes("checkout")


def test_it_can_be_installed_over_itself(machine, agent, deb):
    edited = machine.read(CONF)
    apt(machine, *KEEP_EDITED, "install", "--reinstall", machine.bring(deb))
    assert agent.is_active() and machine.read(CONF) == edited
    assert machine.run("dpkg", "--verify", "lattice-probe", check=False).stdout.split() == ["??5??????", "c", CONF]
    agent.wait_for_probes("checkout")
