# SPDX-License-Identifier: Apache-2.0
"""The unit is one that systemd understands whole, confines the agent well, and fits what the agent does."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(os.environ.get("LATTICE_PROBE_SOURCE", pathlib.Path(__file__).resolve().parent.parent.parent))
FOLDER = ROOT / "packaging" / "systemd"
EXAMPLES = ("credentials.conf", "known-addresses.conf")
NEWER = "reload-and-backoff.conf"  # for the systemd of the number below, or later
NEWER_THAN = 254
EXPOSURE_MAX = 15  # tenths: 1.5 of 10


def systemd_version():
    return int(subprocess.run(["systemd-analyze", "--version"], capture_output=True, text=True, check=True).stdout.split()[1])


def drop_ins():
    return EXAMPLES + ((NEWER,) if systemd_version() >= NEWER_THAN else ())


def settings(path):
    """Every value of each key of a unit file, in their order."""
    values = {}
    for key, value in re.findall(r"^(\w+)=(.*)$", path.read_text(encoding="utf-8"), re.MULTILINE):
        values.setdefault(key, []).append(value)
    return values


@pytest.fixture(name="unit")
def a_unit(tmp_path, lattice_probe):
    """The unit as it is installed, but for the program, which is the one that was built."""
    path = tmp_path / "lattice-probe.service"
    text = (FOLDER / "lattice-probe.service.in").read_text(encoding="utf-8")
    folder = os.path.dirname(os.path.abspath(lattice_probe))
    path.write_text(text.replace("@bindir@", folder).replace("@docdir@", "/usr/share/doc/lattice-probe"), encoding="utf-8")
    assert not re.search(r"@\w+@", path.read_text(encoding="utf-8"))
    return path


def with_drop_in(unit, name):
    folder = unit.with_name(unit.name + ".d")
    folder.mkdir()
    shutil.copy(FOLDER / name, folder / name)


def analyze(*words):
    """The exit status of systemd-analyze, and all it says."""
    ended = subprocess.run(["systemd-analyze", *map(str, words)], capture_output=True, text=True, check=False, timeout=60)
    return ended.returncode, ended.stdout + ended.stderr


def test_systemd_understands_every_line(unit):
    assert analyze("verify", "--man=no", unit) == (0, "")


def test_a_word_it_does_not_know_would_be_seen(unit):
    unit.write_text(unit.read_text(encoding="utf-8").replace("PrivateTmp=", "PrivateTemp="), encoding="utf-8")
    assert "PrivateTemp" in analyze("verify", "--man=no", unit)[1]


@pytest.mark.parametrize("number", range(3))
def test_systemd_understands_every_drop_in(unit, number):
    # On an older systemd the one for newer ones is not installed.
    name = (drop_ins() + EXAMPLES)[number]
    with_drop_in(unit, name)
    assert analyze("verify", "--man=no", unit) == (0, "")
    assert analyze("security", "--offline=true", f"--threshold={EXPOSURE_MAX}", unit)[0] == 0


def test_a_drop_in_that_is_wrong_would_be_seen(unit):
    folder = unit.with_name(unit.name + ".d")
    folder.mkdir()
    (folder / "wrong.conf").write_text("[Service]\nNoSuchKey=1\n", encoding="utf-8")
    assert "NoSuchKey" in analyze("verify", "--man=no", unit)[1]


def test_the_exposure_is_within_the_limit(unit):
    status, text = analyze("security", "--offline=true", f"--threshold={EXPOSURE_MAX}", unit)
    assert status == 0, text
    assert re.search(r"Overall exposure level for lattice-probe\.service: [01]\.\d", text)


def test_the_limit_of_the_exposure_can_be_broken(unit):
    text = re.sub(r"^(SystemCallFilter|PrivateUsers|CapabilityBoundingSet)=.*\n", "", unit.read_text(encoding="utf-8"),
                  flags=re.MULTILINE)
    unit.write_text(text, encoding="utf-8")
    assert analyze("security", "--offline=true", f"--threshold={EXPOSURE_MAX}", unit)[0] != 0


def test_a_stop_may_take_longer_than_the_agent_ever_does(unit):
    keys = (ROOT / "src" / "config" / "conf_keys.c").read_text(encoding="utf-8")
    longest_s = int(re.search(r'"shutdown_timeout".*?\.max = S\((\d+)\)', keys, re.DOTALL).group(1))
    assert int(settings(unit)["TimeoutStopSec"][-1].removesuffix("s")) > longest_s


def test_the_socket_is_in_the_runtime_folder(unit):
    keys = (ROOT / "src" / "config" / "conf_keys.c").read_text(encoding="utf-8")
    socket = re.search(r'"status_socket".*?default_text = "([^"]+)"', keys, re.DOTALL).group(1)
    assert os.path.dirname(socket) == "/run/" + settings(unit)["RuntimeDirectory"][-1]


def test_a_mistake_in_the_configuration_is_not_tried_again(unit, lattice_probe, tmp_path):
    (tmp_path / "wrong.conf").write_text("[agent]\ninterval = never\n", encoding="utf-8")
    ended = subprocess.run([lattice_probe, "run", "-c", tmp_path / "wrong.conf"], capture_output=True, check=False, timeout=60)
    assert str(ended.returncode) == settings(unit)["RestartPreventExitStatus"][-1]


def test_the_account_is_the_one_of_the_sysusers_file(unit):
    lines = (FOLDER / "lattice-probe.sysusers").read_text(encoding="utf-8").splitlines()
    names = [line.split()[1] for line in lines if line.startswith("u ")]
    assert names == settings(unit)["User"] == settings(unit)["Group"]
