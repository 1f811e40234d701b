# SPDX-License-Identifier: Apache-2.0
"""The rpm: what is in it, and its life on a machine. The machine is a Debian with rpm, so what the package
requires is not looked up there, and its libraries are those that it was built with."""

import re
import subprocess

import pytest

import agent as agent_module
import laboratory
from agent import CONF, CONF_D, SOCKET
from machine import LUGGAGE, wait_for

UNIT = "lattice-probe.service"
EDIT = "# edited by an administrator\n"
PREVIOUS_LINE = "a line of the previous release"  # tests/install/run puts it into the older package's file
FOLDERS = ("/etc", "/opt", "/srv", "/usr", "/var")
# rpm's own records, and systemd's.
KEPT_BY_OTHERS = re.compile(r"/var/lib/(rpm|systemd)/|/var/log/journal/|/etc/(passwd|group|g?shadow|subuid|subgid)-$"
                            r"|/(var/)?tmp/systemd-private-|/var/cache/ldconfig|" + LUGGAGE)
# Where completions and licences go; on a system of rpm's family the package filesystem has these folders.
OF_THE_SYSTEM = {"/usr/share/fish", "/usr/share/fish/vendor_completions.d", "/usr/share/licenses",
                 "/usr/share/zsh", "/usr/share/zsh/site-functions"}
# Debian's rpm warns that it is not for installing anything here.
RPM = ("rpm", "--force-debian", "--nodeps")


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


@pytest.fixture(scope="module")
def ask(machine, rpm):
    """Asks the package's file: rpm -qp."""
    there = machine.bring(rpm)
    return lambda *words: machine.say("rpm", "-qp", "--nosignature", *words, there)


# ---- in the package

def test_every_file_has_its_place_owner_and_mode(ask):
    lines = ask("--queryformat", "[%{FILENAMES} %{FILEMODES:perms} %{FILEUSERNAME}:%{FILEGROUPNAME}\\n]").splitlines()
    files = {name: (mode, owner) for name, mode, owner in map(str.split, lines)}
    assert files["/usr/bin/lattice-probe"] == ("-rwxr-xr-x", "root:root")
    assert files[CONF] == ("-rw-r-----", "root:lattice-probe")
    assert files["/etc/lattice-probe"] == files[CONF_D] == ("drwxr-x---", "root:lattice-probe")
    for name, (mode, owner) in files.items():
        assert name.startswith(("/etc/lattice-probe", "/usr/")), name
        assert mode[0] == "l" or "w" not in mode[5:], (name, mode)
        assert "s" not in mode and (owner == "root:root" or name.startswith("/etc/")), (name, owner)
    # A manual page is compressed where the distribution's macros say so.
    for name in ("/usr/lib/systemd/system/lattice-probe.service", "/usr/lib/sysusers.d/lattice-probe.conf",
                 "/usr/share/man/man8/lattice-probe.8", "/usr/share/man/man5/lattice-probe.conf.5"):
        assert name in files or f"{name}.gz" in files, sorted(files)


def test_configuration_is_never_replaced(ask):
    assert ask("-c").splitlines() == [f"{CONF_D}/example.conf.sample", CONF]
    flags = dict(line.split() for line in ask("--queryformat", "[%{FILENAMES} x%{FILEFLAGS:fflags}\\n]").splitlines())
    assert flags[CONF] == flags[f"{CONF_D}/example.conf.sample"] == "xcn"


def test_it_requires_libraries_and_no_headers(ask):
    required = {line.split()[0] for line in ask("--requires").splitlines()}
    assert {"ca-certificates", "/bin/sh", "systemd"} <= required
    libraries = ("libcurl", "libcares", "libuv", "libssl", "libcrypto", "libinih", "libjansson", "libpcre2-8", "libz")
    for name in libraries:
        assert any(each.startswith(f"{name}.so.") for each in required), name
    assert not [each for each in required if "devel" in each or "/usr/bin/python" in each or "debug" in each]


def test_its_scriptlets_are_short_and_plain_shell(ask):
    text = ask("--scripts")
    parts = re.split(r"^(\w+) scriptlet \(using /bin/sh\):$", text, flags=re.M)
    scriptlets = dict(zip(parts[1::2], parts[2::2]))
    assert set(scriptlets) == {"preinstall", "postinstall", "preuninstall", "postuninstall"}, text
    for script in scriptlets.values():
        subprocess.run(["dash", "-n"], input=script, text=True, check=True)
        assert not re.search(r"%\{|\brm\b|curl|wget", script), script
    assert "lattice-probe" in scriptlets["preinstall"]


# ---- on the machine

def version(machine):
    return machine.say("rpm", "-q", "--queryformat", "%{VERSION}", "lattice-probe")


def test_installed_it_is_as_the_preset_says(machine, before, previous):
    assert "/usr/bin/lattice-probe" not in before
    said = machine.run(*RPM, "-i", machine.bring(previous))
    assert "error" not in said.stderr and version(machine) == "0.0.9", said.stderr
    assert machine.mode(CONF) == "640 root:lattice-probe" and machine.mode(CONF_D) == "750 root:lattice-probe"
    # Debian's preset enables all there is, and an rpm starts nothing by itself.
    assert machine.say("systemctl", "is-enabled", UNIT) == "enabled" and machine.pid() is None
    account = machine.say("getent", "passwd", "lattice-probe").split(":")
    assert account[5:] == ["/", "/usr/sbin/nologin"]


def test_started_it_is_idle_and_says_how_to_add_a_probe(machine, agent):
    machine.run("systemctl", "start", UNIT)
    assert agent.is_active() and agent.problems() == []
    agent.wait_for_line("event=idle")
    assert machine.mode(SOCKET) == "660 lattice-probe:lattice-probe"


def test_an_upgrade_keeps_edits_and_restarts(machine, agent, rpm):
    agent.edit(EDIT)
    agent.pace()
    agent.probe("checkout", laboratory.CHECKOUT)
    edited, pid = machine.read(CONF), machine.pid()
    machine.run(*RPM, "-U", machine.bring(rpm))
    assert version(machine) != "0.0.9" and machine.read(CONF) == edited
    assert PREVIOUS_LINE in edited and PREVIOUS_LINE not in machine.read(f"{CONF}.rpmnew")
    wait_for(lambda: machine.pid() not in (None, pid) and agent.is_active(), "the new process")
    agent.wait_for_probes("checkout")


def test_erased_it_runs_no_more_and_leaves_what_was_edited(machine, before, agent):
    machine.run(*RPM, "-e", "lattice-probe")
    assert not agent.is_active() and "lattice-probe" not in machine.programs()
    assert machine.read(f"{CONF}.rpmsave").endswith(EDIT)
    left = {path for path in machine.files(*FOLDERS) if path not in before and not KEPT_BY_OTHERS.match(path)}
    mine = {"/etc/lattice-probe", CONF_D, f"{CONF_D}/checkout.conf", f"{CONF_D}/pace.conf",
            f"{CONF}.rpmnew", f"{CONF}.rpmsave"}
    # rpm knows no purge: the state stays, for the next installation.
    state = {path for path in left if path.startswith("/var/lib/lattice-probe")}
    assert "/var/lib/lattice-probe" in state and left - OF_THE_SYSTEM - state == mine
