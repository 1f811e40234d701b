# SPDX-License-Identifier: Apache-2.0
"""The completions of bash, zsh and fish offer what the program takes: no more and no less."""

import os
import re
import shutil

import pytest

import program_tables
import shells

COMMANDS = program_tables.commands()
WITH_NAMES = ("once", "diagnose")
FACTS = {"AvailabilityZone", "AvailabilityZoneId", "VpcId", "SubnetId", "InstanceId"}  # generate_fact_name


@pytest.fixture(params=shells.SHELLS)
def shell(request, command):
    """offers(line) of each shell in turn."""
    if not shutil.which(request.param):
        pytest.skip(f"no {request.param} here; packaging/install-deps --test installs it")
    folder = command.path("shell")
    folder.mkdir()
    env = command.environment({"PATH": f"{os.path.dirname(command.binary)}:{os.environ['PATH']}"})

    def offers(line):
        return set(shells.candidates(request.param, line, folder, env))
    offers.name = request.param
    return offers


@pytest.fixture
def conf(command):
    """A configuration of three probes, one of which is disabled."""
    settings = {"url": "https://example.test/"}
    return command.conf({"checkout": settings, "pay-ments_2.eu": settings, "off": {**settings, "enabled": "no"}})


def test_the_commands(shell):
    names = {*COMMANDS, "help"}
    assert shell("lattice-probe ") - {"--help", "--version", "-h"} == names
    assert shell("lattice-probe s") == {name for name in names if name.startswith("s")}
    assert shell("lattice-probe --") == {"--help", "--version"}
    assert shell("lattice-probe help c") == {name for name in names if name.startswith("c")}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_options_of_a_command(shell, name):
    assert shell(f"lattice-probe {name} -") == program_tables.words_of(name)


@pytest.mark.parametrize("option", sorted({(name, f"--{long}") for name in COMMANDS
                                           for long, (_, takes_word) in program_tables.options(name).items()
                                           if takes_word and long in ("config", "socket")} | {("once", "-c")}))
def test_an_option_that_takes_a_file(shell, command, option):
    folder = command.path("files")
    folder.mkdir()
    for name in ("one.conf", "one.sock", "two.conf"):
        (folder / name).write_text("", encoding="utf-8")
    offered = shell(f"lattice-probe {' '.join(option)} {folder}/one")
    assert {os.path.basename(path) for path in offered} == {"one.conf", "one.sock"}


@pytest.mark.parametrize("name", WITH_NAMES)
@pytest.mark.parametrize("option", ("-c ", "--config ", "--config="))
def test_the_names_of_probes(shell, conf, name, option):
    line = f"lattice-probe {name} {option}{conf} "
    assert shell(line) - program_tables.words_of(name) == {"checkout", "pay-ments_2.eu"}
    assert shell(line + "che") == {"checkout"}


def test_a_configuration_that_cannot_be_read_has_no_names(shell, conf):
    for text in ("[agent\n", "[probe a]\nurl = nothing\n"):
        conf.write_text(text, encoding="utf-8")
        assert shell(f"lattice-probe once -c {conf} ") - program_tables.words_of("once") == set()
    assert shell(f"lattice-probe once -c {conf}.not-there ") - program_tables.words_of("once") == set()


def test_other_commands_take_no_names(shell, conf):
    for name in set(COMMANDS) - set(WITH_NAMES):
        if "config" in program_tables.options(name):
            assert "checkout" not in shell(f"lattice-probe {name} -c {conf} "), name


@pytest.mark.parametrize("name", ("_lattice-probe", "lattice-probe.fish"))
def test_commands_are_described_in_the_program_s_words(name):
    text = (shells.COMPLETIONS / name).read_text(encoding="utf-8")
    found = dict(re.findall(r"""^    ['"]([a-z-]+):(.+)['"]$""", text, re.MULTILINE) +
                 re.findall(r"""_is_bare -a (\S+) -d ['"](.+)['"]$""", text, re.MULTILINE))
    assert found.pop("help")
    assert found == COMMANDS


@pytest.mark.parametrize("joint", (" ", "="))
def test_options_that_take_one_of_some_words(shell, joint):
    assert {word.removeprefix("--format=") for word in shell(f"lattice-probe alarms --format{joint}")} == \
        {"cloudformation", "terraform"}
    assert {word.removeprefix("--format=") for word in shell(f"lattice-probe alarms --format{joint}t")} == {"terraform"}
    for name in ("alarms", "dashboard"):
        offered = shell(f"lattice-probe {name} --dimension{joint}")
        assert {word.removeprefix("--dimension=").removesuffix("=") for word in offered} == FACTS


def test_options_that_take_any_word(shell):
    for option in ("--availability", "--latency", "--certificate-days", "--part"):
        assert shell(f"lattice-probe alarms {option} ") == set()
    assert shell("lattice-probe iam-policy --region ") == set()
    assert shell("lattice-probe alarms --dimension VpcId=") <= {"VpcId="}  # the value is the user's own
